# WAL that a slot or the archive does not get, and a disk with little room, hold
# a job until there is an end to that.
#
# The small disk is mounted in a namespace of this test, which needs no
# privileges where the kernel allows it; elsewhere that part is left out.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use Test::More;

BEGIN
{
	my @namespace =
	  ('unshare', '--user', '--mount', '--map-current-user', '--keep-caps');

	if (!$ENV{BULKPAR_NAMESPACE}
		&& system("@namespace mount -t tmpfs none /tmp >/dev/null 2>&1") == 0)
	{
		$ENV{BULKPAR_NAMESPACE} = 1;
		exec(@namespace, $^X, (map { "-I$_" } @INC), $0)
		  or die "could not enter a namespace: $!";
	}
}

use BulkparFaults;
use BulkparTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $megabyte = 1024 * 1024;
my $node = start_fault_server(
	'primary', <<'END',
archive_mode = on
archive_command = 'true'
max_replication_slots = 5
bulkpar.max_wal_backlog = 8MB
END
	allows_streaming => 1,
	extra => ['--wal-segsize=1']);

# Where WAL ended before the last large job.
my $before;

# A job whose rows take more WAL than the limit.
sub start_large_job
{
	my ($prepare) = @_;
	my $after = last_job($node);
	my $call;

	make_table($node, 't', 40000);
	$node->safe_psql('postgres', <<'END');
ALTER TABLE t ADD COLUMN filler text;
UPDATE t SET filler = repeat('x', 700);
VACUUM t;
CHECKPOINT;
END
	$node->safe_psql('postgres', $prepare) if $prepare;
	$before = $node->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
	$call = start_call($node,
		"SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 100, 2)");
	wait_until($node, "max(job_id) > $after FROM bulkpar_jobs");
	return ($call, last_job($node));
}

# Wait until the job hardly does any more for that reason.
sub is_slowed
{
	my ($job, $reason, $name) = @_;

	wait_until($node,
		"throttled_by LIKE '$reason' AND work_share < 0.1"
		  . " FROM bulkpar_progress WHERE job_id = $job",
		"$name: slowed down");
	is(job_status($node, $job), 'running', "$name: it waits");
	return;
}

# It stopped long before its end: what is waiting is told, since how much can be
# written between two looks depends on the machine.
sub is_unfinished
{
	my ($job, $name) = @_;

	note($node->safe_psql('postgres',
			"SELECT pg_size_pretty(pg_current_wal_lsn() - '$before')"));
	is( $node->safe_psql('postgres', <<"END"),
SELECT sum(rows_changed) < 40000 FROM bulkpar.bulkpar_chunk
WHERE job_id = $job
END
		't', "$name: there is more to do");
	return;
}

sub finish
{
	my ($call, $name) = @_;

	is(stop_call($call), 'succeeded', "$name: succeeds");
	is_exactly($node, 't', 1, "$name: each row once");
	return;
}

my ($call, $job);

# Wait for that while no more than so many times 8 MB wait for the slot "idle",
# whatever the job writes.
sub wait_with_load
{
	my ($load, $condition, $name) = @_;
	my $bytes = int($load * 8 * $megabyte);

	wait_until($node, <<"END", $name);
$condition FROM bulkpar_progress, (
	SELECT pg_replication_slot_advance('idle', greatest(restart_lsn, pg_current_wal_insert_lsn() - $bytes))
	FROM pg_replication_slots) AS idle
WHERE job_id = $job
END
	return;
}

# The archive.  Batches that have begun may end.
$node->safe_psql('postgres',
	"ALTER SYSTEM SET archive_command = 'false'; SELECT pg_reload_conf()");
($call, $job) = start_large_job();
is_slowed($job, 'archive % MB of 8.0 MB', 'archive');
is_unfinished($job, 'archive');
$node->safe_psql('postgres',
	"ALTER SYSTEM SET archive_command = 'true'; SELECT pg_reload_conf()");
finish($call, 'archive');
wait_until($node,
	"last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - $megabyte)"
	  . ' FROM pg_stat_archiver');

# An archive that is slow makes the job as slow as that: it neither stops nor
# goes on as if nothing were.
$node->safe_psql('postgres',
	"ALTER SYSTEM SET archive_command = 'sleep 1'; SELECT pg_reload_conf()");
($call, $job) = start_large_job();
wait_until(
	$node,
	"throttled_by LIKE 'archive % MB of 8.0 MB' AND work_share BETWEEN 0.01 AND 0.9"
	  . " FROM bulkpar_progress WHERE job_id = $job",
	'slow archive: slowed down');
my $rows = $node->safe_psql('postgres',
	"SELECT rows_done FROM bulkpar_progress WHERE job_id = $job");
wait_until($node,
	"rows_done > $rows AND throttled_by LIKE 'archive%'"
	  . " FROM bulkpar_progress WHERE job_id = $job",
	'slow archive: goes on');
$node->safe_psql('postgres',
	"ALTER SYSTEM SET archive_command = 'true'; SELECT pg_reload_conf()");
finish($call, 'slow archive');

# A slot, which holds back more than the limit before the job already.
$node->safe_psql('postgres',
	"SELECT pg_create_physical_replication_slot('idle', true)");
make_table($node, 'waste', 200000);
is( $node->safe_psql('postgres',
		"SELECT pg_current_wal_insert_lsn() - restart_lsn > 8 * $megabyte"
		  . ' FROM pg_replication_slots'),
	't', 'slot: it is old');
($call, $job) = start_slow_job($node);
is( $node->safe_psql('postgres',
		"SELECT throttled_by IS NULL FROM bulkpar_progress WHERE job_id = $job"),
	't', 'slot: what was there before does not count');
set_tempo($node, 0);
finish($call, 'old slot');

($call, $job) = start_large_job();
is_slowed($job, 'slot "idle" % MB of 8.0 MB', 'slot');
is_unfinished($job, 'slot');
$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('idle')");
finish($call, 'slot');

# What waits goes up and down around the limit: below it there is no full stop,
# and the caller is told once.
$node->safe_psql('postgres',
	"SELECT pg_create_physical_replication_slot('idle', true)");
($call, $job) = start_slow_job($node, rows => 20000, settings => { 'bulkpar.progress_interval' => 0 });
foreach my $round (1, 2)
{
	my $done;

	$node->safe_psql('postgres',
		"SELECT pg_logical_emit_message(false, 'waste', repeat('x', 10 * $megabyte))");
	wait_with_load(1.05, 'work_share = 0', "limit, $round: above it is a stop");
	# So that it would be told again if anything were told twice.
	wait_until($node,
		"throttled_since < clock_timestamp() - interval '6 s'"
		  . " FROM bulkpar_progress WHERE job_id = $job");
	$done = $node->safe_psql('postgres',
		"SELECT rows_done FROM bulkpar_progress WHERE job_id = $job");
	wait_with_load(0.95, 'work_share BETWEEN 0.001 AND 0.2',
		"limit, $round: below it is none");
	wait_with_load(0.95, "rows_done > $done + 40", "limit, $round: goes on");
}
$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('idle')");
set_tempo($node, 0);
finish($call, 'limit');
my @notices = $call->{err} =~ /(NOTICE: [^\n]*throttled: slot "idle")/g;
is(scalar @notices, 1, 'limit: the caller is told once');

# Half of what slots may hold back is less than the limit.
($call, $job) = start_large_job(<<'END');
ALTER SYSTEM SET max_slot_wal_keep_size = '8MB';
SELECT pg_reload_conf();
SELECT pg_create_physical_replication_slot('idle', true);
END
is_slowed($job, 'slot "idle" % MB of 4.0 MB', 'small slot');
is( $node->safe_psql('postgres',
		"SELECT wal_status <> 'lost' FROM pg_replication_slots"),
	't', 'small slot: it is not lost');
$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('idle')");
finish($call, 'small slot');

SKIP:
{
	skip 'the user cannot mount a file system of its own', 1
	  if !$ENV{BULKPAR_NAMESPACE};
	my $disk = PostgreSQL::Test::Utils::tempdir_short();

	system_or_bail('mount', '-t', 'tmpfs', '-o', 'size=64m,mode=700', 'none',
		$disk);
	$node->safe_psql('postgres',
		"CREATE TABLESPACE small LOCATION '$disk'");
	($call, $job) = start_slow_job($node,
		prepare => 'ALTER TABLE t SET TABLESPACE small');
	$node->safe_psql('postgres',
		"LOAD 'bulkpar'; ALTER SYSTEM SET bulkpar.min_free_disk = 40;"
		  . ' SELECT pg_reload_conf()');
	system_or_bail('dd', 'if=/dev/zero', "of=$disk/filler", 'bs=1M',
		'count=42', 'status=none');
	wait_until($node,
		q(throttled_by LIKE '%disk of tablespace "small" % free of 40 \%%')
		  . " AND work_share = 0 FROM bulkpar_progress WHERE job_id = $job",
		'disk: held');
	unlink "$disk/filler";
	wait_until($node,
		"coalesce(throttled_by NOT LIKE '%small%', true)"
		  . " FROM bulkpar_progress WHERE job_id = $job",
		'disk: there is room again');
	$node->safe_psql('postgres',
		"LOAD 'bulkpar'; ALTER SYSTEM RESET bulkpar.min_free_disk;"
		  . ' SELECT pg_reload_conf()');
	set_tempo($node, 0);
	finish($call, 'disk');
	$node->safe_psql('postgres', 'DROP TABLE t; DROP TABLESPACE small');
	system_or_bail('umount', $disk);
}


# The disk of the WAL.
SKIP:
{
	skip 'the user cannot mount a file system of its own', 1
	  if !$ENV{BULKPAR_NAMESPACE};
	my $wal = $node->data_dir . '/pg_wal';

	$node->stop;
	rename $wal, "$wal.old";
	mkdir $wal;
	system_or_bail('mount', '-t', 'tmpfs', '-o', 'size=256m,mode=700', 'none',
		$wal);
	system_or_bail("cp -rp $wal.old/. $wal/");
	$node->start;
	($call, $job) = start_slow_job($node);
	my $free = (split /\s+/, (split /\n/, `df -k $wal`)[1])[3];
	system_or_bail('dd', 'if=/dev/zero', "of=$wal/filler", 'bs=1k',
		'count=' . ($free - 8192), 'status=none');
	wait_until($node,
		q(throttled_by LIKE '%disk of pg_wal % free of 5 \%%')
		  . " AND work_share = 0 FROM bulkpar_progress WHERE job_id = $job",
		'disk of the WAL: held before it is full');
	unlink "$wal/filler";
	wait_until($node,
		"work_share > 0 FROM bulkpar_progress WHERE job_id = $job",
		'disk of the WAL: there is room again');
	set_tempo($node, 0);
	finish($call, 'disk of the WAL');
	$node->stop;
	system_or_bail('umount', $wal);
	rmdir $wal;
	rename "$wal.old", $wal;
}

done_testing();
