# Too few background worker slots, or none.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use Test::More;

# Nothing but bulkpar uses the four slots.
my $node = start_server('slots', <<'END');
max_worker_processes = 4
bulkpar.max_workers = 0
max_logical_replication_workers = 0
max_parallel_workers = 0
END
my $hint = qr/^HINT:  .*"max_worker_processes"/m;

make_table($node, 'holder', 1000);
make_table($node, 't', 1000);

# Occupy one slot for a coordinator and some for workers.
sub occupy
{
	my ($workers) = @_;
	my $gate = close_gate($node);
	my $call = start_call($node,
		"SELECT status FROM bulkpar_update('holder', 'n', 'n + 1 + gate()',"
		  . " 100, $workers)");

	wait_for_workers($node, $workers);
	return ($gate, $call);
}

sub release
{
	my ($gate, $call) = @_;

	open_gate($gate);
	is(stop_call($call), 'succeeded', 'the job that held the slots');
	return;
}

my $update = "SELECT status, rows_changed, workers FROM"
  . " bulkpar_update('t', 'n', 'n + 1', 100, %d)";

# More workers than slots.
my $call = start_call($node, sprintf($update, 8));
is(stop_call($call), 'succeeded|1000|3', 'runs with the slots that there are');
like(
	$call->{err},
	qr/^NOTICE:  00000: bulkpar job \d+ runs with 3 instead of 8 workers$/m,
	'and says so');
like($call->{err}, $hint, 'with a hint');
is_exactly($node, 't', 1, 'every row is updated once');

# Two slots are enough.
my @holder = occupy(1);
my $gate = close_gate($node, 1);
$call = start_call($node, sprintf($update =~ s/n \+ 1/n + 1 + gate(1)/r, 2));
# The only worker must not be done before another one is missed.
$call->{psql}->pump until $call->{err} =~ /^HINT/m;
open_gate($gate);
is(stop_call($call), 'succeeded|1000|1', 'two slots are enough');
like($call->{err}, qr/1 instead of 2 workers/, 'with a notice');
release(@holder);

# Only the coordinator gets a slot.
@holder = occupy(2);
like(fails_with($node, sprintf($update, 2), '53000', 'no slot for a worker'),
	$hint, 'with a hint');
is( $node->safe_psql('postgres',
		'SELECT status, sqlstate FROM bulkpar.bulkpar_job'
		  . ' ORDER BY job_id DESC LIMIT 1'),
	'failed|53000', 'the job has failed');
release(@holder);

# Nobody gets a slot.
@holder = occupy(3);
my $jobs = last_job($node);
like(fails_with($node, sprintf($update, 2), '53000', 'no slot at all'),
	$hint, 'with a hint');
is(last_job($node), $jobs, 'no job is stored');
release(@holder);
is_exactly($node, 't', 2, 'neither has changed anything');

# The slots are free again.
$call = start_call($node, sprintf($update, 3));
is(stop_call($call), 'succeeded|1000|3', 'all slots are free again');
unlike($call->{err}, qr/NOTICE/, 'without a notice');

# A server that gives nobody a slot.
$node->adjust_conf('postgresql.conf', 'max_worker_processes', '0');
$node->restart;
like(
	fails_with($node, sprintf($update, 1), '53000', 'max_worker_processes = 0'),
	$hint, 'with a hint');
is_exactly($node, 't', 3, 'nothing is changed');

$node->stop;
done_testing();
