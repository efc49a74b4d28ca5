"""A change to measure: one column of one table, set in all rows or few."""
import database

# The table, and its partitions if it has some.
TABLES = """(SELECT %(table)s::regclass AS relid UNION
             SELECT relid FROM pg_partition_tree(%(table)s)) AS tables"""


class Change:
    """UPDATE table SET column = expression, again and again from the same data.

    A subclass says what the table is, fills it, and knows the right result.
    The filled database is kept as a template; each run works on a copy.
    """
    table = None
    key = None
    condition = None

    def __init__(self, rows, column, expression):
        self.rows = rows
        self.changed = rows
        self.column = column
        self.expression = expression

    def __str__(self):
        where = f' WHERE {self.condition}' if self.condition else ''
        return (f'{self.rows:,} rows of `{self.table}`,'
                f' `SET {self.column} = {self.expression}{where}`')

    @property
    def template(self):
        return f'{self.table}_{self.rows}'

    def fill(self, connection):
        """Create the table and its rows."""
        raise NotImplementedError

    def count_right(self):
        """Return an SQL expression: how many rows changed once, as wanted."""
        raise NotImplementedError

    def create(self):
        """Create the database that every way starts from a copy of."""
        database.run(f'CREATE DATABASE {database.DATABASE}',
                     database='postgres')
        connection = database.connect()
        self.fill(connection)
        database.execute(connection, 'CREATE EXTENSION bulkpar')
        database.execute(connection, 'CREATE EXTENSION pg_prewarm')
        database.execute(connection, 'VACUUM ANALYZE')
        connection.close()
        database.run(f'ALTER DATABASE {database.DATABASE}'
                     f' RENAME TO {self.template}', database='postgres')

    def start_afresh(self):
        """Replace the database by a fresh copy, with the table in memory."""
        server = database.connect('postgres')
        database.execute(server,
                         f'DROP DATABASE IF EXISTS {database.DATABASE}')
        database.execute(server, f'CREATE DATABASE {database.DATABASE}'
                                 f' TEMPLATE {self.template}')
        server.close()

        connection = database.connect()
        tables = {'table': self.table}
        database.execute(connection, f"""
            SELECT pg_prewarm(oid) FROM pg_class JOIN {TABLES} ON oid = relid
            WHERE relkind = 'r'""", tables)
        database.execute(connection, f"""
            SELECT pg_prewarm(oid)
            FROM pg_index JOIN {TABLES} ON indrelid = relid
            JOIN pg_class ON oid = indexrelid WHERE relkind = 'i'""", tables)
        database.execute(connection, 'CHECKPOINT')
        connection.close()

    def drop(self):
        """Drop what create and start_afresh have made."""
        server = database.connect('postgres')
        database.execute(server,
                         f'DROP DATABASE IF EXISTS {database.DATABASE}')
        database.execute(server, f'DROP DATABASE {self.template}')
        server.close()

    def check(self):
        """Fail unless every row is there and was changed exactly once."""
        found = database.run(f'SELECT count(*), {self.count_right()}'
                             f' FROM {self.table}')[0]
        if found != (self.rows, self.rows):
            raise SystemExit(f'wrong result in {self.table}: of {found[0]}'
                             f' rows {found[1]} are right, not {self.rows}')

    def sizes(self):
        """Return the MB of the table, of its indexes, and of WAL so far."""
        row = database.run(f"""
            SELECT sum(pg_table_size(relid)), sum(pg_indexes_size(relid)),
                   (pg_current_wal_insert_lsn() - '0/0')::bigint
            FROM {TABLES}""", {'table': self.table})[0]
        return {name: float(size) / 1e6
                for name, size in zip(('table', 'indexes', 'wal'), row)}

    def pages(self):
        """Return the pages of the table, or of its largest partition."""
        return database.run(f"""
            SELECT max(relpages) FROM pg_class JOIN {TABLES} ON oid = relid""",
                            {'table': self.table})[0][0]

    def hot_share(self):
        """Return which share of the updates needed no new index entries."""
        return database.run(f"""
            SELECT sum(n_tup_hot_upd)::float8 / sum(n_tup_upd)::float8
            FROM pg_stat_user_tables JOIN {TABLES} USING (relid)""",
                            {'table': self.table})[0][0]

    def needed(self):
        """Return the MB of the table written anew, without dead rows."""
        database.run(f'VACUUM FULL {self.table}')
        return self.sizes()['table']
