"""What a job does to a standby that replays slowly, and to those who write."""
import contextlib
import math
import os
import statistics
import subprocess
import tempfile
import time

import database
import ways
from compare import Results, take_turns
from pgbench import CLIENTS, Pgbench
from standby import PERIOD, Lag, SlowReplay, Standby
from users import Users

# Milliseconds out of 100 that replay is stopped.
STOPPED = 90
LIMIT = '1s'
# Seconds between the statements of the loop.
SLEEP = 0.1
# Transactions per second of each of the two.
RATE = 100
# Seconds that the plot joins.
STEP = 0.5

WRITERS = {
    'same': """
        \\set id random(1, :rows)
        UPDATE auth_user SET last_login = now() WHERE id = :id;
        """,
    'other': """
        \\set id random(1, 100000)
        UPDATE other SET n = n + 1 WHERE id = :id;
        """,
}
OTHER = """
    CREATE TABLE other (id int PRIMARY KEY, n int NOT NULL, filler text);
    INSERT INTO other SELECT i, 0, repeat('x', 100)
    FROM generate_series(1, 100000) AS i;
    """


def sleepy_loop(change):
    """A loop in psql that sleeps after each statement; return the seconds."""
    last = database.run(f'SELECT max({change.key}) FROM {change.table}')[0][0]
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, 'loop.sql')
        with open(path, 'w', encoding='utf-8') as script:
            for low in range(0, last, ways.BATCH_SIZE):
                script.write(
                    f'UPDATE {change.table}'
                    f' SET {change.column} = {change.expression}'
                    f' WHERE {change.key} > {low}'
                    f' AND {change.key} <= {low + ways.BATCH_SIZE};\n'
                    f'SELECT pg_sleep({SLEEP});\n')
        start = time.perf_counter()
        subprocess.run(['psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-o',
                        os.devnull, '-d', database.DATABASE, '-f', path],
                       check=True)
        return time.perf_counter() - start


def bulkpar_with_limit(limit):
    def run(change):
        connection = database.connect()
        database.execute(connection, 'SET bulkpar.max_replica_lag = %s',
                         (limit,))
        seconds = ways.call_bulkpar(connection, change)
        connection.close()
        return seconds
    return run


SITUATIONS = {
    'one UPDATE': ways.one_update,
    f'psql loop, pg_sleep({SLEEP})': sleepy_loop,
    'bulkpar without a limit': bulkpar_with_limit('0'),
    f'bulkpar, limit {LIMIT}': bulkpar_with_limit(LIMIT),
}

# What a job looks at by default.
LOOKS = ('max_replica_lag', 'max_wal_backlog', 'min_free_disk', 'lock_wait')


def bulkpar_without_looking(change):
    connection = database.connect()
    for name in LOOKS:
        database.execute(connection, f'SET bulkpar.{name} = 0')
    seconds = ways.call_bulkpar(connection, change)
    connection.close()
    return seconds


UNLIMITED = 'no limit'
HEALTHY = {UNLIMITED: bulkpar_without_looking, 'defaults': ways.bulkpar}


def percentile(values, percent):
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def measure(standby, run, change):
    """Return the figures of one run, and the lag over time."""
    change.start_afresh()
    database.run(OTHER)
    standby.catch_up()
    before = change.sizes()
    with SlowReplay(standby, STOPPED):
        with Lag(standby) as lag:
            with contextlib.ExitStack() as stack:
                writers = [stack.enter_context(
                    Pgbench(change.rows, {name: script}, RATE))
                    for name, script in WRITERS.items()]
                seconds = run(change)
    standby.catch_up()
    change.check()
    lags = [behind for _, behind in lag.samples]
    result = {'seconds': seconds,
              'wal': change.sizes()['wal'] - before['wal'],
              'hot': change.hot_share(),
              'lag_max': max(lags), 'lag_p99': percentile(lags, 99)}
    for name, pgbench in zip(WRITERS, writers):
        result.update(pgbench.summary(name))
    return result, lag.samples


def thin_out(samples):
    """Return the longest lag of each step of time."""
    steps = {}
    for when, behind in samples:
        step = int(when / STEP)
        steps[step] = max(steps.get(step, 0), behind)
    return {f'lag_at_{step * STEP}': behind for step, behind in steps.items()}


def run_gentle(bench, rows, rounds):
    change = Users(rows, 'first_name')
    results = Results(SITUATIONS)
    with Standby() as standby:
        change.create()
        for number in range(1, rounds + 1):
            for name, run in SITUATIONS.items():
                result, samples = measure(standby, run, change)
                bench.report.progress(f'gentle, round {number}: {name}'
                                      f' {result["seconds"]:.3f} s')
                results.add(name, result)
                bench.report.record('gentle', change, name, number,
                                    {**result, **thin_out(samples)})
        change.drop()

    bench.report.title(
        f'A standby that replays in {PERIOD - STOPPED} of {PERIOD} ms, and'
        f' {CLIENTS} clients of pgbench on each of two tables, during'
        f' {change} ({rounds} rounds)')
    bench.report.table(
        ['way', 'time', 'lag, p99', 'lag, longest', 'WAL', 'HOT',
         'writes of the table, p99', 'of another table, p99'],
        [[name,
          f'{results.median(name, "seconds"):.1f} s',
          f'{results.median(name, "lag_p99"):.1f} s',
          f'{results.median(name, "lag_max"):.1f} s',
          f'{results.median(name, "wal"):.0f} MB',
          f'{results.median(name, "hot"):.0%}',
          *(f'{results.median(name, f"{script}_p99_ms"):.0f} ms'
            for script in WRITERS)] for name in SITUATIONS])


def pair_ratio(results, way, key):
    """Return the median of the ratios of each round as text."""
    pairs = zip(results.values(way, key), results.values(UNLIMITED, key))
    return f'{statistics.median(one / other for one, other in pairs):.3f}'


def run_healthy(bench, rows, rounds):
    """What the limits cost while nothing is wrong."""
    change = Users(rows, 'first_name')
    with Standby():
        bench.server.accept()
        change.create()
        results = take_turns(bench, 'healthy', change, HEALTHY, rounds,
                             warm_up=True)
        change.drop()
    bench.report.title(f'A standby that keeps up, during {change}'
                       f' ({rounds} rounds)')
    bench.report.table(
        ['limits', 'median', 'fastest', 'slowest', 'CPU', 'time: median ratio',
         'CPU: median ratio'],
        [[way, *results.times(way), f'{results.median(way, "cpu"):.2f} s',
          pair_ratio(results, way, 'seconds'),
          pair_ratio(results, way, 'cpu')] for way in HEALTHY])
