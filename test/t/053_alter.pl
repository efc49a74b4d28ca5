# bulkpar_alter: how a job goes on is changed while it runs, is held, waits for
# locks or is paused.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use Test::More;

my $node = start_server('alter', 'bulkpar.max_workers = 0');
my $workers = "FROM pg_stat_activity WHERE backend_type = 'bulkpar worker'";

sub super { return $node->safe_psql('postgres', $_[0]); }

sub running
{
	my ($count, $name) = @_;

	wait_until($node, "count(*) = $count $workers", $name);
	return;
}

# What batches are like: a row for each.  Larger ones than that take long, so that
# the job is still there when it is altered.
sub make_logged_table
{
	my ($rows, $size) = @_;

	make_table($node, 't', $rows);
	super(<<"END");
SET client_min_messages = warning;
DROP TABLE IF EXISTS batch;
CREATE TABLE batch (size integer, began timestamptz);
CREATE OR REPLACE FUNCTION log_batch() RETURNS trigger LANGUAGE plpgsql AS \$\$
DECLARE
	size integer;
BEGIN
	IF current_setting('bulkpar.job_id', true) <> '' THEN
		SELECT count(*) INTO size FROM new_rows;
		INSERT INTO batch VALUES (size, statement_timestamp());
		PERFORM pg_sleep(CASE WHEN size > $size THEN 0.5 ELSE 0.005 END);
	END IF;
	RETURN NULL;
END \$\$;
CREATE TRIGGER log_batch AFTER UPDATE ON t REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION log_batch();
END
	return;
}

my $writer = <<'END';
DO $$
DECLARE
	row integer;
BEGIN
	WHILE EXISTS (SELECT FROM writing) LOOP
		row := 1 + floor(random() * 160000);
		UPDATE t SET pid = coalesce(pid, 0) + 1 WHERE id = row;
		INSERT INTO written VALUES (1);
		COMMIT;
	END LOOP;
END $$
END

# 8 workers, then 1, then 8, and smaller batches, beside writers.
make_logged_table(160000, 100);
super('CREATE TABLE writing AS SELECT 1 AS a; CREATE TABLE written (a integer)');
my @writers = map { start_call($node, $writer) } 1 .. 3;
my $call = start_call($node, "SELECT status, workers, rows_changed FROM bulkpar_update('t', 'n', 'n + 1', 1000, 8,"
	  . ' stripes => 1)', 'bulkpar.lock_wait' => 1000);
wait_for_rows($node, 1, 0);
running(8, 'there are as many workers as asked for');
is(super("SELECT workers FROM bulkpar_alter(1, 1, 100)"), '1', 'it says what there will be');
my $altered = super('SELECT clock_timestamp()');
is(super('SELECT workers, batch_size FROM bulkpar_jobs'), '1|100', 'and so do the views');
running(1, 'one is left');
cmp_ok(super("SELECT count(*) FROM batch WHERE size > 100 AND began > '$altered'"), '<=', 16,
	'few batches of the old size have begun since');
wait_until($node, "count(*) > 5 FROM batch WHERE size <= 100", 'smaller ones do');
is(super("SELECT count(*) FROM bulkpar.bulkpar_chunk WHERE status = 'running' AND worker IS NOT NULL"), '1',
	'the others have given back their chunks');
is(super('SELECT count(*) > 0 FROM bulkpar.bulkpar_chunk WHERE epoch > 1'), 't',
	'to be taken over, as some may be by now');
is(super("SELECT workers FROM bulkpar_alter('1', workers => 8)"), '8', 'and back');
running(8, 'there are eight again');
is(stop_call($call), 'succeeded|8|160000', 'it succeeds, and says how many workers it has had');
super('DROP TABLE writing');
stop_call($_) foreach @writers;
is_exactly($node, 't', 1, 'exactly once');
is(super('SELECT sum(pid) = (SELECT count(*) FROM written) FROM t'), 't', 'and nothing of the writers is lost');
like($call->{err}, qr/NOTICE:  [^\n]*altered, goes on with 1 worker and batches of 100 rows/, 'its caller is told');
is(super('SELECT max(attempts) > 1 AND sum(rows_changed) = 160000 FROM bulkpar_chunks WHERE job_id = 1'), 't',
	'chunks were taken over');
is(super('SELECT count(*) FROM bulkpar.bulkpar_alteration'), '0', 'and no alteration is left');

# A worker that is to end, and then not, has not retired: when it leaves its chunk to
# others because they hinder each other, nobody takes its place.
make_table($node, 't', 2000);
super(<<'END');
CREATE TABLE loser (pid integer);
CREATE FUNCTION lose() RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM loser WHERE pid = pg_backend_pid()) THEN
		RAISE SQLSTATE '40001' USING MESSAGE = 'hindered';
	END IF;
	RETURN pg_backend_pid();
END $$;
END
my $gate = close_gate($node);
$call = start_call($node, q{SELECT status FROM bulkpar_update('t', ARRAY['n', 'pid'],}
	  . q{ ARRAY['n + 1 + gate() + slow(1)', 'lose()'], 10, 2, stripes => 1)});
wait_for_workers($node, 2);
super("INSERT INTO loser SELECT pid $workers ORDER BY backend_start DESC LIMIT 1");
foreach my $count (1, 2)
{
	super('SELECT bulkpar_alter(' . last_job($node) . ", $count)");
	wait_until($node, "count(*) = 1 FROM pg_stat_activity WHERE query ~ ': $count workers\$'",
		"$count workers are wanted");
}
open_gate($gate);
is(stop_call($call), 'succeeded', 'it succeeds');
like($call->{err}, qr/the job goes on with one worker less/, 'one worker has left');
is(super('SELECT count(DISTINCT pid) FROM t'), '1', 'and no other has come');
is_exactly($node, 't', 1, 'exactly once');

# Larger batches, with stripes and with listed rows.
foreach my $case ([ 'stripes', 'stripes => 4' ], [ 'listed', "condition => 'id % 7 = 0'" ])
{
	my ($name, $argument) = @$case;

	make_logged_table(30000, 30);
	$call = start_call($node, "SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 10, 2, $argument)");
	wait_until($node, 'count(*) > 2 FROM batch');
	super('SELECT bulkpar_alter(' . last_job($node) . ', batch_size => 100)');
	wait_until($node, 'count(*) > 2 FROM batch WHERE size > 10', "$name: larger batches");
	super('SELECT bulkpar_alter(' . last_job($node) . ', batch_size => 30)');
	is(stop_call($call), 'succeeded', "$name: succeeds");
	is(super('SELECT max(size) <= 100 AND max(size) FILTER (WHERE size <= 30) > 10 FROM batch'), 't',
		"$name: and smaller again");
	is( super("SELECT string_agg(DISTINCT n::text, ',') FROM t"
			  . ($name eq 'listed' ? ' WHERE id % 7 = 0' : '')),
		'1', "$name: exactly once");
}

# A job that is held by a limit that is taken away.
make_table($node, 't', 1000);
$call = start_call($node, "SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 10, 2, job_name => 'by name')",
	'bulkpar.min_free_disk' => 100);
wait_until($node, "EXISTS (SELECT FROM bulkpar_progress WHERE throttled_by ~ 'disk')", 'a job is held');
super("SELECT bulkpar_alter('by name', 1)");
running(1, 'a worker that is held ends as well');
my ($ret, $out, $err) = $node->psql('postgres', q[SELECT bulkpar_alter('by name', settings => '{"min_free_disk": 0}')]);
like($err, qr/INFO:  bulkpar job \d+ goes on with bulkpar.min_free_disk 0 instead of 100/, 'it says what is changed');
is(stop_call($call), 'succeeded', 'it goes on without its limit');
is_exactly($node, 't', 1, 'exactly once');

# One that waits for locks in its batches.
make_table($node, 't', 1000);
$call = start_call($node, "SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 10, 4)",
	'bulkpar.min_free_disk' => 100);
wait_until($node, "count(*) = 4 $workers AND query ~ '^throttled: disk'");
my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE t IN EXCLUSIVE MODE');
super(q[SELECT bulkpar_alter(max(job_id), settings => '{"min_free_disk": 0, "lock_wait": "50ms"}') FROM bulkpar_jobs]);
wait_until($node, "count(*) = 4 $workers AND query ~ 'throttled: lock held by'", 'workers wait no longer than they may');
super('SELECT bulkpar_alter(' . last_job($node) . ', workers => 1)');
running(1, 'those that sleep because of a lock end as well');
is(super('SELECT rows_done FROM bulkpar_progress ORDER BY job_id DESC LIMIT 1'), '0', 'with nothing done');
$locker->quit;
is(stop_call($call), 'succeeded', 'succeeds');
is_exactly($node, 't', 1, 'exactly once');

# One that is yet to be planned.
make_table($node, 't', 1000);
$gate = close_gate($node);
$call = start_call($node, "SELECT status, workers FROM bulkpar_update('t', 'n', 'n + 1', 10, 2, condition => 'n <= (SELECT gate())')");
wait_for_workers($node, 1);
super('SELECT bulkpar_alter(' . last_job($node) . ', 4, 50)');
wait_until($node, 'bool_and(followed) FROM bulkpar.bulkpar_alteration', 'a job is altered while it is planned');
open_gate($gate);
is(stop_call($call), 'succeeded|4', 'which counts from its start on');
is(super('SELECT workers, batch_size FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1'), '4|50', 'and is not forgotten');
cmp_ok(super('SELECT sum(batches) FROM bulkpar_chunks WHERE job_id = ' . last_job($node)), '<=', 40, 'its batches are larger');
is_exactly($node, 't', 1, 'exactly once');

# Who may do it, and what.
super(<<'END');
CREATE ROLE owner LOGIN; CREATE ROLE member IN ROLE owner LOGIN; CREATE ROLE other LOGIN;
ALTER TABLE t OWNER TO owner;
END
$gate = close_gate($node);
super("SET ROLE owner; SELECT bulkpar_update('t', 'n', 'n + 1 + gate()', 10, 2, wait => false)");
my $job = last_job($node);
like((run_as($node, 'other', "SELECT bulkpar_alter($job, 1)"))[1],
	qr/ERROR:  permission denied for bulkpar job $job/, 'another role may not');
like((run_as($node, 'other', 'SELECT bulkpar_alter(4711, 1)'))[1],
	qr/ERROR:  bulkpar job 4711 does not exist/, 'nor is there any job');
is((run_as($node, 'member', "SELECT workers FROM bulkpar_alter($job, 3)"))[0], '3', 'a member of the owner may');
foreach my $case (
	[ "workers => 0", '22023', 'no workers' ],
	[ "workers => 2000", '22023', 'too many workers' ],
	[ "batch_size => -1", '22023', 'no rows' ],
	[ q(settings => '[]'), '22023', 'no object' ],
	[ q(settings => '{"work_mem": 1}'), '22023', 'another setting' ],
	[ q(settings => '{"report": "off"}'), '22023', 'one that is not of a job' ],
	[ q(settings => '{"job_id": "5"}'), '22023', 'or that nobody sets' ],
	[ q(settings => '{"nice": -1}'), '22023', 'a value out of range' ],
	[ q(settings => '{"nice": {}}'), '22023', 'no value' ],
	[ q(settings => '{"max_replica_lag": "5 parsec"}'), '22023', 'another unit' ])
{
	fails_with($node, "SELECT bulkpar_alter($job, $case->[0])", $case->[1], "refused: $case->[2]");
}
like(fails_with($node, "SELECT bulkpar_alter($job, settings => '{\"speed\": 1}')", '22023', 'an unknown one'),
	qr/HINT:  There are: [a-z_, ]*max_replica_lag, [a-z_, ]*nice, /, 'with a hint');

# Two at once, and one that is rolled back.
my $other = $node->background_psql('postgres');
$other->query_safe("SET bulkpar.report = off; BEGIN; SELECT bulkpar_alter($job, 4, settings => '{\"nice\": 0.25}')");
super("SELECT bulkpar_alter($job, batch_size => 20)");
super("BEGIN; SELECT bulkpar_alter($job, 7, 7); ROLLBACK");
wait_until($node, "batch_size = 20 FROM bulkpar.bulkpar_job WHERE job_id = $job", 'one does not wait for another');
running(3, 'what has not committed does not count');
$other->query_safe('COMMIT');
running(4, 'and then it does');
is( super("SELECT workers, batch_size, settings ->> 'bulkpar.nice' FROM bulkpar_jobs WHERE job_id = $job"),
	'4|20|0.25', 'each has changed what it was to');

# With a pause in the same transaction, which must not wait for itself.
$other->query_safe("SET bulkpar.report = off; BEGIN; SELECT bulkpar_alter($job, 2, 50)");
is($other->query_safe("SELECT status FROM bulkpar_pause($job)"), 'paused', 'paused in the same transaction');
$other->query_safe('COMMIT');
open_gate($gate);

# A paused job.
is( super("SELECT status, workers FROM bulkpar_alter($job, settings => '{\"nice\": null, \"max_time\": \"1h\"}')"),
	'paused|2', 'a paused job is altered');
is( super("SELECT workers, batch_size, settings ->> 'bulkpar.nice', settings ->> 'bulkpar.max_time'"
		  . " FROM bulkpar_jobs WHERE job_id = $job"),
	'2|50||3600', 'which shows');
is(super("SELECT status, workers, rows_changed FROM bulkpar_resume($job)"), 'succeeded|2|1000', 'it is resumed');
is( super("SELECT workers, batch_size, settings ->> 'bulkpar.nice', settings ->> 'bulkpar.max_time'"
		  . " FROM bulkpar_jobs WHERE job_id = $job"),
	'2|50||3600', 'as it was altered');
cmp_ok(super("SELECT max(rows_changed / batches) FROM bulkpar_chunks WHERE job_id = $job"), '>', 20, 'with larger batches');
is_exactly($node, 't', 2, 'exactly once');
fails_with($node, "SELECT bulkpar_alter($job, 1)", '55000', 'a job that has succeeded is not altered');

# Another transaction has forgotten it, or does not.
make_table($node, 't', 1000);
$gate = close_gate($node);
super("SELECT bulkpar_update('t', 'n', 'n + 1 + gate()', 10, 1, wait => false)");
$job = last_job($node);
super("SELECT bulkpar_cancel($job)");
open_gate($gate);
foreach my $end ('ROLLBACK', 'COMMIT')
{
	my $forgetter = $node->background_psql('postgres');

	$forgetter->query_safe("BEGIN; SELECT bulkpar_forget($job)");
	$call = start_call($node, "SELECT status FROM bulkpar_alter($job, 1)");
	wait_until($node, "count(*) > 0 FROM pg_stat_activity WHERE query ~ 'FROM bulkpar_alter' AND wait_event_type = 'Lock'"
		  . ' AND pid <> pg_backend_pid()');
	$forgetter->query_safe($end);
	is(stop_call($call), $end eq 'COMMIT' ? '' : 'cancelled', "a job that is being forgotten, $end");
	like($call->{err}, qr/ERROR:  42704: bulkpar job $job no longer exists/, 'which is said') if $end eq 'COMMIT';
	$forgetter->quit;
}

# The server is killed when the call has just returned.
make_table($node, 't', 1000);
$gate = close_gate($node);
super("SELECT bulkpar_update('t', 'n', 'n + 1 + gate()', 10, 4, wait => false)");
$job = last_job($node);
super("SELECT bulkpar_alter($job, 3, 70, '{\"max_rows_per_second\": 100000}')");
$node->stop('immediate');
$_->{run}->finish foreach grep { ref $_ eq 'HASH' && $_->{run} } ($gate, $other);
$node->start;
is( super("SELECT status, workers, rows_changed FROM bulkpar_resume($job)"),
	'succeeded|3|1000', 'what was altered is there after a crash');
is( super("SELECT workers, batch_size, settings ->> 'bulkpar.max_rows_per_second' FROM bulkpar_jobs WHERE job_id = $job"),
	'3|70|100000', 'all of it');
is_exactly($node, 't', 1, 'exactly once');

# DROP EXTENSION waits for who alters, and then the job is at its end.
make_table($node, 't', 1000);
$gate = close_gate($node);
super("SELECT bulkpar_update('t', 'n', 'n + 1 + gate()', 10, 2, wait => false)");
$job = last_job($node);
$other = $node->background_psql('postgres');
$other->query_safe("SET bulkpar.report = off; BEGIN; SELECT bulkpar_alter($job, 1)");
my $drop = start_call($node, 'DROP EXTENSION bulkpar CASCADE');
wait_until($node, "count(*) > 0 FROM pg_stat_activity WHERE query ~ '^DROP' AND wait_event_type = 'Lock'");
$other->query_safe('COMMIT');
open_gate($gate);
is(stop_call($drop), '', 'the extension is dropped');
wait_until($node, "NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type LIKE 'bulkpar%')", 'no process is left');
$other->quit;

done_testing();
