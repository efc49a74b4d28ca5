--
-- What bad input gets, and what becomes of errors in a worker
--
SET bulkpar.report = off;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;

CREATE TABLE item (
	id int PRIMARY KEY,
	n int NOT NULL DEFAULT 0,
	name text,
	doubled int GENERATED ALWAYS AS (n * 2) STORED,
	serial_no int GENERATED ALWAYS AS IDENTITY,
	gone int
);
ALTER TABLE item DROP gone;
INSERT INTO item (id, name) SELECT g, 'item ' || g FROM generate_series(1, 100) g;

-- that nothing has changed and no job was made
CREATE VIEW damage AS SELECT
	(SELECT count(*) FROM item WHERE n <> 0 OR name <> 'item ' || id) AS rows_changed,
	(SELECT count(*) FROM item WHERE xmin <> (SELECT i.xmin FROM item i WHERE id = 1)) AS versions,
	(SELECT count(*) FROM bulkpar.bulkpar_job) AS jobs;

-- Show the SQLSTATE and the message, which is what :message adds.
\set VERBOSITY sqlstate
\set message '\\echo :LAST_ERROR_MESSAGE'

--
-- names and types
--
SELECT bulkpar_update('nowhere', 'n', '1'); :message
SELECT bulkpar_update(4294967295::oid::regclass, 'n', '1'); :message
SELECT bulkpar_update(0::oid::regclass, 'n', '1'); :message
SELECT bulkpar_update('item', 'nothing', '1'); :message
SELECT bulkpar_update('item', 'gone', '1'); :message
SELECT bulkpar_update('item', 'n = 1, name', '1'); :message
SELECT bulkpar_update('item', 'item.n', '1'); :message
SELECT bulkpar_update('item', 'n', 'nothing'); :message
SELECT bulkpar_update('item', 'n', 'other.n'); :message
SELECT bulkpar_update('item', 'n', 'no_such_function(n)'); :message
SELECT bulkpar_update('item', 'n', 'upper(n)'); :message
SELECT bulkpar_update('item', 'n', 'n @#@ 1'); :message
SELECT bulkpar_update('item', 'n', 'n::no_such_type'); :message
SELECT bulkpar_update('item', 'n', 'name'); :message
SELECT bulkpar_update('item', 'n', 'now()'); :message
SELECT bulkpar_update('item', 'n', '''one'''); :message
SELECT bulkpar_update('item', 'n', '1', condition => 'nothing'); :message
SELECT bulkpar_update('item', 'n', '1', condition => 'n'); :message
SELECT bulkpar_update('item', 'n', '1', condition => 'name || ''x'''); :message
SELECT bulkpar_update('item', 'n', '1', condition => 'DEFAULT'); :message
SELECT * FROM damage;

--
-- arguments
--
SELECT bulkpar_update(NULL, 'n', '1'); :message
SELECT bulkpar_update('item', NULL::text, '1'); :message
SELECT bulkpar_update('item', 'n', NULL); :message
SELECT bulkpar_update('item', '', '1'); :message
SELECT bulkpar_update('item', 'n', ''); :message
SELECT bulkpar_update('item', 'n', E' \t\n'); :message
SELECT bulkpar_update('item', 'n', '-- nothing'); :message
SELECT bulkpar_update('item', 'n', '/* nothing */'); :message
SELECT bulkpar_update('item', 'n', '1', condition => ''); :message
SELECT bulkpar_update('item', 'n', '1', condition => '  '); :message
SELECT bulkpar_update('item', 'n', '1', NULL); :message
SELECT bulkpar_update('item', 'n', '1', 0); :message
SELECT bulkpar_update('item', 'n', '1', -1); :message
SELECT bulkpar_update('item', 'n', '1', 1000001); :message
SELECT bulkpar_update('item', 'n', '1', 2147483647); :message
SELECT bulkpar_update('item', 'n', '1', 3000000000); :message
SELECT bulkpar_update('item', 'n', '1', workers => 0); :message
SELECT bulkpar_update('item', 'n', '1', workers => -1); :message
SELECT bulkpar_update('item', 'n', '1', workers => 1025); :message
SELECT bulkpar_update('item', 'n', '1', workers => 2147483647); :message
SET bulkpar.workers = -1; :message
SET bulkpar.workers = 1025; :message
SET bulkpar.progress_interval = -1;
SET bulkpar.no_such_setting = 1; :message
SELECT bulkpar_update('item', ARRAY['n', 'name'], ARRAY['1']); :message
SELECT bulkpar_update('item', ARRAY['n'], ARRAY['1', '2']); :message
SELECT bulkpar_update('item', '{}'::text[], '{}'); :message
SELECT bulkpar_update('item', NULL::text[], ARRAY['1']); :message
SELECT bulkpar_update('item', ARRAY['n'], NULL); :message
SELECT bulkpar_update('item', ARRAY['n', NULL], ARRAY['1', '1']); :message
SELECT bulkpar_update('item', ARRAY['n', 'name'], ARRAY['1', NULL]); :message
SELECT bulkpar_update('item', ARRAY['n', ''], ARRAY['1', '1']); :message
SELECT bulkpar_update('item', ARRAY['n', 'name'], ARRAY['1', ' ']); :message
SELECT bulkpar_update('item', ARRAY[['n', 'name']], ARRAY[['1', '''x''']]); :message
SELECT bulkpar_update('item', ARRAY['n', 'name', 'n'], ARRAY['1', '''x''', '2']); :message
SELECT bulkpar_update('item', 'n', '1', no_such_argument => 1); :message
SELECT * FROM damage;

--
-- columns that cannot be set
--
SELECT bulkpar_update('item', 'doubled', '1'); :message
SELECT bulkpar_update('item', 'serial_no', '1'); :message
SELECT bulkpar_update('item', 'xmin', '1'); :message
SELECT bulkpar_update('item', 'ctid', 'ctid'); :message
SELECT bulkpar_update('item', 'tableoid', '1'); :message
SELECT bulkpar_update('item', 'id', 'id + 1'); :message
SELECT bulkpar_update('item', ARRAY['n', 'id'], ARRAY['1', 'id']); :message
-- a name that is cut to that of the key column
CREATE TABLE item_long (n int, a123456789b123456789c123456789d123456789e123456789f123456789abc int PRIMARY KEY);
INSERT INTO item_long SELECT 0, generate_series(1, 10);
SELECT bulkpar_update('item_long', 'a123456789b123456789c123456789d123456789e123456789f123456789abcd',
	'a123456789b123456789c123456789d123456789e123456789f123456789abc + 5', 5);
SELECT count(*) FROM bulkpar.bulkpar_job;
SELECT * FROM damage;

--
-- expressions and conditions that are not one expression
--
SELECT bulkpar_update('item', 'n', '1 /*'); :message
SELECT bulkpar_update('item', 'n', '1), name = (''x'''); :message
SELECT bulkpar_update('item', 'n', '1) WHERE (true'); :message
SELECT bulkpar_update('item', 'n', '1; DROP TABLE item'); :message
SELECT bulkpar_update('item', 'n', '1;'); :message
SELECT bulkpar_update('item', 'n', '1); DROP TABLE item; --'); :message
SELECT bulkpar_update('item', 'name', 'upper(name) FROM item'); :message
SELECT bulkpar_update('item', 'n', '1 WHERE true'); :message
SELECT bulkpar_update('item', 'n', '1, 2'); :message
SELECT bulkpar_update('item', 'n', '(1, 2)'); :message
SELECT bulkpar_update('item', 'n', '1 AS n'); :message
SELECT bulkpar_update('item', 'n', '1 n'); :message
SELECT bulkpar_update('item', 'n', '*'); :message
SELECT bulkpar_update('item', 'n', 'item.*'); :message
SELECT bulkpar_update('item', 'n', '(item).*'); :message
SELECT bulkpar_update('item', 'n', 'DISTINCT 1'); :message
SELECT bulkpar_update('item', 'n', 'ALL 1'); :message
SELECT bulkpar_update('item', 'n', '1 INTO other'); :message
SELECT bulkpar_update('item', 'n', '1 GROUP BY n'); :message
SELECT bulkpar_update('item', 'n', '1 GROUP BY ()'); :message
SELECT bulkpar_update('item', 'n', '1 HAVING true'); :message
SELECT bulkpar_update('item', 'n', '1 WINDOW w AS ()'); :message
SELECT bulkpar_update('item', 'n', '1 ORDER BY 1'); :message
SELECT bulkpar_update('item', 'n', '1 LIMIT 1'); :message
SELECT bulkpar_update('item', 'n', '1 LIMIT ALL'); :message
SELECT bulkpar_update('item', 'n', '1 OFFSET 0'); :message
SELECT bulkpar_update('item', 'n', '1 FOR UPDATE'); :message
SELECT bulkpar_update('item', 'n', '1 UNION SELECT 2'); :message
SELECT bulkpar_update('item', 'n', 'SELECT 1'); :message
SELECT bulkpar_update('item', 'n', 'VALUES (1)'); :message
SELECT bulkpar_update('item', 'n', '$1'); :message
SELECT bulkpar_update('item', 'n', 'n + (SELECT $2)'); :message
SELECT bulkpar_update('item', 'n', ':n'); :message
SELECT bulkpar_update('item', 'name', '''open'); :message
SELECT bulkpar_update('item', 'name', '$$open'); :message
SELECT bulkpar_update('item', 'name', '"open'); :message
SELECT bulkpar_update('item', 'n', 'count(*)'); :message
SELECT bulkpar_update('item', 'n', 'sum(n) + 1'); :message
SELECT bulkpar_update('item', 'n', 'row_number() OVER ()'); :message
SELECT bulkpar_update('item', 'n', 'generate_series(1, 2)'); :message
SELECT bulkpar_update('item', 'n', '(SELECT n, 1)'); :message
SELECT bulkpar_update('item', 'n', 'DEFAULT + 1'); :message
SELECT bulkpar_update('item', 'n', '1', condition => 'true) OR (true'); :message
SELECT bulkpar_update('item', 'n', '1', condition => 'true RETURNING *'); :message
SELECT bulkpar_update('item', 'n', '1', condition => 'true; DROP TABLE item'); :message
SELECT bulkpar_update('item', 'n', '1', condition => 'true, true'); :message
SELECT bulkpar_update('item', 'n', '1', condition => 'true AS n'); :message
SELECT bulkpar_update('item', 'n', '1', condition => 'count(*) > 0'); :message
SELECT bulkpar_update('item', 'n', '1', condition => 'n = $1'); :message
SELECT bulkpar_update('item', 'n', '1', condition => 'CURRENT OF c'); :message
SELECT bulkpar_update('item', 'n', '1', condition => 'generate_series(1, 2) = 1'); :message
SELECT * FROM damage;

--
-- temporary objects of this session, which a worker does not see: it would find
-- nothing, or another object of that name
--
CREATE TABLE lookup AS SELECT 1 AS n;
CREATE TEMPORARY TABLE lookup AS SELECT 2 AS n;
CREATE FUNCTION pg_temp.lookup() RETURNS int LANGUAGE sql AS 'SELECT 2';
SELECT bulkpar_update('item', 'n', '(SELECT n FROM lookup)');
SELECT bulkpar_update('item', 'n', '1', condition => 'EXISTS (SELECT FROM pg_temp.lookup)');
SELECT bulkpar_update('item', 'n', 'pg_temp.lookup()');
SELECT * FROM damage;
DROP FUNCTION pg_temp.lookup();
DROP TABLE pg_temp.lookup, public.lookup;

--
-- relations that are not a plain table
--
CREATE VIEW item_view AS SELECT * FROM item;
CREATE MATERIALIZED VIEW item_matview AS SELECT * FROM item;
CREATE TEMPORARY TABLE item_temp (id int PRIMARY KEY, n int);
CREATE TABLE item_part (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
CREATE TABLE item_part_1 PARTITION OF item_part FOR VALUES FROM (1) TO (10);
CREATE TABLE item_parent (id int PRIMARY KEY, n int);
CREATE TABLE item_child () INHERITS (item_parent);
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nothing FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE item_foreign (id int, n int) SERVER nothing;
CREATE TABLE item_rule (id int PRIMARY KEY, n int);
CREATE RULE nothing AS ON UPDATE TO item_rule DO INSTEAD NOTHING;
SELECT bulkpar_update('item_view', 'n', '1'); :message
SELECT bulkpar_update('item_matview', 'n', '1'); :message
SELECT bulkpar_update('item_temp', 'n', '1'); :message
SELECT bulkpar_update('item_parent', 'n', '1'); :message
SELECT bulkpar_update('item_foreign', 'n', '1'); :message
SELECT bulkpar_update('item_rule', 'n', '1'); :message
SELECT bulkpar_update('item_serial_no_seq', 'last_value', '1'); :message
SELECT bulkpar_update('item_pkey', 'id', '1'); :message
SELECT bulkpar_update('pg_class', 'relname', 'relname'); :message
SELECT bulkpar_update('pg_catalog.pg_description', 'description', '''x'''); :message
SELECT bulkpar_update('information_schema.sql_features', 'comments', '''x'''); :message
SELECT reltoastrelid::regclass AS toast FROM pg_class WHERE oid = 'item'::regclass \gset
SELECT bulkpar_update(:'toast', 'chunk_seq', '1');
SELECT * FROM damage;

--
-- no unique index to follow
--
CREATE TABLE item_key (a int, b int NOT NULL, c int GENERATED ALWAYS AS (1) STORED NOT NULL, n int);
INSERT INTO item_key VALUES (1, 1, DEFAULT, 0), (2, 2, DEFAULT, 0);
SELECT bulkpar_update('item_key', 'n', '1'); :message
CREATE INDEX ON item_key (b);
CREATE UNIQUE INDEX ON item_key (a);
CREATE UNIQUE INDEX ON item_key (b, a);
CREATE UNIQUE INDEX ON item_key ((b + 1));
CREATE UNIQUE INDEX ON item_key (b) WHERE b > 0;
SELECT bulkpar_update('item_key', 'n', '1'); :message
-- an index that could not be built
CREATE UNIQUE INDEX CONCURRENTLY item_key_c ON item_key (c);
SELECT indisvalid FROM pg_index WHERE indexrelid = 'item_key_c'::regclass;
SELECT bulkpar_update('item_key', 'n', '1'); :message
SELECT sum(n) FROM item_key;
SELECT * FROM damage;

--
-- transaction blocks and the like
--
BEGIN;
SELECT bulkpar_update('item', 'n', '1'); :message
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT bulkpar_update('item', 'n', '1');
ROLLBACK;
\set AUTOCOMMIT off
SELECT bulkpar_update('item', 'n', '1'); :message
ROLLBACK;
\set AUTOCOMMIT on
-- two statements that are sent together
SELECT 1\; SELECT bulkpar_update('item', 'n', '1'); :message
-- an open subtransaction
DO $$ BEGIN
	PERFORM bulkpar_update('item', 'n', '1');
EXCEPTION WHEN division_by_zero THEN
	NULL;
END $$; :message
-- a transaction that has changed something
DO $$ BEGIN
	CREATE TABLE created_before ();
	PERFORM bulkpar_update('item', 'n', '1');
END $$; :message
CREATE TABLE created_as AS SELECT * FROM bulkpar_update('item', 'n', '1'); :message
-- a lock that the workers would wait for
DO $$ BEGIN
	LOCK TABLE item IN ACCESS SHARE MODE;
	PERFORM bulkpar_update('item', 'n', '1');
END $$; :message
SELECT bulkpar_update('item', 'n', '1') FROM item WHERE id = 1; :message
-- read-only sessions
SET default_transaction_read_only = on;
SELECT bulkpar_update('item', 'n', '1'); :message
RESET default_transaction_read_only;
-- a security-restricted operation: ANALYZE of an index on an expression
CREATE TABLE other (id int PRIMARY KEY, n int);
INSERT INTO other VALUES (1, 0), (2, 0);
CREATE FUNCTION call_it(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
CREATE INDEX other_call_it ON other (call_it(id));
CREATE OR REPLACE FUNCTION call_it(int) RETURNS int IMMUTABLE LANGUAGE plpgsql SET search_path = public AS
	$$ BEGIN PERFORM bulkpar_update('item', 'n', '1'); RETURN 1; END $$;
ANALYZE other; :message
DROP INDEX other_call_it;
-- a trigger
CREATE FUNCTION call_it() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN PERFORM bulkpar_update('item', 'n', '1'); RETURN NULL; END $$;
CREATE TRIGGER call_it AFTER UPDATE ON other FOR EACH ROW EXECUTE FUNCTION call_it();
UPDATE other SET n = 1; :message
-- one call for each column of the result
SELECT (bulkpar_update('item', 'n', '1')).*; :message
CREATE TABLE result OF bulkpar_result;
INSERT INTO result SELECT (bulkpar_update('item', 'n', '1')).*; :message
DO $$ DECLARE r bulkpar_result; BEGIN
	SELECT (bulkpar_update('item', 'n', '1')).* INTO r;
END $$; :message
DROP TABLE result;
SELECT * FROM damage;
SELECT backend_type FROM pg_stat_activity WHERE datname = current_database() AND backend_type LIKE 'bulkpar%';

--
-- Errors in a worker
--
-- The chunks depend on what is known of a table, so all is known from the start.
-- The batches before the one that fails stay.  The batch that fails is undone
-- as a whole, and the error tells where that was.
--
\set VERBOSITY default
\set sqlstate '\\echo SQLSTATE :LAST_ERROR_SQLSTATE'
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;
CREATE TABLE work (
	id int PRIMARY KEY,
	n int NOT NULL DEFAULT 0 CHECK (n < 10),
	code int UNIQUE,
	owner int REFERENCES other,
	later int UNIQUE DEFERRABLE INITIALLY DEFERRED,
	n_plus int
);
INSERT INTO work (id, code, later) SELECT g, g, g FROM generate_series(1, 100) g;
SELECT pg_stat_force_next_flush() \g /dev/null
ANALYZE work;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id = 55 AND NEW.n_plus = 1 THEN
		RAISE EXCEPTION 'row % refused', NEW.id
			USING DETAIL = 'It has a "detail".', HINT = 'And a hint: 100%.', ERRCODE = 'ZZ001';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON work FOR EACH ROW EXECUTE FUNCTION refuse();

-- how far the last job got
CREATE VIEW last_job AS
	SELECT j.status, j.sqlstate, j.message IS NOT NULL AS message, c.last_key, c.status AS chunk,
		c.sqlstate AS chunk_sqlstate, c.rows_changed, c.batches
	FROM bulkpar.bulkpar_job j LEFT JOIN bulkpar.bulkpar_chunk c USING (job_id)
	WHERE job_id = (SELECT max(job_id) FROM bulkpar.bulkpar_job) ORDER BY chunk_no;

-- division by zero
SELECT bulkpar_update('work', 'n', '1 + 0 / (id - 55)', 10, 1); :sqlstate
SELECT n, count(*), min(id), max(id) FROM work GROUP BY n ORDER BY n;
SELECT * FROM last_job;
-- in the first batch
SELECT bulkpar_update('work', 'n', '2', 10, 1, '1 / (id - 1) >= 0'); :sqlstate
-- CHECK, NOT NULL, unique, foreign key
SELECT bulkpar_update('work', 'n', 'CASE id WHEN 55 THEN 10 ELSE 3 END', 10, 1); :sqlstate
SELECT bulkpar_update('work', 'n', 'nullif(id % 10, 5)', 10, 1, 'id > 50'); :sqlstate
SELECT bulkpar_update('work', 'code', 'CASE id WHEN 55 THEN 1 ELSE code END', 10, 1); :sqlstate
SELECT bulkpar_update('work', 'owner', 'CASE id WHEN 55 THEN 3 ELSE 1 END', 10, 1); :sqlstate
-- a deferred constraint, which is looked at when the batch commits
SELECT bulkpar_update('work', 'later', 'CASE id WHEN 55 THEN 56 ELSE later END', 10, 1); :sqlstate
-- a trigger
SELECT bulkpar_update('work', 'n_plus', '1', 10, 1); :sqlstate
-- a conversion, in an expression that only the worker can evaluate
SELECT bulkpar_update('work', 'n', '(id::text || CASE id WHEN 55 THEN ''x'' ELSE '''' END)::int % 5', 10, 1); :sqlstate
-- each stopped at the same row
SELECT n_plus, owner, count(*), max(id) FROM work GROUP BY 1, 2 ORDER BY 1, 2;
SELECT job_id, status, sqlstate, message, rows_changed FROM bulkpar.bulkpar_job
	JOIN bulkpar_progress USING (job_id, status) ORDER BY job_id;
-- several workers: the first error stops them all
CREATE TABLE many (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
INSERT INTO many SELECT generate_series(1, 5000);
SELECT pg_stat_force_next_flush() \g /dev/null
ANALYZE many;
SELECT bulkpar_update('many', 'n', 'n + 1 + 0 / (id - 2001)', 10, 3); :sqlstate
SELECT j.status, sum(n) = sum(c.rows) AS as_noted, bool_and(n <= 1) AS at_most_once, sum(n) < 4990 AS stopped
	FROM many, bulkpar.bulkpar_job j, (SELECT job_id, sum(rows_changed) / 5000.0 AS rows FROM bulkpar.bulkpar_chunk GROUP BY 1) c
	WHERE j.job_id = (SELECT max(job_id) FROM bulkpar.bulkpar_job) AND c.job_id = j.job_id GROUP BY 1;
-- a composite key
CREATE TABLE pairs (tenant int, code text, n int, PRIMARY KEY (tenant, code));
INSERT INTO pairs SELECT g / 10, 'c ' || g % 10, 0 FROM generate_series(0, 49) g;
SELECT pg_stat_force_next_flush() \g /dev/null
ANALYZE pairs;
SELECT bulkpar_update('pairs', 'n', '1 / (tenant * 10 + right(code, 1)::int - 35)', 4, 1); :sqlstate
-- the time limit of the caller, which leaves a slow machine time to begin
SET statement_timeout = '3s';
SELECT bulkpar_update('work', 'n', 'CASE WHEN pg_sleep(100) IS NULL THEN 1 ELSE 2 END', 10, 1); :sqlstate
RESET statement_timeout;
SELECT * FROM last_job;
-- nothing is left running
SELECT backend_type FROM pg_stat_activity WHERE datname = current_database() AND backend_type LIKE 'bulkpar%';
SELECT count(*) FROM pg_locks WHERE relation IN ('work'::regclass, 'many'::regclass);
-- and the next job succeeds
SELECT status, rows_changed FROM bulkpar_update('work', 'n', '0', 10, 2);

--
-- the names of schema, table, column, data type and constraint
--
CREATE SCHEMA errors;
CREATE DOMAIN errors.small AS int CONSTRAINT small_check CHECK (VALUE < 5);
CREATE TABLE errors.named (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, code int CONSTRAINT one_each UNIQUE);
INSERT INTO errors.named (id, code) SELECT g, g FROM generate_series(1, 100) g;
ANALYZE errors.named;
SELECT bulkpar_update('errors.named', 'code', 'CASE id WHEN 55 THEN 1 ELSE code END', 10, 1);
\errverbose
SELECT bulkpar_update('errors.named', 'n', 'nullif(id, 55)', 10, 1, stripes => 1);
\errverbose
SELECT bulkpar_update('errors.named', 'n', '(id % 6)::errors.small', 10, 1, stripes => 1);
\errverbose
-- in the rows of the job, its chunk and the rows that were skipped
SELECT bulkpar_update('errors.named', 'code', '1', 10, 1, 'id > 1', on_error => 'skip', max_errors => 3);
\errverbose
CREATE VIEW names AS
	SELECT 'job' AS kept, job_id, sqlstate, schema_name, table_name, column_name, datatype_name, constraint_name FROM bulkpar_jobs
	UNION ALL SELECT 'chunk', job_id, sqlstate, schema_name, table_name, column_name, datatype_name, constraint_name
	FROM bulkpar_chunks WHERE status = 'failed'
	UNION ALL SELECT 'row', job_id, sqlstate, schema_name, table_name, column_name, datatype_name, constraint_name FROM bulkpar_errors;
SELECT * FROM names WHERE job_id > 13 ORDER BY job_id, kept;
SELECT DISTINCT c.detail IS NOT DISTINCT FROM j.detail AND c.context = j.context AND c.hint IS NULL AND j.hint IS NULL AS the_same
	FROM bulkpar_chunks c JOIN bulkpar_jobs j USING (job_id) WHERE c.status = 'failed' AND job_id > 13;
-- they are forgotten when the job goes on
UPDATE errors.named SET code = -id WHERE id = 1;
SELECT status, rows_changed FROM bulkpar_resume(14);
SELECT * FROM names WHERE job_id = 14;

SET client_min_messages = warning;
DROP VIEW names;
DROP SCHEMA errors CASCADE;
DROP VIEW damage, last_job, item_view;
DROP MATERIALIZED VIEW item_matview;
DROP TABLE item, item_temp, item_part, item_parent, item_child, item_rule, item_key, item_long, work, other, many, pairs;
DROP FOREIGN DATA WRAPPER nothing CASCADE;
DROP FUNCTION call_it(int), call_it(), refuse();
