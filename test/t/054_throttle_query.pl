# A query of the user holds a job, whatever it does instead of an answer: the job
# waits, says why, and nothing else has changed.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use Test::More;

my $node = start_server('throttle_query', <<'END');
max_prepared_transactions = 2
bulkpar.throttle_timeout = 0
END
my $asker = "FROM pg_stat_activity WHERE backend_type = 'bulkpar throttle query'";

sub super { return $node->safe_psql('postgres', $_[0]); }

# What the query says from now on: the body of a function.
sub say_by
{
	my ($body) = @_;

	super("CREATE OR REPLACE FUNCTION verdict() RETURNS text LANGUAGE plpgsql AS \$\$ $body \$\$");
	return;
}

# Start a job of joe, whose query it is.
sub start_asking
{
	my ($query, $arguments) = @_;

	$arguments //= '';

	make_table($node, 't', 1000);
	super('ALTER TABLE t OWNER TO joe');
	$query =~ s/ /\\ /g;
	return start_call($node, "SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 10, 2$arguments)",
		role => 'joe', 'bulkpar.throttle_query' => $query);
}

sub is_held
{
	my ($reason, $name) = @_;

	wait_until($node, "throttled_by ~ '^throttle_query: $reason\$' AND work_share = 0"
		  . ' FROM bulkpar_progress ORDER BY job_id DESC LIMIT 1', $name);
	return;
}

super(<<'END');
CREATE ROLE joe LOGIN;
GRANT ALL ON SCHEMA public TO joe;
CREATE TABLE written (id integer PRIMARY KEY, n integer);
GRANT ALL ON written TO joe;
END

# One job, from whose query comes one thing after the other.
say_by("BEGIN RETURN 'not now'; END");
my $call = start_asking('SELECT verdict()', ', wait => false');
is(stop_call($call), 'running', 'a job begins');
is_held('not now', 'a text is the reason');
my @attacks = (
	[ "RAISE EXCEPTION 'it is broken: % %', E'\\n', 1", 'it is broken: ', 'an error' ],
	[ 'PERFORM pg_sleep(600)', 'canceling statement due to statement timeout', 'a query that takes too long' ],
	[ 'RETURN NULL', 'it returns null', 'null' ],
	[ "RETURN 'who ' || current_user || ' ' || session_user", 'who joe joe', 'it runs as the owner' ],
	[ "PERFORM set_config('role', 'none', false); RETURN 'now ' || current_user || ' ' || session_user",
		'now joe joe', 'RESET ROLE' ],
	[ "EXECUTE 'SET SESSION AUTHORIZATION DEFAULT'; RETURN 'then ' || current_user || ' ' || session_user",
		'then joe joe', 'the session authorization' ],
	[ 'SET ROLE pg_read_all_data', 'permission denied to set role "pg_read_all_data"', 'SET ROLE' ],
	[ 'INSERT INTO written VALUES (1)', 'cannot execute INSERT in a read-only transaction', 'a write' ],
	[ "PERFORM set_config('transaction_read_only', 'off', false)",
		'transaction read-write mode must be set before any query', 'SET TRANSACTION READ WRITE' ],
	[ "RESET transaction_read_only; INSERT INTO written VALUES (1); RETURN ''",
		'(it has made its transaction one that writes|parameter .* cannot be reset)', 'RESET of that' ],
	[ "PERFORM set_config('app.x', '1', false), set_config('statement_timeout', '0', false); RETURN 'x is set'",
		'x is set', 'settings' ],
	[ "RETURN format('x is %s', nullif(current_setting('app.x', true), ''))", 'x is ', 'settings are undone' ],
	[ "PERFORM bulkpar_update('written', 'n', '1')", 'cannot execute bulkpar_update\\(\\) in a read-only transaction',
		'another job' ],
	[ 'COMMIT', 'invalid transaction termination', 'COMMIT' ],
	[ "EXECUTE 'PREPARE TRANSACTION ''x'''", 'EXECUTE of transaction commands is not implemented', 'PREPARE TRANSACTION' ],
	[ "PERFORM pg_advisory_lock(1); RETURN 'locked'", 'locked', 'a lock' ],
	[ 'LOOP BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP',
		'no answer for \\d+ s', 'who swallows the cancel' ]);
foreach my $attack (@attacks)
{
	say_by("BEGIN $attack->[0]; END");
	is_held($attack->[1], $attack->[2]);
}
say_by("BEGIN RETURN 'back'; END");
is_held('back', 'its process is terminated, and another asks');
is(super('SELECT pg_try_advisory_lock(1)'), 't', 'no lock is left');

# The process does not answer, or is gone.
my $pid = super("SELECT pid $asker");
kill 'STOP', $pid;
is_held('no answer for \\d+ s', 'a process that hangs');
kill 'CONT', $pid;
is_held('back', 'another asks');
isnt(super("SELECT pid $asker"), $pid, 'which is another');
super("SELECT pg_terminate_backend(pid) $asker");
say_by("BEGIN RETURN 'again'; END");
is_held('again', 'another asks when it is terminated');

# The query of the configuration is asked beside that of the job.
super("LOAD 'bulkpar'; ALTER SYSTEM SET bulkpar.throttle_query = 'SELECT 2 * 1.5'; SELECT pg_reload_conf()");
say_by("BEGIN RETURN ''; END");
is_held('3 of 1', 'one of the configuration');
super("LOAD 'bulkpar'; ALTER SYSTEM RESET bulkpar.throttle_query; SELECT pg_reload_conf()");
wait_until($node, "status = 'succeeded' FROM bulkpar_jobs", 'a job goes on when all of them say so');
is_exactly($node, 't', 1, 'exactly once');
is(super("SELECT count(*) FROM written"), '0', 'nothing was written');
is(super("SELECT count(*) FROM pg_prepared_xacts"), '0', 'nothing was prepared');
is(super("SELECT count(*) FROM bulkpar_jobs"), '1', 'there is no other job');
wait_until($node, "count(*) = 0 $asker", 'nobody asks any more');

# Other types, and what is no answer.
foreach my $case (
	[ 'SELECT true', 'it returns true' ],
	[ "SELECT 'NaN'::float8", '[Nn]a[Nn] of 1' ],
	[ 'SELECT 1 WHERE false', 'it returns no row' ],
	[ 'SELECT generate_series(1,1000000000)', 'it returns more than one row' ])
{
	my ($query, $reason) = @$case;

	$call = start_asking($query);
	is_held($reason, $query);
	is(super('SELECT status FROM bulkpar_pause(' . last_job($node) . ')'), 'paused', "$query: is paused");
	is(stop_call($call), 'paused', "$query: its caller is told");
	like($call->{err}, qr/throttled [\d.]+ % of the time: throttle_query \d/, "$query: and why");
	is_exactly($node, 't', 0, "$query: nothing was done");
}
$call = start_asking('SELECT true');
is_held('it returns true', 'held');
super('SELECT bulkpar_alter(' . last_job($node) . q{, settings => '{"throttle_query": "SELECT false"}')});
is(stop_call($call), 'succeeded', 'another query can be asked instead');
fails_with($node, 'SELECT bulkpar_alter(1, settings => \'{"throttle_query": "SELECT"}\')', '22023', 'which must be one');
foreach my $query ('SELECT false', 'SELECT 0.2', 'SELECT -1', "SELECT ''::varchar")
{
	is(stop_call(start_asking($query)), 'succeeded', "$query: holds nothing");
	is_exactly($node, 't', 1, "$query: exactly once");
}

# What cannot be a query.
my %errors = (
	'SELECT 1 2' => 'syntax error.*LINE 1: SELECT 1 2.*setting "bulkpar.throttle_query"',
	'SELECT nowhere' => 'column "nowhere" does not exist.*setting "bulkpar.throttle_query"',
	'DELETE FROM t' => 'is not one query that only reads',
	'SELECT 1 FROM t FOR UPDATE' => 'is not one query that only reads',
	'SELECT false; SELECT false' => 'is not one query that only reads',
	'SELECT false AS a INTO x' => 'is not one query that only reads',
	'SELECT' => 'must return one column',
	'SELECT true, true' => 'must return one column',
	'SELECT now()' => 'must return one column');
like(call_error(start_asking($_)), qr/ERROR:  [^\n]*$errors{$_}/s, "$_: is refused") foreach sort keys %errors;

# A job that cannot note what slows it down has failed, and ends.
super("ALTER TABLE bulkpar.bulkpar_throttle ADD CHECK (reason <> 'throttle_query') NOT VALID");
$call = start_asking('SELECT true');
like(call_error($call), qr/ERROR:  23514: /, 'a note that cannot be made is an error');
is(super('SELECT status, sqlstate FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1'), 'failed|23514', 'of the job');
super('ALTER TABLE bulkpar.bulkpar_throttle DROP CONSTRAINT bulkpar_throttle_reason_check');

# A process that asks needs a slot: where the workers hold all, one ends for it.
sub set_slots
{
	my ($slots) = @_;

	wait_until($node, "NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type LIKE 'bulkpar%')");
	super("LOAD 'bulkpar'; ALTER SYSTEM SET bulkpar.max_workers = $slots; SELECT pg_reload_conf()");
	wait_until($node, "current_setting('bulkpar.max_workers') = '$slots'");
	return;
}

sub processes
{
	my ($type) = @_;

	return "count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'bulkpar $type'";
}

sub alter_query
{
	my ($query) = @_;

	super('SELECT bulkpar_alter(' . last_job($node) . qq{, settings => '{"throttle_query": "$query"}')});
	return;
}

set_slots(4);
say_by("BEGIN RETURN 'not now'; END");
$call = start_asking('SELECT verdict()');
is_held('not now', 'a query that is there from the start has a process');
wait_until($node, 'count(*) = 2' . " FROM pg_stat_activity WHERE backend_type = 'bulkpar worker'", 'beside all workers');
say_by("BEGIN RETURN ''; END");
is(stop_call($call), 'succeeded', 'and the job goes on');
unlike($call->{err}, qr/one less/, 'with all of them');

set_slots(3);
say_by("BEGIN RETURN 'not now'; END");
make_table($node, 't', 1000);
super('ALTER TABLE t OWNER TO joe');
$call = start_call($node, "SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 10, 2)",
	role => 'joe', 'bulkpar.max_rows_per_second' => 1);
wait_until($node, 'count(*) = 2' . " FROM pg_stat_activity WHERE backend_type = 'bulkpar worker'");
alter_query('SELECT verdict()');
is_held('not now', 'one that comes later gets one');
wait_until($node, processes('worker'), 'and one worker is left');
super('SELECT bulkpar_alter(' . last_job($node) . q{, settings => '{"max_rows_per_second": 0}')});
say_by("BEGIN RETURN ''; END");
is(stop_call($call), 'succeeded', 'which does the rest');
like($call->{err}, qr/NOTICE:  [^\n]*goes on with 1 worker, one less, so that "bulkpar.throttle_query" can be asked/,
	'whoever waits is told');
is_exactly($node, 't', 1, 'exactly once');

# The last worker stays.
set_slots(2);
say_by("BEGIN RETURN 'not now'; END");
make_table($node, 't', 1000);
super('ALTER TABLE t OWNER TO joe');
$call = start_call($node, "SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 10, 1)",
	role => 'joe', 'bulkpar.max_rows_per_second' => 1);
wait_until($node, processes('worker'));
alter_query('SELECT verdict()');
is_held('no process is left to ask it, for which a job needs three', 'a job is held that has one worker');
wait_until($node, processes('worker'), 'which stays');
super('SELECT bulkpar_pause(' . last_job($node) . ')');
is(stop_call($call), 'paused', 'until somebody ends it');
$call = start_asking('SELECT false');
like(call_error($call), qr/ERROR:  53000: could not register [^\n]*.*at least two processes, and three with "bulkpar.throttle_query"/s,
	'there must be three processes');
set_slots(0);

# Nobody runs a query as somebody else.
super(<<'END');
CREATE FUNCTION start_as_owner() RETURNS text LANGUAGE sql SECURITY DEFINER AS
	$$SELECT status FROM bulkpar_update('t', 'n', 'n + 1', wait => false)$$;
END
make_table($node, 't', 1000);
my $definer = 'SELECT start_as_owner()';
$node->psql('postgres', $definer, stderr => \my $stderr,
	connstr => $node->connstr('postgres') . " user=joe options='-c bulkpar.throttle_query=SELECT\\\\ false'");
like($stderr, qr/permission denied to run "bulkpar.throttle_query" as role/,
	'who calls a SECURITY DEFINER function cannot run a query as its owner');
super("LOAD 'bulkpar'; ALTER ROLE joe SET bulkpar.throttle_query = 'SELECT false'");
$node->psql('postgres', $definer, stderr => \$stderr, connstr => $node->connstr('postgres') . ' user=joe');
like($stderr, qr/permission denied to run "bulkpar.throttle_query" as role/, 'nor by a default of the role');
super("LOAD 'bulkpar'; ALTER DATABASE postgres SET bulkpar.throttle_query = 'SELECT false'");
$node->psql('postgres', "LOAD 'bulkpar'; SHOW bulkpar.throttle_query", stdout => \my $stdout, stderr => \$stderr);
is($stdout, '', 'nor does the owner of a database set it for all');
like($stderr, qr/It cannot be a default of a database/, 'which is said');

# Whoever has the owner's privileges may alter the query of a job that another session
# has started after SET ROLE: it gets no further than the owner.
super(<<'END');
ALTER ROLE joe RESET bulkpar.throttle_query;
CREATE ROLE app NOLOGIN;
CREATE ROLE crew LOGIN;
CREATE ROLE ann LOGIN IN ROLE crew;
CREATE ROLE eve LOGIN IN ROLE app, crew;
CREATE ROLE zoe LOGIN;
CREATE ROLE spy LOGIN IN ROLE pg_read_all_stats;
CREATE FUNCTION climb() RETURNS text LANGUAGE plpgsql AS
	'BEGIN PERFORM set_config(''role'', ''none'', false); RETURN ''I am '' || current_user; END';
END
super('GRANT app, crew TO zoe WITH INHERIT TRUE, SET FALSE') if $node->pg_version >= 16;
foreach my $case ([ 'postgres', 'app' ], [ 'ann', 'crew' ])
{
	my ($session, $owner) = @$case;
	my ($job, $out, $err);

	make_table($node, 't', 1000);
	super("ALTER TABLE t OWNER TO $owner");
	run_as($node, $session, "SET bulkpar.max_rows_per_second = 1; SET ROLE $owner;"
		  . q{ SELECT bulkpar_update('t', 'n', 'n + 1', 10, 2, wait => false)});
	$job = last_job($node);
	if ($node->pg_version >= 16)
	{
		($out, $err) = run_as($node, 'zoe',
			"SELECT bulkpar_alter($job, settings => " . q{'{"throttle_query": "SELECT public.climb()"}')});
		like($err, qr/permission denied to run "bulkpar.throttle_query" as role "$owner"/,
			"$owner: who cannot become the owner lets nothing run as it");
	}
	($out, $err) = run_as($node, 'eve',
		"SELECT bulkpar_alter($job, settings => " . q{'{"throttle_query": "SELECT public.climb()"}')});
	if ($owner eq 'crew' || $node->pg_version >= 17)
	{
		wait_until($node, "throttled_by ~ 'I am $owner' FROM bulkpar_progress WHERE job_id = $job",
			"$owner: the query of who alters the job is asked as the owner");
		($out, $err) = run_as($node, 'spy', "SELECT throttled_by ~ 'throttle_query', throttled_by ~ 'I am'"
			  . " FROM bulkpar_progress WHERE job_id = $job");
		is($out, 't|f', "$owner: who reads all statistics does not see what it says");
		is(super("SELECT count(*) FROM pg_stat_activity WHERE query ~ 'I am' AND pid <> pg_backend_pid()"),
			0, "$owner: nor in pg_stat_activity");
	}
	else
	{
		like($err, qr/role "$owner" is not permitted to log in/,
			"$owner: nobody asks as an owner who cannot log in");
	}
	super("SELECT bulkpar_cancel($job)");
}

done_testing();
