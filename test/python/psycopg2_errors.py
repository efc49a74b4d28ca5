"""Errors of a job's workers as exceptions of psycopg2."""
from lib.tap import connect, contains, equal, finish, make_table, raises
from psycopg2 import errors

connection = connect()
cursor = connection.cursor()
make_table(cursor, 'item', 1000)
cursor.execute('ALTER TABLE item ADD CONSTRAINT small CHECK (n < 5),'
               ' ADD code integer UNIQUE')
cursor.execute('DROP DOMAIN IF EXISTS tiny')
cursor.execute('CREATE DOMAIN tiny AS integer CONSTRAINT below CHECK (VALUE < 5)')
cursor.execute('''
    CREATE OR REPLACE FUNCTION complain() RETURNS trigger
    LANGUAGE plpgsql AS $$
    BEGIN
        RAISE 'no more' USING DETAIL = 'It is enough.', HINT = 'Stop.',
            SCHEMA = 'here', TABLE = 'this', COLUMN = 'that',
            DATATYPE = 'of a kind', CONSTRAINT = 'as said';
    END $$''')


def update(column, expression):
    cursor.execute('SELECT bulkpar_update(%s, %s, %s, 100, 2)',
                   ('item', column, expression))


def names(error):
    diag = error.diag
    return (diag.schema_name, diag.table_name, diag.column_name,
            diag.datatype_name, diag.constraint_name)


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
equal(names(error), ('public', 'item', None, None, 'small'), 'its names')

error = raises(errors.UniqueViolation, 'a violated unique constraint',
               update, 'code', 'id % 999')
contains(error.diag.message_detail, 'Key (code)=(1) already exists.',
         'its detail')
equal(names(error), ('public', 'item', None, None, 'item_code_key'),
      'its names')
for table in ('jobs', 'chunks'):
    cursor.execute('SELECT schema_name, table_name, column_name, datatype_name,'
                   f' constraint_name FROM bulkpar_{table} WHERE job_id = %s'
                   ' AND sqlstate IS NOT NULL', (job().job_id,))
    equal(tuple(cursor.fetchone()), names(error), f'they are in bulkpar_{table}')

error = raises(errors.NotNullViolation, 'a violated NOT NULL',
               update, 'n', 'NULL')
equal(names(error), ('public', 'item', 'n', None, None), 'its names')
error = raises(errors.CheckViolation, 'a violated domain',
               update, 'n', '(id / 100)::tiny')
equal(names(error), ('public', None, None, 'tiny', 'below'), 'its names')
raises(errors.InvalidTextRepresentation, 'a value that is no number',
       update, 'n', 'name::integer')

cursor.execute('CREATE TRIGGER complain BEFORE UPDATE ON item'
               ' FOR EACH ROW EXECUTE FUNCTION complain()')
error = raises(errors.RaiseException, 'a trigger that raises',
               update, 'n', 'n')
equal((error.diag.message_primary, error.diag.message_detail,
       error.diag.message_hint),
      ('no more', 'It is enough.', 'Stop.'), 'its message, detail and hint')
equal(names(error), ('here', 'this', 'that', 'of a kind', 'as said'),
      'its names')
contains(error.diag.context, 'function complain()',
         'its context names the trigger')

# What is wrong with the call itself is found before there is a job.
last = job().job_id
raises(errors.UndefinedFunction, 'an unknown function', update, 'n', 'f(n)')
raises(errors.UndefinedColumn, 'an unknown column', update, 'm', '1')
raises(errors.SyntaxError, 'a syntax error', update, 'n', 'n +')
equal(job().job_id, last, 'these begin no job')

finish()
