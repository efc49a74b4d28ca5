"""The benchmark: bulkpar beside the other ways, in one run on one server.

Every way starts from a fresh copy of the same table. The ways take turns, in
the opposite order every second round, after one round that does not count.
"""
import argparse
import csv
import functools
import os
import shlex
import statistics
import sys

import machine
import sampling
import users
import ways


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--parts', default='large,django,latency,memory',
                        type=lambda value: value.split(','),
                        help='which parts run, separated by commas')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--rows', type=int, default=500_000,
                        help='rows of the part "large"')
    parser.add_argument('--columns', default='username,first_name',
                        type=lambda value: value.split(','),
                        help='columns of the part "large"')
    parser.add_argument('--django-rows', type=int, default=100_000)
    parser.add_argument('--memory-rows', default='100000,2000000',
                        type=lambda value: [int(n) for n in value.split(',')])
    parser.add_argument('--calls', type=int, default=50,
                        help='calls of the part "latency"')
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--csv-fd', type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f'no such part: {", ".join(unknown)}')
    return arguments


class Report:
    """Writes Markdown to stdout and each single measurement as CSV."""

    def __init__(self, csv_fd):
        stream = open(csv_fd or os.devnull, 'w', newline='', encoding='utf-8')
        self.csv = csv.writer(stream)
        self.csv.writerow(['part', 'rows', 'column', 'way', 'round', 'measure',
                           'value'])
        self.stream = stream

    def record(self, *fields):
        self.csv.writerow(fields)
        self.stream.flush()

    @staticmethod
    def line(text=''):
        print(text, flush=True)

    def table(self, titles, rows):
        self.line('| ' + ' | '.join(titles) + ' |')
        self.line('|---|' + '---:|' * (len(titles) - 1))
        for row in rows:
            self.line('| ' + ' | '.join(row) + ' |')
        self.line()


def measure(run, rows, column):
    """Return what one run from a fresh table took."""
    users.start_afresh(rows)
    before = users.sizes()
    seconds = run(column)
    after = users.sizes()
    users.check(rows, column)
    return {'seconds': seconds,
            'table': after['table'] / before['table'],
            'indexes': after['indexes'] / before['indexes'],
            'wal': (after['wal'] - before['wal']) / 1e6}


def compare(report, part, rows, column, competitors, rounds):
    """Time the ways side by side; the last one is what the others face."""
    results = {name: [] for name in competitors}
    for number in range(rounds + 1):
        names = list(competitors)
        for name in names if number % 2 else reversed(names):
            result = measure(competitors[name], rows, column)
            print(f'{part}, {column}, round {number}: {name}'
                  f' {result["seconds"]:.3f} s', file=sys.stderr, flush=True)
            if number == 0:
                continue
            results[name].append(result)
            for key, value in result.items():
                report.record(part, rows, column, name, number, key, value)

    def median(name, key):
        return statistics.median(result[key] for result in results[name])

    subject = median(list(competitors)[-1], 'seconds')
    report.line(f'### {rows:,} users, `SET {column} = upper({column})`')
    report.line()
    report.table(
        ['way', 'median', 'fastest', 'slowest', 'time / bulkpar', 'table',
         'indexes', 'WAL'],
        [[name,
          f'{median(name, "seconds"):.3f} s',
          f'{min(result["seconds"] for result in results[name]):.3f} s',
          f'{max(result["seconds"] for result in results[name]):.3f} s',
          f'{median(name, "seconds") / subject:.2f}',
          f'x{median(name, "table"):.2f}',
          f'x{median(name, "indexes"):.2f}',
          f'{median(name, "wal"):.0f} MB'] for name in competitors])


def run_large(report, arguments):
    workers = arguments.workers
    users.create(arguments.rows)
    for column in arguments.columns:
        compare(report, 'large', arguments.rows, column, {
            'one UPDATE': ways.one_update,
            f'{workers} psql loops':
                functools.partial(ways.psql_loops, loops=workers),
            f'bulkpar, {workers} workers':
                functools.partial(ways.bulkpar, workers=workers),
        }, arguments.rounds)
    users.drop(arguments.rows)


def run_django(report, arguments):
    users.create(arguments.django_rows)
    compare(report, 'django', arguments.django_rows, 'username', {
        'Django bulk_update': ways.django_bulk_update,
        f'Django bulk_update, pool of {ways.POOL_SIZE}': ways.django_pool,
        'one UPDATE': ways.one_update,
        f'bulkpar, {arguments.workers} workers':
            functools.partial(ways.bulkpar, workers=arguments.workers),
    }, arguments.rounds)
    users.drop(arguments.django_rows)


def run_latency(report, arguments):
    users.create(1)
    users.start_afresh(1)
    connection = users.connect()
    ways.call_bulkpar(connection)
    times = []
    for number in range(1, arguments.calls + 1):
        times.append(ways.call_bulkpar(connection)[0] * 1000)
        report.record('latency', 1, 'username', 'bulkpar', number,
                      'milliseconds', times[-1])
    connection.close()
    users.drop(1)
    report.line(f'### A table of one row, {arguments.calls} calls in one'
                ' session, after one that does not count')
    report.line()
    report.table(['way', 'median', 'fastest', 'slowest'],
                 [['bulkpar', f'{statistics.median(times):.1f} ms',
                   f'{min(times):.1f} ms', f'{max(times):.1f} ms']])


def run_memory(report, arguments):
    lines = []
    for rows in arguments.memory_rows:
        users.create(rows)
        users.start_afresh(rows)
        with sampling.WorkerMemory() as memory:
            ways.bulkpar(workers=arguments.workers)
        users.drop(rows)
        if not memory.peaks:
            raise SystemExit(f'saw no bulkpar worker at {rows:,} rows')
        peak = max(memory.peaks.values())
        report.record('memory', rows, 'username', 'bulkpar', 1, 'kB', peak)
        lines.append([f'{rows:,}', f'{len(memory.peaks)}',
                      f'{memory.samples}', f'{peak:,} kB'])
    report.line('### Largest RssAnon of a worker, sampled during the run')
    report.line()
    report.table(['rows', 'workers seen', 'samples', 'largest'], lines)


PARTS = {'large': run_large, 'django': run_django, 'latency': run_latency,
         'memory': run_memory}


def main():
    arguments = parse_arguments()
    report = Report(arguments.csv_fd)
    options = [option for option in sys.argv[1:]
               if not option.startswith('--csv-fd')]
    command = shlex.join(['test/bench/run.sh', *options])
    report.line('## bulkpar benchmark')
    report.line()
    for line in machine.describe():
        report.line(f'- {line}')
    report.line(f'- {arguments.rounds} rounds after one to warm up; every way'
                ' starts from a fresh copy of the table, held in'
                ' shared_buffers')
    report.line(f'- command: `{command}`')
    report.line()
    for part in arguments.parts:
        PARTS[part](report, arguments)


if __name__ == '__main__':
    main()
