# The results of subqueries are in tables of the owner of the extension, whatever
# the role wants that the job belongs to: nothing of it runs with the rights of
# that owner, and nobody else can reach them.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use Test::More;

my $node = start_server('results', <<'END');
bulkpar.report = off
allow_in_place_tablespaces = on
END

sub super { return $node->safe_psql('postgres', $_[0]); }

super(<<'END');
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE special LOCATION '';
CREATE ROLE mallory LOGIN;
CREATE ROLE bob LOGIN;
CREATE ROLE reader LOGIN;
GRANT pg_read_all_data TO reader;
GRANT pg_read_all_stats TO bob;
GRANT CREATE ON TABLESPACE special TO mallory;
CREATE SCHEMA m AUTHORIZATION mallory;
-- who may ANALYZE all tables
ALTER DATABASE postgres OWNER TO mallory;
-- what new tables would get
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO mallory;
ALTER DEFAULT PRIVILEGES IN SCHEMA bulkpar GRANT SELECT ON TABLES TO bob;
END

# Types whose functions run when a column of them is analyzed or indexed, and a
# function that does so while the results are being stored.
my ($out, $err) = run_as($node, 'mallory', <<'END');
CREATE TABLE m.log (who text, what text);
GRANT INSERT ON m.log TO PUBLIC;
GRANT USAGE ON SCHEMA m TO PUBLIC;
CREATE FUNCTION m.note(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO m.log VALUES (current_user, what);
END $$;
CREATE FUNCTION m.diff(a int, b int) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	PERFORM m.note('diff');
	RETURN a - b;
END $$;
CREATE FUNCTION m.check_it(a int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	PERFORM m.note('check');
	RETURN true;
END $$;
CREATE TYPE m.span AS RANGE (subtype = int4, subtype_diff = m.diff);
CREATE DOMAIN m.checked AS int CHECK (m.check_it(VALUE));
CREATE TYPE m.pair AS (a m.checked, s m.span);
CREATE TABLE m.t (id int PRIMARY KEY, n int, s m.span, c m.checked, p m.pair, d date);
INSERT INTO m.t SELECT i, 0, m.span(i, i + 1 + i % 3), i % 5, ROW(i % 3, NULL::m.span)::m.pair,
	date '2020-01-01' + i FROM generate_series(1, 600) AS i;
CREATE FUNCTION m.fail(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF i > 300 THEN
		RAISE 'half is done';
	END IF;
	RETURN 1;
END $$;
CREATE FUNCTION m.look(i int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	IF i = 550 THEN
		ANALYZE;
	END IF;
	RETURN i;
END $$;
TRUNCATE m.log;
END
is($err, '', 'types with functions of their own');

($out, $err) = run_as($node, 'mallory', <<'END');
SET default_tablespace = special;
SET default_statistics_target = 1000;
SELECT bulkpar_execute($$UPDATE m.t SET n = t.n + 1 + m.fail(t.id)
	FROM (SELECT id, s, c, p, d, row_number() OVER (ORDER BY id) AS r, m.look(id) FROM m.t) x
	WHERE x.id = t.id AND x.s = t.s AND x.c = t.c AND x.d = t.d
		AND (x.p).a = (t.p).a AND x.r + x.look > 0$$, 50);
END
like($err, qr/half is done/, 'a job stops half-way');
my $table = super(q{SELECT relation::regclass FROM bulkpar.bulkpar_subquery});
super("ANALYZE $table; VACUUM (ANALYZE, FREEZE) $table; REINDEX TABLE $table; ANALYZE");
is( super("SELECT count(*) FROM m.log WHERE who <> 'mallory'"),
	0, 'nothing of the types has run as somebody else');
isnt(super("SELECT count(*) FROM m.log WHERE who = 'mallory' AND what = 'diff'"),
	0, 'but as the owner of the job, who has analyzed a table of it');
is( super(<<"END"), 'f|t', 'the table is where all tables are, and has indexes');
SELECT bool_or(c.reltablespace <> 0), count(*) > 1
FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
WHERE c.oid = '$table'::regclass OR i.indrelid = '$table'::regclass
END
is( super("SELECT string_agg(a.attname, ',' ORDER BY a.attnum) FROM pg_attribute a"
		  . " JOIN pg_stats s USING (attname) WHERE a.attrelid = '$table'::regclass"
		  . " AND s.schemaname || '.' || s.tablename = '$table'"),
	'c1,c3,c5,c6,c7', 'statistics are of types of the server alone');

foreach my $role ('mallory', 'bob')
{
	($out, $err) = run_as($node, $role, "TABLE $table");
	like($err, qr/permission denied for schema/, "$role cannot read the table");
	is( super("SELECT has_table_privilege('$role', '$table', 'SELECT, INSERT,"
			  . " UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')"),
		'f', "$role has no privilege on the table");
	is(super("SELECT has_any_column_privilege('$role', '$table', 'SELECT')"),
		'f', 'nor on a column of it');
}
($out, $err) = run_as($node, 'reader', "SELECT count(*) FROM $table");
is("$out$err", '0', 'who may read all data sees no row of it');
($out, $err) = run_as($node, 'bob', 'SELECT * FROM bulkpar_jobs');
unlike($out, qr/row_number/, 'the statement is not shown to others');

# The batches read it nevertheless.
($out, $err) = run_as($node, 'mallory', <<'END');
CREATE OR REPLACE FUNCTION m.fail(i int) RETURNS int LANGUAGE sql IMMUTABLE
	AS 'SELECT 1';
SELECT status, rows_changed FROM bulkpar_resume((SELECT max(job_id) FROM bulkpar_jobs));
SELECT count(*), min(n), max(n) FROM m.t;
END
is("$out$err", "succeeded|600\n600|2|2", 'the job goes on');

# Policies of another table count as what the subquery reads: all rows are
# changed though after 300 of them the policy would let none be seen.
($out, $err) = run_as($node, 'mallory', <<'END');
CREATE TABLE m.o (id int PRIMARY KEY);
INSERT INTO m.o SELECT id FROM m.t;
CREATE POLICY p ON m.o USING ((SELECT count(*) FROM m.t WHERE n = 2) > 300);
ALTER TABLE m.o ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SELECT rows_changed FROM bulkpar_execute('UPDATE m.t SET n = 3 WHERE id IN (SELECT id FROM m.o)', 50);
SELECT bulkpar_execute('UPDATE m.t SET n = 4 WHERE EXISTS (SELECT FROM m.o WHERE o.id = t.id)', 50);
END
is($out, '600', 'a policy that reads the target');
like($err, qr/evaluated for each row reads table "t" itself/,
	'is refused in a subquery that depends on the row');

# Whoever can do something to it is found out.  ALTER EXTENSION takes no such table
# out of the extension since 17: its row type has never been in it.
my $take_out = 'DELETE FROM pg_depend WHERE (classid, objid, deptype) ='
  . q{ ('pg_class'::regclass, '%1$s'::regclass, 'e')};
my %harm = (
	'owner' => 'ALTER TABLE %s OWNER TO mallory',
	'trigger' => 'CREATE TRIGGER x BEFORE UPDATE ON %s EXECUTE FUNCTION suppress_redundant_updates_trigger()',
	'rule' => 'CREATE RULE x AS ON INSERT TO %s DO ALSO SELECT 1',
	'no row level security' => 'ALTER TABLE %s DISABLE ROW LEVEL SECURITY',
	'policy' => 'CREATE POLICY x ON %s USING (true)',
	'granted' => 'GRANT SELECT (c1) ON %s TO bob',
	'no longer one of extension' => $take_out,
	'changed its meaning' => 'ALTER TABLE %s DROP COLUMN c1',
	'lost' => $take_out . '; DROP TABLE %1$s');
foreach my $what (sort keys %harm)
{
	($out, $err) = run_as($node, 'mallory', <<'END');
CREATE OR REPLACE FUNCTION m.fail(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
	'BEGIN RAISE ''stop''; END';
SELECT bulkpar_execute('UPDATE m.t SET n = m.fail(t.id) + x.n
	FROM (SELECT max(n) AS n FROM m.t) x', 50);
END
	$table = super('SELECT relation::regclass FROM bulkpar.bulkpar_subquery');
	super(sprintf($harm{$what}, $table));
	($out, $err) = run_as($node, 'mallory',
		'SELECT bulkpar_resume((SELECT max(job_id) FROM bulkpar_jobs))');
	like($err, qr/$what/, "found out: $what");
	run_as($node, 'mallory', "SELECT bulkpar_forget('0 s'::interval)");
	super("DROP TABLE IF EXISTS $table");
	is( super('SELECT count(*) FROM bulkpar.bulkpar_subquery'),
		0, 'the job can be forgotten');
}

$node->stop;
done_testing();
