# What all random cases use, in schema eq.

package BulkparRandom::Objects;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

our @EXPORT = qw(shared_objects);

# What all cases use, in schema eq.
sub shared_objects
{
	return <<'END';
CREATE EXTENSION IF NOT EXISTS bulkpar;
CREATE SCHEMA eq;
CREATE ROLE eq_user;
GRANT USAGE ON SCHEMA eq TO eq_user;
CREATE COLLATION eq.any_case
	(provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION eq.german (provider = icu, locale = 'de');
CREATE TYPE eq.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE eq.pair AS (a int, b text);
CREATE TYPE eq.deep AS (a eq.mood, b text[], c float8, d date);
CREATE DOMAIN eq.citext AS text COLLATE eq.any_case;
CREATE DOMAIN eq.positive AS int CHECK (VALUE > 0);
CREATE DOMAIN eq.code AS text COLLATE "C" CHECK (VALUE <> 'none');
-- a number from 0 to n - 1
CREATE FUNCTION eq.r(i int, salt text, n int) RETURNS int
	LANGUAGE sql IMMUTABLE
	AS $$ SELECT (((hashtextextended(salt || i, 0) % n) + n) % n)::int $$;
-- functions whose names are not all unique
CREATE TABLE eq.procs (n int PRIMARY KEY, f oid);
INSERT INTO eq.procs SELECT row_number() OVER (ORDER BY oid), oid FROM pg_proc
	WHERE oid < 10000 AND proname ~ '^[a-l]' ORDER BY oid LIMIT 600;
GRANT SELECT ON eq.procs TO eq_user;
CREATE FUNCTION eq.overloaded(i int) RETURNS oid LANGUAGE sql IMMUTABLE
	AS $$ SELECT f FROM eq.procs WHERE n = i $$;
CREATE FUNCTION eq.plus_one(n int) RETURNS int
	LANGUAGE plpgsql AS $$ BEGIN RETURN n + 1; END $$;
-- Notes in the log that it was called: once for each row.
CREATE FUNCTION eq.note(n int) RETURNS int
	LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO log VALUES ('note', n);
	RETURN n;
END $$;
-- Fail for some rows, in a way that can be chosen.
CREATE FUNCTION eq.fail(n int, state text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	IF n % 50 = 8 THEN
		RAISE 'failed at %', n USING ERRCODE = state;
	END IF;
	RETURN n;
END $$;
CREATE FUNCTION eq.count_of(name text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	n int;
BEGIN
	EXECUTE 'SELECT count(*) FROM ' || name INTO n;
	RETURN n;
END $$;
CREATE TABLE eq.t (seq int, val int);
INSERT INTO eq.t SELECT i, i * 3 % 17 FROM generate_series(1, 250) AS i;
GRANT SELECT ON eq.t TO eq_user;
CREATE FUNCTION eq.log_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO log VALUES (TG_OP, OLD::text, NEW::text);
	RETURN NULL;
END $$;
-- What a trigger can know of where it is.  The session is that of a superuser: since
-- 17 a job connects as the role of its SET ROLE instead, which cannot log in.
CREATE FUNCTION eq.log_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO log VALUES (
		concat_ws(' ', TG_OP, TG_WHEN, TG_TABLE_NAME, TG_ARGV[0], current_user,
			CASE WHEN current_user <> 'eq_user'
				OR current_setting('server_version_num')::integer < 170000
			THEN session_user END, pg_trigger_depth()),
		OLD.seq, current_setting('bytea_output') || current_setting('TimeZone'));
	RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE FUNCTION eq.sum_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO sums SELECT TG_OP, count(*),
		coalesce(sum(hashtextextended(o::text, 0)), 0) FROM old_rows o;
	INSERT INTO sums SELECT 'NEW', 0,
		coalesce(sum(hashtextextended(n::text, 0)), 0) FROM new_rows n;
	RETURN NULL;
END $$;
CREATE FUNCTION eq.sum_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO sums SELECT TG_OP, count(*),
		coalesce(sum(hashtextextended(o::text, 0)), 0) FROM old_rows o;
	RETURN NULL;
END $$;
CREATE FUNCTION eq.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.touched := coalesce(NEW.touched, 0) + 1;
	RETURN NEW;
END $$;
CREATE FUNCTION eq.leave_some() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF OLD.seq % 7 = 3 THEN
		RETURN NULL;
	END IF;
	RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE FUNCTION eq.refuse_some() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF OLD.seq % 60 = 4 THEN
		RAISE 'no' USING ERRCODE = 'EQ001';
	END IF;
	RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
END
}

1;
