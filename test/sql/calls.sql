--
-- SELECT for what its functions do, and what no statement may have in batches
--
SET bulkpar.report = off;
-- however many processors there are
SET bulkpar.workers = 2;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;

CREATE TABLE accounts (id int PRIMARY KEY, stale bool NOT NULL, owner int);
INSERT INTO accounts SELECT g, g % 2 = 0, g % 5 FROM generate_series(1, 100) g;
CREATE TABLE owners (id int PRIMARY KEY, name text);
INSERT INTO owners SELECT g, 'owner ' || g FROM generate_series(1, 4) g;
ANALYZE accounts, owners;
CREATE TABLE log (id int, what text);
CREATE FUNCTION recompute(id int, what text DEFAULT 'call') RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO log VALUES (id, what);
	RETURN 100 / (id - 50);
END $$;
CREATE VIEW called AS SELECT what, count(*), count(DISTINCT id) AS ids, min(id), max(id) FROM log GROUP BY 1 ORDER BY 1;
CREATE VIEW last_job AS SELECT * FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;

SELECT status, rows_changed, batches, workers, rows_failed FROM bulkpar_execute('SELECT recompute(id) FROM accounts WHERE NOT stale', 10, 2);
SELECT * FROM called;
SELECT target, key_index, command, column_names, stripes FROM last_job;
-- one of a batch fails: none of it is called; or all of the others are
TRUNCATE log;
\set SHOW_CONTEXT never
SELECT bulkpar_execute('SELECT recompute(id) FROM accounts', 100, 1);
\set SHOW_CONTEXT errors
SELECT * FROM called;
SELECT rows_changed, rows_failed FROM bulkpar_execute('SELECT recompute(id) FROM accounts', 10, on_error => 'skip');
SELECT * FROM called;
SELECT key, sqlstate, message FROM bulkpar_errors;
-- joins, WITH, subqueries, several rows or none of each, no columns at all
TRUNCATE log;
SELECT rows_changed FROM bulkpar_execute('SELECT recompute(a.id + 50, o.name) FROM accounts a JOIN owners o ON o.id = a.owner', 10);
SELECT * FROM called;
TRUNCATE log;
SELECT rows_changed FROM bulkpar_execute('WITH w AS (SELECT max(id) AS id FROM owners) SELECT recompute(accounts.id + 50, w.id::text) FROM accounts, w', 10);
SELECT rows_changed FROM bulkpar_execute('SELECT recompute(id + 50, (SELECT name FROM owners o WHERE o.id = owner)) FROM accounts WHERE owner IN (SELECT id FROM owners)', 10);
SELECT rows_changed FROM bulkpar_execute('SELECT generate_series(1, id), recompute(id + 50, ''series'') FROM accounts WHERE id <= 10', 5);
SELECT rows_changed FROM bulkpar_execute('SELECT generate_series(2, id % 2), recompute(id + 50, ''none'') FROM accounts', 5);
SELECT rows_changed FROM bulkpar_execute('SELECT FROM accounts', 10);
SELECT * FROM called;
SELECT rows_changed FROM bulkpar_execute('TABLE accounts', 10);
SELECT rows_changed, batches FROM bulkpar_execute('SELECT recompute(a.id + 50, ''driven'') FROM owners o JOIN accounts a ON o.id = a.owner', 10, 1, driving_table => 'accounts');
SELECT count(*), count(DISTINCT id) FROM log WHERE what = 'driven';
-- the plan of a batch
SELECT regexp_replace(line, ' +\(cost=.*\)', '') AS line FROM bulkpar_explain('SELECT recompute(id) FROM accounts WHERE stale', 10, 2) line;

-- what is refused, and where
SELECT bulkpar_execute('SELECT recompute(id), count(*) FROM accounts GROUP BY id');
SELECT bulkpar_execute('SELECT max(id) FROM accounts');
SELECT bulkpar_execute('INSERT INTO log SELECT id FROM accounts GROUP BY id');
SELECT bulkpar_execute('INSERT INTO log (id) SELECT DISTINCT owner FROM accounts');
SELECT bulkpar_execute('INSERT INTO log SELECT id, row_number() OVER () FROM accounts');
SELECT bulkpar_execute('SELECT recompute(id) FROM accounts LIMIT 10');
SELECT bulkpar_execute('SELECT recompute(id) FROM accounts OFFSET 10');
SELECT bulkpar_execute('SELECT recompute(id) FROM accounts ORDER BY owner');
\set VERBOSITY sqlstate
\set message '\\echo :LAST_ERROR_MESSAGE'
SELECT bulkpar_execute('SELECT 1 FROM accounts HAVING true'); :message
SELECT bulkpar_execute('SELECT FROM accounts GROUP BY GROUPING SETS (())'); :message
SELECT bulkpar_execute('SELECT DISTINCT ON (owner) id FROM accounts'); :message
SELECT bulkpar_execute('SELECT id FROM accounts FETCH FIRST ROW ONLY'); :message
SELECT bulkpar_execute('SELECT id FROM accounts ORDER BY id FETCH FIRST ROW WITH TIES'); :message
SELECT bulkpar_execute('SELECT id FROM accounts UNION ALL SELECT id FROM owners'); :message
SELECT bulkpar_execute('INSERT INTO log (id) SELECT id FROM accounts EXCEPT SELECT id FROM owners'); :message
SELECT bulkpar_execute('SELECT id FROM accounts FOR UPDATE'); :message
SELECT bulkpar_execute('SELECT a.id FROM accounts a, (SELECT * FROM owners FOR SHARE) o'); :message
SELECT bulkpar_execute('SELECT id INTO other FROM accounts'); :message
SELECT bulkpar_execute('CREATE TABLE other AS SELECT id FROM accounts'); :message
SELECT bulkpar_execute('SELECT id FROM accounts TABLESAMPLE SYSTEM (10)'); :message
-- no table that could drive it
SELECT bulkpar_execute('SELECT recompute(1)'); :message
SELECT bulkpar_execute('VALUES (1), (2)'); :message
SELECT bulkpar_execute('SELECT g FROM generate_series(1, 3) g'); :message
SELECT bulkpar_execute('SELECT id FROM (SELECT * FROM accounts) a'); :message
SELECT bulkpar_execute('WITH a AS (SELECT * FROM accounts) SELECT id FROM a'); :message
SELECT bulkpar_execute('SELECT * FROM called'); :message
SELECT bulkpar_execute('INSERT INTO log VALUES (1)'); :message
SELECT bulkpar_execute('INSERT INTO log VALUES (1), (2)'); :message
SELECT bulkpar_execute('INSERT INTO log DEFAULT VALUES'); :message
SELECT bulkpar_execute('SELECT a.id FROM accounts a', driving_table => 'owners'); :message
SELECT bulkpar_execute('SELECT a.id FROM accounts a WHERE id IN (SELECT id FROM owners)', driving_table => 'owners'); :message
SELECT bulkpar_execute('UPDATE accounts SET owner = 1 FROM owners', driving_table => 'owners'); :message
SELECT bulkpar_execute('WITH m AS (DELETE FROM accounts RETURNING *) INSERT INTO log SELECT o.id FROM m, owners o', driving_table => 'owners'); :message
SELECT bulkpar_execute('SELECT * FROM pg_class'); :message
SELECT bulkpar_execute('SELECT * FROM log'); :message
-- on the nullable side of an outer join, and on the other
SELECT bulkpar_execute('SELECT a.id FROM accounts a RIGHT JOIN owners o ON o.id = a.owner'); :message
SELECT bulkpar_execute('SELECT a.id FROM accounts a FULL JOIN owners o ON o.id = a.owner'); :message
SELECT bulkpar_execute('SELECT a.id FROM owners o LEFT JOIN (log l JOIN accounts a ON l.id = a.id) ON o.id = a.owner', driving_table => 'accounts'); :message
SELECT rows_changed FROM bulkpar_execute('SELECT a.id FROM accounts a RIGHT JOIN owners o ON o.id = a.owner', driving_table => 'owners');
-- WITH that changes data, but not so
SELECT bulkpar_execute('WITH m AS (DELETE FROM accounts RETURNING *) SELECT recompute(id) FROM m'); :message
SELECT bulkpar_execute('WITH m AS (INSERT INTO log VALUES (1)) SELECT recompute(id) FROM accounts'); :message
SELECT bulkpar_execute('WITH m AS (INSERT INTO log SELECT id FROM accounts RETURNING *) INSERT INTO log SELECT * FROM m'); :message
SELECT bulkpar_execute('WITH m AS (DELETE FROM accounts RETURNING *), n AS (DELETE FROM owners RETURNING *) INSERT INTO log SELECT m.id FROM m, n'); :message
SELECT bulkpar_execute('WITH m AS (DELETE FROM accounts RETURNING *) INSERT INTO log VALUES (1)'); :message
SELECT bulkpar_execute('WITH m AS (DELETE FROM accounts RETURNING *) INSERT INTO log SELECT id FROM owners'); :message
SELECT bulkpar_execute('WITH m AS (DELETE FROM accounts RETURNING *) INSERT INTO log SELECT m.id FROM m, m n'); :message
SELECT bulkpar_execute('WITH m AS (DELETE FROM accounts RETURNING *) INSERT INTO log SELECT id FROM owners WHERE id IN (SELECT id FROM m)'); :message
SELECT bulkpar_execute('WITH m AS (DELETE FROM accounts RETURNING *) INSERT INTO log SELECT o.id FROM owners o LEFT JOIN m ON m.owner = o.id'); :message
SELECT bulkpar_execute('WITH m AS (DELETE FROM accounts RETURNING *) INSERT INTO log SELECT count(*) FROM m'); :message
SELECT bulkpar_execute('WITH m AS (DELETE FROM accounts RETURNING *) INSERT INTO log SELECT id FROM m ORDER BY id'); :message
SELECT bulkpar_execute('WITH m AS (DELETE FROM accounts WHERE CURRENT OF c RETURNING *) INSERT INTO log SELECT id FROM m'); :message
SELECT bulkpar_execute('WITH o AS (SELECT * FROM owners), m AS (DELETE FROM accounts RETURNING *) INSERT INTO log SELECT m.id FROM m, o'); :message
SELECT bulkpar_execute('WITH m AS (WITH o AS (SELECT 1 AS id) DELETE FROM accounts USING o RETURNING accounts.*), o AS (SELECT 1) INSERT INTO log SELECT id FROM m'); :message
SELECT bulkpar_execute('WITH m AS (DELETE FROM accounts RETURNING *) INSERT INTO log SELECT id, (SELECT count(*) FROM owners) FROM m'); :message
SELECT bulkpar_execute('WITH m AS (DELETE FROM accounts RETURNING *) INSERT INTO log SELECT m.id FROM m JOIN log USING (id)'); :message
SELECT bulkpar_execute('WITH m AS (DELETE FROM accounts RETURNING *) INSERT INTO log SELECT m.id FROM m WHERE EXISTS (SELECT FROM log l WHERE l.id = m.id)'); :message
SELECT bulkpar_execute('WITH m AS (SELECT 1 AS id) INSERT INTO log WITH n AS (SELECT 2 AS id) SELECT a.id FROM accounts a, m, n'); :message
SELECT bulkpar_execute('INSERT INTO log SELECT id FROM accounts RETURNING id'); :message
-- conflicts of rows with each other
CREATE TABLE one_each (id int PRIMARY KEY, name text COLLATE "C" UNIQUE, n int);
SELECT bulkpar_execute('INSERT INTO one_each SELECT owner FROM accounts ON CONFLICT (id) DO UPDATE SET n = 1'); :message
SELECT bulkpar_execute('INSERT INTO one_each SELECT a.id FROM accounts a JOIN owners ON true ON CONFLICT (id) DO UPDATE SET n = 1'); :message
SELECT bulkpar_execute('INSERT INTO one_each SELECT id + 1 FROM accounts ON CONFLICT (id) DO UPDATE SET n = 1'); :message
SELECT bulkpar_execute('INSERT INTO one_each SELECT id, name FROM owners ON CONFLICT (name) DO UPDATE SET n = 1'); :message
SELECT bulkpar_execute('WITH m AS (DELETE FROM accounts RETURNING *) INSERT INTO one_each SELECT id FROM m ON CONFLICT (id) DO UPDATE SET n = 1'); :message
SELECT bulkpar_execute('INSERT INTO one_each SELECT id FROM accounts ON CONFLICT (id) DO UPDATE SET n = (SELECT 1)'); :message
SELECT rows_changed FROM bulkpar_execute('INSERT INTO one_each SELECT id % 90 FROM accounts ON CONFLICT (id) DO UPDATE SET n = 1', 5, 1, sees_batches => true);
SELECT count(*), count(n) FROM one_each;
-- where rows cannot be inserted in batches
CREATE VIEW log_view AS SELECT * FROM log;
SELECT bulkpar_execute('INSERT INTO log_view SELECT id FROM accounts'); :message
CREATE TEMPORARY TABLE temporary (id int);
SELECT bulkpar_execute('INSERT INTO temporary SELECT id FROM accounts'); :message
SELECT bulkpar_execute('INSERT INTO log SELECT t.id FROM accounts a, temporary t'); :message
CREATE TEMPORARY TABLE temporary_key (id int PRIMARY KEY);
SELECT bulkpar_execute('SELECT id FROM temporary_key'); :message
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nothing FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE log_foreign (id int) SERVER nothing;
SELECT bulkpar_execute('INSERT INTO log_foreign SELECT id FROM accounts'); :message
CREATE TABLE log_part (id int) PARTITION BY RANGE (id);
CREATE FOREIGN TABLE log_part_1 PARTITION OF log_part FOR VALUES FROM (1) TO (10) SERVER nothing;
SELECT bulkpar_execute('INSERT INTO log_part SELECT id FROM accounts'); :message
SELECT bulkpar_execute('INSERT INTO bulkpar.bulkpar_error (job_id) SELECT id FROM accounts'); :message
CREATE RULE elsewhere AS ON INSERT TO log DO ALSO DELETE FROM owners;
SELECT bulkpar_execute('INSERT INTO log SELECT id FROM accounts'); :message
DROP RULE elsewhere ON log;
CREATE RULE elsewhere AS ON DELETE TO accounts DO INSTEAD NOTHING;
SELECT bulkpar_execute('WITH m AS (DELETE FROM accounts RETURNING *) INSERT INTO log SELECT id FROM m'); :message
DROP RULE elsewhere ON accounts;
-- locks of this session
SELECT bulkpar_execute('SELECT id FROM accounts') FROM accounts; :message
SELECT bulkpar_execute('INSERT INTO log SELECT id FROM accounts') FROM log; :message
-- arguments without a meaning here, names, parameters
SELECT bulkpar_execute('SELECT id FROM accounts', skip_unchanged => true); :message
SELECT bulkpar_execute('INSERT INTO log SELECT id FROM accounts', skip_unchanged => true); :message
SELECT bulkpar_execute('INSERT INTO nowhere SELECT id FROM accounts'); :message
SELECT bulkpar_execute('INSERT INTO log SELECT nothing FROM accounts'); :message
SELECT bulkpar_execute('SELECT id FROM accounts WHERE id = $1'); :message
-- and in the parts of an UPDATE
SELECT bulkpar_update('accounts', 'owner', '(WITH w AS (DELETE FROM owners RETURNING id) SELECT id FROM w)'); :message
SELECT bulkpar_update('accounts', 'owner', '1', condition => 'id IN (WITH w AS (DELETE FROM owners RETURNING id) SELECT id FROM w)'); :message
SELECT (SELECT count(*) FROM accounts), (SELECT count(*) FROM owners);
\set VERBOSITY default

SET client_min_messages = warning;
DROP FOREIGN DATA WRAPPER nothing CASCADE;
DROP VIEW called, last_job, log_view;
DROP TABLE accounts, owners, log, one_each, log_part, temporary, temporary_key;
DROP FUNCTION recompute;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
