--
-- Which rows are looked up before they are updated
--
SET bulkpar.report = off;
-- however many processors there are
SET bulkpar.workers = 2;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;

-- rows that the planner takes for few are not listed when there are too many
CREATE TABLE crowd (id int PRIMARY KEY, n int DEFAULT 0);
INSERT INTO crowd SELECT generate_series(1, 100);
ANALYZE crowd;
CREATE FUNCTION many() RETURNS SETOF int IMMUTABLE ROWS 1 LANGUAGE plpgsql AS
	'BEGIN RETURN QUERY SELECT generate_series(1, 20000); END';
SELECT rows_changed FROM bulkpar_execute('UPDATE crowd SET n = n + 1 FROM many() m WHERE id % 1 = 0', 1, 2);
SELECT count(keys) FROM bulkpar.bulkpar_chunk WHERE job_id = (SELECT max(job_id) FROM bulkpar.bulkpar_job);
SELECT n, count(*) FROM crowd GROUP BY n;
SELECT rows_changed FROM bulkpar_execute('UPDATE crowd SET n = n + 1 FROM many() m WHERE id % 50 = 0', 1, 2);
SELECT count(keys) FROM bulkpar.bulkpar_chunk WHERE job_id = (SELECT max(job_id) FROM bulkpar.bulkpar_job);
SELECT n, count(*) FROM crowd GROUP BY n;
-- the look-up ends when it has found more than one in 16: with the walk that
-- follows hardly more rows are looked at than there are
CREATE SEQUENCE looks;
CREATE FUNCTION half(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
	'BEGIN PERFORM nextval(''looks''); RETURN $1 % 2; END';
TRUNCATE crowd;
INSERT INTO crowd SELECT generate_series(1, 100);
ANALYZE crowd;
SELECT bulkpar_explain FROM bulkpar_explain('crowd', 'n', 'n + 1', 1, 2, condition => 'half(id) = 1')
	WHERE bulkpar_explain LIKE 'Rows:%';
ALTER SEQUENCE looks RESTART;
SELECT rows_changed FROM bulkpar_update('crowd', 'n', 'n + 1', 1, 2, condition => 'half(id) = 1');
SELECT last_value BETWEEN 100 AND 150 AS few_looks FROM looks;
SELECT count(keys) FROM bulkpar.bulkpar_chunk WHERE job_id = (SELECT max(job_id) FROM bulkpar.bulkpar_job);
SELECT n, count(*) FROM crowd GROUP BY n ORDER BY n;
SELECT regexp_replace(bulkpar_explain, '[0-9.]+ m?s', '...', 'g') AS sample
	FROM bulkpar_explain('crowd', 'n', 'n + 1', 1, 2, condition => 'half(id) = 1', sample => true)
	WHERE bulkpar_explain ~ '^(Sample|Estimate):';
-- a row that fails may come after that: the walk meets it
UPDATE crowd SET n = 0;
\set VERBOSITY terse
SELECT bulkpar_update('crowd', 'n', 'n + 1', 1, 1, condition => 'half(id) = 1 AND 1 / (id - 99) < 2');
\set VERBOSITY default
SELECT count(*), max(id) FROM crowd WHERE n = 1;
SELECT count(keys) FROM bulkpar.bulkpar_chunk WHERE job_id = (SELECT max(job_id) FROM bulkpar.bulkpar_job);
-- nor where they are others each time, or where a row may fail
CREATE FUNCTION listed() RETURNS bigint LANGUAGE sql AS
	'SELECT count(keys) FROM bulkpar.bulkpar_chunk WHERE job_id = (SELECT max(job_id) FROM bulkpar.bulkpar_job)';
UPDATE crowd SET n = 0;
SELECT status FROM bulkpar_execute('UPDATE crowd SET n = n + 1 WHERE (id + (random() * 10)::int) % 10 = 3', 1, 2);
SELECT listed(), sum(n) BETWEEN 1 AND 40 AS some FROM crowd;
-- but a sample is taken once
UPDATE crowd SET n = 0;
SELECT status FROM bulkpar_execute(
	'UPDATE crowd SET n = crowd.n + 1 FROM (SELECT * FROM crowd TABLESAMPLE bernoulli (90)) o WHERE o.id = crowd.id AND o.id % 20 = 1', 1, 2);
SELECT listed() > 0 AS listed, sum(n) BETWEEN 1 AND 5 AS some FROM crowd;
UPDATE crowd SET n = 0;
SELECT rows_changed, rows_failed FROM bulkpar_execute('UPDATE crowd SET n = n + 1 WHERE 100 / (id - 50) = 20', 1, 2,
	on_error => 'skip');
SELECT listed();
\set VERBOSITY terse
SELECT bulkpar_execute('UPDATE crowd SET n = n + 1 WHERE 100 / (id - 50) = 20', 1, 2);
\set VERBOSITY default
-- where the key is in another order than the rows, they are listed if one in 8
-- matches, but not many: a walk would read a page at random for each of the others, too
CREATE TABLE at_random (id uuid PRIMARY KEY, n int) WITH (fillfactor = 10);
INSERT INTO at_random SELECT md5(g::text)::uuid, g % 10 FROM generate_series(1, 20000) g;
CREATE TABLE in_order (LIKE at_random) WITH (fillfactor = 10);
INSERT INTO in_order SELECT * FROM at_random ORDER BY id;
ALTER TABLE in_order ADD PRIMARY KEY (id);
ANALYZE at_random, in_order;
SELECT substring(bulkpar_explain, 'and they are.*') AS listed FROM bulkpar_explain('at_random', 'n = 3', batch_size => 300)
	WHERE bulkpar_explain LIKE 'Rows:%';
SELECT substring(bulkpar_explain, 'and they are.*|span by span.*') AS listed FROM bulkpar_explain('in_order', 'n = 3', batch_size => 100)
	WHERE bulkpar_explain LIKE 'Rows:%';
-- but not for an UPDATE, which would fill the table with new versions
SELECT substring(bulkpar_explain, 'and they are.*') AS listed FROM bulkpar_explain('at_random', 'n', 'n + 1', condition => 'n = 3', batch_size => 100)
	WHERE bulkpar_explain LIKE 'Rows:%';
-- the batches go through them as they are on disk
CREATE TABLE places AS SELECT id::text, ctid AS place FROM at_random;
SELECT rows_changed, batches FROM bulkpar_delete('at_random', 'n = 3', 300);
SELECT listed() > 0 AS listed, count(*), count(*) FILTER (WHERE n = 3) AS left_over FROM at_random;
SELECT count(*) > 2 AS several, bool_and(place > before) AS ascend
	FROM (SELECT place, lag(place, 1, '(0,0)') OVER (ORDER BY chunk_no) AS before
		FROM bulkpar.bulkpar_chunk JOIN places ON id = hi[1]
		WHERE job_id = (SELECT max(job_id) FROM bulkpar.bulkpar_job)) c;
-- and go on with the row after the last one that is done
ALTER TABLE at_random ADD COLUMN times int DEFAULT 0;
CREATE TABLE barred AS SELECT id FROM at_random WHERE n = 5 AND id < '66666666-0000-0000-0000-000000000000' ORDER BY ctid OFFSET 305 LIMIT 1;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF EXISTS (SELECT FROM barred WHERE id = NEW.id) THEN RAISE 'not this one'; END IF; RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON at_random FOR EACH ROW EXECUTE FUNCTION refuse();
\set VERBOSITY terse
SELECT bulkpar_update('at_random', 'times', 'times + 1', 10, 1,
	condition => $$n = 5 AND id < '66666666-0000-0000-0000-000000000000'$$);
\set VERBOSITY default
SELECT chunk_no, rows_done, rows_found > rows_done AS more FROM bulkpar.bulkpar_chunk
	WHERE job_id = (SELECT max(job_id) FROM bulkpar.bulkpar_job) AND status = 'failed' AND keys IS NOT NULL;
SELECT times, count(*) FROM at_random WHERE n = 5 GROUP BY times ORDER BY times;
DELETE FROM barred;
SELECT status FROM bulkpar_resume((SELECT max(job_id) FROM bulkpar.bulkpar_job));
SELECT n = 5 AND id < '66666666-0000-0000-0000-000000000000' AS matches, times, count(*) FROM at_random
	GROUP BY 1, 2 ORDER BY 1;
-- a DELETE of all of them, where the batches find them at their places
SELECT status FROM bulkpar_delete('at_random', NULL, 100);
SELECT listed() > 0 AS listed, count(*) FROM at_random;
SELECT status FROM bulkpar_delete('in_order', NULL, 100);
SELECT listed() > 0 AS listed, count(*) FROM in_order;
DROP TABLE at_random, in_order, places, barred;
DROP FUNCTION refuse;
-- keys of several columns, whatever the table is called
CREATE TYPE crowd_key AS (a int, b int);
CREATE TABLE pairs (key crowd_key, c0 int, n int DEFAULT 0, PRIMARY KEY (key, c0));
INSERT INTO pairs SELECT ROW(g / 10, g)::crowd_key, g FROM generate_series(1, 100) g;
CREATE TABLE "bulkpar list" (c0 int, c1 text, n int DEFAULT 0, PRIMARY KEY (c0, c1));
INSERT INTO "bulkpar list" SELECT g, g FROM generate_series(1, 100) g;
ANALYZE pairs, "bulkpar list";
SELECT rows_changed FROM bulkpar_update('pairs', 'n', 'n + 1', 1, 2, condition => 'c0 % 50 = 7');
SELECT listed(), array_agg(c0 ORDER BY c0) FROM pairs WHERE n = 1;
SELECT rows_changed, batches FROM bulkpar_update('"bulkpar list"', 'n', 'n + 1', 1, 2, condition => 'c0 % 50 = 7');
SELECT listed();
SELECT rows_changed, batches FROM bulkpar_execute(
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
SELECT rows_changed, rows_unchanged FROM bulkpar_update('hidden', 'n', '1', 2, 2, condition => 'b % 100 = 3',
	skip_unchanged => true);
RESET SESSION AUTHORIZATION;
SELECT listed();
-- an error is what it is, also one that another process raises; and what fails only there is done alone
CREATE TABLE scattered AS SELECT id, id % 50 AS n, 0 AS done FROM generate_series(1, 3000) id;
ALTER TABLE scattered ADD PRIMARY KEY (id), SET (parallel_workers = 2);
ANALYZE scattered;
CREATE FUNCTION fails(id int) RETURNS int STABLE PARALLEL SAFE LANGUAGE plpgsql AS
	$$BEGIN IF id > 1000 THEN RAISE 'too large'; END IF; RETURN id; END$$;
CREATE FUNCTION fails_elsewhere(id int) RETURNS int STABLE PARALLEL SAFE LANGUAGE plpgsql AS $$
BEGIN
	IF (SELECT backend_type = 'parallel worker' FROM pg_stat_activity WHERE pid = pg_backend_pid()) THEN
		RAISE 'not here';
	END IF;
	PERFORM pg_sleep(0.01);
	RETURN id;
END $$;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SELECT line FROM bulkpar_explain('scattered', 'done', 'done + 1', 10, workers => 3, condition => 'n = 3 AND fails_elsewhere(id) = id') line
	WHERE line ~ 'Workers Planned';
\set VERBOSITY terse
SELECT bulkpar_update('scattered', 'done', 'done + 1', 10, 3, 'n = 3 AND fails(id) = id');
\set VERBOSITY default
SELECT status, rows_changed FROM bulkpar_update('scattered', 'done', 'done + 1', 10, 3, 'n = 3 AND fails_elsewhere(id) = id');
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
SELECT n = 3 AS matches, done, count(*) FROM scattered GROUP BY 1, 2 ORDER BY 1;
DROP TABLE scattered;
DROP FUNCTION fails, fails_elsewhere;
DROP TABLE hidden, pairs, "bulkpar list", crowd;
DROP TYPE crowd_key;
DROP ROLE regress_bulkpar_hidden;
DROP FUNCTION many, half, listed;
DROP SEQUENCE looks;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;

-- what a batch of listed rows takes for them: those at their places with the same values
SELECT place, id, name, bulkpar.bulkpar_at_place('{"(0,1)","(0,2)","(1,1)"}', place, '{1,2,3}'::int[], id,
		'{a,b,c}'::text[], name) AS listed
	FROM (VALUES (1, '(0,1)'::tid, 1, 'a'), (2, '(0,2)', 2, 'b '), (3, '(0,3)', 3, 'c'), (4, '(1,1)', 3, 'c'),
		(5, '(0,2)', 2, 'b'), (6, '(1,1)', 2, 'c'), (7, '(0,1)', 1, NULL)) AS v(n, place, id, name)
	ORDER BY n;
SELECT n, bulkpar.bulkpar_at_place(places, '(0,1)', ids, 1) AS listed
	FROM (VALUES (1, '{"(0,1)"}'::tid[], '{1}'::int[]), (2, '{"(0,2)"}', '{1}'), (3, '{NULL,"(0,1)"}', '{0,1}'),
		(4, '{"(0,1)"}', '{NULL}'), (5, '{"(0,2)","(0,1)"}', '{1}')) AS v(n, places, ids)
	ORDER BY n;
SELECT bulkpar.bulkpar_at_place('{"(0,1)"}', '(0,1)', '{a}'::text[], 1);
SELECT bulkpar.bulkpar_at_place('{"(0,1)"}', '(0,1)', 1, 1);
