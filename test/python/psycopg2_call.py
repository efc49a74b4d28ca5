"""Calls through psycopg2, in autocommit and in its default transaction."""
import datetime

from lib.tap import connect, contains, equal, finish, make_table, ok, raises
from psycopg2 import errors

CALL = "SELECT * FROM bulkpar_update('person', 'name', 'upper(name)', 100)"

connection = connect()
cursor = connection.cursor()
make_table(cursor, 'person', 1000)

# The row and the summary.
cursor.execute(CALL)
row = cursor.fetchone()
equal(row._fields, ('job_id', 'status', 'rows_changed', 'batches', 'workers',
                    'elapsed', 'rows_failed', 'rows_unchanged'),
      'columns of the result')
equal((row.status, row.rows_changed, row.batches), ('succeeded', 1000, 10),
      'the result')
ok(isinstance(row.job_id, int), 'job_id is a number', row.job_id)
ok(isinstance(row.elapsed, datetime.timedelta), 'elapsed is an interval',
   row.elapsed)
contains(connection.notices[-1],
         f'INFO:  bulkpar job {row.job_id}: 1000 rows updated in ',
         'the summary arrives as a notice')
cursor.execute('SELECT count(*) FROM person WHERE name = upper(name)')
equal(cursor.fetchone()[0], 1000, 'every row is changed')

# Parameters.
UPDATE = 'SELECT * FROM bulkpar_update(%s, %s, %s, condition => %s)'
cursor.execute(UPDATE, ('person', ['name'], ['lower(name)'], 'id > 990'))
equal(cursor.fetchone().rows_changed, 10, 'lists are passed as arrays')
cursor.execute(UPDATE, ('person', 'n', 'n + 1', None))
equal(cursor.fetchone().rows_changed, 1000, 'strings pick the first form')

# What a user sees meanwhile and afterwards.
cursor.execute('SELECT status, rows_done, percent FROM bulkpar_progress'
               ' ORDER BY job_id DESC LIMIT 1')
equal(cursor.fetchone(), ('succeeded', 1000, 100), 'the view')

# A transaction block is refused, and nothing is changed.
connection.autocommit = False
error = raises(errors.ActiveSqlTransaction, 'a transaction block is refused',
               cursor.execute, UPDATE, ('person', 'n', 'n + 1', None))
contains(error.diag.message_hint, 'autocommit', 'with a hint')
connection.rollback()
connection.autocommit = True
raises(errors.ActiveSqlTransaction, 'so are two statements at once',
       cursor.execute, f'SELECT 1; {CALL}')
cursor.execute('SELECT DISTINCT n FROM person')
equal(cursor.fetchall(), [(1,)], 'nothing is changed')

finish()
