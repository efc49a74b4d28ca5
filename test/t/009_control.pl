# Control of jobs from other sessions: wait, pause, resume, cancel, forget,
# names, who may do what, and the cap on workers.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = start_server('control', 'bulkpar.report = off');
my $workers = "FROM pg_stat_activity WHERE backend_type = 'bulkpar worker'";
my $alive = "EXISTS (SELECT FROM pg_stat_activity"
  . " WHERE backend_type LIKE 'bulkpar%')";

my ($gate, $job);

# A job that does half of the rows, and waits then until the test opens the gate.
my $half = "bulkpar_update('t', 'n',"
  . " 'n + 1 + CASE WHEN id > 1000 THEN gate() ELSE 0 END'";

sub sql { return $node->safe_psql('postgres', $_[0]); }

# Start one that nobody waits for, on a new table.
sub start_job
{
	my ($options) = @_;

	make_table($node, 't', 2000);
	$gate = close_gate($node);
	return sql("SELECT job_id FROM $half, 20, 2, wait => false"
		  . ($options // '') . ')');
}

# Wait until one of the calls has ended.
sub wait_for_one
{
	my (@calls) = @_;

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		foreach my $call (@calls)
		{
			$call->{psql}->pump_nb if $call->{psql}->pumpable;
			return if !$call->{psql}->pumpable;
		}
		usleep(100_000);
	}
	die 'waited in vain for one of the calls';
}

sub status_is
{
	my ($job, $status, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(sql("SELECT status FROM bulkpar_jobs WHERE job_id = $job"),
		$status, $name);
	return;
}

# Start without waiting, wait for a while, and to the end.
$job = start_job();
status_is($job, 'running', 'wait => false returns while the job runs');
is(sql("SELECT status FROM bulkpar_wait($job, '50 ms')"),
	'running', 'a wait may be limited');
open_gate($gate);
is(sql("SELECT status, rows_changed FROM bulkpar_wait($job)"),
	'succeeded|2000', 'or not');
is_exactly($node, 't', 1, 'every row is updated once');
sql(<<'END');
CREATE PROCEDURE update_and_wait() LANGUAGE plpgsql AS $$
DECLARE
	job bigint;
BEGIN
	SELECT job_id INTO job
	FROM bulkpar_update('t', 'n', 'n + 1 + gate()', 20, 2, wait => false);
	CALL bulkpar_await(job);
END $$
END
$gate = close_gate($node);
my $call = start_call($node, 'CALL update_and_wait()');
wait_for_workers($node, 2);
wait_until($node,
	"backend_xmin IS NULL AND backend_xid IS NULL FROM pg_stat_activity"
	  . " WHERE query = 'CALL update_and_wait()'",
	'a procedure waits without a snapshot');
open_gate($gate);
stop_call($call);
is_exactly($node, 't', 2, 'the job of the procedure');

# Pause in the middle of a stripe, and resume with other workers and another
# batch size.
make_table($node, 't', 2000);
$gate = close_gate($node);
$job = sql("SELECT job_id FROM bulkpar_update('t', 'n', 'n + 1"
	  . " + CASE WHEN id > 300 AND bulkpar.bulkpar_in_stripe(8, 3, id)"
	  . " THEN gate() ELSE 0 END', 20, 2, wait => false, stripes => 8)");
wait_for_workers($node, 2);
is(sql("SELECT status FROM bulkpar_pause($job)"), 'paused', 'pause');
is( sql('SELECT stripes, stripe, last_key IS NOT NULL FROM bulkpar_chunks'
		  . " WHERE job_id = $job AND chunk_no = 1"),
	'8|3|t', 'in the middle of a stripe');
open_gate($gate);
is_quiet($node, 't', 'a paused job');
is_whole($node, 't', $job, 'a paused job');
is(sql("SELECT status, workers FROM bulkpar_resume($job, 1, 50)"),
	'succeeded|1', 'resume with one worker');
is_exactly($node, 't', 1, 'a paused and resumed job');
is(sql('SELECT batch_size, runs, stripes, stripes_chosen FROM bulkpar_jobs'
		  . " WHERE job_id = $job"),
	'50|2|8|f', 'and another batch size, and the same stripes');
fails_with($node, "SELECT bulkpar_resume($job)", '55000',
	'a job that has succeeded is not resumed');

# Cancel, as the last word of those who wait, and from a transaction block.
$job = start_job();
my $waiting = start_call($node, "SELECT bulkpar_wait($job)");
wait_for_rows($node, 100, $job - 1);
is(sql("BEGIN; SELECT status FROM bulkpar_cancel($job); COMMIT"),
	'cancelled', 'cancel');
is_quiet($node, 't', 'a cancelled job');
like(call_error($waiting), qr/^ERROR:  57014: bulkpar job $job was cancelled$/m,
	'those who wait are told');

# Two sessions resume at once: one wins, the other is told.
my @calls = map { start_call($node, "SELECT status FROM bulkpar_resume($job)") } 1 .. 2;
wait_for_one(@calls);
open_gate($gate);
my @results = map { stop_call($_) } @calls;
is(join('', sort @results), 'succeeded', 'one of two resumes wins');
like(join('', map { $_->{err} } @calls),
	qr/^ERROR:  55006: bulkpar job $job is already running$/m,
	'and the other is told');
is_exactly($node, 't', 1, 'two resumes at once');

# Names.
$job = start_job(", job_name => 'count', stripes => 3");
is( sql("SELECT job_id, status FROM $half, wait => false, job_name => 'count')"),
	"$job|running", 'a call of the same name and work reports the job');
fails_with($node,
	"SELECT bulkpar_update('t', 'n', 'n + 2', job_name => 'count')",
	'42710', 'other work of the same name is refused');
sql("SELECT bulkpar_pause($job)");
open_gate($gate);
is( sql("SELECT job_id, status FROM $half, 100, job_name => 'count')"),
	"$job|succeeded", 'or resumes it');
is_exactly($node, 't', 1, 'two calls of the same name');

# Several at once of a job that was paused: one resumes it, the others wait for it.
for (1 .. 3)
{
	$job = start_job(", job_name => 'count'");
	sql("SELECT bulkpar_pause($job)");
	@calls = map { start_call($node, "SELECT job_id, status FROM $half, job_name => 'count')") } 1 .. 4;
	wait_for_message($_, qr/NOTICE/) for @calls;
	open_gate($gate);
	is(stop_call($_), "$job|succeeded", 'calls of the same name wait for the one that resumes it')
	  for @calls;
	is_exactly($node, 't', 1, 'several calls of the same name');
}
isnt(sql("SELECT job_id FROM bulkpar_update('t', 'n', 'n + 1', job_name => 'count')"),
	$job, 'the name is free again');

# All that a job's id is good for, its name is as well.
$job = start_job(", job_name => 'count'");
is(sql("SELECT job_id, status FROM bulkpar_wait('count', '50 ms')"),
	"$job|running", 'wait by name');
is(sql("SELECT job_id, status FROM bulkpar_pause('count')"), "$job|paused",
	'pause by name');
is(sql("SELECT job_id, status FROM bulkpar_cancel('count')"),
	"$job|cancelled", 'cancel by name');
open_gate($gate);
is(sql("SELECT job_id, status, workers FROM bulkpar_resume('count', 1)"),
	"$job|succeeded|1", 'resume by name');
is_exactly($node, 't', 1, 'a job that is controlled by its name');
sql("CALL bulkpar_await('count')");
is(sql("SELECT job_id FROM bulkpar_wait('$job')"), $job,
	'a number as a text is an id');
is(sql("SELECT bulkpar_forget('count')"), '1', 'forget by name');
is(sql("SELECT count(*) FROM bulkpar_jobs WHERE job_id = $job"), '0',
	'the last job of that name');
fails_with($node, "SELECT bulkpar_forget('30 days')", '42704',
	'a text is not an age');
is(sql("SELECT bulkpar_forget(age => '30 days')"), '0', 'unless it says so');
fails_with($node, "SELECT $half, job_name => '12')", '22023',
	'a name is not a number');
sql('CREATE ROLE one SUPERUSER LOGIN');
sql('CREATE ROLE two SUPERUSER LOGIN');
foreach my $role (qw(one two))
{
	$node->safe_psql('postgres',
		"SELECT bulkpar_update('t', 'n', 'n + 1', job_name => 'same')",
		extra_params => [ '-U', $role ]);
}
fails_with($node, "SELECT bulkpar_wait('same')", '42P08',
	'a name that two other roles use');
is( $node->safe_psql('postgres',
		"SELECT owner FROM bulkpar_jobs JOIN bulkpar_wait('same') USING (job_id)",
		extra_params => [ '-U', 'one' ]),
	'one', 'the own job of a name comes first');

# A job that has ended before somebody would stop it is no error.
foreach my $function (qw(pause cancel))
{
	my ($ret, $out, $err) = $node->psql('postgres',
		"SELECT status, rows_changed FROM bulkpar_$function('same')",
		extra_params => [ '-U', 'one' ]);

	is($out, 'succeeded|2000', "$function of a job that has succeeded");
	like($err, qr/NOTICE:  bulkpar job \d+ has already succeeded/,
		'and a notice');
}

# Pauses are not time at work, and do not count in the rate.
my $clock = "SELECT extract(epoch FROM clock_timestamp())";
my $epoch = 'round(extract(epoch FROM time_at_work), 3)';
my $begin = sql($clock);
make_table($node, 't', 2000);
$gate = close_gate($node);
my $last_gate = close_gate($node, 1);
$job = sql("SELECT job_id FROM bulkpar_update('t', 'n', 'n + 1 + CASE"
	  . " WHEN id > 1500 THEN gate(1) WHEN id > 500 THEN gate() ELSE 0 END',"
	  . ' 20, 2, wait => false)');
wait_for_rows($node, 100, $job - 1);
sql("SELECT bulkpar_pause($job)");
open_gate($gate);
my $paused = sql($clock);
my $worked = sql("SELECT $epoch FROM bulkpar_jobs WHERE job_id = $job");
cmp_ok($worked, '<=', $paused - $begin, 'the time at work of a paused job');
sql("UPDATE bulkpar.bulkpar_job SET created_at = created_at - interval '1 day',"
	  . " started_at = started_at - interval '1 day'"
	  . " WHERE job_id = $job");
sql("UPDATE bulkpar.bulkpar_chunk SET started_at = started_at - interval '1 day',"
	  . " claimed_at = claimed_at - interval '1 day',"
	  . " progressed_at = progressed_at - interval '1 day'"
	  . " WHERE job_id = $job");
is(sql("SELECT $epoch FROM bulkpar_jobs WHERE job_id = $job"),
	$worked, 'it does not grow');
my $before = sql("SELECT rows_done FROM bulkpar_progress WHERE job_id = $job");
my $resumed = sql($clock);
sql("SELECT bulkpar_resume($job, wait => false)");
wait_until($node, "rows_done > $before FROM bulkpar_progress WHERE job_id = $job");
my ($done, $rate, $left) = split /\|/,
  sql('SELECT rows_done, rows_per_second, extract(epoch FROM time_left)'
	  . " FROM bulkpar_progress WHERE job_id = $job");
my $seconds = sql($clock) - $resumed;
cmp_ok($rate + 1, '>=', ($done - $before) / $seconds,
	'the rate is that of the run');
cmp_ok($left, '<=', (2000 - $before) * $seconds / ($done - $before) + 1,
	'and so is the time left');
open_gate($last_gate);
$worked = sql("SELECT extract(epoch FROM elapsed) FROM bulkpar_wait($job)");
cmp_ok($worked, '<=', $paused - $begin + sql($clock) - $resumed,
	'elapsed is the time at work of all runs');
is(sql("SELECT elapsed FROM bulkpar_wait($job)"),
	sql("SELECT time_at_work FROM bulkpar_jobs WHERE job_id = $job"),
	'however often it is asked for');

# An interrupted job goes on by itself where somebody calls this now and then.
foreach my $action (qw(resume pause))
{
	$job = start_job();
	wait_for_rows($node, 100, $job - 1);
	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
		  . " WHERE backend_type = 'bulkpar coordinator'");
	wait_until($node, "NOT $alive");
	status_is($job, 'interrupted', "the coordinator is terminated, $action");
	is(sql("SELECT status FROM bulkpar_pause($job)"), 'paused',
		'an interrupted job is paused')
	  if $action eq 'pause';
	is( sql('SELECT job_id, status FROM bulkpar_resume_interrupted()'),
		$action eq 'resume' ? "$job|running" : '',
		"bulkpar_resume_interrupted(), $action");
	open_gate($gate);
	sql("SELECT bulkpar_resume($job)") if $action eq 'pause';
	sql("SELECT bulkpar_wait($job)");
	is_exactly($node, 't', 1, "an interrupted job, $action");
}
is(sql('SELECT count(*) FROM bulkpar_resume_interrupted()'), '0',
	'no job is interrupted');

# What one of them does before it is planned must not keep the others waiting.
sql("CREATE FUNCTION held() RETURNS integer STABLE LANGUAGE plpgsql AS"
	  . " 'BEGIN RETURN gate(1); END'");
make_table($node, 't', 2000);
make_table($node, 'other', 2000);
$gate = close_gate($node);
my $planning = close_gate($node, 1);
my $hanging = start_call($node,
	"SELECT bulkpar_update('t', 'n', 'n + 1 + (SELECT max(held()) FROM other)')");
wait_for_workers($node, 1);
my $hangs = sql('SELECT max(job_id) FROM bulkpar_jobs');
$job = sql('SELECT job_id FROM ' . $half =~ s/'t'/'other'/r . ', 20, 1, wait => false)');
sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
	  . " WHERE backend_type = 'bulkpar coordinator'");
stop_call($hanging);
wait_until($node, "NOT $alive");
open_gate($gate);
is( sql("SET statement_timeout = '$PostgreSQL::Test::Utils::timeout_default s';"
		  . " SELECT string_agg(job_id || ' ' || status, ',') FROM bulkpar_resume_interrupted()"),
	"$hangs running,$job running",
	'bulkpar_resume_interrupted() waits for none of them');
is(sql("SELECT status FROM bulkpar_wait($job)"), 'succeeded',
	'and one that hangs does not hinder another');
status_is($hangs, 'running', 'which goes on to wait');
open_gate($planning);
sql("SELECT bulkpar_wait($hangs)");
is_exactly($node, $_, 1, "interrupted beside another, table $_")
  foreach qw(t other);

# Who may see and control a job.
sql(<<'END');
CREATE ROLE ann LOGIN;
CREATE ROLE bob LOGIN;
CREATE ROLE boss LOGIN IN ROLE ann;
CREATE ROLE monitor LOGIN IN ROLE pg_read_all_stats;
END
make_table($node, 't', 2000);
sql('GRANT SELECT, UPDATE ON t TO ann');
$gate = close_gate($node);
$job = $node->safe_psql('postgres',
	"SELECT job_id FROM $half, 20, 2, wait => false)",
	extra_params => [ '-U', 'ann' ]);
foreach my $view (qw(jobs chunks progress))
{
	wait_for_rows($node, 20, $job - 1);
	is($node->safe_psql('postgres',
			"SELECT count(*) > 0 FROM bulkpar_$view WHERE job_id = $job",
			extra_params => [ '-U', $_->[0] ]),
		$_->[1], "$_->[0] and bulkpar_$view")
	  foreach ([ 'ann', 't' ], [ 'boss', 't' ], [ 'monitor', 't' ], [ 'bob', 'f' ]);
}
foreach my $function (qw(wait pause cancel resume forget))
{
	my ($ret, $out, $err) = $node->psql('postgres',
		"\\set VERBOSITY sqlstate\nSELECT bulkpar_$function($job)",
		extra_params => [ '-U', 'bob' ]);
	like($err, qr/ERROR:  42501/, "bob and bulkpar_$function");
}
fails_with($node, "SELECT bulkpar_forget($job)", '55006',
	'a running job is not forgotten');
is($node->safe_psql('postgres', "SELECT status FROM bulkpar_cancel($job)",
		extra_params => [ '-U', 'boss' ]), 'cancelled',
	'a member of the owner cancels');
open_gate($gate);

# Forget.
is(sql("SELECT bulkpar_forget($job)"), '1', 'forget a job');
is(sql("SELECT count(*) FROM bulkpar.bulkpar_chunk WHERE job_id = $job"),
	'0', 'and its chunks');
is(sql("SELECT bulkpar_forget(interval '1 day')"), '0', 'no job is so old');
is(sql("SELECT bulkpar_forget(interval '0') > 0"), 't', 'forget by age');
is(sql('SELECT count(*) FROM bulkpar_jobs'), '0', 'all are forgotten');
fails_with($node, 'SELECT bulkpar_wait(4711)', '42704', 'no such job');

# The row of a job that runs is gone, when the job is cancelled and when it
# would go on.
foreach my $action ('pg_cancel_backend', 'pg_terminate_backend')
{
	make_table($node, 't', 100);
	$gate = close_gate($node);
	$call = start_call($node,
		"SELECT bulkpar_update('t', 'n', 'n + 1 + gate()', 10, 2)");
	wait_for_workers($node, 2);
	sql('DELETE FROM bulkpar.bulkpar_job');
	sql("SELECT $action(pid) FROM pg_stat_activity WHERE backend_type = "
		  . ($action eq 'pg_cancel_backend' ? "'bulkpar coordinator'" :
			"'bulkpar worker'"));
	like(call_error($call), qr/^ERROR:  42704: bulkpar job \d+ does not exist$/m,
		"the job's row is gone, $action");
	open_gate($gate);
	is_quiet($node, 't', "the job's row is gone, $action");
	is_exactly($node, 't', 0, "the job's row is gone, $action");
}

# The cap on the processes of all jobs: two coordinators and three workers.
$node->append_conf('postgresql.conf', 'bulkpar.max_workers = 5');
$node->reload;
make_table($node, 'other', 2000);
$job = start_job();
$call = start_call($node,
	"SELECT status, workers FROM bulkpar_update('other', 'n', 'n + 1 + gate()', 20, 4)");
wait_for_workers($node, 3);
is(sql("SELECT count(*) $workers"), '3', 'and the cap is kept');
open_gate($gate);
is(stop_call($call), 'succeeded|1', 'a job gets what the cap leaves');
like($call->{err}, qr/NOTICE:  .*runs with 1 instead of 4 workers/,
	'and is told');
sql("SELECT bulkpar_wait($job)");
wait_until($node, "NOT $alive");
is(sql("SELECT workers FROM bulkpar_update('other', 'n', 'n + 1', 20, 3)"),
	'3', 'the cap is free again');
is_exactly($node, 'other', 2, 'jobs under the cap');
is(sql("SELECT count(*) FROM pg_locks WHERE locktype = 'userlock'"),
	'0', 'no lock is left');

$node->stop;
done_testing();
