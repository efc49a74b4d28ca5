"""Measure ways to make the same change side by side."""
import statistics

import server

REFERENCE = 'one UPDATE'
SUBJECT = 'bulkpar'


def measure(host, way, change):
    """Return what one run from a fresh table took, sizes in MB."""
    change.start_afresh()
    before = change.sizes()
    with server.Watch(host) as watch:
        seconds = way(change)
    after = change.sizes()
    result = {'seconds': seconds, 'cpu': watch.cpu,
              'table': after['table'], 'table_before': before['table'],
              'indexes': after['indexes'],
              'indexes_before': before['indexes'],
              'wal': after['wal'] - before['wal'], 'hot': change.hot_share()}
    if watch.memory:
        result['memory_kb'] = watch.memory
    change.check()
    return result


class Results:
    """The results of several ways and rounds."""

    def __init__(self, ways):
        self.results = {way: [] for way in ways}

    def add(self, way, result):
        self.results[way].append(result)

    def values(self, way, key):
        return [result[key] for result in self.results[way] if key in result]

    def median(self, way, key):
        """Return the median, or None of nothing."""
        values = self.values(way, key)
        return statistics.median(values) if values else None

    def times(self, way):
        """Return the median time, the fastest and the slowest as text."""
        seconds = self.values(way, 'seconds')
        return [f'{value:.3f} s' for value in
                (statistics.median(seconds), min(seconds), max(seconds))]

    def ratio(self, way, key, other, other_key=None):
        """Return the ratio of two medians as text."""
        divisor = self.median(other, other_key or key)
        return f'{self.median(way, key) / divisor:.2f}' if divisor else '-'


def take_turns(bench, part, change, ways, rounds, warm_up=False):
    """Run each way once a round, in the opposite order every second round.

    A round to warm up, number 0, is neither kept nor written.
    """
    results = Results(ways)
    for number in range(0 if warm_up else 1, rounds + 1):
        names = list(ways)
        for name in names if number % 2 else reversed(names):
            result = measure(bench.server, ways[name], change)
            bench.report.progress(
                f'{part}, {change.rows} rows, {change.column},'
                f' round {number}: {name} {result["seconds"]:.3f} s')
            if number > 0:
                results.add(name, result)
                bench.report.record(part, change, name, number, result)
    return results


def memory(results, way):
    """Return the largest memory of a process in any round as text."""
    sizes = results.values(way, 'memory_kb')
    return f'{max(sizes) / 1024:.1f} MB' if sizes else '-'


def compare(bench, part, change, ways, rounds, warm_up=False):
    """Measure the ways and show all there is to know about them."""
    results = take_turns(bench, part, change, ways, rounds, warm_up)
    needed = change.needed()
    bench.report.record(part, change, '', 0, {'needed': needed})
    bench.report.title(f'{change} ({rounds} rounds)')
    bench.report.table(
        ['way', 'median', 'fastest', 'slowest', f'time / {SUBJECT}', 'CPU',
         f'CPU / {REFERENCE}', 'table', 'table / need', 'indexes', 'WAL',
         'HOT', 'memory'],
        [[way,
          *results.times(way),
          results.ratio(way, 'seconds', SUBJECT),
          f'{results.median(way, "cpu"):.2f} s',
          results.ratio(way, 'cpu', REFERENCE),
          'x' + results.ratio(way, 'table', way, 'table_before'),
          f'{results.median(way, "table") / needed:.2f}',
          'x' + results.ratio(way, 'indexes', way, 'indexes_before'),
          f'{results.median(way, "wal"):.0f} MB',
          f'{results.median(way, "hot"):.0%}',
          memory(results, way)] for way in ways])
