--
-- skip_unchanged: rows that would stay the same are left alone
--
SET bulkpar.report = off;
-- however many processors there are
SET bulkpar.workers = 2;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;

CREATE TYPE pair AS (a int, b text);
-- ids up to 60 once, those up to 20 twice more, others not at all
CREATE TABLE source (id int, v numeric, name text);
INSERT INTO source SELECT g, g + 0.123, 'new ' || g FROM generate_series(1, 60) g;
INSERT INTO source SELECT g % 20 + 1, 1000, 'other' FROM generate_series(1, 40) g;
CREATE VIEW last_job AS SELECT * FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;
CREATE TABLE same (
	id int PRIMARY KEY,
	n int NOT NULL DEFAULT 5,
	short varchar(5),
	price numeric(8,2),
	doc json,
	bdoc jsonb,
	page xml,
	at point,
	tags text[],
	docs json[],
	both_of pair,
	doubled int GENERATED ALWAYS AS (n * 2) STORED,
	xids bigint
);
INSERT INTO same SELECT g FROM generate_series(1, 100) g;
-- which rows were written since the last look
CREATE FUNCTION written() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	rows bigint;
BEGIN
	SELECT count(*) INTO rows FROM same WHERE xids IS DISTINCT FROM xmin::text::bigint;
	-- one transaction writes all, so that only its number has to be kept
	UPDATE same SET xids = txid_current();
	RETURN rows;
END $$;
SELECT written() > 0 AS begun;
CREATE VIEW result AS SELECT status, u.rows_done, u.rows_changed, u.rows_unchanged FROM bulkpar_progress u
	ORDER BY job_id DESC LIMIT 1;

-- a second run writes nothing
SELECT rows_changed, rows_unchanged FROM bulkpar_update('same', 'n', 'id', 10, skip_unchanged => true);
SELECT written();
SELECT status, rows_changed, rows_unchanged FROM bulkpar_update('same', 'n', 'id', 10, skip_unchanged => true);
SELECT written();
SELECT * FROM result;
SELECT skip_unchanged FROM last_job;
SELECT rows_changed, rows_unchanged FROM bulkpar_update('same', 'n', 'id', 10);
SELECT written();
-- some rows; with a condition; several columns, of which one differs
SELECT rows_changed, rows_unchanged FROM bulkpar_update('same', 'n', 'least(id, 60)', 10, skip_unchanged => true);
SELECT written();
SELECT rows_changed, rows_unchanged FROM bulkpar_update('same', 'n', '60', 10, condition => 'id > 50', skip_unchanged => true);
SELECT written();
SELECT rows_changed, rows_unchanged FROM bulkpar_update('same', ARRAY['n', 'short'],
	ARRAY['n', 'CASE WHEN id <= 30 THEN ''x'' END'], 10, skip_unchanged => true);
SELECT written();
SELECT count(*) FROM same WHERE doubled = 2 * n;
-- values as they are assigned
SELECT rows_changed, rows_unchanged FROM bulkpar_execute(
	'UPDATE same SET short = (''ab'' || id)::text::varchar(5), price = id + 0.126', 10, skip_unchanged => true);
SELECT written();
SELECT rows_changed, rows_unchanged FROM bulkpar_execute(
	'UPDATE same SET short = (''ab'' || id) || ''   '', price = id + 0.1301 WHERE id < 100', 10, skip_unchanged => true);
SELECT written();
-- NULL
SELECT rows_changed, rows_unchanged FROM bulkpar_update('same', 'short', 'NULL', 10,
	condition => 'id <= 40', skip_unchanged => true);
SELECT written();
SELECT rows_changed, rows_unchanged FROM bulkpar_update('same', ARRAY['short', 'price'], ARRAY['NULL', 'price'], 10,
	skip_unchanged => true);
SELECT written();
-- types without equality, and those that are made of them
SELECT rows_changed, rows_unchanged FROM bulkpar_execute($$UPDATE same SET doc = '{"a": 1}', bdoc = '{"a": 1}',
	page = '<a>1</a>', at = point(id, 1), docs = ARRAY['1'::json], tags = '{a,b}', both_of = (id, 'x')$$, 10,
	skip_unchanged => true);
SELECT written();
SELECT rows_changed, rows_unchanged FROM bulkpar_execute($$UPDATE same SET doc = '{"a": 1}', bdoc = '{"a":  1}',
	page = '<a>1</a>', at = point(id, 1), docs = ARRAY['1'::json], tags = '{a,b}', both_of = (id, 'x')$$, 10,
	skip_unchanged => true);
SELECT written();
SELECT rows_changed, rows_unchanged FROM bulkpar_execute($$UPDATE same SET
	doc = CASE id WHEN 1 THEN '{"a":  1}' WHEN 2 THEN NULL ELSE doc END,
	page = CASE id WHEN 3 THEN '<a>2</a>' ELSE page END,
	at = CASE id WHEN 4 THEN NULL WHEN 5 THEN point(0, 0) ELSE at END,
	docs = CASE id WHEN 6 THEN ARRAY['2'::json] ELSE docs END$$, 10, skip_unchanged => true);
SELECT written();
-- an element, a field
SELECT rows_changed, rows_unchanged FROM bulkpar_execute($$UPDATE same SET tags[2] = CASE WHEN id <= 10 THEN 'c' ELSE 'b' END,
	tags[1] = 'a', bdoc['a'] = to_jsonb(CASE WHEN id = 20 THEN 2 ELSE 1 END), both_of.b = 'x'$$, 10, skip_unchanged => true);
SELECT written();
-- DEFAULT, also of the column that is generated
SELECT rows_changed, rows_unchanged FROM bulkpar_execute('UPDATE same SET n = CASE WHEN id <= 10 THEN 0 ELSE 5 END', 10);
SELECT written();
SELECT rows_changed, rows_unchanged FROM bulkpar_execute('UPDATE same SET n = DEFAULT, doubled = DEFAULT, price = DEFAULT', 10,
	skip_unchanged => true);
SELECT rows_changed, rows_unchanged FROM bulkpar_update('same', ARRAY['n', 'doubled', 'price'],
	ARRAY['DEFAULT', 'DEFAULT', 'DEFAULT'], 10, skip_unchanged => true);
SELECT n, doubled, price, count(*) FROM same GROUP BY 1, 2, 3;
SELECT written();
SELECT rows_changed, rows_unchanged FROM bulkpar_execute('UPDATE same SET (n, price) = (DEFAULT, NULL)', 10, skip_unchanged => true);
SELECT written();
-- FROM; a subquery with the row
SELECT rows_changed, rows_unchanged FROM bulkpar_update('same', 'price', 's.v', 10, from_item => 'source s',
	condition => 's.id = same.id AND s.id > 20', skip_unchanged => true);
SELECT written();
SELECT rows_changed, rows_unchanged FROM bulkpar_update('same', 'price', 's.v', 10, from_item => 'source s',
	condition => 's.id = same.id AND s.id > 20', skip_unchanged => true);
SELECT rows_changed, rows_unchanged FROM bulkpar_execute('UPDATE same SET
	price = (SELECT max(v) FROM source s WHERE s.id = same.id) WHERE id > 20', 10, skip_unchanged => true);
SELECT rows_changed, rows_unchanged FROM bulkpar_execute('UPDATE same i SET n = o.n FROM same o WHERE o.id = i.id', 10,
	skip_unchanged => true);
SELECT written();
-- the same in stripes
SELECT rows_changed, rows_unchanged FROM bulkpar_update('same', 'n', 'least(id, 50)', 10, skip_unchanged => true, stripes => 4);
SELECT rows_changed, rows_unchanged FROM bulkpar_update('same', 'n', 'least(id, 50)', 10, skip_unchanged => true, stripes => 4);
SELECT written();
-- a BEFORE trigger is not called for rows that are left alone, and may change
-- the others
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN NEW.short := coalesce(NEW.short, '''') || ''t''; RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON same FOR EACH ROW WHEN (NEW.xids = OLD.xids) EXECUTE FUNCTION touch();
SELECT rows_changed, rows_unchanged FROM bulkpar_update('same', 'n', 'least(id, 40)', 10, skip_unchanged => true);
SELECT short, count(*) FROM same GROUP BY short ORDER BY short;
DROP TRIGGER touch ON same;
SELECT written();
-- rows that fail count as neither
SELECT rows_changed, rows_unchanged, rows_failed FROM bulkpar_update('same', 'n', '40 + 0 / (id - 70)', 10,
	on_error => 'skip', skip_unchanged => true);
SELECT written();
-- a batch that is tried again counts its rows once
CREATE SEQUENCE tries;
CREATE FUNCTION try_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id = 5 AND nextval('tries') = 1 THEN
		RAISE serialization_failure;
	END IF;
	RETURN NEW;
END $$;
UPDATE same SET n = CASE WHEN id > 51 THEN 5 ELSE 0 END;
CREATE TRIGGER try_again BEFORE UPDATE ON same FOR EACH ROW EXECUTE FUNCTION try_again();
SELECT rows_changed, rows_unchanged FROM bulkpar_update('same', 'n', '5', 10, 1, skip_unchanged => true);
SELECT sum(retries) FROM bulkpar.bulkpar_chunk JOIN last_job USING (job_id);
DROP TRIGGER try_again ON same;
-- only rows that the whole condition lets through are looked at, whatever it costs
CREATE TABLE left_out (id int PRIMARY KEY, n int, k int, secret text);
INSERT INTO left_out SELECT g, 0, g % 10, 'x' FROM generate_series(1, 100) g;
CREATE TABLE left_in AS SELECT id FROM left_out WHERE k <> 0;
ANALYZE left_out, left_in;
SELECT rows_changed, rows_unchanged FROM bulkpar_update('left_out', 'n', '10 / k', 10, 1, from_item => 'left_in s',
	condition => 's.id = left_out.id', skip_unchanged => true);
SELECT count(*) FROM left_out WHERE n = CASE WHEN k = 0 THEN 0 ELSE 10 / k END;
UPDATE left_out SET n = 5;
SELECT rows_changed, rows_unchanged FROM bulkpar_update('left_out', 'n', '5', 10, 1, from_item => 'left_in s',
	condition => 's.id = left_out.id', skip_unchanged => true);
SELECT rows_changed, rows_unchanged FROM bulkpar_update('left_out', 'n', '5', 10, 1,
	condition => 'EXISTS (SELECT FROM left_in s WHERE s.id = left_out.id AND s.id < 12 AND s.id <> 1)',
	skip_unchanged => true);
CREATE FUNCTION costly(int) RETURNS boolean COST 1000000 LANGUAGE plpgsql AS 'BEGIN RETURN $1 <> 0; END';
SELECT rows_changed, rows_unchanged FROM bulkpar_update('left_out', 'n', '10 / k', 10, 1, condition => 'costly(k)',
	skip_unchanged => true);
SELECT rows_changed, rows_unchanged FROM bulkpar_update('left_out', 'n', '10 / k', 10, 1, from_item => 'left_in s',
	condition => 's.id = left_out.id AND costly(k) AND costly((s.id > 0)::int)', skip_unchanged => true);
-- nor rows that what is joined in a FROM item leaves out
CREATE TABLE left_all (id int PRIMARY KEY);
INSERT INTO left_all SELECT id FROM left_out;
ALTER TABLE left_in ADD PRIMARY KEY (id);
ANALYZE left_all, left_in;
CREATE VIEW left_view AS SELECT id FROM left_all JOIN left_in USING (id);
SELECT rows_changed, rows_unchanged FROM bulkpar_update('left_out', 'n', '10 / k', 10, 1,
	from_item => '(SELECT s.id FROM left_all s JOIN left_in USING (id)) s', condition => 's.id = left_out.id', skip_unchanged => true);
SELECT rows_changed, rows_unchanged FROM bulkpar_update('left_out', 'n', '10 / k', 10, 1,
	from_item => 'left_all s LEFT JOIN left_view v ON v.id = s.id', condition => 's.id = left_out.id AND v.id > 0', skip_unchanged => true);
SELECT rows_changed, rows_unchanged FROM bulkpar_update('left_out', 'n', '10 / k', 10, 1,
	from_item => '(SELECT * FROM left_all s WHERE EXISTS (SELECT FROM left_in i WHERE i.id = s.id)) s',
	condition => 's.id = left_out.id', skip_unchanged => true);
SELECT rows_changed, rows_unchanged FROM bulkpar_update('left_out', 'n', '10 / k', 10, 1,
	from_item => 'left_all s JOIN left_all a ON a.id = s.id AND s.id IN (SELECT id FROM left_in)',
	condition => 's.id = left_out.id', skip_unchanged => true);
SELECT rows_changed, rows_unchanged FROM bulkpar_update('left_out', 'n', '10', 10, 1,
	from_item => '(SELECT * FROM left_all s WHERE NOT EXISTS (SELECT FROM left_in i WHERE i.id = s.id + 10)) s',
	condition => 's.id = left_out.id AND k <> 0', skip_unchanged => true);
SELECT rows_changed, rows_unchanged FROM bulkpar_update('left_out', 'n', '10 / k', 10, 1,
	from_item => '(SELECT 1 AS one FROM left_all WHERE id < 0) q', skip_unchanged => true);
-- nor rows that another batch has in its list, by whatever plan
CREATE TABLE few (part int, k varchar(30), n int, x int, PRIMARY KEY (part, k)) PARTITION BY RANGE (part);
CREATE TABLE few_1 PARTITION OF few FOR VALUES FROM (MINVALUE) TO (2);
CREATE TABLE few_2 PARTITION OF few FOR VALUES FROM (2) TO (3);
CREATE TABLE few_3 PARTITION OF few DEFAULT;
INSERT INTO few SELECT g % 6, 'v' || g, g % 5, g % 5 FROM generate_series(1, 102) g;
CREATE TABLE seen AS SELECT generate_series(1, 100) AS x;
CREATE INDEX ON seen (x);
CREATE ROLE regress_bulkpar_erin LOGIN;
GRANT SELECT, UPDATE ON few, seen TO regress_bulkpar_erin;
ALTER TABLE few ENABLE ROW LEVEL SECURITY;
CREATE POLICY few_seen ON few FOR SELECT USING (EXISTS (SELECT FROM seen WHERE seen.x = few.x));
CREATE POLICY few_some ON few FOR UPDATE USING (x % 5 <> 0);
CREATE POLICY few_rest ON few AS RESTRICTIVE USING (x <> 21);
SET SESSION AUTHORIZATION regress_bulkpar_erin;
SET enable_indexscan = off;
SELECT rows_changed, rows_unchanged FROM bulkpar_update('few', 'n', '1', 10, condition => 'x > 0', stripes => 1,
	skip_unchanged => true);
RESET enable_indexscan;
RESET SESSION AUTHORIZATION;
SELECT count(keys) > 0 AS listed FROM bulkpar.bulkpar_chunk JOIN last_job USING (job_id);
SELECT n, count(*) FROM few GROUP BY n ORDER BY n;
-- it reads the columns that are set
GRANT UPDATE (secret), SELECT (id) ON left_out TO regress_bulkpar_erin;
SET SESSION AUTHORIZATION regress_bulkpar_erin;
SELECT bulkpar_update('left_out', 'secret', '''x''', condition => 'secret IS DISTINCT FROM ''x''');
SELECT bulkpar_update('left_out', 'secret', '''x''', skip_unchanged => true);
SELECT rows_changed FROM bulkpar_update('left_out', 'secret', '''x''', 10, 1);
RESET SESSION AUTHORIZATION;
DROP OWNED BY regress_bulkpar_erin;
DROP ROLE regress_bulkpar_erin;
-- equal, but not the same
CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE equal (id int PRIMARY KEY, t text COLLATE no_case, m numeric, i interval);
INSERT INTO equal VALUES (1, 'ABC', 1.00, '24:00'), (2, 'abc', 1.0, '1 day');
SELECT rows_changed, rows_unchanged FROM bulkpar_update('equal', ARRAY['t', 'm', 'i'],
	ARRAY['lower(t)', '1.0', '''1 day'''], 10, 1, skip_unchanged => true);
SELECT * FROM equal ORDER BY id;
-- expressions are evaluated once; several columns from one subquery
CREATE SEQUENCE calls;
SELECT rows_changed, rows_unchanged FROM bulkpar_update('left_out', 'n', 'id + 0 * nextval(''calls'')', 10, skip_unchanged => true);
SELECT last_value FROM calls;
SELECT rows_changed, rows_unchanged FROM bulkpar_execute(
	'UPDATE left_out SET (n, secret) = (SELECT left_out.n, CASE WHEN id > 95 THEN ''y'' ELSE ''x'' END)', 10, skip_unchanged => true);
-- one within another, in a session and in a worker
CREATE FUNCTION within(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	IF n = 5 THEN
		PERFORM bulkpar_explain('left_out', 'secret', 'secret', skip_unchanged => true, sample => true);
	END IF;
	RETURN n;
END $$;
SELECT count(*) FROM bulkpar_explain('same', 'n', 'n + within(id) % 2', skip_unchanged => true, sample => true) AS line WHERE line LIKE 'Sample:%of which 50 changed%';
SELECT rows_changed, rows_unchanged FROM bulkpar_update('same', 'n', 'n + within(id) % 2', 10, skip_unchanged => true);
-- what it is not for
SELECT bulkpar_execute('DELETE FROM same', skip_unchanged => true);
\set VERBOSITY terse
SELECT bulkpar_delete('same', 'true', skip_unchanged => true);

SET client_min_messages = warning;
DROP VIEW last_job, result;
DROP VIEW left_view;
DROP TABLE source, same, left_out, left_in, left_all, equal, few, seen;
DROP COLLATION no_case;
DROP TYPE pair;
DROP FUNCTION written, touch, try_again, costly, within;
DROP SEQUENCE tries, calls;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
