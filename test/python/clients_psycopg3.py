"""doc/clients.md for psycopg 3: copy(), what is shown, and how to cancel."""
import threading
import time

from lib.tap import contains, equal, finish, make_table, ok, raises
import psycopg
from psycopg import errors

notices = []
connection = psycopg.connect('', autocommit=True)
connection.add_notice_handler(
    lambda diag: notices.append(f'{diag.severity}: {diag.message_primary}'))
cursor = connection.cursor()
make_table(cursor, 'person3', 10000)

# A value for each row, by COPY.
cursor.execute('DROP TABLE IF EXISTS new_names')
cursor.execute('CREATE UNLOGGED TABLE new_names'
               ' (id integer PRIMARY KEY, name text)')
with cursor.copy('COPY new_names FROM STDIN') as copy:
    for row in ((i, f'new\t{i}') for i in range(1, 101)):
        copy.write_row(row)
cursor.execute('ANALYZE new_names')
cursor.execute("SELECT status, rows_changed FROM bulkpar_update("
               "'person3', 'name', 'v.name', from_item => 'new_names v',"
               " condition => 'v.id = person3.id')")
equal(cursor.fetchone(), ('succeeded', 100), 'values by copy()')
cursor.execute('SELECT count(*) FROM person3 p JOIN new_names USING (id, name)')
equal(cursor.fetchone(), (100,), 'each is in its row')
cursor.execute('DROP TABLE new_names')

# Progress arrives while the call waits; cancel() ends the job.
cursor.execute("SET bulkpar.progress_interval = '100ms'")


def cancel():
    end = time.monotonic() + 180
    while time.monotonic() < end and not any('%' in n for n in notices):
        time.sleep(0.05)
    connection.cancel()


thread = threading.Thread(target=cancel)
thread.start()
error = raises(errors.QueryCanceled, 'cancel() from another thread',
               cursor.execute,
               "SELECT bulkpar_update('person3', 'n', %s, 20, 2)",
               ("n + 1 + (pg_sleep(0.002)::text <> '')::integer",))
thread.join()
contains(error.diag.message_detail, ' is cancelled; ', 'with what is done')
ok(any(n.startswith('INFO: ') and '%' in n for n in notices),
   'progress was shown meanwhile', notices)
connection.autocommit = False
raises(errors.ActiveSqlTransaction, 'not without autocommit', cursor.execute,
       "SELECT bulkpar_update('person3', 'n', 'n')")
connection.rollback()

finish()
