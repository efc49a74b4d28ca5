# The memory of a worker does not grow, and statistics come while it runs.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs /proc' unless -r '/proc/self/status';

my $rows = 100_000;
my $node = start_server('memory', '');

# Anonymous memory in kB of the worker that waits at the gate.
sub memory
{
	wait_for_workers($node, 1);
	my $pid = $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity"
		  . " WHERE backend_type = 'bulkpar worker'");
	my ($size) = slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m;
	return $size;
}

# One worker does many small batches, and is looked at after a tenth of them
# and at the last.
make_table($node, 't', $rows);
my @gates = map { close_gate($node, $_) } (1, 2);
my $call = start_call($node,
	"SELECT status, batches, workers FROM bulkpar_update('t', 'n',"
	  . " 'n + 1 + CASE id WHEN $rows / 10 THEN gate(1)"
	  . " WHEN $rows THEN gate(2) ELSE 0 END', 10, 1)");
my $early = memory();
open_gate($gates[0]);
wait_until($node, "rows_done = $rows - 10 FROM bulkpar_progress");
my $late = memory();
open_gate($gates[1]);
is(stop_call($call), 'succeeded|10000|1', 'many small batches');
note("the worker: $early kB early, $late kB late");
cmp_ok($late, '<=', $early + 512, 'the memory of the worker has not grown');

# The counters of the table are those of a job that still runs.
make_table($node, 'slow', 20000);
$call = start_call($node,
	"SELECT bulkpar_update('slow', 'n', 'n + 1 + slow(1)', 100, 2)");
wait_until(
	$node,
	"n_tup_upd > 0 AND p.status = 'running' FROM bulkpar_progress AS p"
	  . " JOIN pg_stat_user_tables ON relid = p.target"
	  . " WHERE relname = 'slow'",
	'n_tup_upd grows while the job runs');
$call->{psql}->signal('INT');
like(call_error($call), qr/57014/, 'the slow job is cancelled');

$node->stop;
done_testing();
