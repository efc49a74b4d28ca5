--
-- key_index: a job along another index
--
SET bulkpar.report = off;
-- however many processors there are
SET bulkpar.workers = 2;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;

CREATE TABLE item (id int PRIMARY KEY);
CREATE VIEW last_job AS SELECT * FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;
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
SELECT rows_changed, batches FROM bulkpar_update('keyed', 'n', 'n + 1', 10, key_index => 'keyed_other_key');
SELECT key_index, end_key FROM last_job;
SELECT rows_changed FROM bulkpar_execute('UPDATE keyed SET n = n + 1', 10, key_index => 'keyed_late_key');
SELECT rows_changed FROM bulkpar_execute('UPDATE keyed SET n = n + 1', 10, key_index => NULL);
SELECT key_index FROM last_job;
SELECT n, count(*) FROM keyed GROUP BY n;
-- the primary key can be changed when the job follows another index, each key once
SELECT rows_changed FROM bulkpar_update('keyed', 'id', 'id + 1000', 10, key_index => 'keyed_other_key');
SELECT min(id), max(id), count(*) FROM keyed;
SELECT rows_changed FROM bulkpar_execute('UPDATE keyed SET id = id - 1000, late = late + 1000', 10,
	key_index => 'public.keyed_other_key');
SELECT min(id), max(id), min(late), max(late) FROM keyed;
SELECT rows_changed FROM bulkpar_execute('UPDATE keyed SET other = other - 900', 10, key_index => 'keyed_pkey');
SELECT rows_changed FROM bulkpar_delete('keyed', 'id > 90', 4, key_index => 'keyed_two');
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
SELECT rows_changed FROM bulkpar_delete('one_key', 'id % 2 = 0', 10, key_index => 'one_key_only');
SELECT count(*), sum(id % 2) FROM one_key;

SET client_min_messages = warning;
DROP VIEW last_job;
DROP TABLE item, keyed, one_key;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
