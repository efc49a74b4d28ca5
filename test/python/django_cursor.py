"""Calls through Django's connection.cursor()."""
from lib.django_database import DATABASE
from lib.tap import equal, finish, make_table, ok, sqlstate

import django
from django.conf import settings
from django.db import connection, transaction
from django.db.utils import DataError, InternalError

settings.configure(DATABASES={'default': DATABASE})
django.setup()

UPDATE = 'SELECT status, rows_changed FROM bulkpar_update(%s, %s, %s)'

with connection.cursor() as cursor:
    make_table(cursor, 'django_item', 1000)
    cursor.execute(UPDATE, ['django_item', 'n', 'n + 1'])
    equal(cursor.fetchone(), ('succeeded', 1000), 'autocommit is the default')
    cursor.execute(UPDATE, ['django_item', ['n', 'name'],
                            ['n + 1', "replace(name, ' ', '%')"]])
    equal(cursor.fetchone(), ('succeeded', 1000), 'several columns')
    cursor.execute('SELECT DISTINCT n FROM django_item'
                   ' WHERE strpos(name, %s) > 0', ['%'])
    equal(cursor.fetchall(), [(2,)], 'every row is changed')
    try:
        cursor.execute(UPDATE, ['django_item', 'n', '1 / (id - 500)'])
        ok(False, 'an error of a worker')
    except DataError as error:
        equal(sqlstate(error.__cause__), '22012', 'an error of a worker')
    try:
        with transaction.atomic():
            cursor.execute(UPDATE, ['django_item', 'n', 'n + 1'])
        ok(False, 'transaction.atomic() is refused')
    except InternalError as error:
        equal(sqlstate(error.__cause__), '25001',
              'transaction.atomic() is refused')

finish()
