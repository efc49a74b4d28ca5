"""Turn the benchmark's CSV into a table of medians for each plot.

    data.py CSV DIRECTORY

A plot whose part has not run gets no table.
"""
import csv
import os
import statistics
import sys

COLUMNS = ('username', 'first_name')
SITUATIONS = ('nothing', 'one UPDATE', 'bulkpar')
MISSING = '?'


def read_medians(path):
    """Return the medians by (part, rows, column, way, measure), in order."""
    values = {}
    with open(path, newline='', encoding='utf-8') as file:
        for row in csv.DictReader(file):
            key = (row['part'], int(row['rows']), row['column'], row['way'],
                   row['measure'])
            values.setdefault(key, []).append(float(row['value']))
    return {key: statistics.median(found) for key, found in values.items()}


def select(medians, part, place):
    """Return what a part has of one field of the keys, in order."""
    return list(dict.fromkeys(key[place] for key in medians
                              if key[0] == part and key[3]))


def ways(medians):
    """way, seconds per column."""
    for rows in select(medians, 'large', 1):
        for way in select(medians, 'large', 3):
            yield way, *(medians.get(('large', rows, column, way, 'seconds'),
                                     MISSING) for column in COLUMNS)


def space(medians):
    """way, MB of table, indexes and WAL; a block for each column, or nothing.
    """
    if not set(COLUMNS) <= set(select(medians, 'large', 2)):
        return
    for column in COLUMNS:
        for rows in select(medians, 'large', 1):
            for way in select(medians, 'large', 3):
                key = ('large', rows, column, way)
                if (*key, 'table') in medians:
                    yield way, *(medians[(*key, measure)]
                                 for measure in ('table', 'indexes', 'wal'))
        yield from ([], [])


def writers(medians):
    """situation, p99 of reads, p99 of writes, longest write."""
    for rows in select(medians, 'writers', 1):
        for situation in SITUATIONS:
            yield situation, *(
                medians.get(('writers', rows, 'first_name', situation,
                             measure), MISSING)
                for measure in ('reads_p99_ms', 'writes_p99_ms',
                                'writes_longest_ms'))


def growth(medians):
    """rows, microseconds per row of three ways."""
    for rows in sorted(select(medians, 'growth', 1)):
        line = [rows]
        for column, way in (('first_name', 'one UPDATE'),
                            ('first_name', 'bulkpar'),
                            ('username', 'bulkpar')):
            seconds = medians.get(('growth', rows, column, way, 'seconds'))
            line.append(MISSING if seconds is None else seconds / rows * 1e6)
        yield line


def gentle(medians):
    """seconds, lag of each way."""
    lags = {(float(key[4].removeprefix('lag_at_')), key[3]): lag
            for key, lag in medians.items()
            if key[0] == 'gentle' and key[4].startswith('lag_at_')}
    names = select(medians, 'gentle', 3)
    if lags:
        yield 'seconds', *names
    for when in sorted({when for when, _ in lags}):
        yield when, *(lags.get((when, name), MISSING) for name in names)


def main():
    medians = read_medians(sys.argv[1])
    for plot in (ways, space, writers, growth, gentle):
        path = os.path.join(sys.argv[2], f'{plot.__name__}.dat')
        with open(path, 'w', newline='', encoding='utf-8') as file:
            csv.writer(file, delimiter='\t', lineterminator='\n').writerows(
                plot(medians))


if __name__ == '__main__':
    main()
