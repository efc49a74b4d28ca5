# A server that ends in the middle of a copy, a move, a merge or a call: when the job has
# been resumed no row is in both tables, in neither, or twice.

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
my $rows = 4000;
my $node = start_fault_server('walk', 'wal_writer_delay = 10s');

$node->safe_psql('postgres', <<'END_SQL');
CREATE TABLE events (id integer, part integer, n integer NOT NULL DEFAULT 0,
	PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE events_0 PARTITION OF events FOR VALUES IN (0);
CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1);
CREATE TABLE archive (id integer, n integer);
CREATE TABLE merged (id integer, part integer, n integer);
CREATE TABLE calls (id integer);
CREATE FUNCTION called(id integer) RETURNS integer LANGUAGE plpgsql
	SET search_path = public AS
	'BEGIN INSERT INTO calls VALUES (id); RETURN tempo(); END';
END_SQL

# What the statements are, and how often each row is then where.
my %forms = (
	copy => [
		'INSERT INTO archive SELECT id, tempo() FROM events', '1|1|0'
	],
	move => [
		'WITH moved AS (DELETE FROM events RETURNING id, n + tempo() AS n)'
		  . ' INSERT INTO archive SELECT id, n FROM moved',
		'0|1|0'
	],
	keep => [
		'WITH old AS (UPDATE events SET n = n + 1 + tempo() RETURNING id, n)'
		  . ' INSERT INTO archive SELECT id, n - 1 FROM old',
		'1|1|0'
	],
	merge => [
		'MERGE INTO merged m USING events e ON m.id = e.id AND m.part = e.part'
		  . ' WHEN MATCHED THEN UPDATE SET n = m.n + 1 + tempo()'
		  . ' WHEN NOT MATCHED THEN INSERT VALUES (e.id, e.part, 1 + tempo())',
		'1|0|0'
	],
	call => [ 'SELECT called(id) FROM events', '1|0|1' ]);

sub kill_worker
{
	my ($pid) = backend_pids($node, 'bulkpar worker');

	kill_process($node, $pid) if defined $pid;
	return 1;
}

my @ways = (
	[ 'kill -9', sub { $node->kill9; start_again($node) } ],
	[ 'kill -9 of a worker', \&kill_worker ],
	[ 'immediate stop', sub { $node->stop('immediate'); start_again($node) } ]);

# How often each row is in the tables, if that is the same for all rows.
sub places
{
	return $node->safe_psql('postgres', <<"END_SQL");
SELECT string_agg(DISTINCT concat_ws('|', events, archived, called), ' ') FROM (
	SELECT (SELECT count(*) FROM events e WHERE e.id = i) AS events,
		(SELECT count(*) FROM archive a WHERE a.id = i AND a.n = 0) AS archived,
		(SELECT count(*) FROM calls c WHERE c.id = i) AS called
	FROM generate_series(1, $rows) AS i) AS places
END_SQL
}

$node->safe_psql('postgres', <<'END_SQL');
CREATE INDEX ON archive (id);
CREATE INDEX ON calls (id);
CREATE INDEX ON merged (id);
END_SQL
foreach my $form (sort keys %forms)
{
	my ($statement, $expected) = @{ $forms{$form} };

	foreach my $way (@ways)
	{
		my ($name, $end) = @$way;
		my $size = 10 + int(rand(60));
		my ($job, $done);

		$name = "$form, $name";
		$node->safe_psql('postgres', <<"END_SQL");
TRUNCATE events, archive, calls, merged;
INSERT INTO merged SELECT i, i % 2, 0 FROM generate_series(1, $rows, 2) AS i;
INSERT INTO events SELECT i, i % 2 FROM generate_series(1, $rows) AS i;
ANALYZE events;
END_SQL
		set_tempo($node, 1);
		my $after = last_job($node);
		my $call = start_call($node,
			"SELECT bulkpar_execute('$statement', 20, 2)");
		wait_for_rows($node, 100 + int(rand(1000)), $after);
		ok($end->(), "$name: the server starts again");
		stop_call($call);

		set_tempo($node, 0);
		$job = last_job($node);
		$done = $node->safe_psql('postgres',
			"SELECT status || ' ' || (rows_done < $rows)"
			  . " FROM bulkpar_progress WHERE job_id = $job");
		is($done, 'interrupted true', "$name: the job is interrupted");
		is( $node->safe_psql('postgres',
				"SELECT status, rows_changed FROM bulkpar_resume($job, 3, $size)"),
			"succeeded|$rows", "$name: it goes on to its end");
		is(places(), $expected, "$name: each row is where it should be, once");
		is( $node->safe_psql('postgres',
				'SELECT count(*), min(n), max(n), count(DISTINCT id) FROM merged'),
			"$rows|1|1|$rows", "$name: each row is merged once")
		  if $form eq 'merge';
	}
}
log_is_clean($node, 'walk');

$node->stop;
done_testing();
