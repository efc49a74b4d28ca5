"""The part of the benchmark that deletes rows."""
import database
import ways
from change import Change
from compare import memory, take_turns

REFERENCE = 'one DELETE'

KEYS = {'bigint': 'i', 'uuid': 'md5(i::text)::uuid'}

# Which share of the rows goes, and how they are found: by a range of the time
# when they were inserted, or by a value that is anywhere in the table.
CONDITIONS = {
    'all': None,
    'a third': "at < '2024-01-01'::timestamptz + {rows} / 3 * interval '1 s'",
    'one in 10': 'tenth = 7',
    'one in 1000': 'thousandth = 7',
}


class Deletion(Change):
    """A share of the rows is deleted, with or without an index on it."""
    table = 'deletions'
    key = 'id'

    def __init__(self, rows, key_type, index, share):
        super().__init__(rows, key_type, share)
        self.index = index
        condition = CONDITIONS[share]
        self.condition = condition and condition.format(rows=rows)

    def __str__(self):
        index = 'an' if self.index else 'no'
        return (f'{self.rows:,} rows with a {self.column} key and {index}'
                f' index for the condition, DELETE of {self.expression}')

    @property
    def template(self):
        return f'{self.table}_{self.column}_{self.rows}_{int(self.index)}'

    def fill(self, connection):
        database.execute(connection, f"""
            CREATE TABLE deletions (
                id {self.column} NOT NULL, at timestamptz NOT NULL,
                tenth int NOT NULL, thousandth int NOT NULL,
                name text NOT NULL)""")
        database.execute(connection, f"""
            INSERT INTO deletions
            SELECT {KEYS[self.column]},
                   '2024-01-01'::timestamptz + i * interval '1 s',
                   abs(hashint4(i) %% 10), abs(hashint4(-i) %% 1000),
                   repeat('x', 100)
            FROM generate_series(1, %s) AS i""", (self.rows,))
        database.execute(connection,
                         'ALTER TABLE deletions ADD PRIMARY KEY (id)')
        if self.index:
            for column in ('at', 'tenth', 'thousandth'):
                database.execute(connection,
                                 f'CREATE INDEX ON deletions ({column})')

    def start_afresh(self):
        super().start_afresh()
        where = f'WHERE {self.condition}' if self.condition else ''
        self.changed = database.run(
            f'SELECT count(*) FROM {self.table} {where}')[0][0]

    def check(self):
        """Fail unless all rows of the condition are gone, and no others."""
        left = database.run(f"""
            SELECT count(*), count(*) FILTER (WHERE {self.condition or 'true'})
            FROM {self.table}""")[0]
        if left != (self.rows - self.changed, 0):
            raise SystemExit(f'wrong result of {self}: {left[0]} rows are'
                             f' left, and {left[1]} should not be')

    def hot_share(self):
        return 0


def one_delete(change):
    connection = database.connect()
    elapsed, _ = ways.time_statement(
        connection, f'DELETE FROM {change.table}'
                    f' WHERE {change.condition or "true"}')
    connection.close()
    return elapsed


def divided_delete(change):
    """One DELETE per core, each for its share of the table's pages, at once."""
    pages = change.pages()
    bounds = [pages * i // ways.LOOPS for i in range(ways.LOOPS + 1)]
    connections = [database.connect() for _ in range(ways.LOOPS)]
    statements = [f"DELETE FROM {change.table}"
                  f" WHERE {change.condition or 'true'}"
                  f" AND ctid >= '({low},0)' AND ctid < '({high},0)'"
                  for low, high in zip(bounds, bounds[1:])]
    elapsed = ways.run_at_once(connections, statements)
    for connection in connections:
        connection.close()
    return elapsed


def bulkpar(change):
    connection = database.connect()
    elapsed, rows = ways.time_statement(connection, """
        SELECT status, rows_changed
        FROM bulkpar_delete(%s, %s, batch_size => %s)""",
        (change.table, change.condition, ways.BATCH_SIZE))
    connection.close()
    if rows != [('succeeded', change.changed)]:
        raise SystemExit(f'bulkpar_delete ended with {rows}')
    return elapsed


WAYS = {REFERENCE: one_delete, f'DELETE divided by {ways.LOOPS}': divided_delete,
        'bulkpar': bulkpar}


def run_delete(bench, rows, rounds):
    """Delete each share of each table, and show all in one table."""
    lines = []
    for key_type in KEYS:
        for index in (False, True):
            shares = [share for share in CONDITIONS
                      if CONDITIONS[share] or not index]
            changes = [Deletion(rows, key_type, index, share)
                       for share in shares]
            changes[0].create()
            for number, change in enumerate(changes):
                results = take_turns(bench, 'delete', change, WAYS, rounds,
                                     warm_up=number == 0)
                lines += show(change, results)
            changes[0].drop()
    bench.report.title(f'DELETE of {rows:,} rows or some of them'
                       f' ({rounds} rounds)')
    bench.report.table(
        ['key', 'index', 'rows', 'way', 'median', 'fastest', 'slowest',
         f'time / {REFERENCE}', 'CPU', f'CPU / {REFERENCE}', 'WAL', 'memory'],
        lines)


def show(change, results):
    """Return a line of the table for each way."""
    return [[change.column, 'yes' if change.index else 'no', change.expression,
             way,
             *results.times(way),
             results.ratio(way, 'seconds', REFERENCE),
             f'{results.median(way, "cpu"):.2f} s',
             results.ratio(way, 'cpu', REFERENCE),
             f'{results.median(way, "wal"):.0f} MB',
             memory(results, way)] for way in WAYS]
