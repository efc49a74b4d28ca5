--
-- A job knows its key by OID: what a key is called, and what its operators and
-- types are, can change while a job waits to be resumed, but not the order
--
SET bulkpar.report = off;
SET client_min_messages = warning;
SET bulkpar.workers = 2;
CREATE SCHEMA byoid;
CREATE EXTENSION citext SCHEMA byoid;
SET search_path = byoid, public;
\set VERBOSITY terse

CREATE DOMAIN code AS varchar(20);
CREATE DOMAIN word AS citext;
CREATE COLLATION own (provider = icu, locale = 'de');
CREATE TABLE many (
	"Tenant" int NOT NULL,
	name code COLLATE own NOT NULL,
	alias word NOT NULL,
	tags int[] NOT NULL,
	n int NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX many_key ON many ("Tenant" DESC, alias, name, tags DESC);
INSERT INTO many SELECT g % 3, 'Name ' || g % 50, 'alias ' || g % 20, ARRAY[g] FROM generate_series(1, 300) g;
ANALYZE many;

-- how people are shown a key
SELECT line FROM bulkpar_explain('many', 'n', 'n + 1') line WHERE line LIKE 'Table: %';

-- Stop a job in the middle, change something, and look whether it goes on where
-- it was: each row is updated once.
CREATE TABLE stop (at int);
CREATE FUNCTION stops(int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	IF $1 IN (SELECT at FROM byoid.stop) THEN
		RAISE EXCEPTION 'stopped';
	END IF;
	RETURN 0;
END $$;
INSERT INTO stop VALUES (150);
SELECT bulkpar_update('many', 'n', 'n + 1 + byoid.stops(tags[1])', 10, 1);
SELECT max(job_id) AS job FROM bulkpar.bulkpar_job \gset
SELECT sum(n) BETWEEN 1 AND 299 AS in_the_middle FROM many;
-- names of all kinds
ALTER TABLE many RENAME "Tenant" TO "select";
ALTER TABLE many RENAME name TO title;
ALTER TABLE many RENAME alias TO name;
ALTER INDEX many_key RENAME TO "Key";
ALTER DOMAIN code RENAME TO "Code";
ALTER DOMAIN word RENAME TO other_word;
ALTER COLLATION own RENAME TO "other own";
ALTER OPERATOR FAMILY citext_ops USING btree RENAME TO "Ops";
ALTER OPERATOR CLASS citext_ops USING btree RENAME TO "Ops";
CREATE SCHEMA "other schema";
ALTER EXTENSION citext SET SCHEMA "other schema";
ALTER DOMAIN "Code" SET SCHEMA "other schema";
SELECT bulkpar_resume(:job, workers => 1);
SELECT line FROM bulkpar_explain('many', 'n', 'n + 1') line WHERE line LIKE 'Table: %';

-- keys of other orders will not do: another direction, collation or operator
-- class, other columns, and a collation that sorts otherwise than it did
\set VERBOSITY default
CREATE UNIQUE INDEX k ON many ("select", name, title, tags DESC);
DROP INDEX "Key";
SELECT bulkpar_resume(:job);
DROP INDEX k;
\set VERBOSITY terse
CREATE UNIQUE INDEX k ON many ("select" DESC, name, title COLLATE "C", tags DESC);
SELECT bulkpar_resume(:job);
DROP INDEX k;
CREATE UNIQUE INDEX k ON many ("select" DESC, name, title varchar_pattern_ops, tags DESC);
SELECT bulkpar_resume(:job);
DROP INDEX k;
CREATE UNIQUE INDEX k ON many ("select" DESC, title, name, tags DESC);
SELECT bulkpar_resume(:job);
DROP INDEX k;
CREATE UNIQUE INDEX k ON many ("select" DESC, name, title, tags DESC);
CREATE TABLE kept AS SELECT key_order FROM bulkpar.bulkpar_part WHERE job_id = :job;
UPDATE bulkpar.bulkpar_part SET key_order = regexp_replace(key_order, '[\d.]+; (\d+ 1007)', '0.1; \1') WHERE job_id = :job;
SELECT key_order <> (TABLE kept) AS other_version FROM bulkpar.bulkpar_part WHERE job_id = :job;
SELECT bulkpar_resume(:job);
UPDATE bulkpar.bulkpar_part SET key_order = (TABLE kept) WHERE job_id = :job;
-- one of the same order will
DELETE FROM stop;
SELECT status, rows_changed FROM bulkpar_resume(:job);
SELECT n, count(*) FROM many GROUP BY n;

-- a column that was dropped
INSERT INTO stop VALUES (150);
SELECT bulkpar_update('many', 'n', 'n + 1 + byoid.stops(tags[1])', 10, 1);
SELECT max(job_id) AS job FROM bulkpar.bulkpar_job \gset
ALTER TABLE many DROP title;
\set VERBOSITY default
SELECT bulkpar_resume(:job);
\set VERBOSITY terse
DROP TABLE many;

-- the functions of the extension are those that belong to it
CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL);
INSERT INTO t SELECT g, 0 FROM generate_series(1, 300) g;
ALTER EXTENSION bulkpar DROP FUNCTION bulkpar.bulkpar_in_stripe(int, int, "any");
SELECT bulkpar_update('t', 'n', 'n + 1', 10, stripes => 4);
SELECT rows_changed FROM bulkpar_update('t', 'n', 'n + 1', 10, stripes => 1);
ALTER EXTENSION bulkpar ADD FUNCTION bulkpar.bulkpar_in_stripe(int, int, "any");
SELECT rows_changed FROM bulkpar_update('t', 'n', 'n + 1', 10, skip_unchanged => true, stripes => 4);
SELECT n, count(*) FROM t GROUP BY n;

-- the range of a batch is also that of a column that is equal to the key, whatever
-- the column is called in its FROM item
CREATE TABLE s1 (id int PRIMARY KEY, v int);
CREATE TABLE s2 (id int PRIMARY KEY, w int);
INSERT INTO s1 SELECT g, g FROM generate_series(1, 300) g;
INSERT INTO s2 SELECT g, g FROM generate_series(1, 300) g;
ANALYZE t, s1, s2;
CREATE FUNCTION has_range(from_item text, condition text) RETURNS boolean LANGUAGE sql AS $$
	SELECT count(*) > 1 FROM bulkpar_explain('t', 'n', '1', 10, from_item => from_item, condition => condition,
		stripes => 1) line WHERE line ~ '(Index Cond|Filter): .* > \$1\)'
$$;
SELECT has_range('s1 AS "bulkpar list"', '"bulkpar list".id = t.id');
SELECT has_range('(s1 JOIN s2 USING (id)) AS j', 'j.id = t.id');
SELECT has_range('s1 LEFT JOIN s2 USING (id)', 's2.id = t.id');
SELECT has_range('s1 AS x(a, b)', 'a = t.id');
SELECT has_range('s1', 'v = t.id + 1');
SELECT condition, has_range(NULL, condition) FROM (VALUES
	('NOT EXISTS (SELECT FROM s1 WHERE s1.id = t.id)'),
	('EXISTS (SELECT FROM s1 JOIN s2 USING (id) WHERE v > 0 AND t.id = s1.id) OR n = -1'),
	('id NOT IN (SELECT id FROM s1)'),
	('id NOT IN (SELECT max(id) FROM s1 GROUP BY v)'),
	('EXISTS (SELECT FROM s1 WHERE s1.id = t.n)'),
	('EXISTS (SELECT FROM s1 AS t WHERE t.id = t.v)'),
	('EXISTS (SELECT FROM s1 WHERE s1.id = t.id OR s1.v = 1)'),
	('EXISTS (SELECT FROM s1 WHERE EXISTS (SELECT FROM s2 AS t WHERE s1.id = t.id))')) AS v(condition);
SELECT rows_changed FROM bulkpar_update('t', 'n', 'EXISTS (SELECT FROM s1 WHERE s1.id = t.id AND v % 3 = 0)::int', 10,
	condition => 'NOT EXISTS (SELECT FROM s1 WHERE s1.id = t.id AND v % 2 = 0)', stripes => 4);
SELECT count(*), count(*) FILTER (WHERE n = (id % 3 = 0)::int) FROM t WHERE id % 2 = 1;
SELECT rows_changed FROM bulkpar_update('t', 'n', 'v + w', 10,
	from_item => '(s1 JOIN s2 USING (id)) AS j', condition => 'j.id = t.id');
SELECT rows_changed FROM bulkpar_update('t', 'n', 'n + 1', 10,
	from_item => 's1 LEFT JOIN s2 USING (id)', condition => 's2.id = t.id');
SELECT count(*) FROM t WHERE n = 2 * id + 1;

-- a list of keys where something else is called like it
CREATE TABLE "bulkpar list" (c0 int, c1 "other schema"."Code", n int NOT NULL DEFAULT 0, few boolean,
	PRIMARY KEY (c1, c0));
INSERT INTO "bulkpar list" SELECT g, 'c ' || g % 7, 0, g % 100 = 0 FROM generate_series(1, 1000) g;
ANALYZE "bulkpar list";
SELECT rows_changed FROM bulkpar_update('"bulkpar list"', 'n', '"bulkpar list".n + 1', 10, condition => 'few');
SELECT few, n, count(*) FROM "bulkpar list" GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) FROM bulkpar.bulkpar_chunk WHERE keys IS NOT NULL AND job_id = (SELECT max(job_id) FROM bulkpar.bulkpar_job);

-- the key must be readable, also where it is compared only
CREATE ROLE regress_byoid_eve;
GRANT USAGE ON SCHEMA byoid TO regress_byoid_eve;
GRANT SELECT (n), UPDATE (n) ON t TO regress_byoid_eve;
GRANT SELECT (c0, n, few), UPDATE (n) ON "bulkpar list" TO regress_byoid_eve;
SET ROLE regress_byoid_eve;
SELECT bulkpar_update('t', 'n', '1');
SELECT bulkpar_update('"bulkpar list"', 'n', '1', 10, condition => 'few');
RESET ROLE;
GRANT SELECT (c1) ON "bulkpar list" TO regress_byoid_eve;
SET ROLE regress_byoid_eve;
SELECT rows_changed FROM bulkpar_update('"bulkpar list"', 'n', '1', 10, condition => 'few');
RESET ROLE;

DROP SCHEMA byoid, "other schema" CASCADE;
DROP ROLE regress_byoid_eve;
