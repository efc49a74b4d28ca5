--
-- What does not depend on the row is evaluated once, as in one statement
--
SET bulkpar.report = off;
SET bulkpar.workers = 2;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;

-- The same tables twice: for the plain statement, and for the job.
CREATE TYPE spot AS (x int, y text);
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN even AS int CHECK (VALUE % 2 = 0);
CREATE FUNCTION make_tables() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	CREATE TABLE t (
		id int PRIMARY KEY,
		n int,
		k int,
		txt text DEFAULT '',
		gone int,
		p spot,
		e even,
		arr int[],
		at timestamptz
	);
	ALTER TABLE t DROP COLUMN gone;
	CREATE TABLE other (id int, k int, v text, m mood);
	CREATE TABLE parted (a int, id int, n int, PRIMARY KEY (a, id))
		PARTITION BY LIST (a);
	CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
	CREATE TABLE parted_2 (n int, id int NOT NULL, a int NOT NULL);
	ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES IN (2);
	CREATE VIEW t_view AS SELECT id, n, k FROM t WHERE id % 2 = 0;
	CREATE VIEW t_sums AS SELECT k, sum(n) AS n, max(id) AS id FROM t GROUP BY k;
END
$$;
CREATE SCHEMA plain;
SET search_path = plain, public;
SELECT make_tables();
CREATE SCHEMA job;
SET search_path = job, public;
SELECT make_tables();
-- a volatile function that says how often it was called
CREATE SEQUENCE calls;
CREATE FUNCTION called(i int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	PERFORM nextval('job.calls');
	RETURN i;
END
$$;

CREATE FUNCTION fill(schema text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('search_path', schema || ', public', true);
	TRUNCATE t, other, parted;
	INSERT INTO t SELECT g, g % 7, g % 20, 'x' || g % 3, ROW(g % 5, 'p')::spot,
		g % 10 * 2, ARRAY[g % 4, NULL], '2020-01-01'::timestamptz + g * interval '1 h'
		FROM generate_series(1, 400) g;
	UPDATE t SET n = NULL, k = NULL, p = NULL, e = NULL WHERE id % 50 = 0;
	INSERT INTO other SELECT g, CASE WHEN g % 9 > 0 THEN g % 20 END, 'v' || g % 5,
		(enum_range(NULL::mood))[1 + g % 3] FROM generate_series(1, 100) g;
	INSERT INTO parted SELECT 1 + g % 2, g, g FROM generate_series(1, 200) g;
END
$$;
-- What a statement does by itself, and the statements that compare a job.
CREATE FUNCTION run(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	rows bigint;
BEGIN
	PERFORM fill('job');
	PERFORM fill('plain');
	EXECUTE statement;
	GET DIAGNOSTICS rows = ROW_COUNT;
	RETURN rows;
END
$$;
CREATE FUNCTION compare(statement text, how text DEFAULT ', 29') RETURNS SETOF text
LANGUAGE sql AS $$
	VALUES (format('SELECT run(%L) AS plain', statement)),
		(format('SELECT status, rows_changed FROM bulkpar_execute(%L%s)',
			statement, how)),
		('SELECT * FROM differences')
$$;
CREATE VIEW differences AS SELECT count(*) AS differences FROM (
	(SELECT t::text FROM job.t EXCEPT ALL SELECT t::text FROM plain.t)
	UNION ALL (SELECT t::text FROM plain.t EXCEPT ALL SELECT t::text FROM job.t)
	UNION ALL (SELECT p::text FROM job.parted p EXCEPT ALL SELECT p::text FROM plain.parted p)
	UNION ALL (SELECT p::text FROM plain.parted p EXCEPT ALL SELECT p::text FROM job.parted p)) d;
\pset tuples_only
\pset format unaligned

-- IN: LIMIT, OFFSET, aggregates, HAVING, DISTINCT, windows, set operations
SELECT compare('DELETE FROM t WHERE id IN (SELECT id FROM t ORDER BY id LIMIT 130)') \gexec
SELECT compare('DELETE FROM t WHERE id IN (SELECT id FROM t ORDER BY id DESC OFFSET 390)') \gexec
SELECT compare('DELETE FROM t WHERE n IN (SELECT n FROM t GROUP BY n HAVING count(*) > 55)') \gexec
SELECT compare('DELETE FROM t WHERE id IN (SELECT DISTINCT k FROM t)') \gexec
SELECT compare('UPDATE t SET n = n + 1 WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY k ORDER BY id DESC) AS r FROM t) s WHERE r > 3)') \gexec
SELECT compare('UPDATE t SET k = 3 WHERE id IN (SELECT id FROM t WHERE k = 5 UNION ALL SELECT id FROM t WHERE k = 3)') \gexec
SELECT compare('UPDATE t SET k = k + 1 WHERE k IN (SELECT k FROM t EXCEPT SELECT id FROM other WHERE id < 10)') \gexec
-- the same of another table: evaluated once, but not otherwise
SELECT compare('UPDATE t SET n = -1 WHERE id IN (SELECT max(id) FROM other GROUP BY k)') \gexec
SELECT compare('UPDATE t SET n = -1 WHERE k IN (SELECT k FROM other WHERE id < 30)') \gexec

-- NOT IN: with nulls on either side, and without
SELECT compare('DELETE FROM t WHERE id NOT IN (SELECT max(id) FROM t GROUP BY k)') \gexec
SELECT compare('DELETE FROM t WHERE k NOT IN (SELECT max(id) FROM t GROUP BY k)') \gexec
SELECT compare('DELETE FROM t WHERE k NOT IN (SELECT DISTINCT k FROM t WHERE k > 5)') \gexec
SELECT compare('DELETE FROM t WHERE id NOT IN (SELECT DISTINCT k FROM t)') \gexec
SELECT compare('DELETE FROM t WHERE n NOT IN (SELECT id FROM t WHERE id < 0 LIMIT 5)') \gexec
SELECT compare('DELETE FROM t WHERE NOT id IN (SELECT id FROM t ORDER BY id LIMIT 350) OR k = 2') \gexec
SELECT compare('UPDATE t SET n = CASE WHEN k NOT IN (SELECT min(id) FROM t GROUP BY n) THEN 1 ELSE 0 END') \gexec
SELECT compare('UPDATE t SET txt = (id NOT IN (SELECT min(id) FROM t GROUP BY k))::text || (k IN (SELECT DISTINCT n FROM t))::text') \gexec
SELECT compare('DELETE FROM t WHERE txt NOT IN (SELECT max(txt) FROM t)') \gexec

-- rows, ALL and ANY
SELECT compare('UPDATE t SET n = -2 WHERE (k, n) IN (SELECT k, max(n) FROM t GROUP BY k)') \gexec
SELECT compare('DELETE FROM t WHERE (id, k) NOT IN (SELECT max(id), k FROM t GROUP BY k)') \gexec
SELECT compare('DELETE FROM t WHERE id >= ALL (SELECT avg(id) FROM t GROUP BY k)') \gexec
SELECT compare('DELETE FROM t WHERE id < ANY (SELECT min(id) + 100 FROM t GROUP BY k)') \gexec
SELECT compare('UPDATE t SET n = 9 WHERE (k, n) = (SELECT k, n FROM t ORDER BY id LIMIT 1)') \gexec
SELECT compare('UPDATE t SET n = 9 WHERE id = ANY (ARRAY(SELECT id FROM t ORDER BY id DESC LIMIT 20))') \gexec

-- EXISTS, one value, ARRAY, several columns
SELECT compare('UPDATE t SET k = 100 WHERE NOT EXISTS (SELECT FROM t WHERE k = 100)') \gexec
SELECT compare('UPDATE t SET n = (SELECT max(n) FROM t) + 1') \gexec
SELECT compare('UPDATE t SET n = n + 1 WHERE n = (SELECT min(n) FROM t)') \gexec
SELECT compare('UPDATE t SET n = (SELECT id FROM t WHERE id < 0)') \gexec
SELECT compare('UPDATE t SET arr = ARRAY(SELECT n FROM t ORDER BY id DESC LIMIT 5)') \gexec
SELECT compare('UPDATE t SET (n, k) = (SELECT max(n), count(*) FROM t WHERE n < 5)') \gexec
SELECT compare('UPDATE t SET (n, k) = (SELECT n, k FROM t WHERE id = 77)') \gexec

-- other types
SELECT compare('UPDATE t SET p = (SELECT p FROM t ORDER BY id LIMIT 1), e = (SELECT max(e)::even FROM t)') \gexec
SELECT compare('UPDATE t SET n = 1 WHERE p IN (SELECT p FROM t ORDER BY id LIMIT 2)') \gexec
SELECT compare('UPDATE t SET n = 1 WHERE e IN (SELECT e FROM t ORDER BY id LIMIT 2)') \gexec
SELECT compare('UPDATE t SET txt = (SELECT max(m) FROM other)::text') \gexec
SELECT compare('UPDATE t SET txt = (SELECT string_agg(repeat(md5(id::text), 100), '''') FROM t)') \gexec
SELECT compare('UPDATE t SET at = (SELECT min(at) FROM t), arr = (SELECT array_agg(id ORDER BY id) FROM t)') \gexec

-- What no index can be made of as it is: long values, and types without an order.
SELECT compare('DELETE FROM t WHERE (SELECT string_agg(md5(t.id::text || g), '''') FROM generate_series(1, 200) g) IN (SELECT DISTINCT string_agg(md5(t.id::text || g), '''') FROM t, generate_series(1, 200) g WHERE id > 150 GROUP BY t.id)') \gexec
SELECT compare('UPDATE t SET txt = s.j[1]::text FROM (SELECT id, array_agg(json_build_object(''k'', k)) AS j FROM t GROUP BY id) s WHERE s.id + 0 = t.id + 0') \gexec
SELECT compare('UPDATE t SET txt = (s.c).relname FROM (SELECT DISTINCT ON (id) id, c FROM t, pg_class c WHERE relname = ''pg_class'') s WHERE s.id + 0 = t.id + 0') \gexec

-- CTEs: once, twice, one of another, recursive, of a subquery
SELECT compare('WITH batch AS (SELECT id FROM t WHERE n < 5 ORDER BY id LIMIT 100) UPDATE t o SET n = 10 FROM batch WHERE o.id = batch.id') \gexec
SELECT compare('WITH batch AS (SELECT id, k FROM t ORDER BY id LIMIT 100) DELETE FROM t WHERE id IN (SELECT id FROM batch) OR k IN (SELECT k FROM batch WHERE k < 3)') \gexec
SELECT compare('WITH a AS (SELECT k, count(*) AS c FROM t GROUP BY k), b AS (SELECT max(c) AS c FROM a) UPDATE t SET n = a.c FROM a, b WHERE a.k = t.k AND a.c = b.c') \gexec
SELECT compare('WITH a AS (SELECT k, count(*) AS c FROM t GROUP BY k) UPDATE t SET n = (SELECT max(c) FROM a) WHERE k IN (SELECT k FROM a WHERE c > 19)') \gexec
SELECT compare('WITH RECURSIVE r(id, depth) AS (SELECT 1, 0 UNION ALL SELECT t.id, depth + 1 FROM t JOIN r ON t.id = r.id + 2) UPDATE t SET n = depth FROM r WHERE r.id = t.id') \gexec
SELECT compare('WITH unused AS (SELECT 1 / 0 FROM t), small AS (SELECT id FROM other) UPDATE t SET n = 5 WHERE id IN (SELECT id FROM small)') \gexec
SELECT compare('UPDATE t SET n = 5 WHERE id IN (WITH l AS (SELECT id FROM t ORDER BY id LIMIT 50) SELECT id + 10 FROM l)') \gexec
SELECT compare('WITH a AS MATERIALIZED (SELECT id FROM other) UPDATE t SET n = 5 FROM a WHERE a.id = t.id') \gexec

-- Only the columns that are used are kept; all of these do not fit into a row.
CREATE FUNCTION wide() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format('id AS c%s', g), ', ') FROM generate_series(1, 1200) g
$$;
SELECT run(format('UPDATE t SET n = s.r, k = s.c7 FROM (SELECT *, row_number() OVER (ORDER BY id DESC) AS r, %s FROM t) s WHERE s.id = t.id', wide()));
SELECT rows_changed FROM bulkpar_execute(format('UPDATE t SET n = s.r, k = s.c7 FROM (SELECT *, row_number() OVER (ORDER BY id DESC) AS r, %s FROM t) s WHERE s.id = t.id', wide()), 29);
SELECT * FROM differences;
SELECT run(format('WITH s AS (SELECT *, max(k) OVER () AS m, %s FROM t) UPDATE t SET n = s.c9, txt = (SELECT max(s2.txt) FROM s AS s2 WHERE s2.k = t.k AND s2.c8 > 7) FROM s WHERE s.id = t.id AND s.k < s.m', wide()));
SELECT rows_changed FROM bulkpar_execute(format('WITH s AS (SELECT *, max(k) OVER () AS m, %s FROM t) UPDATE t SET n = s.c9, txt = (SELECT max(s2.txt) FROM s AS s2 WHERE s2.k = t.k AND s2.c8 > 7) FROM s WHERE s.id = t.id AND s.k < s.m', wide()), 29);
SELECT * FROM differences;
SELECT compare('WITH s AS (SELECT *, count(*) OVER () AS c FROM t) UPDATE t SET txt = s2::text FROM s JOIN s AS s2 USING (id) WHERE s.id = t.id') \gexec

-- FROM and USING: subqueries, the target itself, views of it, functions
SELECT compare('UPDATE t SET n = s.r FROM (SELECT id, row_number() OVER (PARTITION BY k ORDER BY id) AS r FROM t) s WHERE s.id = t.id') \gexec
SELECT compare('DELETE FROM t USING (SELECT k, max(id) AS id FROM t GROUP BY k) s WHERE s.k = t.k AND s.id <> t.id') \gexec
SELECT compare('UPDATE t SET n = b.n + 1 FROM t b WHERE b.id = t.id + 1') \gexec
SELECT compare('DELETE FROM t USING t b WHERE t.ctid < b.ctid AND t.k = b.k') \gexec
SELECT compare('DELETE FROM t a USING t b WHERE a.k = b.k AND a.n = b.n AND a.id > b.id') \gexec
SELECT compare('UPDATE t SET p = ROW((b).id, ''row'')::spot, txt = b::text FROM t b WHERE b.id = t.id - 1') \gexec
-- with system columns beside the whole row, also one that is null
SELECT compare('DELETE FROM t USING t b WHERE b.id = t.id + 20 AND b.ctid > t.ctid AND b::text LIKE ''%x0%'' AND b.tableoid = t.tableoid') \gexec
SELECT compare('UPDATE t SET txt = (b IS NULL)::text || coalesce(b::text, ''none'') FROM other o LEFT JOIN t b ON b.id = o.id + 350 AND b.ctid IS NOT NULL WHERE o.id = t.id') \gexec
SELECT compare('UPDATE t SET n = v.n FROM t_view v WHERE v.id = t.id + 1') \gexec
SELECT compare('UPDATE t SET n = v.n FROM t_sums v WHERE v.k = t.k') \gexec
SELECT compare('DELETE FROM t WHERE id IN (SELECT id FROM t_sums)') \gexec
SELECT compare('UPDATE t SET n = o.id FROM other o LEFT JOIN t b ON b.id = o.id + 1 WHERE b.k IS NOT NULL AND o.id = t.id') \gexec
SELECT compare('UPDATE t SET n = b.n FROM other o JOIN (t b JOIN t_sums USING (k)) ON o.id = b.id WHERE o.id = t.id') \gexec
SELECT compare('UPDATE t SET n = 7 FROM (SELECT FROM t LIMIT 1) s') \gexec
SELECT compare('UPDATE t SET n = 7 FROM (SELECT FROM t LIMIT 0) s') \gexec
SELECT compare('UPDATE t SET n = g FROM generate_series(1, (SELECT max(k) FROM t)) g WHERE g = t.id') \gexec

-- within a subquery that depends on the row
SELECT compare('DELETE FROM t WHERE EXISTS (SELECT FROM other o WHERE o.id = t.id AND o.k > (SELECT min(k) + 3 FROM t))') \gexec
SELECT compare('UPDATE t SET n = (SELECT count(*) FROM other o WHERE o.k = t.k AND o.id IN (SELECT id FROM t ORDER BY id LIMIT 60))') \gexec
SELECT compare('WITH top AS (SELECT max(id) AS id FROM t GROUP BY k) UPDATE t SET n = (SELECT max(o.id) FROM other o WHERE o.k = t.k AND o.id < (SELECT max(id) FROM top))') \gexec
SELECT compare('UPDATE t SET txt = (SELECT max(x.v || s.c) FROM other x, (SELECT count(*) AS c FROM t) s WHERE x.k = t.k)') \gexec

-- partitioned: the target, a part of it, what it is a part of
SELECT compare('DELETE FROM parted WHERE id IN (SELECT id FROM parted ORDER BY id LIMIT 60)') \gexec
SELECT compare('DELETE FROM parted WHERE id IN (SELECT id FROM parted_1 ORDER BY id LIMIT 60)') \gexec
SELECT compare('UPDATE parted_2 SET n = (SELECT sum(n) FROM parted)') \gexec
SELECT compare('UPDATE parted SET n = b.n + 1 FROM parted b WHERE b.id = parted.id - 2 AND b.a = parted.a') \gexec
SELECT compare('DELETE FROM parted USING parted b WHERE b.tableoid = parted.tableoid AND b.id = parted.id + 2') \gexec

-- by its parts, with other ways to run
SELECT run('UPDATE t SET n = (SELECT max(n) FROM t) + 1 WHERE k IN (SELECT k FROM t GROUP BY k HAVING count(*) > 19)');
SELECT status, rows_changed FROM bulkpar_update('t', 'n', '(SELECT max(n) FROM t) + 1', 10,
	condition => 'k IN (SELECT k FROM t GROUP BY k HAVING count(*) > 19)');
SELECT * FROM differences;
SELECT run('DELETE FROM t USING (SELECT max(id) AS id FROM t GROUP BY k) s WHERE s.id <> t.id AND s.id % 20 = t.k');
SELECT status, rows_changed FROM bulkpar_delete('t', 's.id <> t.id AND s.id % 20 = t.k', 10,
	using_item => '(SELECT max(id) AS id FROM t GROUP BY k) s');
SELECT * FROM differences;
SELECT compare('UPDATE t SET n = (SELECT max(n) FROM t) WHERE id > 7', ', 29, stripes => 4') \gexec
SELECT compare('UPDATE t SET n = (SELECT max(n) FROM t) WHERE id > 7', $$, 29, on_error => 'skip'$$) \gexec
SELECT compare('UPDATE t SET k = 2 WHERE id IN (SELECT id FROM t ORDER BY id LIMIT 5)', ', batch_size => 1') \gexec
SELECT run('UPDATE t SET n = (SELECT min(n) FROM t)');
SELECT status, rows_changed, rows_unchanged FROM bulkpar_execute(
	'UPDATE t SET n = (SELECT min(n) FROM t)', 29, skip_unchanged => true);
SELECT * FROM differences;

-- Volatile functions are called once as well.
SELECT setval('calls', 1, false);
SELECT compare('UPDATE t SET n = 3 WHERE id IN (SELECT job.called(o.id) FROM other o)') \gexec
SELECT nextval('calls') - 1 AS calls_by_both;
SELECT compare('UPDATE t SET n = (SELECT job.called(5))') \gexec
SELECT nextval('calls') - 102 - 100 + 1 AS calls_by_both;
SELECT fill('job');
SELECT status FROM bulkpar_update('t', 'txt', '(SELECT random())::text', 29);
SELECT count(DISTINCT txt) FROM t;
-- What they do is not seen by others, which are evaluated in the same snapshot.
CREATE FUNCTION clear() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM other;
	RETURN 1;
END
$$;
SELECT compare('UPDATE t SET n = (SELECT job.clear()), k = (SELECT count(*) FROM other)') \gexec
-- for each row, as ever
SELECT fill('job');
SELECT status FROM bulkpar_update('t', 'txt', '(SELECT random() FROM other WHERE other.id <= t.id LIMIT 1)::text', 29);
SELECT count(DISTINCT txt) > 390 FROM t;

-- Errors are those of the subquery, and nothing is done.
SELECT fill('job');
SELECT bulkpar_execute('UPDATE t SET n = (SELECT id FROM t)');
SELECT bulkpar_execute('UPDATE t SET n = 1 WHERE id IN (SELECT 1 / (max(id) - 400) FROM t)');
-- Also where one statement would not have come to it, for it finds no row.
SELECT rows_changed FROM bulkpar_execute('UPDATE t SET n = (SELECT 1 / count(*) FROM t WHERE id < 0) WHERE id < 0 AND id > 0');

-- refused
SELECT bulkpar_execute('UPDATE t SET n = (SELECT max(b.n) FROM t b WHERE b.k = t.k)');
\echo :SQLSTATE
SELECT bulkpar_execute('DELETE FROM t WHERE EXISTS (SELECT FROM t_view b WHERE b.k = t.k)');
SELECT bulkpar_explain(statement => 'DELETE FROM parted WHERE EXISTS (SELECT FROM parted_1 b WHERE b.id = parted.id)');
SELECT bulkpar_execute('DELETE FROM parted_1 WHERE EXISTS (SELECT FROM parted b WHERE b.id = parted_1.id)');
SELECT bulkpar_update('t', 'n', '(SELECT job.called(o.id) FROM other o WHERE o.id = t.id)');
SELECT bulkpar_update('t', 'n', 'l.n', from_item => 'other o, LATERAL (SELECT max(n) AS n FROM t b WHERE b.id < o.id) l', condition => 'o.id = t.id');
SELECT bulkpar_execute('WITH batch AS (SELECT id FROM t WHERE n = 0 ORDER BY id LIMIT 5000 FOR UPDATE SKIP LOCKED) UPDATE t o SET n = 1 FROM batch WHERE o.id = batch.id');
\echo :SQLSTATE
SELECT bulkpar_delete('t', 'id IN (SELECT id FROM other FOR SHARE)');
SELECT bulkpar_explain(statement => 'DELETE FROM t WHERE EXISTS (SELECT FROM other o WHERE o.id = t.id FOR UPDATE)');
SELECT bulkpar_execute('DELETE FROM t WHERE EXISTS (SELECT FROM other o WHERE o.id = t.id FOR UPDATE)', sees_batches => true);
SELECT bulkpar_execute('UPDATE t SET n = 1 FROM (SELECT DISTINCT ROW(id, k) AS r FROM t) s WHERE s.r = ROW(t.id, t.k)');
SELECT bulkpar_execute('WITH RECURSIVE r(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM r WHERE id < 9) CYCLE id SET again USING path UPDATE t SET n = 1 FROM r WHERE r.id = t.id AND NOT again');
SELECT bulkpar_execute('WITH d AS (DELETE FROM other RETURNING id) UPDATE t SET n = 1 FROM d WHERE d.id = t.id');
-- allowed
SELECT compare('UPDATE t SET (n, k) = (SELECT job.called(t.k), t.n)') \gexec
SELECT compare('UPDATE t SET n = 1 FROM (WITH RECURSIVE r(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM r WHERE id < 9) SEARCH DEPTH FIRST BY id SET o CYCLE id SET again USING path SELECT id, again FROM r ORDER BY o LIMIT 7) s WHERE s.id = t.id AND NOT again') \gexec
SELECT compare('DELETE FROM t WHERE EXISTS (SELECT FROM t b WHERE b.id = t.id)', ', 29, sees_batches => true') \gexec
SELECT sees_batches FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;
SELECT bulkpar_execute('UPDATE t SET n = 1', sees_batches => NULL);

-- explain
CREATE FUNCTION explain(statement text, sample boolean) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT regexp_replace(regexp_replace(line, '[0-9.]+ ms', 'N ms'), ', [0-9]+ (bytes|kB)\)$', ', N kB)') FROM bulkpar_explain(statement => statement, sample => sample) line
	WHERE line ~ '^(Evaluated|Plan|Sample: )'
$$;
SELECT fill('job');
ANALYZE t, other;
SELECT explain('WITH a AS (SELECT max(id) AS id FROM t GROUP BY k) DELETE FROM t USING a, (SELECT DISTINCT id FROM other) s WHERE a.id = t.id AND s.id = t.id AND k > (SELECT 1 AS one FROM t LIMIT 1)', false);
SELECT explain('WITH a AS (SELECT max(id) AS id FROM t GROUP BY k) DELETE FROM t USING a, (SELECT DISTINCT id FROM other) s WHERE a.id = t.id AND s.id = t.id AND k > (SELECT 1 AS one FROM t LIMIT 1)', true);
SELECT explain('DELETE FROM t WHERE id IN (SELECT id FROM other)', false);
-- Nothing is evaluated without a sample.
SELECT explain('DELETE FROM t WHERE id IN (SELECT 1 / (n - n) AS x FROM t)', false);

-- The results go with their jobs; nobody else can read them.
CREATE VIEW results AS SELECT count(*) FROM pg_class WHERE relname ~ '^bulkpar_subquery_' AND relkind = 'r'
	AND relnamespace = 'bulkpar'::regnamespace;
SELECT count FROM results;
SELECT count(*) FROM bulkpar.bulkpar_subquery;
\set SHOW_CONTEXT never
CREATE TABLE few (id int PRIMARY KEY, n int);
INSERT INTO few SELECT g, 0 FROM generate_series(1, 20) g;
CREATE FUNCTION fail(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF i > 10 AND current_setting('once.fail', true) IS DISTINCT FROM 'no' THEN
		RAISE 'not now';
	END IF;
	RETURN i;
END
$$;
SELECT bulkpar_execute('UPDATE few SET n = n + s.m + fail(few.id) FROM (SELECT max(id) AS m FROM few) s', 5, 1, job_name => 'once');
SELECT max(job_id) AS job FROM bulkpar_jobs \gset
SELECT number, rows, has_nulls FROM bulkpar.bulkpar_subquery WHERE job_id = :job;
SELECT relname LIKE 'bulkpar_subquery_%_1', relpersistence, relowner = (SELECT relowner FROM pg_class WHERE oid = 'bulkpar.bulkpar_job'::regclass),
	relacl, (SELECT deptype FROM pg_depend WHERE objid = c.oid AND refclassid = 'pg_extension'::regclass)
	FROM pg_class c JOIN bulkpar.bulkpar_subquery ON relation = c.oid;
SELECT has_table_privilege('pg_read_all_stats', relation, 'SELECT') FROM bulkpar.bulkpar_subquery;
-- A resumed job has the result that it had.
SELECT sum(n), count(*) FILTER (WHERE n > 0) FROM few;
INSERT INTO few VALUES (1000, 0);
SET once.fail = 'no';
CREATE OR REPLACE FUNCTION fail(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i';
SELECT status, rows_changed FROM bulkpar_resume(:job);
SELECT bool_and(n = 20 + id) FROM few WHERE id <= 20;
SELECT count FROM results;
-- It is not resumed with another meaning, nor without its result.
CREATE OR REPLACE FUNCTION fail(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RAISE 'not now';
END
$$;
CREATE VIEW meaning AS SELECT max(id) AS m FROM few;
SELECT bulkpar_execute('UPDATE few SET n = n + s.m + fail(few.id) FROM meaning s', 5, 1);
SELECT max(job_id) AS job FROM bulkpar_jobs \gset
DROP VIEW meaning;
CREATE VIEW meaning AS SELECT max(id)::bigint AS m FROM few;
SELECT bulkpar_resume(:job);
DROP VIEW meaning;
CREATE VIEW meaning AS SELECT id AS m FROM other;
SELECT bulkpar_resume(:job);
SELECT format('TRUNCATE %s', relation::regclass) FROM bulkpar.bulkpar_subquery WHERE job_id = :job \gexec
DROP VIEW meaning;
CREATE VIEW meaning AS SELECT max(id) AS m FROM few;
SELECT bulkpar_resume(:job);
\echo :SQLSTATE
SELECT bulkpar_forget(:job);
SELECT count FROM results;
-- nor is it another job's under the same name
SELECT bulkpar_execute('UPDATE few SET n = fail(few.id)', 5, 1, job_name => 'same');
SELECT bulkpar_execute('UPDATE few SET n = fail(few.id)', 5, 1, job_name => 'same', sees_batches => true);
-- What others could do to it is looked at.
SELECT bulkpar_execute('UPDATE few SET n = n + (SELECT max(id) FROM few) + fail(few.id)', 5, 1);
SELECT max(job_id) AS job FROM bulkpar_jobs \gset
SELECT format('GRANT SELECT ON %s TO PUBLIC', relation::regclass) FROM bulkpar.bulkpar_subquery WHERE job_id = :job \gexec
SELECT bulkpar_resume(:job);

-- DROP EXTENSION drops the results.
SELECT count FROM results;
DROP VIEW results;
DROP EXTENSION bulkpar;
SELECT count(*) FROM pg_class WHERE relname ~ '^bulkpar_subquery';
CREATE EXTENSION bulkpar SCHEMA public;

\set SHOW_CONTEXT errors
\pset format aligned
\pset tuples_only off
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA plain, job CASCADE;
DROP TYPE spot, mood;
DROP DOMAIN even;
