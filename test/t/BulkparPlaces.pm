# Places in SQL from which a function can be called, and values that hardly
# anybody would pass to it.

package BulkparPlaces;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

our @EXPORT = qw(odd_places odd_calls odd_functions odd_values place_sql);

# In a place %e stands for the call as an expression and %t for its result as
# text.  %w is the start of the names of functions that call it, see below, and
# %table is a table of that name.  Where a place does not take even a call that
# nothing is wrong with the SQLSTATE is given.
my $places = <<'END';
-- SELECT
SELECT %e;
SELECT %t;

-- FROM
SELECT * FROM %e;

-- ROWS FROM
SELECT * FROM ROWS FROM (%e, generate_series(1, 2)) WITH ORDINALITY;

-- a column of the result
SELECT (%e).status;

-- all columns of the result
SELECT (%e).*;

-- an argument
SELECT length(%t);

-- CASE and COALESCE
SELECT CASE WHEN random() < 0 THEN NULL ELSE %e END, coalesce(NULL, %t);

-- operators
SELECT %t IS NULL OR %t IN ('', 'a');

-- ARRAY and ROW
SELECT ARRAY[%t], ROW(%e);

-- twice
SELECT %e, %e;

-- beside others
SELECT repeat(current_user, 3), %e, now();

-- a join
SELECT * FROM %e AS a, %e AS b;

-- a join condition
SELECT * FROM generate_series(1, 2) AS a LEFT JOIN generate_series(1, 1) AS b
	ON %t IS NOT NULL;

-- LATERAL
SELECT * FROM generate_series(1, 2) AS i, LATERAL (SELECT %e, i) AS l;

-- beside a set
SELECT generate_series(1, 1), %e;

-- WHERE
SELECT 1 WHERE %t IS NOT NULL;

-- a subquery
SELECT (SELECT %e), EXISTS (SELECT %e);

-- a subquery in FROM
SELECT * FROM (SELECT %e OFFSET 0) AS s;

-- WITH
WITH w AS MATERIALIZED (SELECT %t AS x) SELECT * FROM w AS a, w AS b;

-- WITH RECURSIVE
WITH RECURSIVE w(i, x) AS (
	SELECT 1, %t UNION ALL SELECT i + 1, %t FROM w WHERE i < 2)
SELECT * FROM w;

-- UNION
SELECT %t UNION SELECT '';

-- VALUES
VALUES (%t), (%t);

-- LIMIT
SELECT 1 LIMIT length(%t) OFFSET 0 * length(%t);

-- ORDER BY
SELECT i FROM generate_series(1, 2) AS i ORDER BY %t;

-- aggregates
SELECT count(%t), max('') FILTER (WHERE %t IS NOT NULL),
	percentile_disc(0.5) WITHIN GROUP (ORDER BY %t)
FROM generate_series(1, 1) AS i GROUP BY i, %t HAVING %t IS NOT NULL;

-- a window
SELECT row_number() OVER (PARTITION BY %t ORDER BY %t)
FROM generate_series(1, 1);

-- EXPLAIN
EXPLAIN (ANALYZE, VERBOSE) SELECT %e;
EXPLAIN SELECT * FROM %e;

-- COPY TO
COPY (SELECT %t) TO STDOUT;

-- JIT
SET jit_above_cost = 0;
SELECT %e, length(%t);
RESET jit_above_cost;

-- EXECUTE
PREPARE odd AS SELECT %e;
EXECUTE odd;
EXPLAIN ANALYZE EXECUTE odd;

-- an argument of EXECUTE
PREPARE odd(text) AS SELECT $1;
EXECUTE odd(%t);

-- EXECUTE of a generic plan
SET plan_cache_mode = force_generic_plan;
PREPARE odd AS SELECT * FROM %e;
EXECUTE odd;
RESET plan_cache_mode;

-- functions that run a query
SELECT query_to_xml($q$SELECT %t AS x$q$, true, true, '');
SELECT * FROM ts_stat($q$SELECT to_tsvector('simple', %t)$q$);

-- a cursor
BEGIN;
DECLARE odd CURSOR FOR SELECT %e;
FETCH odd;
FETCH odd;
CLOSE odd;
DECLARE odd SCROLL CURSOR FOR SELECT * FROM %e;
FETCH ALL FROM odd;
FETCH BACKWARD ALL FROM odd;
COMMIT;

-- a cursor WITH HOLD
DECLARE odd CURSOR WITH HOLD FOR SELECT %e;
FETCH odd;
CLOSE odd;
BEGIN;
DECLARE odd CURSOR WITH HOLD FOR SELECT * FROM %e;
COMMIT;
FETCH odd;
CLOSE odd;

-- a cursor and a savepoint
BEGIN;
DECLARE odd CURSOR FOR SELECT %e;
DECLARE even CURSOR FOR SELECT %e;
SAVEPOINT s;
FETCH odd;
ROLLBACK TO s;
FETCH even;
SAVEPOINT r;
DECLARE late CURSOR FOR SELECT * FROM %e;
RELEASE r;
FETCH late;
COMMIT;

-- a block
BEGIN;
SELECT %e;
COMMIT AND CHAIN;
SELECT %e;
ROLLBACK;

-- a savepoint
BEGIN;
SAVEPOINT s;
SELECT %e;
ROLLBACK TO s;
SELECT * FROM %e;
RELEASE s;
COMMIT;

-- a transaction that has changed something
%table
BEGIN;
DELETE FROM odd;
SELECT %e;
ROLLBACK;

-- REPEATABLE READ
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT %e;
COMMIT;

-- SERIALIZABLE
SET default_transaction_isolation = serializable;
SELECT %e;
RESET default_transaction_isolation;

-- READ ONLY
BEGIN READ ONLY;
SELECT %e;
COMMIT;

-- several statements at once
SELECT 1\; SELECT %e\; SELECT 2;

-- a prepared transaction
BEGIN;
SELECT %e;
PREPARE TRANSACTION 'odd';
ROLLBACK PREPARED 'odd';

-- a view
CREATE VIEW odd AS SELECT %t AS x;
SELECT * FROM odd WHERE x IS NOT NULL;
ALTER VIEW odd SET (security_barrier);
SELECT * FROM odd;
DROP VIEW odd;
CREATE VIEW odd AS SELECT * FROM %e;
SELECT * FROM odd;

-- a materialized view
CREATE MATERIALIZED VIEW odd AS SELECT %t AS x WITH NO DATA;
REFRESH MATERIALIZED VIEW odd;
DROP MATERIALIZED VIEW odd;
CREATE MATERIALIZED VIEW odd AS SELECT %t AS x;

-- a table that is made of it
CREATE TABLE odd AS SELECT %t AS x;
DROP TABLE odd;
SELECT %t AS x INTO odd;
DROP TABLE odd;
PREPARE odd AS SELECT %t AS x;
CREATE TABLE odd AS EXECUTE odd;

-- a scan
%table
SELECT %e, i FROM odd FOR UPDATE;
SELECT i FROM odd WHERE %t IS NOT NULL;
SELECT * FROM odd TABLESAMPLE bernoulli (0 * length(%t));

-- changes
%table
INSERT INTO odd VALUES (length(%t)) RETURNING %e;
UPDATE odd SET i = 0 * length(%t) WHERE %t IS NOT NULL RETURNING %e;
MERGE INTO odd USING (SELECT %t AS x) AS s ON length(s.x) > 0
	WHEN MATCHED AND %t IS NOT NULL THEN UPDATE SET i = length(%t);
DELETE FROM odd WHERE %t IS NOT NULL RETURNING %e;

-- COPY FROM
%table
COPY odd FROM STDIN WHERE %t IS NOT NULL;
1
\.

-- a default
CREATE TABLE odd (i integer, x text DEFAULT %t);
INSERT INTO odd VALUES (1), (2);
INSERT INTO odd DEFAULT VALUES;
COPY odd (i) FROM STDIN;
1
\.
ALTER TABLE odd ADD y text DEFAULT %t;
ALTER TABLE odd ALTER x TYPE text USING %t;

-- a generated column
CREATE TABLE odd (i integer,
	g integer GENERATED ALWAYS AS (%w_immutable(i)) STORED);
INSERT INTO odd VALUES (1);
UPDATE odd SET i = 2;

-- a check
CREATE TABLE odd (i integer CHECK (%w_volatile(i) > 0));
INSERT INTO odd VALUES (1);
UPDATE odd SET i = 2;
ALTER TABLE odd ADD CHECK (%w_stable(i) > 0);

-- a domain
CREATE DOMAIN odd_domain AS integer CHECK (%w_stable(VALUE) > 0);
SELECT 1::odd_domain;
DO $odd$ DECLARE x odd_domain := 1; BEGIN x := 2; END $odd$;
CREATE TABLE odd (i odd_domain);
INSERT INTO odd VALUES (1);

-- an index
%table
CREATE INDEX ON odd (%w_immutable(i));
CREATE INDEX ON odd (i) WHERE %w_immutable(i) > 0;
INSERT INTO odd VALUES (3);
UPDATE odd SET i = i + 1;
REINDEX TABLE odd;
SELECT * FROM odd WHERE %w_immutable(i) = 2;

-- statistics
%table
CREATE STATISTICS odd_statistics ON (%w_immutable(i)), i FROM odd;
CREATE INDEX odd_index ON odd (%w_immutable(i));
ANALYZE odd;
VACUUM FULL odd;
CLUSTER odd USING odd_index;

-- a partition key
CREATE TABLE odd (i integer) PARTITION BY RANGE (%w_immutable(i));
CREATE TABLE odd_part PARTITION OF odd
	FOR VALUES FROM (0 * length(%t)) TO (MAXVALUE);
INSERT INTO odd VALUES (1);
UPDATE odd SET i = 2;
SELECT * FROM odd WHERE %w_immutable(i) = 2;

-- row level security
%table
ALTER TABLE odd ENABLE ROW LEVEL SECURITY;
ALTER TABLE odd FORCE ROW LEVEL SECURITY;
CREATE POLICY odd_policy ON odd
	USING (%w_stable(i) > 0) WITH CHECK (%w_volatile(i) > 0);
SELECT * FROM odd;
INSERT INTO odd VALUES (3);
UPDATE odd SET i = 2;
COPY odd TO STDOUT;
DELETE FROM odd;

-- triggers
%table
CREATE FUNCTION odd_trigger() RETURNS trigger LANGUAGE plpgsql AS
	$odd$ BEGIN PERFORM %e; RETURN NEW; END $odd$;
CREATE TRIGGER a BEFORE INSERT ON odd
	FOR EACH ROW EXECUTE FUNCTION odd_trigger();
CREATE TRIGGER b AFTER UPDATE ON odd
	FOR EACH ROW WHEN (%w_stable(NEW.i) > 0) EXECUTE FUNCTION odd_trigger();
CREATE TRIGGER c BEFORE DELETE ON odd EXECUTE FUNCTION odd_trigger();
INSERT INTO odd VALUES (3);
UPDATE odd SET i = 2;
DELETE FROM odd;

-- a deferred trigger
%table
CREATE FUNCTION odd_trigger() RETURNS trigger LANGUAGE plpgsql AS
	$odd$ BEGIN PERFORM %w_stable(1); PERFORM %e; RETURN NEW; END $odd$;
CREATE CONSTRAINT TRIGGER a AFTER UPDATE ON odd DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION odd_trigger();
UPDATE odd SET i = 2;
BEGIN;
UPDATE odd SET i = 3;
SET CONSTRAINTS ALL IMMEDIATE;
COMMIT;

-- a rule
%table
CREATE RULE odd_rule AS ON INSERT TO odd DO ALSO SELECT %e;
INSERT INTO odd VALUES (3);

-- an operator
CREATE OPERATOR ### (FUNCTION = %w_stable, RIGHTARG = integer);
SELECT ### 1, ### 2;
DROP OPERATOR ### (NONE, integer);

-- an aggregate
CREATE AGGREGATE odd_sum(integer)
	(SFUNC = int4pl, STYPE = integer, INITCOND = 0, FINALFUNC = %w_stable);
SELECT odd_sum(i), odd_sum(i + 1) FROM generate_series(1, 2) AS i;
SELECT odd_sum(i) OVER () FROM generate_series(1, 2) AS i;

-- a cast
CREATE TYPE odd_type AS (i integer);
CREATE FUNCTION odd_cast(odd_type) RETURNS integer LANGUAGE plpgsql STABLE AS
	$odd$ BEGIN RETURN length(%t); END $odd$;
CREATE CAST (odd_type AS integer) WITH FUNCTION odd_cast(odd_type);
SELECT ROW(1)::odd_type::integer, ARRAY[ROW(1)::odd_type]::integer[];

-- a VOLATILE function
SELECT * FROM %w_volatile(1);
SELECT %w_volatile(1), %e;

-- a STABLE function
SELECT * FROM %w_stable(1);
SELECT %w_stable(1), %e;

-- an IMMUTABLE function
SELECT %w_immutable(1);
PREPARE odd(integer) AS SELECT %w_immutable($1), %e;
EXECUTE odd(1);

-- a function and a cursor
BEGIN;
DECLARE odd CURSOR FOR SELECT %w_stable(1) FROM generate_series(1, 3);
FETCH odd;
SAVEPOINT s;
FETCH odd;
ROLLBACK TO s;
COMMIT;

-- a parallel worker 25000
%table
DO $odd$ BEGIN
	PERFORM set_config('debug_parallel_query', 'on', false);
EXCEPTION WHEN OTHERS THEN
	PERFORM set_config('force_parallel_mode', 'on', false);
END $odd$;
SET max_parallel_workers_per_gather = 1;
SELECT %w_parallel(i) FROM odd;
SELECT count(*) FROM odd WHERE %w_parallel(i) > 0;
RESET ALL;

-- a function in SQL
CREATE FUNCTION odd_function() RETURNS text LANGUAGE sql AS $odd$SELECT %t$odd$;
SELECT odd_function();
SELECT * FROM odd_function();
ALTER FUNCTION odd_function() STABLE SECURITY DEFINER;
SELECT odd_function();
ALTER FUNCTION odd_function() VOLATILE SECURITY INVOKER SET work_mem = '1MB';
SELECT odd_function();

-- a function that returns a set
CREATE FUNCTION odd_function() RETURNS SETOF text LANGUAGE plpgsql STABLE AS
$odd$ BEGIN
	RETURN QUERY SELECT %t;
	RETURN QUERY EXECUTE $q$SELECT %t$q$;
	RETURN NEXT %t;
END $odd$;
SELECT odd_function();

-- a default of an argument
CREATE FUNCTION odd_function(x text DEFAULT %t) RETURNS text LANGUAGE sql AS
	$odd$SELECT x$odd$;
SELECT odd_function();
SELECT * FROM odd_function();

-- a procedure 2D000
CREATE PROCEDURE odd_procedure(x text) LANGUAGE plpgsql AS $odd$ BEGIN
	PERFORM %e;
	COMMIT;
	x := %t;
	ROLLBACK;
END $odd$;
CALL odd_procedure(%t);
BEGIN;
CALL odd_procedure('');
ROLLBACK;
DO $odd$ BEGIN CALL odd_procedure(''); END $odd$;

-- DO
DO $odd$ BEGIN PERFORM %e; END $odd$;
BEGIN;
DO $odd$ BEGIN PERFORM * FROM %e; END $odd$;
COMMIT;

-- expressions of PL/pgSQL
DO $odd$
DECLARE
	x text := %t;
BEGIN
	ASSERT %t IS NOT NULL;
	IF %t IS NULL THEN
		RAISE '%', %t;
	END IF;
	FOR i IN 1 .. least(1, length(%t)) LOOP
		EXIT;
	END LOOP;
	x := %t;
END $odd$;

-- exceptions
DO $odd$
DECLARE
	x text;
BEGIN
	BEGIN
		x := %t;
	EXCEPTION WHEN OTHERS THEN
		NULL;
	END;
	BEGIN
		SELECT %t INTO x;
	EXCEPTION WHEN OTHERS THEN
		BEGIN
			x := %t;
		EXCEPTION WHEN OTHERS THEN
			NULL;
		END;
	END;
	PERFORM %e;
END $odd$;

-- loops over a query
DO $odd$
DECLARE
	r record;
BEGIN
	BEGIN
		FOR r IN SELECT %e LOOP
			NULL;
		END LOOP;
	EXCEPTION WHEN OTHERS THEN
		NULL;
	END;
	FOR r IN SELECT * FROM %e LOOP
		PERFORM %e;
	END LOOP;
END $odd$;

-- loops that commit
DO $odd$
DECLARE
	r record;
BEGIN
	COMMIT;
	FOR r IN SELECT * FROM %e LOOP
		COMMIT;
		PERFORM %e;
		ROLLBACK;
	END LOOP;
	FOR r IN SELECT %e FROM generate_series(1, 2) LOOP
		COMMIT;
	END LOOP;
END $odd$;

-- cursors of PL/pgSQL
DO $odd$
DECLARE
	c refcursor;
	r record;
BEGIN
	OPEN c FOR SELECT %e;
	FETCH c INTO r;
	CLOSE c;
	OPEN c FOR SELECT * FROM %e;
	BEGIN
		FETCH c INTO r;
	EXCEPTION WHEN OTHERS THEN
		NULL;
	END;
	COMMIT;
	OPEN c SCROLL FOR SELECT %e;
	MOVE LAST FROM c;
END $odd$;

-- EXECUTE of PL/pgSQL
DO $odd$
DECLARE
	x text;
	n integer;
BEGIN
	EXECUTE $q$SELECT %t$q$ INTO x;
	GET DIAGNOSTICS n = ROW_COUNT;
	EXECUTE $q$SELECT $1$q$ INTO x USING %t;
	FOR x IN EXECUTE $q$SELECT %t$q$ LOOP
		EXECUTE $q$DO $r$ BEGIN PERFORM %e; END $r$$q$;
	END LOOP;
END $odd$;

-- a job
SELECT status
FROM bulkpar_update('two', 'n', $q$n + 0 * length(%t)$q$);
SELECT status
FROM bulkpar_update('two', 'n', 'n', condition => $q$%t IS NOT NULL$q$);

-- the sample of a job
SELECT *
FROM bulkpar_explain('two', 'n', $q$n + 0 * length(%t)$q$, sample => true);
END

# The same for a procedure, where %e is what comes after CALL.
my $calls = <<'END';
-- CALL
CALL %e;

-- CALL in a block
BEGIN;
CALL %e;
SAVEPOINT s;
CALL %e;
COMMIT;

-- CALL as one of several
SELECT 1\; CALL %e\; SELECT 2;

-- CALL in DO
DO $odd$ BEGIN CALL %e; COMMIT; CALL %e; END $odd$;
BEGIN;
DO $odd$ BEGIN CALL %e; END $odd$;
COMMIT;

-- CALL and exceptions
DO $odd$ BEGIN
	BEGIN
		CALL %e;
	EXCEPTION WHEN OTHERS THEN
		NULL;
	END;
	CALL %e;
END $odd$;

-- CALL in a loop
DO $odd$
DECLARE
	r record;
BEGIN
	FOR r IN SELECT i FROM generate_series(1, 2) AS i LOOP
		CALL %e;
	END LOOP;
END $odd$;

-- CALL in a loop in which nothing may commit 55000
DO $odd$
DECLARE
	r record;
BEGIN
	FOR r IN UPDATE two SET n = n RETURNING n LOOP
		CALL %e;
	END LOOP;
END $odd$;

-- CALL in a procedure 2D000
CREATE PROCEDURE odd_procedure() LANGUAGE plpgsql AS
	$odd$ BEGIN CALL %e; COMMIT; CALL %e; END $odd$;
DO $odd$ BEGIN CALL odd_procedure(); END $odd$;
ALTER PROCEDURE odd_procedure() SET work_mem = '1MB';
CALL odd_procedure();
ALTER PROCEDURE odd_procedure() RESET ALL;
ALTER PROCEDURE odd_procedure() SECURITY DEFINER;
CALL odd_procedure();

-- CALL in SQL
CREATE PROCEDURE odd_procedure() LANGUAGE sql AS $odd$CALL %e; CALL %e$odd$;
CALL odd_procedure();
CREATE FUNCTION odd_function() RETURNS void LANGUAGE sql AS $odd$CALL %e$odd$;
SELECT odd_function();

-- CALL in a function
CREATE FUNCTION odd_function() RETURNS integer LANGUAGE plpgsql STABLE AS
$odd$ BEGIN
	BEGIN
		CALL %e;
	EXCEPTION WHEN OTHERS THEN
		NULL;
	END;
	RETURN 1;
END $odd$;
SELECT odd_function();
SELECT * FROM odd_function();

-- CALL in a deferred trigger
%table
CREATE FUNCTION odd_trigger() RETURNS trigger LANGUAGE plpgsql AS
	$odd$ BEGIN CALL %e; RETURN NEW; END $odd$;
CREATE CONSTRAINT TRIGGER a AFTER UPDATE ON odd DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION odd_trigger();
UPDATE odd SET i = 2;

-- CALL in EXECUTE
DO $odd$ BEGIN EXECUTE $q$CALL %e$q$; END $odd$;

-- no CALL 42809
SELECT %e;
SELECT * FROM %e;
END

# Values of a type that hardly anybody would pass.
my %values = (
	'bigint' => [ '0', '-1', '4711', '9223372036854775807' ],
	'boolean' => [ 'true', 'false' ],
	'integer' => [ '0', '-1', '1', '2147483647' ],
	'interval' => [ "'0'", "'-1 day'", "'100000 years'", "'-100000 years'" ],
	'regclass' => [ '0', '4711', "'pg_class'", "'two_pkey'", "'bulkpar_jobs'" ],
	'regclass[]' => [
		"'{}'", "'{NULL}'", "'{t,t}'", "'{{t,gone},{two,checked}}'",
		"'[3:4]={t,0}'", "'{t,4711,pg_class}'"
	],
	'text' => [
		"''", "' '", "'nonsense'", "'1); DROP TABLE two; --'",
		"repeat('x', 100000)", q('$1')
	],
	'text[]' => [
		"'{}'", "'{NULL}'", "'{{a,b},{c,d}}'", "'[3:4]={n,n}'",
		"array_fill('x'::text, ARRAY[2000])"
	],
	'tid' => [ "'(0,0)'", "'(4294967295,65535)'" ],
	'"any"' => [
		"NULL", "'unknown'", "1.5", "'(1,2)'::point", "ARRAY[1]",
		"ARRAY['(1,2)'::point]", "ROW(1, 'a')", "ROW('(1,2)'::point)",
		"'{}'::json", "int4range(1, 2)", "pg_sleep(0)",
		"VARIADIC ARRAY[1, 2]", "VARIADIC ARRAY[]::integer[]",
		"VARIADIC NULL::integer[]", "VARIADIC ARRAY[NULL]::point[]",
		"VARIADIC ARRAY['(1,2)'::point]", "VARIADIC NULL", "VARIADIC 1"
	]);

# The places in a text: name, SQL, expected SQLSTATE.
sub split_places
{
	my ($text) = @_;

	return map { [ /^(.*?)(?: (\w{5}))?\n(.*)/s ? ($1, $3, $2) : () ] }
	  grep { $_ ne '' } split /^-- /m, $text;
}

sub odd_places { return split_places($places); }

sub odd_calls { return split_places($calls); }

# Odd values of a type, as SQL.
sub odd_values
{
	my ($type) = @_;
	my $values = $values{$type} // [];

	return $type eq '"any"' ? @$values : map { "$_\::$type" } 'NULL', @$values;
}

# The functions that call an expression, of each volatility: raised_... which
# raise its errors, and caught_... which catch them.
sub odd_functions
{
	my ($expression) = @_;
	my $sql = '';

	foreach my $end (qw(volatile stable immutable parallel))
	{
		my $kind = $end eq 'parallel' ? 'STABLE PARALLEL SAFE' : $end;

		$sql .= <<"END";
CREATE OR REPLACE FUNCTION raised_$end(i INOUT integer)
LANGUAGE plpgsql $kind AS \$odd\$
DECLARE
	x text;
BEGIN
	x := ($expression)::text;
END \$odd\$;
CREATE OR REPLACE FUNCTION caught_$end(i INOUT integer)
LANGUAGE plpgsql $kind AS \$odd\$
DECLARE
	x text;
BEGIN
	BEGIN
		x := ($expression)::text;
	EXCEPTION WHEN OTHERS THEN
		NULL;
	END;
END \$odd\$;
END
	}
	return $sql;
}

# The SQL of a place for an expression, once for each kind of those functions if
# it has any.  clean_up() removes what it leaves.
sub place_sql
{
	my ($place, $expression) = @_;
	my @kinds = $place->[1] =~ /%w/ ? qw(raised caught) : ('');
	my $sql = '';

	foreach my $kind (@kinds)
	{
		my $text = $place->[1];

		$text =~
		  s/%table/CREATE TABLE odd (i integer);\nINSERT INTO odd VALUES (1);/g;
		$text =~ s/%w/$kind/g;
		$text =~ s/%t/($expression)::text/g;
		$text =~ s/%e/$expression/g;
		$sql .= "$text\nROLLBACK;\nSELECT clean_up();\n";
	}
	return $sql;
}

1;
