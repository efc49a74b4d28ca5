"""The ways to put a column of auth_user into upper case.

Each returns the seconds from its first statement to its last commit. Django's
objects are in memory before the clock starts. Changing them in Python is part
of it, as is the start of the pool's processes and of psql. The other ways have
a connection already.
"""
import multiprocessing
import os
import subprocess
import tempfile
import time

from django.contrib.auth.models import User
from django.db import connections

import users

BATCH_SIZE = 1000
POOL_SIZE = 2 * multiprocessing.cpu_count() - 1


def uppercase(people, column):
    for person in people:
        setattr(person, column, getattr(person, column).upper())


def django_bulk_update(column='username'):
    people = list(User.objects.order_by('id'))
    start = time.perf_counter()
    uppercase(people, column)
    User.objects.bulk_update(people, [column], batch_size=BATCH_SIZE)
    return time.perf_counter() - start


def save(people, column):
    User.objects.bulk_update(people, [column], batch_size=BATCH_SIZE)


def django_pool(column='username'):
    people = list(User.objects.order_by('id'))
    # A forked process must not use its parent's connection.
    connections.close_all()
    start = time.perf_counter()
    uppercase(people, column)
    slices = [(people[i:i + BATCH_SIZE], column)
              for i in range(0, len(people), BATCH_SIZE)]
    with multiprocessing.get_context('fork').Pool(POOL_SIZE) as pool:
        pool.starmap(save, slices, chunksize=10)
        return time.perf_counter() - start


def one_update(column='username'):
    connection = users.connect()
    start = time.perf_counter()
    users.execute(connection,
                  f'UPDATE auth_user SET {column} = upper({column})')
    elapsed = time.perf_counter() - start
    connection.close()
    return elapsed


def loop_script(column, first, last):
    """A hand-written loop: one statement and one commit per batch of keys.

    Commits do not wait for the disk, but the last one does, as in bulkpar.
    """
    lines = ['SET synchronous_commit = off;']
    for low in range(first, last, BATCH_SIZE):
        high = min(low + BATCH_SIZE, last)
        if high == last:
            lines.append('SET synchronous_commit = on;')
        lines.append(f'UPDATE auth_user SET {column} = upper({column})'
                     f' WHERE id > {low} AND id <= {high};')
    return '\n'.join(lines) + '\n'


def psql_loops(column='username', loops=2):
    """Run one psql per share of the keys, all at once."""
    connection = users.connect()
    rows = users.execute(connection, 'SELECT max(id) FROM auth_user')[0][0]
    connection.close()
    bounds = [rows * i // loops for i in range(loops + 1)]
    with tempfile.TemporaryDirectory() as directory:
        commands = []
        for number in range(loops):
            path = os.path.join(directory, f'{number}.sql')
            with open(path, 'w', encoding='utf-8') as script:
                script.write(loop_script(column, *bounds[number:number + 2]))
            commands.append(['psql', '-Xq', '-v', 'ON_ERROR_STOP=1',
                             '-d', users.DATABASE, '-f', path])
        start = time.perf_counter()
        processes = [subprocess.Popen(command) for command in commands]
        statuses = [process.wait() for process in processes]
        elapsed = time.perf_counter() - start
    if any(statuses):
        raise SystemExit(f'psql loops ended with {statuses}')
    return elapsed


def call_bulkpar(connection, column='username', workers=None):
    """Update by bulkpar; return the seconds and its result row."""
    start = time.perf_counter()
    row = users.execute(
        connection,
        "SELECT status, rows_updated, batches, workers FROM bulkpar_update("
        "'auth_user', %s, %s, %s, %s)",
        (column, f'upper({column})', BATCH_SIZE, workers))[0]
    elapsed = time.perf_counter() - start
    if row[0] != 'succeeded':
        raise SystemExit(f'bulkpar_update ended with {row}')
    return elapsed, row


def bulkpar(column='username', workers=None):
    connection = users.connect()
    elapsed, _ = call_bulkpar(connection, column, workers)
    connection.close()
    return elapsed
