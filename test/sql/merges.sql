--
-- MERGE, driven by its source
--
SET bulkpar.report = off;
-- however many processors there are
SET bulkpar.workers = 2;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;

CREATE TABLE stock (item int PRIMARY KEY, n int CHECK (n <> 77), note text, made_at timestamptz DEFAULT now());
CREATE TABLE delivery (gone int, item int PRIMARY KEY, n int NOT NULL, note text, shelf int UNIQUE);
ALTER TABLE delivery DROP gone;
INSERT INTO delivery SELECT g, g % 10 + 1, 'delivery ' || g, g FROM generate_series(1, 100) g;
CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS $$
	TRUNCATE stock;
	INSERT INTO stock SELECT g, 100, 'old' FROM generate_series(1, 200, 2) g $$;
CREATE VIEW merged_state AS SELECT coalesce(note = 'old', false) AS untouched, count(*), sum(n), min(item), max(item), count(DISTINCT item) AS items FROM stock GROUP BY 1 ORDER BY 1;
CREATE VIEW last_job AS SELECT * FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;
SELECT fill();
ANALYZE stock, delivery;

SELECT status, rows_changed, batches, workers, rows_failed FROM bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item
	WHEN MATCHED THEN UPDATE SET n = s.n + d.n
	WHEN NOT MATCHED THEN INSERT (item, n, note) VALUES (d.item, d.n, d.note)', 10, 2);
SELECT * FROM merged_state;
SELECT target, key_index, command, column_names, stripes FROM last_job;
-- the same by one statement
CREATE TABLE merged AS TABLE stock;
SELECT fill();
MERGE INTO stock s USING delivery d ON s.item = d.item
	WHEN MATCHED THEN UPDATE SET n = s.n + d.n
	WHEN NOT MATCHED THEN INSERT (item, n, note) VALUES (d.item, d.n, d.note);
SELECT count(*) FROM (SELECT item, n, note FROM stock EXCEPT SELECT item, n, note FROM merged) d;
-- all actions, conditions, the whole row, DEFAULT; some rows for which nothing is done
SELECT fill();
SELECT rows_changed FROM bulkpar_execute('MERGE INTO stock AS s USING delivery AS d ON d.item = s.item AND s.n > 0
	WHEN MATCHED AND d.item < 20 THEN DELETE
	WHEN MATCHED AND d.item > 80 THEN DO NOTHING
	WHEN MATCHED THEN UPDATE SET n = DEFAULT, note = d::text
	WHEN NOT MATCHED AND d.item < 50 THEN INSERT VALUES (d.item, d.n)
	WHEN NOT MATCHED AND d.item < 60 THEN DO NOTHING
	WHEN NOT MATCHED THEN INSERT (item, n, note) VALUES (d.item, 1, d.note)', 10);
SELECT * FROM merged_state;
SELECT item, n, note FROM stock WHERE item = 21 AND made_at IS NOT NULL;
-- another unique column, another index to follow, columns in the other order
SELECT fill();
SELECT rows_changed FROM bulkpar_execute('MERGE INTO stock USING delivery ON delivery.shelf = stock.item
	WHEN MATCHED THEN UPDATE SET note = ''shelf''', 10, sees_batches => true);
SELECT * FROM merged_state;
ALTER TABLE delivery ALTER shelf SET NOT NULL;
SELECT fill();
SELECT rows_changed FROM bulkpar_execute('MERGE INTO stock USING delivery ON delivery.shelf = stock.item
	WHEN MATCHED THEN UPDATE SET note = ''shelf''', 10, key_index => 'delivery_shelf_key', driving_table => 'delivery');
SELECT * FROM merged_state;
-- a row with an error is skipped; a failed job goes on
SELECT fill();
SELECT rows_changed, rows_failed FROM bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item
	WHEN MATCHED THEN UPDATE SET n = CASE WHEN d.item = 51 THEN 77 ELSE 1 END
	WHEN NOT MATCHED THEN INSERT (item, n) VALUES (d.item, 100 / (d.item - 50))', 10, on_error => 'skip');
SELECT key, sqlstate FROM bulkpar_errors ORDER BY key;
SELECT * FROM merged_state;
SELECT fill();
\set VERBOSITY terse
SELECT bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item
	WHEN MATCHED THEN UPDATE SET n = s.n - 28 + d.item', 10, 1);
\set VERBOSITY default
UPDATE stock SET n = 200 WHERE item = 5;
ALTER TABLE stock DROP CONSTRAINT stock_n_check;
SELECT job_id AS job FROM last_job \gset
SELECT status, rows_changed FROM bulkpar_resume(:job, 2, 3);
SELECT count(*) FROM stock WHERE n = 72 + item AND item < 100;
-- partitions as source and target, children, a key of several columns
CREATE TABLE source (a int, b int, n int, PRIMARY KEY (a, b)) PARTITION BY RANGE (b);
CREATE TABLE source_1 PARTITION OF source FOR VALUES FROM (1) TO (6);
CREATE TABLE source_2 (n int, b int NOT NULL, a int NOT NULL);
ALTER TABLE source ATTACH PARTITION source_2 FOR VALUES FROM (6) TO (20);
INSERT INTO source SELECT g / 10, g % 10 + 1, g FROM generate_series(1, 100) g;
CREATE TABLE target (b int, a int, n int, log text) PARTITION BY LIST (a);
CREATE TABLE target_0 PARTITION OF target FOR VALUES IN (0, 1, 2, 3, 4);
CREATE TABLE target_1 PARTITION OF target DEFAULT;
CREATE INDEX ON target (a, b);
INSERT INTO target SELECT b, a, 0, '' FROM source WHERE n % 3 = 0;
ANALYZE source, target;
SELECT rows_changed FROM bulkpar_execute('MERGE INTO target t USING source s ON s.a = t.a AND s.b = t.b
	WHEN MATCHED THEN UPDATE SET n = t.n + s.n
	WHEN NOT MATCHED THEN INSERT (a, b, n) VALUES (s.a, s.b, -s.n)', 7);
SELECT tableoid::regclass, count(*), count(*) FILTER (WHERE n > 0), sum(abs(n)) FROM target GROUP BY 1 ORDER BY 1;
SELECT DISTINCT relation FROM bulkpar_chunks JOIN last_job USING (job_id) ORDER BY 1;
CREATE TABLE more_delivery (PRIMARY KEY (item)) INHERITS (delivery);
INSERT INTO more_delivery SELECT g, 1, 'more', g FROM generate_series(101, 110) g;
SELECT bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item WHEN MATCHED THEN UPDATE SET n = d.n', 10);
SELECT rows_changed FROM bulkpar_execute('MERGE INTO stock s USING ONLY delivery d ON s.item = d.item WHEN MATCHED THEN UPDATE SET n = d.n', 10);
SELECT rows_changed FROM bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item WHEN MATCHED THEN UPDATE SET n = d.n', 10, sees_batches => true);
DROP TABLE more_delivery;
-- privileges, policies
CREATE ROLE bulkpar_merger;
GRANT SELECT ON delivery, stock TO bulkpar_merger;
GRANT INSERT ON stock TO bulkpar_merger;
SELECT fill();
SET ROLE bulkpar_merger;
SELECT bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item WHEN MATCHED THEN UPDATE SET n = d.n');
SELECT rows_changed FROM bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item WHEN NOT MATCHED THEN INSERT (item, n, note) VALUES (d.item, d.n, d.note)', 10);
RESET ROLE;
SELECT * FROM merged_state;
REVOKE SELECT ON delivery FROM bulkpar_merger;
ALTER TABLE delivery ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON delivery USING (item % 4 = 2);
SET ROLE bulkpar_merger;
SELECT bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item WHEN NOT MATCHED THEN INSERT (item, n, note) VALUES (d.item, d.n, d.note)', 10);
RESET ROLE;
GRANT SELECT (item, n) ON delivery TO bulkpar_merger;
SELECT fill();
SET ROLE bulkpar_merger;
SELECT rows_changed FROM bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item WHEN NOT MATCHED THEN INSERT (item, n) VALUES (d.item, d.n)', 10);
RESET ROLE;
SELECT count(*) FROM stock WHERE item % 4 = 2;
DROP POLICY few ON delivery;
ALTER TABLE delivery DISABLE ROW LEVEL SECURITY;
-- the plan of a batch: the range is that of the source
SELECT regexp_replace(line, ' +\(cost=.*\)', '') AS line FROM bulkpar_explain('MERGE INTO stock s USING delivery d ON s.item = d.item
	WHEN MATCHED THEN UPDATE SET n = s.n + d.n
	WHEN NOT MATCHED THEN INSERT (item, n) VALUES (d.item, d.n)', 10, 2) line;

-- a source that is a subquery, also of a join, which goes through its first table
SELECT fill();
SELECT rows_changed FROM bulkpar_execute('MERGE INTO stock s USING (SELECT item, n * 2 AS n FROM delivery WHERE item > 50) d ON s.item = d.item
	WHEN MATCHED THEN UPDATE SET n = s.n + d.n
	WHEN NOT MATCHED THEN INSERT (item, n) VALUES (d.item, d.n)', 10);
SELECT command, target FROM last_job;
SELECT * FROM merged_state;
CREATE TABLE shelf (id int PRIMARY KEY, rack int NOT NULL, factor int);
CREATE TABLE rack (id int PRIMARY KEY, extra int);
INSERT INTO shelf SELECT g, g % 10, g % 3 FROM generate_series(1, 90) g;
INSERT INTO rack SELECT g, 1000 FROM generate_series(1, 9) g;
CREATE TABLE stock_plain (LIKE stock INCLUDING ALL);
SELECT fill();
INSERT INTO stock_plain SELECT * FROM stock;
MERGE INTO stock_plain s USING (SELECT d.item, d.n * f.factor + coalesce(r.extra, 0) AS n FROM delivery d JOIN shelf f ON f.id = d.shelf LEFT JOIN rack r ON r.id = f.rack WHERE d.item % 3 > 0) d ON s.item = d.item
	WHEN MATCHED THEN UPDATE SET n = s.n + d.n
	WHEN NOT MATCHED THEN INSERT (item, n) VALUES (d.item, d.n);
SELECT rows_changed, batches > 5 AS batches FROM bulkpar_execute('MERGE INTO stock s USING (SELECT d.item, d.n * f.factor + coalesce(r.extra, 0) AS n FROM delivery d JOIN shelf f ON f.id = d.shelf LEFT JOIN rack r ON r.id = f.rack WHERE d.item % 3 > 0) d ON s.item = d.item
	WHEN MATCHED THEN UPDATE SET n = s.n + d.n
	WHEN NOT MATCHED THEN INSERT (item, n) VALUES (d.item, d.n)', 10);
SELECT command, target FROM last_job;
SELECT count(*) FROM stock;
SELECT count(*) FROM (SELECT item, n FROM stock EXCEPT SELECT item, n FROM stock_plain) x;
-- what is made of one row of the driving table is in one batch: it fails as it does in one statement, or not
MERGE INTO stock_plain s USING (SELECT d.item FROM delivery d JOIN shelf f ON f.rack = d.item) d ON s.item = d.item WHEN MATCHED THEN DELETE;
SELECT bulkpar_execute('MERGE INTO stock s USING (SELECT d.item FROM delivery d JOIN shelf f ON f.rack = d.item) d ON s.item = d.item WHEN MATCHED THEN DELETE', 1);
SELECT count(*) FROM stock;
SELECT rows_changed FROM bulkpar_execute('MERGE INTO shelf s USING (SELECT d.item, d.item * 1000 + f.id AS id FROM delivery d JOIN shelf f ON f.rack = d.item) d ON s.factor = d.item WHEN NOT MATCHED THEN INSERT VALUES (id, 0, item)', 1);
SELECT rows_changed FROM bulkpar_execute('MERGE INTO stock s USING (SELECT item, generate_series(1, 2) AS i FROM delivery) d ON s.item = d.item AND d.i = 2 WHEN MATCHED THEN UPDATE SET note = ''second''', 10);
SELECT command, target FROM last_job;
-- by another table
SELECT rows_changed FROM bulkpar_execute('MERGE INTO stock s USING (SELECT d.item FROM shelf f JOIN delivery d ON d.shelf = f.id AND d.shelf IS NOT NULL) d ON s.item = d.item WHEN MATCHED THEN UPDATE SET note = NULL', driving_table => 'delivery');
SELECT target FROM last_job;
SELECT rows_changed FROM bulkpar_execute('MERGE INTO stock s USING (SELECT d.item FROM delivery d, rack r, shelf f WHERE r.id = f.rack AND d.shelf = f.id AND r.id = 3) d ON s.item = d.item WHEN MATCHED THEN UPDATE SET note = NULL', driving_table => 'delivery');
SELECT target FROM last_job;
-- what such a source reads of the target is as it was when the job began
SELECT fill();
TRUNCATE stock_plain;
INSERT INTO stock_plain SELECT * FROM stock;
MERGE INTO stock_plain s USING (SELECT d.item FROM delivery d WHERE (SELECT count(*) FROM stock_plain) = 100) d ON s.item = d.item WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (item) VALUES (d.item);
SELECT rows_changed FROM bulkpar_execute('MERGE INTO stock s USING (SELECT d.item FROM delivery d WHERE (SELECT count(*) FROM stock) = 100) d ON s.item = d.item WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (item) VALUES (d.item)', 10);
SELECT count(*) FROM stock;
SELECT count(*) FROM (SELECT item, n FROM stock EXCEPT SELECT item, n FROM stock_plain) x;
-- few rows are listed first, and the plan of a batch
SELECT regexp_replace(line, ' +\(cost=.*\)', '') AS line FROM bulkpar_explain('MERGE INTO stock s USING (SELECT d.item, d.n * f.factor AS n FROM delivery d JOIN shelf f ON f.id = d.shelf WHERE d.n > 2) d ON s.item = d.item
	WHEN MATCHED THEN UPDATE SET n = s.n + d.n
	WHEN NOT MATCHED THEN INSERT (item, n) VALUES (d.item, d.n)', 10, 2) line;
DROP TABLE shelf, rack, stock_plain;

-- a target without an index, which each batch reads whole
CREATE TABLE bare AS SELECT g AS item, 0 AS n FROM generate_series(1, 20000) g;
SELECT line FROM bulkpar_explain('MERGE INTO bare b USING delivery d ON b.item = d.item WHEN MATCHED THEN UPDATE SET n = d.n', 10, 2) line WHERE line ~ 'whole';
CREATE INDEX ON bare (item);
SELECT line FROM bulkpar_explain('MERGE INTO bare b USING delivery d ON b.item = d.item WHEN MATCHED THEN UPDATE SET n = d.n', 10, 2) line WHERE line ~ 'whole';
DROP TABLE bare;

-- what is refused
\set VERBOSITY sqlstate
\set message '\\echo :LAST_ERROR_MESSAGE'
SELECT bulkpar_execute('MERGE INTO stock s USING delivery d ON s.n = d.n WHEN MATCHED THEN DO NOTHING'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item > d.item WHEN MATCHED THEN DO NOTHING'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item + 1 WHEN MATCHED THEN DO NOTHING'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item OR false WHEN MATCHED THEN DELETE'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item WHEN MATCHED THEN UPDATE SET item = d.item'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item WHEN NOT MATCHED THEN INSERT VALUES (d.item + 1)'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item WHEN NOT MATCHED THEN INSERT (n) VALUES (d.item)'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item WHEN NOT MATCHED THEN INSERT DEFAULT VALUES'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING (SELECT n, max(item) AS item FROM delivery GROUP BY n) d ON s.item = d.item WHEN MATCHED THEN DELETE'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING (SELECT * FROM delivery ORDER BY item LIMIT 10) d ON s.item = d.item WHEN MATCHED THEN DELETE'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING (SELECT * FROM delivery UNION ALL SELECT * FROM delivery) d ON s.item = d.item WHEN MATCHED THEN DELETE'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING (SELECT * FROM delivery FOR UPDATE) d ON s.item = d.item WHEN MATCHED THEN DELETE'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING (SELECT * FROM (SELECT * FROM delivery) i) d ON s.item = d.item WHEN MATCHED THEN DELETE'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING (VALUES (1)) d(item) ON s.item = d.item WHEN MATCHED THEN DELETE'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING (SELECT item, n FROM stock) d ON s.item = d.item WHEN MATCHED THEN DELETE', sees_batches => true); :message
SELECT bulkpar_execute('MERGE INTO stock s USING (SELECT item + 1 AS item FROM delivery) d ON s.item = d.item WHEN MATCHED THEN DELETE'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING (SELECT n AS item FROM delivery) d ON s.item = d.item WHEN MATCHED THEN DELETE'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING (SELECT d.item FROM delivery c LEFT JOIN delivery d ON c.item = d.n) d ON s.item = d.item WHEN MATCHED THEN DELETE', driving_table => 'stock'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING (SELECT d.item FROM source c LEFT JOIN delivery d ON c.a = d.item) d ON s.item = d.item WHEN MATCHED THEN DELETE', driving_table => 'delivery'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING (delivery d JOIN source c ON c.a = d.item) ON s.item = d.item WHEN MATCHED THEN DELETE'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING generate_series(1, 2) d ON s.item = d WHEN MATCHED THEN DELETE'); :message
SELECT bulkpar_execute('WITH w AS (SELECT 1) MERGE INTO stock s USING delivery d ON s.item = d.item WHEN MATCHED THEN DELETE'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item WHEN MATCHED THEN UPDATE SET n = (SELECT 1)'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item AND EXISTS (SELECT FROM source) WHEN MATCHED THEN DELETE'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item WHEN MATCHED THEN UPDATE SET note = d.ctid::text'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING stock d ON s.item = d.item WHEN MATCHED THEN DELETE', sees_batches => true); :message
SELECT bulkpar_execute('MERGE INTO target_1 s USING target d ON s.a = d.a WHEN MATCHED THEN DELETE', sees_batches => true); :message
SELECT bulkpar_execute('MERGE INTO stock s USING delivery AS d TABLESAMPLE system (10) ON s.item = d.item WHEN MATCHED THEN DELETE'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item WHEN MATCHED THEN DELETE', driving_table => 'stock'); :message
SELECT bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item WHEN MATCHED THEN DELETE', skip_unchanged => true); :message
SELECT bulkpar_execute('MERGE INTO stock s USING merged_state d ON s.item = d.min WHEN MATCHED THEN DELETE'); :message
-- what is compared may be generated from what is set, from 16 on in a partition only
CREATE TABLE made (x int, n int DEFAULT 0, k int, g int GENERATED ALWAYS AS (x) STORED) PARTITION BY LIST (k);
CREATE TABLE made_1 PARTITION OF made FOR VALUES IN (1);
INSERT INTO made SELECT g, 0, 1 FROM generate_series(1, 5) g;
SELECT bulkpar_execute('MERGE INTO made s USING delivery d ON s.g = d.item WHEN MATCHED THEN UPDATE SET x = s.x + 1, n = s.n + 1', 1); :message
SELECT bulkpar_execute('MERGE INTO made s USING delivery d ON s.g = d.item WHEN MATCHED AND s.n > 0 THEN DELETE WHEN MATCHED THEN UPDATE SET (n, x) = (s.n + 1, 7)', 1); :message
SELECT status, rows_changed FROM bulkpar_execute('MERGE INTO made s USING delivery d ON s.g = d.item WHEN MATCHED THEN UPDATE SET n = s.n + 1', 1);
SELECT DISTINCT n FROM made WHERE g IN (SELECT item FROM delivery);
SELECT CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'n' ELSE 'x' END AS own \gset
CREATE TABLE made_2 (k int, g int GENERATED ALWAYS AS (:own) STORED, n int DEFAULT 0, x int);
ALTER TABLE made ATTACH PARTITION made_2 FOR VALUES IN (2);
SELECT bulkpar_execute('MERGE INTO made s USING delivery d ON s.g = d.item WHEN MATCHED THEN UPDATE SET ' || :'own' || ' = 7', 1); :message
DROP TABLE made;
-- where PostgreSQL itself takes views, from 17 on, it is bulkpar that refuses them
SELECT bulkpar_execute('MERGE INTO merged_state s USING delivery d ON s.min = d.item WHEN MATCHED THEN DELETE');
SELECT bulkpar_execute('MERGE INTO stock s USING delivery d ON s.item = d.item WHEN MATCHED THEN DELETE') FROM stock; :message
\set VERBOSITY default

-- what triggers and foreign keys do to rows of later batches, and rows as a whole
CREATE TABLE goods (id int PRIMARY KEY, part_of int REFERENCES goods ON DELETE CASCADE, n int);
CREATE TABLE news (id int PRIMARY KEY, gone int);
INSERT INTO goods SELECT i, nullif(i / 2, 0), 0 FROM generate_series(1, 30) AS i;
INSERT INTO news SELECT i FROM generate_series(1, 30) AS i;
SELECT bulkpar_execute('MERGE INTO goods g USING news s ON g.id = s.id WHEN MATCHED AND s.id = 1 THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.id, NULL, 99)', 10);
SELECT rows_changed FROM bulkpar_execute('MERGE INTO goods g USING news s ON g.id = s.id WHEN MATCHED THEN UPDATE SET n = n + 1', 10);
ALTER TABLE news DROP COLUMN gone;
SELECT bulkpar_execute('MERGE INTO goods g USING news s ON g.id = s.id WHEN MATCHED AND s IS NOT NULL THEN UPDATE SET n = n + 1', 10);
CREATE FUNCTION moves_on() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.id := NEW.id + 10; RETURN NEW; END';
CREATE TRIGGER moves_on BEFORE INSERT ON goods FOR EACH ROW EXECUTE FUNCTION moves_on();
SELECT bulkpar_execute('MERGE INTO goods g USING news s ON g.id = s.id WHEN MATCHED THEN UPDATE SET n = n + 1 WHEN NOT MATCHED THEN INSERT VALUES (s.id, NULL, 99)', 10);
SELECT count(*), sum(n) FROM goods;
DROP TABLE goods, news;
DROP FUNCTION moves_on;

SET client_min_messages = warning;
DROP VIEW merged_state, last_job;
DROP TABLE stock, delivery, merged, source, target;
DROP FUNCTION fill;
DROP ROLE bulkpar_merger;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
