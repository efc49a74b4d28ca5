# Partitions that come and go while a job is paused, and a server that ends in
# the middle of a job on a partitioned table.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('partitions', 'bulkpar.report = off');
my $rows = 1000;

sub sql { return $node->safe_psql('postgres', $_[0]); }

# A table p with five partitions of a fifth of the rows each, and one without
# rows; the third is partitioned by hash.
sub make_parts
{
	my $fifth = $rows / 5;

	sql(<<"END");
SET client_min_messages = warning;
DROP TABLE IF EXISTS p;
CREATE TABLE p (id integer PRIMARY KEY, n integer NOT NULL, pid integer)
	PARTITION BY RANGE (id);
SELECT format('CREATE TABLE p_%s PARTITION OF p FOR VALUES FROM (%s) TO (%s) %s',
	k, (k - 1) * $fifth + 1, k * $fifth + 1,
	CASE WHEN k = 3 THEN 'PARTITION BY HASH (id)' ELSE '' END)
FROM generate_series(1, 6) AS k \\gexec
CREATE TABLE p_3_0 PARTITION OF p_3 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p_3_1 PARTITION OF p_3 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO p SELECT i, 0 FROM generate_series(1, $rows) AS i;
ANALYZE p;
END
	return;
}

# What has committed is what the chunks say, and the job is done with its parts.
sub sums_agree
{
	my ($job, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is( sql("SELECT sum(n) = (SELECT coalesce(sum(rows_changed), 0)"
			  . " FROM bulkpar.bulkpar_chunk WHERE job_id = $job), max(n) <= 1 FROM p"),
		't|t', "$name: the chunks say what has committed");
	return;
}

# Start a job, pause it when the first partition is done and the gate that
# keeps it from the id is reached.  Returns its id.
sub pause_at
{
	my ($id, $workers) = @_;
	my $gate = close_gate($node);
	my $job;

	make_parts();
	$job = sql("SELECT job_id FROM bulkpar_update('p', 'n', 'n + 1"
		  . " + CASE WHEN id = $id THEN gate() ELSE 0 END', 10, $workers,"
		  . ' stripes => 1, wait => false)');
	wait_for_workers($node, 1);
	is(sql("SELECT status FROM bulkpar_pause($job)"),
		'paused', "paused at id $id");
	open_gate($gate);
	sums_agree($job, "paused at id $id");
	return $job;
}

# kill -9 of the server, early and late, in one stripe and in several.  The third
# partition, whose own come last, is behind a gate: the job does not end before that.
foreach my $case ([ 30, 1 ], [ 500, 4 ], [ 700, 1 ])
{
	my ($done, $stripes) = @$case;
	my $name = "kill -9 after $done rows in $stripes stripes";
	my $after = last_job($node);
	my $gate = close_gate($node);
	my ($call, $job);

	make_parts();
	$call = start_call($node,
		"SELECT bulkpar_update('p', 'n', 'n + 1 + slow(2)"
		  . " + CASE WHEN id BETWEEN 401 AND 600 THEN gate() ELSE 0 END', 10, 2,"
		  . " stripes => $stripes)");
	$job = wait_for_rows($node, $done, $after);
	$node->kill9;
	open_gate($gate);
	call_error($call);
	ok(start_again($node), "$name: the server starts again");
	sums_agree($job, $name);
	is(sql("SELECT status FROM bulkpar_jobs WHERE job_id = $job"),
		'interrupted', "$name: the job is interrupted");
	is(sql("SELECT status, rows_changed FROM bulkpar_resume($job)"),
		"succeeded|$rows", "$name: it is resumed");
	is_exactly($node, 'p', 1, "$name: every row is updated once");
}

# Partitions that are dropped or detached: one that is done, one that is at
# work, and one that is still to come.
foreach my $way ('DROP TABLE %s', 'ALTER TABLE p DETACH PARTITION %s')
{
	foreach my $part (1, 2, 5)
	{
		my $job = pause_at(250, 1);
		my $name = sprintf($way, "p_$part");

		sql($name);
		is(sql("SELECT status FROM bulkpar_resume($job)"),
			'succeeded', "$name: the job goes on without it");
		is_exactly($node, 'p', 1, "$name: all others are updated once");
		is(sql("SELECT count(*) FROM p"), $rows * 4 / 5,
			"$name: no other row is missing");
		is( sql("SELECT string_agg(part_no::text, ',') FROM bulkpar.bulkpar_part"
				  . " WHERE job_id = $job AND gone"),
			{ 1 => 1, 2 => 2, 5 => 4 }->{$part}, "$name: it is gone");
		next if $name =~ /^DROP/;
		is( sql("SELECT string_agg(DISTINCT n::text, ',' ORDER BY n::text) FROM p_$part"),
			{ 1 => '1', 2 => '0,1', 5 => '0' }->{$part},
			"$name: it is as it was");
		sql("DROP TABLE p_$part");
	}
}

# The target is dropped, or all that is left of it.
my $job = pause_at(250, 1);
sql('DROP TABLE p_2, p_3, p_4, p_5, p_6');
is(sql("SELECT status FROM bulkpar_resume($job)"),
	'succeeded', 'nothing but the first partition is left');
is_exactly($node, 'p', 1, 'and it was done');
$job = pause_at(250, 2);
sql('DROP TABLE p');
is( $node->psql('postgres', "SELECT bulkpar_resume($job)"),
	3, 'a job does not go on without its table');
is(sql("SELECT status FROM bulkpar_jobs WHERE job_id = $job"),
	'failed', 'and has failed');

# A partition that is attached is not of the job, one that comes again is not
# updated twice.
$job = pause_at(250, 1);
sql(<<'END');
ALTER TABLE p DETACH PARTITION p_1;
ALTER TABLE p ATTACH PARTITION p_1 FOR VALUES FROM (1) TO (201);
ALTER TABLE p DETACH PARTITION p_5;
ALTER TABLE p ATTACH PARTITION p_5 FOR VALUES FROM (801) TO (1001);
CREATE TABLE p_7 (id integer PRIMARY KEY, n integer NOT NULL, pid integer);
INSERT INTO p_7 SELECT i, 0 FROM generate_series(2001, 2100) AS i;
ALTER TABLE p ATTACH PARTITION p_7 FOR VALUES FROM (2001) TO (3001);
END
is(sql("SELECT status, rows_changed FROM bulkpar_resume($job)"),
	"succeeded|$rows", 'partitions are attached: the job goes on');
is( sql("SELECT string_agg(DISTINCT n::text, ',') FROM p WHERE id <= $rows"),
	'1', 'those that have come again are updated once');
is( sql("SELECT string_agg(DISTINCT n::text, ',') FROM p_7"),
	'0', 'a new one is not of the job');

# While the job runs: it fails, and goes on without that partition.
my $gate = close_gate($node);
make_parts();
$job = sql("SELECT job_id FROM bulkpar_update('p', 'n', 'n + 1"
	  . " + CASE WHEN id = 50 THEN gate() ELSE 0 END', 10, 1, stripes => 1,"
	  . ' wait => false)');
wait_for_workers($node, 1);
my $drop = start_call($node, 'DROP TABLE p_4');
wait_until($node, "EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'relation')");
open_gate($gate);
stop_call($drop);
is($drop->{err}, '', 'a partition is dropped while the job runs');
is( $node->psql('postgres', "SELECT bulkpar_wait($job)"),
	3, 'the job fails');
like( sql("SELECT message FROM bulkpar_jobs WHERE job_id = $job"),
	qr/^a part of table "p" was dropped or detached while the job ran$/,
	'and says why');
is(sql("SELECT status FROM bulkpar_resume($job)"), 'succeeded', 'and goes on');
is_exactly($node, 'p', 1, 'all others are updated once');

$node->stop;
done_testing();
