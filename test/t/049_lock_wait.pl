# Rows and tables that idle transactions keep locked: the job does all others,
# holds nothing meanwhile, says who has the lock, and gets them in the end.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use Test::More;

my $node = start_fault_server('lock_wait', 'max_prepared_transactions = 5');
my %soon = ('bulkpar.lock_wait' => '100ms');

# A session that is idle in a transaction that has done something, and its pid.
sub hold
{
	my ($sql) = @_;
	my $session = $node->background_psql('postgres');
	my $pid = $session->query_safe('SELECT pg_backend_pid()');

	$session->query_safe("BEGIN; $sql");
	return ($session, $pid);
}

# Wait until the running job has done so many rows, and says that this process
# keeps it from the rest.
sub is_kept
{
	my ($pid, $done, $name) = @_;

	wait_until(
		$node,
		"EXISTS (SELECT FROM bulkpar_progress WHERE status = 'running'"
		  . " AND rows_done = $done AND throttled_since < now()"
		  . " AND throttled_by = 'lock held by process $pid')",
		"$name: all other rows are done, and it says who has the lock");
	return;
}

# Nobody is in the way of others: each worker has neither snapshot nor
# transaction, at some instant, while it is not done.
sub is_gentle
{
	my ($name) = @_;

	wait_until(
		$node,
		"count(*) > 0 AND count(backend_xmin) = 0 AND count(backend_xid) = 0"
		  . " AND bool_and(query LIKE '%throttled: lock held by process%')"
		  . " FROM pg_stat_activity WHERE backend_type = 'bulkpar worker'",
		"$name: the workers sleep with nothing held");
	return;
}

# A writer gets rows in spite of the job, which waits for others.
sub can_write
{
	my ($condition, $name) = @_;

	is( $node->safe_psql('postgres',
			"SET lock_timeout = '60s'; UPDATE t SET pid = 0 WHERE $condition"),
		'',
		"$name: others can write");
	return;
}

# The lock goes, and the call ends with all rows changed once.
sub goes_on
{
	my ($call, $session, $name) = @_;

	$session->query_safe('COMMIT');
	$session->quit;
	is(stop_call($call), 'succeeded', "$name: the job succeeds");
	is_exactly($node, 't', 1, "$name: every row is updated once");
	is( $node->safe_psql('postgres',
			'SELECT sum(retries), sum(rows_failed), count(throttled_by)'
			  . ' FROM bulkpar_chunks WHERE job_id = ' . last_job($node)),
		'0|0|0',
		"$name: without an error or a failed try");
	return;
}

# Rows, in several ways.
foreach my $case (
	[ 'one row', 'id = 1500', ', 1000, 2' ],
	[ 'the first and the last row', 'id IN (1, 10000)', ', 1000, 2' ],
	[ 'rows of two chunks', 'id IN (25, 9000)', ", 20, 2, on_error => 'skip'" ],
	[ 'stripes', 'id IN (1500, 1501)', ', 100, 2, stripes => 4' ],
	[ 'one worker', 'id IN (700, 1500)', ', 1000, 1, stripes => 1' ],
	[ 'one row for each batch', 'id IN (700, 701)', ', 1, 1, stripes => 1' ])
{
	my ($name, $condition, $arguments) = @$case;
	my $rows = $arguments =~ /, 1, 1/ ? 1000 : 10000;

	make_table($node, 't', $rows);
	my ($session, $pid) = hold("UPDATE t SET pid = 1 WHERE $condition");
	my $locked =
	  $session->query_safe("SELECT count(*) FROM t WHERE $condition");
	my $call = start_call($node,
		"SELECT status FROM bulkpar_update('t', 'n', 'n + 1'$arguments)",
		%soon);
	is_kept($pid, $rows - $locked, $name);
	can_write("NOT ($condition)", $name);
	is_gentle($name);
	goes_on($call, $session, $name);
}

# The session's own lock_timeout counts if it is shorter.
make_table($node, 't', 2000);
my ($session, $pid) = hold('SELECT FROM t WHERE id = 5 FOR UPDATE');
my $call = start_call(
	$node, "SELECT status FROM bulkpar_update('t', 'n', 'n + 1')",
	'bulkpar.lock_wait' => 0,
	lock_timeout => '100ms');
is_kept($pid, 1999, 'lock_timeout');
goes_on($call, $session, 'lock_timeout');

# Rows that are listed.
make_table($node, 't', 20000);
$node->safe_psql('postgres',
	'UPDATE t SET n = 1; UPDATE t SET n = 0 WHERE id % 2000 = 0; VACUUM ANALYZE t'
);
($session, $pid) = hold('SELECT FROM t WHERE id = 6000 FOR UPDATE');
$call = start_call($node,
	"SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 100, condition => 'n = 0')",
	%soon);
is_kept($pid, 9, 'listed');
is( $node->safe_psql('postgres',
		'SELECT bool_and(listed) FROM bulkpar_chunks WHERE job_id = '
		  . last_job($node)),
	't',
	'listed: the rows are');
goes_on($call, $session, 'listed');

# Small partitions that are taken together: only the one of the row waits.
$node->safe_psql('postgres', <<'END');
DROP TABLE t;
CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL, pid int) PARTITION BY RANGE (id);
SELECT format('CREATE TABLE t_%s PARTITION OF t FOR VALUES FROM (%s) TO (%s)', g, g * 100, g * 100 + 100)
FROM generate_series(0, 9) g \gexec
INSERT INTO t SELECT g, 0 FROM generate_series(1, 999) g;
ANALYZE t;
END
($session, $pid) = hold('SELECT FROM t WHERE id = 450 FOR UPDATE');
$call = start_call($node,
	"SELECT status FROM bulkpar_update('t', 'n', 'n + 1', workers => 1)",
	%soon);
is_kept($pid, 998, 'partitions');
can_write('id <> 450', 'partitions');
is_gentle('partitions');
goes_on($call, $session, 'partitions');
$node->safe_psql('postgres', 'DROP TABLE t');

# Rows that are deleted.  The one that was locked does not match any more.
make_table($node, 't', 5000);
($session, $pid) = hold('UPDATE t SET n = 1 WHERE id = 77');
$call = start_call($node,
	"SELECT status, rows_changed FROM bulkpar_delete('t', 'n = 0')", %soon);
is_kept($pid, 4999, 'deletes');
is($node->safe_psql('postgres', 'SELECT count(*) FROM t'),
	'1', 'deletes: all others are gone');
$session->query_safe('COMMIT');
$session->quit;
is(stop_call($call), 'succeeded|4999', 'deletes: the job succeeds');
is($node->safe_psql('postgres', 'SELECT id, n FROM t'),
	'77|1', 'deletes: the row that was changed is left');

# More rows than are found out one by one.
make_table($node, 't', 5000);
($session, $pid) = hold('SELECT FROM t WHERE id <= 600 FOR UPDATE');
$call = start_call(
	$node,
	"SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 100, 1, stripes => 1)",
	'bulkpar.lock_wait' => '10ms');
wait_until(
	$node,
	"EXISTS (SELECT FROM bulkpar_progress WHERE status = 'running'"
	  . " AND throttled_by = 'lock held by process $pid')"
	  . " AND (SELECT sum(n) > 2500 FROM t)",
	'many rows: other chunks come first');
is_gentle('many rows');
goes_on($call, $session, 'many rows');

# The whole table, in the middle of a job.
($call, my $job) = start_slow_job($node, settings => \%soon, tempo => 0.2);
($session, $pid) = hold('LOCK TABLE t IN ACCESS EXCLUSIVE MODE');
wait_until(
	$node,
	"EXISTS (SELECT FROM bulkpar_progress WHERE status = 'running'"
	  . " AND throttled_by = 'lock held by process $pid')",
	'table: it says who has the lock');
is_gentle('table');
set_tempo($node, 0);
goes_on($call, $session, 'table');

# What a subquery needs that is evaluated when the job is planned.
make_table($node, 't', 1000);
($session, $pid) = hold('SELECT pg_advisory_xact_lock(3)');
$call = start_call($node,
	"SELECT status FROM bulkpar_update('t', 'n', 'n + (SELECT 1 + gate(3))')",
	%soon);
wait_until(
	$node,
	"EXISTS (SELECT FROM bulkpar_progress WHERE status = 'running'"
	  . " AND throttled_by = 'lock held by process $pid')",
	'planning: it says who has the lock');
is($node->safe_psql('postgres',
		'SELECT started_at FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1'),
	'', 'planning: the job has not started');
is_gentle('planning');
goes_on($call, $session, 'planning');

# Cancelled, paused and interrupted while it waits.
foreach my $case (
	[
		'cancel',
		sub { $node->safe_psql('postgres', "SELECT bulkpar_cancel($job)"); },
		'cancelled'
	],
	[
		'pause',
		sub { $node->safe_psql('postgres', "SELECT bulkpar_pause($job)"); },
		'paused'
	],
	[
		'Ctrl-C',
		sub {
			$node->safe_psql('postgres',
				"SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
				  . " WHERE application_name = 'caller'");
		},
		'cancelled'
	],
	[
		'kill -9',
		sub {
			kill_process($node, backend_pid($node, 'bulkpar worker'));
			call_error($call);
		},
		'interrupted'
	])
{
	my ($name, $stop, $status) = @$case;

	make_table($node, 't', 4000);
	($session, $pid) = hold('SELECT FROM t WHERE id IN (100, 3000) FOR UPDATE');
	$call = start_call($node,
		"SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 100, 2)", %soon);
	is_kept($pid, 3998, $name);
	$job = last_job($node);
	$stop->();
	call_error($call);
	status_is($node, $job, $status, $name);
	is( $node->safe_psql('postgres',
			"SELECT count(throttled_by) FROM bulkpar_progress WHERE job_id = $job"
		),
		'0',
		"$name: nothing keeps it any more");
	if ($name eq 'kill -9')
	{
		eval { $session->quit; };
		($session, $pid) = hold('SELECT FROM t WHERE id = 100 FOR UPDATE');
	}
	$call =
	  start_call($node, "SELECT status FROM bulkpar_resume($job)");
	is_kept($pid, $name eq 'kill -9' ? 3999 : 3998, "$name, resumed");
	goes_on($call, $session, "$name, resumed");
}

# What a trigger needs, of which user code catches the error, or which comes at
# the end of the batch.
$node->safe_psql('postgres', <<'END');
CREATE TABLE sums (id int PRIMARY KEY, n int);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN UPDATE sums SET n = n + 1 WHERE id = NEW.id % 5; RETURN NULL; END';
CREATE FUNCTION note_or_not() RETURNS trigger LANGUAGE plpgsql AS '
BEGIN
	UPDATE sums SET n = n + 1 WHERE id = NEW.id % 5;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	RAISE WARNING ''not noted: %'', SQLERRM;
	RETURN NULL;
END';
CREATE FUNCTION note_or_raise() RETURNS trigger LANGUAGE plpgsql AS '
BEGIN
	UPDATE sums SET n = n + 1 WHERE id = NEW.id % 5;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	RAISE EXCEPTION ''not noted: %'', SQLERRM;
END';
END
foreach my $case (
	[ 'trigger', 'TRIGGER note AFTER UPDATE ON t', 'note' ],
	[ 'caught', 'TRIGGER note AFTER UPDATE ON t', 'note_or_not' ],
	[ 'raised anew', 'TRIGGER note AFTER UPDATE ON t', 'note_or_raise' ],
	[
		'deferred',
		'CONSTRAINT TRIGGER note AFTER UPDATE ON t INITIALLY DEFERRED',
		'note_or_not'
	])
{
	my ($name, $trigger, $function) = @$case;

	make_table($node, 't', 50);
	$node->safe_psql('postgres', <<"END");
TRUNCATE sums;
INSERT INTO sums SELECT g, 0 FROM generate_series(0, 4) g;
CREATE $trigger FOR EACH ROW EXECUTE FUNCTION $function();
END
	($session, $pid) = hold('SELECT FROM sums WHERE id = 3 FOR UPDATE');
	$call = start_call($node,
		"SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 20, 1, stripes => 1)",
		'bulkpar.lock_wait' => '20ms');
	is_kept($pid, 40, $name);
	is_gentle($name);
	goes_on($call, $session, $name);
	is( $node->safe_psql('postgres',
			"SELECT string_agg(n::text, ',' ORDER BY id) FROM sums"),
		'10,10,10,10,10',
		"$name: each row is noted once");
}

# A lock that user code does not want to wait for is an error of its own.
foreach my $case (
	[ 'NOWAIT', 'PERFORM FROM sums WHERE id = 3 FOR UPDATE NOWAIT' ],
	[
		'a timeout of its own',
		"SET LOCAL lock_timeout = '5ms'; PERFORM FROM sums WHERE id = 3 FOR UPDATE"
	])
{
	my ($name, $sql) = @$case;

	make_table($node, 't', 10);
	$node->safe_psql('postgres', <<"END");
CREATE OR REPLACE FUNCTION impatient() RETURNS trigger LANGUAGE plpgsql AS
	\$\$ BEGIN $sql; RETURN NULL; END \$\$;
CREATE TRIGGER impatient AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION impatient();
END
	($session, $pid) = hold('SELECT FROM sums WHERE id = 3 FOR UPDATE');
	like(
		call_error(
			start_call(
				$node, "SELECT bulkpar_update('t', 'n', 'n + 1')",
				'bulkpar.lock_wait' => '60s')),
		qr/^ERROR:  55P03:/m,
		"$name: the job fails");
	$session->quit;
}

# The workers of the job are no others: they wait for each other.
make_table($node, 't', 400);
$node->safe_psql('postgres', <<'END');
CREATE FUNCTION note_slowly() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN UPDATE sums SET n = n + 1 WHERE id = 1; PERFORM pg_sleep(0.1); RETURN NULL; END';
CREATE TRIGGER note AFTER UPDATE ON t EXECUTE FUNCTION note_slowly();
UPDATE sums SET n = 0;
END
$call = start_call($node,
	"SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 20, 3, stripes => 1)",
	'bulkpar.lock_wait' => '20ms');
is(stop_call($call), 'succeeded', 'workers: the job succeeds');
is_exactly($node, 't', 1, 'workers: every row is updated once');
is($node->safe_psql('postgres', 'SELECT n FROM sums WHERE id = 1'),
	'20', 'workers: each batch is noted once');
unlike($call->{err}, qr/cannot change/, 'workers: nobody else was in the way');

# The session that waits has the lock.
make_table($node, 't', 100);
my $error;
$node->psql('postgres', <<'END', stderr => \$error);
SET bulkpar.lock_wait = '50ms';
SELECT pg_advisory_lock(7);
SELECT bulkpar_update('t', 'n', 'n + 1 + gate(7)');
END
like($error, qr/ERROR:  deadlock detected/, 'deadlock: it is noticed');

# Who has had a lock that the job needs may wait for its caller later.
($call, $job) = start_slow_job($node, settings => \%soon, workers => 1);
my $waiting = start_call($node,
	"SELECT pg_advisory_lock(7) IS NULL, (SELECT status FROM bulkpar_wait($job))");
wait_until($node,
	"EXISTS (SELECT FROM pg_locks WHERE objid = 7 AND locktype = 'advisory')");
($session, $pid) = hold('SELECT FROM t WHERE id % 50 = 0 FOR UPDATE');
wait_until($node, "bool_or(throttled_by ~ '$pid') FROM bulkpar_progress");
$session->query_safe('COMMIT');
$session->query_until(qr/waits/,
	"\\echo waits\nSELECT pg_advisory_lock(7);\n");
wait_until($node,
	"EXISTS (SELECT FROM pg_locks WHERE pid = $pid AND NOT granted)");
sleep 5;
set_tempo($node, 0);
is(stop_call($waiting), 'f|succeeded', 'no deadlock: none is noticed');
is(stop_call($call), 'succeeded', 'no deadlock: the job succeeds');
$session->quit;

# A notice says once who it is.
make_table($node, 't', 100);
($session, $pid) = hold('SELECT FROM t WHERE id = 3 FOR UPDATE');
$call = start_call($node,
	"SELECT status FROM bulkpar_update('t', 'n', 'n + 1')", %soon);
wait_for_message($call, qr/HINT/);
goes_on($call, $session, 'notice');
my @notices = $call->{err} =~ /(NOTICE: .*cannot change some rows yet)/g;
is(scalar @notices, 1, 'notice: there is one');
like($call->{err}, qr/DETAIL:  For \d+ s: lock held by process $pid\.$/m,
	'notice: it says who has the lock');

# A prepared transaction keeps the number of the session that has prepared it: that may
# wait for the job, or have ended, and its number be that of a process of the job.
foreach my $case ([ 'the session that calls', 1 ], [ 'sessions that have ended', 5 ])
{
	my ($name, $count) = @$case;
	my @sessions = map { $node->background_psql('postgres') } 1 .. $count;

	make_table($node, 't', 1000);
	for (1 .. $count)
	{
		$sessions[$_ - 1]->query_safe("BEGIN; UPDATE t SET pid = 1 WHERE id = $_ * 10");
		$sessions[$_ - 1]->query_safe("PREPARE TRANSACTION 'held $_'");
	}
	if ($count > 1)
	{
		$_->quit for @sessions;
		@sessions = $node->background_psql('postgres');
	}
	$sessions[0]->query_safe("SET bulkpar.lock_wait = '100ms'");
	$sessions[0]->query_until(qr/calls/,
		"\\echo calls\nSELECT bulkpar_update('t', 'n', 'n + 1', 10, 2);\n");
	wait_until(
		$node,
		"EXISTS (SELECT FROM bulkpar_progress WHERE status = 'running'"
		  . " AND rows_done = 1000 - $count AND throttled_by = 'lock held by a prepared transaction')",
		"prepared by $name: all other rows are done, and it says who has the lock");
	sleep 3;
	$node->safe_psql('postgres', "COMMIT PREPARED 'held $_'") for 1 .. $count;
	wait_until($node, "status = 'succeeded' FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1",
		"prepared by $name: the job succeeds");
	$sessions[0]->quit;
	is_exactly($node, 't', 1, "prepared by $name: every row is updated once");
	is( $node->safe_psql('postgres',
			'SELECT sum(retries) FROM bulkpar_chunks WHERE job_id = ' . last_job($node)),
		0, "prepared by $name: without a failed try");
}

$node->stop;
done_testing();
