--
-- Columns that change their names while a job is stopped: its statement then
-- says something else, and must not set what the job goes by
--
SET bulkpar.report = off;
SET client_min_messages = warning;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;
\set VERBOSITY sqlstate
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
