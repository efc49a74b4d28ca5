--
-- Stripes: the batches of a chunk take rows from all over it
--
SET bulkpar.report = off;
SET client_min_messages = warning;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;
CREATE SCHEMA stripes;
SET search_path = stripes, public;

-- Each statement of a batch notes how many rows it has updated.
CREATE TABLE noted (target regclass, batch xid8, rows bigint);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO stripes.noted
		SELECT TG_RELID, pg_current_xact_id(), count(*) FROM changed;
	RETURN NULL;
END $$;

-- The chunks of a job: a chain from the first key to the last, each done up to
-- the last key of its last stripe.
CREATE FUNCTION is_complete(job bigint) RETURNS boolean LANGUAGE sql AS $$
	SELECT coalesce(bool_and(c.status = 'succeeded' AND c.stripe = c.stripes - 1
			AND c.last_key = c.hi AND c.rows_changed = c.rows_found
			AND c.lo IS NOT DISTINCT FROM c.previous_hi)
			AND max(c.hi) FILTER (WHERE is_last) = j.end_key, false)
	FROM bulkpar_jobs j, LATERAL (
		SELECT *, lag(hi) OVER w AS previous_hi,
			lead(chunk_no) OVER w IS NULL AS is_last
		FROM bulkpar.bulkpar_chunk WHERE job_id = j.job_id
		WINDOW w AS (ORDER BY chunk_no)) c
	WHERE j.job_id = job GROUP BY j.job_id, j.end_key
$$;

-- Add 1 to n of every row, in batches and stripes of several numbers, and look
-- each time whether every row got it once, whether the chunks are complete,
-- whether they had several stripes, and whether no batch was too large.
CREATE PROCEDURE add_ones(target regclass, cases int[] DEFAULT '{{2,100},{8,7},{64,1}}',
	INOUT jobs int DEFAULT 0, INOUT each_once boolean DEFAULT true,
	INOUT complete boolean DEFAULT true, INOUT striped boolean DEFAULT true,
	INOUT within_limit boolean DEFAULT true)
LANGUAGE plpgsql AS $$
DECLARE
	result bulkpar_result;
	one int[];
	number int;
	size int;
	yes boolean;
BEGIN
	EXECUTE format('CREATE TRIGGER note AFTER UPDATE ON %s
		REFERENCING NEW TABLE AS changed EXECUTE FUNCTION note()', target);
	EXECUTE format('ANALYZE %s', target);
	FOREACH one SLICE 1 IN ARRAY cases LOOP
		number := one[1];
		size := one[2];
		TRUNCATE noted;
		COMMIT;
		SELECT * INTO result FROM bulkpar_update(target, 'n', 'n + 1', size, 3,
			stripes => number);
		jobs := jobs + 1;
		EXECUTE format('SELECT count(*) = %s AND bool_and(n = %s) FROM %s',
			result.rows_changed, jobs, target) INTO yes;
		each_once := each_once AND yes;
		complete := complete AND is_complete(result.job_id);
		-- a chunk of few batches has fewer stripes
		SELECT bool_or(CASE WHEN size = 1 THEN c.stripes = number ELSE c.stripes > 1 END)
			INTO yes FROM bulkpar.bulkpar_chunk c WHERE c.job_id = result.job_id;
		striped := striped AND yes;
		SELECT max(rows) <= size AND sum(rows) = result.rows_changed INTO yes
			FROM (SELECT sum(rows) AS rows FROM noted GROUP BY batch) b;
		within_limit := within_limit AND yes;
	END LOOP;
END $$;
\set all_cases '\'{{2,1},{2,7},{2,100},{8,1},{8,7},{8,100},{64,1},{64,7},{64,100}}\''

-- one column
CREATE TABLE s_int (id int PRIMARY KEY, n int DEFAULT 0);
INSERT INTO s_int SELECT g * g - 5000 FROM generate_series(1, 250) g;
CALL add_ones('s_int', :all_cases);
CREATE TABLE s_numeric (id numeric PRIMARY KEY, n int DEFAULT 0);
INSERT INTO s_numeric SELECT g / 3.0 FROM generate_series(1, 200) g;
INSERT INTO s_numeric VALUES ('NaN'), ('Infinity'), (2.500), (0.00);
CALL add_ones('s_numeric');
CREATE TABLE s_icu (id text COLLATE "und-x-icu" PRIMARY KEY, n int DEFAULT 0);
INSERT INTO s_icu SELECT chr(65 + g % 26 + g % 2 * 32) || repeat('é', g % 3) || g FROM generate_series(1, 200) g;
CALL add_ones('s_icu');
-- a collation under which different strings are equal
CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE s_no_case (id text COLLATE no_case PRIMARY KEY, n int DEFAULT 0);
INSERT INTO s_no_case SELECT chr(65 + g % 26 + g % 2 * 32) || g FROM generate_series(1, 200) g;
CALL add_ones('s_no_case');
-- stored out of line, and as a compressed value
CREATE TABLE s_long (id text PRIMARY KEY, n int DEFAULT 0);
ALTER TABLE s_long ALTER id SET STORAGE EXTERNAL;
INSERT INTO s_long SELECT lpad(g::text, 2500, '0') FROM generate_series(1, 100) g;
ALTER TABLE s_long ALTER id SET STORAGE EXTENDED;
INSERT INTO s_long SELECT lpad(g::text, 2500, '0') FROM generate_series(101, 200) g;
CALL add_ones('s_long');
CREATE TABLE s_char (id char(10) PRIMARY KEY, n int DEFAULT 0);
INSERT INTO s_char SELECT g FROM generate_series(1, 200) g;
CALL add_ones('s_char');
CREATE TABLE s_uuid (id uuid PRIMARY KEY, n int DEFAULT 0);
INSERT INTO s_uuid SELECT md5(g::text)::uuid FROM generate_series(1, 200) g;
CALL add_ones('s_uuid');
SET DateStyle = 'SQL, DMY';
CREATE TABLE s_date (id date PRIMARY KEY, n int DEFAULT 0);
INSERT INTO s_date SELECT date '2023-12-25' + g FROM generate_series(1, 200) g;
INSERT INTO s_date VALUES ('infinity'), ('0044-03-15 BC');
CALL add_ones('s_date');
RESET DateStyle;
DO $$ BEGIN
	EXECUTE (SELECT format('CREATE TYPE colour AS ENUM (%s)',
		string_agg(quote_literal('colour ' || g * 17 % 201), ', ' ORDER BY g))
		FROM generate_series(1, 200) g);
END $$;
CREATE TABLE s_enum (id colour PRIMARY KEY, n int DEFAULT 0);
INSERT INTO s_enum SELECT unnest(enum_range(NULL::colour));
CALL add_ones('s_enum');
CREATE DOMAIN numbers AS int[] CHECK (cardinality(VALUE) < 5);
CREATE TABLE s_array (id numbers PRIMARY KEY, n int DEFAULT 0);
INSERT INTO s_array SELECT ARRAY[g % 10, g, NULL] FROM generate_series(1, 200) g;
INSERT INTO s_array VALUES ('{}'), ('[2:3]={1,2}'), ('{{1,2},{3,4}}');
CALL add_ones('s_array');
CREATE TYPE pair AS (a int, b text);
CREATE TABLE s_record (id pair PRIMARY KEY, n int DEFAULT 0);
INSERT INTO s_record SELECT ROW(g % 5, nullif('a, "b" ' || g, 'a, "b" 7'))::pair
	FROM generate_series(1, 200) g;
CALL add_ones('s_record');

-- several columns: one comparison of rows, then pieces, of which a batch takes
-- several; and more columns than a row usually has
CREATE TABLE tenants (tenant int, code text);
INSERT INTO tenants SELECT CASE WHEN g <= 150 THEN 2 ELSE g % 4 END, chr(65 + g % 50) || g
	FROM generate_series(1, 220) g;
CREATE TABLE s_tenant (tenant int, code text, n int DEFAULT 0, PRIMARY KEY (tenant, code));
INSERT INTO s_tenant SELECT * FROM tenants;
CALL add_ones('s_tenant');
CREATE TABLE s_asc_desc (tenant int NOT NULL, code text NOT NULL, n int DEFAULT 0);
CREATE UNIQUE INDEX ON s_asc_desc (tenant, code COLLATE "C" DESC);
INSERT INTO s_asc_desc SELECT * FROM tenants;
CALL add_ones('s_asc_desc');
CREATE TABLE s_three (a int NOT NULL, b int NOT NULL, c date NOT NULL, n int DEFAULT 0);
CREATE UNIQUE INDEX ON s_three (b, c DESC, a);
INSERT INTO s_three SELECT a, b, date '2024-02-27' + c
	FROM generate_series(1, 6) a, generate_series(1, 6) b, generate_series(1, 6) c;
CALL add_ones('s_three', :all_cases);
CREATE TABLE s_operators (tenant int NOT NULL, code text NOT NULL, n int DEFAULT 0);
CREATE UNIQUE INDEX ON s_operators (tenant DESC, code text_pattern_ops);
INSERT INTO s_operators SELECT * FROM tenants;
CALL add_ones('s_operators');
SELECT format('CREATE TABLE s_many (n int DEFAULT 0, %s); CREATE UNIQUE INDEX ON s_many (%s)',
	string_agg(format('c%s int NOT NULL', g), ', '),
	string_agg('c' || g || CASE WHEN g % 2 = 0 THEN ' DESC' ELSE '' END, ', '))
	FROM generate_series(1, 32) g \gexec
SELECT format('INSERT INTO s_many SELECT 0, %s FROM generate_series(1, 200) g',
	string_agg('g / ' || 33 - g, ', ')) FROM generate_series(1, 32) g \gexec
CALL add_ones('s_many', '{{2,40},{8,7}}');

-- A batch takes rows of one stripe only, and from far apart: it takes a 16th of
-- the rows between its first and its last or little more.
CREATE TABLE spread (id int PRIMARY KEY, n int DEFAULT 0);
INSERT INTO spread SELECT generate_series(1, 20000);
ANALYZE spread;
CREATE TABLE taken (batch xid8, ids int[]);
CREATE FUNCTION take() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO stripes.taken
		SELECT pg_current_xact_id(), array_agg(id ORDER BY id) FROM changed;
	RETURN NULL;
END $$;
CREATE TRIGGER take AFTER UPDATE ON spread REFERENCING NEW TABLE AS changed
	EXECUTE FUNCTION take();
SELECT status, rows_changed FROM bulkpar_update('spread', 'n', 'n + 1', 100, 2, stripes => 16);
SELECT n, count(*) FROM spread GROUP BY n;
CREATE VIEW batches AS
	SELECT t.*, cardinality(ids) AS rows, c.chunk_no, c.stripes, s.stripe,
		t.ids[cardinality(ids)] - t.ids[1] AS width
	FROM taken t
	JOIN bulkpar.bulkpar_chunk c ON t.ids[1] > coalesce(c.lo[1]::int, 0) AND t.ids[1] <= c.hi[1]::int
	CROSS JOIN LATERAL (
		SELECT array_agg(stripe) AS stripe FROM generate_series(0, c.stripes - 1) AS stripe
		WHERE (SELECT bool_or(bulkpar.bulkpar_in_stripe(c.stripes, stripe, id)) FROM unnest(ids) id)) s
	WHERE c.job_id = (SELECT max(job_id) FROM bulkpar.bulkpar_job);
SELECT bool_and(cardinality(stripe) = 1) AS one_stripe, max(rows) <= 100 AS within_limit,
	sum(rows), sum(width) / sum(rows) BETWEEN 10 AND 20 AS apart,
	count(DISTINCT stripe) AS stripes, max(stripes) AS most
	FROM batches;
-- stripe after stripe: one begins when the one before it has ended
SELECT bool_and(stripe[1] - previous IN (0, 1)) AS in_order
	FROM (SELECT stripe, lag(stripe[1], 1, 0) OVER (PARTITION BY chunk_no ORDER BY batch) AS previous
		FROM batches) b;
-- with one stripe, neighbours
TRUNCATE taken;
SELECT status, rows_changed, batches FROM bulkpar_update('spread', 'n', 'n + 1', 100, 2, stripes => 1);
SELECT count(*) AS batches, bool_and(width = 99) AS neighbours FROM batches;
DROP VIEW batches;

-- a condition, also one that is not of the row alone
CREATE TABLE work (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, other int);
INSERT INTO work SELECT g, 0, g % 7 FROM generate_series(1, 1000) g;
ANALYZE work;
SELECT rows_changed FROM bulkpar_update('work', 'n', 'n + 1', 50, 2, 'other = 3 OR id = 1', stripes => 8);
SELECT other = 3 OR id = 1 AS meets, n, count(*) FROM work GROUP BY 1, 2 ORDER BY 1, 2;
UPDATE work SET n = 0;
SELECT rows_changed FROM bulkpar_update('work', 'n', 'n + (SELECT count(*) FROM tenants)::int', 50, 2,
	'id % 4 IN (SELECT tenant FROM tenants WHERE tenant > 1) AND EXISTS (SELECT FROM work w WHERE w.id = work.id + 1)',
	stripes => 8, sees_batches => true);
SELECT id % 4 AS rest, n, count(*) FROM work GROUP BY 1, 2 ORDER BY 1, 2;

-- a policy
CREATE ROLE regress_stripes_ann;
GRANT USAGE ON SCHEMA stripes TO regress_stripes_ann;
GRANT SELECT, UPDATE ON work TO regress_stripes_ann;
UPDATE work SET n = 0;
ALTER TABLE work ENABLE ROW LEVEL SECURITY;
CREATE POLICY even ON work USING (id % 2 = 0);
SET ROLE regress_stripes_ann;
SELECT rows_changed FROM bulkpar_update('work', 'n', 'n + 1', 20, 2, 'id % 3 = 0', stripes => 8);
RESET ROLE;
SELECT id % 6 = 0 AS meets, n, count(*) FROM work GROUP BY 1, 2;
ALTER TABLE work DISABLE ROW LEVEL SECURITY;

-- Skipped errors: just the rows that fail are recorded, and all others updated.
CREATE TABLE bad (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, p int DEFAULT 0);
INSERT INTO bad SELECT generate_series(1, 500);
ANALYZE bad;
CREATE TABLE skipped (stripes int, rows bigint, failed bigint, others_once boolean,
	complete boolean, failed_keys text, sqlstates text);
CREATE PROCEDURE skip_errors(expression text, condition text DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
	number int;
	result bulkpar_result;
BEGIN
	TRUNCATE skipped;
	FOREACH number IN ARRAY '{2,8,64}'::int[] LOOP
		UPDATE bad SET n = 0;
		COMMIT;
		SELECT * INTO result FROM bulkpar_update('bad', 'n', expression, 40, 2,
			condition, on_error => 'skip', stripes => number);
		INSERT INTO skipped SELECT number, result.rows_changed, result.rows_failed,
			(SELECT bool_and(n = (key IS NULL)::int) FROM bad
				LEFT JOIN bulkpar.bulkpar_error ON job_id = result.job_id AND key[1]::int = id),
			(SELECT bool_and(c.status = 'succeeded' AND c.stripe = c.stripes - 1 AND c.last_key = c.hi)
				AND max(c.stripes) > 1 AND sum(c.rows_done) = 500
				AND sum(c.rows_changed) = result.rows_changed AND sum(c.rows_failed) = result.rows_failed
				FROM bulkpar.bulkpar_chunk c WHERE job_id = result.job_id),
			(SELECT string_agg(key[1], ' ' ORDER BY key[1]::int) FROM bulkpar.bulkpar_error WHERE job_id = result.job_id),
			(SELECT string_agg(DISTINCT sqlstate, ' ') FROM bulkpar.bulkpar_error WHERE job_id = result.job_id);
	END LOOP;
END $$;
-- in the expression; the first row and the last, and neighbours
CALL skip_errors('n + 1 + 0 / (id % 100)');
TABLE skipped;
CALL skip_errors('n + 1 + CASE WHEN id IN (1, 2, 3, 250, 251, 499, 500) THEN 1 / n ELSE 0 END');
TABLE skipped;
-- in the condition: rows of other stripes are not blamed, and are not in the way
CALL skip_errors('n + 1', '1 / (id % 97) >= 0');
TABLE skipped;
CALL skip_errors('n + 1', '1 / (id % 97) >= 0 AND EXISTS (SELECT FROM work w WHERE w.id = bad.id)');
TABLE skipped;
-- in a trigger
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.n > 0 AND NEW.id IN (7, 77, 78, 477) THEN
		RAISE EXCEPTION 'row % refused', NEW.id USING ERRCODE = 'ZZ001';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON bad FOR EACH ROW EXECUTE FUNCTION refuse();
CALL skip_errors('n + 1');
TABLE skipped;
DROP TRIGGER refuse ON bad;
-- in a constraint, and in one that is looked at when the batch commits
UPDATE bad SET n = 0;
ALTER TABLE bad ADD CONSTRAINT c CHECK (n = 0 OR id NOT IN (1, 123, 500));
CALL skip_errors('n + 1');
TABLE skipped;
ALTER TABLE bad DROP CONSTRAINT c;
CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON bad DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION refuse();
CALL skip_errors('n + 1');
TABLE skipped;
DROP TRIGGER refuse ON bad;

-- An error that stops the job is one of a row of the stripe that was at work;
-- the job goes on there.
UPDATE bad SET n = 0;
\set VERBOSITY terse
SELECT bulkpar_update('bad', 'n', 'n + 1 + 0 / (id - 333 + p)', 40, 1, stripes => 8);
\set VERBOSITY default
SELECT c.status, bool_and(bulkpar.bulkpar_in_stripe(c.stripes, c.stripe, 333)) AS stripe_of_row,
	bool_and(n = (s.stripe < c.stripe OR s.stripe = c.stripe AND id <= coalesce(c.last_key[1]::int, 0))::int) AS whole
	FROM bulkpar.bulkpar_chunk c, bad, LATERAL (
		SELECT stripe FROM generate_series(0, c.stripes - 1) stripe
		WHERE bulkpar.bulkpar_in_stripe(c.stripes, stripe, id)) s
	WHERE c.job_id = (SELECT max(job_id) FROM bulkpar.bulkpar_job)
		AND id > coalesce(c.lo[1]::int, 0) AND id <= c.hi[1]::int AND c.status = 'failed'
	GROUP BY 1;
UPDATE bad SET p = 1000;
SELECT max(job_id) AS job FROM bulkpar.bulkpar_job \gset
SELECT status, rows_changed FROM bulkpar_resume(:job, batch_size => 11);
SELECT n, count(*) FROM bad GROUP BY n;

-- the argument
\set VERBOSITY terse
SELECT bulkpar_update('work', 'n', '1', stripes => 0);
SELECT bulkpar_update('work', 'n', '1', stripes => -1);
SELECT bulkpar_update('work', 'n', '1', stripes => 65);
SELECT bulkpar_update('work', ARRAY['n'], ARRAY['1'], stripes => 2147483647);
SELECT rows_changed FROM bulkpar_update('work', ARRAY['n'], ARRAY['1'], stripes => 64);
SELECT rows_changed FROM bulkpar_update('work', 'n', '1', 1000, 1, NULL, true, 'stop', 0, NULL, 1);
-- a key that cannot be hashed, also within another type
CREATE TABLE s_money (id money PRIMARY KEY, n int DEFAULT 0);
INSERT INTO s_money SELECT g FROM generate_series(1, 100) g;
SELECT bulkpar_update('s_money', 'n', 'n + 1', stripes => 2);
SELECT rows_changed FROM bulkpar_update('s_money', 'n', 'n + 1', stripes => 1);
SELECT rows_changed FROM bulkpar_update('s_money', 'n', 'n + 1');
CREATE TABLE s_prices (tenant int, id money[], n int DEFAULT 0, PRIMARY KEY (tenant, id));
INSERT INTO s_prices SELECT 1, ARRAY[g, g]::money[] FROM generate_series(1, 100) g;
SELECT bulkpar_update('s_prices', 'n', 'n + 1', stripes => 2);
SELECT rows_changed FROM bulkpar_update('s_prices', 'n', 'n + 1', 10);
SELECT (SELECT sum(n) FROM s_money), (SELECT sum(n) FROM s_prices);
\set VERBOSITY default

-- What is chosen.  A row takes a page, and no row is updated.
CREATE FUNCTION chosen(target regclass, VARIADIC column_names text[],
	OUT stripes int, OUT stripes_chosen boolean)
LANGUAGE plpgsql AS $$
DECLARE
	job bigint;
BEGIN
	SELECT job_id INTO job FROM bulkpar_update(target, column_names,
		array_fill('NULL'::text, ARRAY[cardinality(column_names)]), condition => 'a < 0');
	SELECT j.stripes, j.stripes_chosen INTO chosen.stripes, chosen.stripes_chosen
		FROM bulkpar_jobs j WHERE job_id = job;
END $$;
CREATE TABLE large (id int PRIMARY KEY, a int, b int, c int, d int, pad text)
	WITH (autovacuum_enabled = off);
ALTER TABLE large ALTER pad SET STORAGE PLAIN;
INSERT INTO large SELECT g, g, g, g, g, repeat('x', 5000) FROM generate_series(1, 1100) g;
SELECT * FROM chosen('large', 'b');
ANALYZE large;
SELECT * FROM chosen('large', 'b');
SELECT * FROM chosen('large', 'a', 'b', 'c');
SELECT job_id AS job FROM bulkpar_update('large', 'b', '0', condition => 'a < 0', stripes => 5) \gset
SELECT stripes, stripes_chosen FROM bulkpar_jobs WHERE job_id = :job;
-- an indexed column, one of several
CREATE INDEX i ON large (a);
SELECT * FROM chosen('large', 'a');
SELECT * FROM chosen('large', 'b');
SELECT * FROM chosen('large', 'b', 'a');
DROP INDEX i;
-- the caller's choice stands
CREATE INDEX i ON large (b);
SELECT job_id AS job FROM bulkpar_update('large', 'b', '0', condition => 'a < 0', stripes => 4) \gset
SELECT stripes, stripes_chosen FROM bulkpar_jobs WHERE job_id = :job;
DROP INDEX i;
-- an included column, an expression, a predicate
CREATE INDEX i ON large (a) INCLUDE (b);
SELECT * FROM chosen('large', 'b');
SELECT * FROM chosen('large', 'c');
DROP INDEX i;
CREATE INDEX i ON large ((b + c));
SELECT * FROM chosen('large', 'c');
SELECT * FROM chosen('large', 'd');
DROP INDEX i;
CREATE INDEX i ON large (a) WHERE d > 0;
SELECT * FROM chosen('large', 'd');
SELECT * FROM chosen('large', 'c');
DROP INDEX i;
-- other kinds of indexes; those of blocks allow HOT updates from PostgreSQL 16 on
CREATE INDEX i ON large USING hash (b);
SELECT * FROM chosen('large', 'b');
DROP INDEX i;
CREATE INDEX i ON large USING brin (b);
SELECT stripes = CASE WHEN current_setting('server_version_num')::int < 160000
	THEN 1 ELSE 12 END AS as_expected FROM chosen('large', 'b');
DROP INDEX i;
-- generated columns: without an index, and with one
ALTER TABLE large ADD twice int GENERATED ALWAYS AS (b * 2) STORED;
ANALYZE large;
SELECT * FROM chosen('large', 'b');
CREATE INDEX i ON large (twice);
SELECT * FROM chosen('large', 'b');
DROP INDEX i;
ALTER TABLE large DROP twice;
-- the order of the heap: backward, none
CREATE TABLE backward (LIKE large INCLUDING ALL);
INSERT INTO backward SELECT * FROM large ORDER BY id DESC;
ANALYZE backward;
SELECT * FROM chosen('backward', 'b');
CREATE TABLE shuffled (LIKE large INCLUDING ALL) WITH (autovacuum_enabled = off);
INSERT INTO shuffled SELECT * FROM large ORDER BY md5(id::text);
SELECT * FROM chosen('shuffled', 'b');
ANALYZE shuffled;
SELECT * FROM chosen('shuffled', 'b');
-- the first column of the key decides
ALTER TABLE shuffled DROP CONSTRAINT shuffled_pkey;
ALTER TABLE shuffled ADD PRIMARY KEY (id, c);
SELECT * FROM chosen('shuffled', 'b');
-- uuid: random as long as nobody has looked; then what the statistics say
CREATE TABLE random (id uuid PRIMARY KEY, a int, b int, pad text) WITH (autovacuum_enabled = off);
ALTER TABLE random ALTER pad SET STORAGE PLAIN;
INSERT INTO random SELECT md5(g::text)::uuid, g, g, repeat('x', 5000) FROM generate_series(1, 1100) g;
SELECT * FROM chosen('random', 'b');
ANALYZE random;
SELECT * FROM chosen('random', 'b');
TRUNCATE random;
INSERT INTO random SELECT lpad(to_hex(g), 32, '0')::uuid, g, g, repeat('x', 5000) FROM generate_series(1, 1100) g;
ANALYZE random;
SELECT * FROM chosen('random', 'b');
-- a key that cannot be hashed
ALTER TABLE large DROP CONSTRAINT large_pkey;
ALTER TABLE large ALTER id TYPE money, ADD PRIMARY KEY (id);
ANALYZE large;
SELECT * FROM chosen('large', 'b');
-- a table that is just too small
CREATE TABLE smaller (LIKE backward INCLUDING ALL);
INSERT INTO smaller SELECT * FROM backward WHERE id <= 1000 ORDER BY id;
ANALYZE smaller;
SELECT * FROM chosen('smaller', 'b');
-- an empty one
CREATE TABLE empty (LIKE backward INCLUDING ALL);
SELECT * FROM chosen('empty', 'b');

-- What a job has cost: all updates are HOT where pages have room, and none is
-- where an indexed column is set.
CREATE TABLE cost (id int PRIMARY KEY, a int, b int) WITH (fillfactor = 40, autovacuum_enabled = off);
INSERT INTO cost SELECT g, g, g FROM generate_series(1, 5000) g;
CREATE INDEX ON cost (b);
ANALYZE cost;
CREATE FUNCTION cost_of(job bigint, OUT rows bigint, OUT hot bigint, OUT sums boolean, OUT wal boolean,
	OUT table_before boolean, OUT table_after boolean, OUT index boolean, OUT dead boolean)
LANGUAGE sql AS $$
	SELECT c.rows, j.rows_hot, j.rows_hot = c.hot AND j.wal_bytes = c.wal,
		j.wal_bytes BETWEEN c.rows * 60 AND c.rows * 2000,
		table_bytes_before / 8192 BETWEEN 50 AND 100,
		table_bytes_after >= table_bytes_before AND table_bytes_after = pg_table_size('cost'),
		index_bytes_after >= index_bytes_before AND index_bytes_after = pg_indexes_size('cost'),
		dead_rows >= 0
	FROM bulkpar_jobs j, (SELECT sum(rows_changed) AS rows, sum(rows_hot) AS hot, sum(wal_bytes) AS wal
		FROM bulkpar_chunks WHERE job_id = job) c WHERE job_id = job
$$;
SELECT job_id AS job FROM bulkpar_update('cost', 'a', 'a + 1', 100, 2, stripes => 4) \gset
SELECT * FROM cost_of(:job);
SELECT job_id AS job FROM bulkpar_update('cost', 'b', 'b + 1', 100, 2) \gset
SELECT * FROM cost_of(:job);

-- All that belongs to a table counts, as PostgreSQL says.
CREATE UNLOGGED TABLE toasted (id int PRIMARY KEY, a int, t text)
	WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off);
ALTER TABLE toasted ALTER t SET STORAGE EXTERNAL;
INSERT INTO toasted SELECT g, g, repeat('x', 5000) FROM generate_series(1, 200) g;
CREATE INDEX ON toasted (a);
VACUUM ANALYZE toasted;
SELECT pg_table_size('toasted') AS table_bytes, pg_relation_size('toasted') AS heap_bytes,
	pg_indexes_size('toasted') AS index_bytes \gset
SELECT job_id AS job FROM bulkpar_update('toasted', 't', 't || a', 50, 2) \gset
SELECT table_bytes_before = :table_bytes AS table_before, index_bytes_before = :index_bytes AS index_before,
	table_bytes_after = pg_table_size('toasted') AS table_after,
	index_bytes_after = pg_indexes_size('toasted') AS index_after,
	table_bytes_after > :table_bytes AS grown, :table_bytes > :heap_bytes * 10 AS in_toast
FROM bulkpar_jobs WHERE job_id = :job;

SET search_path = public;
DROP SCHEMA stripes CASCADE;
DROP ROLE regress_stripes_ann;
