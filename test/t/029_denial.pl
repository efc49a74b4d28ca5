# What a role cannot do to others by a job: cancel theirs, keep them from ending
# a session, take all processes of the server, or crash it.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('denial', 'bulkpar.report = off');
my $none_left = "NOT EXISTS (SELECT FROM pg_stat_activity"
  . " WHERE backend_type LIKE 'bulkpar%')";

sub super { return $node->safe_psql('postgres', $_[0]); }

super(<<'END');
CREATE ROLE mallory LOGIN;
CREATE ROLE ann LOGIN;
CREATE SCHEMA m AUTHORIZATION mallory;
END
my $started = super('SELECT pg_postmaster_start_time()');

#
# A worker that calls itself one of another job, and waits for a lock of that
# one's caller.
#
make_table($node, 't', 300);
super(<<'END');
CREATE TABLE m.t (id integer PRIMARY KEY, n integer NOT NULL DEFAULT 0);
INSERT INTO m.t SELECT generate_series(1, 10);
CREATE FUNCTION m.forge() RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('application_name', 'bulkpar worker 1 of job '
		|| (SELECT max(substring(query FROM '^bulkpar job (\d+)')::integer)
			FROM pg_stat_activity), false);
	PERFORM set_config('application_name', 'bulkpar worker 1 of job 1', false);
	PERFORM pg_advisory_xact_lock(4711);
	RETURN 0;
END $$;
ALTER TABLE m.t OWNER TO mallory;
ALTER FUNCTION m.forge OWNER TO mallory;
END
my $gate = close_gate($node);
my $call = start_call($node, <<'END');
SELECT u.status FROM (SELECT pg_advisory_lock(4711) OFFSET 0) l,
	LATERAL bulkpar_update('t', 'n', 'n + 1 + gate()', 10, 2) u
END
wait_for_workers($node, 2);
my $forger = $node->background_psql('postgres',
	on_error_stop => 0, extra_params => [ '-U', 'mallory' ]);
$forger->query("SELECT bulkpar_update('m.t', 'n', 'n + 1 + m.forge()', workers => 1, wait => false)");
wait_until($node, "EXISTS (SELECT FROM pg_stat_activity"
	  . " WHERE application_name = 'bulkpar worker 1 of job 1' AND usename = 'mallory'"
	  . " AND wait_event = 'advisory')");
# The caller looks for a deadlock every two seconds; let it do so twice.
super('SELECT pg_sleep(5)');
is( super("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'caller'"
		  . " AND state = 'active'"),
	'1', 'a forged name is no deadlock');
open_gate($gate);
like(stop_call($call), qr/succeeded$/, 'and the job succeeds');
is_exactly($node, 't', 1, 'with every row updated once');
$forger->quit;
wait_until($node, $none_left, 'so does the other one');

# A lock that the caller holds and the planning of its job wants is one.
make_table($node, 't', 300);
super(<<'END');
CREATE FUNCTION call_beside_lock() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_lock(0);
	RETURN status FROM bulkpar_update('t', 'n', 'n + 1', 10, 2,
		condition => 'id < 1000 AND gated(id)');
END $$;
CREATE FUNCTION gated(integer) RETURNS boolean LANGUAGE sql STABLE AS
	'SELECT gate() = 0';
CREATE POLICY gate ON t USING (gate() = 0);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
ALTER TABLE t OWNER TO ann;
ALTER TABLE t FORCE ROW LEVEL SECURITY;
END
($call) = (start_call($node, 'SELECT call_beside_lock()', role => 'ann'));
like(call_error($call), qr/^ERROR:  40P01: deadlock detected/m,
	'a job that waits for its caller while it is planned is found out');
wait_until($node, $none_left, 'and ends');

#
# Code that swallows what it can.
#
super(<<'END');
CREATE FUNCTION m.hang(integer) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
	LOOP
		BEGIN
			PERFORM pg_sleep(100);
		EXCEPTION WHEN query_canceled THEN
			NULL;
		END;
	END LOOP;
END $$;
ALTER FUNCTION m.hang OWNER TO mallory;
DROP TABLE m.t;
CREATE TABLE m.t (id integer PRIMARY KEY, n integer NOT NULL DEFAULT 0);
INSERT INTO m.t SELECT i, i FROM generate_series(1, 100000) i;
ANALYZE m.t;
ALTER TABLE m.t OWNER TO mallory;
END
my %ends = (
	'cancel' => "SELECT pg_cancel_backend(pid)",
	'terminate' => "SELECT pg_terminate_backend(pid)");
my %hangs = (
	'listing' => "condition => 'n = 5 AND m.hang(n)'",
	'batches' => "condition => 'm.hang(id) OR m.hang(n)', on_error => 'skip'");
foreach my $hang (sort keys %hangs)
{
	foreach my $end (sort keys %ends)
	{
		my $hanging = start_call($node,
			"SELECT bulkpar_update('m.t', 'n', 'n + 1', $hangs{$hang})",
			role => 'mallory');

		wait_until($node, "EXISTS (SELECT FROM pg_stat_activity"
			  . " WHERE backend_type = 'bulkpar worker' AND wait_event = 'PgSleep')");
		super("$ends{$end} FROM pg_stat_activity WHERE application_name = 'caller'");
		isnt(call_error($hanging), '', "$hang: $end ends the call");
		wait_until($node, $none_left, "$hang: $end ends the job");
	}
	# and from elsewhere
	my $hanging = start_call($node,
		"SELECT bulkpar_update('m.t', 'n', 'n + 1', $hangs{$hang}, wait => false)",
		role => 'mallory');
	wait_until($node, "EXISTS (SELECT FROM pg_stat_activity"
		  . " WHERE backend_type = 'bulkpar worker' AND wait_event = 'PgSleep')");
	is( (run_as($node, 'mallory', 'SELECT status FROM bulkpar_cancel(' . last_job($node) . ')'))[0],
		'cancelled', "$hang: bulkpar_cancel");
	is(super("SELECT $none_left"), 't', "$hang: when that returns all has ended");
	stop_call($hanging);
}
is(super('SELECT count(*) FROM m.t WHERE n <> id'), '0', 'nothing has changed');

#
# Code that gives up locks, and jobs that are forgotten under way.
#
super(<<'END');
CREATE FUNCTION m.unlock(integer) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
	PERFORM pg_advisory_unlock_all();
	PERFORM pg_sleep(0.2);
	RETURN true;
END $$;
CREATE FUNCTION m.unlock_volatile(integer) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_unlock_all();
	PERFORM public.gate();
	RETURN 1;
END $$;
UPDATE m.t SET n = 5 WHERE id % 20000 = 0;
END
$gate = close_gate($node);
foreach my $arguments (
	"'n + 1', condition => 'n = 5 AND m.unlock(n) AND public.gate() = 0'",
	"'n + m.unlock_volatile(n)', workers => 2")
{
	my $unlocking = start_call($node,
		"SELECT status FROM bulkpar_update('m.t', 'n', $arguments)", role => 'mallory');
	my $job;

	wait_until($node, "EXISTS (SELECT FROM pg_stat_activity"
		  . " WHERE backend_type = 'bulkpar worker' AND wait_event = 'advisory')");
	$job = last_job($node);
	is(super("SELECT status FROM bulkpar_jobs WHERE job_id = $job"),
		'running', 'a job whose code releases all locks still runs');
	like((run_as($node, 'mallory', "SELECT bulkpar_forget($job)"))[1],
		qr/is running/, 'cannot be forgotten');
	like((run_as($node, 'mallory', "SELECT bulkpar_resume($job)"))[1],
		qr/is already running/, 'or run twice');
	is((run_as($node, 'mallory', "SELECT status FROM bulkpar_cancel($job)"))[0],
		'cancelled', 'and can be cancelled');
	like(call_error($unlocking), qr/ERROR:  57014/, 'which its caller is told');
}
open_gate($gate);
# A superuser deletes the row of a running job.
make_table($node, 't', 300);
$gate = close_gate($node);
$call = start_call($node, "SELECT bulkpar_update('t', 'n', 'n + 1 + gate()', 10, 2)");
wait_for_workers($node, 2);
super('DELETE FROM bulkpar.bulkpar_job WHERE job_id = ' . last_job($node));
super("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'caller'");
isnt(call_error($call), '', 'the row of a running job is deleted');
open_gate($gate);
wait_until($node, $none_left, 'which ends it');

#
# Limits.
#
super(<<'END');
CREATE TABLE a (id integer PRIMARY KEY, n integer NOT NULL DEFAULT 0);
INSERT INTO a SELECT generate_series(1, 100);
ALTER TABLE a OWNER TO ann;
CREATE FUNCTION held() RETURNS integer LANGUAGE sql AS 'SELECT gate()';
ALTER ROLE mallory CONNECTION LIMIT 1;
END
my $processes = "SELECT count(*) FROM pg_stat_activity"
  . " WHERE usename = 'mallory' AND backend_type LIKE 'bulkpar%'";
$gate = close_gate($node);
my $hog = "SELECT workers FROM bulkpar_update('m.t', 'n', 'n + 1 + public.gate()', 1,"
  . ' workers => 1024, wait => false)';
my ($out, $err) = run_as($node, 'mallory', $hog);
like($err, qr/^ERROR:  could not register a background worker/,
	'a role with one connection has none for a job');
like($err, qr/^HINT:  .*CONNECTION LIMIT/m, 'and is told why');
super('ALTER ROLE mallory CONNECTION LIMIT 4');
($out, $err) = run_as($node, 'mallory', $hog);
is($out, '2', 'with four, beside its session a coordinator and two workers');
like($err, qr/NOTICE:  .* runs with 2 instead of 1024 workers\nDETAIL:  .*connection limit/,
	'which a notice says');
wait_for_workers($node, 2);
is(super($processes), '3', 'and no more');
like((run_as($node, 'mallory', $hog))[1], qr/connection limit/, 'nor a second job');
super('ALTER ROLE mallory CONNECTION LIMIT -1');
($out, $err) = run_as($node, 'mallory', $hog);
is($out, '4', 'jobs leave half of the processes of the server to others');
like($err, qr/DETAIL:  .*bulkpar\.max_workers/, 'which a notice says');
($out, $err) = run_as($node, 'ann', "SELECT bulkpar_update('a', 'n', 'n + 1')");
like($err, qr/^ERROR:  could not register.*\nDETAIL:  .*bulkpar\.max_workers/,
	'another role is told, too');
$node->append_conf('postgresql.conf', 'bulkpar.max_workers = 0');
$node->reload;
wait_until($node, "current_setting('bulkpar.max_workers', true) = '0'");
($out, $err) = run_as($node, 'ann', "SELECT status FROM bulkpar_update('a', 'n', 'n + 1', 10, 1)");
is($out, 'succeeded', 'with bulkpar.max_workers = 0 there is no limit of its own');
super("SELECT bulkpar_cancel(job_id) FROM bulkpar_jobs WHERE status = 'running'");
wait_until($node, $none_left, 'all ends');
open_gate($gate);

($out, $err) = run_as($node, 'ann', "SELECT bulkpar_update('a', 'n', 'n + 1', job_name => repeat('x', 256))");
like($err, qr/^ERROR:  argument "job_name" must not be longer than 255 bytes/,
	'a name that does not fit into an index');
($out, $err) = run_as($node, 'ann', "SELECT status FROM bulkpar_update('a', 'n', 'n + 1', job_name => repeat('x', 255))");
is($out, 'succeeded', 'and one that does');

#
# Views that name each other, ways that double at each of many tables, and triggers that
# are switched while what they do is looked up.
#
($out, $err) = run_as($node, 'mallory', <<'END');
CREATE VIEW m.one AS SELECT 1 AS id;
CREATE VIEW m.two AS SELECT * FROM m.one;
CREATE OR REPLACE VIEW m.one AS SELECT * FROM m.two;
SELECT bulkpar_explain('UPDATE m.t SET n = 0 WHERE id IN (SELECT id FROM m.one)');
END
like($err, qr/^ERROR:  infinite recursion detected in rules for relation "(one|two)"/m,
	'a view that is in itself is an error as elsewhere');
($out, $err) = run_as($node, 'mallory', <<'END');
DO $$ BEGIN
	FOR i IN 0..40 LOOP
		EXECUTE format('CREATE TABLE m.way%s (id integer PRIMARY KEY)', i);
		EXECUTE format('ALTER TABLE m.way%s ENABLE ROW LEVEL SECURITY', i);
		CONTINUE WHEN i = 0;
		EXECUTE format('CREATE POLICY p ON m.way%s TO pg_monitor USING ('
			'EXISTS (SELECT FROM m.way%s) OR EXISTS (SELECT FROM m.way%2$s))', i, i - 1);
	END LOOP;
END $$;
SELECT count(*) > 0 FROM bulkpar_explain('UPDATE m.t SET n = 0 WHERE id IN (SELECT id FROM m.way40)');
END
is($out, 't', 'policies are looked at once, however many ways lead to them');
super(<<'END');
SET ROLE mallory;
CREATE TABLE m.top (id integer PRIMARY KEY, k integer UNIQUE);
CREATE TABLE m.low (id integer PRIMARY KEY, k integer REFERENCES m.top (k) ON UPDATE CASCADE, x integer);
DO $$ BEGIN
	FOR i IN 1..300 LOOP
		EXECUTE format('CREATE FUNCTION m.f%s() RETURNS trigger LANGUAGE plpgsql AS '
			'$f$ BEGIN NEW.x := %1$s; RETURN NEW; END $f$', i);
		EXECUTE format('CREATE TRIGGER t%s BEFORE UPDATE ON m.low FOR EACH ROW'
			' EXECUTE FUNCTION m.f%1$s()', i);
	END LOOP;
END $$;
END
my $switch = start_call($node, <<'END');
DO $$ BEGIN
	FOR i IN 1..100000 LOOP
		ALTER TABLE m.low DISABLE TRIGGER t300;
		COMMIT;
		ALTER TABLE m.low ENABLE TRIGGER t300;
		COMMIT;
	END LOOP;
END $$;
END
for (1 .. 8)
{
	($out, $err) = run_as($node, 'mallory',
		"SELECT count(*) > 0 FROM bulkpar_explain('UPDATE m.top SET k = k + 1000')");
	is($out, 't', "what triggers do is found while others switch them ($_)") or last;
}
is(super("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DO %DISABLE TRIGGER%'"), 't',
	'they still do');
stop_call($switch);

#
# A job that waits for the transaction of another one of its name keeps no job from
# its number.
#
my $inserter = $node->background_psql('postgres');
$inserter->query_safe(<<'END');
BEGIN;
INSERT INTO bulkpar.bulkpar_job
SELECT (jsonb_populate_record(j, '{"job_id": 1000000, "job_name": "same", "status": "failed"}')).*
FROM bulkpar.bulkpar_job j WHERE owner = 'postgres'::regrole LIMIT 1;
END
my $waiting = start_call($node, "SELECT status FROM bulkpar_update('t', 'n', 'n + 1', job_name => 'same')");
wait_until($node, "EXISTS (SELECT FROM pg_stat_activity"
	  . " WHERE backend_type = 'bulkpar coordinator' AND wait_event_type = 'Lock')", 'a job waits');
($out, $err) = run_as($node, 'ann',
	"SET statement_timeout = '${PostgreSQL::Test::Utils::timeout_default}s'; SELECT status FROM bulkpar_update('a', 'n', 'n + 1')");
is($out, 'succeeded', 'that of another role does not');
$inserter->query_safe('ROLLBACK');
is(stop_call($waiting), 'succeeded', 'the first one goes on');
$inserter->quit;

is(super('SELECT pg_postmaster_start_time()'), $started, 'the server never restarted');
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC|TRAP/, 'nothing has crashed');

done_testing();
