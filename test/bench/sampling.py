"""The memory of bulkpar's workers while they work."""
import re
import threading

import users

INTERVAL = 0.02


def rss_anon(pid):
    """Return the kB of memory of its own that a process has, None if gone.

    RssAnon leaves out shared_buffers, which RSS counts for each process.
    """
    try:
        with open(f'/proc/{pid}/status', encoding='utf-8') as status:
            found = re.search(r'^RssAnon:\s*(\d+) kB', status.read(),
                              re.MULTILINE)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(found.group(1)) if found else None


class WorkerMemory:
    """Samples in the background: peaks is the largest RssAnon per process."""

    def __init__(self):
        self.peaks = {}
        self.samples = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def run(self):
        connection = users.connect('postgres')
        while not self.stop.wait(INTERVAL):
            for (pid,) in users.execute(
                    connection, "SELECT pid FROM pg_stat_activity"
                                " WHERE backend_type = 'bulkpar worker'"):
                size = rss_anon(pid)
                if size is not None:
                    self.peaks[pid] = max(size, self.peaks.get(pid, 0))
                    self.samples += 1
        connection.close()
