"""The server's processes: their CPU time and their memory, out of /proc."""
import os
import re
import threading
import time

import database

INTERVAL = 0.05
TICKS = os.sysconf('SC_CLK_TCK')


def read(path):
    """Return the text of a file of /proc, empty if the process is gone."""
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ''


def rss_anon(pid):
    """Return the kB of memory of its own that a process has, 0 if gone.

    RssAnon leaves out shared_buffers, which RSS counts for each process.
    """
    found = re.search(r'^RssAnon:\s*(\d+) kB', read(f'/proc/{pid}/status'),
                      re.MULTILINE)
    return int(found.group(1)) if found else 0


class Server:
    """Tells the processes that work from those that are always there.

    Create it while nothing is connected.
    """

    def __init__(self):
        self.pid = int(database.run("SELECT pg_read_file('postmaster.pid')",
                                    database='postgres')[0][0].split()[0])
        self.accept()

    def accept(self):
        """Take what is connected now, a standby, for always there."""
        self.permanent = self.children()

    def children(self):
        return set(read(f'/proc/{self.pid}/task/{self.pid}/children').split())

    def workers(self):
        """Return the ids of sessions and background workers of any kind."""
        return [pid for pid in self.children() - self.permanent
                if 'autovacuum' not in read(f'/proc/{pid}/cmdline')]

    def wait_until_idle(self):
        """Wait until all sessions are gone and their CPU time is counted."""
        deadline = time.monotonic() + 60
        while self.workers():
            if time.monotonic() > deadline:
                raise SystemExit('the server has sessions that do not end')
            time.sleep(0.005)

    def cpu_seconds(self):
        """Return the CPU time of all its processes that have ended."""
        fields = read(f'/proc/{self.pid}/stat').rpartition(')')[2].split()
        return (int(fields[13]) + int(fields[14])) / TICKS


class Watch:
    """What the server's sessions need in a with block, and until they ended.

    cpu is their CPU time in seconds, memory the largest RssAnon of one of
    them in kB, or 0 if they were too short to be seen.
    """

    def __init__(self, server):
        self.server = server
        self.memory = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.sample)

    def __enter__(self):
        self.server.wait_until_idle()
        self.before = self.server.cpu_seconds()
        self.thread.start()
        return self

    def __exit__(self, exception, *_):
        self.stop.set()
        self.thread.join()
        if exception is None:
            self.server.wait_until_idle()
            self.cpu = self.server.cpu_seconds() - self.before

    def sample(self):
        while not self.stop.wait(INTERVAL):
            for pid in self.server.workers():
                self.memory = max(self.memory, rss_anon(pid))
