# What the tests share that throw faults at a job: jobs whose tempo the test
# sets, ways to hit their processes, and what must be true afterwards.

package BulkparFaults;

use strict;
use warnings FATAL => 'all';

use BulkparTest;
use Exporter 'import';
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(
  start_fault_server start_slow_job start_on_nodes set_tempo
  backend_pids backend_pid signal_backends signal_process
  kill_process start_again
  job_status status_is resume_job succeeds
  shared_segments log_is_clean seconds_of
);

# A server whose shared memory segments are files of its own, and a function
# tempo() that slows a job down until the test says otherwise.
sub start_fault_server
{
	my ($name, $settings, %options) = @_;
	my $node = start_server($name, <<"END", %options);
restart_after_crash = on
dynamic_shared_memory_type = mmap
client_connection_check_interval = 100ms
$settings
END

	$node->safe_psql('postgres', <<'END');
CREATE TABLE tempo (ms float8);
INSERT INTO tempo VALUES (1);
CREATE FUNCTION tempo() RETURNS integer LANGUAGE plpgsql
	SET search_path = public AS '
BEGIN
	PERFORM pg_sleep(ms / 1000) FROM tempo WHERE ms > 0;
	RETURN 0;
END';
GRANT SELECT ON tempo TO PUBLIC;
END
	return $node;
}

# Milliseconds that each row takes in all jobs from their next batch on.
sub set_tempo
{
	my ($node, $ms) = @_;

	$node->safe_psql('postgres', "UPDATE tempo SET ms = $ms");
	return;
}

# Start a job on a new table t, in one stripe or several by chance, and wait until it is
# in the middle.  Arguments of bulkpar_update can be added.  Returns the call and
# the job's id.
sub start_slow_job
{
	my ($node, %options) = @_;
	my $rows = $options{rows} // 10000;
	my $workers = $options{workers} // 2;
	my $stripes = (1, 3, 8, 64)[ rand 4 ];
	my $arguments = $options{arguments} // '';

	make_table($node, 't', $rows);
	$node->safe_psql('postgres', $options{prepare}) if $options{prepare};
	set_tempo($node, $options{tempo} // 1);
	my $after = last_job($node);
	my $call = start_call($node,
		"SELECT status FROM bulkpar_update("
		  . "'t', 'n', 'n + 1 + tempo()', 20, $workers, stripes => $stripes"
		  . "$arguments)",
		%{ $options{settings} // {} });
	return ($call, wait_for_rows($node, 200, $after));
}

# Start a job of that name on the users of two other servers, where slow(n) takes so
# many milliseconds for each row, and wait until both are at work.  Returns the call.
sub start_on_nodes
{
	my ($node, $name, $pause) = @_;
	my $call = start_call($node, "SELECT status FROM bulkpar_update('users', 'n', 'n + 1 + slow("
		  . ($pause // 2) . ")', 20, 2, job_name => '$name')");

	wait_until($node, 'count(*) FILTER (WHERE n.rows_done > 0) = 2 FROM bulkpar_nodes n JOIN bulkpar_jobs j'
		  . " USING (job_id) WHERE j.job_name = '$name'");
	return $call;
}

sub backend_pids
{
	my ($node, $type) = @_;

	return split /\n/,
	  $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = '$type'"
		  . " ORDER BY pid");
}

# One of them, when there is one.
sub backend_pid
{
	my ($node, $type) = @_;

	wait_until($node,
		"count(*) > 0 FROM pg_stat_activity WHERE backend_type = '$type'");
	return (backend_pids($node, $type))[0];
}

# Call pg_terminate_backend or pg_cancel_backend for processes of a type.
sub signal_backends
{
	my ($node, $function, $type) = @_;

	$node->safe_psql('postgres',
		"SELECT $function(pid) FROM pg_stat_activity"
		  . " WHERE backend_type = '$type'");
	return;
}

sub signal_process
{
	my ($signal, $pid) = @_;

	return kill $signal, $pid;
}

# Kill a process, and wait until the server has started by itself again, as it does
# when another than its first has crashed.  Nothing if the process has ended.
sub kill_process
{
	my ($node, $pid) = @_;
	my $checkpointer =
	  "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'";
	my $before = $node->safe_psql('postgres', $checkpointer);

	kill 'KILL', $pid or return;
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		# A psql that cannot connect reads no SQL from a pipe.
		my $now = stop_call(start_call($node, $checkpointer));

		return if $now ne '' && $now ne $before;
		usleep(100_000);
	}
	die 'the server does not start again';
}

# After kill9 the children that are still there hold the shared memory.
sub start_again
{
	my ($node) = @_;

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return 1 if $node->start(fail_ok => 1);
		usleep(100_000);
		$node->stop('fast', fail_ok => 1);
	}
	return 0;
}

sub job_status
{
	my ($node, $job) = @_;

	return $node->safe_psql('postgres',
		"SELECT status FROM bulkpar_jobs WHERE job_id = $job");
}

sub status_is
{
	my ($node, $job, $status, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(job_status($node, $job), $status, "$name: the job is $status");
	return;
}

# Resume a job in a session of its own, without slowing it down.
sub resume_job
{
	my ($node, $job) = @_;

	set_tempo($node, 0);
	return start_call($node, "SELECT status FROM bulkpar_resume($job)");
}

# The job can be resumed, and then every row is updated exactly once.
sub succeeds
{
	my ($node, $job, $name, $table) = @_;
	my $call = resume_job($node, $job);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(stop_call($call), 'succeeded', "$name: resume")
	  or diag($call->{err});
	is_exactly($node, $table // 't', 1, "$name: every row is updated once");
	is_quiet($node, $table // 't', $name);
	return;
}

# The server's dynamic shared memory segments.
sub shared_segments
{
	my ($node) = @_;
	my @files = glob $node->data_dir . '/pg_dynshmem/*';

	return scalar @files;
}

sub log_is_clean
{
	my ($node, $name) = @_;
	my @lines = grep { /PANIC|TRAP|signal (?:6|11)\b|WARNING: .*leak/ }
	  split /\n/, slurp_file($node->logfile);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(join("\n", @lines), '', "$name: the server's log is clean");
	return;
}

# How long something takes.
sub seconds_of
{
	my ($action) = @_;
	my $began = time;

	$action->();
	return time - $began;
}

1;
