--
-- The settings of the caller give the expressions their meaning
--
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;
SET bulkpar.report = off;
\set VERBOSITY sqlstate
\set message '\\echo :LAST_ERROR_MESSAGE'

CREATE TABLE item (id int PRIMARY KEY, n int DEFAULT 0, value text, user_name text);
INSERT INTO item SELECT generate_series(1, 100);
-- the value that all rows got from an expression, or the number of values
CREATE FUNCTION seen() RETURNS text LANGUAGE sql SET search_path = public AS
	$$ SELECT CASE count(DISTINCT coalesce(value, '')) WHEN 1 THEN min(value) ELSE count(DISTINCT value) || ' values' END
		FROM item $$;
\set batches '10, 2)'

-- search_path: of the names in the expression, and of the target
CREATE SCHEMA red;
CREATE SCHEMA "Odd, schema";
CREATE FUNCTION red.colour() RETURNS text LANGUAGE sql AS $$ SELECT 'red' $$;
CREATE FUNCTION "Odd, schema".colour() RETURNS text LANGUAGE sql AS $$ SELECT 'odd' $$;
SELECT bulkpar_update('item', 'value', 'colour()', :batches; :message
SET search_path = red, public;
SELECT rows_changed FROM bulkpar_update('item', 'value', 'colour()', :batches;
SELECT seen();
SET search_path = "Odd, schema", red, public;
SELECT rows_changed FROM bulkpar_update('item', 'value', 'colour()', :batches;
SELECT seen();
-- not even the extension's schema is needed
SET search_path = '';
SELECT rows_changed FROM public.bulkpar_update('public.item', 'value', '''path '' || pg_catalog.current_setting(''search_path'')', :batches;
SELECT public.seen();
RESET search_path;
-- a table of the same name that comes first in the path
CREATE TABLE red.item (id int PRIMARY KEY, value text);
INSERT INTO red.item VALUES (1);
SET search_path = red, public;
SELECT rows_changed FROM bulkpar_update('public.item', 'value', '''public''', :batches;
SELECT rows_changed FROM bulkpar_update('item', 'value', '''red''', :batches;
RESET search_path;
SELECT seen(), value FROM red.item;

-- formats
SET TimeZone = 'Asia/Kathmandu';
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = 'iso_8601';
SELECT rows_changed FROM bulkpar_update('item', 'value', $$
	(timestamptz '2024-07-01 00:00+00')::text || ' ' || ('02/03/2024'::date - date '2024-01-01')
	|| ' ' || interval '1 day 2 hours' $$, :batches;
SELECT seen();
SET DateStyle = 'ISO, MDY';
SELECT rows_changed FROM bulkpar_update('item', 'value', $$ ('02/03/2024'::date - date '2024-01-01')::text $$, :batches;
SELECT seen();
RESET TimeZone;
RESET DateStyle;
RESET IntervalStyle;
-- 19 has but standard strings
SELECT CASE WHEN old THEN 'off' ELSE 'on' END AS standard, CASE WHEN old THEN '' ELSE 'E' END || $$'a\tb\'c'$$ AS literal
FROM (SELECT current_setting('server_version_num')::int < 190000 AS old) v \gset
SET standard_conforming_strings = :standard;
SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'escape_string_warning' \g /dev/null
SET backslash_quote = on;
SELECT rows_changed FROM bulkpar_update('item', 'value', :'literal', :batches;
RESET standard_conforming_strings;
SELECT set_config(name, boot_val, false) FROM pg_settings WHERE name = 'escape_string_warning' \g /dev/null
RESET backslash_quote;
SELECT replace(seen(), E'\t', '<tab>');
SET transform_null_equals = on;
SELECT rows_changed FROM bulkpar_update('item', 'value', '(user_name = NULL)::text', :batches;
RESET transform_null_equals;
SELECT seen();

-- an application's own settings, read in the expression and by a trigger
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.user_name := current_setting('app.user_name', true);
	RETURN NEW;
END $$;
CREATE TRIGGER stamp BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION stamp();
SET app.user_name = E'O''Neill "x" \\ {"a": 1} é';
SELECT rows_changed FROM bulkpar_update('item', 'value', 'current_setting(''app.user_name'')', :batches;
SELECT DISTINCT value, user_name FROM item;
-- set, but empty; set for a transaction that is over
SET app.user_name = '';
SELECT rows_changed FROM bulkpar_update('item', 'value', '''<'' || current_setting(''app.user_name'') || ''>''', :batches;
SELECT DISTINCT value, user_name FROM item;
RESET app.user_name;
-- set by or in a function
CREATE FUNCTION with_user(name text) RETURNS bigint LANGUAGE plpgsql SET app.user_name = 'function' AS
	$$ BEGIN RETURN (bulkpar_update('item', 'value', 'current_setting(''app.user_name'')', 10, 2)).rows_changed; END $$;
SELECT with_user('any');
SELECT DISTINCT value, user_name FROM item;
ALTER FUNCTION with_user RESET app.user_name;
CREATE OR REPLACE FUNCTION with_user(name text) RETURNS bigint LANGUAGE plpgsql AS
	$$ BEGIN PERFORM set_config('app.user_name', name, true);
	RETURN (bulkpar_update('item', 'value', 'current_setting(''app.user_name'')', 10, 2)).rows_changed; END $$;
SELECT with_user('local');
SELECT DISTINCT value, user_name FROM item;
SELECT current_setting('app.user_name') AS afterwards;

-- What user code sets in one batch is gone in the next.  Here each row sees what
-- the row before it has left; the first of a batch sees what the caller had.
CREATE FUNCTION leave_behind() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found text := concat_ws(' ', current_setting('app.count', true), current_setting('TimeZone'),
		current_setting('search_path'), current_setting('work_mem'), current_user);
BEGIN
	PERFORM set_config('app.count', (current_setting('app.count')::int + 1)::text, false),
		set_config('app.new', 'x', false),
		set_config('TimeZone', 'Asia/Tokyo', false),
		set_config('search_path', 'nowhere', false),
		set_config('work_mem', '64kB', false),
		set_config('synchronous_commit', 'local', false),
		set_config('default_transaction_isolation', 'serializable', false),
		set_config('default_transaction_deferrable', 'on', false),
		set_config('default_transaction_read_only', 'on', false);
	RETURN found || current_setting('app.new', true);
END $$;
SET app.count = '5';
SET TimeZone = 'UTC';
SET work_mem = '4096kB';
SELECT rows_changed, batches FROM bulkpar_update('item', 'value', 'public.leave_behind()', 10, 2);
SELECT value, count(*), array_agg(DISTINCT id % 10) AS rows FROM item GROUP BY 1 ORDER BY 1;
-- in this session nothing has changed
SELECT current_setting('app.count'), current_setting('TimeZone'), current_setting('app.new', true);
RESET app.count;
RESET TimeZone;
RESET work_mem;
-- the same for the role
CREATE FUNCTION leave_role() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found text := current_user;
BEGIN
	SET ROLE pg_monitor;
	RETURN found;
END $$;
GRANT ALL ON item TO pg_monitor;
SELECT rows_changed FROM bulkpar_update('item', 'value', 'leave_role() = ''pg_monitor''', 10, 2);
SELECT value, count(*), array_agg(DISTINCT id % 10) AS rows FROM item GROUP BY 1 ORDER BY 1;
REVOKE ALL ON item FROM pg_monitor;

-- bulkpar's own settings, and their limits
SET bulkpar.workers = 1;
SELECT workers FROM bulkpar_update('item', 'n', '1', 10);
SET bulkpar.workers = 4;
SELECT workers FROM bulkpar_update('item', 'n', '1', 10);
SELECT workers FROM bulkpar_update('item', 'n', '1', 50);
SET bulkpar.workers = 1024;
SELECT workers FROM bulkpar_update('item', 'n', '1', 50);
RESET bulkpar.workers;
SELECT batches, workers FROM bulkpar_update('item', 'n', '1', 1, 1);
SELECT batches, workers FROM bulkpar_update('item', 'n', '1', 1000000, 1024);
SELECT name, setting, unit, min_val, max_val, context FROM pg_settings WHERE name LIKE 'bulkpar.%' ORDER BY 1;

--
-- What belongs to the session, or limits the role's own sessions, does not
-- break a job; lock_timeout says how long a batch waits before it gives way
--
\set VERBOSITY sqlstate
SET default_transaction_isolation = serializable;
SELECT rows_changed FROM bulkpar_update('item', 'value', 'current_setting(''transaction_isolation'')', :batches;
SELECT seen();
SET default_transaction_isolation = 'repeatable read';
SELECT rows_changed FROM bulkpar_update('item', 'value', 'current_setting(''transaction_isolation'')', :batches;
RESET default_transaction_isolation;
SELECT seen();
SET lock_timeout = '1ms';
SET idle_in_transaction_session_timeout = '1ms';
SET client_min_messages = error;
SET application_name = 'mine';
SELECT rows_changed FROM bulkpar_update('item', 'value', $$ concat_ws(' ',
	current_setting('lock_timeout'), current_setting('application_name') ~ '^bulkpar worker') $$, :batches;
RESET lock_timeout;
RESET idle_in_transaction_session_timeout;
RESET client_min_messages;
RESET application_name;
SELECT seen();

-- the same as defaults of the role
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_bulkpar_set;
RESET client_min_messages;
CREATE ROLE regress_bulkpar_set LOGIN SUPERUSER;
ALTER ROLE regress_bulkpar_set SET default_transaction_read_only = on;
ALTER ROLE regress_bulkpar_set SET default_transaction_isolation = serializable;
ALTER ROLE regress_bulkpar_set SET default_transaction_deferrable = on;
ALTER ROLE regress_bulkpar_set SET lock_timeout = '1ms';
ALTER ROLE regress_bulkpar_set SET statement_timeout = '1ms';
ALTER ROLE regress_bulkpar_set SET idle_in_transaction_session_timeout = '1ms';
ALTER ROLE regress_bulkpar_set SET search_path = red, public;
ALTER ROLE regress_bulkpar_set SET app.user_name = 'of the role';
ALTER ROLE regress_bulkpar_set SET synchronous_commit = on;
SET ROLE regress_bulkpar_set;
SELECT rows_changed FROM bulkpar_update('public.item', 'value', $$ concat_ws(' ', pg_sleep(0.003),
	current_setting('transaction_isolation'), current_setting('transaction_read_only')) $$, :batches;
SELECT seen();
-- this session has not the defaults of the role, for it did not log in as it
SELECT current_setting('search_path'), current_setting('app.user_name', true);
SELECT rows_changed FROM bulkpar_update('public.item', 'value', $$ concat_ws(' ',
	current_setting('search_path'), current_setting('app.user_name', true)) $$, :batches;
SELECT seen();
RESET ROLE;

-- batches do not wait for the disk, whatever the caller has
SET synchronous_commit = on;
SELECT rows_changed FROM bulkpar_update('item', 'value', 'current_setting(''synchronous_commit'')', :batches;
RESET synchronous_commit;
SELECT seen();

-- a superuser's setting does not stop a job of a role that is none
ALTER ROLE regress_bulkpar_set NOSUPERUSER;
ALTER ROLE regress_bulkpar_set RESET ALL;
GRANT ALL ON item TO regress_bulkpar_set;
SET log_min_error_statement = panic;
SET log_temp_files = 0;
SET ROLE regress_bulkpar_set;
SELECT rows_changed FROM bulkpar_update('item', 'value', '''done''', :batches;
RESET ROLE;
RESET log_min_error_statement;
RESET log_temp_files;
SELECT seen();

SET client_min_messages = warning;
DROP SCHEMA red, "Odd, schema" CASCADE;
DROP TABLE item;
DROP FUNCTION seen, stamp, with_user, leave_behind, leave_role;
DROP ROLE regress_bulkpar_set;
