"""Statements that are harder to divide than their rows are to change.

Each is run as one statement and as a job, on the same tables, and must leave
the same rows behind.
"""
import statistics

import database
import ways
from change import Change

PLAIN = 'one statement'
BULKPAR = 'bulkpar'
PARTITIONS = 1100


class Shape(Change):
    """A statement on the table "t", beside other tables."""
    table = 't'

    def __init__(self, name, rows, tables, statement, others=(), role=None):
        super().__init__(rows, name, statement)
        self.name = name
        self.tables = tables
        self.others = others
        self.role = role

    def __str__(self):
        return self.name

    @property
    def template(self):
        return f'shape_{self.rows}'

    def fill(self, connection):
        for sql in self.tables:
            database.execute(connection, sql)

    def start_afresh(self):
        super().start_afresh()
        for table in self.others:
            database.run(f"SELECT pg_prewarm('{table}')")

    def count_right(self):
        raise NotImplementedError

    def checksum(self):
        """Return what is the same where all tables have the same rows."""
        return [database.run(f'SELECT count(*), sum(hashtext(row::text))'
                             f' FROM {table} AS row')
                for table in ('t', *self.others)]


def connect(shape):
    """Return a connection that runs the statement as the role of the shape."""
    connection = database.connect()
    if shape.role:
        database.execute(connection, f'SET ROLE {shape.role}')
    return connection


def one_statement(shape):
    connection = connect(shape)
    elapsed, _ = ways.time_statement(connection, shape.expression)
    connection.close()
    return elapsed


def bulkpar(shape):
    connection = connect(shape)
    elapsed, rows = ways.time_statement(
        connection, 'SELECT status FROM bulkpar_execute(%(statement)s)',
        {'statement': shape.expression})
    connection.close()
    if rows != [('succeeded',)]:
        raise SystemExit(f'bulkpar_execute ended with {rows}')
    return elapsed


def plain_rows(rows, columns, values):
    return [f'CREATE TABLE t (id int PRIMARY KEY, {columns})',
            f'INSERT INTO t SELECT g, {values}'
            f' FROM generate_series(1, {rows}) AS g']


def tenant(rows):
    return [Shape('all rows of one tenant, key (tenant_id, id)', rows,
                  ['CREATE TABLE t (tenant_id int, id int, n int DEFAULT 0,'
                   ' PRIMARY KEY (tenant_id, id))',
                   f'INSERT INTO t SELECT 1, g'
                   f' FROM generate_series(1, {rows}) AS g'],
                  'UPDATE t SET n = n + 1')]


def whole_table(rows):
    """A subquery says something about all rows."""
    numbered = [*plain_rows(rows, 'list int, pos int',
                            f'g % {max(rows // 100, 1)}, 0'),
                'CREATE INDEX ON t (list, id)']
    copies = [*plain_rows(rows, 'c int', f'g % {max(rows // 10, 1)}'),
              'CREATE INDEX ON t (c, id)']
    return [
        Shape('rows are numbered anew', rows, numbered,
              'UPDATE t SET pos = s.rn FROM (SELECT id, row_number() OVER'
              ' (PARTITION BY list ORDER BY id) AS rn FROM t) AS s'
              ' WHERE s.id = t.id'),
        Shape('NOT IN (SELECT max(id) ... GROUP BY)', rows, copies,
              'DELETE FROM t WHERE id NOT IN'
              ' (SELECT max(id) FROM t GROUP BY c)'),
        Shape('the newest is kept, USING (SELECT DISTINCT ON)', rows, copies,
              'DELETE FROM t USING (SELECT DISTINCT ON (c) c, id FROM t'
              ' ORDER BY c, id DESC) AS newest'
              ' WHERE newest.c = t.c AND newest.id <> t.id')]


def other_table(rows):
    """Rows are looked up in another table."""
    others = rows // 5
    tables = [*plain_rows(rows, 'c int, v text',
                          f"g % {rows // 4}, 'v' || g"),
              'CREATE TABLE s (id int PRIMARY KEY, k int, w text NOT NULL)',
              f"INSERT INTO s SELECT g, g, 'w' || g"
              f' FROM generate_series(0, {others}) AS g']
    statements = {
        'NOT EXISTS, by an index':
            'DELETE FROM t WHERE NOT EXISTS'
            ' (SELECT FROM s WHERE s.id = t.c)',
        'NOT EXISTS, without an index':
            'DELETE FROM t WHERE NOT EXISTS'
            ' (SELECT FROM s WHERE s.k = t.c)',
        'IN': 'DELETE FROM t WHERE c IN (SELECT id FROM s)',
        'NOT IN': 'DELETE FROM t WHERE c NOT IN (SELECT id FROM s)',
        'join, by an index':
            'UPDATE t SET v = s.w FROM s WHERE s.id = t.c',
        'join, without an index':
            'UPDATE t SET v = s.w FROM s WHERE s.k = t.c',
    }
    return [Shape(name, rows, tables, statement, ('s',))
            for name, statement in statements.items()]


def partitions(rows):
    """One partition of many has all rows that match."""
    tables = ["""
        CREATE TABLE t (id int, d int, n int DEFAULT 0, PRIMARY KEY (id, d))
        PARTITION BY RANGE (d)""", f"""
        DO $$
        BEGIN
            FOR i IN 0..{PARTITIONS - 1} LOOP
                EXECUTE format('CREATE TABLE t_%s PARTITION OF t'
                               ' FOR VALUES FROM (%s) TO (%s)', i, i, i + 1);
            END LOOP;
        END $$""", f"""
        INSERT INTO t SELECT g, g % {PARTITIONS}
        FROM generate_series(1, {rows}) AS g"""]
    return [Shape(f'one of {PARTITIONS} partitions', rows, tables,
                  'DELETE FROM t WHERE d = 7'),
            Shape(f'a third of {PARTITIONS} partitions', rows, tables,
                  f'DELETE FROM t WHERE d < {PARTITIONS // 3}')]


def cascades(rows):
    """Rows of two batches have the same rows of another table below them."""
    users = rows // 10
    return [Shape('cascades that meet', rows, [
        'CREATE TABLE t (id int PRIMARY KEY, gone boolean)',
        """CREATE TABLE follows (a int REFERENCES t ON DELETE CASCADE,
                                 b int REFERENCES t ON DELETE CASCADE,
                                 PRIMARY KEY (a, b))""",
        'CREATE INDEX ON follows (b)',
        f'INSERT INTO t SELECT g, g % 2 = 0'
        f' FROM generate_series(1, {users}) AS g',
        f"""INSERT INTO follows
            SELECT 1 + (g * 7919::bigint) % {users},
                   1 + (g * 104729::bigint + g / {users}) % {users}
            FROM generate_series(1, {rows}) AS g ON CONFLICT DO NOTHING"""],
                  'DELETE FROM t WHERE gone', ('follows',))]


def not_estimated(rows):
    """Half of the rows match, where the planner expects one in 200."""
    return [Shape('a condition that cannot be estimated', rows, [
        'CREATE TABLE t (id uuid PRIMARY KEY, data jsonb, v text)',
        f"""INSERT INTO t SELECT md5(g::text)::uuid,
                CASE WHEN g % 2 = 0 THEN 'null'::jsonb
                ELSE jsonb_build_object('a', g) END, repeat('y', 50)
            FROM generate_series(1, {rows}) AS g"""],
                  "UPDATE t SET data = NULL WHERE data::text = 'null'")]


def policy(rows):
    """Half of the rows are not to be seen; numbers are not leakproof."""
    return [Shape('a policy hides half of the rows', rows, [
        'CREATE TABLE t (id numeric PRIMARY KEY, owner text, n int DEFAULT 0)',
        f"""INSERT INTO t
            SELECT g, CASE WHEN g % 2 = 0 THEN 'tenant' ELSE 'other' END
            FROM generate_series(1, {rows}) AS g""",
        'DROP ROLE IF EXISTS tenant', 'CREATE ROLE tenant',
        'GRANT SELECT, UPDATE ON t TO tenant',
        'CREATE POLICY own ON t USING (owner = current_user)',
        'ALTER TABLE t ENABLE ROW LEVEL SECURITY'],
                  'UPDATE t SET n = n + 1', role='tenant')]


def measure(shape, way):
    shape.start_afresh()
    return way(shape), shape.checksum()


def take_turns(bench, shape, rounds):
    """Return the seconds of both ways, round by round, after a warm-up."""
    both = {PLAIN: one_statement, BULKPAR: bulkpar}
    seconds = {name: [] for name in both}
    sums = {}
    for number in range(rounds + 1):
        for name in list(both) if number % 2 else reversed(both):
            elapsed, sums[name] = measure(shape, both[name])
            bench.report.progress(f'shapes, {shape.rows} rows, {shape},'
                                  f' round {number}: {name} {elapsed:.3f} s')
            if number > 0:
                seconds[name].append(elapsed)
                bench.report.record('shapes', shape, name, number,
                                    {'seconds': elapsed})
        if sums[PLAIN] != sums[BULKPAR]:
            raise SystemExit(f'{shape}: the rows are not the same')
    return seconds


def run_shapes(bench, rows, rounds):
    """Compare each shape with one statement, in pairs."""
    lines = []
    for shapes in (tenant, whole_table, other_table, partitions, cascades,
                   not_estimated, policy):
        for shape in shapes(rows):
            shape.create()
            seconds = take_turns(bench, shape, rounds)
            shape.drop()
            ratios = [job / plain for plain, job in
                      zip(seconds[PLAIN], seconds[BULKPAR])]
            lines.append([str(shape),
                          f'{statistics.median(seconds[PLAIN]):.3f} s',
                          f'{statistics.median(seconds[BULKPAR]):.3f} s',
                          f'{statistics.median(ratios):.2f}',
                          f'{min(ratios):.2f} to {max(ratios):.2f}'])
    bench.report.title(f'Shapes of statements, {rows:,} rows'
                       f' ({rounds} rounds)')
    bench.report.table(['statement', PLAIN, BULKPAR,
                        f'{BULKPAR} / {PLAIN}, median of pairs', 'pairs'],
                       lines)
