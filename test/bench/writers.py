"""What those who use the table notice while it is changed."""
import time

import ways
from compare import Results
from pgbench import CLIENTS, SCRIPTS, Pgbench
from users import Users

IDLE = 3


def nothing(_):
    time.sleep(IDLE)
    return IDLE


SITUATIONS = {'nothing': nothing, 'one UPDATE': ways.one_update,
              'bulkpar': ways.bulkpar}


def measure(situation, change):
    """Return what the job took and what pgbench saw of it."""
    change.start_afresh()
    with Pgbench(change.rows) as pgbench:
        seconds = SITUATIONS[situation](change)
    if situation != 'nothing':
        change.check()
    result = {'seconds': seconds}
    for name in SCRIPTS:
        result.update(pgbench.summary(name))
    return result


def milliseconds(value):
    return '-' if value is None else f'{value:.2f} ms'


def run_writers(bench, rows, rounds):
    change = Users(rows, 'first_name')
    change.create()
    results = Results(SITUATIONS)
    for number in range(1, rounds + 1):
        for situation in SITUATIONS:
            result = measure(situation, change)
            bench.report.progress(f'writers, round {number}: {situation}'
                                  f' {result["seconds"]:.3f} s')
            results.add(situation, result)
            bench.report.record('writers', change, situation, number, result)
    change.drop()

    bench.report.title(f'{CLIENTS} clients of pgbench during {change}'
                       f' ({rounds} rounds)')
    bench.report.table(
        ['meanwhile', 'its time', 'transactions', 'per second', 'p50', 'p99',
         'longest'],
        [[situation, f'{results.median(situation, "seconds"):.3f} s', name,
          f'{results.median(situation, f"{name}_per_second"):.0f}',
          *(milliseconds(results.median(situation, f'{name}_{key}_ms'))
            for key in ('p50', 'p99', 'longest'))]
         for situation in SITUATIONS for name in SCRIPTS])
