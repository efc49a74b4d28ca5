--
-- What the code of a user sees of the session of a worker
--
SET bulkpar.report = off;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error RESTART IDENTITY;
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
SELECT rows_updated FROM bulkpar_update('item', 'n', 'n + 1', 100, 2, condition => 'id > 0 -- all');
SELECT * FROM kept; TRUNCATE history;
SELECT rows_updated FROM bulkpar_execute('UPDATE item AS i SET n = 2 WHERE i.id <= 300;', 100, 2);
SELECT * FROM kept; TRUNCATE history;
SELECT rows_updated FROM bulkpar_delete('item', 'id > 500', 100, 2);
SELECT * FROM kept; TRUNCATE history;
SELECT rows_updated FROM bulkpar_update('item', ARRAY['n', 'seen'], ARRAY['3', 'current_query()'], 100, 2);
SELECT DISTINCT seen FROM item;
TRUNCATE history;
-- also where rows are looked up first, by one process or several, and where rows
-- are skipped
ANALYZE item;
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SELECT rows_updated FROM bulkpar_update('item', 'n', 'n + 1', 10, 2, condition => 'id = 7 AND current_query() LIKE ''UPDATE%''');
RESET min_parallel_table_scan_size;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
SELECT rows_updated, rows_failed FROM bulkpar_update('item', 'n', 'n / (id - 8)', 10, 2, on_error => 'skip');
SELECT * FROM kept; TRUNCATE history;
-- a policy
CREATE ROLE regress_sessions_owner;
ALTER TABLE item OWNER TO regress_sessions_owner;
GRANT ALL ON history TO regress_sessions_owner;
ALTER TABLE item ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY statement ON item USING (current_query() LIKE 'UPDATE ONLY public.item SET n = (5)%' OR id = 1);
SET ROLE regress_sessions_owner;
SELECT count(*) FROM item;
SELECT rows_updated FROM bulkpar_update('item', 'n', '5', 10, 2);
RESET ROLE;
SELECT count(*) FROM item WHERE n = 5;
-- the session of the caller has its own
SELECT current_query();

DROP VIEW kept;
DROP TABLE item, history;
DROP FUNCTION keep();
DROP ROLE regress_sessions_owner;
