--
-- Several tables in one job
--
SET bulkpar.report = off;
-- however many processors there are
SET bulkpar.workers = 2;
SET client_min_messages = warning;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;
\set message '\\echo :LAST_ERROR_MESSAGE'

CREATE VIEW last_job AS SELECT * FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;
CREATE SCHEMA a;
CREATE SCHEMA b;
CREATE SCHEMA c;
-- like tables: other keys, other types and places of the columns, partitions
CREATE TABLE a.item (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, broken boolean DEFAULT false);
CREATE TABLE b.item (gone int, broken boolean DEFAULT false, code text, n bigint NOT NULL DEFAULT 0, note text, PRIMARY KEY (code));
ALTER TABLE b.item DROP COLUMN gone;
CREATE TABLE c.item (n numeric DEFAULT 0, broken boolean DEFAULT false, id int NOT NULL, half int NOT NULL)
	PARTITION BY LIST (half);
CREATE TABLE c.item_0 PARTITION OF c.item FOR VALUES IN (0);
CREATE TABLE c.item_1 PARTITION OF c.item FOR VALUES IN (1);
CREATE TABLE c.item_2 PARTITION OF c.item FOR VALUES IN (2);
ALTER TABLE c.item ADD PRIMARY KEY (id, half);
INSERT INTO a.item SELECT i FROM generate_series(1, 200) i;
INSERT INTO b.item (code) SELECT 'x' || i FROM generate_series(1, 300) i;
INSERT INTO c.item (id, half) SELECT i, i % 2 FROM generate_series(1, 100) i;
CREATE VIEW items AS SELECT 'a' AS name, n, broken FROM a.item UNION ALL
	SELECT 'b', n, broken FROM b.item UNION ALL SELECT 'c', n, broken FROM c.item;

SELECT status, rows_changed FROM bulkpar_update(ARRAY['a.item', 'b.item', 'c.item']::regclass[], 'n', 'n + 1', 30);
SELECT name, n, count(*) FROM items GROUP BY 1, 2 ORDER BY 1;
SELECT target, targets, key_index, command FROM last_job;
SELECT target, targets, status, percent, rows_changed FROM bulkpar_progress ORDER BY job_id DESC LIMIT 1;
SELECT relation, sum(rows_changed) FROM bulkpar_chunks WHERE job_id = (SELECT job_id FROM last_job) GROUP BY 1 ORDER BY 1;

--
-- Which function a call means
--
CREATE TABLE one (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
INSERT INTO one VALUES (1);
SELECT rows_changed FROM bulkpar_update('one', 'n', 'n + 1', 1000);
SELECT rows_changed FROM bulkpar_update('one', 'n', 'n + 1');
SELECT rows_changed FROM bulkpar_update('one'::regclass, 'n', 'n + 1');
SELECT rows_changed FROM bulkpar_update('one'::text, 'n', 'n + 1');
SELECT rows_changed FROM bulkpar_update('one'::varchar, 'n', 'n + 1');
SELECT rows_changed FROM bulkpar_update('one'::name, 'n', 'n + 1');
SELECT rows_changed FROM bulkpar_update('one'::regclass::oid, 'n', 'n + 1');
SELECT 'one'::regclass::oid::int AS number \gset
SELECT rows_changed FROM bulkpar_update(:number, 'n', 'n + 1');
SELECT rows_changed FROM bulkpar_update(target => 'one', column_name => 'n', expression => 'n + 1', condition => 'id = 1');
SELECT rows_changed FROM bulkpar_update('one', ARRAY['n'], ARRAY['n + 1']);
SELECT rows_changed FROM bulkpar_update('one', '{n}', '{n + 1}');
SELECT rows_changed FROM bulkpar_update('one', '{n}'::text[], '{n + 1}'::text[]);
SELECT rows_changed FROM bulkpar_update('one'::regclass, '{n}'::text[], '{n + 1}'::text[]);
SELECT rows_changed FROM bulkpar_update('public.one', 'n', 'n + 1', workers => 1);
PREPARE untyped AS SELECT rows_changed FROM bulkpar_update($1, $2, $3, $4);
EXECUTE untyped('one', 'n', 'n + 1', 10);
PREPARE typed (regclass, text, text) AS SELECT rows_changed FROM bulkpar_update($1, $2, $3);
EXECUTE typed('one', 'n', 'n + 1');
SELECT n FROM one;
-- several: all of these are the same
SELECT rows_changed FROM bulkpar_update(ARRAY['one', 'a.item']::regclass[], 'n', 'n + 1');
SELECT rows_changed FROM bulkpar_update(ARRAY['one', 'a.item'], 'n', 'n + 1');
SELECT rows_changed FROM bulkpar_update('{one, a.item}'::regclass[], 'n', 'n + 1');
SELECT rows_changed FROM bulkpar_update('{one,a.item}', 'n', 'n + 1');
SELECT rows_changed FROM bulkpar_update(targets => '{one,a.item}', column_name => 'n', expression => 'n + 1');
SELECT rows_changed FROM bulkpar_update(ARRAY['one', 'a.item'], ARRAY['n'], ARRAY['n + 1']);
SELECT rows_changed FROM bulkpar_update(targets => ARRAY['one', 'a.item'], column_name => '{n}', expression => '{n + 1}');
SELECT rows_changed FROM bulkpar_update(ARRAY['one'::regclass, 'a.item'], 'n', 'n + 1', 10, 1);
SELECT rows_changed FROM bulkpar_update(ARRAY['one'::regclass::oid, 'a.item'::regclass]::regclass[], 'n', 'n + 1');
SELECT n FROM one UNION ALL SELECT sum(n) FROM a.item;
-- with one element it is as without an array
SELECT rows_changed FROM bulkpar_update(ARRAY['one'::regclass], 'n', '0', key_index => 'one_pkey');
SELECT target, targets FROM last_job;
SELECT rows_changed FROM bulkpar_delete('one', 'id = 2');
SELECT rows_changed FROM bulkpar_delete('one', NULL, 10);
SELECT rows_changed FROM bulkpar_delete('one'::regclass, 'id = 2');
SELECT rows_changed FROM bulkpar_delete(target => 'one', condition => 'id = 2');
SELECT rows_changed FROM bulkpar_delete(ARRAY['one', 'a.item'], 'n < 0');
SELECT rows_changed FROM bulkpar_delete(targets => '{one,a.item}', condition => 'n < 0');
SELECT rows_changed FROM bulkpar_delete('{one,a.item}', 'n < 0');
SELECT * FROM bulkpar_explain('one', 'n', 'n + 1') LIMIT 1;
SELECT * FROM bulkpar_explain('one', 'n = 1') LIMIT 1;
SELECT * FROM bulkpar_explain(ARRAY['one', 'a.item'], 'n', 'n + 1') LIMIT 1;
SELECT * FROM bulkpar_explain('{one,a.item}', '{n}', '{n + 1}') LIMIT 1;
SELECT * FROM bulkpar_explain(ARRAY['one', 'a.item'], 'n = 1') LIMIT 1;
SELECT * FROM bulkpar_explain(targets => '{one,a.item}', condition => 'n = 1') LIMIT 1;
DROP TABLE one;

--
-- What is refused, before anything has changed
--
UPDATE a.item SET n = 0;
UPDATE b.item SET n = 0;
UPDATE c.item SET n = 0;
SELECT max(job_id) AS before FROM bulkpar_jobs \gset
CREATE VIEW looks AS SELECT * FROM a.item;
CREATE TEMP TABLE passing (id int PRIMARY KEY, n int);
CREATE TABLE keyless (n int);
CREATE TABLE nameless (id int PRIMARY KEY, m int);
CREATE TABLE textual (id int PRIMARY KEY, n text);
CREATE TABLE key_n (n int PRIMARY KEY);
CREATE TABLE ruled (id int PRIMARY KEY, n int);
CREATE RULE never AS ON UPDATE TO ruled DO INSTEAD NOTHING;
CREATE FOREIGN DATA WRAPPER none;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER none;
CREATE FOREIGN TABLE abroad (id int, n int) SERVER elsewhere;
CREATE TABLE parent (id int PRIMARY KEY, n int);
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
SELECT bulkpar_update('{}'::regclass[], 'n', 'n + 1');
SELECT bulkpar_update(NULL::regclass[], 'n', 'n + 1');
SELECT bulkpar_update(ARRAY['a.item', NULL]::regclass[], 'n', 'n + 1');
SELECT bulkpar_update('{{a.item},{b.item}}'::regclass[], 'n', 'n + 1');
SELECT bulkpar_update('{a.item,no_such}', 'n', 'n + 1');
SELECT bulkpar_update('{a.item,1}', 'n', 'n + 1');
SELECT bulkpar_update('{a.item,b.item,a.item}', 'n', 'n + 1');
SELECT bulkpar_update('{c.item,c.item_1}', 'n', 'n + 1');
SELECT bulkpar_update('{c.item_1,c.item}', 'n', 'n + 1', condition => 'half = 0');
SELECT bulkpar_update('{child,parent}', 'n', 'n + 1');
SELECT bulkpar_update('{a.item,looks}', 'n', 'n + 1');
\set VERBOSITY terse
SELECT bulkpar_update('{a.item,passing}', 'n', 'n + 1');
\set VERBOSITY default
SELECT bulkpar_update('{a.item,keyless}', 'n', 'n + 1');
SELECT bulkpar_update('{a.item,nameless}', 'n', 'n + 1');
\set VERBOSITY terse
SELECT bulkpar_update('{a.item,textual}', 'n', 'n + 1');
\set VERBOSITY default
SELECT bulkpar_update('{a.item,key_n}', 'n', 'n + 1');
SELECT bulkpar_update('{a.item,ruled}', 'n', 'n + 1');
SELECT bulkpar_update('{a.item,abroad}', 'n', 'n + 1');
SELECT bulkpar_update('{pg_catalog.pg_class,a.item}', 'relpages', '1');
SELECT bulkpar_update('{a.item,bulkpar.bulkpar_counter}', 'n', '1');
SELECT bulkpar_update('{a.item,b.item}', 'n', 'n + 1', condition => 'id > 0');
\set VERBOSITY terse
SELECT bulkpar_update('{a.item,b.item}', 'n', 'a.item.n + 1');
\set VERBOSITY default
SELECT bulkpar_update('{a.item,b.item}', 'n', 'n + 1', key_index => 'a.item_pkey');
SELECT bulkpar_update('{a.item,b.item}', 'n', '(SELECT count(*) FROM b.item x WHERE x.n >= item.n)');
SELECT bulkpar_delete('{a.item,b.item}', 'EXISTS (SELECT FROM b.item x WHERE x.n = item.n)');
SELECT u.rows_changed FROM b.item i, LATERAL bulkpar_update('{a.item,b.item}', 'n', 'n + ' || i.n) u;
CREATE ROLE regress_bulkpar_grace;
GRANT USAGE ON SCHEMA a, b TO regress_bulkpar_grace;
GRANT SELECT, UPDATE ON a.item TO regress_bulkpar_grace;
GRANT SELECT ON b.item TO regress_bulkpar_grace;
SET ROLE regress_bulkpar_grace;
SELECT bulkpar_update('{a.item,b.item}', 'n', 'n + 1');
RESET ROLE;
DROP OWNED BY regress_bulkpar_grace;
DROP ROLE regress_bulkpar_grace;
SELECT max(job_id) = :before AS no_job FROM bulkpar_jobs;
SELECT name, n, count(*) FROM items GROUP BY 1, 2 ORDER BY 1;
-- a name that is the table's own in one of them, and a column in the other
CREATE TABLE other (k int PRIMARY KEY, v int);
INSERT INTO other VALUES (1, 10);
CREATE TABLE plain (id int PRIMARY KEY, n text);
CREATE TABLE mean (id int PRIMARY KEY, n text, o int);
INSERT INTO plain VALUES (1);
INSERT INTO mean VALUES (1, NULL, 7);
SELECT bulkpar_update('{plain,mean}', 'n', 'o::text', from_item => '(SELECT * FROM other ORDER BY k LIMIT 1) o');
DROP VIEW looks;
DROP TABLE keyless, nameless, textual, key_n, ruled, passing, parent, child, other, plain, mean;
DROP FOREIGN DATA WRAPPER none CASCADE;

--
-- What is evaluated once is so for all of them
--
SELECT status, rows_changed FROM bulkpar_update('{a.item,b.item,c.item}', 'n', '(SELECT count(*) FROM items WHERE n = 0) + n', 30);
SELECT name, n, count(*) FROM items GROUP BY 1, 2 ORDER BY 1;
CREATE TABLE factor (f int);
INSERT INTO factor VALUES (2), (3);
SELECT status, rows_changed FROM bulkpar_update('{b.item,a.item,c.item}', 'n', 'item.n * m.f', 30, from_item => '(SELECT max(f) AS f FROM factor) m');
SELECT name, n, count(*) FROM items GROUP BY 1, 2 ORDER BY 1;
SELECT status, rows_changed FROM bulkpar_update('{a.item,b.item,c.item}', 'n', '0', 30, condition => 'n IN (SELECT max(n) FROM a.item)');
SELECT name, n, count(*) FROM items GROUP BY 1, 2 ORDER BY 1;
DROP TABLE factor;

--
-- Conditions, pruning, rows that are not changed
--
SELECT status, rows_changed, rows_unchanged FROM bulkpar_update('{a.item,b.item,c.item}', 'n', 'n % 2 + broken::int', 7, skip_unchanged => true);
SELECT rows_changed FROM bulkpar_update('{c.item_0,c.item_1}', 'n', 'n + 1', condition => 'half = 1');
SELECT relation FROM bulkpar.bulkpar_part WHERE job_id = (SELECT job_id FROM last_job) ORDER BY part_no;
CREATE TABLE d (LIKE c.item) PARTITION BY LIST (half);
CREATE TABLE d_0 PARTITION OF d (PRIMARY KEY (id)) FOR VALUES IN (0);
CREATE TABLE d_1 PARTITION OF d (PRIMARY KEY (id)) FOR VALUES IN (1);
INSERT INTO d (n, id, half) SELECT n, id, half FROM c.item;
SELECT rows_changed FROM bulkpar_update('{c.item,d}', 'n', 'n + 1', condition => 'half = 1');
SELECT relation, target FROM bulkpar.bulkpar_part WHERE job_id = (SELECT job_id FROM last_job) ORDER BY part_no;
SELECT rows_changed FROM bulkpar_delete('{d,c.item}', 'half = 1', 20);
SELECT (SELECT count(*) FROM d) AS d, (SELECT count(*) FROM c.item) AS c;
-- a table that has no partitions
CREATE TABLE e (id int PRIMARY KEY, n int, half int) PARTITION BY RANGE (id);
SELECT rows_changed FROM bulkpar_update('{e,c.item}', 'n', 'n + 1');
SELECT bulkpar_update('{e,c.item}', 'n', 'm + 1');
DROP TABLE d, e;
INSERT INTO c.item (id, half) SELECT i, 1 FROM generate_series(1, 100, 2) i;
UPDATE a.item SET n = 0;
UPDATE b.item SET n = 0;
UPDATE c.item SET n = 0;

--
-- Explain
--
SELECT pg_stat_force_next_flush() \g /dev/null
ANALYZE a.item, b.item, c.item;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER mine BEFORE UPDATE ON a.item FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TRIGGER mine BEFORE UPDATE ON b.item FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT regexp_replace(line, '\d+ (kB|bytes)', 'size') AS line FROM bulkpar_explain('{a.item,b.item,c.item}', 'n', 'n + 1', 100, stripes => 1) line
	WHERE line !~ '^(Warning|Row:|Plan| )';
DROP TRIGGER mine ON a.item;
DROP TRIGGER mine ON b.item;
SELECT regexp_replace(line, '\d+ (kB|bytes)', 'size') AS line FROM bulkpar_explain('{a.item,b.item}', 'n = 0', sample => true) line
	WHERE line ~ '^(Table|Statement|Rows|Batches)';

--
-- Errors name their tables; jobs go on, by themselves and by their names
--
UPDATE b.item SET broken = true WHERE code = 'x7';
UPDATE c.item SET broken = true WHERE id = 8;
SELECT bulkpar_update('{a.item,b.item,c.item}', 'n', 'n + 1 / (NOT broken)::int', 10, 1, job_name => 'tenants'); :message
SELECT status, context FROM last_job;
SELECT bulkpar_update('{a.item,b.item}', 'n', 'n + 1 / (NOT broken)::int', 10, 1, job_name => 'tenants'); :message
SELECT bulkpar_update('a.item', 'n', 'n + 1 / (NOT broken)::int', 10, 1, job_name => 'tenants'); :message
-- in another order it is the same; a table may have another name now
CREATE SCHEMA moved;
ALTER TABLE b.item RENAME TO thing;
ALTER TABLE a.item SET SCHEMA moved;
CREATE TABLE a.item (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, broken boolean);
INSERT INTO a.item VALUES (1), (2);
UPDATE b.thing SET broken = false;
SELECT bulkpar_update('{c.item,b.thing,moved.item}', 'n', 'n + 1 / (NOT broken)::int', 10, 1, job_name => 'tenants'); :message
SELECT status, context FROM last_job;
UPDATE c.item SET broken = false;
SELECT status, rows_changed FROM bulkpar_resume('tenants');
SELECT name, n, count(*) FROM items GROUP BY 1, 2 ORDER BY 1;
SELECT sum(n) FROM a.item;
SELECT job_name, target, targets, runs FROM last_job;
DROP VIEW items;
DROP TABLE a.item;
ALTER TABLE moved.item SET SCHEMA a;
ALTER TABLE b.thing RENAME TO item;
DROP SCHEMA moved;
UPDATE a.item SET n = 0;
UPDATE b.item SET n = 0;
UPDATE c.item SET n = 0;

-- rows that are skipped
UPDATE b.item SET broken = true WHERE code IN ('x7', 'x9');
UPDATE c.item SET broken = true WHERE id = 8;
SELECT status, rows_changed, rows_failed FROM bulkpar_update('{a.item,b.item,c.item}', 'n', 'n + 1 / (NOT broken)::int', 10, on_error => 'skip');
SELECT relation, key, sqlstate FROM bulkpar_errors ORDER BY relation, key;

-- a table or a column that is gone: the job goes on without the one, and cannot without the other
UPDATE b.item SET n = 0, broken = code = 'x7';
UPDATE a.item SET n = 0;
UPDATE c.item SET n = 0, broken = false;
SELECT bulkpar_update('{a.item,b.item,c.item}', 'n', 'n + 1 / (NOT broken)::int', 10, 1); :message
UPDATE b.item SET broken = false;
ALTER TABLE c.item RENAME n TO m;
SELECT bulkpar_resume((SELECT job_id FROM last_job)); :message
ALTER TABLE c.item RENAME m TO n;
DROP TABLE a.item, b.item;
SELECT status, rows_changed = (SELECT sum(rows_changed) FROM bulkpar_chunks WHERE job_id = j.job_id) AS counted
	FROM bulkpar_resume((SELECT job_id FROM last_job)) j;
SELECT n, count(*) FROM c.item GROUP BY 1;
SELECT relation::text ~ '^\d+$' AS dropped, gone FROM bulkpar.bulkpar_part WHERE job_id = (SELECT job_id FROM last_job) ORDER BY part_no;

--
-- Foreign keys between them, whose actions would be in the way of the job
--
CREATE TABLE a.code (id int PRIMARY KEY, code int UNIQUE);
CREATE TABLE b.code (ref int PRIMARY KEY REFERENCES a.code (code) ON UPDATE CASCADE ON DELETE CASCADE, code int DEFAULT 0);
INSERT INTO a.code SELECT i, i FROM generate_series(1, 100) i;
INSERT INTO b.code SELECT i FROM generate_series(1, 100) i;
SELECT bulkpar_update('{a.code,b.code}', 'code', 'code + 1000', 10, 2); :message
SELECT bulkpar_update('{b.code,a.code}', 'code', 'code + 1000', 10, 2); :message
-- by way of another table
CREATE TABLE c.code (ref int PRIMARY KEY REFERENCES b.code (ref) ON UPDATE CASCADE ON DELETE CASCADE, code int DEFAULT 0);
INSERT INTO c.code SELECT i FROM generate_series(1, 100) i;
SELECT bulkpar_update('{a.code,c.code}', 'code', 'code + 1000', 10, 2); :message
-- of which these are not
SELECT status, rows_changed FROM bulkpar_update('{b.code,c.code}', 'code', 'code + 1000', 10, 2);
SELECT status FROM bulkpar_update('a.code', 'code', 'code + 1000', 10, 2);
SELECT count(DISTINCT ref) FROM b.code WHERE ref > 1000 AND code = 1000;
-- what is deleted by them would be deleted anyway, or is left alone
SELECT status FROM bulkpar_delete('{a.code,b.code}', 'code % 2 = 0', 10, 2);
SELECT (SELECT count(*) FROM a.code) AS a, (SELECT count(*) FROM b.code) AS b, (SELECT count(*) FROM c.code) AS c;
DROP TABLE c.code;
ALTER TABLE b.code DROP CONSTRAINT code_ref_fkey;
ALTER TABLE b.code ADD FOREIGN KEY (ref) REFERENCES a.code (code) ON DELETE SET DEFAULT;
SELECT bulkpar_delete('{a.code,b.code}', 'code % 2 = 0', 10, 2); :message
-- one table, whose key is changed by its other column
CREATE TABLE c.chain (ref int PRIMARY KEY, code int UNIQUE, id int NOT NULL UNIQUE);
INSERT INTO c.chain SELECT i, i, i FROM generate_series(1, 100) i;
ALTER TABLE c.chain ADD FOREIGN KEY (ref) REFERENCES c.chain (code) ON UPDATE CASCADE;
SELECT bulkpar_update('c.chain', 'code', 'code + 1000', 10, 2); :message
SELECT status, rows_changed FROM bulkpar_update('c.chain', 'code', 'code + 1000', 10, 2, key_index => 'c.chain_id_key');
SELECT count(*) FROM c.chain WHERE code = id + 1000 AND ref = code;
DROP TABLE b.code, a.code;

--
-- One of them is dropped: what was evaluated once is still there for the others
--
CREATE TABLE a.gone (id int PRIMARY KEY, n int DEFAULT 0);
CREATE TABLE b.gone (LIKE a.gone INCLUDING ALL);
CREATE TABLE c.gone (LIKE a.gone INCLUDING ALL);
INSERT INTO a.gone SELECT generate_series(1, 30);
INSERT INTO b.gone SELECT generate_series(1, 30);
INSERT INTO c.gone SELECT generate_series(1, 30);
CREATE TABLE weight AS SELECT 5 AS w;
SET bulkpar.max_rows = 40;
SELECT status, rows_changed FROM bulkpar_update('{a.gone,b.gone,c.gone}', 'n', 'n + (SELECT max(w) FROM weight)', 10, 1);
RESET bulkpar.max_rows;
DROP TABLE a.gone;
SELECT status FROM bulkpar_resume((SELECT job_id FROM last_job));
SELECT status FROM bulkpar_resume((SELECT job_id FROM last_job));
SELECT 'b' AS name, n, count(*) FROM b.gone GROUP BY 2 UNION ALL SELECT 'c', n, count(*) FROM c.gone GROUP BY 2 ORDER BY 1;
-- an error says of which it is
UPDATE b.gone SET n = 0;
SET bulkpar.max_rows = 10;
SELECT status, rows_changed FROM bulkpar_update('  {b.gone,c.gone}', 'n', 'n + 1', 10, 1);
RESET bulkpar.max_rows;
ALTER TABLE b.gone DROP CONSTRAINT gone_pkey;
SELECT bulkpar_resume((SELECT job_id FROM last_job)); :message
SELECT context FROM last_job;
DROP TABLE b.gone, c.gone, weight;

DROP SCHEMA a, b, c CASCADE;
DROP VIEW last_job;
DROP FUNCTION nothing;
