"""The parts of the benchmark that set the ways side by side."""
import functools
import os
import statistics

import database
import django_ways
import tables
import users
import ways
from compare import compare

ONE_UPDATE = {'one UPDATE': ways.one_update}
DIVIDED = {f'UPDATE divided by {ways.LOOPS}': ways.divided_update}
PSQL = {f'{ways.LOOPS} psql loops': ways.psql_loops}
BY_RANGE = {'PL/pgSQL procedure': ways.procedure_by_range}
BY_KEY = {'PL/pgSQL procedure': ways.procedure_by_key}
DJANGO_BULK = {
    'Django bulk_update()': django_ways.bulk_update,
    f'Django bulk_update(), pool of {django_ways.POOL_SIZE}': django_ways.pool,
}
DJANGO_COPY = {'Django, COPY and bulkpar': django_ways.copy}
DJANGO_UPDATE = {'Django update()': django_ways.update}
BULKPAR = {'bulkpar': ways.bulkpar}


def bulkpar_with(name, value):
    """Return bulkpar with that argument as a way."""
    return {f'bulkpar, {name} => {value}':
            functools.partial(ways.bulkpar, **{name: value})}


ONE_WORKER = bulkpar_with('workers', 1)
# What bulkpar does not choose by itself for that column.
OTHER_STRIPES = {'username': bulkpar_with('stripes', 8),
                 'first_name': bulkpar_with('stripes', 1)}


def compare_columns(bench, part, rows, rounds, django):
    """Compare the ways for a column with indexes and one without."""
    users.Users(rows).create()
    for number, column in enumerate(bench.columns):
        compare(bench, part, users.Users(rows, column),
                {**django, **ONE_UPDATE, **BY_RANGE, **PSQL, **BULKPAR,
                 **ONE_WORKER, **OTHER_STRIPES[column]},
                rounds, warm_up=number == 0)
    users.Users(rows).drop()


def run_django(bench, rows, rounds):
    compare_columns(bench, 'django', rows, rounds,
                    {**DJANGO_BULK, **DJANGO_COPY, **DJANGO_UPDATE})


def run_large(bench, rows, rounds):
    django = {**DJANGO_COPY, **DJANGO_UPDATE}
    if bench.slow_ways:
        django = {**DJANGO_BULK, **django}
    compare_columns(bench, 'large', rows, rounds, django)


def compare_table(bench, part, change, competitors, rounds):
    change.create()
    compare(bench, part, change, competitors, rounds, warm_up=True)
    change.drop()


def run_uuid(bench, rows, rounds):
    compare_table(bench, 'uuid', tables.RandomKeys(rows),
                  {**ONE_UPDATE, **BY_KEY, **BULKPAR}, rounds)


def run_toast(bench, rows, rounds):
    compare_table(bench, 'toast', tables.WideRows(rows),
                  {**ONE_UPDATE, **BY_RANGE, **PSQL, **BULKPAR}, rounds)


def run_skewed(bench, rows, rounds):
    compare_table(bench, 'skewed', tables.SkewedKeys(rows),
                  {**ONE_UPDATE, **BY_KEY, **PSQL, **BULKPAR}, rounds)


def run_huge(bench, rows, rounds):
    """Once each: a copy of the table takes as long as some of the ways."""
    change = tables.Orders(rows)
    change.create()
    compare(bench, 'huge', change, {**ONE_UPDATE, **PSQL, **BULKPAR}, rounds)
    change.drop()


def run_few(bench, rows, rounds):
    for table in (tables.FewRows, tables.FewRowsByIndex,
                  tables.FewRowsInPartitions):
        compare_table(bench, 'few', table(rows),
                      {**ONE_UPDATE, **DIVIDED, **BULKPAR}, rounds)


def run_workers(bench, rows, rounds):
    competitors = {**ONE_UPDATE, **BULKPAR}
    for number in range(1, max(4, os.cpu_count()) + 1):
        competitors.update(bulkpar_with('workers', number))
    compare_table(bench, 'workers', users.Users(rows), competitors, rounds)


def run_latency(bench, rows, rounds):
    """Many calls in one session, after one that does not count."""
    change = users.Users(rows)
    change.create()
    change.start_afresh()
    connection = database.connect()
    ways.call_bulkpar(connection, change)
    times = []
    for number in range(1, rounds + 1):
        times.append(ways.call_bulkpar(connection, change))
        bench.report.record('latency', change, 'bulkpar', number,
                            {'seconds': times[-1]})
    connection.close()
    change.drop()
    bench.report.title(f'{rounds} calls in one session, {change}')
    bench.report.table(['way', 'median', 'fastest', 'slowest'],
                       [['bulkpar', f'{statistics.median(times) * 1e3:.1f} ms',
                         f'{min(times) * 1e3:.1f} ms',
                         f'{max(times) * 1e3:.1f} ms']])
