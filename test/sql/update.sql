--
-- The calls of bulkpar_update and what they do to the rows
--
SET bulkpar.report = off;
-- however many processors there are
SET bulkpar.workers = 2;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;

CREATE TABLE item (
	id int PRIMARY KEY,
	n int NOT NULL DEFAULT 0,
	name text,
	price numeric(8,2) DEFAULT 9.99,
	active boolean,
	tags text[],
	"Odd ""Name" text
);
INSERT INTO item
	SELECT i, 0, 'item ' || i, i, i % 3 = 0, ARRAY['a', 'b'], 'x'
	FROM generate_series(1, 1000) i;

-- how many rows have which n
CREATE VIEW counts AS SELECT n, count(*) FROM item GROUP BY n ORDER BY n;

-- what the chunks of the last job are: a chain from before the first key to the
-- end, each done
CREATE VIEW last_job AS
	SELECT j.status, j.end_key,
		coalesce(bool_and(c.status = 'succeeded' AND c.last_key = c.hi
			AND c.lo IS NOT DISTINCT FROM c.previous_hi), true)
			AND max(c.hi) FILTER (WHERE c.is_last) IS NOT DISTINCT FROM j.end_key
			AS complete,
		sum(c.rows_changed) AS rows, sum(c.batches) AS batches
	FROM bulkpar_jobs j LEFT JOIN (
		SELECT *, lag(hi) OVER w AS previous_hi,
			lead(chunk_no) OVER w IS NULL AS is_last
		FROM bulkpar.bulkpar_chunk WINDOW w AS (PARTITION BY job_id ORDER BY chunk_no)
	) c USING (job_id)
	WHERE job_id = (SELECT max(job_id) FROM bulkpar.bulkpar_job)
	GROUP BY j.job_id, j.status, j.end_key;

-- by position, with the default batch size
SELECT status, rows_changed, batches, workers, elapsed > '0' AS took_time
	FROM bulkpar_update('item', 'n', 'n + 1');
SELECT * FROM counts;
SELECT status, rows_changed, batches, workers, elapsed > '0' AS took_time
	FROM bulkpar_update('item', 'n', 'n + 1', 100, 2);
SELECT * FROM counts;
SELECT * FROM last_job;

-- in the SELECT list
SELECT (bulkpar_update('item', 'n', 'n + 1', 100)).rows_changed;

-- by name, in any order
SELECT status, rows_changed, batches, workers FROM bulkpar_update(
	condition => 'active', workers => 1, batch_size => 300,
	expression => 'n + 1', column_name => 'n', target => 'item');
SELECT active, n, count(*) FROM item GROUP BY 1, 2 ORDER BY 1;

-- several columns; all expressions see the row as it was
SELECT status, rows_changed, batches FROM bulkpar_update('item',
	ARRAY['n', 'price', 'name'],
	ARRAY['id', 'n + 0.5', 'upper(name) || '' '' || price'], 250);
SELECT id, n, price, name FROM item WHERE id IN (1, 999, 1000) ORDER BY id;

-- an array of one element, and one with bounds of its own
SELECT rows_changed FROM bulkpar_update('item', ARRAY['n'], ARRAY['0'], 400);
SELECT rows_changed FROM bulkpar_update('item', '[3:4]={n,price}'::text[],
	'[0:1]={7,8}'::text[], 400);
SELECT n, price, count(*) FROM item GROUP BY 1, 2;

-- a name that needs quotes; single quotes, dollars, backslashes, percent signs
SELECT rows_changed FROM bulkpar_update('item', 'Odd "Name',
	$text$'it''s ' || E'\\' || '%s $1 @ ' || "Odd ""Name" || $$ $ $$$text$, 400);
SELECT DISTINCT "Odd ""Name" FROM item;

-- comments, if they leave it one expression
SELECT rows_changed FROM bulkpar_update('item', 'n', E'/* one */ 1 -- line\n', 400,
	condition => E'-- some\n id <= 10 /* nested /* comment */ */ ');
SELECT * FROM counts;

-- DEFAULT, NULL, a row of the table, a subquery, one that uses the row
SELECT rows_changed FROM bulkpar_update('item', ARRAY['n', 'price', 'name'],
	ARRAY['DEFAULT', ' default ', 'NULL'], 400);
SELECT n, price, name, count(*) FROM item GROUP BY 1, 2, 3;
SELECT rows_changed FROM bulkpar_update('item', 'name', 'item::text', 400);
SELECT name FROM item WHERE id = 500;
SELECT rows_changed FROM bulkpar_update('item', ARRAY['n', 'tags'], ARRAY[
	'(SELECT max(id) FROM item)',
	'ARRAY(SELECT g::text FROM generate_series(item.id, item.id + 1) g)'], 400);
SELECT n, tags FROM item WHERE id = 500;
SELECT rows_changed FROM bulkpar_update('item', 'n', 'CASE WHEN active THEN 1 ELSE 2 END',
	400, condition => 'EXISTS (SELECT FROM item o WHERE o.id = item.id + 500)',
	sees_batches => true);
SELECT * FROM counts;

-- an OR in the condition does not let rows out of their batch
SELECT rows_changed, batches FROM bulkpar_update('item', 'n', '0', 400);
SELECT rows_changed, batches FROM bulkpar_update('item', 'n', 'n + 1', 100,
	condition => 'id < 0 OR true');
SELECT * FROM counts;

-- no row meets the condition
SELECT status, rows_changed, batches FROM bulkpar_update('item', 'n', '0', 500,
	condition => 'id < 0');
-- a NULL condition is none; a NULL number of workers means the setting, and 0
-- there the processors that are online
SELECT rows_changed, workers FROM bulkpar_update('item', 'n', 'n + 1', 100,
	condition => NULL, workers => NULL);
RESET bulkpar.workers;
SELECT rows_changed, workers BETWEEN 1 AND 2 AS workers FROM bulkpar_update('item', 'n', 'n', 500);
SET bulkpar.workers = 3;
SELECT rows_changed, workers FROM bulkpar_update('item', 'n', 'n + 1', 100);
SELECT rows_changed, workers FROM bulkpar_update('item', 'n', 'n + 1', 100, 1);
SET bulkpar.workers = 2;
SELECT * FROM counts;

-- row counts around multiples of the batch size; never more workers than batches
CREATE FUNCTION add_one(rows int, batch_size int, workers int,
	OUT status text, OUT updated bigint, OUT batches bigint, OUT workers_ran int,
	OUT each_once boolean, OUT complete boolean)
LANGUAGE plpgsql AS $$
BEGIN
	SELECT r.status, r.rows_changed, r.batches, r.workers
		INTO add_one.status, updated, add_one.batches, workers_ran
		FROM bulkpar_update('series', 'n', 'n + 1', add_one.batch_size,
			add_one.workers) r;
	SELECT count(*) = rows AND count(*) FILTER (WHERE n <> 1) = 0 INTO each_once
		FROM series;
	SELECT last_job.complete INTO add_one.complete FROM last_job;
END $$;
CREATE TABLE series (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
-- an empty table
SELECT * FROM add_one(0, 10, 2);
SELECT * FROM last_job;
-- one row
INSERT INTO series VALUES (1);
SELECT * FROM add_one(1, 10, 2);
TRUNCATE series;
INSERT INTO series SELECT generate_series(1, 9);
SELECT * FROM add_one(9, 10, 2);
TRUNCATE series;
INSERT INTO series SELECT generate_series(1, 10);
SELECT * FROM add_one(10, 10, 2);
TRUNCATE series;
INSERT INTO series SELECT generate_series(1, 11);
SELECT * FROM add_one(11, 10, 2);
TRUNCATE series;
INSERT INTO series SELECT generate_series(1, 40);
SELECT * FROM add_one(40, 1, 4);
TRUNCATE series;
INSERT INTO series SELECT generate_series(1, 320);
SELECT * FROM add_one(320, 20, 1);
TRUNCATE series;
INSERT INTO series SELECT generate_series(1, 5000);
SELECT * FROM add_one(5000, 10, 3);
UPDATE series SET n = 0;
SELECT * FROM add_one(5000, 1000000, 3);

-- a partition, a child of another table, an unlogged table
CREATE TABLE part (id int PRIMARY KEY, n int DEFAULT 0) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (1) TO (11);
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (11) TO (21);
INSERT INTO part SELECT generate_series(1, 20);
SELECT rows_changed FROM bulkpar_update('part_2', 'n', 'n + 1', 3);
SELECT tableoid::regclass, n, count(*) FROM part GROUP BY 1, 2 ORDER BY 1;
CREATE TABLE parent (n int DEFAULT 0);
CREATE UNLOGGED TABLE child (id int PRIMARY KEY) INHERITS (parent);
INSERT INTO child (id) SELECT generate_series(1, 10);
INSERT INTO parent VALUES (0);
SELECT rows_changed FROM bulkpar_update('child', 'n', 'n + 1', 3);
SELECT tableoid::regclass, n, count(*) FROM parent GROUP BY 1, 2 ORDER BY 1;

-- other places for the call: a prepared statement, INSERT, COPY, EXPLAIN, a
-- stable or SQL function, a procedure, DO, a cursor, a loop
TRUNCATE series;
INSERT INTO series SELECT generate_series(1, 100);
PREPARE call(regclass, text) AS SELECT rows_changed FROM bulkpar_update($1, 'n', $2, 10);
EXECUTE call('series', 'n + 1');
CREATE TABLE log (place text, rows bigint);
INSERT INTO log SELECT 'INSERT', rows_changed FROM bulkpar_update('series', 'n', 'n + 1', 10);
COPY (SELECT rows_changed FROM bulkpar_update('series', 'n', 'n + 1', 10)) TO STDOUT;
DO $$ BEGIN EXECUTE $_$ EXPLAIN ANALYZE SELECT bulkpar_update('series', 'n', 'n + 1', 10) $_$; END $$;
CREATE FUNCTION stable_call() RETURNS bigint STABLE LANGUAGE plpgsql AS
	$$ DECLARE r bulkpar_result;
	BEGIN r := bulkpar_update('series', 'n', 'n + 1', 10); RETURN r.rows_changed; END $$;
SELECT stable_call();
CREATE FUNCTION sql_call() RETURNS bigint LANGUAGE sql AS
	$$ SELECT rows_changed FROM bulkpar_update('series', 'n', 'n + 1', 10) $$;
SELECT sql_call(), sql_call();
CREATE PROCEDURE procedure_call() LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
	FOR r IN SELECT * FROM bulkpar_update('series', 'n', 'n + 1', 10) LOOP
		INSERT INTO log VALUES ('procedure', r.rows_changed);
	END LOOP;
	COMMIT;
	PERFORM bulkpar_update('series', 'n', 'n + 1', 10);
END $$;
CALL procedure_call();
DO $$ BEGIN PERFORM bulkpar_update('series', 'n', 'n + 1', 10); END $$;
DECLARE held CURSOR WITH HOLD FOR SELECT rows_changed FROM bulkpar_update('series', 'n', 'n + 1', 10);
FETCH held;
CLOSE held;
SELECT g, (SELECT rows_changed FROM bulkpar_update('series', 'n', 'n + ' || g, 10))
	FROM generate_series(1, 2) g;
SELECT n, count(*) FROM series GROUP BY n;
SELECT * FROM log;

-- all jobs have succeeded and are complete
SELECT DISTINCT status, percent, time_left FROM bulkpar_progress;

DROP VIEW counts, last_job;
DROP TABLE item, series, log, part, child, parent;
DROP FUNCTION add_one, stable_call, sql_call;
DROP PROCEDURE procedure_call;
