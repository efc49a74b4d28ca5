"""connection.cancel() from another thread ends the job."""
import threading
import time

from lib.tap import connect, contains, equal, finish, make_table, ok, raises
from psycopg2 import errors

ROWS = 10000
PROGRESS = ('SELECT * FROM bulkpar_progress WHERE target = '
            "'slow_item'::regclass ORDER BY job_id DESC LIMIT 1")

connection = connect()
cursor = connection.cursor()
watcher = connect().cursor()
make_table(cursor, 'slow_item', ROWS)


def progress():
    watcher.execute(PROGRESS)
    return watcher.fetchone()


def cancel():
    """Cancel the call as soon as its job has done something."""
    end = time.monotonic() + 180
    while time.monotonic() < end:
        row = progress()
        if row and row.rows_done >= 100:
            break
        time.sleep(0.05)
    connection.cancel()


def total():
    watcher.execute('SELECT sum(n) FROM slow_item')
    return watcher.fetchone()[0]


thread = threading.Thread(target=cancel)
thread.start()
error = raises(errors.QueryCanceled, 'the call is cancelled', cursor.execute,
               'SELECT bulkpar_update(%s, %s, %s, 20, 2)',
               ('slow_item', 'n',
                "n + 1 + (pg_sleep(0.002)::text <> '')::integer"))
thread.join()
row = progress()
contains(error.diag.message_detail, f'Job {row.job_id} is cancelled; '
         f'{row.rows_changed} rows in ', 'what has become of the job')
equal(row.status, 'cancelled', 'the job is cancelled')
watcher.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type"
                " LIKE 'bulkpar%' AND datname = current_database()")
equal(watcher.fetchone()[0], 0, 'no process is left')
before = total()
ok(100 <= before < ROWS, 'committed batches stay', before)
equal(before, row.rows_changed, 'and agree with the job')
time.sleep(0.5)
equal(total(), before, 'nothing commits any more')

cursor.execute("SELECT status FROM bulkpar_update('slow_item', 'n', '1',"
               " condition => 'n = 0')")
equal(cursor.fetchone().status, 'succeeded', 'the connection works on')

finish()
