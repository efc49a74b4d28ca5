--
-- Statements that are refused, and what they are told
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

CREATE VIEW damage AS SELECT
	(SELECT count(*) FROM item WHERE n <> 0) AS rows_changed, (SELECT count(*) FROM item) AS items,
	(SELECT count(*) FROM source) AS sources, (SELECT count(*) FROM bulkpar.bulkpar_job) AS jobs;
UPDATE item SET n = 0;
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

SET client_min_messages = warning;
DROP FOREIGN DATA WRAPPER nothing CASCADE;
DROP VIEW damage, item_view;
DROP MATERIALIZED VIEW item_matview;
DROP TABLE item, source, item_part, no_key, odd_key;
DROP TYPE pair;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
