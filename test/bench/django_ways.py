"""The ways to change auth_user that Django offers.

The objects are in memory before the clock starts. Changing them in Python is
part of it, as is the start of the pool's processes.
"""
import io
import multiprocessing
import time

from django.contrib.auth import get_user_model
from django.db import connections
from django.db.models.functions import Upper

import database
from ways import BATCH_SIZE, call_bulkpar

POOL_SIZE = 2 * multiprocessing.cpu_count() - 1
# What COPY takes for characters that mean something to it.
ESCAPES = str.maketrans({'\\': r'\\', '\t': r'\t', '\n': r'\n', '\r': r'\r'})


def uppercase(people, column):
    for person in people:
        setattr(person, column, getattr(person, column).upper())


def save(people, column):
    get_user_model().objects.bulk_update(people, [column],
                                         batch_size=BATCH_SIZE)


def bulk_update(change):
    people = list(get_user_model().objects.order_by('id'))
    start = time.perf_counter()
    uppercase(people, change.column)
    save(people, change.column)
    elapsed = time.perf_counter() - start
    connections.close_all()
    return elapsed


def pool(change):
    people = list(get_user_model().objects.order_by('id'))
    # A forked process must not use its parent's connection.
    connections.close_all()
    start = time.perf_counter()
    uppercase(people, change.column)
    slices = [(people[i:i + BATCH_SIZE], change.column)
              for i in range(0, len(people), BATCH_SIZE)]
    with multiprocessing.get_context('fork').Pool(POOL_SIZE) as processes:
        processes.starmap(save, slices, chunksize=10)
        return time.perf_counter() - start


def copy(change):
    """COPY the ids and values to a table, from which bulkpar takes them."""
    people = list(get_user_model().objects.order_by('id'))
    connections['default'].ensure_connection()
    connection = connections['default'].connection
    start = time.perf_counter()
    uppercase(people, change.column)
    database.execute(connection, f"""
        CREATE UNLOGGED TABLE staging (id, value) AS
        SELECT {change.key}, {change.column} FROM {change.table}
        WITH NO DATA""")
    values = ''.join(
        f'{person.id}\t{getattr(person, change.column).translate(ESCAPES)}\n'
        for person in people)
    with connection.cursor() as cursor:
        cursor.copy_expert('COPY staging FROM STDIN', io.StringIO(values))
    database.execute(connection, 'ALTER TABLE staging ADD PRIMARY KEY (id)')
    database.execute(connection, 'ANALYZE staging')
    call_bulkpar(connection, change, expression='s.value',
                 from_item='staging s',
                 condition=f's.id = {change.table}.{change.key}')
    database.execute(connection, 'DROP TABLE staging')
    elapsed = time.perf_counter() - start
    connections.close_all()
    return elapsed


def update(change):
    """One UPDATE statement, made by Django of an expression."""
    connections['default'].ensure_connection()
    start = time.perf_counter()
    get_user_model().objects.update(
        **{change.column: Upper(change.column)})
    elapsed = time.perf_counter() - start
    connections.close_all()
    return elapsed
