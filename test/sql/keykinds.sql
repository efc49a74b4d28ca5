-- Keys whose text is not the key: it depends on names, settings or functions.
-- A job keeps its keys as they are on disk, so each row is updated once, also
-- when all that changes between two runs of it.
SET bulkpar.report = off;
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE SCHEMA keykinds;
SET search_path = keykinds, public;
CREATE TABLE obstacle (there boolean);
INSERT INTO obstacle VALUES (true);
CREATE FUNCTION stumble(n integer) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
	IF n = 1000 AND (SELECT there FROM keykinds.obstacle) THEN
		RAISE 'stumbled';
	END IF;
	RETURN n + 1;
END $$;
-- Runs a job that fails in the middle of a table, changes what a key looks like,
-- and resumes it.
\set fail 'UPDATE obstacle SET there = true; UPDATE t SET n = CASE WHEN n = 1000 THEN 1000 ELSE 0 END; SELECT bulkpar_update(\'t\', \'n\', \'keykinds.stumble(n)\', 2, workers => 1);'
\set resume 'UPDATE obstacle SET there = false; SELECT status, rows_changed FROM bulkpar_resume((SELECT max(job_id) FROM bulkpar_jobs)); SELECT n % 1000 AS n, count(*) FROM t GROUP BY 1;'

-- regclass: two tables swap their names
SELECT format('CREATE TABLE r%s ()', i) FROM generate_series(1, 9) i \gexec
CREATE TABLE t (k regclass PRIMARY KEY, n integer NOT NULL DEFAULT 0);
INSERT INTO t SELECT ('r' || i)::regclass FROM generate_series(1, 9) i;
UPDATE t SET n = 1000 WHERE k = 'r7'::regclass;
:fail
ALTER TABLE r6 RENAME TO x;
ALTER TABLE r2 RENAME TO r6;
ALTER TABLE x RENAME TO r2;
:resume
DROP TABLE t;

-- regproc: names of overloaded functions cannot be read back
CREATE TABLE t (k regproc PRIMARY KEY, n integer NOT NULL DEFAULT 0);
INSERT INTO t SELECT oid FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace
	AND proname IN ('sum', 'avg', 'abs', 'length', 'lower', 'upper');
UPDATE t SET n = 1000 WHERE k = (SELECT max(k::oid) FROM t)::regproc;
:fail
UPDATE obstacle SET there = false;
SELECT status FROM bulkpar_resume((SELECT max(job_id) FROM bulkpar_jobs));
SELECT n % 1000 AS n, count(*) = (SELECT count(*) FROM t) AS "all" FROM t GROUP BY 1;
DROP TABLE t;

-- other types that know objects by their names, all in one key
CREATE TABLE t (a regtype, b regrole, c regnamespace, d regprocedure,
	n integer NOT NULL DEFAULT 0, PRIMARY KEY (a, b, c, d));
INSERT INTO t SELECT p.typ, 'pg_monitor', 'keykinds', 'abs(integer)'
FROM unnest('{integer,text,bigint,numeric,date,uuid,jsonb,inet}'::regtype[]) p(typ);
UPDATE t SET n = 1000 WHERE a = 'date'::regtype;
:fail
ALTER SCHEMA keykinds RENAME TO keykinds_then;
CREATE SCHEMA keykinds;
SET search_path = keykinds_then, public;
DROP SCHEMA keykinds;
ALTER SCHEMA keykinds_then RENAME TO keykinds;
SET search_path = keykinds, public;
:resume
DROP TABLE t;

-- enums: two labels swap their names; also in arrays, ranges and rows
CREATE TYPE e AS ENUM ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
CREATE TYPE pair AS (x e, y integer);
CREATE TYPE erange AS RANGE (SUBTYPE = e);
CREATE FUNCTION make(type text, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE t (k %s PRIMARY KEY, n integer NOT NULL DEFAULT 0)', type);
	EXECUTE format('INSERT INTO t SELECT %s, CASE v WHEN ''f'' THEN 1000 ELSE 0 END'
		' FROM unnest(enum_range(NULL::keykinds.e)) v', value);
END $$;
CREATE FUNCTION swap() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	ALTER TYPE e RENAME VALUE 'b' TO 'x';
	ALTER TYPE e RENAME VALUE 'e' TO 'b';
	ALTER TYPE e RENAME VALUE 'x' TO 'e';
END $$;
SELECT make('e', 'v') \g /dev/null
:fail
SELECT swap() \g /dev/null
:resume
DROP TABLE t;
SELECT make('e[]', 'ARRAY[''d'', v]::e[]') \g /dev/null
:fail
SELECT swap() \g /dev/null
:resume
DROP TABLE t;
SELECT make('pair', '(v, 1)::pair') \g /dev/null
:fail
SELECT swap() \g /dev/null
:resume
DROP TABLE t;
SELECT make('erange', 'erange(v, NULL)') \g /dev/null
:fail
SELECT swap() \g /dev/null
:resume
DROP TABLE t;

-- arrays with nulls, where the session says that they are words; the largest
-- key begins with one
SET array_nulls = off;
CREATE TABLE t (k text[] PRIMARY KEY, n integer NOT NULL DEFAULT 0);
INSERT INTO t SELECT CASE g % 5 WHEN 0 THEN ARRAY['p' || g, NULL] ELSE ARRAY['p' || g] END
FROM generate_series(1, 100) g;
INSERT INTO t VALUES (ARRAY['zz', NULL]), (ARRAY[NULL, 'zz']), (ARRAY['NULL', 'zz']);
UPDATE t SET n = 1000 WHERE k = ARRAY['p45', NULL];
:fail
SET array_nulls = on;
:resume
RESET array_nulls;
DROP TABLE t;

-- settings of the output of types
SET DateStyle = 'German';
SET IntervalStyle = 'sql_standard';
SET extra_float_digits = -5;
SET TimeZone = 'Asia/Tokyo';
SET bytea_output = 'escape';
CREATE TABLE t (a date, b timestamptz, c interval, d float8, e bytea, f money,
	n integer NOT NULL DEFAULT 0, PRIMARY KEY (a, b, c, d, e, f));
INSERT INTO t SELECT date '2024-01-01' + g % 3, timestamptz '2024-02-03 04:05:06+00' + g % 2 * interval '1 us',
	interval '-1 mon 2 days -3.4 sec' * g, 1.0 / 3 * g, sha256(g::text::bytea), g::money
FROM generate_series(1, 40) g;
UPDATE t SET n = 1000 WHERE c = interval '-1 mon 2 days -3.4 sec' * 20;
:fail
RESET DateStyle;
RESET IntervalStyle;
RESET extra_float_digits;
RESET TimeZone;
RESET bytea_output;
:resume
DROP TABLE t;

-- a domain with a check that runs queries, within the key's type
CREATE TABLE allowed (v integer);
INSERT INTO allowed SELECT generate_series(1, 50);
CREATE FUNCTION is_allowed(integer) RETURNS boolean LANGUAGE plpgsql AS
	'BEGIN RETURN EXISTS (SELECT FROM keykinds.allowed WHERE v = $1); END';
CREATE DOMAIN checked AS integer CHECK (keykinds.is_allowed(VALUE));
CREATE TYPE holder AS (c checked);
CREATE TABLE t (k holder PRIMARY KEY, l checked NOT NULL, m checked[] NOT NULL,
	n integer NOT NULL DEFAULT 0, UNIQUE (l), UNIQUE (m));
INSERT INTO t SELECT ROW(i)::holder, i, ARRAY[i]::checked[] FROM generate_series(1, 50) i;
UPDATE t SET n = 1000 WHERE l = 31;
:fail
DELETE FROM allowed;
:resume
SELECT status, rows_changed FROM bulkpar_update('t', 'n', 'n + 1', 7, 2, key_index => 't_l_key');
SELECT status, rows_changed FROM bulkpar_update('t', 'n', 'n + 1', 7, 2, key_index => 't_m_key');
SELECT n % 1000 AS n, count(*) FROM t GROUP BY 1;
DROP TABLE t;

-- keys that are longer than an entry of an index, with errors that are skipped
CREATE TABLE t (k bytea PRIMARY KEY, n integer NOT NULL DEFAULT 0);
ALTER TABLE t ALTER COLUMN k SET STORAGE EXTERNAL;
INSERT INTO t SELECT string_agg(sha256((i * 100 + k)::text::bytea), ''), i
FROM generate_series(1, 10) i, generate_series(1, 75) k GROUP BY i;
SELECT status, rows_changed, rows_failed FROM bulkpar_update('t', 'n', '100 / (n - 5)', 3, 2, on_error => 'skip');
SELECT length(key[1]), sqlstate FROM bulkpar_errors WHERE job_id = (SELECT max(job_id) FROM bulkpar_jobs);
DROP TABLE t;

-- a type of a key that becomes another one between two runs: the job knows
CREATE TABLE t (k integer PRIMARY KEY, n integer NOT NULL DEFAULT 0);
INSERT INTO t SELECT generate_series(1, 10);
UPDATE t SET n = 1000 WHERE k = 7;
:fail
ALTER TABLE t ALTER COLUMN k TYPE bigint;
UPDATE obstacle SET there = false;
SELECT bulkpar_resume((SELECT max(job_id) FROM bulkpar_jobs));
ALTER TABLE t ALTER COLUMN k TYPE integer;
:resume
DROP SCHEMA keykinds CASCADE;
