--
-- Errors that are of a row although their class is that of a wrong statement, and
-- errors that are not
--
SET bulkpar.report = off;
SET client_min_messages = warning;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;
CREATE ROLE regress_rowerrors_owner;
CREATE TABLE item (id int PRIMARY KEY, n int DEFAULT 0, name text, oid oid);
INSERT INTO item SELECT g, 0, CASE WHEN g % 25 = 0 THEN 'nothing' ELSE 'item' END FROM generate_series(1, 100) g;
ALTER TABLE item OWNER TO regress_rowerrors_owner;
CREATE VIEW failed AS SELECT sqlstate, count(*), min(key[1]::int), max(key[1]::int), min(message) AS message FROM bulkpar_errors
	WHERE job_id = (SELECT max(job_id) FROM bulkpar_jobs) GROUP BY 1 ORDER BY 1;
\set VERBOSITY terse

-- values that name something
SELECT rows_changed, rows_failed FROM bulkpar_update('item', 'oid', 'name::regclass', 10, 2, on_error => 'skip');
SELECT * FROM failed;
SELECT rows_changed, rows_failed FROM bulkpar_update('item', 'oid', '(''nowhere.''||name)::regclass', 10, 2, on_error => 'skip',
	condition => 'id <= 5 OR id > 98');
SELECT * FROM failed;
SELECT rows_changed, rows_failed FROM bulkpar_update('item', 'oid', '(CASE name WHEN ''item'' THEN ''int4'' ELSE name END)::regtype',
	10, 2, on_error => 'skip');
SELECT * FROM failed;
SELECT rows_changed, rows_failed FROM bulkpar_update('item', 'oid',
	'(CASE name WHEN ''item'' THEN ''length'' ELSE name END || ''(text)'')::regprocedure', 10, 2, on_error => 'skip');
SELECT * FROM failed;
SELECT rows_changed, rows_failed FROM bulkpar_update('item', 'oid', 'CASE name WHEN ''item'' THEN 1::oid ELSE name::regrole END',
	10, 2, on_error => 'skip');
SELECT * FROM failed;
-- values that have a syntax
SELECT rows_changed, rows_failed FROM bulkpar_update('item', 'n', 'numnode(to_tsquery(''simple'', CASE name WHEN ''item'' THEN ''a & b'' ELSE ''a &'' END))',
	10, 2, on_error => 'skip');
SELECT * FROM failed;
-- a policy, which a new row violates
ALTER TABLE item ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON item USING (true) WITH CHECK (n < 90);
SET ROLE regress_rowerrors_owner;
SELECT rows_changed, rows_failed FROM bulkpar_update('item', 'n', 'id', 10, 2, on_error => 'skip');
RESET ROLE;
SELECT * FROM failed;
SELECT count(*) FROM item WHERE n = id;
ALTER TABLE item DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
-- at COMMIT
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	IF NEW.id % 50 = 0 THEN RAISE insufficient_privilege USING MESSAGE = 'not this one'; END IF; RETURN NEW; END$$;
CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON item DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT rows_changed, rows_failed FROM bulkpar_update('item', 'n', '1', 10, 2, on_error => 'skip');
SELECT * FROM failed;
DROP TRIGGER refuse ON item;

-- keys whose comparison looks into the catalogs
CREATE TYPE pair AS (a int, b text);
CREATE TYPE size AS ENUM ('small', 'large');
ALTER TYPE size ADD VALUE 'medium' BEFORE 'large';
CREATE TABLE by_pair AS SELECT ROW(g % 5, 'a,' || g)::pair AS k, g AS n FROM generate_series(1, 50) g;
ALTER TABLE by_pair ADD PRIMARY KEY (k);
CREATE TABLE by_pairs AS SELECT ARRAY[k, NULL] AS k, n FROM by_pair;
ALTER TABLE by_pairs ADD PRIMARY KEY (k);
CREATE TABLE by_size AS SELECT s, r, 10 * (row_number() OVER (ORDER BY s, r))::int AS n FROM unnest(enum_range(NULL::size)) s, generate_series(1, 2) r;
ALTER TABLE by_size ADD PRIMARY KEY (s, r);
SELECT rows_changed, rows_failed FROM bulkpar_update('by_pair', 'n', '100 / (n % 10)', 7, 2, on_error => 'skip');
SELECT sqlstate, key FROM bulkpar_errors WHERE job_id = (SELECT max(job_id) FROM bulkpar_jobs) ORDER BY key;
SELECT rows_changed, rows_failed FROM bulkpar_update('by_pairs', 'n', '100 / (n % 10)', 7, 2, on_error => 'skip');
SELECT sqlstate, key FROM bulkpar_errors WHERE job_id = (SELECT max(job_id) FROM bulkpar_jobs) ORDER BY key;
SELECT rows_changed, rows_failed FROM bulkpar_update('by_size', 'n', '100 / (n - 40)', 7, 2, on_error => 'skip');
SELECT sqlstate, key FROM bulkpar_errors WHERE job_id = (SELECT max(job_id) FROM bulkpar_jobs) ORDER BY key;

-- What is wrong for all rows stops the job at once, also while it runs
CREATE FUNCTION missing() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	IF NEW.id > 20 THEN NEW.n := no_such_function(NEW.n); END IF; RETURN NEW; END$$;
CREATE TRIGGER missing BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION missing();
SELECT rows_changed FROM bulkpar_update('item', 'n', '2', 10, 1, on_error => 'skip'); \echo :LAST_ERROR_SQLSTATE
SELECT * FROM failed;
SELECT n, count(*) FROM item WHERE n = 2 GROUP BY 1;
CREATE OR REPLACE FUNCTION missing() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	IF NEW.id > 20 THEN NEW.gone := 1; END IF; RETURN NEW; END$$;
SELECT rows_changed FROM bulkpar_update('item', 'n', '3', 10, 1, on_error => 'skip', max_errors => 0); \echo :LAST_ERROR_SQLSTATE
DROP TRIGGER missing ON item;
CREATE FUNCTION plus(int, int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1 + 1 / $2; END';
SELECT rows_changed FROM bulkpar_update('item', 'n', 'plus(n, id - 21)', 10, 1, on_error => 'skip', max_errors => 0, job_name => 'f');
SELECT max(job_id) AS job FROM bulkpar_jobs \gset
ALTER FUNCTION plus(int, int) RENAME TO plus2;
SELECT rows_changed FROM bulkpar_resume(:job); \echo :LAST_ERROR_SQLSTATE
ALTER FUNCTION plus2(int, int) RENAME TO plus;
ALTER TABLE item RENAME n TO n2;
SELECT rows_changed FROM bulkpar_resume(:job); \echo :LAST_ERROR_SQLSTATE
ALTER TABLE item RENAME n2 TO n;
SELECT count(*) FROM bulkpar_errors WHERE job_id = :job;
-- a privilege that is taken away
SET ROLE regress_rowerrors_owner;
SELECT rows_changed FROM bulkpar_update('item', 'n', 'n + 1 / (id - 21)', 10, 1, on_error => 'skip', max_errors => 0);
SELECT max(job_id) AS job FROM bulkpar_jobs \gset
RESET ROLE;
ALTER TABLE item OWNER TO CURRENT_USER;
GRANT SELECT ON item TO regress_rowerrors_owner;
SET ROLE regress_rowerrors_owner;
SELECT rows_changed FROM bulkpar_resume(:job); \echo :LAST_ERROR_SQLSTATE
RESET ROLE;
SELECT count(*) FROM bulkpar_errors WHERE job_id = :job;

DROP VIEW failed;
DROP TABLE item, by_pair, by_pairs, by_size;
DROP TYPE pair, size;
DROP FUNCTION refuse(), missing(), plus(int, int);
DROP ROLE regress_rowerrors_owner;
