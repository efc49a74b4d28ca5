# Whose session the processes of a job may be: the one that has said SET ROLE to
# its owner, and else the owner's.  A SECURITY DEFINER function, whoever calls it
# and however, is no SET ROLE: the code of its owner's job must not get at the
# session that called it, neither at once nor when that resumes the job.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use Test::More;

my $node = start_server('session_role', 'bulkpar.report = off');

sub super { return $node->safe_psql('postgres', $_[0]); }

super(<<'END');
CREATE ROLE mallory LOGIN;
CREATE ROLE alice LOGIN;
CREATE ROLE dba LOGIN SUPERUSER;
CREATE ROLE team LOGIN;
CREATE ROLE other;
GRANT team TO mallory, alice;
GRANT other TO alice;
CREATE SCHEMA team AUTHORIZATION team;
CREATE SCHEMA dba AUTHORIZATION dba;
CREATE SCHEMA alice AUTHORIZATION alice;
GRANT USAGE ON SCHEMA team, dba, alice TO PUBLIC;
END

# The job's code goes back to the session's role where it can, and says which
# one that was.  While it is to fail it does so.
run_as($node, 'mallory', <<'END');
SET ROLE team;
CREATE TABLE team.t (id integer PRIMARY KEY, who text);
INSERT INTO team.t VALUES (1, '');
CREATE TABLE team.fails (yes boolean);
INSERT INTO team.fails VALUES (true);
CREATE FUNCTION team.spy() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	me text;
BEGIN
	IF (SELECT yes FROM team.fails) THEN
		RAISE 'please resume this for me';
	END IF;
	PERFORM set_config('role', 'none', true);
	me := session_user || ' ' || current_user;
	PERFORM set_config('role', 'team', true);
	RETURN me;
END $$;
CREATE FUNCTION team.report() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	RETURN status FROM bulkpar_update('team.t', 'who', 'team.spy()', workers => 1);
END $$;
CREATE PROCEDURE team.report_by_call() LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	PERFORM team.report();
END $$;
CREATE FUNCTION team.react() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	PERFORM bulkpar_update('team.t', 'who', 'team.spy()', workers => 1);
	RETURN NULL;
END $$;
CREATE TABLE team.watched (id integer);
CREATE TRIGGER react BEFORE UPDATE ON team.watched
	FOR EACH STATEMENT EXECUTE FUNCTION team.react();
GRANT UPDATE ON team.watched TO PUBLIC;
CREATE FUNCTION team.go_on(job bigint) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	RETURN status FROM bulkpar_resume(job);
END $$;
END
run_as($node, 'dba', <<'END');
CREATE FUNCTION dba.report() RETURNS text LANGUAGE sql SECURITY DEFINER
	AS 'SELECT team.report()';
END
run_as($node, 'alice', <<'END');
CREATE FUNCTION alice.report() RETURNS text LANGUAGE sql AS 'SELECT team.report()';
CREATE FUNCTION alice.report_as_alice() RETURNS text LANGUAGE sql SECURITY DEFINER
	AS 'SELECT team.report()';
END

my $call = "SELECT status FROM bulkpar_update('team.t', 'who', 'team.spy()', workers => 1)";

# [what, role, SQL, the session's role that the job keeps]
my @callers = (
	[ 'SET ROLE', 'mallory', "SET ROLE team; $call", 'mallory' ],
	[ 'SET SESSION AUTHORIZATION and SET ROLE', 'dba',
		"SET SESSION AUTHORIZATION mallory; SET ROLE team; $call", 'mallory' ],
	[ 'SET SESSION AUTHORIZATION', 'dba',
		"SET SESSION AUTHORIZATION team; $call", 'team' ],
	[ 'its own session', 'team', $call, 'team' ],
	[ 'a definer', 'alice', 'SELECT team.report()', 'team' ],
	[ 'a definer beside SET ROLE', 'alice', 'SET ROLE other; SELECT team.report()', 'team' ],
	[ 'a definer after the same SET ROLE', 'alice', 'SET ROLE team; SELECT team.report()', 'team' ],
	[ 'a definer within a function', 'alice', 'SELECT alice.report()', 'team' ],
	[ 'a definer within another', 'mallory', 'SELECT alice.report_as_alice()', 'team' ],
	[ "a definer within a superuser's", 'alice', 'SELECT dba.report()', 'team' ],
	[ 'a procedure', 'alice', 'CALL team.report_by_call()', 'team' ],
	[ 'a trigger', 'alice', 'UPDATE team.watched SET id = 1', 'team' ],
	[ 'a block', 'alice', 'DO $$ BEGIN PERFORM team.report(); END $$', 'team' ],
	[ 'a superuser', 'dba', 'SELECT team.report()', 'team' ],
	[ 'a superuser after SET ROLE', 'dba', 'SET ROLE alice; SELECT team.report()', 'team' ]);
foreach my $caller (@callers)
{
	my ($what, $role, $sql, $session) = @$caller;
	my ($out, $err) = run_as($node, $role, $sql);

	like($err, qr/please resume this/, "$what: the job has failed");
	is( super('SELECT session_role, owner FROM bulkpar.bulkpar_job'
			  . ' WHERE job_id = ' . last_job($node)),
		"$session|team", "$what: whose session it keeps");
	super('UPDATE team.fails SET yes = false');
	($out, $err) = run_as($node, $role, $sql);
	is($err, '', "$what: the next one succeeds");
	is(super('SELECT who FROM team.t'), "$session $session",
		"$what: whose session its code gets at");
	super("UPDATE team.fails SET yes = true; UPDATE team.t SET who = ''");
}

# Who goes on with a job of a session of mallory, and with one of a definer.
foreach my $created (
	[ 'mallory', "SET ROLE team; $call", 'mallory' ],
	[ 'mallory', 'SELECT team.report()', 'team' ],
	[ 'alice', 'SELECT team.report()', 'team' ],
	[ 'dba', 'SELECT team.report()', 'team' ])
{
	my ($creator, $sql, $kept) = @$created;

	foreach my $resumed (
		[ 'mallory', '', 'team' ],
		[ 'mallory', 'SET ROLE team;', $kept ],
		[ 'mallory', 'definer', 'team' ],
		[ 'alice', '', 'team' ],
		[ 'alice', 'SET ROLE team;', 'team' ],
		[ 'alice', 'definer', 'team' ],
		[ 'team', '', 'team' ],
		[ 'dba', '', 'team' ],
		[ 'dba', 'SET ROLE team;', 'team' ],
		[ 'dba', 'SET SESSION AUTHORIZATION team;', 'team' ],
		[ 'dba', 'SET SESSION AUTHORIZATION mallory;', 'team' ],
		[ 'dba', 'SET SESSION AUTHORIZATION mallory; SET ROLE team;', $kept ],
		[ 'dba', 'definer', 'team' ])
	{
		my ($role, $how, $session) = @$resumed;
		my $what = "job of $creator ($sql), resumed by $role ($how)";
		my ($job, $out, $err);

		run_as($node, $creator, $sql);
		$job = last_job($node);
		super('UPDATE team.fails SET yes = false');
		($out, $err) = run_as($node, $role, $how eq 'definer' ?
			  "SELECT team.go_on($job)" : "$how SELECT status FROM bulkpar_resume($job)");
		is("$out$err", 'succeeded', $what);
		is(super('SELECT who FROM team.t'), "$session $session", "$what: whose session");
		super("UPDATE team.fails SET yes = true; UPDATE team.t SET who = ''");
	}
}

# An owner that can no longer log in.  There is no way to become it before
# PostgreSQL 17 but by a session that says SET ROLE, and nobody else's is taken.
my %jobs;
run_as($node, 'mallory', "SET ROLE team; $call");
$jobs{session} = last_job($node);
run_as($node, 'dba', 'SELECT team.report()');
$jobs{definer} = last_job($node);
super('ALTER ROLE team NOLOGIN; UPDATE team.fails SET yes = false');
SKIP:
{
	skip 'a process can connect as a role that cannot log in', 1
	  if $node->pg_version >= 17;

	my ($out, $err) = run_as($node, 'alice', 'SELECT team.report()');
	like($err, qr/^ERROR:  role "team" is not permitted to log in/, 'a new job of a definer');
	like($err, qr/^HINT:  Allow it with ALTER ROLE \.\.\. LOGIN\.$/m, 'its hint');
	foreach my $role ('mallory', 'alice', 'dba')
	{
		foreach my $kind (sort keys %jobs)
		{
			my $after = $kind eq 'session' ?
			  ', or call the function in a session of role "mallory" after SET ROLE team' : '';

			foreach my $how ("SELECT bulkpar_resume($jobs{$kind})",
				"SELECT team.go_on($jobs{$kind})")
			{
				($out, $err) = run_as($node, $role, $how);
				like($err, qr/^ERROR:  role "team" is not permitted to log in/,
					"the job of a $kind, by $role: $how");
				like($err, qr/^HINT:  Allow it with ALTER ROLE \.\.\. LOGIN$after\.$/m, 'its hint');
			}
		}
	}
	($out, $err) = run_as($node, 'mallory',
		"SET ROLE team; SELECT status FROM bulkpar_resume($jobs{session})");
	is("$out$err", 'succeeded', 'the session that has created it can, after SET ROLE');
	is(super('SELECT who FROM team.t'), 'mallory mallory', 'and it is its own session');
}
is(super('SELECT string_agg(rolname, \',\') FROM pg_roles'
	  . " WHERE rolsuper AND rolname NOT IN ('postgres', 'dba')"), '', 'nobody is a superuser');

done_testing();
