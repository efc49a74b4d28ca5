# A server that ends in the middle of a job leaves every batch whole.

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
my $node = start_server('crash', <<'END');
restart_after_crash = on
wal_writer_delay = 10s
END

sub kill_worker
{
	kill_process($node, backend_pid($node, 'bulkpar worker'));
	return;
}

my @kill9 = (sub { $node->kill9 }, sub { start_again($node) });
my @ways = (
	[ 'kill -9', @kill9 ],
	[ 'kill -9 again', @kill9 ],
	[ 'kill -9 once more', @kill9 ],
	[ 'kill -9 of a worker', \&kill_worker, sub { 1 } ],
	[ 'immediate stop', sub { $node->stop('immediate') }, sub { start_again($node) } ],
	[ 'fast stop', sub { $node->stop('fast') }, sub { start_again($node) } ]);

my @stripes = (8, 1, 64, 16, 3, 8);
foreach my $way (@ways)
{
	my ($name, $end, $restart) = @$way;
	my $stripes = shift @stripes;
	my $rows = 100 + int(rand(4000));

	make_table($node, 't', 20000);
	my $after = last_job($node);
	my $call = start_call($node,
		"SELECT bulkpar_update('t', 'n', 'n + 1 + slow(0.5)', 50, 4,"
		  . " stripes => $stripes)");
	my $job = wait_for_rows($node, $rows, $after);
	usleep(rand(200_000));
	note("$name after more than $rows rows in $stripes stripes");
	$end->();
	like(call_error($call), qr/connection to server was lost/,
		"$name: the caller loses its connection");
	ok($restart->(), "$name: the server starts again");

	is_whole($node, 't', $job, $name);
	is_quiet($node, 't', $name);
	# What has committed asynchronously in the end may be lost, even all of it.
	is( $node->safe_psql('postgres',
			'SELECT status, rows_done < 20000'
			  . " FROM bulkpar_progress WHERE job_id = $job"),
		'interrupted|t', "$name: the job is interrupted");
}

is( $node->safe_psql('postgres',
		"SELECT status FROM bulkpar_update('t', 'n', 'n + 1',"
		  . " condition => 'n = 0', stripes => 8)"),
	'succeeded', 'another job does the rest');
is_exactly($node, 't', 1, 'every row is updated once');

# A job that has succeeded is there after a crash, though its batches have
# committed asynchronously.
make_table($node, 't', 5000);
is( $node->safe_psql('postgres',
		"SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 50, 4)"),
	'succeeded', 'a job without a crash');
$node->kill9;
ok(start_again($node), 'and a crash after it');
is_exactly($node, 't', 1, 'all that it has done is there');
is( $node->safe_psql('postgres',
		'SELECT status FROM bulkpar.bulkpar_job ORDER BY job_id DESC LIMIT 1'),
	'succeeded', 'and that it has succeeded');

# While rows are looked up, and after that was given up: a row waits where it is
# looked at.
$node->safe_psql('postgres', <<'END');
CREATE FUNCTION rest(id integer, step integer, place integer) RETURNS integer
	IMMUTABLE LANGUAGE plpgsql AS
	'BEGIN IF id = place THEN PERFORM gate(); END IF; RETURN id % step; END';
END
my @moments = (
	[ 'while rows are looked up', 40, 20 ],
	[ 'after the look-up was given up', 2, 900 ]);
@ways = (
	[ 'kill -9', @kill9 ],
	[ 'kill -9 of a worker', \&kill_worker, sub { 1 } ],
	[
		'a terminated coordinator',
		sub {
			signal_backends($node, 'pg_terminate_backend',
				'bulkpar coordinator');
		},
		sub { 1 }
	],
	[
		'a cancel',
		sub {
			$node->safe_psql('postgres',
				'SELECT bulkpar_cancel(' . last_job($node) . ')');
		},
		sub { 1 }
	],
	[
		'a pause',
		sub {
			$node->safe_psql('postgres',
				'SELECT bulkpar_pause(' . last_job($node) . ')');
		},
		sub { 1 }
	]);
foreach my $moment (@moments)
{
	my ($when, $step, $place) = @$moment;

	foreach my $way (@ways)
	{
		my ($name, $end, $restart) = @$way;

		$name .= " $when";
		$node->safe_psql('postgres', <<'END');
DROP TABLE IF EXISTS t;
CREATE TABLE t (id integer PRIMARY KEY, n integer DEFAULT 0);
INSERT INTO t SELECT i * 367 % 1001 FROM generate_series(1, 1000) AS i;
ANALYZE t;
END
		my $gate = close_gate($node);
		my $call = start_call($node,
			"SELECT bulkpar_update('t', 'n', 'n + 1', 5, 1,"
			  . " condition => 'rest(id, $step, $place) = 0')");
		wait_for_workers($node, 1);
		$end->();
		# The gate may not open before the server has really died.
		ok($restart->(), "$name: the server is there");
		open_gate($gate);
		stop_call($call);
		wait_until($node,
			"NOT EXISTS (SELECT FROM pg_stat_activity"
			  . " WHERE backend_type LIKE 'bulkpar%')");
		is( $node->safe_psql('postgres',
				'SELECT sum(n) = (SELECT coalesce(sum(rows_changed), 0)'
				  . ' FROM bulkpar.bulkpar_chunk WHERE job_id = '
				  . last_job($node) . ') FROM t'),
			't', "$name: batches are whole");
		is( $node->safe_psql('postgres',
				'SELECT status FROM bulkpar_resume(' . last_job($node) . ')'),
			'succeeded', "$name: it is resumed");
		is( $node->safe_psql('postgres',
				"SELECT string_agg(DISTINCT (n - (id % $step = 0)::int)::text, ',')"
				  . ' FROM t'),
			'0', "$name: every row that matches is updated once");
		is( $node->safe_psql('postgres',
				'SELECT bool_and(keys IS NOT NULL)::int'
				  . ' FROM bulkpar.bulkpar_chunk WHERE job_id = '
				  . last_job($node)),
			$step == 2 ? 0 : 1, "$name: the rows are listed or not");
	}
}

# Rows that are deleted where they were listed: a batch waits at one of them,
# and they are no longer there when the job goes on.
$node->safe_psql('postgres', <<'END');
CREATE FUNCTION waits(id integer, place integer, listed boolean) RETURNS boolean
	STABLE LANGUAGE plpgsql AS $$ BEGIN
	IF id = place AND listed = EXISTS (SELECT FROM bulkpar.bulkpar_chunk
			WHERE job_id = current_setting('bulkpar.job_id')::bigint) THEN
		PERFORM gate();
	END IF;
	RETURN true; END $$;
END

# A table of which one row in 40 is to be deleted, and the call that does that.
sub make_listed
{
	my ($listed, $first) = @_;

	$node->safe_psql('postgres', <<'END');
DROP TABLE IF EXISTS t, kept;
CREATE TABLE t (id integer PRIMARY KEY, n integer DEFAULT 0);
INSERT INTO t SELECT i * 367 % 1001 FROM generate_series(1, 1000) AS i;
CREATE INDEX ON t (n);
ANALYZE t;
END
	my $place = $node->safe_psql('postgres',
		'SELECT id FROM t WHERE id % 40 = 0 ORDER BY ctid'
		  . ($first ? '' : ' DESC') . ' LIMIT 1');
	return "bulkpar_delete('t', 'id % 40 = 0 AND waits(id, $place, $listed)', 5, 1)";
}

my $new_rows = 'INSERT INTO t SELECT 100000 + 40 * i FROM generate_series(1, 20) AS i';
my %moves = (
	'no longer there' => 'DELETE FROM t WHERE id % 80 = 0',
	'updated' => 'UPDATE t SET n = n + 1 WHERE id % 3 > 0',
	'in the places of others' =>
	  "CREATE TABLE kept AS SELECT * FROM t WHERE id % 80 = 0; DELETE FROM t WHERE id % 80 = 0;"
	  . " VACUUM (INDEX_CLEANUP ON) t; $new_rows; INSERT INTO t SELECT * FROM kept",
	'rewritten' => "DELETE FROM t WHERE id % 7 = 0; $new_rows; CLUSTER t USING t_pkey",
);
foreach my $move (sort keys %moves)
{
	foreach my $end ('cancel', 'kill -9', 'look-up')
	{
		# What rewrites the table would wait for the job.
		next if $end eq 'look-up' && $moves{$move} =~ /VACUUM|CLUSTER/;
		my $name = "$move, $end";
		my $sql = make_listed($end eq 'look-up' ? 'false' : 'true', 1);
		my $gate = close_gate($node);
		my $call = start_call($node, "SELECT status FROM $sql");

		wait_for_workers($node, 1);
		if ($end eq 'cancel')
		{
			$node->safe_psql('postgres',
				'SELECT bulkpar_cancel(' . last_job($node) . ')');
		}
		elsif ($end eq 'kill -9')
		{
			# The list must not be lost: it would be made anew.
			$node->safe_psql('postgres', 'CHECKPOINT');
			$node->kill9;
			ok(start_again($node), "$name: the server is there");
		}
		if ($end ne 'look-up')
		{
			stop_call($call);
			open_gate($gate);
		}
		$node->safe_psql('postgres', "SET client_min_messages = error;\n$_")
		  foreach split /; /, $moves{$move};
		if ($end eq 'look-up')
		{
			open_gate($gate);
			stop_call($call);
		}
		else
		{
			is( $node->safe_psql('postgres',
					'SELECT status FROM bulkpar_resume('
					  . last_job($node) . ')'),
				'succeeded', "$name: it is resumed");
		}
		is( $node->safe_psql('postgres', <<'END'),
SELECT count(*) FILTER (WHERE id % 40 = 0 AND id < 100000) FROM t
END
			'0', "$name: all listed rows are deleted");
		is( $node->safe_psql('postgres',
				'SELECT count(*) FROM t WHERE id % 40 = 0'),
			$moves{$move} =~ /INSERT INTO t SELECT 100000/ ? 20 : 0,
			"$name: no others are, where they were");
		is( $node->safe_psql('postgres',
				'SELECT count(*) - count(*) FILTER (WHERE id % 40 = 0) FROM t'),
			$move eq 'rewritten' ? 836 : 975, "$name: nor any other rows");
	}
}

# They are found without a look into the index, unless a trigger could put a row
# with the same key in their place.
foreach my $trigger (0, 1)
{
	my $sql = make_listed('false', 0);
	my $scans;

	$node->safe_psql('postgres', <<'END') if $trigger;
CREATE OR REPLACE FUNCTION put_back() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN INSERT INTO t VALUES (OLD.id, OLD.n + 1); RETURN NULL; END';
CREATE TRIGGER put_back AFTER DELETE ON t FOR EACH ROW
	EXECUTE FUNCTION put_back();
END
	is( $node->safe_psql('postgres', "SELECT status, rows_changed FROM $sql"),
		'succeeded|25', "25 rows are deleted, triggers: $trigger");
	is( $node->safe_psql('postgres',
			'SELECT sum(n), count(*) FROM t WHERE id % 40 = 0'),
		$trigger ? '25|25' : '|0', "and once, triggers: $trigger");
	wait_until($node,
		"n_tup_del = 25 FROM pg_stat_user_tables WHERE relname = 't'");
	$scans = $node->safe_psql('postgres',
		"SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 't_pkey'");
	# Since 17 one scan finds neighbours.
	cmp_ok($scans, $trigger ? '>=' : '<', $trigger ? 20 : 25,
		"scans of the index, triggers: $trigger");
}

$node->stop;
done_testing();
