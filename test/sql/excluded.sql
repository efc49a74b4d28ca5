-- What the planner has proven to be empty stays so: tables that a constraint
-- excludes from the condition, and conditions that cannot be true.
SET bulkpar.report = off;
CREATE SCHEMA excluded;
SET search_path = excluded, public;

-- children, as old-style partitions have them
CREATE TABLE ev (id bigserial PRIMARY KEY, d date, n int NOT NULL DEFAULT 0);
CREATE TABLE ev1 (CHECK (d < '2024-01-01'), PRIMARY KEY (id)) INHERITS (ev);
CREATE TABLE ev2 (CHECK (d >= '2024-01-01'), PRIMARY KEY (id)) INHERITS (ev);
INSERT INTO ev1 (id, d) SELECT g, '2023-01-01' FROM generate_series(1, 1000) g;
INSERT INTO ev2 (id, d) SELECT g, '2024-02-01' FROM generate_series(1, 1000) g;
SELECT status, rows_changed FROM bulkpar_update('ev', 'n', 'n + 1', 100, 2,
	condition => $$d < '2024-01-01' AND id < 500$$);
SELECT status, rows_changed FROM bulkpar_delete('ev', $$d < '2024-01-01' AND id > 900$$, 100, 2);
SELECT count(*) > 5 AS explained FROM bulkpar_explain('ev', condition => $$d < '2024-01-01' AND id < 900$$, sample => true);
SELECT tableoid::regclass, n, count(*) FROM ev GROUP BY 1, 2 ORDER BY 1, 2;

-- partitions whose constraint is on another column
CREATE TABLE h (id int PRIMARY KEY, k int, n int NOT NULL DEFAULT 0) PARTITION BY HASH (id);
CREATE TABLE h0 PARTITION OF h (CHECK (k < 10)) FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE h1 PARTITION OF h (CHECK (k >= 10)) FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO h SELECT id, CASE WHEN satisfies_hash_partition('h'::regclass, 2, 0, id) THEN 5 ELSE 15 END
FROM generate_series(1, 1000) id;
SELECT status, rows_changed = (SELECT count(*) FROM h0) AS "all" FROM bulkpar_update('h', 'n', 'n + 1', 100, 2, condition => 'k = 5');
SELECT k, n, count(*) = (SELECT count(*) FROM h i WHERE i.k = h.k) AS "all" FROM h GROUP BY 1, 2;

-- a plain table, with and without the keys being listed, and with stripes
CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, CHECK (n >= 0)) ;
INSERT INTO t SELECT g FROM generate_series(1, 1000) g;
ANALYZE t;
SET constraint_exclusion = on;
SELECT status, rows_changed FROM bulkpar_update('t', 'n', 'n + 1', 10, 2, condition => 'false');
SELECT status, rows_changed FROM bulkpar_update('t', 'n', 'n + 1', 100, 2, condition => 'false', stripes => 4);
SELECT status, rows_changed FROM bulkpar_update('t', 'n', 'n + 1', 100, 2, condition => 'id = 1 AND id = 2');
SELECT status, rows_changed FROM bulkpar_update('t', 'n', 'n + 1', 100, 2, condition => 'n < -5', skip_unchanged => true);
SELECT status, rows_changed FROM bulkpar_update('t', 'n', 'n + 1', 100, 2, condition => 'NULL', on_error => 'skip');
SELECT status, rows_changed FROM bulkpar_delete('t', 'n < -5 OR false', 100, 2);
SELECT status, rows_changed FROM bulkpar_execute('UPDATE t SET n = n + 1 FROM (SELECT 1 WHERE false) f', 100, 2);
SELECT status, rows_changed FROM bulkpar_execute('DELETE FROM t WHERE id IN (SELECT 1 WHERE false)', 100, 2);
SELECT n, count(*) FROM t GROUP BY 1;
DROP SCHEMA excluded CASCADE;
