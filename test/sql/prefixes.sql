-- Keys of several columns, of which the first have few values: a batch reads of
-- the index what it needs and not all that begins alike.  The blocks of the
-- index that are read are compared with those of a key of one column.
SET bulkpar.report = off;

CREATE FUNCTION blocks(index regclass) RETURNS bigint LANGUAGE sql AS
$$ SELECT idx_blks_hit + idx_blks_read FROM pg_statio_user_indexes WHERE indexrelid = index $$;

CREATE TABLE one (id int, n int DEFAULT 0, PRIMARY KEY (id))
	WITH (fillfactor = 40, autovacuum_enabled = off);
CREATE TABLE same (tenant int, id int, n int DEFAULT 0, PRIMARY KEY (tenant, id))
	WITH (fillfactor = 40, autovacuum_enabled = off);
CREATE TABLE three (a int, b text, c int, n int DEFAULT 0, PRIMARY KEY (a, b, c))
	WITH (fillfactor = 40, autovacuum_enabled = off);
CREATE TABLE mixed (a int, b int, c int, d int, n int DEFAULT 0)
	WITH (fillfactor = 40, autovacuum_enabled = off);
ALTER TABLE mixed ALTER a SET NOT NULL, ALTER b SET NOT NULL, ALTER c SET NOT NULL, ALTER d SET NOT NULL;
CREATE UNIQUE INDEX mixed_key ON mixed (a DESC, b, c DESC, d);
CREATE TABLE word (kind text COLLATE "und-x-icu", id int, n int DEFAULT 0, PRIMARY KEY (kind, id))
	WITH (fillfactor = 40, autovacuum_enabled = off);

INSERT INTO one SELECT g FROM generate_series(1, 20000) g;
INSERT INTO same SELECT 1, g FROM generate_series(1, 20000) g;
INSERT INTO three SELECT 1 + g / 10000, 'b', g FROM generate_series(1, 20000) g;
INSERT INTO mixed SELECT 1, g / 7000, 5, g FROM generate_series(1, 20000) g;
INSERT INTO word SELECT CASE WHEN g < 9000 THEN 'äpfel' ELSE 'zebra' END, g FROM generate_series(1, 20000) g;
VACUUM ANALYZE one, same, three, mixed, word;

-- What this session itself has read is counted before.
SELECT pg_stat_force_next_flush() \g /dev/null
-- In batches of 100, so that what begins alike is many batches.
SELECT blocks('one_pkey') AS one, blocks('same_pkey') AS same, blocks('three_pkey') AS three,
	blocks('mixed_key') AS mixed, blocks('word_pkey') AS word \gset before_
SELECT rows_changed FROM bulkpar_update('one', 'n', 'n + 1', 100, 1, stripes => 1);
SELECT rows_changed FROM bulkpar_update('same', 'n', 'n + 1', 100, 1, stripes => 1);
SELECT rows_changed FROM bulkpar_update('three', 'n', 'n + 1', 100, 1, stripes => 1);
SELECT rows_changed FROM bulkpar_update('mixed', 'n', 'n + 1', 100, 1, stripes => 1);
SELECT rows_changed FROM bulkpar_update('word', 'n', 'n + 1', 100, 1, stripes => 1);
SELECT blocks('one_pkey') - :before_one AS one, blocks('same_pkey') - :before_same AS same,
	blocks('three_pkey') - :before_three AS three, blocks('mixed_key') - :before_mixed AS mixed,
	blocks('word_pkey') - :before_word AS word \gset
SELECT :one > 0 AS read, :same <= 1.3 * :one AS same, :three <= 1.3 * :one AS three,
	:mixed <= 1.3 * :one AS mixed, :word <= 1.3 * :one AS word;
SELECT (SELECT count(*) FROM same WHERE n = 1) AS same, (SELECT count(*) FROM three WHERE n = 1) AS three,
	(SELECT count(*) FROM mixed WHERE n = 1) AS mixed, (SELECT count(*) FROM word WHERE n = 1) AS word;

-- The same in stripes, and where the rows are listed.
SELECT rows_changed FROM bulkpar_update('three', 'n', 'n + 1', 100, 2, stripes => 4);
SELECT rows_changed FROM bulkpar_update('mixed', 'n', 'n + 1', 100, 2, stripes => 4);
SELECT rows_changed FROM bulkpar_update('mixed', 'n', 'n + 1', 10, 2, condition => 'd % 100 = 7');
SELECT min(n), max(n), sum(n) FROM three;
SELECT min(n), max(n), sum(n) FROM mixed;

DROP TABLE one, same, three, mixed, word;
DROP FUNCTION blocks;
