"""doc/clients.md for pgbouncer: a job through it, in transaction mode."""
import os
import shutil
import subprocess
import tempfile
import time

from lib.tap import connect, equal, finish, make_table, ok
import psycopg2

PROGRAM = shutil.which('pgbouncer', path='/usr/sbin:/usr/bin')
if not PROGRAM:
    print('1..0 # SKIP needs pgbouncer')
    raise SystemExit(0)

host = os.environ['PGHOST']
port = os.environ.get('PGPORT', '5432')
name = os.environ['PGDATABASE']
make_table(connect().cursor(), 'pooled', 1000)
folder = tempfile.mkdtemp()
with open(f'{folder}/pgbouncer.ini', 'w') as file:
    file.write(f"""
[databases]
{name} = host={host} port={port} dbname={name}
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = {folder}
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
""")
with open(f'{folder}/users', 'w') as file:
    file.write(f'"{os.environ["PGUSER"]}" ""\n')
pooler = subprocess.Popen([PROGRAM, f'{folder}/pgbouncer.ini'],
                          stderr=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL)


def connect_to_pooler():
    end = time.monotonic() + 60
    while True:
        try:
            pooled = psycopg2.connect(host=folder, port=6432)
            pooled.autocommit = True
            return pooled
        except psycopg2.OperationalError:
            if time.monotonic() > end or pooler.poll() is not None:
                raise
            time.sleep(0.1)


try:
    cursor = connect_to_pooler().cursor()
    cursor.execute("SELECT job_id FROM bulkpar_update('pooled', 'n', %s,"
                   " 20, 2, wait => false)",
                   ("n + 1 + (pg_sleep(0.001)::text <> '')::integer",))
    job_id = cursor.fetchone()[0]
    polls, status = 0, 'running'
    end = time.monotonic() + 180
    while status == 'running' and time.monotonic() < end:
        cursor.execute("SELECT status FROM bulkpar_wait(%s, '100ms')",
                       (job_id,))
        status = cursor.fetchone()[0]
        polls += 1
    equal(status, 'succeeded', 'bulkpar_wait() with a timeout')
    ok(polls > 1, 'gives the connection back in between', polls)
    cursor.execute('SELECT status, percent FROM bulkpar_progress'
                   ' WHERE job_id = %s', (job_id,))
    equal(cursor.fetchone(), ('succeeded', 100), 'bulkpar_progress')
    cursor.execute('SELECT sum(n) FROM pooled')
    equal(cursor.fetchone()[0], 1000, 'every row was changed once')
    cursor.execute("SELECT status FROM bulkpar_update('pooled', 'n', '0')")
    equal(cursor.fetchone()[0], 'succeeded', 'a call that waits works, too')
finally:
    # Since 1.23 it ends on SIGTERM only when its clients have left.
    pooler.kill()
    pooler.wait()
    shutil.rmtree(folder)

finish()
