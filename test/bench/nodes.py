"""The part of the benchmark with a table whose partitions are elsewhere."""
import concurrent.futures
import os
import shutil
import subprocess
import tempfile
import time

import psycopg2

import database
from compare import Results
from standby import Cluster, program

PORTS = (5441, 5442)
COUNT = len(PORTS)
PARENT = 'auth_user'
# As the benchmark's own server.
CONFIG = os.path.join(os.path.dirname(__file__), 'server.conf')
# As Django makes them.
COLUMNS = """
    id int NOT NULL, password varchar(128) NOT NULL,
    is_superuser boolean NOT NULL, username varchar(150) NOT NULL,
    first_name varchar(150) NOT NULL, last_name varchar(150) NOT NULL,
    email varchar(254) NOT NULL, is_staff boolean NOT NULL,
    is_active boolean NOT NULL, date_joined timestamptz NOT NULL"""
# Rows of a job that is next to nothing, and how often it is called.
FEW = 1000
CALLS = 21

ONE = 'one UPDATE of the parent'
EACH = 'an UPDATE of each partition, in a session each'
ALONE = 'bulkpar, called on each server'
JOB = 'bulkpar, called for the parent'


class Node(Cluster):
    """A server with one of the partitions, in a with block."""

    def __init__(self, number):
        self.number = number
        self.port = PORTS[number]
        self.table = f'{PARENT}_{number}'

    def __enter__(self):
        self.directory = tempfile.mkdtemp()
        self.data = os.path.join(self.directory, 'data')
        subprocess.run([program('initdb'), '-D', self.data, '-U', 'postgres',
                        '-A', 'trust', '--no-sync', '--encoding=UTF8',
                        '--locale=C.UTF-8'],
                       check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(self.data, 'postgresql.conf'), 'a',
                  encoding='utf-8') as settings:
            for path in (os.environ['TEMP_CONFIG'], CONFIG):
                with open(path, encoding='utf-8') as lines:
                    settings.write(lines.read())
            settings.write(f"port = {self.port}\nlisten_addresses = ''\n"
                           f"unix_socket_directories = '{self.directory}'\n")
        self.control('start', '-l', os.path.join(self.directory, 'log'))
        self.run('CREATE EXTENSION bulkpar')
        return self

    def __exit__(self, *_):
        self.control('stop', '-m', 'immediate')
        shutil.rmtree(self.directory)

    def run(self, *statements):
        connection = psycopg2.connect(host=self.directory, port=self.port,
                                      dbname='postgres', user='postgres')
        connection.autocommit = True
        for statement in statements:
            rows = database.execute(connection, statement)
        connection.close()
        return rows

    def fill(self, rows):
        """Make its part of the table anew, with all of it in memory."""
        first = self.number * rows
        self.run(f'DROP TABLE IF EXISTS {self.table}',
                 f"""CREATE TABLE {self.table} ({COLUMNS},
                         PRIMARY KEY (id), UNIQUE (username))""",
                 f"""CREATE INDEX ON {self.table}
                     (username varchar_pattern_ops)""",
                 f"""INSERT INTO {self.table}
                     SELECT i, 'pbkdf2_sha256$260000$' || md5(i::text) ||
                                md5('salt' || i), false,
                            'user_' || i, 'Alice', 'Almeida',
                            'user_' || i || '@example.com', false, true,
                            timestamptz '2020-01-01' + i * interval '97 s'
                     FROM generate_series({first + 1}, {first + rows}) AS i""",
                 f'VACUUM ANALYZE {self.table}', 'CHECKPOINT')


class SpreadUsers:
    """A name of all users, half of whom are on each of two servers."""
    column = 'first_name'

    def __init__(self, nodes, rows):
        self.nodes = nodes
        self.rows = rows

    def create(self):
        database.run(f"""
            CREATE EXTENSION IF NOT EXISTS bulkpar;
            CREATE EXTENSION IF NOT EXISTS dblink;
            CREATE EXTENSION IF NOT EXISTS postgres_fdw;
            CREATE TABLE {PARENT} ({COLUMNS}) PARTITION BY RANGE (id)""",
                     database='postgres')
        for node in self.nodes:
            first = node.number * self.rows // COUNT
            database.run(f"""
                CREATE SERVER node_{node.number}
                FOREIGN DATA WRAPPER postgres_fdw
                OPTIONS (host '{node.directory}', port '{node.port}',
                         dbname 'postgres', connect_timeout '10');
                CREATE USER MAPPING FOR CURRENT_USER
                SERVER node_{node.number} OPTIONS (user 'postgres');
                CREATE FOREIGN TABLE {node.table} PARTITION OF {PARENT}
                FOR VALUES FROM ({first + 1})
                    TO ({first + self.rows // COUNT + 1})
                SERVER node_{node.number}""", database='postgres')

    def drop(self):
        database.run(f'DROP TABLE {PARENT}', database='postgres')
        for node in self.nodes:
            database.run(f'DROP SERVER node_{node.number} CASCADE',
                         database='postgres')

    def start_afresh(self):
        on_each(self.nodes, lambda node: node.fill(self.rows // COUNT))

    def check(self):
        for node in self.nodes:
            row = node.run(f"""SELECT count(*), count(*) FILTER (
                                   WHERE first_name = 'ALICE')
                               FROM {node.table}""")[0]
            if row != (self.rows // COUNT,) * 2:
                raise SystemExit(f'node {node.number} has changed {row}')


def on_each(nodes, function):
    with concurrent.futures.ThreadPoolExecutor(COUNT) as pool:
        list(pool.map(function, nodes))


def seconds_of(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def call(target):
    return (f"SELECT status FROM bulkpar_update('{target}', 'first_name',"
            " 'upper(first_name)')")


def update(target):
    return f'UPDATE {target} SET first_name = upper(first_name)'


def ways(nodes):
    """Return the ways, each a function that takes nothing."""
    return {
        ONE: lambda: database.run(update(PARENT), database='postgres'),
        EACH: lambda: on_each(nodes, lambda node: database.run(
            update(node.table), database='postgres')),
        ALONE: lambda: on_each(nodes, lambda node: node.run(
            call(node.table))),
        JOB: lambda: database.run(call(PARENT), database='postgres'),
    }


def compare(bench, users, names, rounds):
    """Run these ways in turns; return their results."""
    results = Results(names)
    for number in range(rounds + 1):
        for name in names if number % 2 else reversed(names):
            users.start_afresh()
            seconds = seconds_of(ways(users.nodes)[name])
            users.check()
            bench.report.progress(f'nodes, {users.rows} rows, round {number}:'
                                  f' {name} {seconds:.3f} s')
            if number > 0:
                results.add(name, {'seconds': seconds})
                bench.report.record('nodes', users, name, number,
                                    {'seconds': seconds})
    return results


def run_nodes(bench, rows, rounds):
    with Node(0) as one, Node(1) as other:
        tables = []
        for size, names, turns in (
                (rows, [ONE, EACH, ALONE, JOB], rounds),
                (FEW, [ALONE, JOB], CALLS)):
            users = SpreadUsers([one, other], size)
            users.create()
            tables.append((users, names, compare(bench, users, names, turns)))
            users.drop()
    for users, names, results in tables:
        first = names[0]
        bench.report.title(f'{users.rows:,} rows, half of them on each of'
                           f' {COUNT} servers of this machine')
        bench.report.table(
            ['way', 'median', 'fastest', 'slowest', f'time / {first}'],
            [[name, *results.times(name),
              results.ratio(name, 'seconds', first)] for name in names])
