"""The benchmark: bulkpar beside the other ways, in one run on one server.

Every way starts from a fresh copy of the same table. The ways take turns, in
the opposite order every second round.
"""
import argparse
import shlex
import sys
import time

import deletes
import gentle
import growth
import machine
import nodes
import parts
import report
import server
import shapes
import tenants
import walks
import writers

# What runs, rows, rounds.
PARTS = {
    'django': (parts.run_django, 100_000, 5),
    'large': (parts.run_large, 500_000, 5),
    'workers': (parts.run_workers, 500_000, 3),
    'writers': (writers.run_writers, 500_000, 3),
    'gentle': (gentle.run_gentle, 500_000, 1),
    'healthy': (gentle.run_healthy, 200_000, 15),
    'uuid': (parts.run_uuid, 2_000_000, 3),
    'toast': (parts.run_toast, 50_000, 3),
    'skewed': (parts.run_skewed, 500_000, 3),
    'few': (parts.run_few, 10_000_000, 5),
    'huge': (parts.run_huge, 50_000_000, 1),
    'shapes': (shapes.run_shapes, 500_000, 5),
    'delete': (deletes.run_delete, 1_000_000, 5),
    'move': (walks.run_move, 1_000_000, 5),
    'copy': (walks.run_copy, 1_000_000, 5),
    'merge': (walks.run_merge, 500_000, 5),
    'tenants': (tenants.run_tenants, 1_000_000, 3),
    'nodes': (nodes.run_nodes, 1_000_000, 5),
    'growth': (growth.run_growth, None, 3),
    'latency': (parts.run_latency, 1, 50),
}


def names(value):
    return value.split(',')


def numbers(value):
    return [int(number) for number in value.split(',')]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--parts', default=list(PARTS), type=names,
                        help='which parts run, separated by commas, of'
                             f' {",".join(PARTS)}')
    parser.add_argument('--rounds', type=int,
                        help='rounds (calls in the part "latency") of all'
                             ' parts instead of their own number')
    parser.add_argument('--rows', type=int,
                        help='rows of all parts but "growth" instead of their'
                             ' own number')
    parser.add_argument('--sizes', type=numbers,
                        default='10000,100000,500000,1000000,2500000',
                        help='rows of the part "growth"')
    parser.add_argument('--columns', default='username,first_name', type=names,
                        help='columns of "django", "large" and "growth"')
    parser.add_argument('--slow-ways', action='store_true',
                        help="Django's bulk_update() in the part \"large\" too")
    parser.add_argument('--csv-fd', type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f'no such part: {", ".join(unknown)}')
    return arguments


LEGEND = [
    'every way starts from a fresh copy of the table, in `shared_buffers` as'
    ' far as it fits; figures are medians',
    'CPU: of all sessions and background workers of the server, not of clients',
    'table, indexes: size after against size before; need: the table written'
    ' anew by `VACUUM FULL`',
    'HOT: share of the updates without new index entries',
    'memory: largest RssAnon of one process of the server, sampled',
]


class Bench:
    """What all parts need."""

    def __init__(self, arguments):
        self.columns = arguments.columns
        self.sizes = arguments.sizes
        self.slow_ways = arguments.slow_ways
        self.report = report.Report(arguments.csv_fd)
        self.server = server.Server()


def main():
    arguments = parse_arguments()
    bench = Bench(arguments)
    options = [option for option in sys.argv[1:]
               if not option.startswith('--csv-fd')]
    command = shlex.join(['test/bench/run.sh', *options])
    bench.report.line('## bulkpar benchmark')
    bench.report.line()
    for line in [*machine.describe(), f'command: `{command}`', *LEGEND]:
        bench.report.line(f'- {line}')
    bench.report.line()
    for name in arguments.parts:
        run, rows, rounds = PARTS[name]
        start = time.monotonic()
        run(bench, arguments.rows or rows, arguments.rounds or rounds)
        bench.report.progress(
            f'{name} has taken {time.monotonic() - start:.0f} s')


if __name__ == '__main__':
    main()
