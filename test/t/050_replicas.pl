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
wal_keep_size = 1GB
wal_sender_timeout = 0
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

# Something that stops a process for 98 of every 100 ms.
sub stutter
{
	my ($pid) = @_;

	push @others,
	  IPC::Run::start(
		[
			$^X, '-MTime::HiRes=usleep', '-e',
			"while (kill 'STOP', $pid) { usleep 98_000; kill 'CONT', $pid; usleep 2_000; }"
		]);
	return $others[-1];
}

# A report on a standby: a snapshot of its own, for as long as one likes.
sub start_report
{
	my ($standby) = @_;
	my $report = start_call($standby, 'SELECT count(*), pg_sleep(3600) FROM t');

	wait_until($standby,
		"count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
	return $report;
}

# It has lived until now.
sub end_report
{
	my ($standby, $report, $name) = @_;

	is( $standby->safe_psql('postgres',
			'SELECT pg_cancel_backend(pid) FROM pg_stat_activity'
			  . " WHERE wait_event = 'PgSleep'"),
		't', "$name: the report on the standby goes on");
	like(call_error($report), qr/canceling statement due to user request/,
		"$name: and is ended");
	return;
}

# The standby gets that setting.
sub set_on
{
	my ($standby, $setting) = @_;

	$standby->safe_psql('postgres',
		"ALTER SYSTEM SET $setting; SELECT pg_reload_conf()");
	return;
}

# A job as the role, in the middle, with that limit or the default.
sub start_job
{
	my ($lag, %options) = @_;
	my %settings = (role => 'joe');

	$settings{'bulkpar.max_replica_lag'} = $lag if defined $lag;
	return start_slow_job($primary,
		prepare => 'ALTER TABLE t OWNER TO joe;' . ($options{prepare} // ''),
		rows => $options{rows},
		settings => \%settings);
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

	# Batches that had begun may end: one of 20 rows for each worker.
	my $before = $primary->safe_psql('postgres', $progress);
	my $rows = $primary->safe_psql('postgres', "SELECT pg_sleep(1); $progress");
	$rows =~ s/^\n//;
	cmp_ok($rows, '<=', $before + 40, "$name: not more than what had begun");
	is($primary->safe_psql('postgres', "SELECT pg_sleep(1); $progress"),
		"\n$rows", "$name: nothing is done");
	return;
}

# Whether a job was never slowed down, not even for a moment.
sub is_free
{
	my ($job, $name) = @_;

	is( $primary->safe_psql('postgres', <<"END"), '00:00:00|0', "$name: never slowed down");
SELECT throttled_time, (SELECT count(*) FROM bulkpar.bulkpar_throttle t WHERE t.job_id = p.job_id)
FROM bulkpar_progress p WHERE job_id = $job
END
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

# All is well, with the limits that a job has by default.
my ($call, $job) = start_job();
is( $primary->safe_psql('postgres',
		"SELECT throttled_by IS NULL, work_share FROM bulkpar_progress WHERE job_id = $job"),
	't|1', 'healthy: works as much as it can');
finish($call, $job, 'healthy');
is_free($job, 'healthy');

# Replay is slow, and the job becomes as slow as that: it finds a speed at which
# the lag stays near the limit.  How long a stop takes depends on the machine, so
# only the median of what was seen must be right.  Each stop alone is long enough to
# slow the job down, however fast the rest is replayed.
my $stutter = stutter(process_of($first, 'startup'));
($call, $job) = start_job('200ms', rows => 15000, prepare => <<'END');
ALTER TABLE t ADD COLUMN filler text;
UPDATE t SET filler = repeat('x', 700);
CHECKPOINT;
END
my (@lags, %rows);
set_tempo($primary, 0);
while ($call->{psql}->pumpable)
{
	my ($slowed, $lag, $done) = split /\|/, $primary->safe_psql('postgres', <<"END");
SELECT throttled_by ~ '^replica "rep1" replay [0-9.]+ s of 0.2 s', extract(epoch FROM replay_lag), rows_done
FROM bulkpar_progress, pg_stat_replication
WHERE job_id = $job AND application_name = 'rep1' AND pg_sleep(0.05) IS NOT NULL
END
	push @lags, $lag if $slowed && $slowed eq 't' && $lag;
	$rows{ $done // '' } = 1;
	$call->{psql}->pump_nb;
}
$stutter->signal('KILL');
$stutter->finish;
signal_process('CONT', process_of($first, 'startup'));
finish($call, $job, 'slow');
@lags = sort { $a <=> $b } @lags;
note("lags: @lags");
cmp_ok(scalar @lags, '>', 0, 'slow: it was slowed down');
cmp_ok($lags[ @lags / 2 ] // 99, '<=', 1.5, 'slow: the lag stays near the limit');
cmp_ok(scalar keys %rows, '>', 5, 'slow: it goes on');

# Replay stands still.
($call, $job) = start_job('2s');
for my $process ('startup', 'walreceiver')
{
	my $pid = process_of($first, $process);

	signal_process('STOP', $pid);
	is_held($job, 'replica "rep1" replay % s of 2 s', "$process stopped");
	is( $primary->safe_psql('postgres', <<"END"),
BEGIN ISOLATION LEVEL REPEATABLE READ;
CREATE TEMPORARY TABLE seen ON COMMIT DROP AS
	SELECT throttled_by, throttled_since, throttled_time, work_share FROM bulkpar_progress WHERE job_id = $job;
GRANT SELECT ON seen TO joe;
SET LOCAL ROLE joe;
SELECT throttled_by, throttled_since, throttled_time, work_share FROM bulkpar_progress WHERE job_id = $job
EXCEPT TABLE seen;
COMMIT;
END
		'', "$process stopped: a role without privileges sees the same");
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

# A report on the standby keeps its snapshot, and WAL that removes what it sees
# waits for its end.
set_on($first, 'hot_standby_feedback = off');
set_on($first, 'max_standby_streaming_delay = -1');
($call, $job) = start_job('1s');
my $report = start_report($first);
$primary->safe_psql('postgres', 'VACUUM t');
is_held($job, 'replica "rep1" replay % s of 1 s', 'report');
end_report($first, $report, 'report');
goes_on($job, 'report');
finish($call, $job, 'report');

# The primary knows of it, and keeps what it sees.
set_on($first, 'wal_receiver_status_interval = 1');
set_on($first, 'hot_standby_feedback = on');
($call, $job) = start_job();
$report = start_report($first);
wait_until($primary,
	'xmin::text::bigint <= ' . $first->safe_psql('postgres',
		"SELECT min(backend_xmin::text::bigint) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
	  . " FROM pg_replication_slots WHERE slot_name = 'slot'");
$primary->safe_psql('postgres', 'VACUUM t');
finish($call, $job, 'feedback');
is_free($job, 'feedback');
end_report($first, $report, 'feedback');
set_on($first, 'hot_standby_feedback = off');

# A synchronous standby is gone.  What the job has to write does not wait for it.
set_on($primary, "synchronous_standby_names = 'rep1'");
foreach my $case ([ 'pause', 'paused' ], [ 'cancel', 'cancelled' ])
{
	my ($how, $status) = @$case;

	wait_until($primary, "max(sync_state) = 'sync' FROM pg_stat_replication");
	($call, $job) = start_job('10s');
	$first->stop('immediate');
	is_held($job, 'replica "rep1" is gone', "synchronous, $how");
	is( $primary->safe_psql('postgres',
			"SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"),
		'0', "synchronous, $how: nobody waits for it");
	cmp_ok(
		seconds_of(
			sub {
				is( $primary->safe_psql('postgres',
						"SELECT status FROM bulkpar_$how($job)"),
					$status, "synchronous, $how: it can be stopped");
			}),
		'<', 10, "synchronous, $how: soon");
	call_error($call);
	$first->start;
	finish(start_call($primary, "SELECT status FROM bulkpar_resume($job)"),
		$job, "synchronous, $how");
}

# But success is a promise.
wait_until($primary, "max(sync_state) = 'sync' FROM pg_stat_replication");
($call, $job) = start_job(0);
$first->stop('immediate');
$primary->safe_psql('postgres',
	'SET synchronous_commit = local; UPDATE tempo SET ms = 0');
wait_until($primary,
	"count(*) = 1 FROM pg_stat_activity"
	  . " WHERE backend_type = 'bulkpar coordinator' AND wait_event = 'SyncRep'",
	'synchronous: success waits for the standby');
is(job_status($primary, $job), 'running', 'synchronous: and is not told before');
$first->start;
is(stop_call($call), 'succeeded', 'synchronous: it is told then');
is_exactly($primary, 't', 1, 'synchronous: each row once');
set_on($primary, "synchronous_standby_names = ''");

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
