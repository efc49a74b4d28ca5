--
-- Columns that change their names while a job is stopped: its statement then
-- says something else, and must not set what the job goes by
--
SET bulkpar.report = off;
SET client_min_messages = warning;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;
\set VERBOSITY sqlstate
-- which worker meets it first is a matter of time
\set SHOW_CONTEXT never
\set message '\\echo :LAST_ERROR_MESSAGE'

-- the key and the column that is set
CREATE TABLE item (id int PRIMARY KEY, v int NOT NULL, n int DEFAULT 0, broken boolean DEFAULT false);
INSERT INTO item SELECT i * 10, i * 10 FROM generate_series(1, 40) i;
UPDATE item SET broken = true WHERE id = 50;
SELECT bulkpar_update('item', 'v', 'v + 101 + 0 / (NOT broken)::int', 2, 1, stripes => 1); :message
SELECT bulkpar_execute('UPDATE item SET v = v + 101 + 0 / (NOT broken)::int WHERE id > 0', 2, 1, stripes => 1); :message
UPDATE item SET broken = false;
ALTER TABLE item RENAME id TO x; ALTER TABLE item RENAME v TO id; ALTER TABLE item RENAME x TO v;
SELECT bulkpar_resume(1); :message
SELECT bulkpar_resume(2); :message
-- with their own names again both go on
ALTER TABLE item RENAME id TO x; ALTER TABLE item RENAME v TO id; ALTER TABLE item RENAME x TO v;
SELECT status, rows_changed FROM bulkpar_resume(1);
SELECT status, rows_changed FROM bulkpar_resume(2);
SELECT v - id AS added, count(*) FROM item GROUP BY 1;
DROP TABLE item;

-- the partition key, of the table and of a partition of it
CREATE TABLE item (k int, v int NOT NULL, l int, id int, broken boolean DEFAULT false) PARTITION BY RANGE (k);
CREATE TABLE item_1 PARTITION OF item FOR VALUES FROM (0) TO (1000);
CREATE TABLE item_2 PARTITION OF item FOR VALUES FROM (1000) TO (3000) PARTITION BY LIST (l);
CREATE TABLE item_2_1 PARTITION OF item_2 DEFAULT;
ALTER TABLE item_1 ADD PRIMARY KEY (id);
ALTER TABLE item_2_1 ADD PRIMARY KEY (id);
INSERT INTO item SELECT 10, 10, 1, i FROM generate_series(1, 20) i;
INSERT INTO item SELECT 1500, 10, 1, i FROM generate_series(101, 120) i;
UPDATE item SET broken = true WHERE id IN (5, 105);
SELECT bulkpar_update('item', 'v', 'v + 1000 + 0 / (NOT broken)::int', 2, 1, stripes => 1); :message
UPDATE item SET broken = false WHERE id = 5;
ALTER TABLE item RENAME k TO x; ALTER TABLE item RENAME v TO k; ALTER TABLE item RENAME x TO v;
SELECT bulkpar_resume(3); :message
ALTER TABLE item RENAME k TO x; ALTER TABLE item RENAME v TO k; ALTER TABLE item RENAME x TO v;
SELECT bulkpar_resume(3); :message
UPDATE item SET broken = false;
ALTER TABLE item RENAME l TO x; ALTER TABLE item RENAME v TO l; ALTER TABLE item RENAME x TO v;
SELECT bulkpar_resume(3); :message
ALTER TABLE item RENAME l TO x; ALTER TABLE item RENAME v TO l; ALTER TABLE item RENAME x TO v;
SELECT status, rows_changed FROM bulkpar_resume(3);
SELECT v, count(*) FROM item GROUP BY 1;
DROP TABLE item;

-- what else a statement names: columns and tables that it reads, and that it inserts into
CREATE TABLE item (id int PRIMARY KEY, a int DEFAULT 1, b int DEFAULT 2, broken boolean DEFAULT false);
CREATE TABLE rate (id int PRIMARY KEY, r int DEFAULT 3, s int DEFAULT 4);
CREATE TABLE copied (id int PRIMARY KEY, x int, y int, z int);
CREATE TABLE merged (LIKE copied INCLUDING ALL);
CREATE VIEW rates AS TABLE rate;
CREATE TABLE plain (id int, a int, b int, broken boolean);
INSERT INTO item SELECT i FROM generate_series(1, 20) i;
INSERT INTO rate SELECT i FROM generate_series(1, 20) i;
UPDATE item SET broken = true WHERE id = 5;
SELECT bulkpar_execute('INSERT INTO copied (id, x, y) SELECT i.id, i.a + 0 / (NOT broken)::int, r.r FROM item i JOIN rate r ON r.id = i.id', 2, 1, stripes => 1); :message
SELECT bulkpar_execute('MERGE INTO merged m USING (SELECT i.id, i.a + 0 / (NOT broken)::int AS a, r.r FROM item i JOIN rate r ON r.id = i.id) s ON m.id = s.id WHEN NOT MATCHED THEN INSERT (id, x, y) VALUES (s.id, s.a, s.r)', 2, 1, stripes => 1); :message
SELECT bulkpar_execute('INSERT INTO plain SELECT * FROM item WHERE 0 / (NOT broken)::int = 0', 2, 1, stripes => 1); :message
SELECT bulkpar_update('item', 'a', 'b + 10 + 0 / (NOT broken)::int', 2, 1, stripes => 1); :message
SELECT bulkpar_execute('SELECT i.id, r.s + 0 / (NOT broken)::int FROM item i JOIN rates r USING (id)', 2, 1, stripes => 1); :message
UPDATE item SET broken = false;
-- columns of the driving table
ALTER TABLE item RENAME a TO c; ALTER TABLE item RENAME b TO a; ALTER TABLE item RENAME c TO b;
\set VERBOSITY default
SELECT bulkpar_resume(4);
\set VERBOSITY sqlstate
SELECT bulkpar_resume(5); :message
SELECT bulkpar_resume(7); :message
ALTER TABLE item RENAME a TO c; ALTER TABLE item RENAME b TO a; ALTER TABLE item RENAME c TO b;
-- one that is there no longer, and a new one of its name
ALTER TABLE item RENAME a TO c; ALTER TABLE item ADD a int DEFAULT 99;
SELECT bulkpar_resume(4); :message
SELECT bulkpar_resume(7); :message
ALTER TABLE item DROP a; ALTER TABLE item RENAME c TO a;
-- columns of another table, and another table
ALTER TABLE rate RENAME r TO t; ALTER TABLE rate RENAME s TO r;
SELECT bulkpar_resume(4); :message
SELECT bulkpar_resume(5); :message
ALTER TABLE rate RENAME r TO s; ALTER TABLE rate RENAME t TO r;
ALTER TABLE rate RENAME TO old_rate; CREATE TABLE rate AS TABLE old_rate;
\set VERBOSITY default
SELECT bulkpar_resume(4);
\set VERBOSITY sqlstate
DROP TABLE rate; ALTER TABLE old_rate RENAME TO rate;
-- a view may be made anew, but its columns stay
ALTER VIEW rates RENAME r TO t; ALTER VIEW rates RENAME s TO r; ALTER VIEW rates RENAME t TO s;
\set VERBOSITY default
SELECT bulkpar_resume(8);
\set VERBOSITY sqlstate
DROP VIEW rates;
CREATE VIEW rates AS SELECT * FROM rate WHERE true;
SELECT status, rows_changed FROM bulkpar_resume(8);
DROP VIEW rates;
-- columns of the table that is inserted into
ALTER TABLE copied RENAME y TO w; ALTER TABLE copied RENAME z TO y;
ALTER TABLE merged RENAME y TO w; ALTER TABLE merged RENAME z TO y;
SELECT bulkpar_resume(4); :message
SELECT bulkpar_resume(5); :message
ALTER TABLE copied RENAME y TO z; ALTER TABLE copied RENAME w TO y;
ALTER TABLE merged RENAME y TO z; ALTER TABLE merged RENAME w TO y;
-- a column for an asterisk
ALTER TABLE item ADD c int; ALTER TABLE plain ADD c int;
\set VERBOSITY default
SELECT bulkpar_resume(6);
\set VERBOSITY sqlstate
ALTER TABLE item DROP c; ALTER TABLE plain DROP c;
-- of what they do not name anything may change, and types may
ALTER TABLE item ADD e int DEFAULT 5;
ALTER TABLE rate DROP s, ALTER r TYPE bigint;
ALTER TABLE copied RENAME z TO zz;
SELECT status, rows_changed FROM bulkpar_resume(4);
DROP TABLE rate; CREATE TABLE rate AS SELECT i AS id, 3 AS r FROM generate_series(1, 20) i;
SELECT bulkpar_resume(5); :message
SELECT detail FROM bulkpar_jobs WHERE job_id = 5;
SELECT status, rows_changed FROM bulkpar_resume(7);
ALTER TABLE item DROP e;
SELECT status, rows_changed FROM bulkpar_resume(6);
SELECT x, y, zz, count(*) FROM copied GROUP BY 1, 2, 3;
SELECT x, y, z, count(*) FROM merged GROUP BY 1, 2, 3;
SELECT b, count(*) FROM plain GROUP BY 1;
SELECT a, b, count(*) FROM item GROUP BY 1, 2;
DROP TABLE item, rate, copied, merged, plain;

-- of several tables, each by itself
CREATE TABLE item_1 (id int PRIMARY KEY, a int DEFAULT 1, b int DEFAULT 2, broken boolean DEFAULT false);
CREATE TABLE item_2 (LIKE item_1 INCLUDING ALL);
INSERT INTO item_1 SELECT i FROM generate_series(1, 20) i;
INSERT INTO item_2 SELECT i FROM generate_series(1, 20) i;
UPDATE item_2 SET broken = true WHERE id = 5;
SELECT bulkpar_update(ARRAY['item_1', 'item_2']::regclass[], 'a', 'b + 10 + 0 / (NOT broken)::int', 2, 1, stripes => 1); :message
UPDATE item_2 SET broken = false;
ALTER TABLE item_2 RENAME a TO c; ALTER TABLE item_2 RENAME b TO a; ALTER TABLE item_2 RENAME c TO b;
SELECT bulkpar_resume(9); :message
ALTER TABLE item_2 RENAME a TO c; ALTER TABLE item_2 RENAME b TO a; ALTER TABLE item_2 RENAME c TO b;
SELECT status, rows_changed FROM bulkpar_resume(9);
SELECT a, b, count(*) FROM (TABLE item_1 UNION ALL TABLE item_2) x GROUP BY 1, 2;
DROP TABLE item_1, item_2;
