"""Calls through psycopg 3, which binds parameters in the server."""
from lib.tap import contains, equal, finish, make_table, raises
import psycopg
from psycopg import errors

notices = []
connection = psycopg.connect('', autocommit=True)
connection.add_notice_handler(lambda n: notices.append(n.message_primary))
cursor = connection.cursor()
make_table(cursor, 'person', 1000)

# Parameters whose types the server is not told.
UPDATE = 'SELECT status, rows_changed FROM bulkpar_update(%s, %s, %s)'
cursor.execute(UPDATE, ('person', 'name', 'upper(name)'))
equal(cursor.fetchone(), ('succeeded', 1000), 'strings pick the first form')
contains(notices[-1], '1000 rows updated in ',
         'the summary arrives as a notice')
cursor.execute(UPDATE, ('person', ['name', 'n'], ['lower(name)', 'n + 1']))
equal(cursor.fetchone(), ('succeeded', 1000), 'lists need no cast')
cursor.execute('SELECT DISTINCT n, name = lower(name) FROM person')
equal(cursor.fetchall(), [(1, True)], 'every row is changed once')
cursor.execute('SELECT job_id FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1')
job_id = cursor.fetchone()[0]
for job in (job_id, str(job_id)):
    cursor.execute('SELECT status FROM bulkpar_wait(%s)', (job,))
    equal(cursor.fetchone(), ('succeeded',), f'a job by {job!r}')

# Several statements at once are a transaction block.
error = raises(errors.ActiveSqlTransaction, 'two statements at once',
               cursor.execute,
               "SELECT 1; SELECT bulkpar_update('person', 'n', 'n + 1')")
contains(error.diag.message_hint, 'sent together', 'with a hint')

finish()
