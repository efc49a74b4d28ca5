--
-- Jobs of all kinds, as small as can be, for test/valgrind.sh
--
\set ON_ERROR_STOP on
\o /dev/null
SET bulkpar.workers = 1;
SET bulkpar.progress_interval = '100ms';
SET client_min_messages = warning;
CREATE EXTENSION bulkpar;
SET app.one = 1;

CREATE PROCEDURE check_that(condition text) LANGUAGE plpgsql AS $$
DECLARE
	holds boolean;
BEGIN
	EXECUTE 'SELECT ' || condition INTO holds;
	ASSERT holds, condition;
END $$;

CREATE PROCEDURE wait_until(condition text) LANGUAGE plpgsql AS $$
DECLARE
	holds boolean;
BEGIN
	FOR i IN 1 .. 1800 LOOP
		EXECUTE 'SELECT ' || condition INTO holds;
		EXIT WHEN holds;
		PERFORM pg_sleep(0.1);
		COMMIT;
	END LOOP;
	ASSERT holds, condition;
END $$;

-- Wait at this for as long as the script holds the lock.
CREATE FUNCTION gate() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock_shared(1);
	RETURN 0;
END $$;

-- Fail, every third time.
CREATE SEQUENCE calls;
CREATE FUNCTION fails(sqlstate text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	IF nextval('calls') % 3 = 0 THEN
		RAISE EXCEPTION USING ERRCODE = sqlstate;
	END IF;
	RETURN 0;
END $$;

CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, kind int, name text);
INSERT INTO t SELECT i, 0, i % 50, 'name ' || i FROM generate_series(1, 400) i;
CREATE TABLE other (id int PRIMARY KEY, name text);
INSERT INTO other SELECT i, 'other ' || i FROM generate_series(1, 400, 3) i;
ANALYZE;

\echo UPDATE, DELETE and statements
SELECT bulkpar_update('t', 'n', 'n + current_setting(''app.one'')::int', 50);
SELECT bulkpar_update('t', ARRAY['n', 'name'], ARRAY['n + 1', 'upper(t.name)'], 20,
	condition => 'id > 10', stripes => 4);
SELECT bulkpar_update('t', 'name', 'other.name', 50, from_item => 'other',
	condition => 'other.id = t.id');
SELECT bulkpar_execute($$WITH o AS (SELECT * FROM other) UPDATE t u
	SET (n, kind) = (SELECT u.n + 1, u.kind), name = DEFAULT FROM o
	WHERE o.id = u.id AND u.id < 200$$, 20, stripes => 3);
SELECT bulkpar_execute('UPDATE ONLY t SET name = ''name '' || id, n = DEFAULT', 50);
SELECT bulkpar_update('t', 'n', '(id > 200)::int', 50, skip_unchanged => true,
	condition => 'EXISTS (SELECT FROM other WHERE other.id <> t.id)');
SELECT bulkpar_delete('t', 'other.id = t.id AND t.id > 380', 50, using_item => 'other');
SELECT bulkpar_execute('DELETE FROM t WHERE id > 390', 50);
CALL check_that('count(*) = 387 AND sum(n) = 187 FROM t');

\echo copies, moves, merges and calls
CREATE TABLE t_copy (LIKE t, PRIMARY KEY (id));
CREATE TABLE t_moved (LIKE t);
SELECT bulkpar_execute('INSERT INTO t_copy SELECT t.* FROM t LEFT JOIN other o USING (id)
	WHERE t.id <= 100 AND t.id > (SELECT min(id) - 1 FROM t)', 20);
SELECT bulkpar_execute('INSERT INTO t_copy SELECT * FROM t WHERE id <= 120
	ON CONFLICT (id) DO UPDATE SET n = 0', 20, on_error => 'skip');
SELECT bulkpar_execute('MERGE INTO t_copy c USING t ON c.id = t.id
	WHEN MATCHED THEN UPDATE SET n = t.n + 1 WHEN NOT MATCHED AND t.id > 380 THEN DO NOTHING', 50);
SELECT bulkpar_execute('WITH m AS (DELETE FROM t_copy WHERE id > 50 RETURNING *)
	INSERT INTO t_moved SELECT m.* FROM m LEFT JOIN other USING (id)', 20);
SELECT bulkpar_execute('SELECT upper(name) FROM t', 50);
SELECT bulkpar_explain('WITH m AS (UPDATE t_copy SET n = 1 RETURNING *) INSERT INTO t_moved SELECT * FROM m', 20);
CALL check_that('count(*) = 50 FROM t_copy');
CALL check_that('count(*) = 70 AND count(DISTINCT id) = 70 FROM t_moved');

\echo keys of all kinds
CREATE TABLE k_text (id text PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_text SELECT chr(65 + i % 26) || repeat('x', i % 300) || i FROM generate_series(1, 100) i;
CREATE TABLE k_numeric (id numeric PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_numeric SELECT i / 3.0 FROM generate_series(1, 100) i;
INSERT INTO k_numeric VALUES ('NaN'), ('Infinity');
CREATE TABLE k_bytea (id bytea PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_bytea SELECT decode(md5(i::text), 'hex') FROM generate_series(1, 100) i;
CREATE TABLE k_array (id text[] PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_array SELECT ARRAY['a, "b"', NULL, i::text] FROM generate_series(1, 100) i;
CREATE TABLE k_columns (a int, b text, c numeric, n int DEFAULT 0, PRIMARY KEY (a, b, c));
INSERT INTO k_columns SELECT i / 40, 'b' || i % 4, i FROM generate_series(1, 100) i;
CREATE TABLE k_mixed (a int NOT NULL, b text NOT NULL, n int DEFAULT 0);
CREATE UNIQUE INDEX ON k_mixed (a DESC, b);
INSERT INTO k_mixed SELECT i / 40, 'b' || i FROM generate_series(1, 100) i;
-- as text and in memory these have blocks of their own
CREATE TABLE k_long (id text PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_long SELECT i || repeat('x', 20000) FROM generate_series(1, 12) i;
CREATE TABLE k_empty (id int PRIMARY KEY, n int DEFAULT 0);

\echo partitions and children
CREATE TABLE p_range (id int PRIMARY KEY, n int DEFAULT 0) PARTITION BY RANGE (id);
CREATE TABLE p_range_1 PARTITION OF p_range FOR VALUES FROM (1) TO (50);
CREATE TABLE p_range_2 PARTITION OF p_range DEFAULT;
INSERT INTO p_range SELECT generate_series(1, 100);
CREATE TABLE p_hash (id int PRIMARY KEY, n int DEFAULT 0) PARTITION BY HASH (id);
CREATE TABLE p_hash_1 PARTITION OF p_hash FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p_hash_2 PARTITION OF p_hash FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO p_hash SELECT generate_series(1, 100);
CREATE TABLE parent (id int PRIMARY KEY, n int DEFAULT 0);
CREATE TABLE child (extra int, PRIMARY KEY (id)) INHERITS (parent);
INSERT INTO parent SELECT generate_series(1, 50);
INSERT INTO child SELECT generate_series(51, 100);

-- Jobs on all these tables at once.
CREATE PROCEDURE add_ones(VARIADIC targets regclass[]) LANGUAGE plpgsql AS $$
DECLARE
	target regclass;
	jobs bigint[];
	job bigint;
	done bigint;
BEGIN
	FOREACH target IN ARRAY targets LOOP
		SELECT job_id INTO job FROM bulkpar_update(target, 'n', 'n + 1', 7,
			stripes => 2, wait => false);
		jobs := jobs || job;
	END LOOP;
	FOREACH job IN ARRAY jobs LOOP
		CALL bulkpar_await(job);
		SELECT j.target, rows_changed INTO target, done
			FROM bulkpar_jobs j JOIN bulkpar_progress USING (job_id) WHERE job_id = job;
		CALL check_that(format('coalesce(sum(n), 0) = %s AND coalesce(max(n), 1) = 1 FROM %s',
			done, target));
	END LOOP;
END $$;
CALL add_ones('k_text', 'k_numeric', 'k_bytea', 'k_array', 'k_columns');
CALL add_ones('k_mixed', 'k_long', 'k_empty', 'p_range', 'p_hash', 'parent');

\echo few rows that match, listed by keys of one and two columns
SELECT bulkpar_update('t', 'n', 'n + 1', 5, condition => 'kind = 7');
SELECT bulkpar_execute('UPDATE t SET n = 0 FROM other WHERE kind = 7 AND other.id = t.id', 5);
CREATE TABLE few (a int, b text, n int DEFAULT 0, kind int, PRIMARY KEY (a, b));
INSERT INTO few SELECT i % 9, 'b' || i, 0, i % 50 FROM generate_series(1, 400) i;
CREATE INDEX ON few (kind);
ANALYZE few;
SELECT bulkpar_update('few', 'n', 'n + 1', 5, condition => 'kind = 7');
CALL check_that('sum(n) = 8 FROM few');

\echo several tables, one of them with partitions
CREATE TABLE like_few (b text, a int, kind int, n bigint DEFAULT 0, PRIMARY KEY (a, b)) PARTITION BY HASH (b);
CREATE TABLE like_few_0 PARTITION OF like_few FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE like_few_1 PARTITION OF like_few FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO like_few SELECT b, a, kind FROM few;
SELECT bulkpar_update('{like_few,few}', 'n', 'n + (SELECT count(*) FROM few)', 30);
CALL check_that('sum(n) = 320008 FROM (SELECT n FROM few UNION ALL SELECT n FROM like_few) x');
SELECT bulkpar_explain(ARRAY['few', 'like_few'], 'n', 'n + 1', sample => true) \g /dev/null

\echo stripes are chosen, by the order of the rows, where a table has 8 MB
CREATE TABLE wide (id int PRIMARY KEY, other int NOT NULL UNIQUE, n int DEFAULT 0, filler text)
	WITH (fillfactor = 10);
INSERT INTO wide SELECT i, -i, 0, repeat('x', 1000) FROM generate_series(1, 1100) i;
ANALYZE wide;
SELECT bulkpar_update('wide', 'n', 'n + 1', 20, condition => 'id <= 300', key_index => 'wide_other_key');
CALL check_that('stripes_chosen AND stripes > 1 FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1');

\echo rows that fail
SELECT bulkpar_update('t', 'n', 'n + 1 / (id % 100)', 50, on_error => 'skip');
SELECT bulkpar_update('t', 'n', 'n + 1 / (id % 100)', 10, on_error => 'skip', stripes => 3,
	skip_unchanged => true);
SELECT bulkpar_update('k_long', 'n', '1 / (left(id, 1)::int - 3)', 4, on_error => 'skip');
ALTER TABLE t ADD UNIQUE (name) DEFERRABLE INITIALLY DEFERRED;
SELECT bulkpar_update('t', 'name', 'CASE WHEN id = 9 THEN ''name 10'' ELSE name END', 50,
	on_error => 'skip');
SELECT count(*) FROM bulkpar_errors;
\set ON_ERROR_STOP off
SELECT bulkpar_update('t', 'n', '1 / (id - id)', 50, on_error => 'skip', max_errors => 3);
SELECT bulkpar_update('t', 'name', '''name 10''', 50);
SELECT bulkpar_update('t', 'n', '1 / (id - 300)', 50, stripes => 2, job_name => 'fails');
SELECT bulkpar_update('t', 'n', 'no_such_column', 50);
SELECT bulkpar_update('t', 'id', '1');
SELECT bulkpar_update('no_such_table', 'n', '1');
SELECT bulkpar_update('pg_class', 'relname', '''x''');
SELECT bulkpar_execute('SELECT 1');
SELECT bulkpar_execute('UPDATE t SET n = 1; DELETE FROM t');
SELECT bulkpar_execute('UPDATE t SET');
CREATE TEMPORARY TABLE passing (id int);
SELECT bulkpar_execute('UPDATE t SET n = passing.id FROM passing WHERE passing.id = t.id');
\set ON_ERROR_STOP on
CALL check_that('count(*) = 3 FROM bulkpar_jobs WHERE status = ''failed''');
-- mended by a row that is no longer there
DELETE FROM t WHERE id = 300;
SELECT bulkpar_update('t', 'n', '1 / (id - 300)', 50, stripes => 2, job_name => 'fails');
CALL check_that('status = ''succeeded'' FROM bulkpar_jobs WHERE job_name = ''fails''');

\echo batches that are tried again, split and cut
SELECT bulkpar_update('k_long', 'n', 'fails(''40001'')', 1);
SELECT bulkpar_update('k_long', 'n', 'fails(''40P01'')', 4);
SELECT bulkpar_update('few', 'n', 'fails(''40P01'')', 5, condition => 'kind = 7');
CALL check_that('sum(retries) >= 12 FROM bulkpar_chunks');
-- a chunk into which others insert
CREATE TABLE grows (id numeric PRIMARY KEY, n int DEFAULT 0);
INSERT INTO grows SELECT generate_series(1, 400);
CREATE FUNCTION insert_more() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO grows SELECT new.id + i FROM generate_series(20.1, 20.9, 0.05) i;
	RETURN new;
END $$;
CREATE TRIGGER insert_more BEFORE UPDATE ON grows FOR EACH ROW WHEN (new.id % 50 = 0)
	EXECUTE FUNCTION insert_more();
SELECT bulkpar_update('grows', 'n', 'n + 1', 10);
CALL check_that('min(n) = 1 AND max(n) = 1 AND count(*) > 400 FROM grows WHERE id < 400');

\echo jobs that are held up, and what is done with them
SET bulkpar.workers = 2;
SELECT pg_advisory_lock(1);
CREATE PROCEDURE wait_for_workers(count int) LANGUAGE plpgsql AS $$
BEGIN
	CALL wait_until(format('count(*) = %s FROM pg_stat_activity
		WHERE backend_type = ''bulkpar worker'' AND wait_event = ''advisory''', count));
END $$;
SELECT job_id AS job FROM bulkpar_update('t', 'n', 'n + 1 + gate()', 20, wait => false, stripes => 2) \gset
CALL wait_for_workers(2);
SELECT status, percent, xmin_holders FROM bulkpar_progress WHERE job_id = :job;
SELECT status FROM bulkpar_wait(:job, '100 ms');
SELECT status FROM bulkpar_pause(:job);
SELECT status FROM bulkpar_resume(:job, 1, 10, wait => false);
CALL wait_for_workers(1);
SELECT status FROM bulkpar_cancel(:job);
SELECT bulkpar_resume(:job, 2, wait => false);
CALL wait_for_workers(2);
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'bulkpar worker' LIMIT 1;
CALL wait_for_workers(2);
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'bulkpar coordinator';
CALL wait_until('status = ''interrupted'' FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1');
ALTER TABLE t RENAME TO renamed;
-- this session holds what the workers wait for
\set ON_ERROR_STOP off
SELECT bulkpar_resume(:job);
BEGIN;
SELECT bulkpar_resume(:job);
ROLLBACK;
\set ON_ERROR_STOP on
SELECT pg_advisory_unlock(1);
SELECT bulkpar_resume(:job);
CALL check_that('status = ''succeeded'' FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1');
ALTER TABLE renamed RENAME TO t;
-- other sessions wait for jobs, and are cancelled or end
SELECT pg_advisory_lock(1);
\! psql -Xqc 'SELECT bulkpar_execute($$UPDATE t SET n = n + gate()$$, 50, 2)' >/dev/null 2>&1 &
CALL wait_for_workers(2);
SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT bulkpar_execute%';
CALL wait_until('status = ''cancelled'' FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1');
\! psql -Xqc 'SELECT bulkpar_execute($$UPDATE t SET n = n + gate()$$, 50, 2, job_name => $$ends$$)' >/dev/null 2>&1 &
CALL wait_for_workers(2);
\! psql -Xqc 'SELECT bulkpar_execute($$UPDATE t SET n = n + gate()$$, 50, 2, job_name => $$ends$$)' >/dev/null 2>&1 &
CALL wait_until('count(*) = 2 FROM pg_stat_activity
	WHERE query LIKE ''SELECT bulkpar_execute%'' AND wait_event = ''Extension''');
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT bulkpar_execute%';
CALL wait_until('status = ''cancelled'' FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1');
SELECT pg_advisory_unlock(1);
CREATE PROCEDURE start_and_await() LANGUAGE plpgsql AS $$
DECLARE
	job bigint;
BEGIN
	SELECT job_id INTO job FROM bulkpar_update('t', 'n', 'n', 50, wait => false);
	CALL bulkpar_await(job, '1 day');
END $$;
CALL start_and_await();

\echo tables that are dropped
SELECT pg_advisory_lock(1);
SELECT job_id AS job FROM bulkpar_update('p_range', 'n', 'n + gate()', 20, wait => false) \gset
CALL wait_for_workers(2);
SELECT status FROM bulkpar_pause(:job);
SELECT pg_advisory_unlock(1);
DROP TABLE p_range_1;
SELECT bulkpar_resume(:job);
SELECT pg_advisory_lock(1);
SELECT job_id AS job FROM bulkpar_update('p_hash', 'n', 'n + gate()', 20, wait => false) \gset
CALL wait_for_workers(2);
SELECT status FROM bulkpar_pause(:job);
SELECT pg_advisory_unlock(1);
DROP TABLE p_hash;
\set ON_ERROR_STOP off
SELECT bulkpar_resume(:job);
\set ON_ERROR_STOP on

\echo rows that are deleted span by span, and what a worker remembers
SET bulkpar.workers = 2;
CREATE TABLE large (id int PRIMARY KEY, other int, at int, filler text) WITH (fillfactor = 10, autovacuum_enabled = off);
INSERT INTO large SELECT g, g * 7 % 4000, g, repeat('x', 300) FROM generate_series(1, 4000) AS g;
CREATE INDEX ON large (at);
CREATE TABLE looked_up (id int PRIMARY KEY, name text) WITH (autovacuum_enabled = off);
INSERT INTO looked_up SELECT g, 'name ' || g FROM generate_series(1, 2000) AS g;
VACUUM ANALYZE large, looked_up;
SELECT bulkpar_delete('large', 'at <= 1000', 20);
CALL check_that('(SELECT count(*) = 3000 FROM large)');
SELECT bulkpar_execute('DELETE FROM large USING looked_up l WHERE l.id = other AND l.name LIKE ''%7''', 20);
CALL check_that('NOT EXISTS (SELECT FROM large JOIN looked_up l ON l.id = other AND l.name LIKE ''%7'')');
SELECT bulkpar_execute('DELETE FROM large WHERE at % 3 = 0 AND NOT EXISTS (SELECT FROM looked_up l WHERE l.id = other)', 20);
CALL check_that('NOT EXISTS (SELECT FROM large WHERE at % 3 = 0 AND other NOT BETWEEN 1 AND 2000)');
CALL check_that('(SELECT count(*) > 30 FROM bulkpar_chunks WHERE hi[1] LIKE ''(%,0)'')');
CREATE TABLE left_over AS SELECT id FROM large WHERE at % 2 = 1 OR id IN (SELECT max(id) FROM large GROUP BY other % 400);
SELECT bulkpar_execute('DELETE FROM large WHERE at % 2 = 0 AND id NOT IN (SELECT max(id) FROM large GROUP BY other % 400)', 20);
CALL check_that('(SELECT array_agg(id ORDER BY id) FROM large) = (SELECT array_agg(id ORDER BY id) FROM left_over)');

\echo bulkpar_explain
SET bulkpar.workers = 1;
SELECT count(*) FROM bulkpar_explain('t', 'name', 'left(name, 3)', 50, sample => true);
SELECT count(*) FROM bulkpar_explain('few', ARRAY['n', 'kind'], ARRAY['n + 1', 'DEFAULT'], 5,
	condition => 'kind = 7', sample => true);
SELECT count(*) FROM bulkpar_explain('parent', 'id > 10', 50, sample => true);
SELECT count(*) FROM bulkpar_explain('UPDATE t SET name = other.name FROM other
	WHERE other.id = t.id', 50, skip_unchanged => true, sample => true);
SELECT count(*) FROM bulkpar_explain('k_columns', 'n', '1 / (c - 50)', 50, stripes => 2, sample => true);

\echo the role of others, and the end
CREATE ROLE ann LOGIN;
GRANT SELECT, UPDATE (n) ON t TO ann;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY half ON t TO ann USING (id % 2 = 0);
GRANT USAGE ON SEQUENCE calls TO ann;
SET ROLE ann;
SELECT bulkpar_update('t', 'n', 'n + 1', 50);
SELECT count(*) FROM bulkpar_jobs;
\set ON_ERROR_STOP off
SELECT bulkpar_update('t', 'name', 'name', 50);
SELECT bulkpar_cancel(1);
\set ON_ERROR_STOP on
RESET ROLE;
CREATE ROLE team NOLOGIN IN ROLE ann;
SET ROLE team;
SELECT bulkpar_update('t', 'n', 'n + 1', 50);
RESET ROLE;
SELECT bulkpar_forget(1);
SELECT bulkpar_forget(interval '0') > 20 AS forgotten;
SELECT count(*) FROM bulkpar_jobs;
DROP EXTENSION bulkpar;
