"""What the Python tests share: TAP, a connection and a table."""
import sys

import psycopg2
import psycopg2.extras

tests = 0
failed = 0


def ok(passed, name, got=None):
    """Report a test, and what it got instead where it has failed."""
    global tests, failed
    tests += 1
    if not passed:
        failed += 1
        print(f'# {name}: got {got!r}')
    print(f'{"ok" if passed else "not ok"} {tests} - {name}', flush=True)


def equal(got, wanted, name):
    ok(got == wanted, name, got)


def contains(got, wanted, name):
    ok(wanted in (got or ''), name, got)


def raises(error_class, name, function, *args):
    """Call a function that must raise the error, and return that."""
    try:
        function(*args)
    except Exception as error:
        ok(type(error) is error_class, name, error)
        return error
    ok(False, name, 'no error')
    return Exception()


def sqlstate(error):
    """Of an error of psycopg 2 or 3, which Django uses if it is there."""
    return error.sqlstate if hasattr(error, 'sqlstate') else error.pgcode


def finish():
    print(f'1..{tests}')
    sys.exit(bool(failed))


def connect(autocommit=True):
    """Connect to the server of the environment."""
    connection = psycopg2.connect(
        '', cursor_factory=psycopg2.extras.NamedTupleCursor)
    connection.autocommit = autocommit
    return connection


def make_table(cursor, name, rows):
    """(Re)create a table with the ids 1 to rows, where n is 0."""
    cursor.execute(f'DROP TABLE IF EXISTS {name}')
    cursor.execute(f'CREATE TABLE {name} (id integer PRIMARY KEY,'
                   ' n integer NOT NULL, name text)')
    cursor.execute(f"INSERT INTO {name} SELECT i, 0, 'name ' || i"
                   f' FROM generate_series(1, {rows}) AS i')
