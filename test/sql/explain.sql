--
-- bulkpar_explain shows what a job would do, and changes nothing
--
SET bulkpar.report = off;

CREATE TABLE plan (id bigint PRIMARY KEY, n int DEFAULT 0, kind int, price numeric(10,2),
	code text CONSTRAINT plan_code UNIQUE, name text) WITH (autovacuum_enabled = off);
INSERT INTO plan SELECT g, 0, g % 7, g, 'C' || g, 'x' || g FROM generate_series(1, 20000) g;
CREATE TABLE plan_source (id bigint PRIMARY KEY, price numeric) WITH (autovacuum_enabled = off);
INSERT INTO plan_source SELECT g * 2, g + 0.123 FROM generate_series(1, 5000) g;
CREATE TABLE plan_child (id int, plan bigint CONSTRAINT plan_child_fk REFERENCES plan ON DELETE CASCADE);
CREATE FUNCTION plan_note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER plan_note BEFORE UPDATE ON plan FOR EACH ROW EXECUTE FUNCTION plan_note();
ANALYZE plan, plan_source;

-- what depends on the machine is left out
CREATE FUNCTION shown(VARIADIC lines text[]) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT regexp_replace(regexp_replace(regexp_replace(line, '\(cost=.*\)', ''), 'took .* ms', 'took ... ms'),
		'expects \d+ (.*) listed', 'expects ... \1 listed')
	FROM unnest(lines) line
	WHERE line NOT LIKE ALL (ARRAY['Estimate: %', 'Warning: % background worker slots %', 'Warning: max_wal_size %'])
$$;
SELECT shown(VARIADIC array(SELECT bulkpar_explain('plan', 'name', 'upper(name)', 1000, workers => 2)));
SELECT shown(VARIADIC array(SELECT bulkpar_explain('plan', ARRAY['kind', 'n'], ARRAY['DEFAULT', 'n + 1'], 500,
	workers => 2, condition => 'kind = 3', stripes => 4)));
SELECT shown(VARIADIC array(SELECT bulkpar_explain('plan', 'kind = 3', workers => 2)));
SELECT shown(VARIADIC array(SELECT bulkpar_explain($$UPDATE plan p SET price = s.price, name = 'new'
	FROM plan_source s WHERE s.id = p.id$$, workers => 2, sample => true)));

-- where few rows match they are listed first
CREATE INDEX plan_price ON plan (price);
ANALYZE plan;
SELECT shown(VARIADIC array(SELECT bulkpar_explain('plan', 'n', 'n + 1', 40, workers => 2,
	condition => 'price < 100', sample => true)));
DROP INDEX plan_price;
-- by as many processes as the job has workers, this one among them, where there may be any
ALTER TABLE plan SET (parallel_workers = 8);
SET parallel_setup_cost = 0;
SELECT line FROM bulkpar_explain('plan', 'n', 'n + 1', 40, workers => 3, condition => 'id % 100 = 7') line
	WHERE line ~ 'Workers Planned';
SHOW max_parallel_workers_per_gather;
SET max_parallel_workers_per_gather = 0;
SELECT line FROM bulkpar_explain('plan', 'n', 'n + 1', 40, workers => 3, condition => 'id % 100 = 7') line
	WHERE line ~ 'Workers Planned';
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
-- also where the planner would scan the table alone, or not send so many rows
CREATE TABLE plan_many AS SELECT id, id % 50000 AS n FROM generate_series(1, 200000) id;
ALTER TABLE plan_many ADD PRIMARY KEY (id), ALTER n SET (n_distinct = 50000);
CREATE TABLE plan_other AS SELECT id FROM generate_series(0, 40000) id;
ALTER TABLE plan_other ADD PRIMARY KEY (id);
ANALYZE plan_many, plan_other;
SELECT pg_relation_size('plan_many') < pg_size_bytes(current_setting('min_parallel_table_scan_size')) AS small;
SELECT line FROM bulkpar_explain('plan_many', 'NOT EXISTS (SELECT FROM plan_other o WHERE o.id = n)', workers => 2) line
	WHERE line ~ 'Workers Planned';
DROP TABLE plan_many, plan_other;

-- new values that are not unique, and other errors, are found by a sample
SELECT line FROM bulkpar_explain('plan', 'code', 'left(code, 3)', workers => 2, sample => true) line
	WHERE line ~ '(fail|violate)';
SELECT line FROM bulkpar_explain('plan', 'n', '1 / (5 - id)', workers => 1, sample => true) line
	WHERE line ~ '(fail|violate)';
-- also those that join, of indexes with expressions or conditions; rows of the table that join twice count once
CREATE UNIQUE INDEX plan_both ON plan (lower(name), kind) WHERE n = 1;
CREATE TABLE plan_twice AS SELECT id, 'X' || id / 10 * 10 AS name FROM plan, generate_series(1, 2);
SELECT line FROM bulkpar_explain('plan', ARRAY['name', 'n'], ARRAY['s.name', '1'], from_item => 'plan_twice s',
	condition => 's.id = plan.id', workers => 1, sample => true) line WHERE line ~ '(fail|violate)';
SELECT line FROM bulkpar_explain($$UPDATE plan p SET name = s.name, n = 1, kind = s.id FROM plan_twice s
	WHERE s.id = p.id$$, workers => 1, sample => true) line WHERE line ~ '(fail|violate)';
SELECT line FROM bulkpar_explain('UPDATE plan SET n = 1, kind = NULL, name = ''one''', workers => 1, sample => true) line
	WHERE line ~ '(fail|violate)';
SELECT line FROM bulkpar_explain('UPDATE plan SET (n, kind) = (SELECT 1, 2)', workers => 1, sample => true) line
	WHERE line ~ '(fail|violate)';
DROP INDEX plan_both;
DROP TABLE plan_twice;
-- and those of generated columns and whole rows, or where an element of an array is set: not
CREATE COLLATION plan_ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE plan_odd (id int PRIMARY KEY, a int, b text, tags text[], twice int GENERATED ALWAYS AS (a * 2) STORED);
CREATE FUNCTION whole(plan_odd) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1.a; END';
CREATE UNIQUE INDEX plan_odd_twice ON plan_odd (twice, b);
CREATE UNIQUE INDEX plan_odd_whole ON plan_odd (b, whole(plan_odd));
CREATE UNIQUE INDEX plan_odd_tags ON plan_odd (tags);
INSERT INTO plan_odd SELECT g, 1, chr(96 + g), ARRAY[chr(96 + g), 'x'] FROM generate_series(1, 20) g;
SELECT line FROM bulkpar_explain('UPDATE plan_odd SET a = id, b = ''x''', 10, 1, sample => true) line
	WHERE line ~ '(fail|violate)';
CREATE UNIQUE INDEX plan_odd_b ON plan_odd (b COLLATE plan_ci);
SELECT line FROM bulkpar_explain('UPDATE plan_odd SET b = CASE WHEN id < 3 THEN chr(65 + id % 2 * 32) ELSE b END',
	10, 1, sample => true) line WHERE line ~ '(fail|violate)';
SELECT line FROM bulkpar_explain('UPDATE plan_odd SET tags[1] = ''a''', 10, 1, sample => true) line WHERE line ~ '(fail|violate)';
SELECT line FROM bulkpar_explain('UPDATE plan_odd SET tags[1] = ''a'', tags[2] = b', 10, 1, sample => true) line
	WHERE line ~ '(fail|violate)';
DROP TABLE plan_odd CASCADE;
DROP COLLATION plan_ci;
-- rows of two partitions may have the same key
CREATE TABLE plan_parts (region text, id int NOT NULL, email text, UNIQUE (region, email)) PARTITION BY LIST (region);
CREATE TABLE plan_parts_a PARTITION OF plan_parts FOR VALUES IN ('a');
CREATE TABLE plan_parts_b PARTITION OF plan_parts FOR VALUES IN ('b');
ALTER TABLE plan_parts_a ADD PRIMARY KEY (id);
ALTER TABLE plan_parts_b ADD PRIMARY KEY (id);
INSERT INTO plan_parts SELECT r, g, r || g FROM generate_series(1, 2) g, unnest(ARRAY['a', 'b']) r;
ANALYZE plan_parts;
SELECT line FROM bulkpar_explain('plan_parts', 'email', 'CASE WHEN region = ''a'' THEN email ELSE ''y'' END', 10, 1,
	sample => true) line WHERE line ~ '(fail|violate)';
DROP TABLE plan_parts;
\set VERBOSITY terse
SELECT bulkpar_explain('plan', 'id', '1');
SELECT bulkpar_explain('plan', 'nothing', '1');
SELECT bulkpar_explain('nothing', 'n', '1');
SELECT bulkpar_explain('SELECT 1');
SELECT bulkpar_explain('plan', 'n', '''x''');

-- of a statement that failed nothing stays in the session
SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'CachedPlan%' AND ident ~ 'plan (p )?SET';

-- it can be called where a job could not be started
BEGIN;
SELECT count(*) > 5 AS shown FROM bulkpar_explain('plan', 'n', '1');
SAVEPOINT s;
SELECT count(*) > 5 AS shown FROM bulkpar_explain('plan', 'n', '1', sample => true);
COMMIT;

-- nothing has changed, and no job was stored
SELECT count(*) AS rows, count(*) FILTER (WHERE n = 0 AND name = 'x' || id AND code = 'C' || id AND price = id) AS same
	FROM plan;
SELECT count(*) FROM bulkpar.bulkpar_job WHERE target = 'plan'::regclass;

-- what is known exactly is said so: of tables that are empty or small, whether they were analyzed or not
CREATE FUNCTION counts(VARIADIC lines text[]) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT line FROM unnest(lines) line WHERE line ~ '^(Table|Rows|Batches|Stripes|Warning: table)'
$$;
CREATE TABLE plan_small (id int PRIMARY KEY, n int) WITH (autovacuum_enabled = off);
SELECT counts(VARIADIC array(SELECT bulkpar_explain('plan_small', 'n', 'n + 1', workers => 4)));
INSERT INTO plan_small VALUES (1, 0);
SELECT counts(VARIADIC array(SELECT bulkpar_explain('plan_small', 'n', 'n + 1', workers => 4)));
INSERT INTO plan_small SELECT generate_series(2, 250), 0;
SELECT counts(VARIADIC array(SELECT bulkpar_explain('plan_small', 'n', 'n + 1', 100, workers => 4)));
ANALYZE plan_small;
DELETE FROM plan_small WHERE id > 130;
SELECT counts(VARIADIC array(SELECT bulkpar_explain('plan_small', 'n', 'n + 1', 100, workers => 4)));
SELECT workers, batches, rows_changed FROM bulkpar_update('plan_small', 'n', 'n + 1', 100, workers => 4);

-- of many partitions the largest are shown; no batch reaches from one into another
CREATE TABLE plan_many (part int, id int, n int, PRIMARY KEY (part, id)) PARTITION BY LIST (part);
DO $$
BEGIN
	FOR i IN 1..12 LOOP
		EXECUTE format('CREATE TABLE plan_many_%s PARTITION OF plan_many FOR VALUES IN (%1$s) WITH (autovacuum_enabled = off)', i);
	END LOOP;
END
$$;
INSERT INTO plan_many SELECT p, i, 0 FROM generate_series(1, 11) p, generate_series(1, 10 + 10 * (p % 5)) i;
ANALYZE plan_many;
SELECT counts(VARIADIC array(SELECT bulkpar_explain('plan_many', 'n', 'n + 1', 30, workers => 2)));
SELECT counts(VARIADIC array(SELECT bulkpar_explain('plan_many', 'n', 'n + 1', workers => 20)));
SELECT count(*), sum(batches) FROM bulkpar_update('plan_many', 'n', 'n + 1', 30, workers => 2);
DROP TABLE plan_small, plan_many;
DROP FUNCTION counts;

DROP FUNCTION shown;
DROP TABLE plan, plan_source, plan_child;
DROP FUNCTION plan_note;

-- what one statement can do and batches cannot, and where exactly once ends
CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree, twig int REFERENCES tree ON DELETE CASCADE,
	code int UNIQUE DEFERRABLE, label int UNIQUE, alias int REFERENCES tree (label));
INSERT INTO tree (id, parent, code) SELECT i, nullif(i / 2, 0), i FROM generate_series(1, 50) i;
ANALYZE tree;
CREATE EXTENSION postgres_fdw;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;
CREATE USER MAPPING FOR CURRENT_USER SERVER elsewhere;
CREATE FOREIGN TABLE far_away (id int, code int) SERVER elsewhere;
CREATE TRIGGER far_away BEFORE UPDATE ON tree FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE TRIGGER never BEFORE DELETE ON tree FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
ALTER TABLE tree DISABLE TRIGGER never;
SELECT w FROM bulkpar_explain('tree', NULL::text) w WHERE w ~ '^Warning';
SELECT w FROM bulkpar_explain('tree', 'code', 'code + 1') w WHERE w ~ '^Warning';
SELECT w FROM bulkpar_explain('tree', 'label', 'code') w WHERE w ~ '^Warning';
SELECT w FROM bulkpar_explain('tree', 'parent', 'far_away.code', from_item => 'far_away', condition => 'far_away.id = tree.id') w
	WHERE w ~ '^Warning: (what|foreign|const)';
SELECT bulkpar_delete('tree', NULL, 5, 1);
SELECT bulkpar_update('tree', 'code', '51 - code', 5, 1);
ALTER TABLE tree DROP CONSTRAINT tree_parent_fkey, ADD FOREIGN KEY (parent) REFERENCES tree ON DELETE CASCADE;
SELECT status FROM bulkpar_delete('tree', NULL, 5, 1);
SELECT count(*) FROM tree;
-- each row goes with the one before it, most of them before their own batch
INSERT INTO tree (id, twig) SELECT i, nullif(i - 1, 0) FROM generate_series(1, 50) i;
SELECT status, rows_changed < 50 AS fewer FROM bulkpar_delete('tree', NULL, 5, 1);
SELECT count(*) FROM tree;
DROP TABLE tree;
DROP EXTENSION postgres_fdw CASCADE;

-- what is of a batch, and where batches meet, with names as they must be written
CREATE TABLE "Meet" (id int PRIMARY KEY, n int, "At" timestamptz DEFAULT now(), code int UNIQUE);
INSERT INTO "Meet" SELECT g, 0, NULL, g FROM generate_series(1, 50) g;
CREATE TABLE "Pair" (a int CONSTRAINT "Pair A" REFERENCES "Meet" ON DELETE CASCADE,
	b int CONSTRAINT pair_b REFERENCES "Meet" ON DELETE SET NULL,
	c int CONSTRAINT pair_c REFERENCES "Meet" (code) ON UPDATE CASCADE,
	d int CONSTRAINT pair_d REFERENCES "Meet" (code) ON UPDATE SET NULL);
CREATE TABLE one (a int REFERENCES "Meet" ON DELETE CASCADE, b int REFERENCES "Meet");
CREATE FUNCTION meet_note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER "Note" AFTER UPDATE OF n OR DELETE ON "Meet" FOR EACH STATEMENT EXECUTE FUNCTION meet_note();
CREATE TRIGGER each AFTER UPDATE OR DELETE ON "Meet" FOR EACH ROW EXECUTE FUNCTION meet_note();
CREATE TRIGGER other AFTER INSERT ON "Meet" FOR EACH STATEMENT EXECUTE FUNCTION meet_note();
CREATE CONSTRAINT TRIGGER "Late" AFTER UPDATE OF code OR DELETE ON "Meet" DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION meet_note();
CREATE CONSTRAINT TRIGGER soon AFTER UPDATE OR DELETE ON "Meet" DEFERRABLE FOR EACH ROW EXECUTE FUNCTION meet_note();
ANALYZE "Meet";
CREATE FUNCTION warnings(VARIADIC lines text[]) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT line FROM unnest(lines) line
	WHERE line ~ '^Warning' AND line !~ 'worker slots|max_wal_size|on other servers'
$$;
SELECT warnings(VARIADIC array(SELECT bulkpar_explain('"Meet"', NULL::text, 5)));
SELECT warnings(VARIADIC array(SELECT bulkpar_explain('"Meet"', 'n', 'n + 1', 5)));
SELECT warnings(VARIADIC array(SELECT bulkpar_explain('"Meet"', 'code', 'code + 100', 5)));
SELECT warnings(VARIADIC array(SELECT bulkpar_explain('"Meet"', '"At"', 'DEFAULT', 5)));
SELECT warnings(VARIADIC array(SELECT bulkpar_explain('"Meet"', '"At"', '''2000-01-01''', 5)));
SELECT warnings(VARIADIC array(SELECT bulkpar_explain('"Meet"', '"At"', 'clock_timestamp()', 5)));
SELECT warnings(VARIADIC array(SELECT bulkpar_explain('"Meet"', '"At"', 'NULL', 5,
	condition => 'NOT EXISTS (SELECT FROM one WHERE a = id AND current_date > ''2000-01-01'')')));
-- No more than a check.
SELECT bulkpar_explain('"Meet"', 'n', 'n + 1', sample => NULL);
SELECT bulkpar_explain('"Meet"', 'n', 'absent + 1', sample => NULL);
DROP TABLE "Pair", one, "Meet";
DROP FUNCTION meet_note, warnings;
