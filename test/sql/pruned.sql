--
-- Partitions and children in which no row can match are no parts of a job
--
SET bulkpar.report = off;
-- however many processors there are
SET bulkpar.workers = 2;
SET client_min_messages = warning;
CREATE SCHEMA pruned;
SET search_path = pruned, public;
-- how many parts the last job has, and how many chunks
CREATE VIEW last_parts AS
SELECT (SELECT count(*) FROM bulkpar.bulkpar_part p WHERE p.job_id = j.job_id) AS parts,
	(SELECT count(DISTINCT part_no) FROM bulkpar_chunks c WHERE c.job_id = j.job_id) AS begun,
	(SELECT string_agg(relation::text, ', ' ORDER BY part_no) FROM bulkpar.bulkpar_part p
		WHERE p.job_id = j.job_id HAVING count(*) < 6) AS relations
FROM bulkpar_jobs j ORDER BY job_id DESC LIMIT 1;
\set explain 'SELECT line FROM bulkpar_explain('
\set part_lines ') line WHERE line ~ ''^(Table|Left out|Rows|Batches)'''

--
-- by range, on two levels, with a default partition
--
CREATE TABLE log (id int, day date, kind text, n int NOT NULL DEFAULT 0, PRIMARY KEY (id, day, kind)) PARTITION BY RANGE (day);
SELECT format('CREATE TABLE log_%s PARTITION OF log FOR VALUES FROM (%L) TO (%L)', i, date '2024-01-01' + i, date '2024-01-02' + i)
FROM generate_series(0, 39) i \gexec
CREATE TABLE log_kinds PARTITION OF log FOR VALUES FROM ('2024-03-01') TO ('2024-04-01') PARTITION BY LIST (kind);
CREATE TABLE log_a PARTITION OF log_kinds FOR VALUES IN ('a');
CREATE TABLE log_b PARTITION OF log_kinds FOR VALUES IN ('b');
CREATE TABLE log_rest PARTITION OF log DEFAULT;
INSERT INTO log SELECT g, date '2024-01-01' + g % 40, chr(97 + g % 2) FROM generate_series(1, 400) g;
INSERT INTO log SELECT g, date '2024-03-01' + g % 31, chr(97 + g % 2) FROM generate_series(1, 100) g;
INSERT INTO log SELECT g, date '2025-01-01', 'c' FROM generate_series(1, 10) g;
ANALYZE log;
SELECT rows_changed FROM bulkpar_update('log', 'n', 'n + 1', condition => $$day = '2024-01-08'$$);
SELECT * FROM last_parts;
SELECT rows_changed FROM bulkpar_update('log', 'n', 'n + 1', condition => $$day < '2024-01-11' AND kind = 'a'$$);
SELECT * FROM last_parts;
SELECT rows_changed FROM bulkpar_update('log', 'n', 'n + 1', condition => $$day >= '2024-03-01' AND kind = 'b'$$);
SELECT * FROM last_parts;
SELECT rows_changed FROM bulkpar_update('log', 'n', 'n + 1', condition => $$day IN ('2024-01-05', '2024-03-05', '2030-01-01')$$);
SELECT * FROM last_parts;
SELECT rows_changed FROM bulkpar_delete('log', $$day > '2024-04-01'$$);
SELECT * FROM last_parts;
SELECT rows_changed FROM bulkpar_execute($$UPDATE log AS l SET n = l.n + k.v FROM (VALUES ('a', 10)) k(kind, v)
	WHERE k.kind = l.kind AND l.day = '2024-01-05'$$);
SELECT * FROM last_parts;
-- the bounds follow from those of another table
SELECT rows_changed FROM bulkpar_execute($$DELETE FROM log USING log other
	WHERE other.id = log.id AND other.day = log.day AND other.kind = log.kind AND other.day = '2024-01-06'$$);
SELECT * FROM last_parts;
-- no condition, and conditions that say nothing about the bounds
SELECT rows_changed FROM bulkpar_update('log', 'n', 'n + 1');
SELECT * FROM last_parts;
SELECT rows_changed FROM bulkpar_update('log', 'n', 'n + 1', condition => 'n >= 0');
SELECT * FROM last_parts;
SELECT rows_changed FROM bulkpar_update('log', 'n', 'n + 1', condition => $$day < '2024-01-03' OR id = 7$$);
SELECT * FROM last_parts;
-- what is known only when a statement runs: it may be something else then
SELECT rows_changed FROM bulkpar_update('log', 'n', 'n + 1', condition => $$day < now() - '100 years'::interval$$);
SELECT * FROM last_parts;
SELECT rows_changed FROM bulkpar_update('log', 'n', 'n + 1', condition => $$day < to_date('20240103', 'YYYYMMDD')$$);
SELECT * FROM last_parts;
SELECT rows_changed FROM bulkpar_update('log', 'n', 'n + 1', condition => $$day = (SELECT min(day) FROM log)$$);
SELECT * FROM last_parts;
SELECT rows_changed FROM bulkpar_update('log', 'n', 'n + 1', condition => $$day IN (SELECT '2024-01-09'::date OFFSET 0)$$);
SELECT * FROM last_parts;
-- nothing is left, of the table or of one level
SELECT status, rows_changed, batches FROM bulkpar_update('log', 'n', 'n + 1', condition => 'false');
SELECT * FROM last_parts;
SELECT status, rows_changed, batches FROM bulkpar_update('log', 'n', 'n + 1', condition => $$day < '2024-01-01' AND day > '2024-02-01'$$);
SELECT * FROM last_parts;
SELECT status, rows_changed, batches FROM bulkpar_delete('log', $$day = '2024-03-03' AND kind = 'c'$$);
SELECT * FROM last_parts;
-- as the session has it
SET enable_partition_pruning = off;
SELECT rows_changed FROM bulkpar_update('log', 'n', 'n + 1', condition => $$day = '2024-01-08'$$);
SELECT * FROM last_parts;
RESET enable_partition_pruning;
SELECT sum(n), count(*) FROM log;

-- explain counts what the job then has
ANALYZE log;
:explain 'log', 'n', 'n + 1', condition => $$day < '2024-01-03'$$ :part_lines;
:explain 'log', 'n', 'n + 1', condition => $$day = '2024-03-05' AND kind = 'c'$$ :part_lines;
-- (as large as earlier updates have left them)
SELECT regexp_replace(line, ', \d+ (bytes|kB)', '') AS line FROM bulkpar_explain('log', 'n', 'n + 1' :part_lines;

-- what is left out need not have a key, nor be on this server
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE TABLE mixed (id int, day date, n int) PARTITION BY RANGE (day);
CREATE TABLE mixed_1 PARTITION OF mixed (PRIMARY KEY (id)) FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE mixed_2 PARTITION OF mixed FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE FOREIGN TABLE mixed_3 PARTITION OF mixed FOR VALUES FROM ('2024-03-01') TO ('2024-04-01') SERVER nowhere;
INSERT INTO mixed SELECT g, date '2024-01-01' + g, 0 FROM generate_series(1, 30) g;
SELECT rows_changed FROM bulkpar_update('mixed', 'n', '1', condition => $$day < '2024-01-31'$$);
SELECT * FROM last_parts;
\set VERBOSITY terse
SELECT rows_changed FROM bulkpar_update('mixed', 'n', '1', condition => $$day < '2024-02-02'$$);

--
-- by hash and by list with NULL
--
CREATE TABLE h (id int PRIMARY KEY, n int NOT NULL DEFAULT 0) PARTITION BY HASH (id);
SELECT format('CREATE TABLE h_%s PARTITION OF h FOR VALUES WITH (MODULUS 8, REMAINDER %s)', i, i) FROM generate_series(0, 7) i \gexec
INSERT INTO h SELECT g FROM generate_series(1, 800) g;
SELECT rows_changed FROM bulkpar_update('h', 'n', 'n + 1', condition => 'id = 500');
SELECT parts, begun FROM last_parts;
SELECT rows_changed FROM bulkpar_update('h', 'n', 'n + 1', condition => 'id <= 500');
SELECT parts, begun FROM last_parts;
SELECT n, count(*) FROM h GROUP BY n ORDER BY n;
CREATE TABLE l (id int NOT NULL, k int, n int NOT NULL DEFAULT 0) PARTITION BY LIST (k);
CREATE TABLE l_null PARTITION OF l (PRIMARY KEY (id)) FOR VALUES IN (NULL, 1);
CREATE TABLE l_2 PARTITION OF l (PRIMARY KEY (id)) FOR VALUES IN (2, 3);
CREATE TABLE l_rest PARTITION OF l (PRIMARY KEY (id)) DEFAULT;
INSERT INTO l SELECT g, nullif(g % 5, 0) FROM generate_series(1, 100) g;
SELECT rows_changed FROM bulkpar_update('l', 'n', 'n + 1', condition => 'k IS NULL');
SELECT * FROM last_parts;
SELECT rows_changed FROM bulkpar_update('l', 'n', 'n + 1', condition => 'k <> 2');
SELECT * FROM last_parts;
SELECT rows_changed FROM bulkpar_update('l', 'n', 'n + 1', condition => 'k IS DISTINCT FROM 2');
SELECT * FROM last_parts;
SELECT k, n, count(*) FROM l GROUP BY k, n ORDER BY k;

--
-- children, which only a CHECK excludes: one that holds for all rows of just them
--
CREATE TABLE tree (id int PRIMARY KEY, d int, n int NOT NULL DEFAULT 0);
CREATE TABLE tree_1 (CHECK (d < 10), PRIMARY KEY (id)) INHERITS (tree);
CREATE TABLE tree_2 (CHECK (d >= 10), PRIMARY KEY (id)) INHERITS (tree);
CREATE TABLE tree_3 (PRIMARY KEY (id)) INHERITS (tree);
ALTER TABLE tree_3 ADD CHECK (d >= 20) NOT VALID;
INSERT INTO tree SELECT g, g % 20 FROM generate_series(1, 40) g;
INSERT INTO tree_1 SELECT g, g % 10 FROM generate_series(1, 40) g;
INSERT INTO tree_2 SELECT g, 10 + g % 10 FROM generate_series(1, 40) g;
SELECT rows_changed FROM bulkpar_update('tree', 'n', 'n + 1', condition => 'd = 3');
SELECT * FROM last_parts;
SELECT rows_changed FROM bulkpar_update('tree', 'n', 'n + 1', condition => 'd > 15');
SELECT * FROM last_parts;
SELECT rows_changed FROM bulkpar_execute('UPDATE ONLY tree SET n = n + 1 WHERE d = 3');
SELECT * FROM last_parts;
SET constraint_exclusion = off;
SELECT rows_changed FROM bulkpar_update('tree', 'n', 'n + 1', condition => 'd = 3');
SELECT * FROM last_parts;
RESET constraint_exclusion;
SELECT tableoid::regclass, n, count(*) FROM tree GROUP BY 1, 2 ORDER BY 1, 2;
:explain 'tree', 'n', 'n + 1', condition => 'd = 3' :part_lines;
DROP SCHEMA pruned CASCADE;
DROP FOREIGN DATA WRAPPER nothing CASCADE;
