--
-- Rows with errors are skipped, in statements of all kinds
--
SET bulkpar.report = off;
-- however many processors there are
SET bulkpar.workers = 2;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;

-- ids up to 60 once, those up to 20 twice more, others not at all
CREATE TABLE source (id int, v numeric, name text);
INSERT INTO source SELECT g, g + 0.123, 'new ' || g FROM generate_series(1, 60) g;
INSERT INTO source SELECT g % 20 + 1, 1000, 'other' FROM generate_series(1, 40) g;
CREATE VIEW last_job AS SELECT * FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;
CREATE TABLE named (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
INSERT INTO named SELECT generate_series(1, 50);
CREATE TABLE refers (id int REFERENCES named);
INSERT INTO refers VALUES (7), (8), (33);
SELECT status, rows_changed, rows_failed FROM bulkpar_delete('named', 'id <= 40', 10, on_error => 'skip');
SELECT array_agg(id ORDER BY id) FROM named WHERE id <= 40;
SELECT key, e.sqlstate, e.message FROM bulkpar_errors e JOIN last_job USING (job_id) ORDER BY key[1]::int;
SELECT bulkpar_execute('DELETE FROM named', 10, 1, on_error => 'skip', max_errors => 2);
DROP TABLE refers;
TRUNCATE named;
INSERT INTO named SELECT generate_series(1, 50);
SELECT rows_changed, rows_failed FROM bulkpar_update('named', 'n', '1 / (s.id - 30)', 10, from_item => 'source s',
	condition => 's.id = named.id AND s.id > 20', on_error => 'skip');
SELECT key, e.sqlstate FROM bulkpar_errors e JOIN last_job USING (job_id);
SELECT rows_changed, rows_failed FROM bulkpar_execute('UPDATE named SET n = n / (s.id - 31) FROM source s
	WHERE s.id = named.id AND s.id > 20', 10, on_error => 'skip');
SELECT key, e.sqlstate FROM bulkpar_errors e JOIN last_job USING (job_id);

SET client_min_messages = warning;
DROP VIEW last_job;
DROP TABLE named, source;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
