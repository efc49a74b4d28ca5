--
-- UPDATE and DELETE as statements, with other tables, along a chosen index, and
-- leaving out the rows that would stay the same
--
SET bulkpar.report = off;
-- however many processors there are
SET bulkpar.workers = 2;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error RESTART IDENTITY;

CREATE TYPE pair AS (a int, b text);
CREATE TABLE item (
	id int PRIMARY KEY,
	n int NOT NULL DEFAULT 0,
	k int DEFAULT 7,
	price numeric(8,2),
	name varchar(8),
	tags text[],
	both_of pair
);
INSERT INTO item SELECT g, 0, g % 10, g, 'item ' || g, ARRAY['a', 'b'], ROW(g, 'b')::pair
	FROM generate_series(1, 100) g;
-- ids up to 60 once, those up to 20 twice more, others not at all
CREATE TABLE source (id int, v numeric, name text);
INSERT INTO source SELECT g, g + 0.123, 'new ' || g FROM generate_series(1, 60) g;
INSERT INTO source SELECT g % 20 + 1, 1000, 'other' FROM generate_series(1, 40) g;
CREATE VIEW counts AS SELECT n, count(*), min(id), max(id) FROM item GROUP BY n ORDER BY n;
CREATE VIEW last_job AS SELECT * FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;

--
-- bulkpar_execute
--
SELECT status, rows_updated, batches, workers, rows_failed, rows_unchanged
	FROM bulkpar_execute('UPDATE item SET n = n + 1', 10, 2);
SELECT * FROM counts;
SELECT target, key_index, deletes, column_names, statement, expressions, condition, from_item, skip_unchanged
	FROM last_job;
-- by name, in any order; with a condition
SELECT rows_updated FROM bulkpar_execute(workers => 1, batch_size => 7,
	statement => 'UPDATE item SET n = n + 1 WHERE id <= 50 OR id = 100');
SELECT * FROM counts;
-- in the SELECT list, and in PL/pgSQL
SELECT (bulkpar_execute('UPDATE item SET n = 0')).rows_updated;
DO $$ BEGIN PERFORM bulkpar_execute('UPDATE item SET n = n + 1', 10); END $$;
SELECT * FROM counts;
-- a condition that is true for no row, and one with OR
SELECT status, rows_updated FROM bulkpar_execute('UPDATE item SET n = 0 WHERE false');
SELECT rows_updated, batches FROM bulkpar_execute('UPDATE item SET n = n + 1 WHERE id < 0 OR true', 10);
SELECT * FROM counts;

-- the table: an alias, with the name of another table or its own, ONLY, a star,
-- its schema
SELECT rows_updated FROM bulkpar_execute('UPDATE item AS i SET n = i.n + 1 WHERE i.id > 0', 10);
SELECT rows_updated FROM bulkpar_execute('UPDATE item source SET n = source.n + 1', 10);
SELECT rows_updated FROM bulkpar_execute('UPDATE item item SET n = item.n + 1', 10);
SELECT rows_updated FROM bulkpar_execute('UPDATE ONLY item SET n = n + 1', 10);
SELECT rows_updated FROM bulkpar_execute('UPDATE ONLY (item) i SET n = n + 1', 10);
SELECT rows_updated FROM bulkpar_execute('UPDATE item * SET n = n + 1', 10);
SELECT rows_updated FROM bulkpar_execute('UPDATE public.item SET n = item.n + public.item.k * 0 + 1', 10);
SELECT rows_updated FROM bulkpar_execute(format('UPDATE %I.public.item SET n = n + 1', current_database()), 10);
SELECT * FROM counts;
-- names that need quotes, and the key's name in other tables too
CREATE SCHEMA "S ""; --";
CREATE TABLE "S ""; --"."T; 'x'" ("Id; """ int PRIMARY KEY, "select" int DEFAULT 0);
INSERT INTO "S ""; --"."T; 'x'" SELECT generate_series(1, 50);
SELECT rows_updated FROM bulkpar_execute($$UPDATE "S ""; --"."T; 'x'" SET "select" = "select" + 1$$, 10);
SELECT rows_updated FROM bulkpar_execute($$UPDATE "S ""; --"."T; 'x'" AS "A; """ SET "select" = "A; """."select" + 1
	FROM "S ""; --"."T; 'x'" WHERE "T; 'x'"."Id; """ = "A; """."Id; """$$, 10);
SET search_path = "S ""; --", public;
SELECT rows_updated FROM bulkpar_execute($$UPDATE U&"T\003B 'x'" SET "select" = "select" + 1$$, 10);
RESET search_path;
SELECT "select", count(*) FROM "S ""; --"."T; 'x'" GROUP BY 1;
-- comments, semicolons, dollars, backslashes, line ends
SELECT rows_updated FROM bulkpar_execute(E'\n/* a /* comment */ */ UPDATE item -- SET n = 5\n\tSET n = 0 WHERE true; -- the end');
SELECT rows_updated FROM bulkpar_execute(';; UPDATE item SET name = $x$a''\ $$%s$x$ WHERE id = 1 ;;');
SELECT rows_updated FROM bulkpar_execute('UPDATE item SET n = n + 1 /* the end */', 10);
SELECT name FROM item WHERE id = 1;
SET standard_conforming_strings = off;
SET escape_string_warning = off;
SELECT rows_updated FROM bulkpar_execute($$UPDATE item SET name = '\x41' WHERE id = 1$$);
RESET standard_conforming_strings;
RESET escape_string_warning;
SELECT name FROM item WHERE id = 1;

-- what is set: several columns, by a row, by a subquery, an element of an array,
-- a field, DEFAULT
SELECT rows_updated FROM bulkpar_execute('UPDATE item SET n = k, k = n, price = n + 0.126', 10);
SELECT id, n, k, price FROM item WHERE id = 38;
SELECT rows_updated FROM bulkpar_execute('UPDATE item SET (n, k) = (k, DEFAULT), price = DEFAULT', 10);
SELECT DISTINCT n, k, price FROM item;
SELECT rows_updated FROM bulkpar_execute('UPDATE item SET (n, k) = ROW(0, id)', 10);
SELECT rows_updated FROM bulkpar_execute('UPDATE item SET (n, price) =
	(SELECT item.n + 1, max(v) FROM source s WHERE s.id = item.id)', 10);
SELECT n, price, count(*) FROM item WHERE id <= 20 OR id > 60 GROUP BY 1, 2 ORDER BY 1, 2;
SELECT rows_updated FROM bulkpar_execute('UPDATE item SET tags[2] = name, tags[4] = ''d'', both_of.a = -id', 10);
SELECT tags, both_of FROM item WHERE id IN (2, 100) ORDER BY id;
SELECT rows_updated FROM bulkpar_update('item', 'both_of', '(id, name)', 10);
-- expressions: the row, functions, subqueries with and without the row
SELECT rows_updated FROM bulkpar_execute('UPDATE item i SET name = left(i::text, 8), n = n + 1
	WHERE id IN (SELECT id FROM source) AND EXISTS (SELECT FROM item o WHERE o.id = i.id + 50)', 10);
SELECT n, count(*), min(id), max(id), min(name) FROM item GROUP BY n ORDER BY n;

--
-- other tables
--
-- a target row that several rows match is updated once, one that none matches is
-- not
SELECT rows_updated FROM bulkpar_execute('UPDATE item SET n = 0, name = ''old''');
SELECT rows_updated, batches FROM bulkpar_execute('UPDATE item SET n = n + 1, price = v, name = source.name
	FROM source WHERE source.id = item.id', 10);
SELECT n, count(*), min(id), max(id), count(*) FILTER (WHERE price IN (id + 0.12, 1000)
	AND name IN ('new ' || id, 'other', 'old')) AS expected FROM item GROUP BY n ORDER BY n;
SELECT rows_updated FROM bulkpar_update('item', 'n', 'n + 1', 10, from_item => 'source s', condition => 's.id = item.id');
SELECT from_item, condition, statement FROM last_job;
SELECT * FROM counts;
-- rows that the planner takes for few are not listed when there are too many
CREATE TABLE crowd (id int PRIMARY KEY, n int DEFAULT 0);
INSERT INTO crowd SELECT generate_series(1, 100);
ANALYZE crowd;
CREATE FUNCTION many() RETURNS SETOF int STABLE ROWS 1 LANGUAGE plpgsql AS
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
SELECT status FROM bulkpar_execute(
	'UPDATE crowd SET n = crowd.n + 1 FROM (SELECT * FROM crowd TABLESAMPLE bernoulli (50)) o WHERE o.id = crowd.id AND o.id % 2 = 1', 1, 2);
SELECT listed();
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
-- where row level security hides the keys from the index, they are not listed
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
-- the key equal to a column of a join that has a name
SELECT rows_updated FROM bulkpar_execute(
	'UPDATE item SET n = n + 1 FROM (source x JOIN (VALUES (1), (2)) AS y (m) ON x.id = y.m) AS j (a) WHERE j.a = item.id', 10);
-- without a condition: each row matches each
SELECT rows_updated FROM bulkpar_update('item', 'n', 'n + 1', 10, from_item => 'source');
SELECT * FROM counts;
-- an empty one
SELECT rows_updated FROM bulkpar_update('item', 'n', '-1', 10, from_item => '(SELECT FROM source WHERE false) e');
-- several columns
SELECT rows_updated FROM bulkpar_update('item', ARRAY['n', 'name'], ARRAY['0', 'max'], 10,
	from_item => '(SELECT id, max(name) FROM source GROUP BY id) s', condition => 's.id = item.id');
SELECT n, name, count(*) FROM item WHERE id <= 20 OR id > 60 GROUP BY 1, 2 ORDER BY 1, 2;
-- all kinds of FROM items
CREATE VIEW odd AS SELECT id FROM source WHERE id % 2 = 1;
SELECT rows_updated FROM bulkpar_execute('UPDATE item SET n = 0');
SELECT rows_updated FROM bulkpar_update('item', 'n', 'n + s.v', 10, condition => 's.id = item.id',
	from_item => '(VALUES (1, 10), (2, 20)) AS s (id, v)');
SELECT rows_updated FROM bulkpar_update('item', 'n', 'n + g', 10, condition => 'g = item.id AND o = 2',
	from_item => 'generate_series(1, 5) WITH ORDINALITY AS g (g, o)');
SELECT rows_updated FROM bulkpar_update('item', 'n', 'n + b', 10, condition => 'a = item.id',
	from_item => 'ROWS FROM (generate_series(1, 3), generate_series(11, 13)) r (a, b)');
SELECT rows_updated FROM bulkpar_update('item', 'n', 'n + sign(v)::int', 10, condition => 's.id = item.id',
	from_item => 'source s TABLESAMPLE bernoulli (100)');
SELECT rows_updated FROM bulkpar_update('item', 'n', 'n + 1', 10, condition => 'o.id = item.id',
	from_item => 'source LEFT JOIN (odd o JOIN odd p USING (id)) ON o.id = source.id, generate_series(1, 2) -- comment');
SELECT rows_updated FROM bulkpar_update('item', 'n', 'n + 1', 10, condition => 's.id = item.id',
	from_item => 'ONLY (source) s /* comment */');
SELECT n, count(*), min(id) FROM item WHERE id <= 3 OR id > 60 GROUP BY n ORDER BY n;
-- the same table under an alias, a lateral subquery, WITH, a recursive one
SELECT rows_updated FROM bulkpar_execute('UPDATE item SET n = 0');
SELECT rows_updated FROM bulkpar_execute('UPDATE item i SET n = o.id FROM item o WHERE o.id = 101 - i.id', 10);
SELECT count(*) FROM item WHERE n = 101 - id;
SELECT rows_updated FROM bulkpar_execute('UPDATE item i SET n = x.v FROM item, LATERAL
	(SELECT item.n + 1 AS v UNION ALL SELECT 0 ORDER BY 1 DESC LIMIT 1) x WHERE item.id = i.id', 10);
SELECT count(*) FROM item WHERE n = 102 - id;
SELECT rows_updated FROM bulkpar_execute('WITH item AS (SELECT id, max(v) AS v FROM source GROUP BY id),
	more AS MATERIALIZED (SELECT * FROM item WHERE id > 40)
	UPDATE item AS i SET n = v FROM more WHERE more.id = i.id', 10);
SELECT count(*), min(id), max(id) FROM item WHERE n = id;
SELECT rows_updated FROM bulkpar_execute('WITH RECURSIVE r (id) AS (SELECT 1 UNION ALL SELECT 2 * id FROM r WHERE id < 100)
	UPDATE item SET n = -1 FROM r WHERE r.id = item.id', 10);
SELECT array_agg(id ORDER BY id) FROM item WHERE n = -1;
-- a view, and the same name in another schema
CREATE SCHEMA elsewhere;
CREATE TABLE elsewhere.item AS SELECT id, 5 AS n FROM item WHERE id <= 5;
CREATE VIEW source_view AS SELECT * FROM elsewhere.item;
SELECT rows_updated FROM bulkpar_execute('UPDATE item i SET n = item.n FROM elsewhere.item WHERE item.id = i.id', 10);
SELECT rows_updated FROM bulkpar_execute('UPDATE item SET n = s.n + 1 FROM source_view s WHERE s.id = item.id', 10);
SELECT count(*), min(id), max(id) FROM item WHERE n = 6 AND id <= 50;

--
-- DELETE
--
CREATE TABLE gone (id int PRIMARY KEY, n int);
CREATE FUNCTION fill_gone() RETURNS void LANGUAGE sql AS
	'TRUNCATE gone; INSERT INTO gone SELECT g, g % 10 FROM generate_series(1, 100) g';
CREATE VIEW gone_left AS SELECT count(*), min(id), max(id) FROM gone;
SELECT fill_gone();
ANALYZE gone;
SELECT status, rows_updated, batches, workers, rows_failed, rows_unchanged
	FROM bulkpar_delete('gone', 'n = 5', 10, 2);
SELECT * FROM gone_left;
SELECT target, deletes, column_names, expressions, condition, from_item, statement, stripes FROM last_job;
SELECT rows_updated FROM bulkpar_delete(condition => 'gone.id = s.id', using_item => 'source s', target => 'gone',
	workers => 2, batch_size => 10);
SELECT * FROM gone_left;
SELECT rows_updated FROM bulkpar_delete('gone', NULL, 7);
SELECT * FROM gone_left;
SELECT status, rows_updated, batches FROM bulkpar_delete('gone', 'true');
SELECT fill_gone();
SELECT rows_updated FROM bulkpar_execute('DELETE FROM gone WHERE id > 90', 10);
SELECT rows_updated FROM bulkpar_execute('DELETE FROM ONLY gone AS source USING source s WHERE source.id = s.id AND s.id < 10', 5);
SELECT rows_updated FROM bulkpar_execute('WITH w AS (SELECT 40 AS id) DELETE FROM gone g USING w, gone o
	WHERE o.id = g.id AND o.id > w.id AND g.id IN (SELECT id FROM source);', 5);
SELECT * FROM gone_left;
SELECT rows_updated FROM bulkpar_execute('DELETE FROM public.gone', 10, 3, stripes => 4);
SELECT * FROM gone_left;
-- triggers: rows that a BEFORE trigger keeps are not counted; a statement trigger
-- sees the rows of each batch
CREATE TABLE audit (name text, id int, rows bigint);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_LEVEL = 'ROW' THEN
		INSERT INTO audit VALUES (TG_NAME, OLD.id);
		RETURN CASE WHEN OLD.id <= 5 THEN NULL ELSE OLD END;
	END IF;
	INSERT INTO audit SELECT TG_NAME, NULL, count(*) FROM old_rows;
	RETURN NULL;
END $$;
CREATE TRIGGER row_before BEFORE DELETE ON gone FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TRIGGER statement_after AFTER DELETE ON gone REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION audit();
SELECT fill_gone();
SELECT rows_updated, batches FROM bulkpar_delete('gone', NULL, 10);
SELECT * FROM gone_left;
SELECT name, rows, count(*), count(DISTINCT id) FROM audit GROUP BY 1, 2 ORDER BY 1, 2;
DROP TRIGGER row_before ON gone;
DROP TRIGGER statement_after ON gone;
-- rows that others refer to: CASCADE, SET NULL, NO ACTION, the same table
CREATE TABLE refers (
	id int PRIMARY KEY,
	cascades int REFERENCES gone ON DELETE CASCADE,
	nulled int REFERENCES gone ON DELETE SET NULL,
	restricted int REFERENCES gone
);
DELETE FROM gone;
INSERT INTO gone SELECT g, g FROM generate_series(1, 100) g;
INSERT INTO refers SELECT g, nullif(g, 60), 101 - g, CASE WHEN g = 60 THEN 55 END FROM generate_series(1, 100) g;
SELECT rows_updated FROM bulkpar_delete('gone', 'id <= 10', 4);
SELECT count(*), count(nulled) FROM refers;
-- in which chunk that happens depends on what is known of the table's size
\set SHOW_CONTEXT never
SELECT bulkpar_delete('gone', NULL, 10, 1);
\set SHOW_CONTEXT errors
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM gone_left;
SELECT status, sqlstate FROM last_job;
UPDATE refers SET restricted = NULL;
SELECT job_id AS job FROM last_job \gset
SELECT status, rows_updated FROM bulkpar_resume(:job);
SELECT (SELECT count(*) FROM gone), count(*) FROM refers;
DROP TABLE refers;
-- the rows of later batches that a cascade has deleted before are not counted
CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree ON DELETE CASCADE);
INSERT INTO tree SELECT g, nullif(g / 50 * 50, g) FROM generate_series(50, 149) g;
SELECT rows_updated FROM bulkpar_delete('tree', 'id < 110', 10, 1);
SELECT count(*) FROM tree;
-- rules: those on the other command do not matter
CREATE RULE others AS ON UPDATE TO gone DO INSTEAD NOTHING;
SELECT rows_updated FROM bulkpar_delete('gone', NULL);
DROP RULE others ON gone;
CREATE RULE nothing AS ON DELETE TO gone WHERE OLD.id > 5 DO INSTEAD NOTHING;
SELECT bulkpar_delete('gone', NULL);
SELECT bulkpar_execute('DELETE FROM gone');
SELECT rows_updated FROM bulkpar_execute('UPDATE gone SET n = 1');
DROP RULE nothing ON gone;

--
-- errors
--
CREATE VIEW damage AS SELECT
	(SELECT count(*) FROM item WHERE n <> 0) AS rows_changed, (SELECT count(*) FROM item) AS items,
	(SELECT count(*) FROM source) AS sources, (SELECT count(*) FROM bulkpar.bulkpar_job) AS jobs;
UPDATE item SET n = 0;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error RESTART IDENTITY;
CREATE VIEW item_view AS SELECT * FROM item;
CREATE MATERIALIZED VIEW item_matview AS SELECT * FROM item;
CREATE TABLE item_part (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
CREATE TABLE item_part_1 PARTITION OF item_part FOR VALUES FROM (1) TO (10);
CREATE TABLE no_key (id int, n int NOT NULL);
CREATE TEMPORARY TABLE temporary (id int PRIMARY KEY, n int);
CREATE TEMPORARY VIEW temporary_view AS SELECT * FROM source;
CREATE FUNCTION pg_temp.one() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nothing FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE item_foreign (id int, n int) SERVER nothing;

-- where in the caller's text
SELECT bulkpar_execute('UPDATE item SET n = = 1 WHERE true');
SELECT bulkpar_execute(E'UPDATE item\nSET n = nothing');
SELECT bulkpar_execute('UPDATE item SET n = 1 FROM nowhere WHERE true');
SELECT bulkpar_execute('UPDATE item SET n = ''one''');
SELECT bulkpar_execute('UPDATE item SET n = $1');
SELECT bulkpar_update('item', 'n', '1', from_item => 'source,, source s');
SELECT bulkpar_update('item', 'n', '1', from_item => 'nowhere');
SELECT bulkpar_update('item', 'n', '1', from_item => 'source WHERE true');

-- from here on the SQLSTATE and the message, which is what :message adds
\set VERBOSITY sqlstate
\set message '\\echo :LAST_ERROR_MESSAGE'

-- statements that cannot be run in batches
SELECT bulkpar_execute('UPDATE item SET n = 1 RETURNING n'); :message
SELECT bulkpar_execute('DELETE FROM item RETURNING *'); :message
SELECT bulkpar_execute('UPDATE item SET n = 1 WHERE CURRENT OF c'); :message
SELECT bulkpar_execute('DELETE FROM item WHERE CURRENT OF c'); :message
SELECT bulkpar_execute('WITH w AS (DELETE FROM source RETURNING *) UPDATE item SET n = 1'); :message
SELECT bulkpar_execute('WITH v AS (SELECT 1), w AS (INSERT INTO source VALUES (1)) DELETE FROM item'); :message
SELECT bulkpar_execute('UPDATE item SET n = (WITH w AS (DELETE FROM source RETURNING 1) SELECT 1)'); :message
SELECT bulkpar_execute('UPDATE item SET n = 1; UPDATE item SET n = 2'); :message
SELECT bulkpar_execute('UPDATE item SET n = 1; DROP TABLE source'); :message
SELECT bulkpar_execute('DROP TABLE source'); :message
SELECT bulkpar_execute('SELECT 1'); :message
SELECT bulkpar_execute('INSERT INTO item (id) VALUES (1000)'); :message
SELECT bulkpar_execute('MERGE INTO item USING source ON source.id = item.id WHEN MATCHED THEN DELETE'); :message
SELECT bulkpar_execute('TRUNCATE item'); :message
SELECT bulkpar_execute('EXPLAIN UPDATE item SET n = 1'); :message
SELECT bulkpar_execute('EXPLAIN ANALYZE DELETE FROM item'); :message
SELECT bulkpar_execute('EXECUTE s'); :message
SELECT bulkpar_execute('DO $$ BEGIN END $$'); :message
SELECT bulkpar_execute('VALUES (1)'); :message
SELECT bulkpar_execute('BEGIN'); :message
-- texts that are no statement
SELECT bulkpar_execute(NULL); :message
SELECT bulkpar_execute(''); :message
SELECT bulkpar_execute(E' \t\n'); :message
SELECT bulkpar_execute(';'); :message
SELECT bulkpar_execute('-- nothing'); :message
SELECT bulkpar_execute('UPDATE'); :message
SELECT bulkpar_execute('UPDATE item'); :message
SELECT bulkpar_execute('n + 1'); :message
SELECT bulkpar_execute('UPDATE item SET n = 1 /*'); :message
SELECT bulkpar_execute('UPDATE item SET name = ''open'); :message
-- parameters, wherever they are
SELECT bulkpar_execute('UPDATE item SET n = 1 WHERE id = $1'); :message
SELECT bulkpar_execute('UPDATE item SET n = 1 FROM (SELECT $2 AS x) s'); :message
SELECT bulkpar_execute('WITH w AS (SELECT $1::int AS x) UPDATE item SET n = x FROM w'); :message
SELECT bulkpar_execute('DELETE FROM item USING source WHERE source.id = $1 AND false'); :message
SELECT bulkpar_delete('item', 'id = $1'); :message
SELECT bulkpar_delete('item', 'true', using_item => 'generate_series(1, $1) g'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source JOIN item i ON i.id = $3'); :message
-- names
SELECT bulkpar_execute('UPDATE nowhere SET n = 1'); :message
SELECT bulkpar_execute('UPDATE nowhere.item SET n = 1'); :message
SELECT bulkpar_execute('UPDATE otherdb.public.item SET n = 1'); :message
SELECT bulkpar_execute('UPDATE item SET nothing = 1'); :message
SELECT bulkpar_execute('UPDATE item SET n = 1 WHERE nothing'); :message
SELECT bulkpar_execute('UPDATE item i SET i.n = 1'); :message
SELECT bulkpar_execute('UPDATE item i SET n = item.n'); :message
SELECT bulkpar_execute('UPDATE item SET n = 1, n = 2'); :message
SELECT bulkpar_execute('UPDATE item SET n = 1 FROM item'); :message
SELECT bulkpar_execute('UPDATE item SET n = id FROM source'); :message
SELECT bulkpar_execute('UPDATE item SET n = (SELECT source.id FROM nothing) FROM source'); :message
SELECT bulkpar_execute('UPDATE item SET n = 1 FROM (SELECT item.n) x'); :message
SELECT bulkpar_execute('UPDATE item SET xmin = 1'); :message
SELECT bulkpar_execute('UPDATE item SET n = count(*)'); :message
SELECT bulkpar_execute('UPDATE item SET n = 1 WHERE n'); :message
SELECT bulkpar_delete('item', 'nothing'); :message
SELECT bulkpar_delete('item', 'n'); :message
SELECT bulkpar_delete('item', 'source.id = 1'); :message
SELECT bulkpar_delete('item', 'true', using_item => 'item'); :message
SELECT bulkpar_update('item', 'n', 'source.id', from_item => 'source s'); :message
SELECT bulkpar_update('item', 'n', 'id', from_item => 'source'); :message
-- the key
SELECT bulkpar_execute('UPDATE item SET id = id + 1000'); :message
SELECT bulkpar_execute('UPDATE item i SET n = 1, "id" = i.id'); :message
SELECT bulkpar_execute('UPDATE item SET (n, id) = (1, 2)'); :message
SELECT bulkpar_execute('UPDATE item SET (id, n) = (SELECT id, n FROM source LIMIT 1)'); :message
SELECT bulkpar_update('item', 'id', 's.id', from_item => 'source s'); :message
CREATE TABLE odd_key (id pair PRIMARY KEY, a int[] UNIQUE NOT NULL);
SELECT bulkpar_execute('UPDATE odd_key SET id.b = ''x'''); :message
SELECT bulkpar_execute('UPDATE odd_key SET a[1] = 1', key_index => 'odd_key_a_key'); :message
-- relations that are not a plain table
SELECT bulkpar_execute('UPDATE item_view SET n = 1'); :message
SELECT bulkpar_execute('DELETE FROM item_matview'); :message
SELECT bulkpar_execute('UPDATE item_foreign SET n = 1'); :message
SELECT bulkpar_execute('UPDATE temporary SET n = 1'); :message
SELECT bulkpar_execute('DELETE FROM pg_class'); :message
SELECT bulkpar_execute('DELETE FROM bulkpar.bulkpar_job'); :message
SELECT bulkpar_execute('UPDATE item_pkey SET id = 1'); :message
SELECT bulkpar_delete('item_view', 'true'); :message
SELECT bulkpar_delete('temporary', 'true'); :message
SELECT bulkpar_delete('bulkpar.bulkpar_error', NULL); :message
SELECT bulkpar_delete(NULL, 'true'); :message
SELECT bulkpar_delete('item', ''); :message
SELECT bulkpar_delete('item', 'true', using_item => ' '); :message
-- no index to follow
\set VERBOSITY default
SELECT bulkpar_execute('UPDATE no_key SET n = 1');
SELECT bulkpar_delete('no_key', 'true');
\set VERBOSITY sqlstate
-- temporary objects of this session
SELECT bulkpar_execute('UPDATE item SET n = 1 FROM temporary'); :message
SELECT bulkpar_execute('UPDATE item SET n = 1 FROM temporary_view'); :message
SELECT bulkpar_execute('UPDATE item SET n = 1 WHERE id IN (SELECT id FROM temporary)'); :message
SELECT bulkpar_execute('WITH w AS (SELECT * FROM temporary) DELETE FROM item USING w'); :message
SELECT bulkpar_execute('UPDATE item SET n = pg_temp.one()'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'temporary'); :message
SELECT bulkpar_delete('item', 'true', using_item => 'pg_temp.one()'); :message
-- FROM items that would be something else
SELECT bulkpar_update('item', 'n', '1', from_item => ''); :message
SELECT bulkpar_update('item', 'n', '1', from_item => '-- nothing'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source s WHERE true'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source; DROP TABLE source'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source;', condition => 'true'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source; --', condition => 'true'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source; --'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source /*', condition => '*/ true'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source) x'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => '(source'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source GROUP BY ()'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source HAVING true'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source WINDOW w AS ()'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source ORDER BY 1'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source LIMIT ALL'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source OFFSET 0'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source FETCH FIRST ROW ONLY'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source FOR UPDATE'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source UNION SELECT'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source RETURNING *'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source INTO other'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => '(DELETE FROM source RETURNING *) s'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => '(SELECT 1; DELETE FROM source) s'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => '(WITH w AS (DELETE FROM source RETURNING 1) SELECT 1) s'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => '1'); :message
SELECT bulkpar_update('item', 'n', '1', from_item => 'source s, '); :message
SELECT bulkpar_delete('item', 'true', using_item => 'source WHERE true'); :message
SELECT bulkpar_delete('item', 'true) OR (true'); :message
SELECT bulkpar_delete('item', 'true --'); :message
SELECT bulkpar_delete('item', 'true RETURNING *'); :message
SELECT bulkpar_delete('item', 'true; DROP TABLE source'); :message
SELECT bulkpar_delete('item', 'CURRENT OF c'); :message
-- a transaction block, and a lock of the session's own
BEGIN;
SELECT bulkpar_execute('UPDATE item SET n = 1'); :message
ROLLBACK;
BEGIN;
SELECT bulkpar_delete('item', 'true'); :message
ROLLBACK;
SELECT bulkpar_execute('UPDATE item SET n = 1') FROM item; :message
SELECT bulkpar_delete('item', 'true') FROM item; :message
SELECT (bulkpar_execute('UPDATE item SET n = 1')).*; :message
-- other arguments
SELECT bulkpar_execute('UPDATE item SET n = 1', 0); :message
SELECT bulkpar_execute('UPDATE item SET n = 1', workers => 0); :message
SELECT bulkpar_execute('UPDATE item SET n = 1', wait => NULL); :message
SELECT bulkpar_execute('UPDATE item SET n = 1', on_error => 'go on'); :message
SELECT bulkpar_execute('UPDATE item SET n = 1', skip_unchanged => NULL); :message
SELECT bulkpar_execute('UPDATE item SET n = 1', stripes => 0); :message
SELECT bulkpar_execute('DELETE FROM item', skip_unchanged => true); :message
SELECT bulkpar_delete('item', 'true', 10, 0); :message
SELECT bulkpar_delete('item', 'true', 10, 1, on_error => NULL); :message
SELECT * FROM damage;
DROP FUNCTION pg_temp.one();
DROP VIEW pg_temp.temporary_view;
DROP TABLE pg_temp.temporary;
\set VERBOSITY default

--
-- key_index
--
CREATE TABLE keyed (
	id int PRIMARY KEY,
	other int UNIQUE NOT NULL,
	late int UNIQUE DEFERRABLE INITIALLY DEFERRED NOT NULL,
	nullable int UNIQUE,
	n int NOT NULL DEFAULT 0
);
CREATE INDEX keyed_not_unique ON keyed (other);
CREATE UNIQUE INDEX keyed_partial ON keyed (other) WHERE other > 5;
CREATE UNIQUE INDEX keyed_expression ON keyed ((other + 1));
CREATE UNIQUE INDEX keyed_two ON keyed (n, other DESC) INCLUDE (late);
CREATE INDEX keyed_hash ON keyed USING hash (other);
INSERT INTO keyed SELECT g, 1001 - g, g, g FROM generate_series(1, 100) g;
SELECT rows_updated, batches FROM bulkpar_update('keyed', 'n', 'n + 1', 10, key_index => 'keyed_other_key');
SELECT key_index, end_key FROM last_job;
SELECT rows_updated FROM bulkpar_execute('UPDATE keyed SET n = n + 1', 10, key_index => 'keyed_late_key');
SELECT rows_updated FROM bulkpar_execute('UPDATE keyed SET n = n + 1', 10, key_index => NULL);
SELECT key_index FROM last_job;
SELECT n, count(*) FROM keyed GROUP BY n;
-- the primary key can be changed when the job follows another index, each key once
SELECT rows_updated FROM bulkpar_update('keyed', 'id', 'id + 1000', 10, key_index => 'keyed_other_key');
SELECT min(id), max(id), count(*) FROM keyed;
SELECT rows_updated FROM bulkpar_execute('UPDATE keyed SET id = id - 1000, late = late + 1000', 10,
	key_index => 'public.keyed_other_key');
SELECT min(id), max(id), min(late), max(late) FROM keyed;
SELECT rows_updated FROM bulkpar_execute('UPDATE keyed SET other = other - 900', 10, key_index => 'keyed_pkey');
SELECT rows_updated FROM bulkpar_delete('keyed', 'id > 90', 4, key_index => 'keyed_two');
SELECT key_index, end_key FROM last_job;
-- what cannot be followed
SELECT bulkpar_update('keyed', 'n', '1', key_index => 'item_pkey');
SELECT bulkpar_update('keyed', 'n', '1', key_index => 'keyed');
SELECT bulkpar_update('keyed', 'n', '1', key_index => 0);
SELECT bulkpar_update('keyed', 'n', '1', key_index => 4294967295);
SELECT bulkpar_update('keyed', 'n', '1', key_index => 'keyed_not_unique');
SELECT bulkpar_execute('UPDATE keyed SET n = 1', key_index => 'keyed_hash');
SELECT bulkpar_execute('UPDATE keyed SET n = 1', key_index => 'keyed_partial');
SELECT bulkpar_delete('keyed', 'true', key_index => 'keyed_expression');
SELECT bulkpar_delete('keyed', 'true', key_index => 'keyed_nullable_key');
SELECT bulkpar_update('keyed', 'n', '1', key_index => 'nowhere');
SELECT bulkpar_update('keyed', 'n', '1', key_index => 'keyed_two');
SELECT bulkpar_update('keyed', 'other', '1', key_index => 'keyed_other_key');
-- a table for which only the named one will do
CREATE TABLE one_key (id int NOT NULL, n int);
INSERT INTO one_key SELECT g, 0 FROM generate_series(1, 50) g;
CREATE UNIQUE INDEX one_key_only ON one_key (id DESC);
SELECT rows_updated FROM bulkpar_delete('one_key', 'id % 2 = 0', 10, key_index => 'one_key_only');
SELECT count(*), sum(id % 2) FROM one_key;

--
-- skip_unchanged
--
CREATE TABLE same (
	id int PRIMARY KEY,
	n int NOT NULL DEFAULT 5,
	short varchar(5),
	price numeric(8,2),
	doc json,
	bdoc jsonb,
	page xml,
	at point,
	tags text[],
	docs json[],
	both_of pair,
	doubled int GENERATED ALWAYS AS (n * 2) STORED,
	xids bigint
);
INSERT INTO same SELECT g FROM generate_series(1, 100) g;
-- which rows were written since the last look
CREATE FUNCTION written() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	rows bigint;
BEGIN
	SELECT count(*) INTO rows FROM same WHERE xids IS DISTINCT FROM xmin::text::bigint;
	-- one transaction writes all, so that only its number has to be kept
	UPDATE same SET xids = txid_current();
	RETURN rows;
END $$;
SELECT written() > 0 AS begun;
CREATE VIEW result AS SELECT status, u.rows_done, u.rows_updated, u.rows_unchanged FROM bulkpar_progress u
	ORDER BY job_id DESC LIMIT 1;

-- a second run writes nothing
SELECT rows_updated, rows_unchanged FROM bulkpar_update('same', 'n', 'id', 10, skip_unchanged => true);
SELECT written();
SELECT status, rows_updated, rows_unchanged FROM bulkpar_update('same', 'n', 'id', 10, skip_unchanged => true);
SELECT written();
SELECT * FROM result;
SELECT skip_unchanged FROM last_job;
SELECT rows_updated, rows_unchanged FROM bulkpar_update('same', 'n', 'id', 10);
SELECT written();
-- some rows; with a condition; several columns, of which one differs
SELECT rows_updated, rows_unchanged FROM bulkpar_update('same', 'n', 'least(id, 60)', 10, skip_unchanged => true);
SELECT written();
SELECT rows_updated, rows_unchanged FROM bulkpar_update('same', 'n', '60', 10, condition => 'id > 50', skip_unchanged => true);
SELECT written();
SELECT rows_updated, rows_unchanged FROM bulkpar_update('same', ARRAY['n', 'short'],
	ARRAY['n', 'CASE WHEN id <= 30 THEN ''x'' END'], 10, skip_unchanged => true);
SELECT written();
SELECT count(*) FROM same WHERE doubled = 2 * n;
-- values as they are assigned
SELECT rows_updated, rows_unchanged FROM bulkpar_execute(
	'UPDATE same SET short = (''ab'' || id)::text::varchar(5), price = id + 0.126', 10, skip_unchanged => true);
SELECT written();
SELECT rows_updated, rows_unchanged FROM bulkpar_execute(
	'UPDATE same SET short = (''ab'' || id) || ''   '', price = id + 0.1301 WHERE id < 100', 10, skip_unchanged => true);
SELECT written();
-- NULL
SELECT rows_updated, rows_unchanged FROM bulkpar_update('same', 'short', 'NULL', 10,
	condition => 'id <= 40', skip_unchanged => true);
SELECT written();
SELECT rows_updated, rows_unchanged FROM bulkpar_update('same', ARRAY['short', 'price'], ARRAY['NULL', 'price'], 10,
	skip_unchanged => true);
SELECT written();
-- types without equality, and those that are made of them
SELECT rows_updated, rows_unchanged FROM bulkpar_execute($$UPDATE same SET doc = '{"a": 1}', bdoc = '{"a": 1}',
	page = '<a>1</a>', at = point(id, 1), docs = ARRAY['1'::json], tags = '{a,b}', both_of = (id, 'x')$$, 10,
	skip_unchanged => true);
SELECT written();
SELECT rows_updated, rows_unchanged FROM bulkpar_execute($$UPDATE same SET doc = '{"a": 1}', bdoc = '{"a":  1}',
	page = '<a>1</a>', at = point(id, 1), docs = ARRAY['1'::json], tags = '{a,b}', both_of = (id, 'x')$$, 10,
	skip_unchanged => true);
SELECT written();
SELECT rows_updated, rows_unchanged FROM bulkpar_execute($$UPDATE same SET
	doc = CASE id WHEN 1 THEN '{"a":  1}' WHEN 2 THEN NULL ELSE doc END,
	page = CASE id WHEN 3 THEN '<a>2</a>' ELSE page END,
	at = CASE id WHEN 4 THEN NULL WHEN 5 THEN point(0, 0) ELSE at END,
	docs = CASE id WHEN 6 THEN ARRAY['2'::json] ELSE docs END$$, 10, skip_unchanged => true);
SELECT written();
-- an element, a field
SELECT rows_updated, rows_unchanged FROM bulkpar_execute($$UPDATE same SET tags[2] = CASE WHEN id <= 10 THEN 'c' ELSE 'b' END,
	tags[1] = 'a', bdoc['a'] = to_jsonb(CASE WHEN id = 20 THEN 2 ELSE 1 END), both_of.b = 'x'$$, 10, skip_unchanged => true);
SELECT written();
-- DEFAULT, also of the column that is generated
SELECT rows_updated, rows_unchanged FROM bulkpar_execute('UPDATE same SET n = CASE WHEN id <= 10 THEN 0 ELSE 5 END', 10);
SELECT written();
SELECT rows_updated, rows_unchanged FROM bulkpar_execute('UPDATE same SET n = DEFAULT, doubled = DEFAULT, price = DEFAULT', 10,
	skip_unchanged => true);
SELECT rows_updated, rows_unchanged FROM bulkpar_update('same', ARRAY['n', 'doubled', 'price'],
	ARRAY['DEFAULT', 'DEFAULT', 'DEFAULT'], 10, skip_unchanged => true);
SELECT n, doubled, price, count(*) FROM same GROUP BY 1, 2, 3;
SELECT written();
SELECT rows_updated, rows_unchanged FROM bulkpar_execute('UPDATE same SET (n, price) = (DEFAULT, NULL)', 10, skip_unchanged => true);
SELECT written();
-- FROM; a subquery with the row
SELECT rows_updated, rows_unchanged FROM bulkpar_update('same', 'price', 's.v', 10, from_item => 'source s',
	condition => 's.id = same.id AND s.id > 20', skip_unchanged => true);
SELECT written();
SELECT rows_updated, rows_unchanged FROM bulkpar_update('same', 'price', 's.v', 10, from_item => 'source s',
	condition => 's.id = same.id AND s.id > 20', skip_unchanged => true);
SELECT rows_updated, rows_unchanged FROM bulkpar_execute('UPDATE same SET
	price = (SELECT max(v) FROM source s WHERE s.id = same.id) WHERE id > 20', 10, skip_unchanged => true);
SELECT rows_updated, rows_unchanged FROM bulkpar_execute('UPDATE same i SET n = o.n FROM same o WHERE o.id = i.id', 10,
	skip_unchanged => true);
SELECT written();
-- the same in stripes
SELECT rows_updated, rows_unchanged FROM bulkpar_update('same', 'n', 'least(id, 50)', 10, skip_unchanged => true, stripes => 4);
SELECT rows_updated, rows_unchanged FROM bulkpar_update('same', 'n', 'least(id, 50)', 10, skip_unchanged => true, stripes => 4);
SELECT written();
-- a BEFORE trigger is not called for rows that are left alone, and may change
-- the others
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN NEW.short := coalesce(NEW.short, '''') || ''t''; RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON same FOR EACH ROW WHEN (NEW.xids = OLD.xids) EXECUTE FUNCTION touch();
SELECT rows_updated, rows_unchanged FROM bulkpar_update('same', 'n', 'least(id, 40)', 10, skip_unchanged => true);
SELECT short, count(*) FROM same GROUP BY short ORDER BY short;
DROP TRIGGER touch ON same;
SELECT written();
-- rows that fail count as neither
SELECT rows_updated, rows_unchanged, rows_failed FROM bulkpar_update('same', 'n', '40 + 0 / (id - 70)', 10,
	on_error => 'skip', skip_unchanged => true);
SELECT written();
-- a batch that is tried again counts its rows once
CREATE SEQUENCE tries;
CREATE FUNCTION try_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id = 5 AND nextval('tries') = 1 THEN
		RAISE serialization_failure;
	END IF;
	RETURN NEW;
END $$;
UPDATE same SET n = CASE WHEN id > 51 THEN 5 ELSE 0 END;
CREATE TRIGGER try_again BEFORE UPDATE ON same FOR EACH ROW EXECUTE FUNCTION try_again();
SELECT rows_updated, rows_unchanged FROM bulkpar_update('same', 'n', '5', 10, 1, skip_unchanged => true);
SELECT sum(retries) FROM bulkpar.bulkpar_chunk JOIN last_job USING (job_id);
DROP TRIGGER try_again ON same;
-- only rows that the whole condition lets through are looked at, whatever it costs
CREATE TABLE left_out (id int PRIMARY KEY, n int, k int, secret text);
INSERT INTO left_out SELECT g, 0, g % 10, 'x' FROM generate_series(1, 100) g;
CREATE TABLE left_in AS SELECT id FROM left_out WHERE k <> 0;
ANALYZE left_out, left_in;
SELECT rows_updated, rows_unchanged FROM bulkpar_update('left_out', 'n', '10 / k', 10, 1, from_item => 'left_in s',
	condition => 's.id = left_out.id', skip_unchanged => true);
SELECT count(*) FROM left_out WHERE n = CASE WHEN k = 0 THEN 0 ELSE 10 / k END;
UPDATE left_out SET n = 5;
SELECT rows_updated, rows_unchanged FROM bulkpar_update('left_out', 'n', '5', 10, 1, from_item => 'left_in s',
	condition => 's.id = left_out.id', skip_unchanged => true);
SELECT rows_updated, rows_unchanged FROM bulkpar_update('left_out', 'n', '5', 10, 1,
	condition => 'EXISTS (SELECT FROM left_in s WHERE s.id = left_out.id AND s.id < 12 AND s.id <> 1)',
	skip_unchanged => true);
-- it reads the columns that are set
CREATE ROLE regress_bulkpar_erin LOGIN;
GRANT UPDATE (secret), SELECT (id) ON left_out TO regress_bulkpar_erin;
SET SESSION AUTHORIZATION regress_bulkpar_erin;
SELECT bulkpar_update('left_out', 'secret', '''x''', condition => 'secret IS DISTINCT FROM ''x''');
SELECT bulkpar_update('left_out', 'secret', '''x''', skip_unchanged => true);
SELECT rows_updated FROM bulkpar_update('left_out', 'secret', '''x''', 10, 1);
RESET SESSION AUTHORIZATION;
DROP OWNED BY regress_bulkpar_erin;
DROP ROLE regress_bulkpar_erin;
-- equal, but not the same
CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE equal (id int PRIMARY KEY, t text COLLATE no_case, m numeric, i interval);
INSERT INTO equal VALUES (1, 'ABC', 1.00, '24:00'), (2, 'abc', 1.0, '1 day');
SELECT rows_updated, rows_unchanged FROM bulkpar_update('equal', ARRAY['t', 'm', 'i'],
	ARRAY['lower(t)', '1.0', '''1 day'''], 10, 1, skip_unchanged => true);
SELECT * FROM equal ORDER BY id;
-- what it is not for
SELECT bulkpar_execute('UPDATE same SET (n, price) = (SELECT 1, 2)', skip_unchanged => true);
SELECT bulkpar_execute('DELETE FROM same', skip_unchanged => true);
SELECT bulkpar_delete('same', 'true', skip_unchanged => true);

--
-- names of jobs: the same statement goes on, another one is refused
--
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error RESTART IDENTITY;
CREATE TABLE named (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
INSERT INTO named SELECT generate_series(1, 100);
CREATE TABLE obstacle AS SELECT 55 AS id;
SELECT bulkpar_execute('UPDATE named SET n = n + 1 + 0 / (id - coalesce((SELECT id FROM obstacle), 0))', 10, 1, job_name => 'j');
SELECT job_id AS job FROM last_job \gset
SELECT bulkpar_execute('UPDATE named SET n = n + 1', job_name => 'j');
SELECT bulkpar_execute('update named set n = n + 1 + 0 / (id - coalesce((SELECT id FROM obstacle), 0))', job_name => 'j');
SELECT bulkpar_update('named', 'n', 'n + 1 + 0 / (id - coalesce((SELECT id FROM obstacle), 0))', job_name => 'j');
SELECT bulkpar_execute('UPDATE named SET n = n + 1 + 0 / (id - coalesce((SELECT id FROM obstacle), 0))', job_name => 'j',
	skip_unchanged => true);
SELECT bulkpar_delete('named', NULL, job_name => 'j');
DELETE FROM obstacle;
SELECT job_id = :job AS same_job, status, rows_updated FROM bulkpar_execute(
	'UPDATE named SET n = n + 1 + 0 / (id - coalesce((SELECT id FROM obstacle), 0))', 10, 1, job_name => 'j');
SELECT n, count(*) FROM named GROUP BY n;
-- a job that has ended has given its name back
SELECT job_id = :job AS same_job, rows_updated FROM bulkpar_delete('named', 'id > 50 AND 0 / (id - 45) = 0', 10, 1, job_name => 'j');
SELECT count(*) FROM named;
INSERT INTO obstacle VALUES (20);
SELECT bulkpar_delete('named', 'named.id / (named.id - o.id) > -100', 5, 1, job_name => 'd', using_item => 'obstacle o');
SELECT bulkpar_delete('named', 'named.id / (named.id - o.id) > -100', 5, 1, job_name => 'd', using_item => 'obstacle AS o');
SELECT bulkpar_delete('named', 'named.id / (named.id - o.id) > -101', 5, 1, job_name => 'd', using_item => 'obstacle o');
SELECT bulkpar_execute('DELETE FROM named', job_name => 'd');
UPDATE obstacle SET id = 1000;
SELECT rows_updated FROM bulkpar_delete('named', 'named.id / (named.id - o.id) > -100', 5, 1, job_name => 'd', using_item => 'obstacle o');
SELECT count(*) FROM named;

--
-- rows with errors are skipped
--
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error RESTART IDENTITY;
INSERT INTO named SELECT generate_series(1, 50);
CREATE TABLE refers (id int REFERENCES named);
INSERT INTO refers VALUES (7), (8), (33);
SELECT status, rows_updated, rows_failed FROM bulkpar_delete('named', 'id <= 40', 10, on_error => 'skip');
SELECT array_agg(id ORDER BY id) FROM named WHERE id <= 40;
SELECT key, e.sqlstate, e.message FROM bulkpar_errors e JOIN last_job USING (job_id) ORDER BY key[1]::int;
SELECT bulkpar_execute('DELETE FROM named', 10, 1, on_error => 'skip', max_errors => 2);
DROP TABLE refers;
TRUNCATE named;
INSERT INTO named SELECT generate_series(1, 50);
SELECT rows_updated, rows_failed FROM bulkpar_update('named', 'n', '1 / (s.id - 30)', 10, from_item => 'source s',
	condition => 's.id = named.id AND s.id > 20', on_error => 'skip');
SELECT key, e.sqlstate FROM bulkpar_errors e JOIN last_job USING (job_id);
SELECT rows_updated, rows_failed FROM bulkpar_execute('UPDATE named SET n = n / (s.id - 31) FROM source s
	WHERE s.id = named.id AND s.id > 20', 10, on_error => 'skip');
SELECT key, e.sqlstate FROM bulkpar_errors e JOIN last_job USING (job_id);

--
-- privileges and row level security
--
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_bulkpar_carol;
RESET client_min_messages;
CREATE ROLE regress_bulkpar_carol LOGIN;
CREATE TABLE doc (id int PRIMARY KEY, n int DEFAULT 0, owner text, shared boolean);
INSERT INTO doc SELECT g, 0, CASE WHEN g % 2 = 0 THEN 'regress_bulkpar_carol' ELSE 'dave' END, g % 5 = 0
	FROM generate_series(1, 100) g;
\set VERBOSITY sqlstate
SET SESSION AUTHORIZATION regress_bulkpar_carol;
SELECT bulkpar_execute('UPDATE doc SET n = 1'); :message
SELECT bulkpar_execute('DELETE FROM doc'); :message
SELECT bulkpar_delete('doc', 'true'); :message
RESET SESSION AUTHORIZATION;
GRANT SELECT ON doc TO regress_bulkpar_carol;
SET SESSION AUTHORIZATION regress_bulkpar_carol;
SELECT bulkpar_execute('UPDATE doc SET n = 1'); :message
SELECT bulkpar_delete('doc', 'true'); :message
RESET SESSION AUTHORIZATION;
REVOKE SELECT ON doc FROM regress_bulkpar_carol;
GRANT UPDATE, DELETE ON doc TO regress_bulkpar_carol;
SET SESSION AUTHORIZATION regress_bulkpar_carol;
-- the job has to read the key
SELECT bulkpar_execute('UPDATE doc SET n = 1'); :message
SELECT bulkpar_delete('doc', NULL); :message
RESET SESSION AUTHORIZATION;
GRANT SELECT (id, n) ON doc TO regress_bulkpar_carol;
SET SESSION AUTHORIZATION regress_bulkpar_carol;
SELECT rows_updated FROM bulkpar_execute('UPDATE doc SET n = n + 1', 10);
SELECT rows_updated FROM bulkpar_delete('doc', 'id > 90', 10);
-- other columns, other tables
SELECT bulkpar_execute('UPDATE doc SET n = 1 WHERE shared'); :message
SELECT bulkpar_delete('doc', 'owner IS NULL'); :message
SELECT bulkpar_execute('UPDATE doc SET n = 1 FROM source s WHERE s.id = doc.id'); :message
SELECT bulkpar_update('doc', 'n', '1', from_item => 'source s', condition => 's.id = doc.id'); :message
SELECT bulkpar_delete('doc', 's.id = doc.id', using_item => 'source s'); :message
SELECT bulkpar_execute('UPDATE doc SET n = 1 WHERE id IN (SELECT id FROM source)'); :message
RESET SESSION AUTHORIZATION;
GRANT SELECT (id) ON source TO regress_bulkpar_carol;
SET SESSION AUTHORIZATION regress_bulkpar_carol;
SELECT bulkpar_update('doc', 'n', 's.v', from_item => 'source s', condition => 's.id = doc.id'); :message
SELECT rows_updated FROM bulkpar_update('doc', 'n', 'n + 1', 10, from_item => 'source s', condition => 's.id = doc.id');
RESET SESSION AUTHORIZATION;
SELECT n, count(*), max(id) FROM doc GROUP BY n ORDER BY n;
-- only the rows that a plain statement would change
GRANT ALL ON doc, source TO regress_bulkpar_carol;
ALTER TABLE doc ENABLE ROW LEVEL SECURITY;
ALTER TABLE source ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON doc USING (owner = current_user);
CREATE POLICY shared ON doc FOR SELECT USING (shared);
CREATE POLICY few ON source USING (id <= 10);
UPDATE doc SET n = 0;
SET SESSION AUTHORIZATION regress_bulkpar_carol;
SELECT rows_updated FROM bulkpar_execute('UPDATE doc SET n = n + 1', 7, 3);
SELECT rows_updated FROM bulkpar_execute('UPDATE doc d SET n = n + 1 FROM source s WHERE s.id = d.id', 7, 3);
SELECT rows_updated FROM bulkpar_update('doc', 'n', 'doc.n + 1', 7, 3, from_item => 'doc d', condition => 'd.id = doc.id + 1');
SELECT rows_updated, rows_unchanged FROM bulkpar_update('doc', 'n', '2', 7, 3, skip_unchanged => true);
SELECT bulkpar_execute('UPDATE doc SET owner = ''dave''', 7, 1); :message
SELECT rows_updated FROM bulkpar_delete('doc', 'id > 80', 7, 3);
SELECT rows_updated FROM bulkpar_delete('doc', 's.id = doc.id', 7, 3, using_item => 'source s');
SET row_security = off;
SELECT bulkpar_delete('doc', 'true'); :message
RESET row_security;
RESET SESSION AUTHORIZATION;
\set VERBOSITY default
SELECT owner, n, count(*), min(id), max(id) FROM doc GROUP BY 1, 2 ORDER BY 1, 2;

--
-- columns of all kinds
--
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error RESTART IDENTITY;
CREATE DOMAIN small AS int CHECK (VALUE < 100);
CREATE DOMAIN small_pair AS pair CHECK ((VALUE).a < 100);
CREATE TABLE kinds (
	id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	n small NOT NULL DEFAULT 1,
	sum int GENERATED ALWAYS AS (n + coalesce(cardinality(list), 0)) STORED,
	always int GENERATED ALWAYS AS IDENTITY,
	by_default int GENERATED BY DEFAULT AS IDENTITY,
	list small[],
	pairs pair[],
	dom small_pair,
	span int4range,
	spans int4multirange,
	flags bit varying(8)
);
INSERT INTO kinds (n) SELECT 1 FROM generate_series(1, 50);
SELECT rows_updated FROM bulkpar_execute($$UPDATE kinds SET n = id % 20, list[2:3] = ARRAY[id % 10, 5],
	pairs[1].b = 'x' || id, dom.a = id, dom.b = 'y', span = int4range(id, 2 * id, '[]'),
	spans = int4multirange(int4range(1, 3), int4range(id, id + 5)), flags = B'101'::varbit || id::bit(4),
	by_default = DEFAULT$$, 10);
SELECT id, n, sum, always, by_default > 50 AS next, list, pairs, dom, span, spans, flags FROM kinds WHERE id IN (1, 25) ORDER BY id;
SELECT count(*) FROM kinds WHERE sum = n + 2 AND always = id;
SELECT rows_updated FROM bulkpar_update('kinds', ARRAY['span', 'list', 'dom'],
	ARRAY['range_merge(spans)', 'list || 7', '(1, dom::text)'], 10, condition => 'spans @> id');
SELECT id, sum, list, dom, span FROM kinds WHERE id = 25;
SELECT bulkpar_execute('UPDATE kinds SET sum = 1');
SELECT bulkpar_execute('UPDATE kinds SET always = 1');
SELECT bulkpar_execute('UPDATE kinds SET n = 80 + id', 10, 1);
SELECT bulkpar_execute('UPDATE kinds SET list[1] = 80 + id', 10, 1);
SELECT rows_updated FROM bulkpar_delete('kinds', 'span && int4range(1, 10)', 10);
SELECT count(*) FROM kinds;

-- values out of line that are not set stay where they are
CREATE TABLE wide (id int PRIMARY KEY, n int DEFAULT 0, text text, other text);
ALTER TABLE wide ALTER text SET STORAGE EXTERNAL, ALTER other SET STORAGE EXTERNAL;
INSERT INTO wide SELECT g, 0, repeat(md5(g::text), 200), repeat(md5(g::text), 200) FROM generate_series(1, 20) g;
SELECT reltoastrelid::regclass AS toast FROM pg_class WHERE oid = 'wide'::regclass \gset
CREATE TABLE chunks AS SELECT ctid::text AS place, xmin::text::bigint AS xid, chunk_id, chunk_seq FROM :toast;
CREATE TABLE wide_sizes AS SELECT id, md5(text), pg_column_size(text) AS size FROM wide;
CREATE TABLE wide_source AS SELECT g AS id, 'x' || g AS text FROM generate_series(1, 20) g;
SELECT rows_updated FROM bulkpar_execute('UPDATE wide SET n = n + 1', 5);
SELECT rows_updated FROM bulkpar_update('wide', 'n', 'n + 1', 5, from_item => 'wide_source s', condition => 's.id = wide.id');
SELECT rows_updated FROM bulkpar_update('wide', ARRAY['n', 'text'], ARRAY['n + 1', 'text'], 5);
SELECT count(*) FROM chunks;
SELECT ctid::text, xmin::text::bigint, chunk_id, chunk_seq FROM :toast EXCEPT TABLE chunks;
SELECT rows_updated, rows_unchanged FROM bulkpar_update('wide', 'other', 'text', 5, skip_unchanged => true);
SELECT ctid::text, xmin::text::bigint, chunk_id, chunk_seq FROM :toast EXCEPT TABLE chunks;
-- only the column that is set
SELECT rows_updated FROM bulkpar_update('wide', 'other', 's.text', 5, from_item => 'wide_source s', condition => 's.id = wide.id');
SELECT n, count(*), count(*) FILTER (WHERE md5(text) = md5 AND pg_column_size(text) = size AND other = 'x' || id) AS kept
	FROM wide JOIN wide_sizes USING (id) GROUP BY n;

-- statement triggers see the rows of a batch, also with FROM
TRUNCATE audit;
CREATE FUNCTION audit_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO audit SELECT TG_NAME, NULL, count(*) FROM old_rows o JOIN new_rows n USING (id) WHERE n.n = o.n + 10;
	RETURN NULL;
END $$;
CREATE TRIGGER after_update AFTER UPDATE ON wide REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION audit_update();
SELECT rows_updated, batches FROM bulkpar_execute('UPDATE wide SET n = n + 10 FROM source s WHERE s.id = wide.id', 8, 1);
SELECT name, rows, count(*) FROM audit GROUP BY 1, 2 ORDER BY 1, 2;

-- all jobs that have succeeded are complete
SELECT DISTINCT status, percent, time_left FROM bulkpar_progress WHERE status = 'succeeded';
SELECT backend_type FROM pg_stat_activity WHERE datname = current_database() AND backend_type LIKE 'bulkpar%';

SET client_min_messages = warning;
DROP FOREIGN DATA WRAPPER nothing CASCADE;
DROP VIEW counts, last_job, gone_left, damage, item_view, source_view, odd, result;
DROP MATERIALIZED VIEW item_matview;
DROP SCHEMA "S ""; --", elsewhere CASCADE;
DROP TABLE item, source, gone, audit, tree, item_part, no_key, odd_key, keyed, one_key, same, named, obstacle, doc, kinds,
	wide, chunks, wide_sizes, wide_source, left_out, left_in, equal;
DROP COLLATION no_case;
DROP DOMAIN small, small_pair;
DROP TYPE pair;
DROP FUNCTION fill_gone, audit, audit_update, written, touch, try_again;
DROP SEQUENCE tries;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error;
DROP ROLE regress_bulkpar_carol;
