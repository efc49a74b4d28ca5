# Thousands of small batches: nothing grows, and the statistics are live.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs /proc/self/status' if !-r '/proc/self/status';

my $rows = 12000;
my $node = start_fault_server('soak', '');

# Private memory of a process in kB.  Shared buffers do not count.
sub private_memory
{
	my ($pid) = @_;
	my ($kilobytes) =
	  slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m;

	return $kilobytes;
}

sub updates
{
	return $node->safe_psql('postgres',
		"SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 't'");
}

make_table($node, 't', $rows);
set_tempo($node, 0.3);
my $call = start_call($node,
	"SELECT status, batches FROM"
	  . " bulkpar_update('t', 'n', 'n + 1 + tempo()', 1, 1)");
wait_for_rows($node, 1000, 0);
my $worker = backend_pid($node, 'bulkpar worker');
my $coordinator = backend_pid($node, 'bulkpar coordinator');
my @early = map { private_memory($_) } $worker, $coordinator;
wait_until($node, "n_tup_upd > 0 FROM pg_stat_user_tables WHERE relname = 't'",
	'the statistics show the updates while the job runs');
my $updates = updates();

wait_for_rows($node, $rows - 2000, 0);
my @late = map { private_memory($_) } $worker, $coordinator;
cmp_ok(updates(), '>', $updates, 'and go on to do so');
is(stop_call($call), "succeeded|$rows", 'a job of batches of one row');
is_exactly($node, 't', 1, 'every row is updated once');

note("worker $early[0] kB, $late[0] kB; coordinator $early[1] kB, $late[1] kB");
cmp_ok($late[0], '<', $early[0] + 2048, 'the worker does not grow');
cmp_ok($late[1], '<', $early[1] + 2048, 'the coordinator does not grow');
is( $node->safe_psql('postgres',
		"SELECT pg_relation_size('bulkpar.bulkpar_chunk') <= 8192 * count(*)"
		  . " FROM bulkpar.bulkpar_chunk"),
	't', 'the bookkeeping takes a page for a chunk at the most');
is_quiet($node, 't', 'soak');
log_is_clean($node, 'soak');

$node->stop;
done_testing();
