--
-- What is set: columns by their names as they are or as SQL writes them, fields
-- and elements
--
SET bulkpar.report = off;
SET bulkpar.workers = 2;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;
CREATE TYPE place AS (city text, zip text);
CREATE TYPE address AS (street text, at place);
CREATE DOMAIN ints AS int[] CHECK (VALUE[1] IS DISTINCT FROM 13);
CREATE TABLE person (
	id int PRIMARY KEY,
	n int DEFAULT 0,
	"userName" text DEFAULT 'u',
	"first name" text,
	"na--me" int DEFAULT 0,
	"n + 1" int DEFAULT 0,
	"""q""" int DEFAULT 0,
	"tags[1]" int DEFAULT 0,
	tags int[] DEFAULT '{0,0,0}',
	matrix int[] DEFAULT '{{0,0},{0,0}}',
	special ints,
	addr address DEFAULT '(s,"(c,z)")',
	places place[] DEFAULT '{"(a,b)","(c,d)"}',
	j jsonb DEFAULT '{"a": 1, "b": {"c": 2}}'
);
INSERT INTO person (id) SELECT generate_series(1, 100);

-- a name as it is comes first, whatever is in it
SELECT rows_changed FROM bulkpar_update('person', 'userName', '"userName" || 1', 10);
SELECT rows_changed FROM bulkpar_update('person', ARRAY['first name', 'na--me', 'n + 1', '"q"', 'tags[1]'],
	ARRAY['''f''', '"na--me" + 1', '"n + 1" + 1', '"""q""" + 1', '"tags[1]" + 1'], 10);
SELECT DISTINCT "userName", "first name", "na--me", "n + 1", """q""", "tags[1]", tags FROM person;
SELECT column_names, column_targets FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;
-- otherwise it is what an UPDATE takes it for
SELECT rows_changed FROM bulkpar_update('person', '"userName"', '"userName" || 2', 10);
SELECT rows_changed FROM bulkpar_update('person', 'N', 'n + 1', 10);
SELECT rows_changed FROM bulkpar_update('person', ARRAY[' "first name" ', 'U&"\006E"', '"na--me" -- x', '/* y */ "tags[1]"'],
	ARRAY['"first name" || 2', 'n + 1', '"na--me" + 1', '"tags[1]" + 1'], 10);
SELECT DISTINCT "userName", "first name", n, "na--me", "tags[1]", tags FROM person;
SELECT column_names, column_targets FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;

-- fields and elements
SELECT rows_changed FROM bulkpar_update('person', 'addr.street', 'upper((addr).street)', 10);
SELECT rows_changed FROM bulkpar_update('person', 'addr.at.city', 'upper((addr).at.city) -- both', 10);
SELECT rows_changed FROM bulkpar_update('person', 'tags[1]' || ' ', 'id', 10);
SELECT rows_changed FROM bulkpar_update('person', 'tags[2:3]', 'ARRAY[n, id]', 10);
SELECT rows_changed FROM bulkpar_update('person', 'matrix[1][2]', '5', 10);
SELECT rows_changed FROM bulkpar_update('person', 'special[2]', '12', 10);
SELECT rows_changed FROM bulkpar_update('person', 'places[2].zip', '''e''', 10);
SELECT rows_changed FROM bulkpar_update('person', 'j[''b''][''c'']', 'to_jsonb(id)', 10);
SELECT rows_changed FROM bulkpar_update('person', E'"tags"[id % 1 -- the first\n + 1] -- one', 'tags[1] + 1', 10);
SELECT addr, "tags[1]", tags, matrix, special, places, j FROM person WHERE id IN (1, 100) ORDER BY id;
SELECT column_names, column_targets, expressions FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;
-- several of one column, in their order
SELECT rows_changed FROM bulkpar_update('person', ARRAY['"tags"[1]', 'n', '"tags"[2:3]', 'addr.at.zip', 'addr.street', 'matrix[2][1]'],
	ARRAY['-1', 'n + 1', 'ARRAY[-2, -3]', '''99''', 'NULL', 'n'], 10);
SELECT DISTINCT n, tags, addr, matrix FROM person;
-- rows that would stay the same, all assignments together
SELECT rows_changed, rows_unchanged FROM bulkpar_update('person', ARRAY['"tags"[1]', '"tags"[2]', 'addr.street', 'addr.at.zip'],
	ARRAY['-1', '-2', 'CASE WHEN id % 4 = 0 THEN ''s'' END', '''99'''], 10, skip_unchanged => true);
SELECT rows_changed, rows_unchanged FROM bulkpar_update('person', ARRAY['"tags"[1]', '"tags"[1]'], ARRAY['7', 'tags[1]'], 10,
	skip_unchanged => true);
SELECT rows_changed, rows_unchanged FROM bulkpar_execute('UPDATE person SET special[1] = 1, special[2] = 12', 10,
	skip_unchanged => true);
SELECT rows_changed, rows_unchanged FROM bulkpar_execute('UPDATE person SET special[1] = 1, special[2] = 12', 10,
	skip_unchanged => true);
SELECT addr, count(*) FROM person GROUP BY 1 ORDER BY 1;
-- they are shown
SELECT line FROM bulkpar_explain('person', ARRAY['"tags"[1]', '"tags"[2]', '"userName"'], ARRAY['1', 'id', '''x'''], condition => 'id = 1') line
	WHERE line ~ '^(Statement|Row):';
-- a job that has failed goes on with them
\set VERBOSITY terse
SELECT status FROM bulkpar_update('person', '"tags"[3]', 'tags[3] + 10 / (id - 55)', 10, 1, job_name => 'third');
SELECT status FROM bulkpar_update('person', '"tags"[2]', 'tags[3] + 10 / (id - 55)', 10, 1, job_name => 'third');
SELECT status FROM bulkpar_update('person', 'tags', 'tags[3] + 10 / (id - 55)', 10, 1, job_name => 'third');
DELETE FROM person WHERE id = 55;
SELECT status, rows_changed FROM bulkpar_update('person', '"tags"[3]', 'tags[3] + 10 / (id - 55)', 10, 1, job_name => 'third');
SELECT count(*) FROM person WHERE tags[3] = -3 + 10 / (id - 55);

\set VERBOSITY default

-- The column that is meant is the one that counts: of an index, of a trigger, of a
-- privilege, of the key, of a partition key
CREATE INDEX person_tags ON person (tags);
SELECT line FROM bulkpar_explain('person', '"tags"[1]', '1') line WHERE line LIKE 'HOT%';
SELECT line FROM bulkpar_explain('person', 'addr.street', '''s''') line WHERE line LIKE 'HOT%';
DROP INDEX person_tags;
SELECT rows_changed FROM bulkpar_update('person', '"tags"[1]', 'id', 10);
CREATE UNIQUE INDEX person_tags ON person (tags);
SELECT line FROM bulkpar_explain('person', ARRAY['"tags"[1]', '"tags"[2]', '"tags"[3]'], ARRAY['1', '2', '3'], 10, sample => true) line
	WHERE line LIKE '%index person_tags%';
DROP INDEX person_tags;
CREATE TABLE fired (what text);
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	INSERT INTO fired VALUES (TG_ARGV[0]); RETURN NEW; END$$;
CREATE TRIGGER addr BEFORE UPDATE OF addr ON person FOR EACH ROW EXECUTE FUNCTION fire('addr');
CREATE TRIGGER tags BEFORE UPDATE OF tags ON person FOR EACH ROW EXECUTE FUNCTION fire('tags');
SELECT rows_changed FROM bulkpar_update('person', 'addr.street', '''t''', 10);
SELECT what, count(*) FROM fired GROUP BY 1;
CREATE ROLE regress_columns_somebody;
GRANT SELECT, UPDATE (addr) ON person TO regress_columns_somebody;
GRANT INSERT ON fired TO regress_columns_somebody;
SET ROLE regress_columns_somebody;
SELECT rows_changed FROM bulkpar_update('person', 'addr.street', '''v''', 10);
\set VERBOSITY sqlstate
\set message '\\echo :LAST_ERROR_MESSAGE'
SELECT bulkpar_update('person', '"tags"[1]', '1'); :message
RESET ROLE;
CREATE TABLE by_array (id int[] PRIMARY KEY, n int);
SELECT bulkpar_update('by_array', 'id[1]', '1'); :message
SELECT bulkpar_update('by_array', '"id"', '''{}'''); :message
CREATE TABLE parted (id int PRIMARY KEY, a address) PARTITION BY HASH (id);
CREATE TABLE parted_by (id int, a int[], n int) PARTITION BY LIST (a);
CREATE TABLE parted_by_1 PARTITION OF parted_by (PRIMARY KEY (id)) FOR VALUES IN ('{1}');
SELECT bulkpar_update('parted', '"id"', '1'); :message
SELECT bulkpar_update('parted_by', 'a[1]', '1'); :message
-- not what an UPDATE takes
SELECT bulkpar_update('person', '"nothing"', '1'); :message
SELECT bulkpar_update('person', 'nothing[1]', '1'); :message
SELECT bulkpar_update('person', 'addr.nothing', '1'); :message
SELECT bulkpar_update('person', 'n[1]', '1'); :message
SELECT bulkpar_update('person', 'n.a', '1'); :message
SELECT bulkpar_update('person', 'addr.*', '1'); :message
SELECT bulkpar_update('person', '"tags"[1]', 'DEFAULT'); :message
SELECT bulkpar_update('person', '(n)', '1'); :message
SELECT bulkpar_update('person', '(n, tags)', '(1, 2)'); :message
SELECT bulkpar_update('person', 'n = 1, tags', '1'); :message
SELECT bulkpar_update('person', 'n = n', '1'); :message
SELECT bulkpar_update('person', 'n = DEFAULT WHERE true OR n', '1'); :message
SELECT bulkpar_update('person', 'n = DEFAULT FROM fired WHERE n', '1'); :message
SELECT bulkpar_update('person', 'n = DEFAULT RETURNING n', '1'); :message
SELECT bulkpar_update('person', 'addr.street = DEFAULT RETURNING n', '1'); :message
SELECT bulkpar_update('person', 'n = DEFAULT --', '1'); :message
SELECT bulkpar_update('person', 'n = DEFAULT; UPDATE person SET n', '1'); :message
SELECT bulkpar_update('person', 'n /*', '1'); :message
SELECT bulkpar_update('person', '"n', '1'); :message
SELECT bulkpar_update('person', 'last name', '1'); :message
SELECT bulkpar_update('person', '"tags"[$1]', '1'); :message
SELECT bulkpar_update('person', '"tags"[fired.what]', '1'); :message
SELECT bulkpar_update('person', '1', '1'); :message
SELECT bulkpar_update('person', ARRAY['n', '"n"'], ARRAY['1', '2']); :message
SELECT bulkpar_update('person', ARRAY['tags', '"tags"[1]'], ARRAY['''{}''', '2']); :message
SELECT bulkpar_update('person', ARRAY['addr.street', 'addr'], ARRAY['''x''', 'NULL']); :message
-- a check of the domain, in the worker
SELECT bulkpar_update('person', ARRAY['special[2]', 'special[1]'], ARRAY['0', '13']); :message
SELECT count(*) FROM person WHERE special[1] = 13;

-- a list as a text, as some client libraries send it
SELECT rows_changed FROM bulkpar_update('person', '{n,first name}', '{n + 0,"''x'' || n"}');
SELECT bulkpar_update('person', '{n}', 'n + 1'); :message
SELECT bulkpar_update('person', '{n}', '{n + 1,2}'); :message
SELECT bulkpar_update('person', '{{n}}', '{{n + 1}}'); :message

DROP TABLE person, fired, by_array, parted, parted_by;
DROP DOMAIN ints;
DROP TYPE address, place;
DROP FUNCTION fire();
DROP ROLE regress_columns_somebody;
