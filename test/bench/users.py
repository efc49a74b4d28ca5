"""Django's auth_user: created by Django, filled by SQL, copied at need."""
import os

import django
import psycopg2
from django.conf import settings
from django.core.management import call_command
from django.db import connections

DATABASE = 'users'

settings.configure(
    DATABASES={'default': {
        'ENGINE': 'django.db.backends.postgresql',
        'NAME': DATABASE,
        'HOST': os.environ['PGHOST'],
        'USER': os.environ['PGUSER'],
    }},
    INSTALLED_APPS=['django.contrib.contenttypes', 'django.contrib.auth'],
)
django.setup()

FILL = """
    INSERT INTO auth_user (password, is_superuser, username, first_name,
                           last_name, email, is_staff, is_active, date_joined)
    SELECT 'pbkdf2_sha256$260000$' || left(md5(username), 22) || '$' ||
               md5(email) || left(md5(i::text), 12),
           false, username, first_names[1 + i %% 12],
           last_names[1 + i / 12 %% 12], email, i %% 1000 = 0, true,
           timestamptz '2020-01-01' + i * interval '97 seconds'
    FROM (SELECT i, 'user_' || lpad(i::text, %(digits)s, '0') AS username,
                 format('user_%%s@example.com',
                        lpad(i::text, %(digits)s, '0')) AS email,
                 '{Alice,Bruno,Chiara,David,Emma,Farid,
                   Grace,Hiroshi,Ines,Jonas,Kamala,Liam}'::text[]
                     AS first_names,
                 '{Almeida,Brown,Castillo,Dubois,Eriksson,Fischer,
                   Garcia,Haddad,Ivanova,Johnson,Kowalski,Lindgren}'::text[]
                     AS last_names
          FROM generate_series(1, %(rows)s) AS i) AS person
    ORDER BY i
"""


def connect(database=DATABASE):
    """Return an autocommit connection to a database of the private server."""
    connection = psycopg2.connect(dbname=database)
    connection.autocommit = True
    return connection


def execute(connection, sql, parameters=None):
    """Run one statement and return its rows, or None where it has none."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else None


def template(rows):
    return f'{DATABASE}_{rows}'


def create(rows):
    """Create the database that every way starts from a copy of."""
    server = connect('postgres')
    execute(server, f'CREATE DATABASE {DATABASE}')
    call_command('migrate', verbosity=0)
    connections.close_all()

    users = connect()
    execute(users, FILL, {'rows': rows, 'digits': max(6, len(str(rows)))})
    execute(users, 'CREATE EXTENSION bulkpar')
    execute(users, 'CREATE EXTENSION pg_prewarm')
    execute(users, 'VACUUM ANALYZE')
    users.close()

    execute(server, f'ALTER DATABASE {DATABASE} RENAME TO {template(rows)}')
    server.close()


def start_afresh(rows):
    """Replace the database by a fresh copy, with auth_user in memory."""
    connections.close_all()
    server = connect('postgres')
    execute(server, f'DROP DATABASE IF EXISTS {DATABASE}')
    execute(server, f'CREATE DATABASE {DATABASE} TEMPLATE {template(rows)}')
    server.close()

    users = connect()
    execute(users, "SELECT pg_prewarm('auth_user')")
    execute(users, "SELECT pg_prewarm(indexrelid) FROM pg_index"
                   " WHERE indrelid = 'auth_user'::regclass")
    execute(users, 'CHECKPOINT')
    users.close()


def drop(rows):
    """Drop what create and start_afresh have made."""
    connections.close_all()
    server = connect('postgres')
    execute(server, f'DROP DATABASE {DATABASE}')
    execute(server, f'DROP DATABASE {template(rows)}')
    server.close()


def sizes():
    """Return the bytes of auth_user, of its indexes, and of WAL so far."""
    users = connect()
    row = execute(users, """
        SELECT pg_table_size('auth_user'), pg_indexes_size('auth_user'),
               (pg_current_wal_insert_lsn() - '0/0')::bigint""")[0]
    users.close()
    return dict(zip(('table', 'indexes', 'wal'), row))


def check(rows, column='username'):
    """Fail unless that column, and no other, is in upper case in every row."""
    users = connect()
    found = execute(users, f"""
        SELECT count(*),
               count(*) FILTER (WHERE upper(username) = 'USER_' ||
                                lpad(id::text, {max(6, len(str(rows)))}, '0')),
               count(*) FILTER (WHERE username = upper(username)),
               count(*) FILTER (WHERE first_name = upper(first_name))
        FROM auth_user""")[0]
    users.close()
    wanted = (rows, rows, rows * (column == 'username'),
              rows * (column == 'first_name'))
    if found != wanted:
        raise SystemExit(f'wrong result in auth_user: {found}, not {wanted}')
