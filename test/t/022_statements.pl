# Statements as jobs: what becomes of them when tables change their names, under
# other writers, and when processes or the server die.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use Test::More;

my $node = start_fault_server('statements', '');
my $execute = 'UPDATE t SET n = n + 1 + tempo()';
my ($call, $job);

# Start a job by any call, on a new table t, and wait until it is in the middle.
sub start_job
{
	my ($sql, %settings) = @_;

	make_table($node, 't', 2000);
	set_tempo($node, 1);
	my $after = last_job($node);
	$call = start_call($node, $sql, %settings);
	$job = wait_for_rows($node, 100, $after);
	return;
}

sub start_execute
{
	my ($statement, %settings) = @_;

	start_job("SELECT status, rows_changed FROM bulkpar_execute("
		  . "\$\$$statement\$\$, 20, 2)",
		%settings);
	return;
}

sub pause
{
	my ($name) = @_;

	$node->safe_psql('postgres', "SELECT bulkpar_pause($job)");
	stop_call($call);
	status_is($node, $job, 'paused', $name);
	return;
}

sub resume
{
	return resume_job($node, $job);
}

# The job cannot go on, and changes nothing in those tables.
sub refuses
{
	my ($name, $message, @tables) = @_;
	my @before = map { sums($_) } @tables;
	my $error = call_error(resume());

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like($error, qr/^ERROR:  42P01: $message/m, "$name: the error");
	status_is($node, $job, 'failed', $name);
	is_deeply([ map { sums($_) } @tables ],
		\@before, "$name: no row is touched");
	return;
}

sub sums
{
	my ($table) = @_;

	return $node->safe_psql('postgres',
		"SELECT count(*), sum(n), max(n) FROM $table");
}

# What a table of another name gets while the job is paused.
my $rename = 'ALTER TABLE t RENAME TO old';
my $replace = "BEGIN; $rename; CREATE TABLE t (LIKE old INCLUDING ALL);"
  . ' INSERT INTO t SELECT id, 0 FROM old; COMMIT';
my $put_back = 'DROP TABLE IF EXISTS t; ALTER TABLE old RENAME TO t';
my $swap = 'BEGIN; ALTER TABLE t RENAME TO x; ALTER TABLE old RENAME TO t;'
  . ' ALTER TABLE x RENAME TO old; COMMIT';

#
# Names
#
start_job("SELECT status FROM bulkpar_update("
	  . "'t', 'n', 't.n + 1 + tempo()', 20, 2, from_item => 'tempo s')");
pause('made of parts');
$node->safe_psql('postgres', $rename);
like(call_error(resume()), qr/^ERROR:  42P01: .*"t"/m,
	'made of parts: an expression with the old name');
$node->safe_psql('postgres', 'ALTER TABLE old RENAME TO t');
succeeds($node, $job, 'made of parts');

start_job("SELECT status FROM bulkpar_update("
	  . "'t', 'n', 'n + 1 + tempo()', 20, 2)");
pause('followed');
$node->safe_psql('postgres', $replace);
succeeds($node, $job, 'followed', 'old');
is_exactly($node, 't', 0, 'followed: the new table is not touched');
$node->safe_psql('postgres', 'DROP TABLE old');

start_job("SELECT status FROM bulkpar_delete("
	  . "'t', 'id > 10 AND tempo() = 0', 20, 2)");
pause('followed delete');
$node->safe_psql('postgres', $replace);
my $rows = $node->safe_psql('postgres', 'SELECT count(*) FROM t');
is(stop_call(resume()), 'succeeded', 'followed delete: resume');
is($node->safe_psql('postgres', 'SELECT count(*), max(id) FROM old'),
	'10|10', 'followed delete: the rows are gone');
is($node->safe_psql('postgres', 'SELECT count(*) FROM t'),
	$rows, 'followed delete: the new table is not touched');
$node->safe_psql('postgres', 'DROP TABLE old');

start_execute($execute);
pause('another table');
$node->safe_psql('postgres', $replace);
refuses('another table',
	'the statement of the job is now about another table', 't', 'old');
refuses('another table, again',
	'the statement of the job is now about another table', 't', 'old');
$node->safe_psql('postgres', $swap);
succeeds($node, $job, 'another table, and back');
is_exactly($node, 'old', 0, 'another table, and back: it is not touched');
$node->safe_psql('postgres', 'DROP TABLE old');

start_execute($execute);
pause('no table');
$node->safe_psql('postgres', $rename);
refuses('no table', 'relation "t" does not exist', 'old');
$node->safe_psql('postgres', 'ALTER TABLE old RENAME TO t');
succeeds($node, $job, 'no table, and back');

# In the middle of the job.
foreach my $sql ($rename, $replace)
{
	start_execute($execute);
	$node->safe_psql('postgres', $sql);
	like(call_error($call), qr/^ERROR:  42P01:/m,
		'while it runs: what the caller gets');
	status_is($node, $job, 'failed', 'while it runs');
	$node->safe_psql('postgres', $put_back);
	succeeds($node, $job, 'while it runs, and back');
}

# A table that comes before it in the search_path.
$node->safe_psql('postgres', 'CREATE SCHEMA first');
start_execute('UPDATE t SET n = t.n + 1 + public.tempo()',
	search_path => 'first,public');
pause('search_path');
$node->safe_psql('postgres', 'CREATE TABLE first.t AS SELECT * FROM public.t');
refuses('search_path',
	'the statement of the job is now about another table',
	'first.t', 'public.t');
$node->safe_psql('postgres', 'DROP TABLE first.t');
succeeds($node, $job, 'search_path, and back');

# The table of a DELETE, and one with an alias that other tables have as a name.
start_execute('DELETE FROM t AS tempo USING t o'
	  . ' WHERE o.id = tempo.id AND o.id > 10 AND tempo() = 0');
pause('delete');
$node->safe_psql('postgres', $replace);
refuses('delete', 'the statement of the job is now about another table',
	't', 'old');
$node->safe_psql('postgres', $put_back);
like(stop_call(resume()), qr/^succeeded/, 'delete: resume');
is( $node->safe_psql(
		'postgres',
		'SELECT count(*), max(id), (SELECT sum(rows_changed) FROM'
		  . " bulkpar.bulkpar_chunk WHERE job_id = $job) FROM t"),
	'10|10|1990',
	'delete: each row is counted once');

# Columns.
start_execute($execute);
pause('column');
$node->safe_psql('postgres', 'ALTER TABLE t RENAME COLUMN n TO m');
like(call_error(resume()),
	qr/^ERROR:  42703: column "n" /m, 'column: the error');
$node->safe_psql('postgres', 'ALTER TABLE t RENAME COLUMN m TO n');
succeeds($node, $job, 'column, and back');
start_execute($execute);
pause('key column');
$node->safe_psql('postgres', 'ALTER TABLE t RENAME COLUMN id TO key');
succeeds($node, $job, 'renamed key column');

# The index that was named: dropped, one of the same order takes its place.
start_job("SELECT status FROM bulkpar_execute('$execute', 20, 2,"
	  . " key_index => 't_pkey')");
pause('key index');
$node->safe_psql('postgres', 'ALTER TABLE t DROP CONSTRAINT t_pkey;'
	  . ' CREATE UNIQUE INDEX other ON t (id)');
succeeds($node, $job, 'key index');

#
# The name of a job
#
start_job("SELECT job_id FROM bulkpar_execute('$execute', 20, 2,"
	  . " job_name => 'named')");
my $same = start_call($node,
	"SELECT job_id FROM bulkpar_execute('$execute', job_name => 'named')");
fails_with(
	$node,
	"SELECT bulkpar_execute('UPDATE t SET n = n + 2', job_name => 'named')",
	'42710',
	'name: another statement');
fails_with(
	$node,
	"SELECT bulkpar_delete('t', NULL, job_name => 'named')",
	'42710', 'name: a delete');
set_tempo($node, 0);
is(stop_call($call), $job, 'name: the first call');
is(stop_call($same), $job, 'name: the second one has waited for it');
is_exactly($node, 't', 1, 'name: every row is updated once');

#
# Other writers
#
sub lock_row
{
	my ($sql) = @_;
	my $session = $node->background_psql('postgres');

	$session->query_safe("BEGIN; $sql");
	return $session;
}

sub unlock_row
{
	my ($session) = @_;

	wait_until($node,
		"count(*) > 0 FROM pg_stat_activity WHERE backend_type ="
		  . " 'bulkpar worker' AND wait_event_type = 'Lock'");
	$session->query_safe('COMMIT');
	$session->quit;
	return;
}

make_table($node, 't', 100);
$node->safe_psql('postgres', 'CREATE TABLE source (id integer, v integer);'
	  . ' INSERT INTO source SELECT i, 1 FROM generate_series(1, 100) i;'
	  . ' INSERT INTO source SELECT i, 1 FROM generate_series(1, 100) i');
my $writer = lock_row('UPDATE t SET n = n + 10 WHERE id = 50');
$call = start_call($node,
	"SELECT rows_changed FROM bulkpar_execute('UPDATE t SET n = t.n + s.v"
	  . " FROM source s WHERE s.id = t.id', 10)");
unlock_row($writer);
is(stop_call($call), '100', 'a locked row: all are updated');
is( $node->safe_psql('postgres',
		'SELECT n, count(*), max(id) FROM t GROUP BY n ORDER BY n'),
	"1|99|100\n11|1|50",
	'a locked row: its new value counts, and each row is updated once');

$writer = lock_row('UPDATE source SET v = 5 WHERE id = 50;'
	  . ' UPDATE t SET n = -1 WHERE id = 50; UPDATE t SET n = -1 WHERE id = 60');
$call = start_call($node,
	"SELECT rows_changed FROM bulkpar_execute('UPDATE t SET n = t.n + s.v"
	  . " FROM source s WHERE s.id = t.id AND t.n > 0', 10)");
unlock_row($writer);
is(stop_call($call), '98', 'a locked row: no longer meets the condition');
is($node->safe_psql('postgres', 'SELECT count(*) FROM t WHERE n = -1'),
	'2', 'a locked row: is left alone then');

$node->safe_psql('postgres', 'UPDATE t SET n = 0');
$writer = lock_row('UPDATE t SET n = 7 WHERE id = 50');
$call = start_call($node,
	'SELECT rows_changed, rows_unchanged FROM bulkpar_update('
	  . "'t', 'n', '7', 10, skip_unchanged => true)");
unlock_row($writer);
is(stop_call($call), '99|1', 'skip_unchanged: another has set the value');

$writer = lock_row('DELETE FROM t WHERE id = 50');
$call = start_call($node,
	"SELECT rows_changed FROM bulkpar_delete('t', 'n = 7', 10)");
unlock_row($writer);
is(stop_call($call), '99', 'delete: another has deleted the row');

#
# Dead processes
#
foreach my $statement (
	'UPDATE t SET n = t.n + 1 + tempo() FROM source s'
	. ' WHERE s.id = t.id % 100 + 1',
	'WITH w AS (SELECT 1 AS v) UPDATE t u SET (n, pid) ='
	. ' (SELECT u.n + w.v + tempo(), 1) FROM w')
{
	start_execute($statement);
	kill_process($node, backend_pid($node, 'bulkpar worker'));
	stop_call($call);
	wait_until($node, "count(*) = 0 FROM pg_stat_activity"
		  . " WHERE backend_type LIKE 'bulkpar%'");
	is_whole($node, 't', $job, 'a crash');
	succeeds($node, $job, 'a crash');
}

start_job("SELECT status FROM bulkpar_delete("
	  . "'t', 't.id > 10 AND s.id = t.id % 100 + 1 AND tempo() = 0', 20, 2,"
	  . " using_item => 'source s')");
signal_backends($node, 'pg_terminate_backend', 'bulkpar worker');
set_tempo($node, 0);
is(stop_call($call), 'succeeded', 'a terminated worker: another goes on')
  or diag($call->{err});
is( $node->safe_psql(
		'postgres',
		'SELECT count(*), max(id), (SELECT sum(rows_changed) FROM'
		  . " bulkpar.bulkpar_chunk WHERE job_id = $job) FROM t"),
	'10|10|1990',
	'a terminated worker: each row is deleted and counted once');

start_job("SELECT status FROM bulkpar_update("
	  . "'t', 'n', 'id % 2 + tempo()', 20, 2, skip_unchanged => true)");
$node->stop('immediate');
$call->{psql}->finish;
ok(start_again($node), 'a crash of the server');
status_is($node, $job, 'interrupted', 'skip_unchanged');
is(stop_call(resume()), 'succeeded', 'skip_unchanged: resume');
is( $node->safe_psql(
		'postgres',
		'SELECT count(*) FILTER (WHERE n = id % 2), rows_changed,'
		  . ' rows_unchanged FROM t, bulkpar_progress'
		  . " WHERE job_id = $job GROUP BY 2, 3"),
	'2000|1000|1000',
	'skip_unchanged: all counts survive the crash');

# Few rows of many, by a key of two columns: they are listed, and a crash leaves
# the list behind.
$node->safe_psql('postgres', <<'END');
CREATE TABLE pairs (a int, b text, n int DEFAULT 0, PRIMARY KEY (a, b));
INSERT INTO pairs SELECT g % 10, 'k' || g FROM generate_series(1, 20000) g;
ANALYZE pairs;
END
my $after = last_job($node);
set_tempo($node, 50);
$call = start_call($node, "SELECT status FROM bulkpar_update("
	  . "'pairs', 'n', 'n + 1 + tempo()', 20, 2, condition => 'b LIKE ''%77''')");
$job = wait_for_rows($node, 40, $after);
$node->stop('immediate');
$call->{psql}->finish;
ok(start_again($node), 'listed: a crash of the server');
status_is($node, $job, 'interrupted', 'listed');
set_tempo($node, 0);
is(stop_call(resume()), 'succeeded', 'listed: resume');
is( $node->safe_psql(
		'postgres',
		"SELECT (SELECT count(*) FROM pairs WHERE n <> (b LIKE '%77')::int),"
		  . ' sum(rows_changed), bool_and(keys IS NOT NULL) FROM bulkpar.bulkpar_chunk'
		  . " WHERE job_id = $job"),
	'0|200|t', 'listed: each row is updated once');

# What a job may write against max_wal_size.
$node->safe_psql('postgres', <<'END');
CREATE TABLE wide (id int PRIMARY KEY, n int DEFAULT 0, filler text);
INSERT INTO wide SELECT g, 0, repeat('x', 1000) FROM generate_series(1, 20000) g;
ANALYZE wide;
ALTER SYSTEM SET max_wal_size = '32MB';
END
$node->reload;
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM bulkpar_explain('wide', 'n', 'n + 1') line"
		  . " WHERE line ~ '^Warning: max_wal_size is 32 MB, .* some 4\\d MB'"),
	'1', 'bulkpar_explain warns of a small max_wal_size');
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM bulkpar_explain('wide', 'n', 'n + 1',"
		  . " condition => 'id < 100') line WHERE line ~ 'max_wal_size'"),
	'0', 'but not where few rows match');

log_is_clean($node, 'statements');
$node->stop;
done_testing();
