"""The part of the benchmark with the same table in many schemas."""
import database
import ways
from compare import take_turns
from tables import Counters

REFERENCE = 'a call for each table'
SUBJECT = 'one call for all tables'
TENANTS = 200

TABLES = [f'tenant_{number}.item' for number in range(1, TENANTS + 1)]
ARRAY = """(SELECT array_agg(c.oid::regclass ORDER BY n.nspname)
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relname = 'item' AND n.nspname LIKE 'tenant\\_%%')"""


class Tenants(Counters):
    """All rows of all tables are changed; the view has all of them."""
    table = 'items'
    key = 'id'

    def __str__(self):
        return (f'{self.rows:,} rows in {TENANTS} schemas,'
                f' `SET {self.column} = {self.expression}`')

    def fill(self, connection):
        for table in TABLES:
            database.execute(connection, f"""
                CREATE SCHEMA {table.split('.', maxsplit=1)[0]};
                CREATE TABLE {table} (id bigint PRIMARY KEY,
                                      counter int NOT NULL,
                                      name text NOT NULL);
                INSERT INTO {table} SELECT i, 0, 'name ' || i
                FROM generate_series(1, {self.rows // TENANTS}) AS i""")
        database.execute(connection, 'CREATE VIEW items AS ' + ' UNION ALL '
                         .join(f'SELECT * FROM {table}' for table in TABLES))

    def start_afresh(self):
        """Replace the database by a fresh copy, with the tables in memory."""
        super().start_afresh()
        database.run("""
            SELECT pg_prewarm(oid) FROM pg_class
            WHERE relnamespace::regnamespace::text LIKE 'tenant\\_%'
                AND relkind IN ('r', 'i')""")
        database.run('CHECKPOINT')

    def sizes(self):
        row = database.run("""
            SELECT sum(pg_table_size(oid)), sum(pg_indexes_size(oid)),
                   (pg_current_wal_insert_lsn() - '0/0')::bigint
            FROM pg_class WHERE relname = 'item'""")[0]
        return {name: float(size) / 1e6
                for name, size in zip(('table', 'indexes', 'wal'), row)}

    def hot_share(self):
        return 0


def run_each(change, statement):
    """Run a statement for each table in one session; return the seconds."""
    connection = database.connect()
    elapsed = sum(ways.time_statement(connection, statement.format(
        table=table, column=change.column,
        expression=change.expression))[0] for table in TABLES)
    connection.close()
    return elapsed


def update_each(change):
    return run_each(change, 'UPDATE {table} SET {column} = {expression}')


def bulkpar_each(change):
    return run_each(change, "SELECT status FROM bulkpar_update('{table}',"
                            " '{column}', '{expression}')")


def bulkpar_all(change):
    connection = database.connect()
    elapsed, rows = ways.time_statement(connection, f"""
        SELECT status, rows_changed
        FROM bulkpar_update({ARRAY}, %s, %s, batch_size => %s)""",
        (change.column, change.expression, ways.BATCH_SIZE))
    connection.close()
    if rows != [('succeeded', change.rows)]:
        raise SystemExit(f'bulkpar_update ended with {rows}')
    return elapsed


WAYS = {'an UPDATE for each table': update_each, REFERENCE: bulkpar_each,
        SUBJECT: bulkpar_all}


def run_tenants(bench, rows, rounds):
    change = Tenants(rows)
    change.create()
    results = take_turns(bench, 'tenants', change, WAYS, rounds, warm_up=True)
    change.drop()
    bench.report.title(f'{change} ({rounds} rounds)')
    bench.report.table(
        ['way', 'median', 'fastest', 'slowest', f'time / {SUBJECT}', 'CPU',
         'WAL'],
        [[way, *results.times(way), results.ratio(way, 'seconds', SUBJECT),
          f'{results.median(way, "cpu"):.2f} s',
          f'{results.median(way, "wal"):.0f} MB'] for way in WAYS])
