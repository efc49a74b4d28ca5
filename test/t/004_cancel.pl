# Whatever ends a call ends its job, and nothing commits afterwards.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use Test::More;

my $node = start_server('cancel', 'client_connection_check_interval = 100ms');
my $caller = "application_name = 'caller'";
my $coordinator = "backend_type = 'bulkpar coordinator'";
my $worker = "backend_type = 'bulkpar worker'";

# Start a job of some ten seconds and wait until it is in the middle.
sub start_job
{
	my ($summand, %settings) = @_;

	make_table($node, 't', 10000);
	my $after = last_job($node);
	my $call = start_call($node,
		"SELECT status FROM bulkpar_update("
		  . "'t', 'n', 'n + 1 + slow(2) + $summand', 20, 2)", %settings);
	return ($call, wait_for_rows($node, 200, $after));
}

# Send a signal to the processes of pg_stat_activity that meet the condition.
sub signal_processes
{
	my ($function, $condition) = @_;

	return $node->safe_psql('postgres',
		"SELECT bool_and($function(pid)) FROM pg_stat_activity"
		  . " WHERE $condition");
}

sub status_is
{
	my ($job, $status, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is( $node->safe_psql('postgres',
			"SELECT status FROM bulkpar_progress WHERE job_id = $job"),
		$status, "$name: the job's status");
	return;
}

# End a job in the middle in some way, and see what is left of it.
sub ends
{
	my ($name, $end, %expected) = @_;
	my ($call, $job) =
	  start_job($expected{summand} // 0, %{ $expected{settings} // {} });

	$end->($call);
	like(call_error($call), $expected{error}, "$name: what the caller gets");
	wait_until($node, "count(*) = 0 FROM pg_stat_activity WHERE $caller");
	is_quiet($node, 't', $name);
	is_whole($node, 't', $job, $name);
	status_is($job, $expected{status}, $name);
	is( $node->safe_psql('postgres',
			'SELECT sum(n) BETWEEN 200 AND 9999 FROM t'),
		't', "$name: committed batches stay");
	return $call->{err};
}

my $cancelled = qr/^ERROR:  57014: canceling/m;
my $detail =
  qr/^DETAIL:  Job \d+ is cancelled; \d+ rows in \d+ batches are updated and stay so\.$/m;

like(
	ends('Ctrl-C', sub { $_[0]->{psql}->signal('INT') },
		error => $cancelled, status => 'cancelled'),
	$detail, 'Ctrl-C: what has become of the job');

like(
	ends('pg_cancel_backend',
		sub { signal_processes('pg_cancel_backend', $caller) },
		error => $cancelled, status => 'cancelled'),
	$detail, 'pg_cancel_backend: what has become of the job');

ends('statement_timeout', sub { },
	settings => { statement_timeout => '4s' },
	error => qr/^ERROR:  57014: canceling statement due to statement timeout/m,
	status => 'cancelled');

ends('pg_terminate_backend',
	sub { signal_processes('pg_terminate_backend', $caller) },
	error => qr/^FATAL:  57P01: terminating connection/m,
	status => 'cancelled');

ends('a killed client', sub { $_[0]->{psql}->signal('KILL') },
	error => qr/^$/, status => 'cancelled');

ends('cancelled coordinator',
	sub { signal_processes('pg_cancel_backend', $coordinator) },
	error => qr/^ERROR:  57014: bulkpar job \d+ was cancelled/m, status => 'cancelled');

ends('terminated coordinator',
	sub { signal_processes('pg_terminate_backend', $coordinator) },
	error => qr/^ERROR:  57P01: bulkpar job \d+ was interrupted/m,
	status => 'interrupted');

ends('cancelled worker',
	sub { signal_processes('pg_cancel_backend', $worker) },
	error => $cancelled, status => 'failed');

ends('error', sub { },
	summand => '0 / (id - 310)',
	error => qr/^ERROR:  22012: division by zero$/m,
	status => 'failed');

# Workers that wait for a lock are stopped, too.
make_table($node, 't', 1000);
my $gate = close_gate($node);
my $call = start_call($node,
	"SELECT bulkpar_update('t', 'n', 'n + 1 + gate()', 100, 2)");
wait_for_workers($node, 2);
signal_processes('pg_cancel_backend', $caller);
like(call_error($call), $cancelled, 'waiting workers');
open_gate($gate);
is_quiet($node, 't', 'waiting workers');
is_exactly($node, 't', 0, 'waiting workers: nothing is changed');

# It is said of other statements what they have done.
$gate = close_gate($node);
$call = start_call($node, "SELECT bulkpar_delete('t', 'gate() = 0', 100, 2)");
wait_for_workers($node, 2);
signal_processes('pg_cancel_backend', $caller);
like(call_error($call), qr/; 0 rows in 0 batches are deleted and stay so\.$/m, 'a delete');
open_gate($gate);
is_quiet($node, 't', 'a delete');
is_exactly($node, 't', 0, 'a delete: nothing is changed');

# And so is a job that is still being planned: here a policy keeps its worker
# from reading the largest key.
make_table($node, 't', 1000);
$node->safe_psql('postgres', <<'END');
CREATE ROLE somebody LOGIN;
GRANT SELECT, UPDATE ON t TO somebody;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY gate ON t USING (gate() = 0);
END
$gate = close_gate($node);
$call = start_call($node,
	"SELECT bulkpar_update('t', 'n', 'n + 1', 100, 2)", role => 'somebody');
wait_for_workers($node, 1);
signal_processes('pg_cancel_backend', $caller);
{
	local $PostgreSQL::Test::Utils::timeout_default = 20;
	ok( $node->poll_query_until('postgres',
			"SELECT count(*) = 0 FROM pg_stat_activity WHERE $caller"),
		'a job that is being planned is stopped');
}
open_gate($gate);
like(call_error($call), $cancelled, 'planning: what the caller gets');
is_quiet($node, 't', 'planning');

# A worker that ends is replaced, and its batch is done by another.
make_table($node, 't', 4000);
my $after = last_job($node);
$call = start_call($node,
	"SELECT status, rows_changed FROM bulkpar_update("
	  . "'t', 'n', 'n + 1 + slow(2)', 20, 2)");
foreach my $rows (100, 1500)
{
	wait_for_rows($node, $rows, $after);
	my $pid = $node->safe_psql('postgres',
		"SELECT min(pid) FROM pg_stat_activity WHERE $worker");
	signal_processes('pg_terminate_backend', "pid = $pid");
}
is(stop_call($call), 'succeeded|4000', 'terminated workers are replaced');
is_exactly($node, 't', 1, 'and every row is updated once');
is( $node->safe_psql('postgres',
		'SELECT max(worker), max(attempts) > 1 FROM bulkpar.bulkpar_chunk'
		  . ' WHERE job_id = ' . last_job($node)),
	'4|t', 'two new workers came, and chunks were taken over');
is_quiet($node, 't', 'terminated workers');

$node->stop;
done_testing();
