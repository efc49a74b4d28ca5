"""The ways to change all rows of a table inside the server, or from psql.

Each takes a Change and returns the seconds from its first statement to its
last commit. psql has yet to start then, the others have a connection already.

Commits in between do not wait for the disk, but the last one does, as in
bulkpar.
"""
import concurrent.futures
import multiprocessing
import os
import subprocess
import tempfile
import time

import database

BATCH_SIZE = 1000
LOOPS = multiprocessing.cpu_count()

STEP_BY_RANGE = """
    CREATE PROCEDURE update_all() LANGUAGE plpgsql AS $$
    DECLARE
        low bigint := 0;
        last bigint := (SELECT max({key}) FROM {table});
    BEGIN
        WHILE low < last LOOP
            IF low + {size} >= last THEN
                SET LOCAL synchronous_commit = on;
            END IF;
            UPDATE {table} SET {column} = {expression}
            WHERE {key} > low AND {key} <= low + {size};
            COMMIT;
            low := low + {size};
        END LOOP;
    END $$
"""

STEP_BY_KEY = """
    CREATE PROCEDURE update_all() LANGUAGE plpgsql AS $$
    DECLARE
        first {table}.{key}%TYPE;
        next {table}.{key}%TYPE;
    BEGIN
        SELECT {key} INTO first FROM {table} ORDER BY {key} LIMIT 1;
        WHILE first IS NOT NULL LOOP
            SELECT {key} INTO next FROM {table} WHERE {key} >= first
            ORDER BY {key} OFFSET {size} LIMIT 1;
            IF next IS NULL THEN
                SET LOCAL synchronous_commit = on;
                UPDATE {table} SET {column} = {expression}
                WHERE {key} >= first;
            ELSE
                UPDATE {table} SET {column} = {expression}
                WHERE {key} >= first AND {key} < next;
            END IF;
            COMMIT;
            first := next;
        END LOOP;
    END $$
"""


def time_statement(connection, sql, parameters=None):
    start = time.perf_counter()
    rows = database.execute(connection, sql, parameters)
    return time.perf_counter() - start, rows


def one_update(change):
    connection = database.connect()
    elapsed, _ = time_statement(
        connection, f'UPDATE {change.table}'
                    f' SET {change.column} = {change.expression}'
                    f' WHERE {change.condition or "true"}')
    connection.close()
    return elapsed


def divided_update(change):
    """One UPDATE per core, each for its share of the table's pages, at once.

    What the cores can give at best: nothing is shared, nothing is found out.
    """
    pages = change.pages()
    bounds = [pages * i // LOOPS for i in range(LOOPS + 1)]
    connections = [database.connect() for _ in range(LOOPS)]
    statements = [f"UPDATE {change.table}"
                  f" SET {change.column} = {change.expression}"
                  f" WHERE {change.condition or 'true'}"
                  f" AND ctid >= '({low},0)' AND ctid < '({high},0)'"
                  for low, high in zip(bounds, bounds[1:])]
    elapsed = run_at_once(connections, statements)
    for connection in connections:
        connection.close()
    return elapsed


def run_at_once(connections, statements):
    """Run a statement in each connection; return the seconds."""
    start = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(LOOPS) as pool:
        list(pool.map(database.execute, connections, statements))
    return time.perf_counter() - start


def call_procedure(change, source):
    connection = database.connect()
    database.execute(connection, source.format(
        table=change.table, key=change.key, column=change.column,
        expression=change.expression, size=BATCH_SIZE))
    database.execute(connection, 'SET synchronous_commit = off')
    elapsed, _ = time_statement(connection, 'CALL update_all()')
    connection.close()
    return elapsed


def procedure_by_range(change):
    """A procedure that takes the next 1000 possible keys at a time."""
    return call_procedure(change, STEP_BY_RANGE)


def procedure_by_key(change):
    """A procedure that looks for the next 1000 keys at a time."""
    return call_procedure(change, STEP_BY_KEY)


def loop_script(change, bounds):
    """A hand-written loop: one statement and one commit per range of keys."""
    lines = ['SET synchronous_commit = off;']
    for low, high in zip(bounds, bounds[1:]):
        if high == bounds[-1]:
            lines.append('SET synchronous_commit = on;')
        lines.append(f'UPDATE {change.table}'
                     f' SET {change.column} = {change.expression}'
                     f' WHERE {change.key} > {low} AND {change.key} <= {high};')
    return '\n'.join(lines) + '\n'


def psql_loops(change):
    """Cut the keys into even ranges and run one psql per share, all at once.

    Without gaps in the keys a range has BATCH_SIZE rows.
    """
    last = database.run(f'SELECT max({change.key}) FROM {change.table}')[0][0]
    ranges = -(-change.rows // BATCH_SIZE)
    bounds = [last * i // ranges for i in range(ranges + 1)]
    shares = [ranges * i // LOOPS for i in range(LOOPS + 1)]
    with tempfile.TemporaryDirectory() as directory:
        commands = []
        for number in range(LOOPS):
            path = os.path.join(directory, f'{number}.sql')
            with open(path, 'w', encoding='utf-8') as script:
                script.write(loop_script(
                    change, bounds[shares[number]:shares[number + 1] + 1]))
            commands.append(['psql', '-Xq', '-v', 'ON_ERROR_STOP=1',
                             '-d', database.DATABASE, '-f', path])
        start = time.perf_counter()
        processes = [subprocess.Popen(command) for command in commands]
        statuses = [process.wait() for process in processes]
        elapsed = time.perf_counter() - start
    if any(statuses):
        raise SystemExit(f'psql loops ended with {statuses}')
    return elapsed


def call_bulkpar(connection, change, **options):
    """Update by bulkpar in that session; return the seconds."""
    arguments = {'target': change.table, 'column_name': change.column,
                 'expression': change.expression, 'batch_size': BATCH_SIZE,
                 'condition': change.condition, **options}
    named = ', '.join(f'{name} => %({name})s' for name in arguments)
    elapsed, rows = time_statement(
        connection, f'SELECT status, rows_changed FROM bulkpar_update({named})',
        arguments)
    if rows != [('succeeded', change.changed)]:
        raise SystemExit(f'bulkpar_update ended with {rows}')
    return elapsed


def bulkpar(change, **options):
    connection = database.connect()
    elapsed = call_bulkpar(connection, change, **options)
    connection.close()
    return elapsed
