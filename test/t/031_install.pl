# What CREATE EXTENSION makes of the script: nothing of it belongs to others.  A
# database owner prepares functions, operators, types and tables that fit better
# than those of pg_catalog; default privileges give all to all.  Then nothing but
# pg_catalog and the extension itself is used, and nobody has got any rights.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('install', 'bulkpar.report = off');
my $script = join '',
  map { slurp_file($_) } glob "$FindBin::RealBin/../../sql/bulkpar--*.sql";

$node->safe_psql('postgres', 'CREATE ROLE dbo LOGIN; CREATE ROLE app LOGIN');

# SQL whose own names are not those of the lookalikes.
sub sql
{
	my ($database, $sql) = @_;

	return $node->safe_psql($database, "SET search_path = pg_catalog; $sql");
}

# Make functions of these names and operators for all types for which pg_catalog
# has none, and tables and types that are called as all of pg_catalog.  They note
# who calls them.
my $make_lookalikes = <<'END';
CREATE PROCEDURE make_function(schema text, name text, arguments text, result text)
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
	EXECUTE format('CREATE FUNCTION %I.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L',
		schema, name, arguments, result, format(
			'BEGIN INSERT INTO %I.trap VALUES (current_user, %L); RETURN NULL; END',
			schema, name));
END $$;
CREATE PROCEDURE make_lookalikes(schema text, names text[], operators text[])
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	kinds text[] := '{oid, int4, int8, text, name, regclass, regrole, numeric,
		float8, timestamptz, interval, bool}';
	name text;
	a text;
	b text;
	result text;
BEGIN
	FOREACH a IN ARRAY kinds LOOP
		FOREACH b IN ARRAY kinds || '{NULL}' LOOP
			FOREACH name IN ARRAY names LOOP
				CONTINUE WHEN to_regprocedure(format('%I(%s)', name,
					concat_ws(',', a, b))) IS NOT NULL;
				SELECT CASE typtype WHEN 'p' THEN 'text' ELSE typname END INTO result
				FROM pg_proc JOIN pg_type t ON t.oid = prorettype
				WHERE proname = name AND pronamespace = 'pg_catalog'::regnamespace;
				CONTINUE WHEN result IS NULL;
				CALL public.make_function(schema, name, concat_ws(',', a, b), result);
			END LOOP;
			CONTINUE WHEN b IS NULL;
			CALL public.make_function(schema, 'calculate', concat_ws(',', a, b), a);
			CALL public.make_function(schema, 'compare', concat_ws(',', a, b), 'bool');
			FOREACH name IN ARRAY operators LOOP
				CONTINUE WHEN to_regoperator(format('%s(%s, %s)', name, a, b)) IS NOT NULL;
				EXECUTE format('CREATE OPERATOR %I.%s (LEFTARG = %s, RIGHTARG = %s,'
					'FUNCTION = %1$I.%5$s)', schema, name, a, b,
					CASE WHEN name IN ('=', '<>', '<', '>', '<=', '>=')
					THEN 'compare' ELSE 'calculate' END);
			END LOOP;
		END LOOP;
	END LOOP;
	FOR name IN SELECT relname FROM pg_class
		WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
	LOOP
		EXECUTE format('CREATE TABLE %I.%I ()', schema, name);
	END LOOP;
	FOR name IN SELECT typname FROM pg_type
		WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typelem = 0
	LOOP
		EXECUTE format('CREATE DOMAIN %I.%I AS pg_catalog.%2$I', schema, name);
	END LOOP;
END $$;
END

# A database with a schema in which its owner has made lookalikes of all that the
# script may use.
sub make_database
{
	my ($database, $schema) = @_;
	my %names = map { $_ => 1 } $script =~ /\b([a-z]\w+)\s*\(/g;
	my $names = join ',', sort keys %names;

	$node->safe_psql('postgres', "CREATE DATABASE $database OWNER dbo");
	$node->safe_psql($database, <<"END", extra_params => [ '-U', 'dbo' ]);
CREATE SCHEMA IF NOT EXISTS "$schema";
GRANT USAGE ON SCHEMA "$schema" TO PUBLIC;
CREATE TABLE "$schema".trap (who text, what text);
GRANT ALL ON "$schema".trap TO PUBLIC;
$make_lookalikes
CALL make_lookalikes('$schema', '{$names}', '{=,<>,<,>,<=,>=,+,-,*,/,&,|,>>,<<,||,->,->>}');
END
	is( sql($database, 'SELECT count(*) > 1000 FROM pg_operator WHERE oid >= 16384')
		  . sql($database, 'SELECT count(*) > 1000 FROM pg_proc WHERE oid >= 16384'),
		'tt', "schema $schema: there are lookalikes");
	return;
}

# What the objects of the extension need, and its own objects.
my $needs = <<'END';
WITH RECURSIVE own(classid, objid) AS (
	SELECT classid, objid FROM pg_depend
	WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
		AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'bulkpar')
	UNION
	SELECT d.classid, d.objid FROM pg_depend d JOIN own ON d.refclassid = own.classid
		AND d.refobjid = own.objid AND d.deptype IN ('a', 'i')),
needs AS (
	SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0) AS object, d.refclassid,
		d.refobjid, (pg_identify_object(d.refclassid, d.refobjid, 0)).*
	FROM pg_depend d JOIN own USING (classid, objid))
END

# Nothing of the extension needs what is neither its own nor of pg_catalog, which
# is not recorded where it cannot be dropped.
sub needs_nobody
{
	my ($database, $schema, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(sql($database, <<"END"), '', "$name: nothing of others is used");
$needs SELECT object || ' needs ' || type || ' ' || identity FROM needs
WHERE (refclassid, refobjid) NOT IN (SELECT classid, objid FROM own)
	AND schema IS DISTINCT FROM 'pg_catalog'
	AND NOT (type = 'extension' AND identity = 'bulkpar')
	AND NOT (type = 'schema' AND refobjid = '"$schema"'::regnamespace)
END
	cmp_ok(
		sql($database, "$needs SELECT count(*) FROM needs"),
		'>', 100, "$name: what is used is known");
	return;
}

# The extension works, and the lookalikes are not called.
sub works
{
	my ($database, $schema, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(sql($database, <<"END"), "100\n0\n1\nsucceeded|100.0\n1\n0\n1", "$name: it works");
CREATE SCHEMA data;
CREATE TABLE data.t (id integer PRIMARY KEY, n integer NOT NULL DEFAULT 0);
INSERT INTO data.t SELECT generate_series(1, 100);
SELECT rows_changed FROM "$schema".bulkpar_update('data.t', 'n', 'n + 1', 10, 2);
SELECT count(*) FROM "$schema".bulkpar_errors;
SELECT count(*) FROM "$schema".bulkpar_jobs;
SELECT status, percent FROM "$schema".bulkpar_progress;
SELECT count(DISTINCT job_id) FROM "$schema".bulkpar_chunks;
SELECT "$schema".bulkpar_forget(interval '1 day');
SELECT "$schema".bulkpar_forget(interval '0');
END
	is(sql($database, "SELECT DISTINCT who, what FROM \"$schema\".trap"),
		'', "$name: no lookalike is called");
	return;
}

# In the schema where the lookalikes are, by a superuser who looks there first.
foreach my $case ([ 'plain', 'public' ], [ 'odd', 'Odd name' ])
{
	my ($database, $schema) = @$case;

	make_database($database, $schema);
	$node->safe_psql($database, <<"END");
SET search_path = "$schema", pg_catalog;
SET client_min_messages = error;
CREATE TEMPORARY TABLE bulkpar_job (LIKE pg_catalog.pg_class);
CREATE TEMPORARY TABLE bulkpar_jobs (LIKE pg_catalog.pg_class);
CREATE EXTENSION bulkpar SCHEMA "$schema";
END
	needs_nobody($database, $schema, "schema $schema");
	works($database, $schema, "schema $schema");
}

# Where all get all rights on whatever is made.
$node->safe_psql('postgres', 'CREATE DATABASE open');
$node->safe_psql('open', <<'END');
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO app, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO app, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO app, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO app, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO app, PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO app, PUBLIC;
CREATE TABLE mine (id serial);
CREATE EXTENSION bulkpar;
END
is( $node->safe_psql('open', "SELECT has_table_privilege('app', 'mine', 'INSERT')"),
	't', 'default privileges give rights');
is(sql('open', <<"END"), <<'END' =~ s/\n\z//r, 'but nobody gets any on the extension');
$needs SELECT (pg_identify_object(classid, objid, 0)).identity,
	a.grantee::regrole, privilege_type
FROM own
LEFT JOIN pg_class c ON (classid, objid) = ('pg_class'::regclass, c.oid)
LEFT JOIN pg_namespace n ON (classid, objid) = ('pg_namespace'::regclass, n.oid)
LEFT JOIN pg_proc p ON (classid, objid) = ('pg_proc'::regclass, p.oid)
	AND pronamespace = to_regnamespace('bulkpar')
CROSS JOIN LATERAL aclexplode(coalesce(relacl, nspacl,
	coalesce(proacl, CASE WHEN p.oid IS NOT NULL THEN acldefault('f', proowner) END))) a
WHERE a.grantee NOT IN (coalesce(relowner, nspowner, proowner))
UNION ALL
SELECT attrelid::regclass || '.' || attname, a.grantee::regrole, privilege_type
FROM pg_attribute JOIN own ON (classid, objid) = ('pg_class'::regclass, attrelid)
CROSS JOIN LATERAL aclexplode(attacl) a
ORDER BY 1, 2, 3
END
bulkpar.bulkpar_at_place(pg_catalog.tid[],pg_catalog.tid,pg_catalog."any")|-|EXECUTE
bulkpar.bulkpar_in_stripe(integer,integer,pg_catalog."any")|-|EXECUTE
public.bulkpar_chunks|-|SELECT
public.bulkpar_errors|-|SELECT
public.bulkpar_jobs|-|SELECT
public.bulkpar_nodes|-|SELECT
public.bulkpar_progress|-|SELECT
END
is( $node->safe_psql(
		'open',
		"SELECT has_schema_privilege('app', 'bulkpar', 'USAGE, CREATE'),"
		  . " has_table_privilege('app', 'bulkpar.bulkpar_job',"
		  . " 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'),"
		  . " has_any_column_privilege('app', 'bulkpar.bulkpar_chunk',"
		  . " 'SELECT, INSERT, UPDATE, REFERENCES'),"
		  . " has_table_privilege('app', 'bulkpar.bulkpar_counter',"
		  . " 'SELECT, INSERT, UPDATE, DELETE')"),
	'f|f|f|f', 'nor on its schema');

$node->stop;
done_testing();
