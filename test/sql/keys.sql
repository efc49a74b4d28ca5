--
-- Keys of all kinds: a job follows the order of the key's index, whatever it is
--
SET bulkpar.report = off;
TRUNCATE bulkpar.bulkpar_job, bulkpar.bulkpar_part, bulkpar.bulkpar_chunk, bulkpar.bulkpar_error, bulkpar.bulkpar_subquery, bulkpar.bulkpar_throttle, bulkpar.bulkpar_alteration, bulkpar.bulkpar_node;
UPDATE bulkpar.bulkpar_counter SET last_job_id = 0;
CREATE SCHEMA keys;
SET search_path = keys, public;

-- Add 1 to n of every row, and look whether every row got it once, and whether
-- the chunks are a chain from before the first key to the last key of the index.
-- The rows of a chunk are those after lo and up to hi.
CREATE FUNCTION add_one(target regclass, batch_size int DEFAULT 3,
	OUT rows bigint, OUT batches bigint, OUT workers int, OUT chunks boolean,
	OUT each_once boolean, OUT complete boolean, OUT index regclass)
LANGUAGE plpgsql AS $$
DECLARE
	result bulkpar_result;
BEGIN
	SELECT * INTO result FROM bulkpar_update(target, 'n', 'n + 1',
		add_one.batch_size, workers => 3);
	rows := result.rows_changed;
	batches := result.batches;
	workers := result.workers;
	EXECUTE format('SELECT count(*) = %s AND bool_and(n = 1) FROM %s', rows, target)
		INTO each_once;
	SELECT count(*) > 1, bool_and(c.status = 'succeeded' AND c.last_key = c.hi
			AND c.rows_changed = c.rows_found
			AND c.lo IS NOT DISTINCT FROM c.previous_hi)
			AND max(c.hi) FILTER (WHERE is_last) = j.end_key, j.key_index
		INTO chunks, complete, index
		FROM bulkpar_jobs j, LATERAL (
			SELECT *, lag(hi) OVER w AS previous_hi,
				lead(chunk_no) OVER w IS NULL AS is_last
			FROM bulkpar.bulkpar_chunk WHERE job_id = j.job_id
			WINDOW w AS (ORDER BY chunk_no)) c
		WHERE j.job_id = result.job_id GROUP BY j.end_key, j.key_index;
END $$;

-- numbers: without gaps, with gaps and skew, negative, with odd values
CREATE TABLE k_int (id int PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_int SELECT generate_series(-100, 100);
SELECT * FROM add_one('k_int');
CREATE TABLE k_bigint (id bigint PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_bigint SELECT generate_series(1, 100);
INSERT INTO k_bigint SELECT 1000000000000000 + g * g * g FROM generate_series(1, 100) g;
INSERT INTO k_bigint VALUES (-9223372036854775808), (9223372036854775807);
SELECT * FROM add_one('k_bigint');
CREATE TABLE k_numeric (id numeric PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_numeric SELECT g / 3.0 FROM generate_series(1, 100) g;
INSERT INTO k_numeric VALUES ('NaN'), ('Infinity'), ('-Infinity'), (1e30), (-1e-30), (2.500);
SELECT * FROM add_one('k_numeric');
CREATE TABLE k_float (id float8 PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_float SELECT ln(g + 1) / 3 FROM generate_series(1, 100) g;
INSERT INTO k_float VALUES ('NaN'), ('Infinity'), ('-Infinity'), ('-0'), (1e-300);
SELECT * FROM add_one('k_float');

-- strings under several collations; upper and lower case sort differently
CREATE TABLE word (w text);
INSERT INTO word SELECT chr(65 + g % 26) || repeat('x', g % 3) || g FROM generate_series(1, 60) g;
INSERT INTO word SELECT lower(w) || '''' FROM word;
INSERT INTO word VALUES (''), (' '), (', "{}\'), (E'\t'), ('é'), ('e'), ('É'), ('NULL');
CREATE TABLE k_c (id text COLLATE "C" PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_c SELECT w FROM word;
SELECT * FROM add_one('k_c');
CREATE TABLE k_text (id text PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_text SELECT w FROM word;
SELECT * FROM add_one('k_text');
CREATE TABLE k_icu (id text COLLATE "und-x-icu" PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_icu SELECT w FROM word;
SELECT * FROM add_one('k_icu');
-- a collation under which different strings are equal
CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE k_no_case (id text COLLATE no_case PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_no_case SELECT DISTINCT w COLLATE no_case FROM word;
SELECT * FROM add_one('k_no_case');
-- the index has another collation than the column
CREATE TABLE k_own_collation (id text COLLATE "und-x-icu" NOT NULL, n int DEFAULT 0);
CREATE UNIQUE INDEX ON k_own_collation (id COLLATE "C");
INSERT INTO k_own_collation SELECT w FROM word;
SELECT * FROM add_one('k_own_collation');
-- the index has other operators than the type
CREATE TABLE k_pattern (id text NOT NULL, n int DEFAULT 0);
CREATE UNIQUE INDEX ON k_pattern (id COLLATE "und-x-icu" text_pattern_ops DESC);
INSERT INTO k_pattern SELECT w FROM word;
SELECT * FROM add_one('k_pattern');
CREATE TABLE k_varchar (id varchar(20) PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_varchar SELECT w FROM word;
SELECT * FROM add_one('k_varchar');
CREATE TABLE k_char (id char(10) PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_char SELECT w FROM word WHERE w NOT IN ('', E'\t');
SELECT * FROM add_one('k_char');
CREATE TABLE k_name (id name PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_name SELECT w FROM word;
SELECT * FROM add_one('k_name');
CREATE TABLE k_bytea (id bytea PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_bytea SELECT decode(md5(w), 'hex') FROM word;
SELECT * FROM add_one('k_bytea');
-- keys that are stored out of line
CREATE TABLE k_long (id text PRIMARY KEY, n int DEFAULT 0);
ALTER TABLE k_long ALTER id SET STORAGE EXTERNAL;
INSERT INTO k_long SELECT lpad(g::text, 2500, '0') FROM generate_series(1, 50) g;
SELECT * FROM add_one('k_long');

-- other types; the session's formats do not matter
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = 'sql_standard';
SET TimeZone = 'Asia/Kathmandu';
SET extra_float_digits = -10;
SET bytea_output = 'escape';
CREATE TABLE k_uuid (id uuid PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_uuid SELECT md5(g::text)::uuid FROM generate_series(1, 100) g;
SELECT * FROM add_one('k_uuid');
CREATE TABLE k_timestamptz (id timestamptz PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_timestamptz SELECT timestamptz '2024-10-27 00:00:00.000001+00' + g * interval '7 min'
	FROM generate_series(1, 100) g;
INSERT INTO k_timestamptz VALUES ('infinity'), ('-infinity'), ('0044-03-15 12:00:00+00 BC');
SELECT * FROM add_one('k_timestamptz');
CREATE TABLE k_date (id date PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_date SELECT date '2023-12-25' + g FROM generate_series(1, 100) g;
SELECT * FROM add_one('k_date');
CREATE TABLE k_interval (id interval PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_interval SELECT g * interval '-1 mon 3 days 00:00:00.5' FROM generate_series(1, 100) g;
SELECT * FROM add_one('k_interval');
CREATE TABLE k_float4 (id float4 PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_float4 SELECT (g / 1e5 + 1)::float4 FROM generate_series(1, 100) g;
SELECT * FROM add_one('k_float4');
RESET DateStyle;
RESET IntervalStyle;
RESET TimeZone;
RESET extra_float_digits;
RESET bytea_output;
DO $$ BEGIN
	EXECUTE (SELECT format('CREATE TYPE colour AS ENUM (%s)',
		string_agg(quote_literal('colour ' || g * 17 % 101), ', ' ORDER BY g))
		FROM generate_series(1, 100) g);
END $$;
ALTER TYPE colour ADD VALUE 'none' BEFORE 'colour 1';
CREATE TABLE k_enum (id colour PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_enum SELECT unnest(enum_range(NULL::colour));
SELECT * FROM add_one('k_enum');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE k_domain (id positive PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_domain SELECT generate_series(1, 100);
SELECT * FROM add_one('k_domain');
CREATE TABLE k_array (id int[] PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_array SELECT ARRAY[g % 10, g, NULL] FROM generate_series(1, 100) g;
INSERT INTO k_array VALUES ('{}'), ('[2:3]={1,2}'), ('{{1,2},{3,4}}');
SELECT * FROM add_one('k_array');
CREATE TABLE k_inet (id inet PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_inet SELECT ('10.0.' || g % 7 || '.' || g || '/' || 16 + g % 17)::inet
	FROM generate_series(1, 100) g;
INSERT INTO k_inet VALUES ('::1'), ('fe80::/10');
SELECT * FROM add_one('k_inet');
CREATE TABLE k_bool (id boolean PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_bool VALUES (true), (false);
SELECT * FROM add_one('k_bool', 1);
CREATE TYPE pair AS (a int, b text);
CREATE TABLE k_record (id pair PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_record SELECT ROW(g % 5, nullif('a, "b" ' || g, 'a, "b" 7'))::pair
	FROM generate_series(1, 100) g;
SELECT * FROM add_one('k_record');
CREATE TABLE k_range (id int4range PRIMARY KEY, n int DEFAULT 0);
INSERT INTO k_range SELECT int4range(g % 9, g + 9) FROM generate_series(1, 100) g;
SELECT * FROM add_one('k_range');

-- several columns: one tenant has most of the rows
CREATE TABLE tenants (tenant int, code text);
INSERT INTO tenants SELECT CASE WHEN g <= 150 THEN 2 ELSE g % 4 END, chr(65 + g % 50) || g
	FROM generate_series(1, 200) g;
CREATE TABLE k_tenant (tenant int, code text, n int DEFAULT 0, PRIMARY KEY (tenant, code));
INSERT INTO k_tenant SELECT * FROM tenants;
SELECT * FROM add_one('k_tenant');
CREATE TABLE k_desc (tenant int NOT NULL, code text NOT NULL, n int DEFAULT 0);
CREATE UNIQUE INDEX ON k_desc (tenant DESC, code DESC);
INSERT INTO k_desc SELECT * FROM tenants;
SELECT * FROM add_one('k_desc');
CREATE TABLE k_asc_desc (tenant int NOT NULL, code text NOT NULL, n int DEFAULT 0);
CREATE UNIQUE INDEX ON k_asc_desc (tenant, code COLLATE "C" DESC);
INSERT INTO k_asc_desc SELECT * FROM tenants;
SELECT * FROM add_one('k_asc_desc');
CREATE TABLE k_desc_asc (tenant int NOT NULL, code text NOT NULL, n int DEFAULT 0);
CREATE UNIQUE INDEX ON k_desc_asc (tenant DESC NULLS LAST, code NULLS FIRST);
INSERT INTO k_desc_asc SELECT * FROM tenants;
SELECT * FROM add_one('k_desc_asc');
CREATE TABLE k_one_desc (id int NOT NULL, n int DEFAULT 0);
CREATE UNIQUE INDEX ON k_one_desc (id DESC NULLS LAST);
INSERT INTO k_one_desc SELECT generate_series(1, 100);
SELECT * FROM add_one('k_one_desc');
CREATE TABLE k_nulls_first (id int NOT NULL, n int DEFAULT 0);
CREATE UNIQUE INDEX ON k_nulls_first (id NULLS FIRST);
INSERT INTO k_nulls_first SELECT generate_series(1, 100);
SELECT * FROM add_one('k_nulls_first');
CREATE TABLE k_three (a int NOT NULL, b int NOT NULL, c int NOT NULL, n int DEFAULT 0);
CREATE UNIQUE INDEX ON k_three (b, c DESC, a);
INSERT INTO k_three SELECT a, b, c FROM generate_series(1, 6) a, generate_series(1, 6) b,
	generate_series(1, 6) c;
SELECT * FROM add_one('k_three');
-- columns whose operators have different names
CREATE TABLE k_operators (tenant int NOT NULL, code text NOT NULL, n int DEFAULT 0);
CREATE UNIQUE INDEX ON k_operators (tenant, code text_pattern_ops);
INSERT INTO k_operators SELECT * FROM tenants;
SELECT * FROM add_one('k_operators');
-- columns whose operators are in different schemas, one not in the search_path
CREATE SCHEMA elsewhere;
CREATE EXTENSION citext SCHEMA elsewhere;
CREATE TABLE k_citext (tenant int, code elsewhere.citext, n int DEFAULT 0, PRIMARY KEY (tenant, code));
INSERT INTO k_citext SELECT * FROM tenants;
SELECT * FROM add_one('k_citext');
CREATE TABLE k_citext_first (code elsewhere.citext, tenant int, n int DEFAULT 0, PRIMARY KEY (code, tenant));
INSERT INTO k_citext_first SELECT code, tenant FROM tenants;
SELECT * FROM add_one('k_citext_first');
-- operators in the search_path that take the place of the type's own
CREATE FUNCTION elsewhere.backwards(int, int) RETURNS boolean IMMUTABLE LANGUAGE sql AS
	$$ SELECT $2 OPERATOR(pg_catalog.>) $1 $$;
CREATE OPERATOR elsewhere.> (LEFTARG = int, RIGHTARG = int, FUNCTION = elsewhere.backwards);
CREATE OPERATOR elsewhere.<= (LEFTARG = int, RIGHTARG = int, FUNCTION = elsewhere.backwards);
SET search_path = elsewhere, pg_catalog, keys, public;
UPDATE k_int SET n = 0;
SELECT * FROM add_one('k_int');
SET search_path = keys, public;

-- further columns in the index, odd names, a deferrable key, more columns than
-- a row usually has
CREATE TABLE k_include (id int, n int DEFAULT 0, note text, PRIMARY KEY (id) INCLUDE (note));
INSERT INTO k_include SELECT generate_series(1, 100);
SELECT * FROM add_one('k_include');
CREATE TABLE "K ""odd" ("Id; --" int, "select" int, n int DEFAULT 0, PRIMARY KEY ("select", "Id; --"));
INSERT INTO "K ""odd" SELECT g, g % 3 FROM generate_series(1, 100) g;
SELECT * FROM add_one('"K ""odd"');
CREATE TABLE k_deferrable (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, n int DEFAULT 0);
INSERT INTO k_deferrable SELECT generate_series(1, 100);
SELECT * FROM add_one('k_deferrable');
CREATE TABLE k_dropped (gone int, id int PRIMARY KEY, n int DEFAULT 0);
ALTER TABLE k_dropped DROP gone;
INSERT INTO k_dropped SELECT generate_series(1, 100);
SELECT * FROM add_one('k_dropped');
SELECT format('CREATE TABLE k_many (n int DEFAULT 0, %s, PRIMARY KEY (%s))',
	string_agg(format('c%s int', g), ', '), string_agg('c' || g, ', '))
	FROM generate_series(1, 32) g \gexec
SELECT format('INSERT INTO k_many SELECT 0, %s FROM generate_series(1, 100) g',
	string_agg('g / ' || 33 - g, ', ')) FROM generate_series(1, 32) g \gexec
SELECT * FROM add_one('k_many');

-- which index: the primary key even if it has more columns, else the usable one
-- with the fewest; never one that can have NULLs, is partial or on expressions
CREATE TABLE k_choice (a int, b int, c int NOT NULL, d int NOT NULL, e int, n int DEFAULT 0);
INSERT INTO k_choice SELECT g, g, g, g, g FROM generate_series(1, 100) g;
CREATE UNIQUE INDEX k_choice_null ON k_choice (e);
CREATE UNIQUE INDEX k_choice_partial ON k_choice (c) WHERE c > 50;
CREATE UNIQUE INDEX k_choice_expression ON k_choice ((c + 1));
CREATE INDEX k_choice_not_unique ON k_choice (c);
CREATE UNIQUE INDEX k_choice_two ON k_choice (c, d);
SELECT * FROM add_one('k_choice');
CREATE UNIQUE INDEX k_choice_one ON k_choice (d);
UPDATE k_choice SET n = 0;
SELECT * FROM add_one('k_choice');
ALTER TABLE k_choice ADD PRIMARY KEY (b, a);
UPDATE k_choice SET n = 0;
SELECT * FROM add_one('k_choice');
ALTER TABLE k_choice DROP CONSTRAINT k_choice_pkey;
ALTER INDEX k_choice_one RENAME TO "Renamed";
UPDATE k_choice SET n = 0;
SELECT * FROM add_one('k_choice');

SET client_min_messages = warning;
DROP SCHEMA keys, elsewhere CASCADE;
