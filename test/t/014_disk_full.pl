# The disk of the table, or the one of the WAL, is full in the middle of a job
# that has no limit for that; 051_backlog.pl has one.
#
# The small disks are mounted in a namespace of this test, which needs no
# privileges where the kernel allows it.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use Test::More;

BEGIN
{
	my @namespace =
	  ('unshare', '--user', '--mount', '--map-current-user', '--keep-caps');

	if (!$ENV{BULKPAR_NAMESPACE})
	{
		my $mounts =
		  system("@namespace mount -t tmpfs none /tmp >/dev/null 2>&1");

		plan skip_all => 'the user cannot mount a file system of its own'
		  if $mounts != 0;
		$ENV{BULKPAR_NAMESPACE} = 1;
		exec(@namespace, $^X, (map { "-I$_" } @INC), $0)
		  or die "could not enter a namespace: $!";
	}
}

use BulkparFaults;
use BulkparTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

# A disk of its own at a path that exists.
sub mount_disk
{
	my ($path, $size) = @_;

	system_or_bail('mount', '-t', 'tmpfs', '-o', "size=$size,mode=700",
		'none', $path);
	return;
}

# Take all space of a disk but some kB.
sub fill_disk
{
	my ($path, $kilobytes) = @_;
	my $free = (split /\s+/, (split /\n/, `df -k $path`)[1])[3];

	# The job may be faster.
	system('dd', 'if=/dev/zero', "of=$path/filler", 'bs=1k',
		'count=' . ($free - $kilobytes), 'status=none');
	return;
}

my $node = start_fault_server('disk', <<'END');
bulkpar.min_free_disk = 0
wal_recycle = off
max_wal_size = 64MB
END
my ($call, $job);

# The table's disk.
my $disk = PostgreSQL::Test::Utils::tempdir_short();
mount_disk($disk, '16m');
$node->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$disk'");
($call, $job) = start_slow_job(
	$node,
	prepare => 'ALTER TABLE t SET TABLESPACE small; '
	  . 'ALTER TABLE t ADD COLUMN filler text; '
	  . 'ALTER TABLE t ALTER COLUMN filler SET STORAGE PLAIN; '
	  . "UPDATE t SET filler = repeat('x', 500)");
fill_disk($disk, 0);
set_tempo($node, 0);
like(call_error($call), qr/^ERROR:  53100: could not extend file/m,
	'full table: what the caller gets');
status_is($node, $job, 'failed', 'full table');
is_quiet($node, 't', 'full table');
is_whole($node, 't', $job, 'full table');
like(call_error(resume_job($node, $job)),
	qr/^ERROR:  53100:/m, 'full table: resume in vain');
unlink "$disk/filler";
succeeds($node, $job, 'full table');
$node->safe_psql('postgres', 'DROP TABLE t; DROP TABLESPACE small');
system_or_bail('umount', $disk);

# The disk of the WAL: the server may not be able to go on without it.
$node->stop;
my $wal = $node->data_dir . '/pg_wal';
rename $wal, "$wal.old";
mkdir $wal;
mount_disk($wal, '100m');
system_or_bail("cp -rp $wal.old/. $wal/");
$node->start;
($call, $job) = start_slow_job($node, rows => 20000);
fill_disk($wal, 1024);
$node->psql('postgres',
	"CREATE TABLE waste AS SELECT i, repeat('x', 1000) FROM"
	  . ' generate_series(1, 100000) AS i;'
	  . ' SELECT pg_switch_wal()');
like(call_error($call),
	qr/^ERROR:  (?:53100|57P0[123])|connection to server was lost/m,
	'full WAL: what the caller gets');
unlink "$wal/filler";
$node->stop('immediate', fail_ok => 1);
ok(start_again($node), 'full WAL: the server starts when there is space again');
is_quiet($node, 't', 'full WAL');
is_whole($node, 't', $job, 'full WAL');
status_is($node, $job, 'interrupted', 'full WAL');
succeeds($node, $job, 'full WAL');

$node->stop;
done_testing();
