# A server that ends in the middle of a job leaves every batch whole.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

seed_random();
my $node = start_server('crash', <<'END');
restart_after_crash = on
wal_writer_delay = 10s
END

# The server starts by itself when another process than the first has crashed.
sub wait_for_restart
{
	return $node->poll_query_until('postgres', 'SELECT true');
}

sub kill_worker
{
	kill 'KILL',
	  $node->safe_psql('postgres',
		"SELECT min(pid) FROM pg_stat_activity"
		  . " WHERE backend_type = 'bulkpar worker'");
	return;
}

my @kill9 = (sub { $node->kill9 }, sub { start_again($node) });
my @ways = (
	[ 'kill -9', @kill9 ],
	[ 'kill -9 again', @kill9 ],
	[ 'kill -9 once more', @kill9 ],
	[ 'kill -9 of a worker', \&kill_worker, \&wait_for_restart ],
	[ 'immediate stop', sub { $node->stop('immediate') }, sub { start_again($node) } ],
	[ 'fast stop', sub { $node->stop('fast') }, sub { start_again($node) } ]);

my @stripes = (8, 1, 64, 16, 3, 8);
foreach my $way (@ways)
{
	my ($name, $end, $restart) = @$way;
	my $stripes = shift @stripes;
	my $rows = 100 + int(rand(4000));

	make_table($node, 't', 20000);
	my $after = last_job($node);
	my $call = start_call($node,
		"SELECT bulkpar_update('t', 'n', 'n + 1 + slow(0.5)', 50, 4,"
		  . " stripes => $stripes)");
	my $job = wait_for_rows($node, $rows, $after);
	usleep(rand(200_000));
	note("$name after more than $rows rows in $stripes stripes");
	$end->();
	like(call_error($call), qr/connection to server was lost/,
		"$name: the caller loses its connection");
	ok($restart->(), "$name: the server starts again");

	is_whole($node, 't', $job, $name);
	is_quiet($node, 't', $name);
	# What has committed asynchronously in the end may be lost, even all of it.
	is( $node->safe_psql('postgres',
			'SELECT status, rows_done < 20000'
			  . " FROM bulkpar_progress WHERE job_id = $job"),
		'interrupted|t', "$name: the job is interrupted");
}

is( $node->safe_psql('postgres',
		"SELECT status FROM bulkpar_update('t', 'n', 'n + 1',"
		  . " condition => 'n = 0', stripes => 8)"),
	'succeeded', 'another job does the rest');
is_exactly($node, 't', 1, 'every row is updated once');

# A job that has succeeded is there after a crash, though its batches have
# committed asynchronously.
make_table($node, 't', 5000);
is( $node->safe_psql('postgres',
		"SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 50, 4)"),
	'succeeded', 'a job without a crash');
$node->kill9;
ok(start_again($node), 'and a crash after it');
is_exactly($node, 't', 1, 'all that it has done is there');
is( $node->safe_psql('postgres',
		'SELECT status FROM bulkpar.bulkpar_job ORDER BY job_id DESC LIMIT 1'),
	'succeeded', 'and that it has succeeded');

$node->stop;
done_testing();
