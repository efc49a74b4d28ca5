--
-- What the code of a user sees of the session of a worker
--
SET bulkpar.report = off;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;
CREATE TABLE item (id int PRIMARY KEY, n int DEFAULT 0, seen text);
INSERT INTO item SELECT generate_series(1, 600);
CREATE TABLE history (id int, query text NOT NULL, deferred bool DEFAULT false);
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	INSERT INTO history VALUES (OLD.id, current_query(), TG_NARGS > 0);
	RETURN NULL; END$$;
CREATE TRIGGER keep AFTER UPDATE OR DELETE ON item FOR EACH ROW EXECUTE FUNCTION keep();
CREATE CONSTRAINT TRIGGER keep_deferred AFTER UPDATE OR DELETE ON item DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION keep('');
CREATE VIEW kept AS SELECT query, deferred, count(*), count(DISTINCT id) AS ids FROM history GROUP BY 1, 2 ORDER BY 1, 2;

-- current_query() is the statement of the job
SELECT rows_changed FROM bulkpar_update('item', 'n', 'n + 1', 100, 2, condition => 'id > 0 -- all');
SELECT * FROM kept; TRUNCATE history;
SELECT rows_changed FROM bulkpar_execute('UPDATE item AS i SET n = 2 WHERE i.id <= 300;', 100, 2);
SELECT * FROM kept; TRUNCATE history;
SELECT rows_changed FROM bulkpar_delete('item', 'id > 500', 100, 2);
SELECT * FROM kept; TRUNCATE history;
SELECT rows_changed FROM bulkpar_update('item', ARRAY['n', 'seen'], ARRAY['3', 'current_query()'], 100, 2);
SELECT DISTINCT seen FROM item;
TRUNCATE history;
-- also where rows are looked up first, by one process or several, and where rows
-- are skipped
ANALYZE item;
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SELECT rows_changed FROM bulkpar_update('item', 'n', 'n + 1', 10, 2, condition => 'id = 7 AND current_query() LIKE ''UPDATE%''');
RESET min_parallel_table_scan_size;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
SELECT rows_changed, rows_failed FROM bulkpar_update('item', 'n', 'n / (id - 8)', 10, 2, on_error => 'skip');
SELECT * FROM kept; TRUNCATE history;
-- a policy
CREATE ROLE regress_sessions_owner;
ALTER TABLE item OWNER TO regress_sessions_owner;
GRANT ALL ON history TO regress_sessions_owner;
ALTER TABLE item ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY statement ON item USING (current_query() LIKE 'UPDATE ONLY public.item SET n = (5)%' OR id = 1);
SET ROLE regress_sessions_owner;
SELECT count(*) FROM item;
SELECT rows_changed FROM bulkpar_update('item', 'n', '5', 10, 2);
RESET ROLE;
SELECT count(*) FROM item WHERE n = 5;
-- the session of the caller has its own
SELECT current_query();


--
-- bulkpar.job_id and bulkpar.job_started_at: the same in all batches of a job
--
CREATE TABLE stamped (id int PRIMARY KEY, at timestamptz, job_id bigint, now timestamptz, n int DEFAULT 0);
INSERT INTO stamped SELECT generate_series(1, 300);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	NEW.at := nullif(current_setting('bulkpar.job_started_at', true), '')::timestamptz;
	NEW.job_id := nullif(current_setting('bulkpar.job_id', true), '')::bigint;
	NEW.now := now();
	RETURN NEW; END$$;
CREATE TRIGGER stamp BEFORE UPDATE ON stamped FOR EACH ROW EXECUTE FUNCTION stamp();
SET DateStyle = 'German, DMY';
SET TimeZone = 'Asia/Kathmandu';
SELECT rows_changed FROM bulkpar_update('stamped', 'n', 'n + 1', 10, 2);
SELECT count(*), count(DISTINCT s.now) > 20 AS moments FROM stamped s JOIN bulkpar_jobs j ON s.at = j.created_at AND s.job_id = j.job_id;
RESET DateStyle;
RESET TimeZone;
-- also when the job goes on later, in another session
\set VERBOSITY terse
SELECT rows_changed FROM bulkpar_update('stamped', 'n', 'n + 1 / (id - 155)', 10, 1);
\set VERBOSITY default
DELETE FROM stamped WHERE id = 155;
SELECT max(job_id) AS job FROM bulkpar_jobs \gset
\c -
SET bulkpar.report = off;
SELECT rows_changed FROM bulkpar_resume(:job);
SELECT count(*), count(DISTINCT s.at) FROM stamped s JOIN bulkpar_jobs j ON s.at = j.created_at AND s.job_id = j.job_id
	WHERE j.job_id = :job;
-- as a value and in a condition, which this session plans, too; in parallel
-- workers, when rows are looked up
ANALYZE stamped;
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SELECT rows_changed FROM bulkpar_update('stamped', 'n', 'current_setting(''bulkpar.job_id'')::int', 10, 2, condition =>
	'id = 7 AND now > nullif(current_setting(''bulkpar.job_started_at''), '''')::timestamptz - interval ''1 day''');
SELECT count(*) FROM stamped WHERE n = job_id AND id = 7;
RESET min_parallel_table_scan_size;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
-- a session that is no worker has none, and nobody can say that it is one
UPDATE stamped SET n = 0 WHERE id = 8;
SELECT at, job_id FROM stamped WHERE id = 8;
SET bulkpar.job_id = 5;
SET bulkpar.job_started_at = '2000-01-01';
RESET bulkpar.job_id;
ALTER ROLE CURRENT_USER SET bulkpar.job_id = 5;
ALTER SYSTEM SET bulkpar.job_id = 5;
SHOW bulkpar.job_id;
CREATE FUNCTION pretend() RETURNS int LANGUAGE plpgsql AS $$BEGIN
	PERFORM set_config('bulkpar.job_id', '77', true);
	RETURN 1; END$$;
SELECT bulkpar_update('stamped', 'n', 'pretend()', 10, 1); \echo :LAST_ERROR_SQLSTATE
CREATE OR REPLACE FUNCTION pretend() RETURNS int LANGUAGE plpgsql AS $$BEGIN
	RESET ALL;
	RETURN 1; END$$;
SELECT rows_changed FROM bulkpar_update('stamped', 'n', 'pretend()', 10, 1);
SELECT count(*) FROM stamped WHERE job_id = (SELECT max(job_id) FROM bulkpar_jobs);

DROP TABLE stamped;
DROP FUNCTION stamp(), pretend();
DROP VIEW kept;
DROP TABLE item, history;
DROP FUNCTION keep();
DROP ROLE regress_sessions_owner;
