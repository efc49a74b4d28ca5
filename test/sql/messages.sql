--
-- What triggers and functions have to say
--
SET bulkpar.report = off;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;
CREATE TABLE item (id int PRIMARY KEY, n int DEFAULT 0);
INSERT INTO item SELECT generate_series(1, 300);
CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	IF NEW.id % 100 = 0 THEN RAISE WARNING 'row % looks wrong', NEW.id; END IF;
	IF NEW.id % 3 = 0 THEN RAISE NOTICE 'every third "row"'; END IF;
	RAISE DEBUG 'not this'; RAISE LOG 'nor this';
	RETURN NEW; END$$;
CREATE TRIGGER say BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION say();
SET client_min_messages = notice;

-- each text once, with its number
SELECT rows_changed FROM bulkpar_update('item', 'n', 'n + 1', 100, 1);
SELECT jsonb_pretty(messages) FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;
SET client_min_messages = warning;
SELECT rows_changed FROM bulkpar_update('item', 'n', 'n + 1', 10, 1, stripes => 3);
SET client_min_messages = notice;
SELECT (SELECT sum((m ->> 'count')::int) FROM jsonb_array_elements(messages) m) FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;
-- of several workers together, also one that waits only for the end
SELECT job_id AS job FROM bulkpar_update('item', 'n', 'n + 1', 10, 2, wait => false) \gset
SELECT rows_changed FROM bulkpar_wait(:job);
-- more texts than are kept
CREATE OR REPLACE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS
	$$BEGIN RAISE NOTICE '% %', CASE WHEN NEW.id = 2 THEN repeat('long ä ', 1000) ELSE 'row' END, NEW.id; RETURN NEW; END$$;
SET client_min_messages = warning;
SELECT rows_changed FROM bulkpar_update('item', 'n', 'n + 1', 100, 1);
SET client_min_messages = notice;
SELECT count(*), count(*) FILTER (WHERE m ->> 'message' IS NULL) AS others, sum((m ->> 'count')::int), max(octet_length(m ->> 'message'))
	FROM bulkpar_jobs j, jsonb_array_elements(messages) m WHERE job_id = (SELECT max(job_id) FROM bulkpar_jobs);
-- a batch that is tried again, or halved, does not count twice; one that ends the
-- job does
CREATE OR REPLACE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS
	$$BEGIN IF NEW.id > 200 THEN RAISE NOTICE 'seen'; END IF; RETURN NEW; END$$;
\set VERBOSITY terse
SELECT rows_changed, rows_failed FROM bulkpar_update('item', 'n', '1 / (id - 255)', 100, 1, on_error => 'skip');
SELECT rows_changed, rows_failed FROM bulkpar_update('item', 'n', '1 / (id - 255)', 100, 1);
DELETE FROM item WHERE id = 255;
SELECT max(job_id) AS job FROM bulkpar_jobs \gset
SELECT rows_changed FROM bulkpar_resume(:job);
-- a text in another encoding is counted
CREATE OR REPLACE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS
	$$BEGIN SET client_encoding = 'LATIN1'; RAISE NOTICE 'ä'; RETURN NEW; END$$;
SELECT rows_changed FROM bulkpar_update('item', 'n', '1', 100, 1);
-- not for others to read
CREATE ROLE regress_messages_reader;
GRANT pg_read_all_stats TO regress_messages_reader;
SET ROLE regress_messages_reader;
SELECT count(*) > 0 AS jobs, count(messages) FROM bulkpar_jobs;
RESET ROLE;

DROP TABLE item;
DROP FUNCTION say();
DROP ROLE regress_messages_reader;
