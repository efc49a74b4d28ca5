--
-- Names of all kinds: quotes, percent signs, other letters, 63 bytes, keywords
--
SET bulkpar.report = off;
CREATE SCHEMA "sch""ema %s";
CREATE TABLE "sch""ema %s"."täble ""x"" %d; --" (
	"i d" int PRIMARY KEY,
	"n%1$s" int DEFAULT 0,
	"ünd ""n""" int DEFAULT 0,
	"select" int DEFAULT 0,
	"c234567890123456789012345678901234567890123456789012345678901 3" int DEFAULT 0
);
INSERT INTO "sch""ema %s"."täble ""x"" %d; --" SELECT generate_series(1, 100);
SELECT status, rows_changed FROM bulkpar_update(
	'"sch""ema %s"."täble ""x"" %d; --"',
	ARRAY['n%1$s', 'ünd "n"', 'select',
		'c234567890123456789012345678901234567890123456789012345678901 3'],
	ARRAY['"n%1$s" + 1', '"ünd ""n""" + 1', '"select" + 1',
		'"c234567890123456789012345678901234567890123456789012345678901 3" + 1'],
	7, 2, '"i d" > 0');
SELECT DISTINCT "n%1$s", "ünd ""n""", "select",
	"c234567890123456789012345678901234567890123456789012345678901 3" AS long
FROM "sch""ema %s"."täble ""x"" %d; --";
-- other spellings of names are those of SQL
SELECT rows_changed FROM bulkpar_update('"sch""ema %s"."täble ""x"" %d; --"', '"select"', '1');
SELECT bulkpar_update('"sch""ema %s"."täble ""x"" %d; --"', 'SELECT', '1');
SELECT bulkpar_update('"sch""ema %s"."täble ""x"" %d; --"', 'select = 1, "n%1$s"', '1');
-- the name in the context of an error
\set VERBOSITY sqlstate
SELECT bulkpar_update('"sch""ema %s"."täble ""x"" %d; --"', 'select', '1 / ("i d" - 50)', 7, 1);
\set VERBOSITY default
SELECT context ~ 'of table "täble "x" %d; --", keys after \(49\) up to \(56\)$' AS context
FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;
-- an extension in a schema with such a name, but for quotes and comments, which
-- no extension that names its schema may have
DROP EXTENSION bulkpar;
CREATE SCHEMA "sch Ema %s;";
CREATE EXTENSION bulkpar SCHEMA "sch Ema %s;";
SELECT status, rows_changed FROM "sch Ema %s;".bulkpar_update(
	'"sch""ema %s"."täble ""x"" %d; --"', 'select', '"select" + 1', 7, 2);
SELECT status, percent FROM "sch Ema %s;".bulkpar_progress;
DROP EXTENSION bulkpar;
DROP SCHEMA "sch Ema %s;";
-- nor can it be in the schema of its tables, or that be somebody else's
\set SHOW_CONTEXT never
CREATE SCHEMA bulkpar;
CREATE EXTENSION bulkpar SCHEMA bulkpar;
CREATE TABLE bulkpar.mine ();
CREATE EXTENSION bulkpar;
DROP TABLE bulkpar.mine;
CREATE ROLE regress_names_somebody;
ALTER SCHEMA bulkpar OWNER TO regress_names_somebody;
CREATE EXTENSION bulkpar;
ALTER SCHEMA bulkpar OWNER TO CURRENT_USER;
GRANT ALL ON SCHEMA bulkpar TO regress_names_somebody, PUBLIC;
CREATE EXTENSION bulkpar;
SELECT has_schema_privilege('regress_names_somebody', 'bulkpar', 'USAGE, CREATE');
DROP EXTENSION bulkpar;
SELECT to_regnamespace('bulkpar');
DROP ROLE regress_names_somebody;
CREATE EXTENSION bulkpar;
DROP TABLE "sch""ema %s"."täble ""x"" %d; --";
DROP SCHEMA "sch""ema %s";
