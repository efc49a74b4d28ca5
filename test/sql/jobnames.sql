--
-- Names of jobs: the same statement goes on, another one is refused
--
SET bulkpar.report = off;
-- however many processors there are
SET bulkpar.workers = 2;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle;
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

SET client_min_messages = warning;
DROP VIEW last_job;
DROP TABLE named, obstacle;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle;
