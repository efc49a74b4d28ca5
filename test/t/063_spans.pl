# Rows that are deleted span by span: others move them, keep them locked and add
# some while the job runs, and the job is stopped in each of these states.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use Test::More;
use Time::HiRes qw(usleep);

my $node = start_fault_server('spans', '');

$node->safe_psql('postgres', <<'END');
CREATE FUNCTION waits(id integer, place integer) RETURNS boolean
	STABLE COST 1 LANGUAGE plpgsql AS $$ BEGIN
	IF id = place THEN PERFORM gate(); END IF;
	RETURN true; END $$;
END

# A table of 1000 rows on pages of their own, all full but the first ones, of which
# every other row is to be deleted, one with the last key among them.  Returns the
# call that does that, which waits at a row in the middle of the table.
sub make_spans
{
	my ($workers, $batch_size) = @_;

	$node->safe_psql('postgres', <<'END');
DROP TABLE IF EXISTS t;
CREATE TABLE t (id integer PRIMARY KEY, n integer DEFAULT 0, pad text, kind integer DEFAULT 0);
ALTER TABLE t ALTER pad SET STORAGE plain;
INSERT INTO t SELECT i * 367 % 1201, 0, repeat('x', 5000), i * 367 % 1201 % 2 FROM generate_series(1, 1200) AS i;
DELETE FROM t WHERE ctid < '(200,0)';
INSERT INTO t VALUES (1202, 0, repeat('x', 5000), 0);
VACUUM (ANALYZE) t;
END
	my $place = $node->safe_psql('postgres',
		"SELECT id FROM t WHERE id % 2 = 0 AND ctid > '(700,0)' ORDER BY ctid LIMIT 1");
	return "SELECT status FROM bulkpar_delete('t', 'kind = 0 AND waits(id, $place)', "
	  . ($batch_size // 5) . ", $workers)";
}

# Those rows that are yet to be deleted, at the end of the table, are updated, and
# so move to its beginning.
sub move_rows
{
	my ($name) = @_;

	$node->safe_psql('postgres', "UPDATE t SET n = n + 1 WHERE ctid > '(1000,0)'");
	cmp_ok($node->safe_psql('postgres',
			"SELECT count(*) FROM t WHERE n = 1 AND id % 2 = 0 AND ctid < '(200,0)'"),
		'>', 10, "$name: rows have moved to blocks that were read");
	return;
}

# The rows that match are gone and no others, and the books say so.
sub is_done
{
	my ($rows, $name) = @_;
	my $job = last_job($node);

	is( $node->safe_psql('postgres',
			'SELECT count(*) FILTER (WHERE id % 2 = 0 AND id < 10000),'
			  . ' count(*) FILTER (WHERE id % 2 = 1) FROM t'),
		"0|$rows->{others}", "$name: the rows are deleted, and no others");
	is( $node->safe_psql('postgres',
			'SELECT j.status, sum(c.rows_changed), sum(c.rows_done) = sum(c.rows_found),'
			  . " bool_and(c.rows_done >= c.rows_changed), count(*) > 4,"
			  . " bool_and(c.lo[1] LIKE '(%,0)' OR c.chunk_no = 1)"
			  . " FROM bulkpar_jobs j JOIN bulkpar_chunks c USING (job_id)"
			  . " WHERE job_id = $job GROUP BY j.status"),
		"succeeded|$rows->{deleted}|t|t|t|t", "$name: and counted");
	return;
}

# How many rows there are to delete, and others.
sub count_rows
{
	my %rows;

	@rows{qw(deleted others)} = split /\|/, $node->safe_psql('postgres',
		'SELECT count(*) FILTER (WHERE id % 2 = 0), count(*) FILTER (WHERE id % 2 = 1) FROM t');
	return \%rows;
}

# The only worker is where the condition says.  It dies, and another one comes there.
sub replace_worker
{
	my ($condition, $name) = @_;
	my $there = "FROM pg_stat_activity WHERE backend_type = 'bulkpar worker' AND $condition";
	my $pid = '';

	# It may come and go.
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		$pid = $node->safe_psql('postgres', "SELECT pid $there");
		last if $pid ne '';
		usleep(100_000);
	}
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	wait_until($node, "count(*) = 1 $there AND pid <> $pid", "$name: another worker goes on");
	return;
}

# Each block is read once, and at the end those that may have changed are looked at:
# none, if the visibility map says so, which it does not since 17 of a small table.
{
	my $hidden = "SELECT count(*) FROM pg_visibility_map('history') WHERE NOT all_visible";
	my $statistics = "FROM pg_statio_user_tables JOIN pg_stat_user_tables s USING (relid) WHERE s.relname = 'history'";
	my $blocks = "SELECT heap_blks_read + heap_blks_hit $statistics";
	my $rows = "SELECT seq_tup_read $statistics";
	my $version = $node->safe_psql('postgres', 'SHOW server_version_num');
	my $pages;
	my $before;

	$node->safe_psql('postgres', <<'END');
CREATE EXTENSION pg_visibility;
CREATE TABLE history (id uuid PRIMARY KEY, at integer) WITH (fillfactor = 10, autovacuum_enabled = off);
INSERT INTO history SELECT md5(i::text)::uuid, i FROM generate_series(1, 30000) AS i;
VACUUM (ANALYZE) history;
END
	# Once more where a process had a snapshot for a moment.
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		last if $node->safe_psql('postgres', $hidden) == 0;
		usleep(100_000);
		$node->safe_psql('postgres', 'VACUUM history');
	}
	is($node->safe_psql('postgres', $hidden), '0', 'read: all is to be seen by everybody');
	$pages = $node->safe_psql('postgres', "SELECT pg_relation_size('history') / current_setting('block_size')::integer");
	$before = $node->safe_psql('postgres', $blocks);
	is( $node->safe_psql('postgres',
			"SELECT status, rows_changed FROM bulkpar_delete('history', 'at % 3 < 0', 100, 2)"),
		'succeeded|0', 'none: the job succeeds');
	$before = $node->safe_psql('postgres', $blocks) - $before;
	cmp_ok($before, '>=', $pages, 'none: each block is read');
	cmp_ok($before, '<', ($version < 170000 ? 1.5 : 2.5) * $pages, 'none: but once');

	$before = $node->safe_psql('postgres', $rows);
	is( $node->safe_psql('postgres',
			"SELECT status, rows_changed FROM bulkpar_delete('history', 'at <= 10000', 100, 2)"),
		'succeeded|10000', 'read: the job succeeds');
	$before = $node->safe_psql('postgres', $rows) - $before;
	cmp_ok($before, '>=', 30000, 'read: each row');
	cmp_ok($before, '<', 31000, 'read: but once');
}

# Rows move while a span is listed.
foreach my $workers (1, 3)
{
	my $name = "moved, workers: $workers";
	my $sql = make_spans($workers);
	my $rows = count_rows();
	my $gate = close_gate($node);
	my $call = start_call($node, $sql);

	wait_for_workers($node, 1);
	move_rows($name) if $workers == 1;
	$node->safe_psql('postgres',
		"INSERT INTO t SELECT 10000 + 2 * i FROM generate_series(1, 20) AS i");
	open_gate($gate);
	is(stop_call($call), 'succeeded', "$name: the job succeeds");
	is_done($rows, $name);
	is($node->safe_psql('postgres', 'SELECT count(*) FROM t WHERE id > 10000'),
		'20', "$name: rows with keys after the last one stay");
}

# They move to blocks of which an index has told that there are none.
foreach my $cache ('4GB', '1MB')
{
	my $name = "left out, cache: $cache";
	my $sql = make_spans(1);
	my $rows;
	my $gate;
	my $call;

	$node->safe_psql('postgres', <<'END');
DELETE FROM t WHERE kind = 0 AND ctid < '(500,0)';
CREATE INDEX ON t (kind);
VACUUM (ANALYZE) t;
END
	$rows = count_rows();
	$gate = close_gate($node);
	$call = start_call($node, $sql, effective_cache_size => $cache);
	wait_for_workers($node, 1);
	is( $node->safe_psql('postgres',
			"SELECT min(substring(hi[1], '[0-9]+')::integer) > 500 FROM bulkpar_chunks"
			  . ' WHERE job_id = ' . last_job($node)),
		't', "$name: there are blocks in no span");
	move_rows($name);
	open_gate($gate);
	is(stop_call($call), 'succeeded', "$name: the job succeeds");
	is_done($rows, $name);
}

# The job is stopped, and it and the table are not what they were when it goes on.
my %ends = (
	'cancel' => sub {
		$node->safe_psql('postgres', 'SELECT bulkpar_cancel(' . last_job($node) . ')');
	},
	'pause' => sub {
		$node->safe_psql('postgres', 'SELECT bulkpar_pause(' . last_job($node) . ')');
	},
	'kill -9' => sub {
		$node->safe_psql('postgres', 'CHECKPOINT');
		$node->kill9;
		ok(start_again($node), 'the server is there');
	});
my %changes = (
	'vacuumed' => 'VACUUM t',
	'frozen' => 'VACUUM (FREEZE) t',
	'rewritten' => 'CLUSTER t USING t_pkey; VACUUM (FREEZE) t');
foreach my $end (sort keys %ends)
{
	foreach my $change (sort keys %changes)
	{
		my $name = "$end, $change";
		my $sql = make_spans(1);
		my $rows = count_rows();
		my $gate = close_gate($node);
		my $call = start_call($node, $sql);

		wait_for_workers($node, 1);
		$ends{$end}->();
		if ($end eq 'kill -9')
		{
			stop_call($call);
			open_gate($gate);
		}
		else
		{
			open_gate($gate);
			stop_call($call);
		}
		move_rows($name);
		$node->safe_psql('postgres', $_) foreach split /; /, $changes{$change};
		is( $node->safe_psql('postgres',
				'SELECT status FROM bulkpar_resume(' . last_job($node) . ')'),
			'succeeded', "$name: it is resumed");
		is_done($rows, $name);
	}
}

# A worker dies while it lists rows, and while it deletes them.
foreach my $event ('advisory', 'transactionid')
{
	my $name = "killed, $event";
	my $sql = make_spans(2);
	my $rows = count_rows();
	my $lists = $event eq 'advisory';
	my $session = $lists ? close_gate($node) : $node->background_psql('postgres');
	my $call;

	$session->query_safe("BEGIN; SELECT FROM t WHERE ctid > '(800,0)' AND id % 2 = 0 ORDER BY ctid LIMIT 1 FOR UPDATE")
	  if !$lists;
	$call = start_call($node, $sql);
	replace_worker("wait_event = '$event'", $name);
	$session->quit;
	is(stop_call($call), 'succeeded', "$name: the job succeeds");
	is_done($rows, $name);
}

# It dies when it has deleted the row with the last key, which is not the last of
# the last span.
{
	my $sql = make_spans(1, 1);
	my $rows = count_rows();
	my $gate = close_gate($node);
	my $call = start_call($node, $sql);
	my $session = $node->background_psql('postgres');

	wait_for_workers($node, 1);
	$node->safe_psql('postgres', 'UPDATE t SET n = n + 1 WHERE id = 1202');
	move_rows('last key');
	$session->query_safe('BEGIN');
	is( $session->query_safe(
			'WITH next AS (SELECT id FROM t WHERE kind = 0 AND n = 1 AND ctid > (SELECT ctid FROM t WHERE id = 1202) ORDER BY ctid LIMIT 1)'
			  . ' SELECT t.n FROM t JOIN next USING (id) FOR UPDATE OF t'),
		'1', 'last key: the row after it is locked');
	open_gate($gate);
	replace_worker("wait_event = 'transactionid'", 'last key');
	$session->quit;
	is(stop_call($call), 'succeeded', 'last key: the job succeeds');
	is_done($rows, 'last key');
}

# What rows are looked up in changes while they are: of those that are yet to be listed,
# or listed but not deleted, some must stay by now, and others need not any more.
{
	my $sql = make_spans(1);
	my $gate;
	my $call;

	$node->safe_psql('postgres', <<'END');
CREATE TABLE s (id integer PRIMARY KEY, n integer) WITH (autovacuum_enabled = off);
INSERT INTO s SELECT -i FROM generate_series(1, 3000) AS i;
INSERT INTO s SELECT id FROM t WHERE ctid BETWEEN '(1100,0)' AND '(1150,0)';
VACUUM ANALYZE s;
END
	$sql =~ s/AND waits/AND NOT EXISTS (SELECT FROM s WHERE s.id = t.id) AND waits/;
	$gate = close_gate($node);
	$call = start_call($node, $sql);
	wait_for_workers($node, 1);
	$node->safe_psql('postgres', <<'END');
DELETE FROM s WHERE id > 0;
INSERT INTO s SELECT id, 1 FROM t WHERE ctid > '(1000,0)' AND ctid < '(1050,0)';
INSERT INTO s SELECT id, 2 FROM t WHERE id % 2 = 0 AND ctid > '(690,0)' AND ctid < '(700,0)'
	AND EXISTS (SELECT FROM bulkpar_chunks WHERE status = 'running' AND hi[1]::tid > ctid AND lo[1]::tid <= ctid);
END
	open_gate($gate);
	is(stop_call($call), 'succeeded', 'another table changes: the job succeeds');
	is( $node->safe_psql('postgres',
			'SELECT count(*) FILTER (WHERE id % 2 = 0 AND NOT EXISTS (SELECT FROM s WHERE s.id = t.id)),'
			  . ' (SELECT count(*) FROM s WHERE n = 1 AND NOT EXISTS (SELECT FROM t WHERE t.id = s.id)),'
			  . ' (SELECT count(*) FROM s WHERE n = 2 AND NOT EXISTS (SELECT FROM t WHERE t.id = s.id)) FROM t'),
		'0|0|0', 'another table changes: what must stay by now stays, and nothing else');
	cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM s WHERE n = 1'), '>', 20, 'another table changes: some must');
	is($node->safe_psql('postgres', "SELECT bool_and(lo[1] LIKE '(%,0)' OR chunk_no = 1) AND count(*) > 4 FROM bulkpar_chunks"
			  . ' WHERE job_id = ' . last_job($node)), 't', 'another table changes: span by span');
	$node->safe_psql('postgres', 'DROP TABLE s');
}

# Somebody keeps rows locked: the others come first, and a worker that takes the
# span over does not count them twice.  If they are many the span is left as it
# is, and listed anew.
foreach my $many (0, 1)
{
	my $name = "locked, many: $many";
	my $sql = make_spans(1);
	my $rows = count_rows();
	my $session = $node->background_psql('postgres');
	my $locked = "kind = 0 AND "
	  . ($many ? "ctid > '(800,0)' AND ctid < '(840,0)'" : "ctid > '(800,0)' AND id % 50 = 0");
	my $aside = $node->safe_psql('postgres', "SELECT count(*) FROM t WHERE $locked");
	my $call;

	$session->query_safe("BEGIN; SELECT count(*) FROM (SELECT FROM t WHERE $locked FOR UPDATE) l");
	$call = start_call($node, $sql, 'bulkpar.lock_wait' => '100ms');
	wait_until($node,
		"EXISTS (SELECT FROM bulkpar_chunks WHERE status = 'running' AND throttled_by LIKE 'lock held by process%')"
		  . ($many ? '' : " AND (SELECT sum(rows_done) FROM bulkpar_chunks WHERE job_id = (SELECT max(job_id) FROM bulkpar_jobs)) = $rows->{deleted} - $aside"),
		"$name: rows are put aside");
	replace_worker("query LIKE '%throttled: lock held%'", $name);
	$session->quit;
	is(stop_call($call), 'succeeded', "$name: the job succeeds");
	is_done($rows, $name);
}

# Rows that are updated all the time, and so move to and fro.
{
	my $sql = make_spans(2);
	my $rows = count_rows();
	my $script = "$PostgreSQL::Test::Utils::tmp_check/update.sql";
	my $bench;

	PostgreSQL::Test::Utils::append_to_file($script, <<'END');
\set k random(1, 1200)
UPDATE t SET n = n + 1 WHERE id = :k;
END
	$bench = IPC::Run::start([ 'pgbench', '-n', '-c', '3', '-T', '600', '-f', $script,
			$node->connstr('postgres') ], '>', \my $out, '2>', \my $err);
	wait_until($node, 'sum(n) > 100 FROM t');
	is($node->safe_psql('postgres', $sql), 'succeeded', 'updated: the job succeeds');
	$bench->signal('TERM');
	$bench->finish;
	is( $node->safe_psql('postgres',
			'SELECT count(*) FILTER (WHERE id % 2 = 0), count(*) FILTER (WHERE id % 2 = 1) FROM t'),
		"0|$rows->{others}", 'updated: the rows are deleted, and no others');
}

$node->stop;
done_testing();
