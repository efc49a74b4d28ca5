--
-- However much a table has, a batch reads only its own rows, through the key
--
SET bulkpar.report = off;

-- Run a job over a table of 20,000 rows, and tell, for each row of the table, how
-- many rows were read in sequence and how many entries of the key index, and how
-- many entries of other indexes in all: none but to list the rows once, where few
-- rows of what seems to be a large table match.  Each entry is read once to find the
-- batches and once to update its row; what claims look ahead, and entries of dead
-- rows, come on top.  Where a part of the rows matches, batches get larger.
-- Batches that begin to read at the start of the table, or of
-- a large tenant, would read it many times over.
CREATE VIEW reads AS
	SELECT t.relid, t.seq_tup_read AS seq_rows,
		sum(i.idx_tup_read) FILTER (WHERE i.indexrelname LIKE '%_key') AS key_entries,
		coalesce(sum(i.idx_tup_read) FILTER (WHERE i.indexrelname NOT LIKE '%_key'), 0) AS other_entries
	FROM pg_stat_user_tables t JOIN pg_stat_user_indexes i USING (relid) GROUP BY 1, 2;
CREATE FUNCTION run(target regclass, condition text DEFAULT NULL,
	OUT rows bigint, OUT batches text, OUT seq_per_row numeric, OUT key_under_10 boolean,
	OUT few_others boolean)
LANGUAGE plpgsql AS $$
DECLARE
	before reads;
BEGIN
	SELECT * INTO before FROM reads WHERE relid = target;
	SELECT r.rows_changed, CASE WHEN condition IS NULL THEN r.batches::text
			WHEN r.batches < 63 THEN 'less' ELSE 'all' END
		INTO rows, run.batches
		FROM bulkpar_update(target, 'n', 'n + 1', 320, workers => 1, condition => condition) r;
	PERFORM pg_stat_clear_snapshot();
	SELECT round((r.seq_rows - before.seq_rows) / 20000.0, 1),
		(r.key_entries - before.key_entries) / 20000.0 < 10,
		r.other_entries - before.other_entries <= 2 * rows
		INTO seq_per_row, key_under_10, few_others
		FROM reads r WHERE relid = target;
END $$;

-- tables that were never analyzed
CREATE TABLE p_int (id int CONSTRAINT p_int_key PRIMARY KEY, n int DEFAULT 0, kind int)
	WITH (autovacuum_enabled = off);
INSERT INTO p_int SELECT g, 0, g % 10 FROM generate_series(1, 20000) g;
SELECT * FROM run('p_int');
-- with an index that fits the condition, and one that fits it better than the key
CREATE INDEX ON p_int (kind);
SELECT * FROM run('p_int', 'kind = 3');
SELECT * FROM run('p_int', 'kind = -1');
CREATE INDEX ON p_int (kind, id);
SELECT * FROM run('p_int', 'kind = 3');
SELECT * FROM run('p_int', 'id BETWEEN 5000 AND 7000 AND kind = 3');
-- after ANALYZE, and after VACUUM
ANALYZE p_int;
SELECT * FROM run('p_int', 'kind = 3');
VACUUM ANALYZE p_int;
SELECT * FROM run('p_int');
-- when the planner would rather not use an index; it may do so once, to find the
-- largest key
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SET enable_indexonlyscan = off;
SET random_page_cost = 1000;
SELECT rows, batches, seq_per_row <= 1 AS once, key_under_10, few_others FROM run('p_int');
RESET enable_indexscan;
RESET enable_bitmapscan;
RESET enable_indexonlyscan;
RESET random_page_cost;
-- statistics that are wrong: of an empty table
CREATE TABLE p_empty (id int CONSTRAINT p_empty_key PRIMARY KEY, n int DEFAULT 0)
	WITH (autovacuum_enabled = off);
VACUUM ANALYZE p_empty;
INSERT INTO p_empty SELECT generate_series(1, 20000);
SELECT * FROM run('p_empty');

-- text, all columns descending, several columns of which the first is the same
-- in most rows
CREATE TABLE p_text (id text CONSTRAINT p_text_key PRIMARY KEY, n int DEFAULT 0)
	WITH (autovacuum_enabled = off);
INSERT INTO p_text SELECT 'x' || g FROM generate_series(1, 20000) g;
SELECT * FROM run('p_text');
CREATE TABLE p_desc (tenant int NOT NULL, id int NOT NULL, n int DEFAULT 0)
	WITH (autovacuum_enabled = off);
CREATE UNIQUE INDEX p_desc_key ON p_desc (tenant DESC, id DESC);
INSERT INTO p_desc SELECT g / 18000, g FROM generate_series(1, 20000) g;
SELECT * FROM run('p_desc');
CREATE TABLE p_tenant (tenant int, id text, n int DEFAULT 0, CONSTRAINT p_tenant_key PRIMARY KEY (tenant, id))
	WITH (autovacuum_enabled = off);
INSERT INTO p_tenant SELECT g / 18000, g FROM generate_series(1, 20000) g;
SELECT * FROM run('p_tenant');
-- mixed directions, and operators of different names
CREATE TABLE p_mixed (tenant int NOT NULL, id int NOT NULL, n int DEFAULT 0)
	WITH (autovacuum_enabled = off);
CREATE UNIQUE INDEX p_mixed_key ON p_mixed (tenant, id DESC);
INSERT INTO p_mixed SELECT g / 18000, g FROM generate_series(1, 20000) g;
SELECT * FROM run('p_mixed');
CREATE TABLE p_pattern (tenant int NOT NULL, id text NOT NULL, n int DEFAULT 0)
	WITH (autovacuum_enabled = off);
CREATE UNIQUE INDEX p_pattern_key ON p_pattern (tenant, id text_pattern_ops);
INSERT INTO p_pattern SELECT g / 18000, g FROM generate_series(1, 20000) g;
SELECT * FROM run('p_pattern');

-- where few rows match they are listed by one scan of the table, and then read
-- through the key to be updated, whatever the planner would rather do
CREATE FUNCTION few(target regclass, condition text, from_item text DEFAULT NULL,
	OUT rows bigint, OUT listed bigint, OUT seq_per_row numeric, OUT key_per_match boolean)
LANGUAGE plpgsql AS $$
DECLARE
	before reads;
	job bigint;
BEGIN
	SELECT * INTO before FROM reads WHERE relid = target;
	SELECT r.rows_changed, r.job_id INTO rows, job
		FROM bulkpar_update(target, 'n', target || '.n + 1', 100, workers => 2, condition => condition,
			from_item => from_item) r;
	SELECT sum(rows_found) INTO listed FROM bulkpar.bulkpar_chunk WHERE job_id = job AND keys IS NOT NULL;
	PERFORM pg_stat_clear_snapshot();
	SELECT round((r.seq_rows - before.seq_rows) / 20000.0, 1), r.key_entries - before.key_entries <= 2 * listed + 10
		INTO seq_per_row, key_per_match
		FROM reads r WHERE relid = target;
END $$;
CREATE STATISTICS p_text_end ON (right(id, 2)) FROM p_text;
ANALYZE p_text, p_desc, p_tenant, p_mixed, p_pattern;
SELECT * FROM few('p_text', 'right(id, 2) = ''00''');
SET enable_nestloop = off;
SELECT * FROM few('p_desc', 'id % 50 = 0');
SELECT * FROM few('p_tenant', 'id LIKE ''%00''');
RESET enable_nestloop;
SELECT * FROM few('p_mixed', 'id % 50 = 0 AND tenant > -1');
SELECT rows, listed FROM few('p_pattern', 'p_pattern.id = s.id AND s.id LIKE ''%00''', 'p_tenant AS s');
SELECT rows, listed FROM few('p_pattern', 'p_pattern.id = ANY (ids)', '(SELECT ARRAY[''7'', ''77'', ''777'', ''19000''] AS ids) AS s');

DROP FUNCTION few;
DROP FUNCTION run;
DROP VIEW reads;
DROP TABLE p_int, p_empty, p_text, p_desc, p_tenant, p_mixed, p_pattern;
