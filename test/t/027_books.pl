# Who runs SQL as the owner of the extension: nobody but the extension.  A
# database owner renames schemas and takes their names, roles get rights on the
# tables by default privileges and grants, triggers, rules, policies and foreign
# keys are hung on them.  Nothing of that may run, and nothing may be planted.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('books', 'bulkpar.report = off');

sub super { return $node->safe_psql($_[0], $_[1]); }

sub nobody_climbed
{
	my ($name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is( super('postgres', "SELECT string_agg(rolname, ',') FROM pg_roles"
			  . " WHERE rolsuper AND rolname <> 'postgres'"),
		'', "$name: nobody is a superuser");
	is(super('postgres', 'SELECT count(*) FROM trap'),
		'0', "$name: nothing ran as the owner");
	return;
}

super('postgres', <<'END');
CREATE ROLE dbo LOGIN;
CREATE ROLE app LOGIN;
CREATE ROLE ann LOGIN;
CREATE DATABASE owned OWNER dbo;
CREATE TABLE trap (who text);
END

# A database owner takes the names that the SQL of the extension has.
super('owned', <<'END');
CREATE EXTENSION bulkpar;
CREATE SCHEMA s AUTHORIZATION dbo;
CREATE TABLE s.t (id integer PRIMARY KEY, n integer NOT NULL DEFAULT 0);
INSERT INTO s.t SELECT generate_series(1, 100);
ALTER TABLE s.t OWNER TO dbo;
END
my ($out, $err) = run_as($node, 'dbo', <<'END', 'owned');
SELECT rows_changed FROM bulkpar_update('s.t', 'n', 'n + 1', 10);
SELECT bulkpar_forget(interval '1 day');
ALTER SCHEMA public RENAME TO moved;
CREATE SCHEMA public;
CREATE FUNCTION public.evil() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	IF current_user <> 'dbo' THEN
		ALTER ROLE dbo SUPERUSER;
	END IF;
	RETURN 0;
END $$;
CREATE VIEW public.bulkpar_job AS
SELECT 1::bigint AS job_id, to_regrole('dbo') AS owner,
	CASE WHEN public.evil() = 0 THEN now() END AS finished_at;
CREATE TABLE public.bulkpar_chunk AS SELECT 1::bigint AS job_id;
SELECT moved.bulkpar_forget(interval '0');
SELECT rows_changed FROM moved.bulkpar_update('s.t', 'n', 'n + 1', 10);
SELECT count(*) FROM moved.bulkpar_progress;
END
is($err, '', 'the schema of the functions can be renamed');
is($out, "100\n0\n1\n100\n1", 'and the functions work on');
nobody_climbed('names taken over');
foreach my $statement (
	'ALTER SCHEMA bulkpar RENAME TO mine',
	'CREATE TABLE bulkpar.mine ()',
	'CREATE FUNCTION bulkpar.bulkpar_in_stripe(integer, integer, integer)'
	. " RETURNS boolean LANGUAGE sql AS 'SELECT true'",
	'ALTER TABLE bulkpar.bulkpar_job RENAME TO mine',
	'SELECT * FROM bulkpar.bulkpar_job',
	'SELECT bulkpar.bulkpar_in_stripe(1, 1, 1)',
	'DROP SCHEMA bulkpar CASCADE',
	'CREATE TRIGGER x BEFORE INSERT ON bulkpar.bulkpar_job FOR EACH ROW'
	. ' EXECUTE FUNCTION suppress_redundant_updates_trigger()')
{
	($out, $err) = run_as($node, 'dbo', $statement, 'owned');
	like($err, qr/^ERROR:  (permission denied for schema|must be owner of schema) bulkpar/,
		"a database owner cannot say: $statement");
}

# Even the owner of the extension does not get away with a rename.
foreach my $case (
	[ 'ALTER SCHEMA bulkpar RENAME TO gone', 'ALTER SCHEMA gone RENAME TO bulkpar' ],
	[ 'ALTER TABLE bulkpar.bulkpar_part RENAME TO gone',
		'ALTER TABLE bulkpar.gone RENAME TO bulkpar_part' ])
{
	my $lookalikes = $case->[0] =~ /SCHEMA/ ? <<'END' : <<'END';
CREATE SCHEMA bulkpar;
CREATE VIEW bulkpar.bulkpar_job AS SELECT * FROM gone.bulkpar_job;
CREATE VIEW bulkpar.bulkpar_part AS SELECT * FROM gone.bulkpar_part;
CREATE VIEW bulkpar.bulkpar_chunk AS SELECT * FROM gone.bulkpar_chunk;
CREATE VIEW bulkpar.bulkpar_error AS SELECT * FROM gone.bulkpar_error;
CREATE VIEW bulkpar.bulkpar_counter AS SELECT * FROM gone.bulkpar_counter;
END
CREATE VIEW bulkpar.bulkpar_part AS SELECT * FROM bulkpar.gone;
END

	super('owned', "$case->[0]; $lookalikes");
	like((run_as($node, 'dbo', "SELECT moved.bulkpar_forget(interval '0')", 'owned'))[1],
		qr/^ERROR:  the tables of extension "bulkpar" do not exist/,
		"$case->[0]: lookalikes are not taken for the tables");
	super('owned', $case->[0] =~ /SCHEMA/ ? 'DROP SCHEMA bulkpar CASCADE' :
		  'DROP VIEW bulkpar.bulkpar_part');
	super('owned', $case->[1]);
	is( (run_as($node, 'dbo',
			"SELECT status FROM moved.bulkpar_update('s.t', 'n', 'n + 1', 10)", 'owned'))[0],
		'succeeded', "$case->[1]: all works again");
}

# Rights that others get on the tables when they are made.
super('postgres', <<'END');
DROP EXTENSION bulkpar;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO app, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO app, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO app, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO app, PUBLIC;
CREATE EXTENSION bulkpar;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM app, PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON SEQUENCES FROM app, PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM app;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON SCHEMAS FROM app, PUBLIC;
GRANT CREATE ON DATABASE postgres TO app, ann;
CREATE SCHEMA app AUTHORIZATION app;
CREATE TABLE app.t (id integer PRIMARY KEY, n integer NOT NULL DEFAULT 0);
ALTER TABLE app.t OWNER TO app;
INSERT INTO app.t SELECT generate_series(1, 100);
GRANT INSERT ON trap TO PUBLIC;
CREATE FUNCTION app.evil() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.trap VALUES (current_user);
	EXECUTE 'ALTER ROLE app SUPERUSER';
	RETURN NEW;
END $$;
ALTER FUNCTION app.evil OWNER TO app;
END
is( super('postgres', <<'END'),
SELECT string_agg(DISTINCT c.relname || ' ' || a.privilege_type, ', '
	ORDER BY c.relname || ' ' || a.privilege_type)
FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
CROSS JOIN LATERAL aclexplode(c.relacl) a
WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e'
	AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'bulkpar')
	AND a.grantee <> c.relowner
END
	'bulkpar_chunks SELECT, bulkpar_errors SELECT, bulkpar_jobs SELECT,'
	  . ' bulkpar_nodes SELECT, bulkpar_progress SELECT',
	'default privileges leave others nothing but to read the views');
is( super('postgres', "SELECT has_schema_privilege('app', 'bulkpar', 'USAGE')"
		  . " OR has_schema_privilege('app', 'bulkpar', 'CREATE')"),
	'f', 'nor do they on the schema');

# Rights and code that come later: the extension refuses to work while they are
# there, says what to do, and works when it is done.
my $call = "SELECT rows_changed FROM bulkpar_update('app.t', 'n', 'n + 1', 10)";
my @cases = (
	[ 'GRANT TRIGGER ON bulkpar.bulkpar_job TO app',
		'REVOKE ALL ON bulkpar.bulkpar_job FROM app', 'has privileges granted to app' ],
	[ 'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA bulkpar TO app',
		'REVOKE ALL ON ALL TABLES IN SCHEMA bulkpar FROM app',
		'has privileges granted to app' ],
	[ 'GRANT SELECT ON bulkpar.bulkpar_error TO PUBLIC',
		'REVOKE ALL ON bulkpar.bulkpar_error FROM PUBLIC',
		'has privileges granted to PUBLIC' ],
	[ 'GRANT UPDATE (settings) ON bulkpar.bulkpar_job TO app',
		'REVOKE ALL (settings) ON bulkpar.bulkpar_job FROM app',
		'has privileges granted on a column' ],
	[ 'GRANT UPDATE ON bulkpar.bulkpar_counter TO app',
		'REVOKE ALL ON bulkpar.bulkpar_counter FROM app',
		'has privileges granted to app' ],
	[ 'GRANT CREATE ON SCHEMA bulkpar TO app', 'REVOKE ALL ON SCHEMA bulkpar FROM app',
		'is not safe for the tables' ],
	[ 'ALTER SCHEMA bulkpar OWNER TO app', 'ALTER SCHEMA bulkpar OWNER TO postgres',
		'is not safe for the tables' ],
	[ 'ALTER TABLE bulkpar.bulkpar_chunk OWNER TO app',
		'ALTER TABLE bulkpar.bulkpar_chunk OWNER TO postgres',
		'has another owner' ],
	[ 'CREATE TRIGGER x BEFORE INSERT ON bulkpar.bulkpar_job'
		  . ' FOR EACH ROW EXECUTE FUNCTION app.evil()',
		'DROP TRIGGER x ON bulkpar.bulkpar_job', 'has the trigger "x"' ],
	[ 'CREATE TRIGGER x AFTER UPDATE ON bulkpar.bulkpar_chunk'
		  . ' FOR EACH STATEMENT EXECUTE FUNCTION app.evil()',
		'DROP TRIGGER x ON bulkpar.bulkpar_chunk', 'has the trigger "x"' ],
	[ 'CREATE RULE x AS ON UPDATE TO bulkpar.bulkpar_chunk DO ALSO'
		  . ' INSERT INTO trap VALUES (current_user)',
		'DROP RULE x ON bulkpar.bulkpar_chunk', 'has a rule' ],
	[ 'ALTER TABLE bulkpar.bulkpar_part DISABLE ROW LEVEL SECURITY',
		'ALTER TABLE bulkpar.bulkpar_part ENABLE ROW LEVEL SECURITY',
		'has no row level security' ],
	[ 'ALTER TABLE bulkpar.bulkpar_error FORCE ROW LEVEL SECURITY',
		'ALTER TABLE bulkpar.bulkpar_error NO FORCE ROW LEVEL SECURITY',
		'has row level security for its owner' ],
	[ 'CREATE POLICY x ON bulkpar.bulkpar_job USING (true)',
		'DROP POLICY x ON bulkpar.bulkpar_job', 'has a row level security policy' ],
	[ 'CREATE POLICY x ON bulkpar.bulkpar_counter AS RESTRICTIVE FOR UPDATE TO app'
		  . ' USING (only_row)',
		'DROP POLICY x ON bulkpar.bulkpar_counter', 'has a row level security policy' ],
	[ 'CREATE TABLE app.refers (job_id bigint REFERENCES bulkpar.bulkpar_job'
		  . ' ON DELETE CASCADE)',
		'DROP TABLE app.refers', 'is referenced by a foreign key of another table' ]);
is((run_as($node, 'app', $call))[0], '100', 'a job of a role with no rights');
foreach my $case (@cases)
{
	my ($do, $undo, $error) = @$case;
	my $jobs = last_job($node);
	my $session = $node->background_psql('postgres', on_error_stop => 0);

	# also in a session that has worked with them before
	$session->query('SET ROLE app; SELECT bulkpar_forget(interval \'1 day\')');
	super('postgres', $do);
	($out, $err) = run_as($node, 'app', $call);
	like($err, qr/^ERROR:  .*\Q$error\E/m, "refused: $do");
	like($err, qr/^HINT:  /m, 'with a hint');
	is($out, '', 'and nothing was done');
	$session->query('SELECT bulkpar_forget(interval \'1 day\')');
	like($session->{stderr}, qr/\Q$error\E/, 'in an old session as well');
	$session->quit;
	super('postgres', $undo);
	is(last_job($node), $jobs, 'no job was stored');
	($out, $err) = run_as($node, 'app', $call);
	is("$out$err", '100', "works: $undo");
	nobody_climbed($do);
}
is( super('postgres', 'SELECT string_agg(DISTINCT n::text, \',\') FROM app.t'),
	scalar(@cases) + 1, 'each job that ran has updated each row once');

# In the middle of a job: it fails, and goes on when the trap is gone.
make_table($node, 't', 400);
my $gate = close_gate($node);
my $job = super('postgres', "SELECT job_id FROM bulkpar_update('t', 'n',"
	  . " 'n + 1 + CASE WHEN id > 100 THEN gate() ELSE 0 END', 20, 2, wait => false)");
wait_for_workers($node, 2);
super('postgres', 'GRANT INSERT ON bulkpar.bulkpar_error TO app');
open_gate($gate);
wait_until($node, 'NOT EXISTS (SELECT FROM pg_stat_activity'
	  . " WHERE backend_type LIKE 'bulkpar%')");
super('postgres', 'REVOKE ALL ON bulkpar.bulkpar_error FROM app');
is( super('postgres', "SELECT status FROM bulkpar_jobs WHERE job_id = $job")
	  =~ /^(failed|interrupted)$/, 1, 'a job does not go on beside a grant');
is( super('postgres', "SELECT status FROM bulkpar_resume($job)"),
	'succeeded', 'and can be resumed after it');
is_exactly($node, 't', 1, 'every row is updated once');

# A planted job: a role that could write to the tables for a while has made one
# that the nightly call by name of another would resume.
super('postgres', <<'END');
CREATE SCHEMA hostile AUTHORIZATION app;
CREATE FUNCTION hostile.abs(integer) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.trap VALUES (current_user);
	RETURN $1;
END $$;
CREATE TABLE nightly (id integer PRIMARY KEY, n integer NOT NULL DEFAULT 0);
INSERT INTO nightly SELECT generate_series(1, 10);
INSERT INTO nightly VALUES (11, 2000000000);
END
($out, $err) = run_as($node, 'postgres', <<'END');
SET search_path = hostile, pg_catalog, public;
SELECT bulkpar_update('public.nightly', 'n', 'n + n', 3, job_name => 'nightly');
END
like($err, qr/integer out of range/, 'a job of a name has failed');
super('postgres', 'UPDATE nightly SET n = 1 WHERE id = 11');
($out, $err) = run_as($node, 'postgres',
	"SELECT bulkpar_update('public.nightly', 'n', 'n + n', 3, job_name => 'nightly')");
like($err, qr/^ERROR:  bulkpar job \d+ of the name "nightly" has other settings/,
	'another search_path is other work');
like($err, qr/"search_path".*\n.*bulkpar_resume/s, 'and the error says what to do');
super('postgres', 'CREATE UNIQUE INDEX nightly_other ON nightly (id)');
($out, $err) = run_as($node, 'postgres', <<'END');
SET search_path = hostile, pg_catalog, public;
SELECT bulkpar_update('public.nightly', 'n', 'n + n', 3, job_name => 'nightly',
	key_index => 'nightly_other');
END
like($err, qr/does other work/, 'another key is other work');
($out, $err) = run_as($node, 'postgres', <<'END');
SET search_path = hostile, pg_catalog, public;
SELECT status FROM bulkpar_update('public.nightly', 'n', 'n + n', 3, job_name => 'nightly');
END
is($out, 'succeeded', 'the same call goes on');
nobody_climbed('planted jobs');

# pg_dump works for a database owner, and takes no job along.
super('owned', "SELECT moved.bulkpar_update('s.t', 'n', 'n + 1', job_name => 'secret name')");
foreach my $options ([], ['--inserts'], ['--schema-only'], ['--data-only'])
{
	my ($stdout, $stderr) = run_command(
		[ 'pg_dump', @$options, '-d', $node->connstr('owned'), '-U', 'dbo' ]);

	is($stderr, '', join(' ', 'pg_dump of a database owner', @$options));
	unlike($stdout, qr/secret name/, 'no job is in the dump');
}

done_testing();
