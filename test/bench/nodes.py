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
from standby import program

PORTS = (5441, 5442)
COUNT = len(PORTS)
PARENT = 'item'
# As the benchmark's own server.
CONFIG = os.path.join(os.path.dirname(__file__), 'server.conf')
# Rows of a job that is next to nothing, and how often it is called.
FEW = 1000
CALLS = 21

ONE = 'one UPDATE of the parent'
EACH = 'an UPDATE of each partition, in a session each'
ALONE = 'bulkpar, called on each server'
JOB = 'bulkpar, called for the parent'


class Node:
    """A server with one of the partitions, in a with block."""

    def __init__(self, number):
        self.number = number
        self.port = PORTS[number]
        self.table = f'item_{number}'

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

    def control(self, *arguments):
        subprocess.run([program('pg_ctl'), '-s', '-w', '-D', self.data,
                        *arguments], check=True)

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
                 f"""CREATE TABLE {self.table} (
                         id bigint PRIMARY KEY, counter int NOT NULL,
                         name text, filler text)""",
                 f"""INSERT INTO {self.table}
                     SELECT i, 0, 'name ' || i, repeat('x', 60)
                     FROM generate_series({first + 1}, {first + rows}) AS i""",
                 f'VACUUM ANALYZE {self.table}', 'CHECKPOINT')


class Items:
    """All rows of a table are changed, half of them on each of two servers."""
    column = 'counter'

    def __init__(self, nodes, rows):
        self.nodes = nodes
        self.rows = rows

    def create(self):
        database.run(f"""
            CREATE EXTENSION IF NOT EXISTS bulkpar;
            CREATE EXTENSION IF NOT EXISTS dblink;
            CREATE EXTENSION IF NOT EXISTS postgres_fdw;
            CREATE TABLE {PARENT} (id bigint NOT NULL, counter int NOT NULL,
                                   name text, filler text)
            PARTITION BY RANGE (id)""", database='postgres')
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
                                   WHERE counter = 1) FROM {node.table}""")[0]
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
    return (f"SELECT status FROM bulkpar_update('{target}', 'counter',"
            " 'counter + 1')")


def update(target):
    return f'UPDATE {target} SET counter = counter + 1'


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


def compare(bench, items, names, rounds):
    """Run these ways in turns; return their results."""
    results = Results(names)
    for number in range(rounds + 1):
        for name in names if number % 2 else reversed(names):
            items.start_afresh()
            seconds = seconds_of(ways(items.nodes)[name])
            items.check()
            bench.report.progress(f'nodes, {items.rows} rows, round {number}:'
                                  f' {name} {seconds:.3f} s')
            if number > 0:
                results.add(name, {'seconds': seconds})
                bench.report.record('nodes', items, name, number,
                                    {'seconds': seconds})
    return results


def run_nodes(bench, rows, rounds):
    with Node(0) as one, Node(1) as other:
        tables = []
        for size, names, turns in (
                (rows, [ONE, EACH, ALONE, JOB], rounds),
                (FEW, [ALONE, JOB], CALLS)):
            items = Items([one, other], size)
            items.create()
            tables.append((items, names, compare(bench, items, names, turns)))
            items.drop()
    for items, names, results in tables:
        first = names[0]
        bench.report.title(f'{items.rows:,} rows, half of them on each of'
                           f' {COUNT} servers of this machine')
        bench.report.table(
            ['way', 'median', 'fastest', 'slowest', f'time / {first}'],
            [[name, *results.times(name),
              results.ratio(name, 'seconds', first)] for name in names])
