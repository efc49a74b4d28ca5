# Many partitions: what the condition leaves out is not touched, whatever becomes
# of it while the job lives, and small ones are taken together.  Nothing here is
# timed: locks, blocks, batches and rows read are counted.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('parts', 'bulkpar.report = off');

sub sql { return $node->safe_psql('postgres', $_[0]); }

# A table p with the partitions p_1 ... of so many days, with some rows each.
sub make_parts
{
	my ($parts, $rows) = @_;

	sql(<<"END");
SET client_min_messages = warning;
DROP TABLE IF EXISTS p;
CREATE TABLE p (id integer, day integer, n integer NOT NULL DEFAULT 0,
	PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
SELECT format('CREATE TABLE p_%s PARTITION OF p FOR VALUES FROM (%s) TO (%s)', k, k, k + 1)
FROM generate_series(1, $parts) AS k \\gexec
INSERT INTO p (id, day) SELECT i, k
FROM generate_series(1, $parts) AS k, generate_series(1, $rows) AS i;
ANALYZE p;
END
	return;
}

# What a job has come to, by its chunks.
sub chunks
{
	my ($job, $what) = @_;

	return sql("SELECT $what FROM bulkpar_chunks WHERE job_id = $job");
}

# What is left out is not locked, and none of its blocks is read.
sub blocks_of
{
	my ($parts) = @_;

	return sql("SELECT coalesce(sum(heap_blks_read + heap_blks_hit"
		  . " + idx_blks_read + idx_blks_hit), 0)"
		  . " FROM pg_statio_user_tables WHERE relname ~ '^p_($parts)\$'");
}

make_parts(40, 20);
my $before = blocks_of('[1-9]|[12].|3[0-57-9]|40');
my $reached_before = blocks_of('36');
my $lock = $node->background_psql('postgres', on_error_stop => 1);
$lock->query_safe("BEGIN");
$lock->query_safe("LOCK TABLE ONLY p_$_ IN ACCESS EXCLUSIVE MODE")
  foreach (grep { $_ != 36 } 1 .. 40);
my $call = start_call($node,
	"SELECT rows_changed FROM bulkpar_update('p', 'n', 'n + 1', 5, 2,"
	  . " condition => 'day = 36')");
is(stop_call($call), 20, 'a job does not wait for what it leaves out');
is($call->{err}, '', 'and says nothing');
$call = start_call($node,
	"SELECT count(*) > 5 FROM bulkpar_explain('p', 'n', 'n + 1', 5, 2,"
	  . " condition => 'day = 36', sample => true)");
is(stop_call($call), 't', 'nor does bulkpar_explain');
$lock->query_safe('ROLLBACK');
$lock->quit;
wait_until($node,
	"$reached_before < (SELECT sum(heap_blks_read + heap_blks_hit"
	  . " + idx_blks_read + idx_blks_hit)"
	  . " FROM pg_statio_user_tables WHERE relname = 'p_36')");
is(blocks_of('[1-9]|[12].|3[0-57-9]|40'),
	$before, 'no block of these is read');
is(sql("SELECT sum(n), count(*) FILTER (WHERE n = 1 AND day = 36) FROM p"),
	'20|20', 'the rows that match are updated once');

# What becomes of it later is nothing to the job.
foreach my $change (
	[
		'a row that matches is inserted into another partition that has come',
		'CREATE TABLE p_new PARTITION OF p FOR VALUES FROM (-5) TO (0);'
		  . ' INSERT INTO p VALUES (1, -1)',
		''
	],
	[
		'one is attached again, in which rows match now',
		'ALTER TABLE p DETACH PARTITION p_8; UPDATE p_8 SET day = day - 10;'
		  . ' ALTER TABLE p ATTACH PARTITION p_8 FOR VALUES FROM (-2) TO (-1)',
		''
	],
	[
		'a row is moved there, and does not match any more',
		'UPDATE p SET day = 7 WHERE day = 3 AND id = 20;',
		'AND NOT (day = 7 AND id = 20)'
	],
	[
		'one is dropped',
		'DROP TABLE p_9',
		''
	])
{
	my ($name, $sql, $but) = @$change;
	my $gate = close_gate($node);
	my $job;

	make_parts(9, 19);
	sql("INSERT INTO p VALUES (20, 3)");
	$job = sql("SELECT job_id FROM bulkpar_update('p', 'n', 'n + 1"
		  . " + CASE WHEN day = 2 THEN gate() ELSE 0 END', 10, 1,"
		  . " condition => 'day < 4', wait => false)");
	wait_for_workers($node, 1);
	is(sql("SELECT status FROM bulkpar_pause($job)"), 'paused', "$name: paused");
	open_gate($gate);
	sql($sql);
	is(sql("SELECT status FROM bulkpar_resume($job)"),
		'succeeded', "$name: resumed");
	is( sql("SELECT count(*) FROM bulkpar.bulkpar_part WHERE job_id = $job"),
		3, "$name: the job has the parts that it had");
	is( sql("SELECT string_agg(DISTINCT n::text, ',') FROM p"
			  . " WHERE day BETWEEN 1 AND 3"),
		'1', "$name: every row of these is updated once");
	is( sql("SELECT string_agg(DISTINCT n::text, ',') FROM p"
			  . " WHERE day NOT BETWEEN 1 AND 3 $but"),
		'0', "$name: and no other");
}

# Small parts in one batch, each with a chunk that says what it has come to.
make_parts(200, 18);
my $reads = "(SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)"
  . " FROM pg_stat_all_tables WHERE relid = 'bulkpar.bulkpar_chunk'::regclass)";
$before = sql("SELECT $reads");
my $done = sql("SELECT n_tup_upd FROM pg_stat_all_tables"
	  . " WHERE relid = 'bulkpar.bulkpar_chunk'::regclass");
sql("SELECT bulkpar_update('p', 'n', 'n + 1', 1000, 2)");
my $job = last_job($node);
is( chunks($job,
		"count(*), min(rows_done), max(rows_done), min(rows_changed),"
		  . " max(rows_changed), max(rows_found)"),
	'200|18|18|18|18|18',
	'each part is a chunk with its rows');
cmp_ok(chunks($job, 'sum(batches)'), '<=', 12, 'in few batches');
is(chunks($job, "max(rows_before)"), 199 * 18, 'one after the other');
is(sql("SELECT min(n), max(n), count(*) FROM p"), '1|1|3600', 'every row once');
is( sql("SELECT rows_done, rows_changed, percent FROM bulkpar_progress"
		  . " WHERE job_id = $job"),
	'3600|3600|100.0',
	'and all rows are counted');
wait_until($node,
	"n_tup_upd >= $done + 200 FROM pg_stat_all_tables"
	  . " WHERE relid = 'bulkpar.bulkpar_chunk'::regclass");
cmp_ok(sql("SELECT $reads") - $before,
	'<', 200 * 200 / 2, 'no part is looked for among all chunks');
is( sql("SELECT substring(line FROM 'about (\\d+) of') FROM"
		  . " bulkpar_explain('p', 'n', 'n + 1', 1000, 2) line WHERE line ~ '^Batches'"),
	chunks($job, 'sum(batches)'),
	'bulkpar_explain knows how many');
cmp_ok(
	sql("SELECT count(*) FROM bulkpar_explain('p', 'n', 'n + 1') line WHERE line ~ '^Table'"),
	'<', 12, 'and does not show them all');
is( sql("SELECT sum(substring(line FROM '(\\d+) rows')::int) FROM"
		  . " bulkpar_explain('p', 'n', 'n + 1') line WHERE line ~ '^Table'"),
	3600, 'but all of their rows');

# A part that has grown, and one of the size of a batch, are not taken so.
sql("INSERT INTO p (id, day) SELECT i, 3 FROM generate_series(100, 1200) i");
sql("SELECT bulkpar_update('p', 'n', 'n + 1', 100, 2)");
$job = last_job($node);
is(sql("SELECT count(*) FROM p WHERE n <> 2 AND NOT (day = 3 AND n = 1)"),
	0, 'a part that was estimated too small: every row once');
is( chunks($job, 'sum(rows_changed)') - chunks($job, 'sum(rows_done)'),
	0, 'and all are counted');

# By list and hash, on two levels, and where the columns have other numbers.
sql(<<'END');
CREATE TABLE h (id integer PRIMARY KEY, n integer NOT NULL DEFAULT 0) PARTITION BY HASH (id);
SELECT format('CREATE TABLE h_%s PARTITION OF h FOR VALUES WITH (MODULUS 30, REMAINDER %s)', k, k)
FROM generate_series(0, 29) AS k \gexec
INSERT INTO h SELECT generate_series(1, 600);
CREATE TABLE l (id integer, kind text, n integer NOT NULL DEFAULT 0, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE l_0 (n integer NOT NULL DEFAULT 0, gone integer, kind text NOT NULL, id integer NOT NULL);
ALTER TABLE l_0 DROP COLUMN gone;
ALTER TABLE l ATTACH PARTITION l_0 FOR VALUES IN ('k0', 'kx');
SELECT format('CREATE TABLE l_%s PARTITION OF l FOR VALUES IN (%L)', k, 'k' || k)
FROM generate_series(1, 9) AS k \gexec
CREATE TABLE l_rest PARTITION OF l DEFAULT PARTITION BY RANGE (id);
CREATE TABLE l_rest_1 PARTITION OF l_rest FOR VALUES FROM (1) TO (300);
CREATE TABLE l_rest_2 PARTITION OF l_rest FOR VALUES FROM (300) TO (1000);
INSERT INTO l SELECT i, 'k' || i % 15 FROM generate_series(1, 600) i;
CREATE TABLE t (id integer PRIMARY KEY, n integer NOT NULL DEFAULT 0);
CREATE TABLE t_1 (PRIMARY KEY (id)) INHERITS (t);
CREATE TABLE t_2 (PRIMARY KEY (id)) INHERITS (t);
INSERT INTO t SELECT generate_series(1, 50);
INSERT INTO t_1 SELECT generate_series(1, 50);
INSERT INTO t_2 SELECT generate_series(1, 50);
ANALYZE h, l, t;
END
foreach my $table ([ 'h', 600, 30 ], [ 'l', 600, 12 ], [ 't', 150, 3 ])
{
	my ($name, $rows, $parts) = @$table;

	is( sql("SELECT rows_changed FROM bulkpar_update('$name', 'n', 'n + 1',"
			  . " 200, 1)"),
		$rows, "$name: all rows are updated");
	$job = last_job($node);
	is(sql("SELECT DISTINCT n FROM $name"), 1, "$name: once");
	is( chunks($job,
			"count(DISTINCT part_no), sum(batches) < count(*), sum(rows_done)"),
		"$parts|t|$rows", "$name: some parts together");
	is( sql("SELECT count(*) FROM bulkpar_chunks c WHERE job_id = $job AND"
			  . " rows_changed <> (SELECT count(*) FROM $name x"
			  . " WHERE x.tableoid = c.relation)"),
		0, "$name: each chunk says what its part has come to");
	is( sql("SELECT rows_changed FROM bulkpar_delete('$name', 'id % 2 = 0',"
			  . " 200, 2)"),
		$rows / 2, "$name: a condition is looked at");
	is(sql("SELECT count(*), min(id % 2) FROM $name"),
		$rows / 2 . '|1', "$name: for each row");
}

# What fails together is done part by part.
make_parts(30, 10);
fails_with($node,
	"SELECT bulkpar_update('p', 'n', 'n + 1 / (20 - day)', 100, 1)",
	'22012', 'a row fails');
$job = last_job($node);
like(sql("SELECT context FROM bulkpar_jobs WHERE job_id = $job"),
	qr/chunk 20 of table "p", keys up to \(10, 20\)/, 'and is named');
is( sql("SELECT sum(n) = (SELECT sum(rows_changed) FROM bulkpar_chunks"
		  . " WHERE job_id = $job), count(*) FILTER (WHERE n <> 0 AND day = 20)"
		  . " FROM p") =~ s/^.*\|//r,
	0, 'nothing of its part has committed');
sql("UPDATE p SET n = 0");
is( sql("SELECT status, rows_changed, rows_failed FROM"
		  . " bulkpar_update('p', 'n', 'n + 1 + 0 / (id * day - 40)', 100, 2,"
		  . " on_error => 'skip')"),
	'succeeded|295|5', 'rows that fail are skipped');
is( sql("SELECT count(*) FILTER (WHERE n = 1), count(*) FILTER (WHERE id * day = 40 AND n = 0) FROM p"),
	'295|5', 'just these');

# Its chunks are given back for that, and each is claimed alone.
$job = last_job($node);
is( chunks($job,
		"bool_and(attempts = 2 AND epoch > 2) FILTER (WHERE rows_failed > 0),"
		  . " count(*) FILTER (WHERE status <> 'succeeded')"),
	't|0', 'each part that fails is claimed alone');

# A worker of a job on all parts dies in one of them, when its chunks are as
# expected; then the job must go on and succeed.
sub worker_dies
{
	my ($batch_size, $columns, $expected, $name) = @_;
	my $rows = sql('UPDATE p SET n = 0; SELECT count(*) FROM p');
	my $gate = close_gate($node);
	my $call = start_call($node,
		"SELECT status, rows_changed FROM bulkpar_update('p', 'n', 'n + 1"
		  . " + CASE WHEN day = 7 AND id = 5 THEN gate() ELSE 0 END', $batch_size, 1)");

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_for_workers($node, 1);
	$job = last_job($node);
	is(chunks($job, $columns), $expected, $name);
	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
		  . " WHERE backend_type = 'bulkpar worker'");
	wait_until($node,
		"EXISTS (SELECT FROM bulkpar_chunks WHERE job_id = $job AND epoch > 1)");
	open_gate($gate);
	is(stop_call($call), "succeeded|$rows",
		"$name: its worker dies, and the job goes on");
	is(sql("SELECT min(n), max(n) FROM p"), '1|1',
		"$name: every row is updated once");
	return;
}

make_parts(30, 10);
worker_dies(100, 'count(*) > 1', 't', 'several parts are claimed');

# Several batches of small parts are claimed at once.  One that fails gives back
# its own parts, and a worker that dies those that it has not done.
make_parts(60, 10);
is( sql("SELECT status, rows_changed, rows_failed FROM"
		  . " bulkpar_update('p', 'n', 'n + 1 / (8 - day)', 50, 1,"
		  . " on_error => 'skip')"),
	'succeeded|590|10', 'one of several batches fails');
is( chunks(last_job($node),
		"string_agg(chunk_no::text, ' ' ORDER BY chunk_no)"
		  . " FILTER (WHERE attempts = 2), count(*) FILTER (WHERE attempts = 1)"),
	'6 7 8 9 10|55', 'just its parts are claimed alone');
worker_dies(50, "count(*), count(*) FILTER (WHERE status = 'succeeded')",
	'30|5', 'six batches are claimed, and one is done');
is( chunks($job,
		"min(chunk_no) FILTER (WHERE attempts = 2), max(chunk_no) FILTER (WHERE attempts = 2)"),
	'6|30', 'those that were not done are claimed alone');

# Row level security and triggers mean what they mean in one statement.
make_parts(30, 10);
sql(<<'END');
CREATE ROLE clerk LOGIN;
GRANT SELECT, UPDATE ON p TO clerk;
ALTER TABLE p ENABLE ROW LEVEL SECURITY;
CREATE POLICY odd ON p TO clerk USING (id % 2 = 1);
CREATE FUNCTION keep_some() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN RETURN CASE WHEN OLD.id = 3 THEN NULL ELSE NEW END; END';
CREATE TRIGGER keep BEFORE UPDATE ON p FOR EACH ROW EXECUTE FUNCTION keep_some();
END
my ($out, $err) = run_as($node, 'clerk',
	"SELECT rows_changed FROM bulkpar_update('p', 'n', 'n + 1', 100, 2)");
is($out, 120, 'rows that a policy hides, or a trigger keeps, are left alone');
is($err, '', 'without an error');
is( sql("SELECT string_agg(DISTINCT id::text, ',' ORDER BY id::text) FROM p WHERE n = 1"),
	'1,5,7,9', 'just these');

$node->stop;
done_testing();
