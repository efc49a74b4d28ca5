--
-- Which rows are looked up before they are updated
--
SET bulkpar.report = off;
-- however many processors there are
SET bulkpar.workers = 2;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;

-- rows that the planner takes for few are not listed when there are too many
CREATE TABLE crowd (id int PRIMARY KEY, n int DEFAULT 0);
INSERT INTO crowd SELECT generate_series(1, 100);
ANALYZE crowd;
CREATE FUNCTION many() RETURNS SETOF int IMMUTABLE ROWS 1 LANGUAGE plpgsql AS
	'BEGIN RETURN QUERY SELECT generate_series(1, 20000); END';
SELECT rows_updated FROM bulkpar_execute('UPDATE crowd SET n = n + 1 FROM many() m WHERE id % 1 = 0', 1, 2);
SELECT count(keys) FROM bulkpar.bulkpar_chunk WHERE job_id = (SELECT max(job_id) FROM bulkpar.bulkpar_job);
SELECT n, count(*) FROM crowd GROUP BY n;
SELECT rows_updated FROM bulkpar_execute('UPDATE crowd SET n = n + 1 FROM many() m WHERE id % 50 = 0', 1, 2);
SELECT count(keys) FROM bulkpar.bulkpar_chunk WHERE job_id = (SELECT max(job_id) FROM bulkpar.bulkpar_job);
SELECT n, count(*) FROM crowd GROUP BY n;
-- nor where they are others each time, or where a row may fail
CREATE FUNCTION listed() RETURNS bigint LANGUAGE sql AS
	'SELECT count(keys) FROM bulkpar.bulkpar_chunk WHERE job_id = (SELECT max(job_id) FROM bulkpar.bulkpar_job)';
UPDATE crowd SET n = 0;
SELECT status FROM bulkpar_execute('UPDATE crowd SET n = n + 1 WHERE (id + (random() * 10)::int) % 10 = 3', 1, 2);
SELECT listed(), sum(n) BETWEEN 1 AND 40 AS some FROM crowd;
-- but a sample is taken once
UPDATE crowd SET n = 0;
SELECT status FROM bulkpar_execute(
	'UPDATE crowd SET n = crowd.n + 1 FROM (SELECT * FROM crowd TABLESAMPLE bernoulli (50)) o WHERE o.id = crowd.id AND o.id % 2 = 1', 1, 2);
SELECT listed() > 0 AS listed, sum(n) BETWEEN 1 AND 49 AS some FROM crowd;
UPDATE crowd SET n = 0;
SELECT rows_updated, rows_failed FROM bulkpar_execute('UPDATE crowd SET n = n + 1 WHERE 100 / (id - 50) = 20', 1, 2,
	on_error => 'skip');
SELECT listed();
\set VERBOSITY terse
SELECT bulkpar_execute('UPDATE crowd SET n = n + 1 WHERE 100 / (id - 50) = 20', 1, 2);
\set VERBOSITY default
-- keys of several columns, whatever the table is called
CREATE TYPE crowd_key AS (a int, b int);
CREATE TABLE pairs (key crowd_key, c0 int, n int DEFAULT 0, PRIMARY KEY (key, c0));
INSERT INTO pairs SELECT ROW(g / 10, g)::crowd_key, g FROM generate_series(1, 100) g;
CREATE TABLE "bulkpar list" (c0 int, c1 text, n int DEFAULT 0, PRIMARY KEY (c0, c1));
INSERT INTO "bulkpar list" SELECT g, g FROM generate_series(1, 100) g;
ANALYZE pairs, "bulkpar list";
SELECT rows_updated FROM bulkpar_update('pairs', 'n', 'n + 1', 1, 2, condition => 'c0 % 50 = 7');
SELECT listed(), array_agg(c0 ORDER BY c0) FROM pairs WHERE n = 1;
SELECT rows_updated, batches FROM bulkpar_update('"bulkpar list"', 'n', 'n + 1', 1, 2, condition => 'c0 % 50 = 7');
SELECT listed();
SELECT rows_updated, batches FROM bulkpar_execute(
	'UPDATE "bulkpar list" AS "bulkpar list" SET n = n + 1 WHERE c0 % 50 = 8', 1, 2);
SELECT listed(), array_agg(c0 ORDER BY c0) FROM "bulkpar list" WHERE n = 1;
-- also under row level security with operators that are not leakproof
CREATE TABLE hidden (a numeric, b numeric, n int DEFAULT 1, PRIMARY KEY (a, b));
INSERT INTO hidden SELECT g % 10, g FROM generate_series(1, 200) g;
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
CREATE POLICY hidden ON hidden USING (b >= 0);
ALTER TABLE hidden FORCE ROW LEVEL SECURITY;
ANALYZE hidden;
CREATE ROLE regress_bulkpar_hidden LOGIN;
GRANT ALL ON hidden TO regress_bulkpar_hidden;
SET SESSION AUTHORIZATION regress_bulkpar_hidden;
SELECT rows_updated, rows_unchanged FROM bulkpar_update('hidden', 'n', '1', 2, 2, condition => 'b % 100 = 3',
	skip_unchanged => true);
RESET SESSION AUTHORIZATION;
SELECT listed();
DROP TABLE hidden, pairs, "bulkpar list", crowd;
DROP TYPE crowd_key;
DROP ROLE regress_bulkpar_hidden;
DROP FUNCTION many, listed;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle;
