"""A call through psycopg2, in autocommit and in its default transaction."""
import datetime
import sys

import psycopg2
import psycopg2.errors
import psycopg2.extras

CALL = "SELECT * FROM bulkpar_update('person', 'name', 'upper(name)', 100)"
failed = []
tests = 0


def ok(passed, name):
    global tests
    tests += 1
    print(f'{"ok" if passed else "not ok"} {tests} - {name}')
    if not passed:
        failed.append(name)


def connect():
    connection = psycopg2.connect(
        '', cursor_factory=psycopg2.extras.NamedTupleCursor)
    connection.autocommit = True
    return connection


connection = connect()
cursor = connection.cursor()
cursor.execute('CREATE TABLE person (id integer PRIMARY KEY, name text)')
cursor.execute("INSERT INTO person SELECT i, 'name ' || i"
               ' FROM generate_series(1, 1000) AS i')

cursor.execute(CALL)
row = cursor.fetchone()
ok(row.status == 'succeeded', 'status')
ok(row.rows_updated == 1000, 'rows_updated')
ok(row.batches == 10, 'batches')
ok(isinstance(row.job_id, int), 'job_id is a number')
ok(isinstance(row.elapsed, datetime.timedelta), 'elapsed is an interval')
ok(any('1000' in notice for notice in connection.notices),
   'the summary arrives as a notice')
cursor.execute('SELECT count(*) AS n FROM person WHERE name = upper(name)')
ok(cursor.fetchone().n == 1000, 'every row is changed')

cursor.execute('SELECT * FROM bulkpar_update(%s, %s, %s, condition => %s)',
               ('person', ['name'], ['lower(name)'], 'id > 990'))
ok(cursor.fetchone().rows_updated == 10, 'lists are passed as arrays')

try:
    cursor.execute(CALL.replace('upper', 'no_such_function'))
    ok(False, 'an error reaches the client')
except psycopg2.errors.UndefinedFunction:
    ok(True, 'an error reaches the client')

connection.autocommit = False
try:
    cursor.execute(CALL)
    ok(False, 'a transaction block is refused')
except psycopg2.errors.ActiveSqlTransaction:
    ok(True, 'a transaction block is refused')
connection.rollback()

print(f'1..{tests}')
sys.exit(bool(failed))
