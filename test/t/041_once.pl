# What a job has evaluated once is what it goes on with when it is resumed, and
# when a crash has taken that from it, it does not go on.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = 5000;
my $node = start_server('once', <<'END');
restart_after_crash = on
wal_writer_delay = 10s
END

# Evaluated again, it would have fewer rows, and add 0 instead of 1.
my $statement = <<"END";
UPDATE t SET n = t.n + s.one + slow(0.3)
FROM (SELECT id, (count(*) OVER () / $rows)::int AS one FROM t WHERE n = 0) AS s
WHERE s.id = t.id AND t.id NOT IN (SELECT id - 1 FROM t WHERE n = 1 LIMIT 5)
END

# Start the job on a new table, and wait until it has done some rows.
sub start_job
{
	my $after = last_job($node);

	make_table($node, 't', $rows);
	my $call = start_call($node, "SELECT bulkpar_execute('$statement', 50, 2)");
	my $job = wait_for_rows($node, 500, $after);
	# or a crash would take even from the books that it has begun
	$node->safe_psql('postgres', 'CHECKPOINT');
	return ($call, $job);
}

sub results
{
	return $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_class WHERE relkind = 'r'"
		  . " AND relname ~ '^bulkpar_subquery_'");
}

sub sum
{
	return $node->safe_psql('postgres', 'SELECT sum(n) FROM t');
}

# The rest of the job does what all of it would have done.
sub is_resumed
{
	my ($job, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(results(), 2, "$name: the results are kept");
	is( $node->safe_psql('postgres',
			"SELECT status, rows_changed FROM bulkpar_resume($job)"),
		"succeeded|$rows", "$name: the job goes on");
	is_exactly($node, 't', 1, "$name: every row is updated once");
	is(results(), 0, "$name: the results are dropped");
	return;
}

my ($call, $job) = start_job();
$node->safe_psql('postgres', "SELECT bulkpar_cancel($job)");
like(call_error($call), qr/canceling|cancelled/, 'a job is cancelled');
command_like(
	[ 'pg_dump', '-d', $node->connstr('postgres') ],
	qr/CREATE EXTENSION IF NOT EXISTS bulkpar(?!.*bulkpar_subquery)/s,
	'pg_dump leaves the results out');
is_resumed($job, 'cancel');

($call, $job) = start_job();
$node->safe_psql('postgres',
	"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
	  . " WHERE backend_type = 'bulkpar coordinator'");
call_error($call);
wait_until($node,
	"NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type ~ 'bulkpar')");
is_resumed($job, 'end of the coordinator');

($call, $job) = start_job();
$node->stop('fast');
call_error($call);
ok(start_again($node), 'the server starts again');
is_resumed($job, 'fast stop');

# A crash empties unlogged tables.
foreach my $way ('server', 'worker')
{
	($call, $job) = start_job();
	if ($way eq 'server')
	{
		$node->kill9;
		call_error($call);
		ok(start_again($node), 'the server starts again');
	}
	else
	{
		kill_process($node, backend_pid($node, 'bulkpar worker'));
		call_error($call);
	}
	my $sum = sum();

	is(results(), 2, "kill -9 of a $way: the tables are there");
	like(
		fails_with($node, "SELECT bulkpar_resume($job)", '55000',
			"kill -9 of a $way: the job does not go on"),
		qr/the result of a subquery of bulkpar job $job is lost.*bulkpar_forget/s,
		'and says why');
	is(sum(), $sum, 'nothing more is done');
	is( $node->safe_psql('postgres',
			"SELECT status, sqlstate FROM bulkpar_jobs WHERE job_id = $job"),
		'failed|55000', 'the job has failed');
	$node->safe_psql('postgres', "SELECT bulkpar_forget($job)");
	is(results(), 0, 'a job that is forgotten leaves nothing');
}

# What somebody reads at the end of its job goes at the end of another one.
($call, $job) = start_job();
my $reader = start_call($node,
	'DO $$ BEGIN EXECUTE (SELECT string_agg('
	  . "'LOCK ' || relation::regclass || ' IN ACCESS SHARE MODE', '; ')"
	  . ' FROM bulkpar.bulkpar_subquery); PERFORM pg_sleep(3600); END $$');
wait_until($node,
	"(SELECT count(*) FROM pg_locks JOIN bulkpar.bulkpar_subquery s ON s.relation = pg_locks.relation)"
	  . " > 0 AND EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query ~ '^DO')");
like(stop_call($call), qr/succeeded/, 'a job ends while its results are read');
is(results(), 2, 'the results stay');
$node->safe_psql('postgres',
	q{SELECT bulkpar_execute('UPDATE t SET n = n WHERE id = 1')});
is(results(), 2, 'as long as somebody reads them');
$node->safe_psql('postgres',
	"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^DO'");
call_error($reader);
wait_until($node,
	"NOT EXISTS (SELECT FROM pg_stat_activity WHERE query ~ '^DO')");
$node->safe_psql('postgres',
	q{SELECT bulkpar_execute('UPDATE t SET n = n WHERE id = 1')});
is(results(), 0, 'the next job drops them');

# A job without subqueries of that kind goes on after a crash.
$statement = 'UPDATE t SET n = n + 1 + slow(0.3)';
($call, $job) = start_job();
$node->kill9;
call_error($call);
ok(start_again($node), 'the server starts again');
is( $node->safe_psql('postgres', "SELECT status FROM bulkpar_resume($job)"),
	'succeeded', 'a job without results goes on after a crash');
is_exactly($node, 't', 1, 'and updates every row once');

$node->stop;
done_testing();
