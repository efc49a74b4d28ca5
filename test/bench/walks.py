"""The parts of the benchmark that bring rows into another table."""
import os
import subprocess
import tempfile
import time

import database
import ways
from change import Change
from compare import memory, take_turns

REFERENCE = 'one statement'


class Walk(Change):
    """All rows of a table with two more indexes go into another table."""
    table = 'events'
    key = 'id'
    pattern = None
    create_other = None
    left = 0

    def __init__(self, rows):
        super().__init__(rows, self.name, 'all')

    def __str__(self):
        return f'{self.rows:,} rows, {self.column}'

    @property
    def template(self):
        return f'{self.table}_{self.column}_{self.rows}'

    @property
    def statement(self):
        return self.pattern.format(events='events', where='')

    def half(self, condition):
        """The statement for some of the rows."""
        return self.pattern.format(
            events=f'(SELECT * FROM events WHERE {condition})',
            where=f'WHERE {condition}')

    def fill(self, connection):
        database.execute(connection, """
            CREATE TABLE events (id bigint NOT NULL, at timestamptz NOT NULL,
                                 kind int NOT NULL, body text NOT NULL)""")
        database.execute(connection, """
            INSERT INTO events
            SELECT i, '2024-01-01'::timestamptz + i * interval '1 s',
                   abs(hashint4(i) %% 1000), repeat('x', 100)
            FROM generate_series(1, %s) AS i""", (self.rows,))
        database.execute(connection, """
            ALTER TABLE events ADD PRIMARY KEY (id);
            CREATE INDEX ON events (at);
            CREATE INDEX ON events (kind)""")
        database.execute(connection, self.create_other)

    def check(self):
        """Fail unless each row is where it should be, once."""
        found = database.run("""
            SELECT (SELECT count(*) FROM events), count(*), count(DISTINCT id)
            FROM other""")[0]
        if found != (self.left, self.rows, self.rows):
            raise SystemExit(f'wrong result of {self}: {found}')

    def hot_share(self):
        return 0


class Move(Walk):
    """Into an archive with a primary key."""
    name = 'move'
    create_other = 'CREATE TABLE other (LIKE events, PRIMARY KEY (id))'
    pattern = ('WITH moved AS (DELETE FROM events {where} RETURNING *)'
               ' INSERT INTO other SELECT * FROM moved')
    step = """
        WITH moved AS (DELETE FROM events e
                       USING (SELECT id FROM events ORDER BY id LIMIT {size}) s
                       WHERE e.id = s.id RETURNING e.*)
        INSERT INTO other SELECT * FROM moved"""


class Copy(Walk):
    """Into a table with a primary key and one index."""
    name = 'copy'
    create_other = """
        CREATE TABLE other (LIKE events, PRIMARY KEY (id));
        CREATE INDEX ON other (kind)"""
    pattern = 'INSERT INTO other SELECT * FROM events {where}'

    def __init__(self, rows):
        super().__init__(rows)
        self.left = rows


class Merge(Walk):
    """Into a table that has every other one of them."""
    name = 'merge'
    create_other = """
        CREATE TABLE other (LIKE events, PRIMARY KEY (id));
        INSERT INTO other SELECT id, at, 0, '' FROM events WHERE id % 2 = 0"""
    pattern = ('MERGE INTO other o USING {events} e ON o.id = e.id'
               ' WHEN MATCHED THEN UPDATE SET kind = e.kind, body = e.body'
               ' WHEN NOT MATCHED THEN'
               ' INSERT VALUES (e.id, e.at, e.kind, e.body)')

    def __init__(self, rows):
        super().__init__(rows)
        self.left = rows


def one_statement(change):
    connection = database.connect()
    elapsed, _ = ways.time_statement(connection, change.statement)
    connection.close()
    return elapsed


def halves(change):
    """A session for each half of the keys, at once.

    What two cores can give at best, where the keys have no gaps.
    """
    connections = [database.connect() for _ in range(2)]
    middle = change.rows // 2
    elapsed = ways.run_at_once(connections,
                               [change.half(f'id <= {middle}'),
                                change.half(f'id > {middle}')])
    for connection in connections:
        connection.close()
    return elapsed


def psql_loop(change):
    """What people write: a thousand rows, again and again."""
    steps = -(-change.rows // ways.BATCH_SIZE)
    step = change.step.format(size=ways.BATCH_SIZE)
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, 'loop.sql')
        with open(path, 'w', encoding='utf-8') as script:
            script.write('SET synchronous_commit = off;\n')
            script.write(f'{step};\n' * (steps - 1))
            script.write(f'SET synchronous_commit = on;\n{step};\n')
        start = time.perf_counter()
        subprocess.run(['psql', '-Xq', '-v', 'ON_ERROR_STOP=1',
                        '-d', database.DATABASE, '-f', path], check=True)
        return time.perf_counter() - start


def bulkpar(workers):
    def call(change):
        connection = database.connect()
        elapsed, rows = ways.time_statement(connection, """
            SELECT status, rows_changed
            FROM bulkpar_execute(%s, batch_size => %s, workers => %s)""",
            (change.statement, ways.BATCH_SIZE, workers))
        connection.close()
        if rows != [('succeeded', change.rows)]:
            raise SystemExit(f'bulkpar_execute ended with {rows}')
        return elapsed
    return call


BOTH = {REFERENCE: one_statement, 'two, of half the keys each': halves}
BULKPAR = {'bulkpar, 1 worker': bulkpar(1), 'bulkpar, 2 workers': bulkpar(2)}


def run_walk(bench, part, change, compared, rounds):
    change.create()
    results = take_turns(bench, part, change, compared, rounds, warm_up=True)
    change.drop()
    bench.report.title(f'{part.capitalize()} of {change.rows:,} rows'
                       f' ({rounds} rounds)')
    bench.report.table(
        ['way', 'median', 'fastest', 'slowest', f'time / {REFERENCE}', 'CPU',
         f'CPU / {REFERENCE}', 'WAL', 'memory'],
        [[way, *results.times(way), results.ratio(way, 'seconds', REFERENCE),
          f'{results.median(way, "cpu"):.2f} s',
          results.ratio(way, 'cpu', REFERENCE),
          f'{results.median(way, "wal"):.0f} MB', memory(results, way)]
         for way in compared])


def run_move(bench, rows, rounds):
    """Move all rows into an archive."""
    run_walk(bench, 'move', Move(rows),
             {**BOTH, 'psql loop': psql_loop, **BULKPAR},
             rounds)


def run_copy(bench, rows, rounds):
    """Copy all rows into a new table."""
    run_walk(bench, 'copy', Copy(rows),
             {**BOTH, **BULKPAR}, rounds)


def run_merge(bench, rows, rounds):
    """Merge all rows into a table that has half of them."""
    run_walk(bench, 'merge', Merge(rows),
             {**BOTH, **BULKPAR}, rounds)
