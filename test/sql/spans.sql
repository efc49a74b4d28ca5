--
-- Deleting rows span by span
--
SET bulkpar.report = off;
SET bulkpar.workers = 2;
CREATE FUNCTION spans(OUT spans bigint, OUT in_order boolean, OUT counted boolean, OUT done numeric) LANGUAGE sql AS
	$$SELECT count(*) FILTER (WHERE hi[1] LIKE '(%,0)'),
			bool_and(lo IS NOT DISTINCT FROM previous), bool_and(rows_found = rows_done), sum(rows_done)
		FROM (SELECT *, lag(hi) OVER (ORDER BY chunk_no) AS previous FROM bulkpar_chunks
			WHERE job_id = (SELECT max(job_id) FROM bulkpar_jobs)) c$$;

-- a third of a table in the order of its time
CREATE TABLE history (id uuid PRIMARY KEY, at int, tenth int) WITH (fillfactor = 10, autovacuum_enabled = off);
INSERT INTO history SELECT md5(g::text)::uuid, g, g % 10 FROM generate_series(1, 30000) g;
CREATE INDEX ON history (at);
VACUUM ANALYZE history;
SELECT regexp_replace(bulkpar_explain, '\(cost.*\)|\d{3,}', '...') AS explain FROM bulkpar_explain('history', 'at <= 10000', 100, 2)
	WHERE bulkpar_explain !~ '^(Row|Table)';
SELECT regexp_replace(bulkpar_explain, '[0-9.]+ m?s', '...', 'g') AS sample FROM bulkpar_explain('history', 'at <= 10000', 100, 2, sample => true)
	WHERE bulkpar_explain ~ '^(Sample|Estimate):';
SELECT status, rows_changed FROM bulkpar_delete('history', 'at <= 10000', 100);
SELECT spans > 10 AS many, in_order, counted, done FROM spans();
SELECT count(*), count(*) FILTER (WHERE at <= 10000) AS left_over FROM history;

-- nothing is read but the blocks that an index has such rows of, whatever the key is
CREATE TABLE events (id bigint PRIMARY KEY, at int, tenth int) WITH (fillfactor = 10, autovacuum_enabled = off);
INSERT INTO events SELECT g, g, g % 10 FROM generate_series(1, 30000) g;
CREATE INDEX events_at ON events (at);
VACUUM ANALYZE events;
SELECT regexp_replace(bulkpar_explain, '\d{4,}', '...', 'g') AS explain FROM bulkpar_explain('events', 'at > 12000 AND at <= 17000', 50, 2)
	WHERE bulkpar_explain ~ '^(Rows|Batches|Stripes):';
SELECT regexp_replace(bulkpar_explain, '[0-9.]+ m?s', '...', 'g') AS sample FROM bulkpar_explain('events', 'at > 12000 AND at <= 17000', 50, 2, sample => true)
	WHERE bulkpar_explain ~ '^(Sample|Estimate):';
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET min_parallel_index_scan_size = 0;
SELECT pg_stat_force_next_flush();
SELECT seq_tup_read AS before FROM pg_stat_user_tables WHERE relname = 'events' \gset
SELECT status, rows_changed FROM bulkpar_delete('events', 'at > 12000 AND at <= 17000', 50);
SELECT seq_tup_read - :before < 5500 AS few FROM pg_stat_user_tables WHERE relname = 'events';
SELECT spans > 10 AS many, in_order, counted, done FROM spans();
SELECT count(*), count(*) FILTER (WHERE at > 12000 AND at <= 17000) AS left_over FROM events;
RESET ALL;
SET bulkpar.report = off;
SET bulkpar.workers = 2;
-- several indexes, of which one has whole blocks
DROP INDEX events_at;
CREATE INDEX ON events USING brin (at) WITH (pages_per_range = 8);
CREATE INDEX ON events (tenth);
SELECT pg_stat_force_next_flush();
SELECT seq_tup_read AS before FROM pg_stat_user_tables WHERE relname = 'events' \gset
SELECT status, rows_changed FROM bulkpar_delete('events', '(at < 3000 OR at > 25000) AND tenth < 8', 50);
SELECT seq_tup_read - :before < 11000 AS few FROM pg_stat_user_tables WHERE relname = 'events';
SELECT spans > 10 AS many, in_order, counted, done FROM spans();
SELECT count(*), count(*) FILTER (WHERE (at < 3000 OR at > 25000) AND tenth < 8) AS left_over FROM events;
-- also at the end, of a table that is not in memory
SET effective_cache_size = '1MB';
SELECT status, rows_changed FROM bulkpar_delete('events', 'at < 7000', 50);
SELECT spans > 10 AS many, in_order, counted, done FROM spans();
-- but with keys in order not if it has some in most blocks, or there is no index
SET enable_seqscan = off;
SELECT substring(bulkpar_explain, 'rows to be.*') AS explain FROM bulkpar_explain('events', 'tenth IN (1, 4)', 50, 2)
	WHERE bulkpar_explain LIKE 'Rows:%';
SELECT count(*) FROM bulkpar_explain('events', 'tenth IN (1, 4)', 50, 2, sample => true) WHERE bulkpar_explain LIKE 'Sample: 3 batches %';
SELECT status, rows_changed FROM bulkpar_delete('events', 'tenth IN (1, 4)', 50);
SELECT spans FROM spans();
RESET enable_seqscan;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SELECT status, rows_changed FROM bulkpar_delete('events', 'tenth IN (2, 5)', 50);
SELECT spans FROM spans();
RESET ALL;
SET bulkpar.report = off;
SET bulkpar.workers = 2;
SELECT count(*), count(*) FILTER (WHERE at < 7000 OR tenth IN (1, 2, 4, 5)) AS left_over FROM events;
-- also if there is none at all, and statistics do not know
CREATE INDEX events_at ON events (at);
UPDATE events SET at = 20001 WHERE at BETWEEN 17000 AND 24000;
ANALYZE events;
UPDATE events SET at = -1 WHERE at = 20001;
VACUUM (INDEX_CLEANUP) events;
SELECT status, rows_changed FROM bulkpar_delete('events', 'at = 20001', 50);
SELECT spans, in_order, counted, done FROM spans();
DROP TABLE events;

-- also where it is a setting that there should be none
SET enable_tidscan = off;
SELECT count(*) AS scans FROM bulkpar_explain('history', 'at > 10000', 100, 2) WHERE bulkpar_explain ~ 'Tid (Range )?Scan on history';
RESET enable_tidscan;
-- whatever the key is, and the condition
CREATE TABLE kinds (a text COLLATE "C" NOT NULL, b numeric NOT NULL, c int, pad text) WITH (fillfactor = 10);
CREATE UNIQUE INDEX ON kinds (a, b DESC);
INSERT INTO kinds SELECT g % 7, g * 371 % 5003, g % 3, repeat('x', 250) FROM generate_series(1, 5000) g;
ANALYZE kinds;
CREATE TABLE remaining AS SELECT a, b, c FROM kinds WHERE NOT (c < 2 AND b % 5 <> 3);
SELECT status, rows_changed FROM bulkpar_execute('DELETE FROM kinds AS k WHERE k.c < 2 AND k.b % 5 <> 3', 20, 2);
SELECT spans > 10 AS many, in_order, counted, done FROM spans();
SELECT count(*) FROM (TABLE remaining EXCEPT SELECT a, b, c FROM kinds) r;
SELECT count(*) FROM (SELECT a, b, c FROM kinds EXCEPT TABLE remaining) r;
SELECT status, rows_changed FROM bulkpar_delete('kinds', NULL, 10, 3);
SELECT spans > 10 AS many, in_order, counted, done FROM spans();
SELECT count(*) FROM kinds;

-- a row may be found more than once, and by another query than a scan
INSERT INTO kinds SELECT g % 7, g, g % 3, repeat('x', 700) FROM generate_series(1, 3000) g;
ANALYZE kinds;
SELECT status, rows_changed FROM bulkpar_execute('DELETE FROM kinds USING generate_series(0, 1) s WHERE c >= s', 20, 2);
SELECT spans > 4 AS many, in_order, counted FROM spans();
SELECT c, count(*) FROM kinds GROUP BY c;

-- when the look-up has found too many
INSERT INTO kinds SELECT g % 7, g, g % 3, repeat('x', 700) FROM generate_series(10001, 15000) g;
ANALYZE kinds;
SELECT substring(bulkpar_explain, 'expects \d of|and they are listed first') AS expected FROM bulkpar_explain('kinds', '(c || '''') < ''3'' AND c * 2 = c + c AND b + 1 > b', 20, 2)
	WHERE bulkpar_explain LIKE 'Rows:%';
SELECT status, rows_changed FROM bulkpar_delete('kinds', '(c || '''') < ''3'' AND c * 2 = c + c AND b + 1 > b', 20);
SELECT spans > 4 AS many, in_order, counted, done FROM spans();

-- not where a trigger may keep a row, a policy hides some, other rows are read, an
-- error is to be skipped, or the rows are others each time
INSERT INTO kinds SELECT g % 7, g, g % 3, repeat('x', 700) FROM generate_series(1, 3000) g;
ANALYZE kinds;
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN CASE WHEN OLD.b = 7 THEN NULL ELSE OLD END; END';
CREATE TRIGGER keep BEFORE DELETE ON kinds FOR EACH ROW EXECUTE FUNCTION keep();
SELECT status, rows_changed FROM bulkpar_delete('kinds', 'c = 0', 20);
SELECT spans FROM spans();
DROP TRIGGER keep ON kinds;
ALTER TABLE kinds ENABLE ROW LEVEL SECURITY;
SELECT status, rows_changed FROM bulkpar_delete('kinds', 'c = 1 AND b < 1000', 20);
SELECT spans FROM spans();
ALTER TABLE kinds DISABLE ROW LEVEL SECURITY;
SELECT status, rows_changed FROM bulkpar_delete('kinds', 'c = 1 AND EXISTS (SELECT FROM remaining r WHERE r.b < kinds.b)', 20);
SELECT spans FROM spans();
SELECT status, rows_changed FROM bulkpar_execute('DELETE FROM kinds WHERE c = 2 AND EXISTS (SELECT FROM kinds o WHERE o.b = kinds.b AND o.b < 500)', 20,
	sees_batches => true);
SELECT spans FROM spans();
SELECT status, rows_changed > 10 AS some FROM bulkpar_delete('kinds', 'c = 2 AND random() < 0.5', 20);
SELECT spans FROM spans();
SELECT status, rows_changed > 10 AS some FROM bulkpar_delete('kinds', 'c = 2', 10, on_error => 'skip');
SELECT spans FROM spans();
CREATE FUNCTION dear(numeric) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
INSERT INTO kinds SELECT g % 7, g, g % 3, repeat('x', 700) FROM generate_series(20001, 23000) g;
ANALYZE kinds;
SELECT status, rows_changed FROM bulkpar_delete('kinds', 'c = 0 AND dear(b)', 10);
SELECT spans FROM spans();
SELECT status, rows_changed FROM bulkpar_delete('kinds', 'c = 1', 10);
SELECT spans > 4 AS many, in_order, counted FROM spans();

-- blocks are read also where the planner thinks that an index would be better; that is
-- read when rows are listed, and when spans are cut
UPDATE history SET at = -at - 1;
ANALYZE history;
UPDATE history SET at = 5;
SELECT substring(bulkpar_explain, 'expects 1 of') AS expected FROM bulkpar_explain('history', 'at = 5', 100, 2) WHERE bulkpar_explain LIKE 'Rows:%';
SELECT pg_stat_force_next_flush();
SELECT idx_scan AS before FROM pg_stat_user_indexes WHERE indexrelname = 'history_at_idx' \gset
SELECT status, rows_changed FROM bulkpar_delete('history', 'at = 5', 100, 2);
SELECT idx_scan - :before AS scans FROM pg_stat_user_indexes WHERE indexrelname = 'history_at_idx';
SELECT spans > 4 AS many, in_order, counted FROM spans();

-- what rows are looked up in is remembered by each worker, for the list of a span and for its
-- batches: it is read once for each, and not for every span
CREATE TABLE others (id int PRIMARY KEY, kind int, num numeric) WITH (autovacuum_enabled = off);
INSERT INTO others SELECT g, g % 3, g FROM generate_series(1, 20000) g;
CREATE TABLE few (kind int PRIMARY KEY);
INSERT INTO few VALUES (1), (5);
CREATE TABLE orphans (id uuid PRIMARY KEY, other int, tenth int) WITH (fillfactor = 10, autovacuum_enabled = off);
CREATE VIEW read AS SELECT seq_scan, idx_scan FROM pg_stat_user_tables WHERE relname = 'others';
CREATE PROCEDURE fill() LANGUAGE sql BEGIN ATOMIC
	DELETE FROM orphans;
	INSERT INTO orphans SELECT md5(g::text)::uuid, g * 7 % 40000, g % 10 FROM generate_series(1, 30000) g;
END;
CALL fill();
VACUUM ANALYZE others, few, orphans;
SELECT regexp_replace(bulkpar_explain, '\(cost.*\)|\d{3,}', '...') AS explain
	FROM bulkpar_explain('DELETE FROM orphans WHERE NOT EXISTS (SELECT FROM others o WHERE o.id = orphans.other)', 100, 2) WHERE bulkpar_explain !~ '^(Row|Table)';
SELECT pg_stat_force_next_flush();
SELECT seq_scan AS before, idx_scan AS looked_up FROM read \gset
SELECT status, rows_changed FROM bulkpar_execute('DELETE FROM orphans WHERE NOT EXISTS (SELECT FROM others o WHERE o.id = orphans.other)', 100);
SELECT seq_scan - :before <= 4 AS few_scans, idx_scan - :looked_up < 20000 AS few_lookups FROM read;
SELECT spans > 10 AS many, in_order, counted, done FROM spans();
SELECT count(*), count(*) FILTER (WHERE EXISTS (SELECT FROM others o WHERE o.id = orphans.other)) AS joined FROM orphans;
CALL fill();
VACUUM ANALYZE orphans;
SELECT pg_stat_force_next_flush();
SELECT seq_scan AS before, idx_scan AS looked_up FROM read \gset
SELECT status, rows_changed FROM bulkpar_execute('DELETE FROM orphans WHERE other NOT IN (SELECT id FROM others WHERE num > 100)', 100);
SELECT seq_scan - :before <= 4 AS few_scans, idx_scan - :looked_up < 20000 AS few_lookups FROM read;
SELECT spans > 10 AS many, in_order, counted, done FROM spans();
SELECT count(*), count(*) FILTER (WHERE other NOT IN (SELECT id FROM others WHERE num > 100)) AS left_over FROM orphans;
CALL fill();
VACUUM ANALYZE orphans;
SELECT pg_stat_force_next_flush();
SELECT seq_scan AS before, idx_scan AS looked_up FROM read \gset
SELECT status, rows_changed FROM bulkpar_execute('DELETE FROM orphans USING others o, few WHERE o.id = other AND few.kind = o.kind AND tenth > 2', 100);
SELECT seq_scan - :before <= 4 AS few_scans, idx_scan - :looked_up < 20000 AS few_lookups FROM read;
SELECT spans > 10 AS many, in_order, counted, done FROM spans();
SELECT count(*), count(*) FILTER (WHERE tenth > 2 AND other IN (SELECT id FROM others WHERE kind = 1)) AS left_over FROM orphans;
-- also by the key, instead of a list of keys in an index
CALL fill();
CREATE TABLE known (id uuid PRIMARY KEY) WITH (autovacuum_enabled = off);
INSERT INTO known SELECT id FROM orphans WHERE tenth < 5;
VACUUM ANALYZE orphans, known;
SELECT pg_stat_force_next_flush();
SELECT status, rows_changed FROM bulkpar_execute('DELETE FROM orphans WHERE NOT EXISTS (SELECT FROM known WHERE known.id = orphans.id)', 100);
SELECT seq_scan <= 4 AS few_scans, idx_scan < 10000 AS few_lookups FROM pg_stat_user_tables WHERE relname = 'known';
SELECT spans > 10 AS many, in_order, counted, done FROM spans();
SELECT count(*), count(*) FILTER (WHERE tenth >= 5) AS left_over FROM orphans;
-- also what is evaluated once
CALL fill();
INSERT INTO orphans SELECT md5(g::text)::uuid, g * 7 % 40000, g % 10 FROM generate_series(30001, 45000) g WHERE g % 10 < 8;
VACUUM ANALYZE orphans;
SELECT count(*) AS right FROM (SELECT DISTINCT ON (other) id FROM orphans ORDER BY other, id DESC) o \gset
SELECT status, rows_changed FROM bulkpar_execute('DELETE FROM orphans USING (SELECT DISTINCT ON (other) other, id FROM orphans ORDER BY other, id DESC) newest'
	' WHERE newest.other = orphans.other AND newest.id <> orphans.id', 100);
SELECT spans > 10 AS many, in_order, counted, done FROM spans();
SELECT count(*) - :right AS others, count(*) - count(DISTINCT other) AS twice FROM orphans;
-- but with keys in order not if most rows match, as the result tells
CREATE TABLE visits (id int PRIMARY KEY, client int) WITH (fillfactor = 10, autovacuum_enabled = off);
INSERT INTO visits SELECT g, g % 3000 FROM generate_series(1, 30000) g;
VACUUM ANALYZE visits;
SELECT status, rows_changed FROM bulkpar_execute('DELETE FROM visits WHERE id NOT IN (SELECT max(id) FROM visits GROUP BY client)', 100);
SELECT spans FROM spans();
SELECT count(*), count(DISTINCT client) AS clients, min(id) FROM visits;
-- not what has just changed, has no index for that, or does not fit
UPDATE others SET num = num + 1 WHERE id = 500;
SELECT status, rows_changed FROM bulkpar_execute('DELETE FROM orphans WHERE NOT EXISTS (SELECT FROM others o WHERE o.id = orphans.other AND o.num > 0) AND tenth < 2', 50);
SELECT spans FROM spans();
VACUUM others;
SELECT status, rows_changed FROM bulkpar_execute('DELETE FROM orphans WHERE NOT EXISTS (SELECT FROM others o WHERE o.num > orphans.other) AND tenth < 4', 50);
SELECT spans FROM spans();
SET work_mem = '64kB';
SELECT status, rows_changed FROM bulkpar_execute('DELETE FROM orphans WHERE NOT EXISTS (SELECT FROM others o WHERE o.id = orphans.other) AND tenth < 8', 50);
SELECT spans FROM spans();
RESET work_mem;
SELECT count(*) AS left_over FROM orphans WHERE NOT EXISTS (SELECT FROM others o WHERE o.id = orphans.other) AND tenth < 8;
DROP PROCEDURE fill;
DROP VIEW read;
DROP TABLE history, kinds, remaining, orphans, others, few, known, visits;
DROP FUNCTION spans, keep, dear;
