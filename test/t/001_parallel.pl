# Several workers run at once, and how a second session and the caller see it.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use List::Util qw(uniq);
use Test::More;
use Time::HiRes qw(usleep);

my $node = start_server('parallel', '');

# Four workers stand at the gate at the same time.
make_table($node, 't', 4000);
my $gate = close_gate($node);
my $call = start_call($node,
		"SELECT status, rows_changed, batches, workers FROM bulkpar_update("
	  . "'t', ARRAY['n', 'pid'], ARRAY['n + 1 + gate()', 'pg_backend_pid()'],"
	  . " 100, 4)");
wait_for_workers($node, 4);
pass('four workers run at once');
is( $node->safe_psql('postgres', <<'END'),
SELECT count(*), count(DISTINCT application_name),
	bool_and(application_name ~ '^bulkpar worker \d+ of job 1$'),
	bool_and(query ~ '^bulkpar job 1, chunk \d+: UPDATE .*t SET n ='),
	bool_and(usename = current_user AND datname = current_database())
FROM pg_stat_activity WHERE backend_type = 'bulkpar worker'
END
	'4|4|t|t|t', 'the workers say which job and chunk they are at');
is( $node->safe_psql('postgres', <<'END'),
SELECT application_name, query
FROM pg_stat_activity WHERE backend_type = 'bulkpar coordinator'
END
	'bulkpar coordinator|bulkpar job 1: 4 workers',
	'and so does the coordinator');
is( $node->safe_psql('postgres', <<'END'),
SELECT target, status, rows_done, estimated_rows, percent FROM bulkpar_progress
END
	't|running|0|4000|0.0', 'the view shows the job');
is( $node->safe_psql('postgres',
		'SELECT j.status, c.count, c.pids FROM bulkpar.bulkpar_job j, '
		  . '(SELECT count(*), count(DISTINCT worker_pid) AS pids'
		  . ' FROM bulkpar.bulkpar_chunk) c'),
	'running|4|4', 'the tables show it, too');
open_gate($gate);
is(stop_call($call), 'succeeded|4000|40|4', 'the result');
is_exactly($node, 't', 1, 'every row is updated once');
is( $node->safe_psql('postgres', 'SELECT count(DISTINCT pid) FROM t'),
	'4', 'each worker has done a part');

# Never more workers than batches.
foreach my $case ([ 250, 3 ], [ 100, 1 ], [ 1, 1 ], [ 0, 0 ])
{
	my ($rows, $batches) = @$case;

	make_table($node, 'small', $rows);
	is( $node->safe_psql('postgres',
			"SELECT status, rows_changed, batches, workers FROM"
			  . " bulkpar_update('small', 'n', 'n + 1', 100, 8)"),
		"succeeded|$rows|$batches|$batches",
		"$rows rows in batches of 100: not more than $batches workers");
}

# Few rows are listed in as many processes as the job has workers, and the first
# worker is one of them.
make_table($node, 'few', 2000);
$node->safe_psql('postgres', <<'END');
ALTER TABLE few SET (parallel_workers = 8);
CREATE FUNCTION slow_seven() RETURNS integer LANGUAGE plpgsql
	STABLE PARALLEL SAFE COST 100 AS 'BEGIN PERFORM pg_sleep(0.005); RETURN 7; END';
END
$call = start_call(
	$node,
	"SELECT status, rows_changed, workers FROM bulkpar_update('few', 'n',"
	  . " 'n + 1', 10, 3, condition => 'id % 100 = slow_seven()')",
	parallel_setup_cost => 0,
	parallel_tuple_cost => 0);
my $scanning = "SELECT count(*) = 2 FROM pg_stat_activity"
  . " WHERE backend_type = 'parallel worker'";
ok($node->poll_query_until('postgres', $scanning),
	'three workers have the rows listed by two more processes');
is($node->safe_psql('postgres', $scanning), 't', 'and not by more');
is(stop_call($call), 'succeeded|20|2', 'the result');
is( $node->safe_psql('postgres',
		'SELECT sum(n), sum(n) FILTER (WHERE id % 100 = 7) FROM few'),
	'20|20', 'the rows that match are updated once');

# A slow job, as a second session sees it while it runs.
sub run_slowly
{
	my %settings = @_;

	make_table($node, 'slow', 2000);
	return start_call($node,
		"SELECT status FROM bulkpar_update('slow', 'n', 'n + 1 + slow(1)',"
		  . " 50, 2)", %settings);
}

my $after = last_job($node);
my @seen;
$call = run_slowly('bulkpar.progress_interval' => '200ms');
wait_for_rows($node, 1, $after);
my $watcher = $node->background_psql('postgres');
do
{
	usleep(20_000);
	push @seen, $watcher->query_safe(
		"SELECT percent, rows_done, status FROM bulkpar_progress"
		  . " ORDER BY job_id DESC LIMIT 1");
} while ($seen[-1] =~ /running/);
$watcher->quit;
is(stop_call($call), 'succeeded', 'the slow job');

my @percent = map { (split /\|/)[0] } @seen;
my @rows = map { (split /\|/)[1] } @seen;
cmp_ok(scalar(uniq(@percent)), '>', 3, 'the progress is seen');
is_deeply(\@percent, [ sort { $a <=> $b } @percent ], 'percent only grows');
is_deeply(\@rows, [ sort { $a <=> $b } @rows ], 'rows_done only grows');
is($seen[-1], '100.0|2000|succeeded', 'and ends at 100');

# Progress messages.
my @messages = $call->{err} =~ /^INFO:  00000: (.*)$/mg;
my $summary = pop @messages;
like($summary,
	qr/^bulkpar job \d+: 2000 rows updated in \d+\.\d+ s \(\d+ rows\/s\) by 2 workers in 40 batches$/,
	'a summary in words');
cmp_ok(scalar(@messages), '>=', 3, 'progress messages at the interval');
is(scalar(grep { !/^bulkpar job \d+: \d+\.\d %, \d+ of about 2000 rows, \d+ rows\/s, about \d+ s left$/ } @messages),
	0, 'and what they say');

$call = run_slowly('bulkpar.progress_interval' => '0');
stop_call($call);
is(scalar(() = $call->{err} =~ /^INFO/mg), 1,
	'no progress messages at an interval of 0');

$call = run_slowly('bulkpar.progress_interval' => '100ms',
	'bulkpar.report' => 'off');
stop_call($call);
is($call->{err}, '', 'no messages without bulkpar.report');

$node->stop;
done_testing();
