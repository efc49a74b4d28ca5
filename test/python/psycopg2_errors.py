"""Errors of a job's workers as exceptions of psycopg2."""
from lib.tap import connect, contains, equal, finish, make_table, raises
from psycopg2 import errors

connection = connect()
cursor = connection.cursor()
make_table(cursor, 'item', 1000)
cursor.execute('ALTER TABLE item ADD CONSTRAINT small CHECK (n < 5),'
               ' ADD code integer UNIQUE')
cursor.execute('''
    CREATE OR REPLACE FUNCTION complain() RETURNS trigger
    LANGUAGE plpgsql AS $$
    BEGIN
        RAISE 'no more' USING DETAIL = 'It is enough.', HINT = 'Stop.';
    END $$''')


def update(column, expression):
    cursor.execute('SELECT bulkpar_update(%s, %s, %s, 100, 2)',
                   ('item', column, expression))


def job():
    cursor.execute('SELECT * FROM bulkpar.bulkpar_job ORDER BY job_id DESC LIMIT 1')
    return cursor.fetchone()


error = raises(errors.DivisionByZero, 'division by zero',
               update, 'n', '1 / (id - 777)')
equal(error.pgcode, '22012', 'its SQLSTATE')
equal(error.diag.message_primary, 'division by zero', 'its message')
contains(error.diag.context, f'bulkpar job {job().job_id}, chunk ',
         'its context names job and chunk')
contains(error.diag.context, 'of table "item", keys after (700) up to (800)',
         'and table and keys')
equal((job().status, job().sqlstate), ('failed', '22012'), 'its job')

error = raises(errors.CheckViolation, 'a violated check',
               update, 'n', 'id / 100')
contains(error.diag.message_detail, 'Failing row contains (', 'its detail')
contains(error.diag.message_primary, '"small"', 'its message')

error = raises(errors.UniqueViolation, 'a violated unique constraint',
               update, 'code', 'id % 999')
contains(error.diag.message_detail, 'Key (code)=(1) already exists.',
         'its detail')

raises(errors.NotNullViolation, 'a violated NOT NULL', update, 'n', 'NULL')
raises(errors.InvalidTextRepresentation, 'a value that is no number',
       update, 'n', 'name::integer')

cursor.execute('CREATE TRIGGER complain BEFORE UPDATE ON item'
               ' FOR EACH ROW EXECUTE FUNCTION complain()')
error = raises(errors.RaiseException, 'a trigger that raises',
               update, 'n', 'n')
equal((error.diag.message_primary, error.diag.message_detail,
       error.diag.message_hint),
      ('no more', 'It is enough.', 'Stop.'), 'its message, detail and hint')
contains(error.diag.context, 'function complain()',
         'its context names the trigger')

# What is wrong with the call itself is found before there is a job.
last = job().job_id
raises(errors.UndefinedFunction, 'an unknown function', update, 'n', 'f(n)')
raises(errors.UndefinedColumn, 'an unknown column', update, 'm', '1')
raises(errors.SyntaxError, 'a syntax error', update, 'n', 'n +')
equal(job().job_id, last, 'these begin no job')

finish()
