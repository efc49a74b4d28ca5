"""Tables that are harder to cut into batches than Django's auth_user."""
import database
from change import Change

# Four chunks of a toast table, which fill a page.
TEXT_LENGTH = 4 * 1996


class Counters(Change):
    """Each row has a counter, which is 0 until the change adds 1."""

    def __init__(self, rows):
        super().__init__(rows, 'counter', 'counter + 1')

    def count_right(self):
        return 'count(*) FILTER (WHERE counter = 1)'


class FewRows(Counters):
    """One row in 1,024 is changed; no index finds them."""
    table = 'few_rows'
    key = 'id'
    condition = 'kind = 7'
    create_table = """
        CREATE TABLE few_rows (id bigint PRIMARY KEY, kind int NOT NULL,
                               counter int NOT NULL, name text NOT NULL)"""

    def count_right(self):
        return f'count(*) FILTER (WHERE counter = ({self.condition})::int)'

    def fill(self, connection):
        database.execute(connection, self.create_table.format(rows=self.rows))
        database.execute(connection, f"""
            INSERT INTO {self.table} (id, kind, counter, name)
            SELECT i, hashint4(i) & 1023, 0, 'name ' || i
            FROM generate_series(1, %s) AS i""", (self.rows,))
        self.changed = database.execute(
            connection, f'SELECT count(*) FROM {self.table}'
                        f' WHERE {self.condition}')[0][0]


class FewRowsByIndex(FewRows):
    """An index finds the rows that are changed."""
    table = 'few_rows_by_index'
    create_table = """
        CREATE TABLE few_rows_by_index (
            id bigint PRIMARY KEY, kind int NOT NULL, counter int NOT NULL,
            name text NOT NULL);
        CREATE INDEX ON few_rows_by_index (kind)"""


class FewRowsInPartitions(FewRows):
    """The table has eight partitions, and a key of two columns."""
    table = 'few_rows_in_partitions'
    create_table = """
        CREATE TABLE few_rows_in_partitions (
            id bigint, kind int NOT NULL, counter int NOT NULL,
            name text NOT NULL, PRIMARY KEY (id, kind))
            PARTITION BY RANGE (id);
        DO $$
        BEGIN
            FOR i IN 0..7 LOOP
                EXECUTE format('CREATE TABLE few_rows_%s PARTITION OF'
                    ' few_rows_in_partitions FOR VALUES FROM (%s) TO (%s)',
                    i, {rows} * i / 8 + 1, {rows} * (i + 1) / 8 + 1);
            END LOOP;
        END $$"""


class RandomKeys(Counters):
    """Neighbours by key, a random uuid, are nowhere near in the table."""
    table = 'random_keys'
    key = 'id'

    def fill(self, connection):
        database.execute(connection, """
            CREATE TABLE random_keys (id uuid NOT NULL, counter int NOT NULL,
                                      name text NOT NULL)""")
        database.execute(connection, """
            INSERT INTO random_keys
            SELECT gen_random_uuid(), 0, 'name ' || i
            FROM generate_series(1, %s) AS i""", (self.rows,))
        database.execute(connection,
                         'ALTER TABLE random_keys ADD PRIMARY KEY (id)')


class WideRows(Counters):
    """Each row has 8 kB of text out of line, which the change leaves alone."""
    table = 'wide_rows'
    key = 'id'

    def fill(self, connection):
        database.execute(connection, """
            CREATE TABLE wide_rows (id bigint PRIMARY KEY,
                                    counter int NOT NULL,
                                    document text NOT NULL)""")
        database.execute(connection, """
            INSERT INTO wide_rows
            SELECT i, 0, (SELECT left(string_agg(encode(
                              sha512(format('%%s %%s', i, piece)::bytea),
                              'base64'), ' '), %(length)s)
                          FROM generate_series(0, %(length)s / 88) AS piece)
            FROM generate_series(1, %(rows)s) AS i""",
                         {'rows': self.rows, 'length': TEXT_LENGTH})


class SkewedKeys(Counters):
    """Clusters of neighbouring keys, the gaps between them ever larger.

    The clusters begin at 2^15, 2^16, ... 2^62.
    """
    table = 'skewed_keys'
    key = 'id'

    def fill(self, connection):
        database.execute(connection, """
            CREATE TABLE skewed_keys (id bigint PRIMARY KEY,
                                      counter int NOT NULL,
                                      name text NOT NULL)""")
        database.execute(connection, """
            INSERT INTO skewed_keys
            SELECT (1::bigint << 15 + i / size) + i %% size, 0, 'name ' || i
            FROM (SELECT i, ceil(%(rows)s / 48.0)::int AS size
                  FROM generate_series(0, %(rows)s - 1) AS i) AS number""",
                         {'rows': self.rows})


class Orders(Counters):
    """A column in no index of a table that has two."""
    table = 'orders'
    key = 'id'

    def fill(self, connection):
        database.execute(connection, """
            CREATE TABLE orders (id bigint NOT NULL, customer int NOT NULL,
                                 at timestamptz NOT NULL,
                                 counter int NOT NULL, note text NOT NULL)""")
        database.execute(connection, """
            INSERT INTO orders
            SELECT i, abs(hashint8(i) %% 1000000),
                   '2024-01-01'::timestamptz + i * interval '1 s', 0,
                   repeat('x', 30)
            FROM generate_series(1, %s) AS i""", (self.rows,))
        database.execute(connection, """
            ALTER TABLE orders ADD PRIMARY KEY (id);
            CREATE INDEX ON orders (at)""")
