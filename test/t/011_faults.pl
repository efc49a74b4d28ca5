# Whatever dies in the middle of a job, every row is updated exactly once.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use Test::More;
use Time::HiRes qw(usleep);

seed_random();
my $node = start_fault_server('faults', '');
my $segments = shared_segments($node);
my ($call, $job, $gate, $seconds);

# A worker is terminated in the middle of a batch.
set_tempo($node, 0);
make_table($node, 't', 1000);
$gate = close_gate($node);
$call = start_call($node,
	"SELECT status FROM bulkpar_update('t', 'n', 'n + 1 + gate()', 100, 1,"
	  . " stripes => 8)");
wait_for_workers($node, 1);
my $dead = backend_pid($node, 'bulkpar worker');
signal_backends($node, 'pg_terminate_backend', 'bulkpar worker');
wait_until($node,
	"NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $dead)");
open_gate($gate);
is(stop_call($call), 'succeeded', 'a terminated worker is replaced');
is_exactly($node, 't', 1, 'terminated worker: every row is updated once');
is_quiet($node, 't', 'terminated worker');

# The coordinator is terminated.
($call, $job) = start_slow_job($node);
signal_backends($node, 'pg_terminate_backend', 'bulkpar coordinator');
like(call_error($call), qr/^ERROR:  57P01: .*bulkpar_resume\($job\)/ms,
	'terminated coordinator: what the caller gets');
status_is($node, $job, 'interrupted', 'terminated coordinator');
is_quiet($node, 't', 'terminated coordinator');
is_whole($node, 't', $job, 'terminated coordinator');
succeeds($node, $job, 'terminated coordinator');

# A worker is killed, and the server restarts by itself.
($call, $job) = start_slow_job($node);
kill_process($node, backend_pid($node, 'bulkpar worker'));
like(call_error($call), qr/connection to server was lost/,
	'killed worker: the caller loses its connection');
status_is($node, $job, 'interrupted', 'killed worker');
is_quiet($node, 't', 'killed worker');
is_whole($node, 't', $job, 'killed worker');
succeeds($node, $job, 'killed worker');

# A worker is stopped at a random moment while its job is interrupted and
# resumed.  It may hold locks, so that the resumed job waits for it.
foreach my $try (1 .. 2)
{
	my $name = "stopped worker ($try)";

	($call, $job) = start_slow_job($node);
	my $pid = backend_pid($node, 'bulkpar worker');
	signal_process('STOP', $pid);
	signal_backends($node, 'pg_terminate_backend', 'bulkpar coordinator');
	$seconds = seconds_of(sub { call_error($call) });
	like($call->{err}, qr/^ERROR:  57P01/m, "$name: what the caller gets");
	cmp_ok($seconds, '<', 20, "$name: nobody waits for ever");
	status_is($node, $job, 'interrupted', $name);
	$call = resume_job($node, $job);
	usleep(500_000);
	signal_process('CONT', $pid);
	is(stop_call($call), 'succeeded', "$name: resume");
	wait_until($node,
		"NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)",
		"$name: it does not go on");
	is_exactly($node, 't', 1, "$name: every row is updated once");
	is_quiet($node, 't', $name);
}

# A worker is stopped in a batch before it has locked a row: the resumed job
# does not wait for it.
make_table($node, 't', 1000);
$gate = close_gate($node);
$call = start_call($node,
	"SELECT status FROM bulkpar_update('t', 'n', 'n + 1 + gate()', 100, 1)");
wait_for_workers($node, 1);
$job = last_job($node);
my $stopped = backend_pid($node, 'bulkpar worker');
signal_process('STOP', $stopped);
open_gate($gate);
signal_backends($node, 'pg_terminate_backend', 'bulkpar coordinator');
stop_call($call);
is(stop_call(resume_job($node, $job)),
	'succeeded', 'worker stopped at the gate: resume');
is_exactly($node, 't', 1, 'worker stopped at the gate: each row once');
signal_process('CONT', $stopped);
wait_until($node,
	"NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $stopped)",
	'worker stopped at the gate: it does not go on');
is_exactly($node, 't', 1, 'worker stopped at the gate: each row still once');
is_quiet($node, 't', 'worker stopped at the gate');

is(shared_segments($node), $segments, 'no shared memory segment is left');

# The server is stopped.  A smart stop waits for sessions, but not for a job
# that no session waits for.
foreach my $mode ('smart', 'fast', 'immediate')
{
	($call, $job) = start_slow_job($node,
		arguments => $mode eq 'smart' ? ', wait => false' : '');
	stop_call($call) if $mode eq 'smart';
	$seconds = seconds_of(sub { $node->stop($mode) });
	cmp_ok($seconds, '<', 10, "$mode stop: does not take long");
	stop_call($call) if $mode ne 'smart';
	ok(start_again($node), "$mode stop: the server starts again");
	status_is($node, $job, 'interrupted', "$mode stop");
	is_whole($node, 't', $job, "$mode stop");
	succeeds($node, $job, "$mode stop");
}

# The postmaster is killed again and again.
($call, $job) = start_slow_job($node);
foreach my $time (1 .. 5)
{
	usleep(rand(700_000));
	$node->kill9;
	stop_call($call);
	ok(start_again($node), "kill -9 ($time): the server starts again");
	status_is($node, $job, 'interrupted', "kill -9 ($time)");
	is_whole($node, 't', $job, "kill -9 ($time)");
	$call = start_call($node, "SELECT status FROM bulkpar_resume($job)");
}
set_tempo($node, 0);
is(stop_call($call), 'succeeded', 'kill -9: the last resume');
is_exactly($node, 't', 1, 'kill -9: every row is updated once');
is_quiet($node, 't', 'kill -9');

# No slot is left for the worker that must be replaced: the coordinator is
# stopped until another job has taken the slot.
$node->append_conf('postgresql.conf',
	"max_worker_processes = 4\nmax_logical_replication_workers = 0\n"
	  . "bulkpar.max_workers = 0");
$node->restart;
foreach my $workers (1, 2)
{
	my $name = "no slot for one of $workers workers";
	my $others = 3 - $workers;

	make_table($node, 'u', 1000);
	($call, $job) = start_slow_job($node, workers => $workers);
	my $coordinator = backend_pid($node, 'bulkpar coordinator');
	my $worker = backend_pid($node, 'bulkpar worker');
	signal_process('STOP', $coordinator);
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
	wait_until($node,
		"NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $worker)");
	$gate = close_gate($node);
	my $other = start_call($node,
		"SELECT status FROM"
		  . " bulkpar_update('u', 'n', 'n + 1 + gate()', 100, $others)");
	wait_for_workers($node, $others);
	signal_process('CONT', $coordinator);
	if ($workers == 1)
	{
		like(call_error($call), qr/^ERROR:  53000/m,
			"$name: what the caller gets");
		status_is($node, $job, 'failed', $name);
	}
	else
	{
		set_tempo($node, 0);
		is(stop_call($call), 'succeeded', "$name: the other does its work");
		is_exactly($node, 't', 1, "$name: every row is updated once");
	}
	open_gate($gate);
	is(stop_call($other), 'succeeded', "$name: the other job");
	is_exactly($node, 'u', 1, "$name: its rows are updated once");
	succeeds($node, $job, $name) if $workers == 1;
}

log_is_clean($node, 'all faults');
$node->stop;
done_testing();
