--
-- INSERT ... SELECT, driven by a table of the SELECT
--
SET bulkpar.report = off;
-- however many processors there are
SET bulkpar.workers = 2;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;

CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL, total numeric(8,2), note text);
INSERT INTO orders SELECT g, g % 7 + 1, g * 1.5, 'order ' || g FROM generate_series(1, 100) g;
CREATE TABLE customers (id int PRIMARY KEY, name text);
INSERT INTO customers SELECT g, 'customer ' || g FROM generate_series(1, 5) g;
ANALYZE orders, customers;
CREATE TABLE orders_new (LIKE orders, PRIMARY KEY (id));
CREATE VIEW copied AS SELECT count(*), count(DISTINCT id) AS ids, min(id), max(id), sum(total) FROM orders_new;
CREATE VIEW last_job AS SELECT * FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;

SELECT status, rows_changed, batches, workers, rows_failed FROM bulkpar_execute('INSERT INTO orders_new SELECT * FROM orders', 10, 2);
SELECT * FROM copied;
SELECT target, key_index, command, column_names, statement, stripes FROM last_job;
SELECT 'difference' FROM (TABLE orders EXCEPT TABLE orders_new) d;
-- a unique violation, and by hand what goes on from there
SELECT bulkpar_execute('INSERT INTO orders_new SELECT * FROM orders', 10, 1);
TRUNCATE orders_new;
SELECT job_id AS job FROM last_job \gset
SELECT status, rows_changed FROM bulkpar_resume(:job, 1, 7);
SELECT * FROM copied;
-- conflicts: what is there stays, or is changed
DELETE FROM orders_new WHERE id % 2 = 0;
SELECT rows_changed FROM bulkpar_execute('INSERT INTO orders_new AS o SELECT * FROM orders ON CONFLICT DO NOTHING', 10);
SELECT * FROM copied;
DELETE FROM orders_new WHERE id % 2 = 0;
SELECT rows_changed FROM bulkpar_execute('INSERT INTO orders_new AS o SELECT * FROM orders
	ON CONFLICT (id) DO UPDATE SET total = o.total + excluded.total WHERE o.id > 50', 10);
SELECT * FROM copied;
SELECT rows_changed FROM bulkpar_execute('INSERT INTO orders_new AS o SELECT * FROM orders
	ON CONFLICT ON CONSTRAINT orders_new_pkey DO UPDATE SET total = 0', 10);
SELECT * FROM copied;
-- a condition, columns, expressions, a join, TABLE, OVERRIDING, WITH before and after INSERT
TRUNCATE orders_new;
SELECT rows_changed FROM bulkpar_execute('INSERT INTO orders_new (note, id, customer)
	SELECT upper(note), id + 1000, customer FROM orders o WHERE o.id <= 30', 10);
SELECT * FROM copied;
SELECT rows_changed FROM bulkpar_execute('INSERT INTO orders_new SELECT o.id, c.id, 1, c.name
	FROM orders o JOIN customers c ON c.id = o.customer', 10);
SELECT rows_changed FROM bulkpar_execute('INSERT INTO orders_new SELECT o.id + 100, customer, 1, c.name
	FROM orders o LEFT JOIN customers c ON c.id = o.customer', 10);
SELECT * FROM copied;
TRUNCATE orders_new;
SELECT rows_changed FROM bulkpar_execute('WITH c AS MATERIALIZED (SELECT * FROM customers)
	INSERT INTO orders_new SELECT o.id, c.id FROM orders o, c WHERE c.id = o.customer AND c.id IN (SELECT id FROM c)', 10);
SELECT rows_changed FROM bulkpar_execute('INSERT INTO orders_new WITH c AS (SELECT max(id) AS id FROM customers)
	SELECT o.id + 100, c.id FROM orders o, c WHERE c.id = o.customer', 10);
SELECT * FROM copied;
TRUNCATE orders_new;
SELECT rows_changed FROM bulkpar_execute('INSERT INTO orders_new TABLE orders', 10);
-- several rows for each: more than a batch has
TRUNCATE orders_new;
SELECT rows_changed, batches FROM bulkpar_execute('INSERT INTO orders_new SELECT o.id * 100 + c.id, c.id FROM orders o CROSS JOIN customers c', 10, 1);
SELECT rows_changed FROM bulkpar_execute('INSERT INTO orders_new SELECT generate_series(id * 1000 + 20000, id * 1000 + 20004), 1 FROM orders', 10);
SELECT * FROM copied;
-- driven by another table of the FROM list
TRUNCATE orders_new;
SELECT rows_changed FROM bulkpar_execute('INSERT INTO orders_new SELECT o.id, c.id FROM customers c JOIN orders o ON c.id = o.customer', 10,
	driving_table => 'orders');
SELECT target FROM last_job;
SELECT rows_changed, batches FROM bulkpar_execute('INSERT INTO orders_new SELECT o.id + 100, c.id FROM customers c JOIN orders o ON c.id = o.customer', 2, 1);
SELECT target FROM last_job;
SELECT * FROM copied;
-- subqueries: those that read what the batches insert are evaluated once
SELECT rows_changed FROM bulkpar_execute('INSERT INTO orders_new SELECT * FROM orders WHERE id NOT IN (SELECT id FROM orders_new)', 10);
SELECT rows_changed FROM bulkpar_execute('INSERT INTO orders_new SELECT id + 1000, customer, (SELECT count(*) FROM orders_new), (SELECT note FROM orders i WHERE i.id = o.id) FROM orders o', 10);
SELECT total, count(*), count(DISTINCT note) FROM orders_new WHERE id > 1000 GROUP BY 1;
SELECT bulkpar_execute('INSERT INTO orders_new SELECT * FROM orders o WHERE NOT EXISTS (SELECT FROM orders_new n WHERE n.id = o.id)', 10);
TRUNCATE orders_new;
SELECT rows_changed FROM bulkpar_execute('INSERT INTO orders_new SELECT * FROM orders o WHERE NOT EXISTS (SELECT FROM orders_new n WHERE n.id = o.id)', 10,
	sees_batches => true);
-- few rows, which are listed first
CREATE TABLE many (id int PRIMARY KEY, n int);
INSERT INTO many SELECT g, g FROM generate_series(1, 5000) g;
ANALYZE many;
TRUNCATE orders_new;
SELECT rows_changed FROM bulkpar_execute('INSERT INTO orders_new SELECT id, n FROM many WHERE n > 4980', 10);
SELECT listed, rows_done, rows_changed FROM bulkpar_chunks JOIN last_job USING (job_id);
SELECT * FROM copied;
-- rows with errors are skipped
TRUNCATE orders_new;
SELECT rows_changed, rows_failed FROM bulkpar_execute('INSERT INTO orders_new SELECT id, customer, 1 / (id % 50) FROM orders', 10, on_error => 'skip');
SELECT key, sqlstate, message FROM bulkpar_errors ORDER BY key;
SELECT * FROM copied;

-- partitions, children, ONLY
CREATE TABLE part (id int, kind text, n int, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
CREATE TABLE part_b (n int, kind text NOT NULL, id int NOT NULL, PRIMARY KEY (id, kind));
ALTER TABLE part ATTACH PARTITION part_b FOR VALUES IN ('b', 'c');
INSERT INTO part SELECT g, chr(97 + g % 3), g FROM generate_series(1, 100) g;
CREATE TABLE child (extra int, PRIMARY KEY (id)) INHERITS (orders);
INSERT INTO child SELECT g, 1, 2, 'child', 0 FROM generate_series(101, 120) g;
ANALYZE part, child;
TRUNCATE orders_new;
SELECT rows_changed FROM bulkpar_execute('INSERT INTO orders_new SELECT id, n FROM part', 10);
SELECT * FROM copied;
TRUNCATE orders_new;
SELECT rows_changed FROM bulkpar_execute('INSERT INTO orders_new SELECT p.id, c.id FROM customers c, part p WHERE p.kind = ''a'' AND c.id = p.n', 1, driving_table => 'part');
SELECT DISTINCT relation FROM bulkpar_chunks JOIN last_job USING (job_id);
TRUNCATE orders_new;
SELECT rows_changed FROM bulkpar_execute('INSERT INTO orders_new SELECT * FROM orders', 10);
SELECT rows_changed FROM bulkpar_execute('INSERT INTO orders_new SELECT id + 1000, customer FROM ONLY orders', 10);
SELECT * FROM copied;
-- into partitions, with identity and generated columns, foreign keys, triggers
CREATE TABLE target (
	no int GENERATED ALWAYS AS IDENTITY,
	id int REFERENCES orders_new,
	twice int GENERATED ALWAYS AS (id * 2) STORED,
	by_trigger int,
	made_at timestamptz DEFAULT now()
) PARTITION BY RANGE (id);
CREATE TABLE target_1 PARTITION OF target FOR VALUES FROM (1) TO (51);
CREATE TABLE target_2 PARTITION OF target FOR VALUES FROM (51) TO (1000);
CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id % 10 = 0 THEN
		RETURN NULL;
	END IF;
	NEW.by_trigger = NEW.id + 1;
	RETURN NEW;
END $$;
CREATE TRIGGER mark BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION mark();
SELECT rows_changed FROM bulkpar_execute('INSERT INTO target (id) SELECT id FROM ONLY orders', 10);
SELECT tableoid::regclass, count(*), count(DISTINCT no), bool_and(twice = id * 2 AND by_trigger = id + 1) FROM target GROUP BY 1 ORDER BY 1;
SELECT rows_changed, rows_failed FROM bulkpar_execute('INSERT INTO target (id) SELECT id + 60 FROM orders_new WHERE id <= 100', 10, on_error => 'skip');
SELECT sqlstate, count(*), min(message) FROM bulkpar_errors WHERE job_id = (SELECT job_id FROM last_job) GROUP BY 1;

-- into the table that it goes through: the key where it ends is read once
CREATE TABLE grows (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int);
INSERT INTO grows (n) SELECT 1 FROM generate_series(1, 50);
ANALYZE grows;
SELECT bulkpar_execute('INSERT INTO grows (n) SELECT n FROM grows', 10);
SELECT rows_changed FROM bulkpar_execute('INSERT INTO grows (n) SELECT n FROM grows', 10, sees_batches => true);
SELECT rows_changed FROM bulkpar_execute('INSERT INTO grows (n) SELECT n FROM grows', 10, sees_batches => true);
SELECT count(*) FROM grows;

-- the plan of a batch
SELECT regexp_replace(line, ' +\(cost=.*\)', '') AS line FROM bulkpar_explain('INSERT INTO orders_new SELECT o.id, c.id FROM ONLY orders o JOIN customers c ON c.id = o.customer WHERE o.total > 100', 10, 2) line;
-- what is inserted cannot be pulled up into the statement here
SELECT replace(regexp_replace(line, ' +\(cost=.*\)', ''), '"*SELECT*"', 'unnamed_subquery') AS line FROM bulkpar_explain('INSERT INTO orders_new (id, total) SELECT id, random() FROM ONLY orders', 10, 2) line WHERE line ~ '^ |^Plan';

-- nor what conflicts by what the statement, a trigger or a collation makes of it
CREATE TABLE given (id int PRIMARY KEY, name text NOT NULL UNIQUE, n int);
INSERT INTO given SELECT i, 'name ' || i, 0 FROM generate_series(1, 30) AS i;
CREATE TABLE taken (id int PRIMARY KEY, name text, n int);
SELECT rows_changed FROM bulkpar_execute('INSERT INTO taken SELECT * FROM given ON CONFLICT (id) DO UPDATE SET n = taken.n + 1', 10);
SELECT bulkpar_execute('INSERT INTO taken SELECT * FROM given ON CONFLICT (id) DO UPDATE SET id = 100, n = taken.n + 1', 10);
CREATE FUNCTION fewer() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.id := NEW.id % 10; RETURN NEW; END';
CREATE TRIGGER fewer BEFORE INSERT ON taken FOR EACH ROW EXECUTE FUNCTION fewer();
SELECT bulkpar_execute('INSERT INTO taken SELECT * FROM given ON CONFLICT (id) DO UPDATE SET n = taken.n + 1', 10);
DROP TRIGGER fewer ON taken;
CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE by_name (id int, name text COLLATE any_case PRIMARY KEY, n int);
SELECT bulkpar_execute('INSERT INTO by_name SELECT * FROM given ON CONFLICT (name) DO UPDATE SET n = by_name.n + 1', 10);
CREATE UNIQUE INDEX ON taken (name COLLATE any_case);
SELECT bulkpar_execute('INSERT INTO taken SELECT * FROM given ON CONFLICT (name COLLATE any_case) DO UPDATE SET n = taken.n + 1', 10);
SELECT bulkpar_execute('INSERT INTO taken SELECT * FROM given ON CONFLICT (name) DO UPDATE SET n = taken.n + 1', 10);
SELECT count(*), sum(n) FROM taken;
DROP TABLE given, taken, by_name;
DROP FUNCTION fewer;
DROP COLLATION any_case;

-- another table that takes the name meanwhile is not inserted into
CREATE TABLE numbers AS SELECT i AS id FROM generate_series(1, 60) AS i;
ALTER TABLE numbers ADD PRIMARY KEY (id);
CREATE TABLE copied_numbers (id int);
CREATE TABLE bad AS SELECT 35 AS id;
SELECT bulkpar_execute('INSERT INTO copied_numbers SELECT id + 0 / (id - coalesce((SELECT id FROM bad), 0)) FROM numbers', 10, 1, job_name => 'n');
SELECT inserted FROM bulkpar_jobs WHERE job_name = 'n';
DELETE FROM bad;
ALTER TABLE copied_numbers RENAME TO away;
CREATE TABLE copied_numbers (id int);
\set VERBOSITY sqlstate
SELECT bulkpar_resume('n');
\set VERBOSITY default
SELECT count(*) FROM copied_numbers;
DROP TABLE copied_numbers;
ALTER TABLE away RENAME TO copied_numbers;
SELECT status, rows_changed FROM bulkpar_resume('n');
SELECT count(*), count(DISTINCT id) FROM copied_numbers;
DROP TABLE numbers, copied_numbers, bad;

SET client_min_messages = warning;
DROP VIEW copied, last_job;
DROP TABLE child, orders, customers, orders_new, many, part, target, grows CASCADE;
DROP FUNCTION mark;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
