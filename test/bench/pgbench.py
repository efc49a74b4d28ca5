"""Users of the table while it is changed: pgbench, and what its log says."""
import glob
import math
import os
import subprocess
import tempfile
import time

import database

SCRIPTS = {
    'reads': """
        \\set id random(1, :rows)
        SELECT username, first_name, email FROM auth_user WHERE id = :id;
        """,
    'writes': """
        \\set id random(1, :rows)
        UPDATE auth_user SET last_login = now() WHERE id = :id;
        """,
}
CLIENTS = 2
# Transactions per second that users ask for. Their latency counts from when
# they wanted to begin, so that those that come while all wait are not missed.
RATE = 500
# Seconds before what is measured, and after it for those that had to wait.
LEAD = 1
LAG = 1.5


class Pgbench:
    """Two clients that run scripts during a with block.

    As a rule they read and write random rows. Of several at once, each needs
    scripts of its own.
    """

    def __init__(self, rows, scripts=None, rate=RATE):
        self.rows = rows
        self.scripts = scripts or SCRIPTS
        self.rate = rate
        self.name = 'pgbench ' + '+'.join(self.scripts)
        self.latencies = None

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory()
        bindir = subprocess.check_output([os.environ['PG_CONFIG'], '--bindir'],
                                         text=True).strip()
        command = [os.path.join(bindir, 'pgbench'), '-n', '-l',
                   '-c', str(CLIENTS), '-j', '1', '-T', '86400',
                   '-R', str(self.rate),
                   '-D', f'rows={self.rows}',
                   f'--log-prefix={self.path("log")}']
        for name, text in self.scripts.items():
            with open(self.path(name), 'w', encoding='utf-8') as script:
                script.write(text)
            command += ['-f', self.path(name)]
        self.output = open(self.path('output'), 'w+', encoding='utf-8')
        self.process = subprocess.Popen(
            command + [database.DATABASE], stdout=self.output,
            stderr=subprocess.STDOUT,
            env={**os.environ, 'PGAPPNAME': self.name})
        time.sleep(LEAD)
        self.start = time.time()
        return self

    def __exit__(self, exception, *_):
        end = time.time()
        time.sleep(LAG)
        ended_early = self.process.poll() is not None
        # A signal to pgbench would lose the end of its log.
        database.run("""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE application_name = %s""", (self.name,))
        self.process.wait()
        self.output.seek(0)
        output = self.output.read()
        self.output.close()
        if exception is None and ended_early:
            raise SystemExit(f'pgbench has ended: {output}')
        self.seconds = end - self.start
        self.latencies = self.read_log(end)
        self.directory.cleanup()

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def read_log(self, end):
        """Return the milliseconds of all transactions in the with block.

        Those that began before it or ended after it are among them.
        """
        latencies = {name: [] for name in self.scripts}
        names = list(self.scripts)
        with open(glob.glob(self.path('log.*'))[0], encoding='utf-8') as log:
            for line in log:
                _, _, latency, script, second, micro = line.split()[:6]
                finish = int(second) + int(micro) / 1e6
                if finish > self.start and finish - int(latency) / 1e6 < end:
                    latencies[names[int(script)]].append(int(latency) / 1e3)
        return latencies

    def summary(self, name):
        """Return transactions per second and milliseconds of one script."""
        latencies = sorted(self.latencies[name])
        result = {f'{name}_per_second': len(latencies) / self.seconds}
        if latencies:
            for percent in (50, 99):
                rank = math.ceil(len(latencies) * percent / 100)
                result[f'{name}_p{percent}_ms'] = latencies[rank - 1]
            result[f'{name}_longest_ms'] = latencies[-1]
        return result
