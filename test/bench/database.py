"""Connections to the databases of the private server."""
import psycopg2

DATABASE = 'bench'


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


def run(sql, parameters=None, database=DATABASE):
    """Run one statement in a session of its own and return its rows."""
    connection = connect(database)
    try:
        return execute(connection, sql, parameters)
    finally:
        connection.close()
