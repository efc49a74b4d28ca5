# How fast a job is: it is held, it gets a share of its time, it has caps.  What
# holds it here is a limit that no server keeps: all of its disks must be free.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use Test::More;
use Time::HiRes qw(time);

my $node = start_server('pace', 'bulkpar.progress_interval = 200');
my $held = "SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 10, 2)";
my $worker = "FROM pg_stat_activity WHERE backend_type = 'bulkpar worker'";

sub super { return $node->safe_psql('postgres', $_[0]); }

sub await_hold
{
	wait_until($node, "EXISTS (SELECT FROM bulkpar_progress WHERE throttled_by ~ 'disk')"
		  . " AND count(*) > 0 $worker AND query ~ '^throttled: disk'", $_[0]);
	return;
}

sub set_limit
{
	super("LOAD 'bulkpar'; ALTER SYSTEM $_[0]; SELECT pg_reload_conf()");
	return;
}

# All processes of a job end, in a second or so; not by a timeout.
sub ends_soon
{
	my ($began, $name) = @_;

	wait_until($node, "NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type LIKE 'bulkpar%')");
	my $seconds = time() - $began;
	note(sprintf('%s: %.1f s', $name, $seconds));
	cmp_ok($seconds, '<', 10, "$name: its processes end soon");
	return;
}

# What a held job is like.
make_table($node, 't', 1000);
my $call = start_call($node, $held, 'bulkpar.min_free_disk' => 100);
await_hold('a job is held');
is(super('SELECT rows_done, work_share, throttled_since < clock_timestamp() FROM bulkpar_progress'),
	'0|0|t', 'nothing is done');
is(super("SELECT count(*) $worker AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)"),
	'0', 'a worker that waits has no snapshot and no transaction');
is( super("SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND pid IN (SELECT pid $worker)"),
	'0', 'and no lock');
wait_until($node, "max(throttled_time) > interval '5 s' FROM bulkpar_progress");
my $began = time();
super('SELECT status FROM bulkpar_cancel(1)');
ends_soon($began, 'cancel');
like(call_error($call), qr/NOTICE:  [^\n]*bulkpar job 1: throttled: disk of .* free of 100 %/,
	'the caller is told why');
like($call->{err}, qr/INFO:  [^\n]*bulkpar job 1: 0.0 %, 0 of about 1000 rows, .*, throttled: disk/,
	'and in the messages of its progress');
is_exactly($node, 't', 0, 'and nothing has changed');

# What ends a hold.
foreach my $what ('pause', 'terminate')
{
	my $job;

	make_table($node, 't', 1000);
	$call = start_call($node, $held, 'bulkpar.min_free_disk' => 100);
	await_hold("$what: held");
	$job = last_job($node);
	if ($what eq 'pause')
	{
		my $start = time();

		is(super("SELECT status FROM bulkpar_pause($job)"), 'paused', 'a held job is paused');
		is(stop_call($call), 'paused', 'and its caller is told');
		ends_soon($start, 'pause');
	}
	else
	{
		super("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'bulkpar coordinator'");
		like(call_error($call), qr/was interrupted/, 'a held job is interrupted');
	}
	wait_until($node, "NOT EXISTS (SELECT $worker)", 'its workers end');
	is(super("SELECT throttled_by IS NULL AND throttled_since IS NULL FROM bulkpar_progress WHERE job_id = $job"),
		't', 'nothing holds what does not run');
	is(super("SELECT rows_changed FROM bulkpar_update('t', 'n', 'n + 1')"),
		'1000', 'and another job is not held');
	is_exactly($node, 't', 1, "$what: exactly once");
}

# Ctrl-C, and the end of the extension itself.
make_table($node, 't', 1000);
$call = start_call($node, $held, 'bulkpar.min_free_disk' => 100);
await_hold('Ctrl-C: held');
$began = time();
super("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'caller'");
like(call_error($call), qr/canceling statement due to user request/, 'who waits for a held job can cancel it');
ends_soon($began, 'Ctrl-C');
$call = start_call($node, $held, 'bulkpar.min_free_disk' => 100);
await_hold('DROP EXTENSION: held');
$began = time();
super('DROP EXTENSION bulkpar');
like(call_error($call), qr/the tables of extension "bulkpar" do not exist/, 'a held job does not outlive the extension');
ends_soon($began, 'DROP EXTENSION');
is_exactly($node, 't', 0, 'and nothing has changed');
super('CREATE EXTENSION bulkpar');

# The configuration counts beside the session, and at once.
make_table($node, 't', 1000);
set_limit('SET bulkpar.min_free_disk = 100');
$call = start_call($node, $held, 'bulkpar.min_free_disk' => 0);
await_hold('a session cannot lift a limit of the configuration');
set_limit('RESET bulkpar.min_free_disk');
is(stop_call($call), 'succeeded', 'but who changes the configuration can');
is_exactly($node, 't', 1, 'exactly once');
like($call->{err}, qr/INFO:  [^\n]*bulkpar job \d+ was throttled \d+ % of the time: .*disk of /,
	'the caller is told what that has cost');

# A cap that is raised counts at once, also for what is waited for already.
make_table($node, 't', 1000);
set_limit('SET bulkpar.max_rows_per_second = 1');
$call = start_call($node, "SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 400, 2)");
wait_until($node, "count(*) > 0 AND bool_and(query ~ '^throttled: as fast as') $worker");

# A vacuum meanwhile is kept from nothing.
my $verbose;
$node->psql('postgres', 'VACUUM (VERBOSE) t', stderr => \$verbose, timeout => 60);
like($verbose, qr/tuples: [1-9]\d* removed, .* 0 are dead but not yet removable/,
	'a vacuum removes all dead rows while the job sleeps');
set_limit('SET bulkpar.max_rows_per_second = 1000000');
is(stop_call($call), 'succeeded', 'a cap is raised');
is_exactly($node, 't', 1, 'exactly once');
set_limit('RESET bulkpar.max_rows_per_second');

# A job that is held for too long.
make_table($node, 't', 1000);
$call = start_call($node, $held, 'bulkpar.min_free_disk' => 100, 'bulkpar.throttle_timeout' => 1);
is(stop_call($call), 'paused', 'a job that is held for too long is paused');
like($call->{err}, qr/NOTICE:  [^\n]*paused, since it was throttled for too long/, 'with a notice');
is_exactly($node, 't', 0, 'and nothing has changed');
$call = start_call($node, 'SELECT status FROM bulkpar_resume(' . last_job($node) . ', wait => false)');
is(stop_call($call), 'running', 'it is resumed');
unlike($call->{err}, qr/was throttled/, 'and not at its end yet');
await_hold('it keeps its limits when it is resumed');
super('SELECT bulkpar_cancel(' . last_job($node) . ')');

# A job that may take no longer.
make_table($node, 't', 1000);
$call = start_call($node, "SELECT status FROM bulkpar_update('t', 'n', 'n + 1 + slow(10)', 10, 1, job_name => 'by night')",
	'bulkpar.max_time' => 1);
is(stop_call($call), 'paused', 'a job is paused when its time is over');
like($call->{err}, qr/NOTICE:  [^\n]*paused, since the time is over/, 'with a notice');
cmp_ok(super('SELECT sum(n) FROM t'), '<', 1000, 'before its end');
is(super("SELECT status FROM bulkpar_update('t', 'n', 'n + 1 + slow(10)', 10, 1, job_name => 'by night')"),
	'paused', 'it keeps its limit when a call of its name resumes it');
is( super("SET bulkpar.max_time = 0; SELECT status FROM bulkpar_update('t', 'n', 'n + 1 + slow(10)',"
		  . " 10, 1, job_name => 'by night')"),
	'succeeded', 'and goes on to its end where the call sets none');
is_exactly($node, 't', 1, 'exactly once');

# Nobody knows how the server is while the coordinator does not look.
make_table($node, 't', 1000);
$call = start_call($node, "SELECT status FROM bulkpar_update('t', 'n', 'n + 1 + slow(20)', 1, 1)");
wait_for_rows($node, 1, last_job($node) - 1);
my $coordinator = super("SELECT pid FROM pg_stat_activity WHERE backend_type = 'bulkpar coordinator'");
kill 'STOP', $coordinator;
wait_until($node, "EXISTS (SELECT $worker AND query ~ '^throttled: ')",
	'no batch begins while the coordinator does not look');
my $done = super('SELECT sum(n) FROM t');
cmp_ok($done, '<', 1000, 'which comes before the end');
kill 'CONT', $coordinator;
is(stop_call($call), 'succeeded', 'the job goes on with it');
is_exactly($node, 't', 1, 'exactly once');

make_table($node, 't', 1000);
$call = start_call($node, $held, 'bulkpar.min_free_disk' => 100);
await_hold('held');
$coordinator = super("SELECT pid FROM pg_stat_activity WHERE backend_type = 'bulkpar coordinator'");
kill 'STOP', $coordinator;
is(super("SELECT count(*) > 0 $worker"), 't', 'workers wait for a coordinator that is stopped');
kill 'KILL', $coordinator;
call_error($call);
$node->stop('immediate', fail_ok => 1);
$node->start;
is_exactly($node, 't', 0, 'nothing has changed when it is killed');
is( super('SET bulkpar.min_free_disk = 0; SELECT status, rows_changed FROM bulkpar_resume('
		  . last_job($node) . ')'),
	'succeeded|1000', 'who resumes it can set another limit');
is_exactly($node, 't', 1, 'exactly once');

# A share of the time, and caps.  That they are kept shows on any machine: it
# cannot take less time than this, but for the pause after the last batches.
sub seconds
{
	my ($sql, %settings) = @_;
	my $set = join('', map { "SET bulkpar.$_ = '$settings{$_}';" } sort keys %settings);
	my $start = time();

	make_table($node, 't', 2000);
	$start = time();
	is(super("$set $sql"), 'succeeded', 'succeeded');
	is_exactly($node, 't', 1, 'exactly once');
	return time() - $start;
}
cmp_ok(seconds("SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 100, 2)", max_rows_per_second => 1000),
	'>=', 1.7, 'no more rows per second than the cap');
cmp_ok(seconds("SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 100, 2)", max_wal_rate => '64kB'),
	'>=', 1.7, 'no more WAL per second than the cap');
cmp_ok(seconds("SELECT status FROM bulkpar_update('t', 'n', 'n + 1 + slow(1)', 100, 1)", nice => 1),
	'>=', 3.8, 'half of the time where it is nice');
is(super("SELECT work_share FROM bulkpar_progress ORDER BY job_id DESC LIMIT 1"), '', 'which ends with the job');

# So many rows and no more, whatever the batches are like, and then it is paused.
# Each resume may change as many again.
sub run_by_night
{
	my ($name, $total, $limit, $make, $job, $changed) = @_;
	my $done = 0;
	my $status = 'paused';
	my $resume;

	super("SET client_min_messages = warning; DROP TABLE IF EXISTS t; $make");
	while ($status eq 'paused')
	{
		my $night = start_call($node, 'SELECT status FROM ' . ($resume // $job),
			'bulkpar.max_rows' => $limit);

		$status = stop_call($night);
		$done = $done + $limit < $total ? $done + $limit : $total;
		is(super("SELECT $changed"), $done, "$name: $done rows");
		like($night->{err}, qr/NOTICE:  [^\n]*paused, since it has changed as many rows as it may/,
			"$name: with a notice")
		  if $status eq 'paused';
		$resume = 'bulkpar_resume(' . last_job($node) . ')';
	}
	is($status, 'succeeded', "$name: goes on to the end") or diag($status);
	is($done, $total, "$name: not before");
	return;
}
my $plain = 'CREATE TABLE t (id integer PRIMARY KEY, n integer NOT NULL, x text);'
  . " INSERT INTO t SELECT i, 0, repeat('x', 100) FROM generate_series(1, 5000) i; ANALYZE t";
my $sum = 'sum(n) FROM t';
foreach my $case (
	[ 'all rows', 5000, 1100, $plain, "bulkpar_update('t', 'n', 'n + 1', 300, 4, stripes => 1)", $sum ],
	[ 'stripes', 5000, 1700, $plain, "bulkpar_update('t', 'n', 'n + 1', 70, 4, stripes => 3)", $sum ],
	[ 'one of each two', 2500, 900, $plain,
		"bulkpar_update('t', 'n', 'n + id % 2', 300, 4, skip_unchanged => true)", $sum ],
	[ 'few', 100, 37, $plain,
		"bulkpar_update('t', 'n', 'n + 1', 20, 3, condition => 'id % 50 = 0 AND length(x) > 10')", $sum ],
	[ 'patches', 395, 150, $plain,
		"bulkpar_update('t', 'n', 'n + 1', 100, 4, condition => 'length(x) < 1000 AND (id % 1000) > 920')", $sum ],
	[ 'errors', 4500, 2000, $plain,
		"bulkpar_update('t', 'n', 'n + 1 + 0 / (id % 10)', 300, 4, on_error => 'skip')", $sum ],
	[ 'less than a batch', 5000, 2999, $plain, "bulkpar_update('t', 'n', 'n + 1', 3000, 4)", $sum ],
	[ 'deletes', 2500, 1001, $plain, "bulkpar_delete('t', 'id % 2 = 0', 150, 4)", '5000 - count(*) FROM t' ],
	[ 'small parts', 4000, 1550,
		'CREATE TABLE t (id integer PRIMARY KEY, n integer NOT NULL) PARTITION BY RANGE (id);'
		  . q{SELECT format('CREATE TABLE t_%s PARTITION OF t FOR VALUES FROM (%s) TO (%s)', i, i * 100, (i + 1) * 100)}
		  . " FROM generate_series(0, 40) i \\gexec\nINSERT INTO t SELECT i, 0 FROM generate_series(1, 4000) i; ANALYZE t",
		"bulkpar_update('t', 'n', 'n + 1', 1000, 3)", $sum ])
{
	run_by_night(@$case);
}

# Others have a row; a worker is told to end, or killed.
make_table($node, 't', 3000);
my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; UPDATE t SET pid = 1 WHERE id IN (5, 1005, 2005)');
is( super("SET bulkpar.max_rows = 2998; SET bulkpar.lock_wait = '20ms';"
		  . " SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 250, 4, wait => false)"),
	'running', 'rows are locked');
my $job = last_job($node);
wait_until($node, "rows_changed = 2997 FROM bulkpar_progress WHERE job_id = $job", 'all others are changed');
is(super("SELECT status FROM bulkpar_jobs WHERE job_id = $job"), 'running', 'and it waits for one of them');
$locker->quit;
is(super("SELECT status FROM bulkpar_wait($job)"), 'paused', 'after which it is paused');
is(super('SELECT sum(n) FROM t'), '2998', 'with as many as it may');

my $slow = "SELECT status FROM bulkpar_update('t', 'n', 'n + 1 + slow(1)', 70, 4)";
make_table($node, 't', 3000);
$call = start_call($node, $slow, 'bulkpar.max_rows' => 1000);
wait_until($node, 'sum(n) > 0 FROM t');
super("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'bulkpar worker' ORDER BY pid LIMIT 2");
is(stop_call($call), 'paused', 'two workers are told to end');
is(super('SELECT sum(n) FROM t'), '1000', 'and it is as many rows all the same');

make_table($node, 't', 3000);
$call = start_call($node, $slow, 'bulkpar.max_rows' => 1000);
wait_until($node, 'sum(n) > 0 FROM t');
my $victim = super("SELECT min(pid) $worker");
kill 'KILL', $victim;
call_error($call);
$node->stop('immediate', fail_ok => 1);
$node->start;
my $before = super('SELECT sum(n) FROM t');
cmp_ok($before, '<=', 1000, 'one is killed, and it is not more rows');
is(super('SELECT status FROM bulkpar_resume(' . last_job($node) . ')'), 'paused', 'it is resumed');
is(super('SELECT sum(n) FROM t'), $before + 1000, 'and may change as many again');
is(super('SELECT max(n) FROM t'), '1', 'none twice');

# More, while it runs, which takes ten seconds at least.
$call = start_call($node, 'SELECT status FROM bulkpar_resume(' . last_job($node) . ')',
	'bulkpar.max_rows_per_second' => 100);
wait_until($node, "sum(n) > $before + 1000 FROM t");
super('SELECT bulkpar_alter(' . last_job($node) . q[, settings => '{"max_rows": 0, "max_rows_per_second": 0}')]);
is(stop_call($call), 'succeeded', 'it may change all rows from then on');
is_exactly($node, 't', 1, 'exactly once');

done_testing();
