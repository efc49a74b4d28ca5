--
-- Statements with other tables
--
SET bulkpar.report = off;
-- however many processors there are
SET bulkpar.workers = 2;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;

CREATE TABLE item (
	id int PRIMARY KEY,
	n int NOT NULL DEFAULT 0,
	k int DEFAULT 7,
	price numeric(8,2),
	name varchar(8)
);
INSERT INTO item SELECT g, 0, g % 10, g, 'item ' || g
	FROM generate_series(1, 100) g;
-- ids up to 60 once, those up to 20 twice more, others not at all
CREATE TABLE source (id int, v numeric, name text);
INSERT INTO source SELECT g, g + 0.123, 'new ' || g FROM generate_series(1, 60) g;
INSERT INTO source SELECT g % 20 + 1, 1000, 'other' FROM generate_series(1, 40) g;
CREATE VIEW counts AS SELECT n, count(*), min(id), max(id) FROM item GROUP BY n ORDER BY n;
CREATE VIEW last_job AS SELECT * FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;

-- a target row that several rows match is updated once, one that none matches is
-- not
SELECT rows_changed FROM bulkpar_execute('UPDATE item SET n = 0, name = ''old''');
SELECT rows_changed, batches FROM bulkpar_execute('UPDATE item SET n = n + 1, price = v, name = source.name
	FROM source WHERE source.id = item.id', 10);
SELECT n, count(*), min(id), max(id), count(*) FILTER (WHERE price IN (id + 0.12, 1000)
	AND name IN ('new ' || id, 'other', 'old')) AS expected FROM item GROUP BY n ORDER BY n;
SELECT rows_changed FROM bulkpar_update('item', 'n', 'n + 1', 10, from_item => 'source s', condition => 's.id = item.id');
SELECT from_item, condition, statement FROM last_job;
SELECT * FROM counts;
-- the key equal to a column of a join that has a name
SELECT rows_changed FROM bulkpar_execute(
	'UPDATE item SET n = n + 1 FROM (source x JOIN (VALUES (1), (2)) AS y (m) ON x.id = y.m) AS j (a) WHERE j.a = item.id', 10);
-- without a condition: each row matches each
SELECT rows_changed FROM bulkpar_update('item', 'n', 'n + 1', 10, from_item => 'source');
SELECT * FROM counts;
-- an empty one
SELECT rows_changed FROM bulkpar_update('item', 'n', '-1', 10, from_item => '(SELECT FROM source WHERE false) e');
-- several columns
SELECT rows_changed FROM bulkpar_update('item', ARRAY['n', 'name'], ARRAY['0', 'max'], 10,
	from_item => '(SELECT id, max(name) FROM source GROUP BY id) s', condition => 's.id = item.id');
SELECT n, name, count(*) FROM item WHERE id <= 20 OR id > 60 GROUP BY 1, 2 ORDER BY 1, 2;
-- all kinds of FROM items
CREATE VIEW odd AS SELECT id FROM source WHERE id % 2 = 1;
SELECT rows_changed FROM bulkpar_execute('UPDATE item SET n = 0');
SELECT rows_changed FROM bulkpar_update('item', 'n', 'n + s.v', 10, condition => 's.id = item.id',
	from_item => '(VALUES (1, 10), (2, 20)) AS s (id, v)');
SELECT rows_changed FROM bulkpar_update('item', 'n', 'n + g', 10, condition => 'g = item.id AND o = 2',
	from_item => 'generate_series(1, 5) WITH ORDINALITY AS g (g, o)');
SELECT rows_changed FROM bulkpar_update('item', 'n', 'n + b', 10, condition => 'a = item.id',
	from_item => 'ROWS FROM (generate_series(1, 3), generate_series(11, 13)) r (a, b)');
SELECT rows_changed FROM bulkpar_update('item', 'n', 'n + sign(v)::int', 10, condition => 's.id = item.id',
	from_item => 'source s TABLESAMPLE bernoulli (100)');
SELECT rows_changed FROM bulkpar_update('item', 'n', 'n + 1', 10, condition => 'o.id = item.id',
	from_item => 'source LEFT JOIN (odd o JOIN odd p USING (id)) ON o.id = source.id, generate_series(1, 2) -- comment');
SELECT rows_changed FROM bulkpar_update('item', 'n', 'n + 1', 10, condition => 's.id = item.id',
	from_item => 'ONLY (source) s /* comment */');
SELECT n, count(*), min(id) FROM item WHERE id <= 3 OR id > 60 GROUP BY n ORDER BY n;
-- the same table under an alias, a lateral subquery, WITH, a recursive one
SELECT rows_changed FROM bulkpar_execute('UPDATE item SET n = 0');
SELECT rows_changed FROM bulkpar_execute('UPDATE item i SET n = o.id FROM item o WHERE o.id = 101 - i.id', 10);
SELECT count(*) FROM item WHERE n = 101 - id;
SELECT rows_changed FROM bulkpar_execute('UPDATE item i SET n = x.v FROM item, LATERAL
	(SELECT item.n + 1 AS v UNION ALL SELECT 0 ORDER BY 1 DESC LIMIT 1) x WHERE item.id = i.id', 10);
SELECT count(*) FROM item WHERE n = 102 - id;
SELECT rows_changed FROM bulkpar_execute('WITH item AS (SELECT id, max(v) AS v FROM source GROUP BY id),
	more AS MATERIALIZED (SELECT * FROM item WHERE id > 40)
	UPDATE item AS i SET n = v FROM more WHERE more.id = i.id', 10);
SELECT count(*), min(id), max(id) FROM item WHERE n = id;
SELECT rows_changed FROM bulkpar_execute('WITH RECURSIVE r (id) AS (SELECT 1 UNION ALL SELECT 2 * id FROM r WHERE id < 100)
	UPDATE item SET n = -1 FROM r WHERE r.id = item.id', 10);
SELECT array_agg(id ORDER BY id) FROM item WHERE n = -1;
-- a view, and the same name in another schema
CREATE SCHEMA elsewhere;
CREATE TABLE elsewhere.item AS SELECT id, 5 AS n FROM item WHERE id <= 5;
CREATE VIEW source_view AS SELECT * FROM elsewhere.item;
SELECT rows_changed FROM bulkpar_execute('UPDATE item i SET n = item.n FROM elsewhere.item WHERE item.id = i.id', 10);
SELECT rows_changed FROM bulkpar_execute('UPDATE item SET n = s.n + 1 FROM source_view s WHERE s.id = item.id', 10);
SELECT count(*), min(id), max(id) FROM item WHERE n = 6 AND id <= 50;

SET client_min_messages = warning;
DROP VIEW counts, last_job, odd, source_view;
DROP SCHEMA elsewhere CASCADE;
DROP TABLE item, source;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
