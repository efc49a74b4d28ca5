# Standbys that fall behind, or go away, hold a job; what else takes WAL does
# not.  The jobs are those of a role that may not see the standbys.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = start_fault_server(
	'primary', <<'END',
max_wal_senders = 10
max_replication_slots = 10
wal_sender_timeout = 0
wal_keep_size = 1GB
END
	allows_streaming => 'logical');
my @standbys;

# A standby of that name, with a slot or without.
sub start_standby
{
	my ($name, $slot) = @_;
	my $standby = PostgreSQL::Test::Cluster->new($name);

	$standby->init_from_backup($primary, 'backup', has_streaming => 1);
	$standby->append_conf('postgresql.conf', <<"END");
wal_receiver_timeout = 0
primary_slot_name = '$slot'
END
	$standby->start;
	wait_until($primary,
		"count(*) = 1 FROM pg_stat_replication"
		  . " WHERE application_name = '$name' AND replay_lsn IS NOT NULL");
	return $standby;
}

# Clients of the server that are stopped, which must not outlive a failure.
my @others;

END
{
	my $status = $?;

	$_->kill_kill foreach @others;
	$? = $status;
}

# Processes of a standby, which may be stopped already.
sub process_of
{
	my ($standby, $type) = @_;

	return $standby->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = '$type'");
}

# A job as the role, in the middle.
sub start_job
{
	my ($lag) = @_;

	return start_slow_job($primary,
		prepare => 'ALTER TABLE t OWNER TO joe',
		settings => { 'bulkpar.max_replica_lag' => $lag, role => 'joe' });
}

# Wait until the job does no more for that reason, and see that it does not.
sub is_held
{
	my ($job, $reason, $name) = @_;
	my $progress =
	  "SELECT rows_done FROM bulkpar_progress WHERE job_id = $job";

	wait_until($primary,
		"throttled_by LIKE '%$reason%' AND work_share = 0"
		  . " FROM bulkpar_progress WHERE job_id = $job",
		"$name: held");

	# Batches that had begun may end.
	my $rows = $primary->safe_psql('postgres', "SELECT pg_sleep(1); $progress");
	$rows =~ s/^\n//;
	is($primary->safe_psql('postgres', "SELECT pg_sleep(1); $progress"),
		"\n$rows", "$name: nothing is done");
	return;
}

# The job goes on, which takes no help.
sub goes_on
{
	my ($job, $name) = @_;

	wait_until($primary,
		"work_share > 0 FROM bulkpar_progress WHERE job_id = $job",
		"$name: goes on");
	return;
}

sub finish
{
	my ($call, $job, $name) = @_;

	set_tempo($primary, 0);
	is(stop_call($call), 'succeeded', "$name: succeeds");
	is_exactly($primary, 't', 1, "$name: each row once");
	return;
}

$primary->safe_psql('postgres', <<'END');
CREATE ROLE joe LOGIN;
GRANT ALL ON SCHEMA public TO joe;
SELECT pg_create_physical_replication_slot('slot');
END
$primary->backup('backup');
my $first = start_standby('rep1', 'slot');

# What is said at the start: of a standby whose queries the job may cancel, and of
# one that is behind already.
my $silent = qr/NOTICE:  [^\n]*bulkpar job (\d+) may cancel queries on standbys\n.*reported by "rep1"\./;
my $large = "SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 10000, 2)";
my $saying = "SELECT string_agg(m ->> 'message', ', ') FROM bulkpar_jobs j,"
  . ' jsonb_array_elements(j.messages) m WHERE j.job_id = ';

make_table($primary, 't', 60000);
like(call_error(start_call($primary, $large)), $silent, 'no feedback: the caller is told');
like($primary->safe_psql('postgres', $saying . last_job($primary)),
	qr/^queries on standbys may be cancelled: no snapshots are reported by "rep1"$/,
	'no feedback: it is among the messages');
unlike(call_error(start_call($primary, $large, 'bulkpar.ignore_replicas' => 'rep1')),
	qr/NOTICE/, 'no feedback: nobody is told of a standby to be ignored');
$first->append_conf('postgresql.conf', 'hot_standby_feedback = on');
$first->reload;
wait_until($primary, "xmin IS NOT NULL FROM pg_replication_slots WHERE slot_name = 'slot'");
signal_process('STOP', my $startup = process_of($first, 'startup'));
$primary->safe_psql('postgres',
	"SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000000)) FROM generate_series(1, 20)");
my $late = start_call($primary, $large, 'bulkpar.max_replica_lag' => '1h');
stop_call($late);
signal_process('CONT', $startup);
unlike($late->{err}, $silent, 'feedback: nothing to be told');
like($late->{err}, qr/NOTICE:  [^\n]*standbys are behind before bulkpar job \d+ has begun\n.*That is "rep1" by \d+ [kM]B/,
	'behind: the caller is told');
like($primary->safe_psql('postgres', $saying . last_job($primary)),
	qr/^standbys are behind before it has begun: "rep1" by \d+ [kM]B/,
	'behind: it is among the messages');
is_exactly($primary, 't', 3, 'exactly once');
$first->append_conf('postgresql.conf', 'hot_standby_feedback = off');
$first->reload;

# Replay stands still.
my ($call, $job) = start_job('2s');
for my $process ('startup', 'walreceiver')
{
	my $pid = process_of($first, $process);

	signal_process('STOP', $pid);
	is_held($job, 'replica "rep1" replay % s of 2 s', "$process stopped");
	signal_process('CONT', $pid);
	goes_on($job, "$process stopped");
}
finish($call, $job, 'stopped');
like(
	$call->{err},
	qr/throttled [\d.]+ % of the time: replica "rep1"/,
	'stopped: the caller is told');

# What is flushed is enough, or nobody is to care.
for my $setting ([ 'replica_position' => 'flush' ],
	[ 'ignore_replicas' => 'other, REP1' ])
{
	my $pid = process_of($first, 'startup');

	signal_process('STOP', $pid);
	$primary->safe_psql('postgres',
		"LOAD 'bulkpar'; ALTER SYSTEM SET bulkpar.$setting->[0] = '$setting->[1]';"
		  . ' SELECT pg_reload_conf()');
	($call, $job) = start_job('1s');
	set_tempo($primary, 0);
	is(stop_call($call), 'succeeded', "$setting->[0]: succeeds");
	signal_process('CONT', $pid);
	$primary->safe_psql('postgres',
		"LOAD 'bulkpar'; ALTER SYSTEM RESET bulkpar.$setting->[0];"
		  . ' SELECT pg_reload_conf()');
}

# Others who take WAL, and do not go on.
@others = (
	IPC::Run::start(
		[
			'pg_receivewal', '-D', PostgreSQL::Test::Utils::tempdir(),
			'-d', $primary->connstr . ' application_name=receivewal'
		],
		'<', \undef, '>&', \my $receivewal),
	IPC::Run::start(
		[
			'pg_recvlogical', '-d', $primary->connstr('postgres')
			  . ' application_name=recvlogical',
			'--slot', 'logical', '--create-slot', '--if-not-exists',
			'--start', '-P', 'test_decoding', '-f', '/dev/null'
		],
		'<', \undef, '>&', \my $recvlogical));
wait_until($primary,
	"count(*) = 2 FROM pg_stat_replication"
	  . " WHERE application_name IN ('receivewal', 'recvlogical')"
	  . " AND state = 'streaming'");
$_->signal('STOP') for @others;
($call, $job) = start_job('1s');
$primary->backup('beside');
set_tempo($primary, 0);
is(stop_call($call), 'succeeded', 'others: succeeds');
is( $primary->safe_psql('postgres',
		'SELECT count(*) FROM bulkpar.bulkpar_throttle'
		  . " WHERE job_id = $job AND reason NOT IN ('', 'replica \"rep1\"')"),
	'0', 'others: they have not throttled it');
for my $other (@others)
{
	$other->signal('CONT');
	$other->signal('INT');
	$other->finish;
}
@others = ();

# A standby is gone, which has a slot.
($call, $job) = start_job('10s');
$first->stop('immediate');
is_held($job, 'replica "rep1" is gone', 'gone with a slot');
$first->start;
goes_on($job, 'gone with a slot');
finish($call, $job, 'gone with a slot');

# A standby is gone, which has none: a minute.
my $second = start_standby('rep2', '');
($call, $job) = start_job('10s');
$second->stop('immediate');
is_held($job, 'replica "rep2" is gone', 'gone without a slot');
goes_on($job, 'gone without a slot');
finish($call, $job, 'gone without a slot');
like(
	$call->{err},
	qr/replica "rep2" is gone and not waited for any more/,
	'gone without a slot: the caller is told');

$first->stop;
$primary->stop;
done_testing();
