"""A value per row from Django: COPY to a table, from which a job takes it."""
import io

from lib.django_database import DATABASE
from lib.tap import equal, finish, ok, sqlstate

import django
from django.conf import settings
from django.db import connection
from django.db.utils import Error

settings.configure(
    DATABASES={'default': DATABASE},
    INSTALLED_APPS=['django.contrib.contenttypes', 'django.contrib.auth'],
    USE_TZ=True,
)
django.setup()

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.utils import timezone

# The module of the driver, psycopg 3 if Django finds it.
Database = connection.Database
USERS = 5000
UPDATE = """
    SELECT status, rows_changed, rows_unchanged FROM bulkpar_update(
        target => 'auth_user', column_name => %s, expression => %s,
        from_item => 'staging s', condition => 's.id = auth_user.id',
        batch_size => 100, workers => 2, skip_unchanged => %s)
"""
ESCAPES = str.maketrans({'\\': r'\\', '\t': r'\t', '\n': r'\n', '\r': r'\r'})
ODD = ["O'Brien", '"quoted"', 'a\tb', 'a\nb', 'a\r\nb', '\\N', '\\', '%s', '',
       'Ærøskøbing 😀', ',', '$1']

User = get_user_model()


def field(value):
    return r'\N' if value is None else str(value).translate(ESCAPES)


def copy(cursor, rows):
    """COPY rows of ids and values to the empty table."""
    text = ''.join('\t'.join(map(field, row)) + '\n' for row in rows)
    cursor.execute('TRUNCATE staging')
    if hasattr(cursor, 'copy_expert'):
        cursor.copy_expert('COPY staging FROM STDIN', io.StringIO(text))
    else:
        with cursor.copy('COPY staging FROM STDIN') as stream:
            stream.write(text)
    cursor.execute('ANALYZE staging')


def update(cursor, columns, skip_unchanged=False):
    cursor.execute(UPDATE, [columns, [f's.{name}' for name in columns],
                            skip_unchanged])
    return cursor.fetchone()


def users():
    return {row[0]: row[1:] for row in User.objects.values_list(
        'id', 'username', 'first_name', 'last_login')}


def refused(wanted, name, function, *args):
    """Call a function that must raise an error of that SQLSTATE."""
    try:
        function(*args)
    except (Error, Database.Error) as error:
        # Django wraps what execute() raises, but not what is raised by a COPY.
        equal(sqlstate(error.__cause__ or error), wanted, name)
    else:
        ok(False, name, 'no error')


call_command('migrate', verbosity=0)
User.objects.all().delete()
User.objects.bulk_create([
    User(username=f'user_{i}', first_name='Alice', email=f'{i}@example.com')
    for i in range(USERS)])
before = users()
ids = sorted(before)
now = timezone.now()
# A tenth of the users gets no value, and some values are for no user.
values = {key: (f'name of {key}', ODD[key % len(ODD)],
                now if key % 2 else None)
          for key in ids + [ids[-1] + i for i in range(1, 51)] if key % 10}
wanted = {key: values.get(key, before[key]) for key in ids}
rows = [(key, *value) for key, value in values.items()]
changed = sum(key in values for key in ids)
COLUMNS = ['username', 'first_name', 'last_login']

with connection.cursor() as cursor:
    cursor.execute("""
        DROP TABLE IF EXISTS staging;
        CREATE UNLOGGED TABLE staging AS
        SELECT id, username, first_name, last_login FROM auth_user
        WITH NO DATA;
        ALTER TABLE staging ADD PRIMARY KEY (id)""")

    equal(changed, USERS * 9 // 10, 'nine of ten users get a value')
    copy(cursor, rows[::-1])
    equal(update(cursor, COLUMNS), ('succeeded', changed, 0),
          'each row gets its own values')
    found = users()
    equal([(key, found[key]) for key in ids if found[key] != wanted[key]], [],
          'every value is in its row, and no other row is changed')
    equal(sorted(found), ids, 'no user has come or gone')
    equal(User.objects.exclude(email__endswith='@example.com').count(), 0,
          'no other column is changed')

    equal(update(cursor, COLUMNS, True), ('succeeded', 0, changed),
          'the same again with skip_unchanged')
    some = [(key, 'once more', *values[key][1:]) for key in ids[:7]
            if key in values]
    copy(cursor, [(key, f'{name} {key}', *rest)
                  for key, name, *rest in some])
    equal(update(cursor, COLUMNS, True), ('succeeded', len(some), 0),
          'a few of them')

    # What cannot be: two values for one row, values that do not fit, a table
    # that the workers do not see.
    refused('23505', 'an id twice', copy, cursor, [*rows[:2], rows[0]])
    refused('22001', 'a value that is too long', copy, cursor,
            [(ids[0], 'x' * 151, '', None)])
    copy(cursor, [(key, 'the same name', '', None) for key in ids[:2]])
    before = users()
    refused('23505', 'two users of one name', update, cursor, COLUMNS)
    equal(users(), before, 'nothing is changed by that')
    cursor.execute('ALTER TABLE staging RENAME TO lasting')
    cursor.execute('CREATE TEMPORARY TABLE staging AS SELECT * FROM lasting')
    refused('0A000', 'a temporary table', update, cursor, COLUMNS)
    cursor.execute('DROP TABLE lasting, staging')

User.objects.all().delete()
finish()
