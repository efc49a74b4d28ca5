# What a job may do that its owner may not: nothing.  Settings are set with the
# rights of the role that has set them, processes connect as a role that user
# code may as well be, and others see no values of rows.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use Test::More;

my $node = start_server('rights', 'bulkpar.report = off');

sub super { return $node->safe_psql('postgres', $_[0]); }

sub nobody_climbed
{
	my ($name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is( super("SELECT string_agg(rolname, ',') FROM pg_roles"
			  . " WHERE rolsuper AND rolname NOT IN ('postgres', 'dba')"),
		'', "$name: nobody is a superuser");
	return;
}

super(<<'END');
CREATE ROLE mallory LOGIN;
CREATE ROLE ann LOGIN;
CREATE ROLE dba LOGIN SUPERUSER;
CREATE ROLE team NOLOGIN;
GRANT team TO mallory, ann;
CREATE SCHEMA m AUTHORIZATION mallory;
CREATE SCHEMA team AUTHORIZATION team;
GRANT USAGE ON SCHEMA m TO PUBLIC;
END

#
# Settings: a placeholder that anybody may set becomes a superuser's setting when
# its library is loaded.
#
run_as($node, 'mallory', <<'END');
CREATE TABLE m.seen (id integer PRIMARY KEY, v text);
INSERT INTO m.seen VALUES (1, '');
CREATE FUNCTION m.look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.v := current_setting('plpgsql.variable_conflict') || ' '
		|| coalesce(current_setting('app.a', true), 'not') || ' ' || current_user;
	RETURN NEW;
END $$;
CREATE TRIGGER look BEFORE UPDATE ON m.seen FOR EACH ROW EXECUTE FUNCTION m.look();
END
my ($out, $err) = run_as($node, 'mallory', <<'END');
SET plpgsql.variable_conflict = 'use_column';
SET app.a = 'mine';
SELECT status FROM bulkpar_update('m.seen', 'v', 'v', workers => 1);
RESET plpgsql.variable_conflict;
SELECT v FROM m.seen;
END
is($out, "succeeded\nerror mine mallory",
	"a superuser's setting of a library that comes later is refused, others count");
($out, $err) = run_as($node, 'dba', <<'END');
SET plpgsql.variable_conflict = 'use_column';
SELECT status FROM bulkpar_update('m.seen', 'v', 'v', workers => 1);
SELECT v FROM m.seen;
END
is($out, "succeeded\nuse_column not dba", 'but for a superuser');
($out, $err) = run_as($node, 'dba', <<'END');
SET plpgsql.variable_conflict = 'use_column';
SET SESSION AUTHORIZATION mallory;
SELECT status FROM bulkpar_update('m.seen', 'v', 'v', workers => 1);
SELECT v FROM m.seen;
END
is($out, "succeeded\nuse_column not mallory",
	'also one that has become another role, as in its own session');

# A DBA sets something, becomes another role, and the job fails: its owner must
# not get the setting by resuming it.
foreach my $case (
	[ 'session_replication_role', 'replica', 'a setting of the server' ],
	[ 'plpgsql.variable_conflict', 'use_column', 'a setting of a library' ],
	[ 'unknown.setting', 'x', 'a setting of nobody knows what' ])
{
	my ($name, $value, $what) = @$case;

	super(<<'END');
DROP TABLE IF EXISTS m.t;
CREATE TABLE m.t (id integer PRIMARY KEY, n integer NOT NULL DEFAULT 0, v text);
INSERT INTO m.t SELECT generate_series(1, 20);
UPDATE m.t SET n = 1000 WHERE id = 13;
ALTER TABLE m.t OWNER TO mallory;
END
	($out, $err) = run_as($node, 'dba', <<"END");
SET $name = '$value';
SET ROLE mallory;
SELECT bulkpar_update('m.t', ARRAY['n', 'v'],
	ARRAY['n + 1 + 0 / (n - 1000)', 'current_setting(''$name'')'], 5, 1);
END
	like($err, qr/division by zero/, "$what: the job has failed");
	my $job = last_job($node);

	super('UPDATE m.t SET n = 0 WHERE id = 13');
	($out, $err) = run_as($node, 'mallory', "SELECT bulkpar_resume($job)");
	like($err, qr/^ERROR:  permission denied to resume bulkpar job $job with its setting of "\Q$name\E"/,
		"$what: its owner cannot resume it");
	like($err, qr/^HINT:  /m, "$what: and is told what to do");
	($out, $err) = run_as($node, 'mallory',
		"SET $name = '$value'; SELECT bulkpar_resume($job)");
	like($err, qr/^ERROR:  permission denied to (resume|set parameter)/m,
		"$what: not even with an unprivileged setting of its own");
	($out, $err) = run_as($node, 'dba', "SELECT status FROM bulkpar_resume($job)");
	is($out, 'succeeded', "$what: a superuser can");
	is( super('SELECT string_agg(DISTINCT n::text, \',\'), string_agg(DISTINCT v, \',\')'
			  . ' FROM m.t'),
		"1|$value", "$what: it counts, and each row is updated once");
}

# The settings of a role, which it has in each session, are no obstacle.
super(<<'END');
ALTER ROLE mallory SET session_replication_role = 'replica';
ALTER ROLE mallory SET app.tenant = 'x';
UPDATE m.t SET n = 0, v = NULL;
UPDATE m.t SET n = 1000 WHERE id = 13;
END
my $update = "ARRAY['n', 'v'], ARRAY['n + 1 + 0 / (n - 1000)',"
  . " 'current_setting(''app.tenant'') || current_setting(''session_replication_role'')']";
($out, $err) = run_as($node, 'mallory', "SELECT bulkpar_update('m.t', $update, 5, 1)");
like($err, qr/division by zero/, 'a job with the settings of its role has failed');
super('UPDATE m.t SET n = 0 WHERE id = 13');
($out, $err) =
  run_as($node, 'mallory', 'SELECT status FROM bulkpar_resume(' . last_job($node) . ')');
is("$out$err", 'succeeded', 'its owner can resume it');
is(super('SELECT string_agg(DISTINCT v, \',\') FROM m.t'), 'xreplica',
	'with these settings');
super('ALTER ROLE mallory RESET ALL');

# A role that was granted a setting.
super(<<'END');
GRANT SET ON PARAMETER session_replication_role TO mallory;
UPDATE m.t SET n = 0, v = NULL;
END
($out, $err) = run_as($node, 'mallory', <<'END');
SET session_replication_role = 'replica';
SELECT status FROM bulkpar_update('m.t', 'v', 'current_setting(''session_replication_role'')', 5, 1);
SELECT DISTINCT v FROM m.t;
END
is("$out$err", "succeeded\nreplica", 'a setting that was granted');
super('REVOKE SET ON PARAMETER session_replication_role FROM mallory');

# Code that runs at the wish of a superuser's setting.
SKIP:
{
	skip 'PL/Perl is not installed', 3
	  if super("SELECT count(*) FROM pg_available_extensions WHERE name = 'plperlu'") eq '0';
	my $pwned = $node->basedir . '/pwned';

	super(<<'END');
CREATE EXTENSION plperlu;
CREATE SCHEMA adm;
GRANT USAGE ON SCHEMA adm TO PUBLIC;
CREATE FUNCTION adm.host() RETURNS text LANGUAGE plperlu AS 'return 42;';
END
	($out, $err) = run_as($node, 'mallory', <<"END");
CREATE OR REPLACE FUNCTION m.look() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN NEW.v := adm.host(); RETURN NEW; END \$\$;
SET plperl.on_plperlu_init = 'system(q(touch $pwned));';
SELECT status FROM bulkpar_update('m.seen', 'v', 'v', workers => 1);
SELECT v FROM m.seen;
END
	is($out, "succeeded\n42", 'an untrusted language beside a planted setting');
	ok(!-e $pwned, 'does not run what was planted');
	($out, $err) = run_as($node, 'dba', <<"END");
SET plperl.on_plperlu_init = 'system(q(touch $pwned));';
SELECT status FROM bulkpar_update('m.seen', 'v', 'v', workers => 1);
END
	ok(-e $pwned, 'but for a superuser');
}

#
# Identity.
#
run_as($node, 'mallory', <<'END');
SET ROLE team;
CREATE TABLE team.t (id integer PRIMARY KEY, n integer NOT NULL DEFAULT 0, who text);
INSERT INTO team.t SELECT generate_series(1, 20);
CREATE TABLE team.fails (yes boolean);
INSERT INTO team.fails VALUES (true);
CREATE FUNCTION team.f(integer) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
	IF (SELECT yes FROM team.fails) THEN
		RAISE 'please resume this for me';
	END IF;
	PERFORM set_config('role', 'none', false);
	EXECUTE 'ALTER ROLE mallory SUPERUSER';
	RETURN $1 + 1;
EXCEPTION WHEN insufficient_privilege THEN
	RETURN $1 + 1;
END $$;
CREATE FUNCTION team.g(integer) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'SET SESSION AUTHORIZATION DEFAULT';
	EXECUTE 'RESET ROLE';
	EXECUTE 'ALTER ROLE mallory SUPERUSER';
	RETURN $1 + 1;
EXCEPTION WHEN insufficient_privilege THEN
	RETURN $1 + 1;
END $$;
END
foreach my $function ('f', 'g')
{
	super('UPDATE team.fails SET yes = true; UPDATE team.t SET n = 0');
	($out, $err) = run_as($node, 'mallory', <<"END");
SET ROLE team;
SELECT bulkpar_update('team.t', 'n', 'team.$function(n) + 0 / (SELECT 1 - count(*) FROM team.fails WHERE yes AND t.id > 0)::int', 5, 1);
END
	like($err, qr/please resume|division by zero/, 'a job of a role that cannot log in has failed');
	my $job = last_job($node);
	super('UPDATE team.fails SET yes = false');
	foreach my $other ('postgres', 'dba', 'ann')
	{
		($out, $err) = run_as($node, $other, "SELECT status FROM bulkpar_resume($job)");
		nobody_climbed("$function: resumed by $other");
		next if $node->pg_version >= 17;
		like($err, qr/^ERROR:  role "team" is not permitted to log in/,
			"$other cannot resume it");
		like($err, qr/^HINT:  .*in a session of role "mallory"/m, 'and is told who can');
	}
	if ($node->pg_version < 17)
	{
		($out, $err) = run_as($node, 'mallory',
			"SET ROLE team; SELECT status FROM bulkpar_resume($job)");
		is("$out$err", 'succeeded', 'the role that has created it can');
	}
	is(super('SELECT string_agg(DISTINCT n::text, \',\') FROM team.t'), '1',
		'and each row is updated once');
	nobody_climbed($function);
}

# session_user is that of the session, as in a plain UPDATE, unless the session
# is a superuser's.
super('ALTER ROLE team LOGIN');
foreach my $case ([ 'mallory', 'mallory' ], [ 'ann', 'ann' ], [ 'dba', 'team' ])
{
	my ($session, $expected) = @$case;

	($out, $err) = run_as($node, $session, <<'END');
SET ROLE team;
SELECT status FROM bulkpar_update('team.t', 'who', 'current_user || '' '' || session_user', 5, 1);
SELECT string_agg(DISTINCT who, ',') FROM team.t;
END
	is($out, "succeeded\nteam $expected", "session_user of a job started by $session");
}
# Nor are there settings of the session's role that the session does not have.
my $session = $node->background_psql('postgres', extra_params => [ '-U', 'mallory' ]);
$session->query_safe('SET ROLE team');
super("ALTER ROLE mallory SET app.late = 'yes'; ALTER ROLE team SET app.other = 'yes'");
$session->query_safe(<<'END');
SELECT bulkpar_update('team.t', 'who', 'coalesce(current_setting(''app.late'', true), ''none'')
	|| coalesce(current_setting(''app.other'', true), ''none'') || session_user', 5, 1)
END
is($session->query_safe("SELECT string_agg(DISTINCT who, ',') FROM team.t"),
	'mallory', 'defaults that a role has got since do not count');
$session->quit;
super('ALTER ROLE mallory RESET ALL; ALTER ROLE team RESET ALL');

# A job that another session has created runs as nobody but its owner.
super('UPDATE team.fails SET yes = true');
run_as($node, 'mallory', <<'END');
SET ROLE team;
SELECT bulkpar_update('team.t', 'who', 'team.f(0)::text || current_user || session_user', 5, 1);
END
super('UPDATE team.fails SET yes = false');
($out, $err) = run_as($node, 'ann', 'SELECT status FROM bulkpar_resume(' . last_job($node) . ')');
is("$out$err", 'succeeded', 'a member of the role resumes a job of another member');
is(super('SELECT string_agg(DISTINCT who, \',\') FROM team.t'), '1teamteam',
	'which does not get at the session of the one who does');
nobody_climbed('sessions');

#
# What others see.
#
super(<<'END');
CREATE ROLE mon LOGIN;
GRANT pg_read_all_stats TO mon;
CREATE ROLE alice LOGIN;
CREATE SCHEMA a AUTHORIZATION alice;
END
run_as($node, 'alice', <<'END');
CREATE TABLE a.patients (ssn text PRIMARY KEY, v integer, diagnosis text,
	CHECK (v < 7));
INSERT INTO a.patients
SELECT 'secret ' || i, i, 'secret diagnosis ' || i FROM generate_series(1, 6) i;
SET app.encryption_key = 'secret hunter2';
SELECT bulkpar_update('a.patients', 'v', 'v + 1 + 0 * length(''secret literal'')',
	condition => 'diagnosis <> ''secret condition''', on_error => 'skip');
SELECT bulkpar_execute($$UPDATE a.patients SET v = v + 1 WHERE diagnosis <> 'secret statement'$$);
END
foreach my $view ('bulkpar_jobs', 'bulkpar_chunks', 'bulkpar_errors', 'bulkpar_progress')
{
	my $all = "SELECT coalesce(string_agg(v::text, ''), '') FROM $view v"
	  . " JOIN bulkpar_jobs j USING (job_id) WHERE j.target = 'a.patients'::regclass";

	($out, $err) = run_as($node, 'alice', $all);
	like($out, qr/secret/, "$view shows the owner all") if $view ne 'bulkpar_progress';
	super("GRANT USAGE ON SCHEMA a TO mon");
	($out, $err) = run_as($node, 'mon', $all);
	isnt($out, '', "$view shows a role that monitors the job");
	unlike($out, qr/secret|hunter/, "$view does not show it values, keys or texts");
	($out, $err) = run_as($node, 'mallory', "SELECT count(*) FROM $view v"
		  . " JOIN bulkpar_jobs j USING (job_id) WHERE j.owner::text = 'alice'");
	is($out, '0', "$view shows others nothing");
}
($out, $err) = run_as($node, 'mon', <<'END');
SELECT DISTINCT sqlstate, table_name, constraint_name, rows_failed
FROM bulkpar_errors
JOIN bulkpar_progress USING (job_id) WHERE rows_failed > 0;
END
is($out, '23514|patients|patients_v_check|1',
	'counts, SQLSTATEs and names are there');
foreach my $statement ('SELECT * FROM bulkpar.bulkpar_job', 'TABLE bulkpar.bulkpar_error')
{
	($out, $err) = run_as($node, 'mon', $statement);
	like($err, qr/permission denied/, "no way round the views: $statement");
}

# Who holds the xmin horizon: the pid only to those who may see the session.
make_table($node, 't', 10);
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t');
my $pid = $holder->query_safe('SELECT pg_backend_pid()');
foreach my $case ([ 'mon', 1 ], [ 'dba', 1 ], [ 'alice', 0 ])
{
	my ($role, $sees) = @$case;

	($out, $err) = run_as($node, $role, 'SELECT bulkpar_xmin_holders()');
	like($out, $sees ? qr/session $pid \(\d+ s\)/ : qr/^a session of another role \(\d+ s\)$/,
		"$role " . ($sees ? 'sees' : 'does not see') . ' which session it is');
}
$holder->quit;

done_testing();
