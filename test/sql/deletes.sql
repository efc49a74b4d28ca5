--
-- DELETE, by bulkpar_delete and as a statement
--
SET bulkpar.report = off;
-- however many processors there are
SET bulkpar.workers = 2;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;

-- ids up to 60
CREATE TABLE source (id int, v numeric, name text);
INSERT INTO source SELECT g, g + 0.123, 'new ' || g FROM generate_series(1, 60) g;
INSERT INTO source SELECT g % 20 + 1, 1000, 'other' FROM generate_series(1, 40) g;
CREATE VIEW last_job AS SELECT * FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;

CREATE TABLE gone (id int PRIMARY KEY, n int);
CREATE FUNCTION fill_gone() RETURNS void LANGUAGE sql AS
	'TRUNCATE gone; INSERT INTO gone SELECT g, g % 10 FROM generate_series(1, 100) g';
CREATE VIEW gone_left AS SELECT count(*), min(id), max(id) FROM gone;
SELECT fill_gone();
ANALYZE gone;
SELECT status, rows_changed, batches, workers, rows_failed, rows_unchanged
	FROM bulkpar_delete('gone', 'n = 5', 10, 2);
SELECT * FROM gone_left;
SELECT target, command, column_names, expressions, condition, from_item, statement, stripes FROM last_job;
SELECT rows_changed FROM bulkpar_delete(condition => 'gone.id = s.id', using_item => 'source s', target => 'gone',
	workers => 2, batch_size => 10);
SELECT * FROM gone_left;
SELECT rows_changed FROM bulkpar_delete('gone', NULL, 7);
SELECT * FROM gone_left;
SELECT status, rows_changed, batches FROM bulkpar_delete('gone', 'true');
SELECT fill_gone();
SELECT rows_changed FROM bulkpar_execute('DELETE FROM gone WHERE id > 90', 10);
SELECT rows_changed FROM bulkpar_execute('DELETE FROM ONLY gone AS source USING source s WHERE source.id = s.id AND s.id < 10', 5);
SELECT rows_changed FROM bulkpar_execute('WITH w AS (SELECT 40 AS id) DELETE FROM gone g USING w, gone o
	WHERE o.id = g.id AND o.id > w.id AND g.id IN (SELECT id FROM source);', 5);
SELECT * FROM gone_left;
SELECT rows_changed FROM bulkpar_execute('DELETE FROM public.gone', 10, 3, stripes => 4);
SELECT * FROM gone_left;
-- triggers: rows that a BEFORE trigger keeps are not counted; a statement trigger
-- sees the rows of each batch
CREATE TABLE audit (name text, id int, rows bigint);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_LEVEL = 'ROW' THEN
		INSERT INTO audit VALUES (TG_NAME, OLD.id);
		RETURN CASE WHEN OLD.id <= 5 THEN NULL ELSE OLD END;
	END IF;
	INSERT INTO audit SELECT TG_NAME, NULL, count(*) FROM old_rows;
	RETURN NULL;
END $$;
CREATE TRIGGER row_before BEFORE DELETE ON gone FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TRIGGER statement_after AFTER DELETE ON gone REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION audit();
SELECT fill_gone();
SELECT rows_changed, batches FROM bulkpar_delete('gone', NULL, 10);
SELECT * FROM gone_left;
SELECT name, rows, count(*), count(DISTINCT id) FROM audit GROUP BY 1, 2 ORDER BY 1, 2;
DROP TRIGGER row_before ON gone;
DROP TRIGGER statement_after ON gone;
-- rows that others refer to: CASCADE, SET NULL, NO ACTION, the same table
CREATE TABLE refers (
	id int PRIMARY KEY,
	cascades int REFERENCES gone ON DELETE CASCADE,
	nulled int REFERENCES gone ON DELETE SET NULL,
	restricted int REFERENCES gone
);
DELETE FROM gone;
INSERT INTO gone SELECT g, g FROM generate_series(1, 100) g;
INSERT INTO refers SELECT g, nullif(g, 60), 101 - g, CASE WHEN g = 60 THEN 55 END FROM generate_series(1, 100) g;
SELECT rows_changed FROM bulkpar_delete('gone', 'id <= 10', 4);
SELECT count(*), count(nulled) FROM refers;
-- in which chunk that happens depends on what is known of the table's size
\set SHOW_CONTEXT never
SELECT bulkpar_delete('gone', NULL, 10, 1);
\set SHOW_CONTEXT errors
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM gone_left;
SELECT status, sqlstate FROM last_job;
UPDATE refers SET restricted = NULL;
SELECT job_id AS job FROM last_job \gset
SELECT status, rows_changed FROM bulkpar_resume(:job);
SELECT (SELECT count(*) FROM gone), count(*) FROM refers;
DROP TABLE refers;
-- the rows of later batches that a cascade has deleted before are not counted
CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree ON DELETE CASCADE);
INSERT INTO tree SELECT g, nullif(g / 50 * 50, g) FROM generate_series(50, 149) g;
SELECT rows_changed FROM bulkpar_delete('tree', 'id < 110', 10, 1);
SELECT count(*) FROM tree;
-- rules: those on the other command do not matter
CREATE RULE others AS ON UPDATE TO gone DO INSTEAD NOTHING;
SELECT rows_changed FROM bulkpar_delete('gone', NULL);
DROP RULE others ON gone;
CREATE RULE nothing AS ON DELETE TO gone WHERE OLD.id > 5 DO INSTEAD NOTHING;
SELECT bulkpar_delete('gone', NULL);
SELECT bulkpar_execute('DELETE FROM gone');
SELECT rows_changed FROM bulkpar_execute('UPDATE gone SET n = 1');
DROP RULE nothing ON gone;

SET client_min_messages = warning;
DROP VIEW last_job, gone_left;
DROP TABLE gone, source, audit, tree;
DROP FUNCTION fill_gone, audit;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
