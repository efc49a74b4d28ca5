--
-- Names of jobs: the same statement goes on, another one is refused
--
SET bulkpar.report = off;
-- however many processors there are
SET bulkpar.workers = 2;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;

CREATE VIEW last_job AS SELECT * FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;
CREATE TABLE named (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
INSERT INTO named SELECT generate_series(1, 100);
-- the chunks depend on what is known of the table
SELECT pg_stat_force_next_flush() \g /dev/null
ANALYZE named;
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
SELECT job_id = :job AS same_job, status, rows_changed FROM bulkpar_execute(
	'UPDATE named SET n = n + 1 + 0 / (id - coalesce((SELECT id FROM obstacle), 0))', 10, 1, job_name => 'j');
SELECT n, count(*) FROM named GROUP BY n;
-- a job that has ended has given its name back
SELECT job_id = :job AS same_job, rows_changed FROM bulkpar_delete('named', 'id > 50 AND 0 / (id - 45) = 0', 10, 1, job_name => 'j');
SELECT count(*) FROM named;
INSERT INTO obstacle VALUES (20);
SELECT bulkpar_delete('named', 'named.id / (named.id - o.id) > -100', 5, 1, job_name => 'd', using_item => 'obstacle o');
SELECT bulkpar_delete('named', 'named.id / (named.id - o.id) > -100', 5, 1, job_name => 'd', using_item => 'obstacle AS o');
SELECT bulkpar_delete('named', 'named.id / (named.id - o.id) > -101', 5, 1, job_name => 'd', using_item => 'obstacle o');
SELECT bulkpar_execute('DELETE FROM named', job_name => 'd');
UPDATE obstacle SET id = 1000;
SELECT rows_changed FROM bulkpar_delete('named', 'named.id / (named.id - o.id) > -100', 5, 1, job_name => 'd', using_item => 'obstacle o');
SELECT count(*) FROM named;

-- once: a job that has succeeded is not repeated
SELECT bulkpar_update('named', 'n', 'n + 1', once => true);
SELECT bulkpar_update('named', 'n', 'n + 1', job_name => 'o', once => NULL);
CREATE TABLE counted AS SELECT id, 0 AS n FROM generate_series(1, 50) AS id;
ALTER TABLE counted ADD PRIMARY KEY (id);
SELECT pg_stat_force_next_flush() \g /dev/null
ANALYZE counted;
SELECT job_id AS job, status, rows_changed FROM bulkpar_update('counted', 'n', 'n + 1', 10, 1, job_name => 'o') \gset
SELECT job_id = :job AS same_job, status, rows_changed, batches, workers FROM bulkpar_update('counted', 'n', 'n + 1', 7, 2, job_name => 'o', once => true);
SELECT job_id = :job AS same_job FROM bulkpar_update('counted', 'n', 'n + 1', job_name => 'o', once => true, wait => false);
SELECT bulkpar_update('counted', 'n', 'n + 2', job_name => 'o', once => true);
SELECT bulkpar_execute('UPDATE counted SET n = n + 1', job_name => 'o', once => true);
SELECT bulkpar_delete('counted', NULL, job_name => 'o', once => true);
SET search_path = public, pg_catalog;
SELECT bulkpar_update('counted', 'n', 'n + 1', job_name => 'o', once => true);
RESET search_path;
SELECT n, count(*) FROM counted GROUP BY n;
-- one that is not finished goes on, and is done then
UPDATE obstacle SET id = 30;
SELECT bulkpar_update('counted', 'n', 'n + 1 + 0 / (id - coalesce((SELECT id FROM obstacle), 0))', 10, 1, job_name => 'p', once => true);
SELECT job_id AS job FROM last_job \gset
DELETE FROM obstacle;
SELECT job_id = :job AS same_job, status, rows_changed FROM bulkpar_update('counted', 'n', 'n + 1 + 0 / (id - coalesce((SELECT id FROM obstacle), 0))', 10, 1, job_name => 'p', once => true);
SELECT job_id = :job AS same_job, status, rows_changed FROM bulkpar_update('counted', 'n', 'n + 1 + 0 / (id - coalesce((SELECT id FROM obstacle), 0))', 10, 1, job_name => 'p', once => true);
SELECT n, count(*) FROM counted GROUP BY n;
-- what is forgotten can be done again
SELECT bulkpar_forget('o');
SELECT job_id = :job AS same_job, rows_changed FROM bulkpar_update('counted', 'n', 'n + 1', 10, 1, job_name => 'o', once => true);
SELECT job_id = :job AS same_job, rows_changed FROM bulkpar_update('counted', 'n', 'n + 1', 10, 1, job_name => 'o');
SELECT n, count(*) FROM counted GROUP BY n;

SET client_min_messages = warning;
DROP TABLE counted;
DROP VIEW last_job;
DROP TABLE named, obstacle;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
