--
-- A job runs with the rights of the role that called it, no more and no less
--
SET bulkpar.report = off;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_bulkpar_alice, regress_bulkpar_bob, regress_bulkpar_carol,
	regress_bulkpar_group, regress_bulkpar_stats;
RESET client_min_messages;
CREATE ROLE regress_bulkpar_alice LOGIN;
CREATE ROLE regress_bulkpar_bob LOGIN;
CREATE ROLE regress_bulkpar_group NOLOGIN;
CREATE ROLE regress_bulkpar_stats LOGIN IN ROLE pg_read_all_stats;

CREATE TABLE item (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, name text, secret text, who text);
INSERT INTO item SELECT g, 0, 'item ' || g FROM generate_series(1, 100) g;
CREATE FUNCTION hidden(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
REVOKE EXECUTE ON FUNCTION hidden FROM PUBLIC;
-- calls it, but only looks at the right when it runs
CREATE FUNCTION uses_hidden(int) RETURNS int LANGUAGE plpgsql AS
	'BEGIN RETURN hidden($1); END';

\set VERBOSITY sqlstate
\set message '\\echo :LAST_ERROR_MESSAGE'
SET SESSION AUTHORIZATION regress_bulkpar_alice;

-- nothing granted, and only SELECT
SELECT bulkpar_update('item', 'n', '1'); :message
RESET SESSION AUTHORIZATION;
GRANT SELECT ON item TO regress_bulkpar_alice;
SET SESSION AUTHORIZATION regress_bulkpar_alice;
SELECT bulkpar_update('item', 'n', '1'); :message

-- UPDATE, but not SELECT on the key: the job has to read it
RESET SESSION AUTHORIZATION;
REVOKE SELECT ON item FROM regress_bulkpar_alice;
GRANT UPDATE (n), SELECT (n, name) ON item TO regress_bulkpar_alice;
SET SESSION AUTHORIZATION regress_bulkpar_alice;
SELECT bulkpar_update('item', 'n', '1'); :message

-- just the columns that are needed
RESET SESSION AUTHORIZATION;
GRANT SELECT (id) ON item TO regress_bulkpar_alice;
SET SESSION AUTHORIZATION regress_bulkpar_alice;
SELECT rows_changed FROM bulkpar_update('item', 'n', 'length(name)', 10, 2, 'n = 0');
-- another column as target, in the expression, in the condition
SELECT bulkpar_update('item', 'name', '''x'''); :message
SELECT bulkpar_update('item', ARRAY['n', 'secret'], ARRAY['1', '''x''']); :message
SELECT bulkpar_update('item', 'n', 'length(secret)'); :message
SELECT bulkpar_update('item', 'n', '1', condition => 'secret IS NULL'); :message
SELECT bulkpar_update('item', 'n', '1', condition => 'item IS NOT NULL'); :message
SELECT bulkpar_update('item', 'n', '(SELECT count(*) FROM pg_authid)::int'); :message

-- a function that the role cannot call, in the statement and further inside
SELECT bulkpar_update('item', 'n', 'hidden(n)'); :message
SELECT bulkpar_update('item', 'n', '1', condition => 'hidden(n) > 0'); :message
SELECT bulkpar_update('item', 'n', 'uses_hidden(n)', 10, 1); :message

-- what went wrong before a worker started has made no job
SELECT status, count(*) FROM bulkpar_progress GROUP BY status ORDER BY status;

-- settings that only a superuser can change
SET session_replication_role = replica; :message

--
-- who is seen in expressions and triggers
--
RESET SESSION AUTHORIZATION;
GRANT ALL ON item TO regress_bulkpar_alice, regress_bulkpar_bob, regress_bulkpar_group;
GRANT regress_bulkpar_bob TO regress_bulkpar_alice;
SET SESSION AUTHORIZATION regress_bulkpar_alice;
\set who 'current_user || '' '' || session_user || '' '' || current_setting(''is_superuser'')'
SELECT rows_changed FROM bulkpar_update('item', 'who', :'who', 10, 2);
SELECT DISTINCT who FROM item;
-- after SET ROLE the workers are sessions of that role
SET ROLE regress_bulkpar_bob;
SELECT rows_changed FROM bulkpar_update('item', 'who', :'who', 10, 2);
SELECT DISTINCT who FROM item;
RESET SESSION AUTHORIZATION;
-- a role that cannot log in
SET ROLE regress_bulkpar_group;
SELECT rows_changed FROM bulkpar_update('item', 'who', 'current_user', 10, 2);
RESET ROLE;
SELECT DISTINCT who FROM item;
-- a superuser who has given up being one
SET ROLE regress_bulkpar_bob;
SELECT bulkpar_update('item', 'n', '(SELECT count(*) FROM pg_authid)::int'); :message
SELECT rows_changed FROM bulkpar_update('item', 'who', :'who', 10, 2);
RESET ROLE;
SELECT DISTINCT who FROM item;

--
-- functions of another owner
--
CREATE TABLE accounts (id int PRIMARY KEY, n int DEFAULT 0, who text);
INSERT INTO accounts SELECT generate_series(1, 100);
ALTER TABLE accounts OWNER TO regress_bulkpar_alice;
CREATE FUNCTION update_accounts(expression text) RETURNS bigint LANGUAGE sql SECURITY DEFINER
	SET search_path = public AS
	$$ SELECT rows_changed FROM bulkpar_update('accounts', ARRAY['n', 'who'],
		ARRAY[expression, 'current_user || '' '' || current_setting(''search_path'')'], 10, 2) $$;
ALTER FUNCTION update_accounts OWNER TO regress_bulkpar_alice;
GRANT SELECT ON accounts TO regress_bulkpar_bob;
SET SESSION AUTHORIZATION regress_bulkpar_bob;
SELECT bulkpar_update('accounts', 'n', '1'); :message
SELECT update_accounts('n + 1');
SELECT DISTINCT n, who, current_user AS me FROM accounts;
-- bob has not got more than that: not alice's jobs, not her rights
SELECT count(*) FROM bulkpar_progress WHERE target = 'accounts'::regclass;
SELECT bulkpar_update('accounts', 'n', '1'); :message
RESET SESSION AUTHORIZATION;
SELECT owner, status FROM bulkpar.bulkpar_job WHERE target = 'accounts'::regclass;

--
-- row level security
--
CREATE TABLE doc (id int PRIMARY KEY, n int DEFAULT 0, owner text, shared boolean);
INSERT INTO doc SELECT g, 0, CASE WHEN g % 3 = 0 THEN 'regress_bulkpar_alice'
	ELSE 'regress_bulkpar_bob' END, g % 10 = 0 FROM generate_series(1, 300) g;
ALTER TABLE doc ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON doc USING (owner = current_user OR owner = current_setting('app.user_name', true));
CREATE POLICY shared ON doc FOR SELECT USING (shared);
GRANT ALL ON doc TO regress_bulkpar_alice, regress_bulkpar_bob;
SET SESSION AUTHORIZATION regress_bulkpar_alice;
-- only the rows that a plain UPDATE would change
SELECT rows_changed FROM bulkpar_update('doc', 'n', 'n + 1', 7, 3);
UPDATE doc SET n = n + 1;
SET app.user_name = 'regress_bulkpar_bob';
SELECT rows_changed FROM bulkpar_update('doc', 'n', 'n + 1', 7, 3);
RESET app.user_name;
-- rows that would no longer be ours
SELECT bulkpar_update('doc', 'owner', '''regress_bulkpar_bob''', 7, 3); :message
-- row_security = off means an error rather than a part of the rows
SET row_security = off;
SELECT bulkpar_update('doc', 'n', 'n + 1'); :message
RESET row_security;
RESET SESSION AUTHORIZATION;
SELECT owner, n, count(*) FROM doc GROUP BY 1, 2 ORDER BY 1, 2;
-- the owner of the table is not bound by it, unless it is forced
ALTER TABLE doc OWNER TO regress_bulkpar_bob;
SET SESSION AUTHORIZATION regress_bulkpar_bob;
SELECT rows_changed FROM bulkpar_update('doc', 'n', '0', 10, 2);
ALTER TABLE doc FORCE ROW LEVEL SECURITY;
SELECT rows_changed FROM bulkpar_update('doc', 'n', 'n + 1', 10, 2);
RESET SESSION AUTHORIZATION;
SELECT owner, n, count(*) FROM doc GROUP BY 1, 2 ORDER BY 1, 2;
-- a key whose operators are not leakproof
CREATE TABLE doc_numeric (id numeric PRIMARY KEY, n int DEFAULT 0, owner text);
INSERT INTO doc_numeric SELECT id, 0, owner FROM doc;
ALTER TABLE doc_numeric ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON doc_numeric USING (owner = current_user);
GRANT ALL ON doc_numeric TO regress_bulkpar_alice;
SET SESSION AUTHORIZATION regress_bulkpar_alice;
SELECT rows_changed FROM bulkpar_update('doc_numeric', 'n', 'n + 1', 7, 3);
RESET SESSION AUTHORIZATION;
SELECT owner, n, count(*) FROM doc_numeric GROUP BY 1, 2 ORDER BY 1, 2;

--
-- the bookkeeping
--
SET SESSION AUTHORIZATION regress_bulkpar_bob;
SELECT * FROM bulkpar.bulkpar_job; :message
SELECT * FROM bulkpar.bulkpar_chunk; :message
UPDATE bulkpar.bulkpar_job SET status = 'running'; :message
DELETE FROM bulkpar.bulkpar_chunk; :message
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0; :message
-- everybody sees his own jobs
SELECT target, count(*) FROM bulkpar_progress GROUP BY 1 ORDER BY target::text;
SET SESSION AUTHORIZATION regress_bulkpar_alice;
-- alice is a member of bob
SELECT target, count(*) FROM bulkpar_progress GROUP BY 1 ORDER BY target::text;
-- the view is a barrier: a function in a condition sees no other rows
RESET SESSION AUTHORIZATION;
REVOKE regress_bulkpar_bob FROM regress_bulkpar_alice;
CREATE FUNCTION peep(bigint) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS
	$$ BEGIN PERFORM set_config('peep.seen', current_setting('peep.seen') || 'x', false); RETURN true; END $$;
SET SESSION AUTHORIZATION regress_bulkpar_alice;
SET peep.seen = '';
SELECT count(*) AS mine FROM bulkpar_progress WHERE peep(job_id) \gset
SELECT length(current_setting('peep.seen')) = :mine AS only_mine;
SET SESSION AUTHORIZATION regress_bulkpar_stats;
SELECT count(*) AS seen FROM bulkpar_progress \gset
RESET SESSION AUTHORIZATION;
SELECT count(*) = :seen AS all_seen FROM bulkpar.bulkpar_job;

-- objects of the caller that have the names of what the bookkeeping uses
CREATE SCHEMA regress_bulkpar_trap AUTHORIZATION regress_bulkpar_alice;
SET SESSION AUTHORIZATION regress_bulkpar_alice;
SET search_path = regress_bulkpar_trap, pg_catalog, public;
CREATE TABLE bulkpar_job AS SELECT 1 AS job_id;
CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS
	$$ BEGIN RAISE 'trap as %', current_user; END $$;
CREATE FUNCTION eq(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS
	$$ BEGIN RAISE 'trap as %', current_user; END $$;
CREATE OPERATOR = (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = eq);
CREATE FUNCTION array_eq(text[], text[]) RETURNS boolean LANGUAGE plpgsql AS
	$$ BEGIN RAISE 'trap as %', current_user; END $$;
CREATE OPERATOR = (LEFTARG = text[], RIGHTARG = text[], FUNCTION = array_eq);
SELECT rows_changed FROM public.bulkpar_update('public.accounts', 'n', '0', 10, 2);
RESET search_path;
RESET SESSION AUTHORIZATION;
SELECT DISTINCT n FROM accounts;

-- a statement that reads no column changes what policies for SELECT hide; its
-- batches, which read the key, would not
CREATE TABLE hidden_rows (id int PRIMARY KEY, v int, shown boolean);
INSERT INTO hidden_rows SELECT i, 0, i <= 10 FROM generate_series(1, 100) i;
ALTER TABLE hidden_rows ENABLE ROW LEVEL SECURITY;
CREATE POLICY shown ON hidden_rows FOR SELECT USING (shown);
CREATE POLICY changed ON hidden_rows FOR UPDATE USING (true);
CREATE POLICY deleted ON hidden_rows FOR DELETE USING (id > 0);
GRANT SELECT, UPDATE, DELETE ON hidden_rows TO regress_bulkpar_alice;
SET SESSION AUTHORIZATION regress_bulkpar_alice;
BEGIN;
UPDATE hidden_rows SET v = 1;
UPDATE hidden_rows SET v = v + 1;
ROLLBACK;
SELECT bulkpar_update('hidden_rows', 'v', '1'); :message
SELECT bulkpar_execute('UPDATE hidden_rows SET v = 1'); :message
SELECT bulkpar_delete('hidden_rows', NULL); :message
SELECT bulkpar_explain('hidden_rows', 'v', '1'); :message
SELECT rows_changed FROM bulkpar_update('hidden_rows', 'v', 'v + 1');
SELECT rows_changed FROM bulkpar_update('hidden_rows', 'v', '1', condition => 'id IS NOT NULL');
RESET SESSION AUTHORIZATION;
-- who bypasses them, and policies for all commands alike
SELECT rows_changed FROM bulkpar_update('hidden_rows', 'v', '1');
DROP POLICY shown ON hidden_rows;
DROP POLICY changed ON hidden_rows;
DROP POLICY deleted ON hidden_rows;
CREATE POLICY every ON hidden_rows USING (shown);
CREATE POLICY read ON hidden_rows FOR SELECT USING (id = 11);
SET SESSION AUTHORIZATION regress_bulkpar_alice;
SELECT rows_changed FROM bulkpar_update('hidden_rows', 'v', '1');
RESET SESSION AUTHORIZATION;
-- one that hides rows from SELECT alone
CREATE POLICY late ON hidden_rows AS RESTRICTIVE FOR SELECT USING (id > 5);
SET SESSION AUTHORIZATION regress_bulkpar_alice;
SELECT bulkpar_update('hidden_rows', 'v', '1'); :message
SELECT rows_changed FROM bulkpar_update('hidden_rows', 'v', 'v + 1');
RESET SESSION AUTHORIZATION;

--
-- statements, other tables and row level security
--
DROP TABLE doc;
-- ids up to 60 once, those up to 20 twice more, others not at all
CREATE TABLE source (id int, v numeric, name text);
INSERT INTO source SELECT g, g + 0.123, 'new ' || g FROM generate_series(1, 60) g;
INSERT INTO source SELECT g % 20 + 1, 1000, 'other' FROM generate_series(1, 40) g;
CREATE ROLE regress_bulkpar_carol LOGIN;
CREATE TABLE doc (id int PRIMARY KEY, n int DEFAULT 0, owner text, shared boolean);
INSERT INTO doc SELECT g, 0, CASE WHEN g % 2 = 0 THEN 'regress_bulkpar_carol' ELSE 'dave' END, g % 5 = 0
	FROM generate_series(1, 100) g;
\set VERBOSITY sqlstate
SET SESSION AUTHORIZATION regress_bulkpar_carol;
SELECT bulkpar_execute('UPDATE doc SET n = 1'); :message
SELECT bulkpar_execute('DELETE FROM doc'); :message
SELECT bulkpar_delete('doc', 'true'); :message
RESET SESSION AUTHORIZATION;
GRANT SELECT ON doc TO regress_bulkpar_carol;
SET SESSION AUTHORIZATION regress_bulkpar_carol;
SELECT bulkpar_execute('UPDATE doc SET n = 1'); :message
SELECT bulkpar_delete('doc', 'true'); :message
RESET SESSION AUTHORIZATION;
REVOKE SELECT ON doc FROM regress_bulkpar_carol;
GRANT UPDATE, DELETE ON doc TO regress_bulkpar_carol;
SET SESSION AUTHORIZATION regress_bulkpar_carol;
-- the job has to read the key
SELECT bulkpar_execute('UPDATE doc SET n = 1'); :message
SELECT bulkpar_delete('doc', NULL); :message
RESET SESSION AUTHORIZATION;
GRANT SELECT (id, n) ON doc TO regress_bulkpar_carol;
SET SESSION AUTHORIZATION regress_bulkpar_carol;
SELECT rows_changed FROM bulkpar_execute('UPDATE doc SET n = n + 1', 10);
SELECT rows_changed FROM bulkpar_delete('doc', 'id > 90', 10);
-- other columns, other tables
SELECT bulkpar_execute('UPDATE doc SET n = 1 WHERE shared'); :message
SELECT bulkpar_delete('doc', 'owner IS NULL'); :message
SELECT bulkpar_execute('UPDATE doc SET n = 1 FROM source s WHERE s.id = doc.id'); :message
SELECT bulkpar_update('doc', 'n', '1', from_item => 'source s', condition => 's.id = doc.id'); :message
SELECT bulkpar_delete('doc', 's.id = doc.id', using_item => 'source s'); :message
SELECT bulkpar_execute('UPDATE doc SET n = 1 WHERE id IN (SELECT id FROM source)'); :message
RESET SESSION AUTHORIZATION;
GRANT SELECT (id) ON source TO regress_bulkpar_carol;
SET SESSION AUTHORIZATION regress_bulkpar_carol;
SELECT bulkpar_update('doc', 'n', 's.v', from_item => 'source s', condition => 's.id = doc.id'); :message
SELECT rows_changed FROM bulkpar_update('doc', 'n', 'n + 1', 10, from_item => 'source s', condition => 's.id = doc.id');
RESET SESSION AUTHORIZATION;
SELECT n, count(*), max(id) FROM doc GROUP BY n ORDER BY n;
-- only the rows that a plain statement would change
GRANT ALL ON doc, source TO regress_bulkpar_carol;
ALTER TABLE doc ENABLE ROW LEVEL SECURITY;
ALTER TABLE source ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON doc USING (owner = current_user);
CREATE POLICY shared ON doc FOR SELECT USING (shared);
CREATE POLICY few ON source USING (id <= 10);
UPDATE doc SET n = 0;
SET SESSION AUTHORIZATION regress_bulkpar_carol;
SELECT rows_changed FROM bulkpar_execute('UPDATE doc SET n = n + 1', 7, 3);
SELECT rows_changed FROM bulkpar_execute('UPDATE doc d SET n = n + 1 FROM source s WHERE s.id = d.id', 7, 3);
SELECT rows_changed FROM bulkpar_update('doc', 'n', 'doc.n + 1', 7, 3, from_item => 'doc d', condition => 'd.id = doc.id + 1');
SELECT rows_changed, rows_unchanged FROM bulkpar_update('doc', 'n', '2', 7, 3, skip_unchanged => true);
SELECT bulkpar_execute('UPDATE doc SET owner = ''dave''', 7, 1); :message
SELECT rows_changed FROM bulkpar_delete('doc', 'id > 80', 7, 3);
SELECT rows_changed FROM bulkpar_delete('doc', 's.id = doc.id', 7, 3, using_item => 'source s');
SET row_security = off;
SELECT bulkpar_delete('doc', 'true'); :message
RESET row_security;
RESET SESSION AUTHORIZATION;
\set VERBOSITY default
SELECT owner, n, count(*), min(id), max(id) FROM doc GROUP BY 1, 2 ORDER BY 1, 2;

SET client_min_messages = warning;
DROP SCHEMA regress_bulkpar_trap CASCADE;
DROP TABLE item, accounts, doc, doc_numeric, hidden_rows, source;
DROP FUNCTION hidden, uses_hidden, update_accounts, peep;
DROP OWNED BY regress_bulkpar_alice, regress_bulkpar_bob, regress_bulkpar_carol, regress_bulkpar_group;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
DROP ROLE regress_bulkpar_alice, regress_bulkpar_bob, regress_bulkpar_carol, regress_bulkpar_group,
	regress_bulkpar_stats;
