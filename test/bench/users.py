"""Django's auth_user: created by Django, filled by SQL."""
import os

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connections

import database
from change import Change

settings.configure(
    DATABASES={'default': {
        'ENGINE': 'django.db.backends.postgresql',
        'NAME': database.DATABASE,
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


class Users(Change):
    """A name of each user is put into upper case."""
    table = 'auth_user'
    key = 'id'

    def __init__(self, rows, column='username'):
        super().__init__(rows, column, f'upper({column})')
        self.digits = max(6, len(str(rows)))

    def fill(self, connection):
        call_command('migrate', verbosity=0)
        connections.close_all()
        database.execute(connection, FILL,
                         {'rows': self.rows, 'digits': self.digits})

    def count_right(self):
        """That column, and no other, is in upper case."""
        other = {'username': 'first_name', 'first_name': 'username'}
        return f"""
            count(*) FILTER (
                WHERE upper(username) = 'USER_' ||
                          lpad(id::text, {self.digits}, '0')
                  AND {self.column} = upper({self.column})
                  AND {other[self.column]} <> upper({other[self.column]}))"""
