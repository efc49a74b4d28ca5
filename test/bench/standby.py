"""A standby that replays slowly, and how far it is behind."""
import bisect
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import psycopg2

import database

PORT = 5433
# Keeps the WAL that it has yet to get.
SLOT = 'standby'
# Milliseconds out of which replay is stopped, and between two looks.
PERIOD = 100
LOOK = 50
# Seconds that a standby may take to catch up.
PATIENCE = 600


def program(name):
    bindir = subprocess.check_output([os.environ['PG_CONFIG'], '--bindir'],
                                     text=True).strip()
    return os.path.join(bindir, name)


def lsn_of(connection, function):
    return int(database.execute(
        connection, f"SELECT ({function}() - '0/0')::bigint")[0][0])


class Cluster:
    """A server with a data directory of its own, which is in data."""

    def control(self, *arguments):
        subprocess.run([program('pg_ctl'), '-s', '-w', '-D', self.data,
                        *arguments], check=True)


class Standby(Cluster):
    """A standby of the private server in a with block."""

    def __enter__(self):
        self.directory = tempfile.mkdtemp()
        self.data = os.path.join(self.directory, 'data')
        subprocess.run([program('pg_basebackup'), '-D', self.data, '-R',
                        '-C', '-S', SLOT, '-c', 'fast',
                        '-d', 'application_name=standby'], check=True)
        with open(os.path.join(self.data, 'postgresql.auto.conf'), 'a',
                  encoding='utf-8') as settings:
            settings.write(f'port = {PORT}\n')
        self.control('start', '-l', os.path.join(self.directory, 'log'))
        self.connection = self.connect()
        self.startup = database.execute(
            self.connection, """SELECT pid FROM pg_stat_activity
                                WHERE backend_type = 'startup'""")[0][0]
        return self

    def __exit__(self, *_):
        self.connection.close()
        self.control('stop', '-m', 'immediate')
        database.run("""SELECT pg_terminate_backend(active_pid, 60000)
                        FROM pg_replication_slots WHERE slot_name = %s""",
                     (SLOT,), database='postgres')
        database.run('SELECT pg_drop_replication_slot(%s)', (SLOT,),
                     database='postgres')
        shutil.rmtree(self.directory)

    @staticmethod
    def connect():
        connection = psycopg2.connect(dbname='postgres', port=PORT)
        connection.autocommit = True
        return connection

    def catch_up(self):
        """Wait until it has replayed what there is now."""
        primary = database.connect('postgres')
        end = lsn_of(primary, 'pg_current_wal_flush_lsn')
        primary.close()
        deadline = time.monotonic() + PATIENCE
        while lsn_of(self.connection, 'pg_last_wal_replay_lsn') < end:
            if time.monotonic() > deadline:
                raise SystemExit('the standby does not catch up')
            time.sleep(LOOK / 1e3)


class SlowReplay:
    """In a with block a standby replays only part of the time."""

    def __init__(self, standby, stopped):
        self.pid = standby.startup
        self.stopped = stopped
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def run(self):
        while not self.stop.is_set():
            os.kill(self.pid, signal.SIGSTOP)
            time.sleep(self.stopped / 1e3)
            os.kill(self.pid, signal.SIGCONT)
            time.sleep((PERIOD - self.stopped) / 1e3)


class Lag:
    """Samples the lag of a standby in a with block, and until it is gone.

    The lag is the age of the oldest WAL, as flushed on the primary, that the
    standby has not replayed. samples are pairs of seconds since the block
    began and of that.
    """

    def __init__(self, standby):
        self.standby = standby
        self.times = []
        self.ends = []
        self.samples = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.start = time.monotonic()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.start
        self.ended.set()
        self.thread.join()

    def run(self):
        primary = database.connect('postgres')
        replica = self.standby.connect()
        end = None
        while True:
            if end is None and self.ended.is_set():
                end = lsn_of(primary, 'pg_current_wal_flush_lsn')
            replayed = self.look(primary, replica)
            if end is not None and replayed >= end or self.is_overdue():
                break
            time.sleep(LOOK / 1e3)
        primary.close()
        replica.close()

    def is_overdue(self):
        return time.monotonic() - self.start > PATIENCE

    def look(self, primary, replica):
        replayed = lsn_of(replica, 'pg_last_wal_replay_lsn')
        now = time.monotonic()
        oldest = bisect.bisect_right(self.ends, replayed)
        behind = now - self.times[oldest] if oldest < len(self.ends) else 0
        self.samples.append((now - self.start, behind))
        end = lsn_of(primary, 'pg_current_wal_flush_lsn')
        if not self.ends or end > self.ends[-1]:
            self.times.append(time.monotonic())
            self.ends.append(end)
        return replayed
