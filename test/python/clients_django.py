"""doc/clients.md for Django: migrations, views, tests and commands."""
import threading
import time
import unittest

from lib.django_database import DATABASE
from lib.tap import connect, equal, finish, make_table, ok, sqlstate

import django
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection, migrations, transaction
from django.db.utils import InternalError, OperationalError

settings.configure(
    DATABASES={'default': {**DATABASE, 'ATOMIC_REQUESTS': True}},
    ROOT_URLCONF=__name__, ALLOWED_HOSTS=['testserver'], SECRET_KEY='a')
django.setup()

from django.core.management import call_command
from django.db.migrations.state import ProjectState
from django.http import HttpResponse
from django.test import Client, TestCase, TransactionTestCase
from django.urls import path

CALL = "SELECT status FROM bulkpar_update('deploy_item', 'n', 'n + 1')"


def update():
    with connection.cursor() as cursor:
        cursor.execute(CALL)
        return cursor.fetchone()[0]


def refused(name, function, *args):
    try:
        function(*args)
    except InternalError as error:
        equal(sqlstate(error.__cause__), '25001', name)
    else:
        ok(False, name, 'no error')


def total():
    with connection.cursor() as cursor:
        cursor.execute('SELECT sum(n) FROM deploy_item')
        return cursor.fetchone()[0]


with connection.cursor() as cursor:
    make_table(cursor, 'deploy_item', 1000)


# Migrations.
class Backfill(migrations.Migration):
    atomic = False
    operations = [migrations.RunSQL(CALL, migrations.RunSQL.noop)]


class Atomic(Backfill):
    atomic = True


def migrate(migration):
    with connection.schema_editor(atomic=migration.atomic) as editor:
        migration('backfill', 'shop').apply(ProjectState(), editor)


migrate(Backfill)
equal(total(), 1000, 'a migration with atomic = False')
refused('not one that is atomic', migrate, Atomic)


# Views.
@transaction.non_atomic_requests
def free(request):
    return HttpResponse(update())


def bound(request):
    return HttpResponse(update())


urlpatterns = [path('free', free), path('bound', bound)]
client = Client()
equal(client.get('/free').content, b'succeeded',
      'a view with non_atomic_requests')
refused('not one with ATOMIC_REQUESTS', client.get, '/bound')


# A management command.
class Command(BaseCommand):
    def handle(self, **options):
        self.stdout.write(update())


call_command(Command())
equal(total(), 3000, 'a management command')


# A call that another thread cancels.
def cancel(driver):
    watcher = connect().cursor()
    end = time.monotonic() + 180
    while time.monotonic() < end:
        watcher.execute("SELECT count(*) FROM bulkpar_progress WHERE status ="
                        " 'running' AND target = 'deploy_item'::regclass")
        if watcher.fetchone()[0]:
            break
        time.sleep(0.05)
    driver.cancel()


with connection.cursor() as cursor:
    thread = threading.Thread(target=cancel, args=(connection.connection,))
    thread.start()
    try:
        cursor.execute("SELECT bulkpar_update('deploy_item', 'n', %s, 1, 1)",
                       ["n + (pg_sleep(0.1)::text <> '')::integer"])
        ok(False, 'connection.connection.cancel()', 'no error')
    except OperationalError as error:
        equal(sqlstate(error.__cause__), '57014', 'connection.connection.cancel()')
    thread.join()


# Tests, which here run in the database as it is.
class Free(TransactionTestCase):
    def test(self):
        self.assertEqual(update(), 'succeeded')

    def _fixture_teardown(self):
        pass


class Bound(TestCase):
    def test(self):
        with self.assertRaises(InternalError):
            update()


for case, name in (Free, 'in a TransactionTestCase'), (Bound, 'not in a TestCase'):
    result = unittest.TestResult()
    unittest.TestSuite([case('test')]).run(result)
    equal((result.testsRun, result.errors + result.failures), (1, []), name)

finish()
