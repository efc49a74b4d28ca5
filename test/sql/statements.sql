--
-- bulkpar_execute: statements as they are written
--
SET bulkpar.report = off;
-- however many processors there are
SET bulkpar.workers = 2;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;

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

SELECT status, rows_changed, batches, workers, rows_failed, rows_unchanged
	FROM bulkpar_execute('UPDATE item SET n = n + 1', 10, 2);
SELECT * FROM counts;
SELECT target, key_index, command, column_names, statement, expressions, condition, from_item, skip_unchanged
	FROM last_job;
-- by name, in any order; with a condition
SELECT rows_changed FROM bulkpar_execute(workers => 1, batch_size => 7,
	statement => 'UPDATE item SET n = n + 1 WHERE id <= 50 OR id = 100');
SELECT * FROM counts;
-- in the SELECT list, and in PL/pgSQL
SELECT (bulkpar_execute('UPDATE item SET n = 0')).rows_changed;
DO $$ BEGIN PERFORM bulkpar_execute('UPDATE item SET n = n + 1', 10); END $$;
SELECT * FROM counts;
-- a condition that is true for no row, and one with OR
SELECT status, rows_changed FROM bulkpar_execute('UPDATE item SET n = 0 WHERE false');
SELECT rows_changed, batches FROM bulkpar_execute('UPDATE item SET n = n + 1 WHERE id < 0 OR true', 10);
SELECT * FROM counts;

-- the table: an alias, with the name of another table or its own, ONLY, a star,
-- its schema
SELECT rows_changed FROM bulkpar_execute('UPDATE item AS i SET n = i.n + 1 WHERE i.id > 0', 10);
SELECT rows_changed FROM bulkpar_execute('UPDATE item source SET n = source.n + 1', 10);
SELECT rows_changed FROM bulkpar_execute('UPDATE item item SET n = item.n + 1', 10);
SELECT rows_changed FROM bulkpar_execute('UPDATE ONLY item SET n = n + 1', 10);
SELECT rows_changed FROM bulkpar_execute('UPDATE ONLY (item) i SET n = n + 1', 10);
SELECT rows_changed FROM bulkpar_execute('UPDATE item * SET n = n + 1', 10);
SELECT rows_changed FROM bulkpar_execute('UPDATE public.item SET n = item.n + public.item.k * 0 + 1', 10);
SELECT rows_changed FROM bulkpar_execute(format('UPDATE %I.public.item SET n = n + 1', current_database()), 10);
SELECT * FROM counts;
-- names that need quotes, and the key's name in other tables too
CREATE SCHEMA "S ""; --";
CREATE TABLE "S ""; --"."T; 'x'" ("Id; """ int PRIMARY KEY, "select" int DEFAULT 0);
INSERT INTO "S ""; --"."T; 'x'" SELECT generate_series(1, 50);
SELECT rows_changed FROM bulkpar_execute($$UPDATE "S ""; --"."T; 'x'" SET "select" = "select" + 1$$, 10);
SELECT rows_changed FROM bulkpar_execute($$UPDATE "S ""; --"."T; 'x'" AS "A; """ SET "select" = "A; """."select" + 1
	FROM "S ""; --"."T; 'x'" WHERE "T; 'x'"."Id; """ = "A; """."Id; """$$, 10);
SET search_path = "S ""; --", public;
SELECT rows_changed FROM bulkpar_execute($$UPDATE U&"T\003B 'x'" SET "select" = "select" + 1$$, 10);
RESET search_path;
SELECT "select", count(*) FROM "S ""; --"."T; 'x'" GROUP BY 1;
-- comments, semicolons, dollars, backslashes, line ends
SELECT rows_changed FROM bulkpar_execute(E'\n/* a /* comment */ */ UPDATE item -- SET n = 5\n\tSET n = 0 WHERE true; -- the end');
SELECT rows_changed FROM bulkpar_execute(';; UPDATE item SET name = $x$a''\ $$%s$x$ WHERE id = 1 ;;');
SELECT rows_changed FROM bulkpar_execute('UPDATE item SET n = n + 1 /* the end */', 10);
SELECT name FROM item WHERE id = 1;
-- 19 has but standard strings
SELECT CASE WHEN old THEN 'off' ELSE 'on' END AS standard,
	format($$UPDATE item SET name = %s'\x41' WHERE id = 1$$, CASE WHEN NOT old THEN 'E' END) AS statement
FROM (SELECT current_setting('server_version_num')::int < 190000 AS old) v \gset
SET standard_conforming_strings = :standard;
SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'escape_string_warning' \g /dev/null
SELECT rows_changed FROM bulkpar_execute(:'statement');
RESET standard_conforming_strings;
SELECT set_config(name, boot_val, false) FROM pg_settings WHERE name = 'escape_string_warning' \g /dev/null
SELECT name FROM item WHERE id = 1;

-- what is set: several columns, by a row, by a subquery, an element of an array,
-- a field, DEFAULT
SELECT rows_changed FROM bulkpar_execute('UPDATE item SET n = k, k = n, price = n + 0.126', 10);
SELECT id, n, k, price FROM item WHERE id = 38;
SELECT rows_changed FROM bulkpar_execute('UPDATE item SET (n, k) = (k, DEFAULT), price = DEFAULT', 10);
SELECT DISTINCT n, k, price FROM item;
SELECT rows_changed FROM bulkpar_execute('UPDATE item SET (n, k) = ROW(0, id)', 10);
SELECT rows_changed FROM bulkpar_execute('UPDATE item SET (n, price) =
	(SELECT item.n + 1, max(v) FROM source s WHERE s.id = item.id)', 10);
SELECT n, price, count(*) FROM item WHERE id <= 20 OR id > 60 GROUP BY 1, 2 ORDER BY 1, 2;
SELECT rows_changed FROM bulkpar_execute('UPDATE item SET tags[2] = name, tags[4] = ''d'', both_of.a = -id', 10);
SELECT tags, both_of FROM item WHERE id IN (2, 100) ORDER BY id;
SELECT rows_changed FROM bulkpar_update('item', 'both_of', '(id, name)', 10);
-- expressions: the row, functions, subqueries with and without the row
SELECT rows_changed FROM bulkpar_execute('UPDATE item i SET name = left(i::text, 8), n = n + 1
	WHERE id IN (SELECT id FROM source) AND EXISTS (SELECT FROM item o WHERE o.id = i.id + 50)', 10,
	sees_batches => true);
SELECT n, count(*), min(id), max(id), min(name) FROM item GROUP BY n ORDER BY n;

-- all jobs that have succeeded are complete
SELECT DISTINCT status, percent, time_left FROM bulkpar_progress WHERE status = 'succeeded';
SELECT backend_type FROM pg_stat_activity WHERE datname = current_database() AND backend_type LIKE 'bulkpar%';

SET client_min_messages = warning;
DROP VIEW counts, last_job;
DROP SCHEMA "S ""; --" CASCADE;
DROP TABLE item, source;
DROP TYPE pair;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
