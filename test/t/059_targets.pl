# One job over the same table in 200 schemas: each row of each is updated exactly
# once, whatever ends in the middle and whatever becomes of the tables meanwhile.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $tenants = 200;
my $rows = 30;

seed_random();
my $node = start_server('targets', <<'END');
restart_after_crash = on
wal_writer_delay = 10s
bulkpar.report = off
END

sub sql { return $node->safe_psql('postgres', $_[0]); }

# The tables, some of which differ from the others in what does not matter, and
# a view of all rows.
sql(<<"END");
DO \$\$
DECLARE
	tables text[];
BEGIN
	FOR i IN 1..$tenants LOOP
		EXECUTE format('CREATE SCHEMA t%s', i);
		IF i % 50 = 0 THEN
			EXECUTE format('CREATE TABLE t%s.item (n bigint DEFAULT 0, id int PRIMARY KEY)
				PARTITION BY RANGE (id)', i);
			EXECUTE format('CREATE TABLE t%1\$s.low PARTITION OF t%1\$s.item
				FOR VALUES FROM (MINVALUE) TO (10)', i);
			EXECUTE format('CREATE TABLE t%1\$s.high PARTITION OF t%1\$s.item
				FOR VALUES FROM (10) TO (MAXVALUE)', i);
		ELSIF i % 20 = 0 THEN
			EXECUTE format('CREATE TABLE t%s.item (gone int, n int DEFAULT 0, id int)', i);
			EXECUTE format('ALTER TABLE t%s.item DROP gone, ADD PRIMARY KEY (id)', i);
		ELSE
			EXECUTE format('CREATE TABLE t%s.item (id int PRIMARY KEY, n int DEFAULT 0)', i);
		END IF;
		tables := tables || format('t%s.item', i);
	END LOOP;
	EXECUTE 'CREATE VIEW items AS SELECT n FROM '
		|| array_to_string(tables, ' UNION ALL SELECT n FROM ');
END \$\$;
CREATE FUNCTION fill() RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
	FOR i IN 1..$tenants LOOP
		EXECUTE format('TRUNCATE t%s.item', i);
		EXECUTE format('INSERT INTO t%s.item (id) SELECT generate_series(1, $rows)', i);
	END LOOP;
END \$\$;
END

# The argument of a call, as the README has it.
my $all = <<'END';
(SELECT array_agg(c.oid::regclass ORDER BY n.nspname) FROM pg_class c
 JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname = 'item' AND n.nspname ~ '^t[0-9]+$')
END

my @ways = (
	[ 'kill -9 of the server', sub { $node->kill9 }, sub { start_again($node) } ],
	[
		'kill -9 of a worker',
		sub { kill_process($node, backend_pid($node, 'bulkpar worker')) },
		sub { 1 }
	],
	[
		'a terminated coordinator',
		sub { signal_backends($node, 'pg_terminate_backend', 'bulkpar coordinator') },
		sub { 1 }
	],
	[
		'a cancelled job',
		sub { sql('SELECT bulkpar_cancel(' . last_job($node) . ')') },
		sub { 1 }
	],
	[
		'a paused job',
		sub { sql('SELECT bulkpar_pause(' . last_job($node) . ')') },
		sub { 1 }
	]);

# The last tables are behind a gate: the job does not end before that.
foreach my $way (@ways)
{
	my ($name, $end, $restart) = @$way;
	my $after = last_job($node);
	my $stop = 100 + int(rand($tenants * $rows / 2));
	my $gate = close_gate($node);
	my $call;
	my $job;

	sql('SELECT fill()');
	$call = start_call($node,
		"SELECT status, rows_changed FROM bulkpar_update($all, 'n', 'n + 1 + slow(1)"
		  . " + CASE WHEN tableoid::regclass::text LIKE ''t9%'' THEN gate() ELSE 0 END', 10, 4)");
	$job = wait_for_rows($node, $stop, $after);
	usleep(rand(100_000));
	note("$name after more than $stop rows");
	$end->();
	open_gate($gate);
	stop_call($call);
	ok($restart->(), "$name: the server is there");
	is( sql(
			'SELECT (SELECT sum(n) FROM items) = (SELECT coalesce(sum(rows_changed), 0)'
			  . " FROM bulkpar_chunks WHERE job_id = $job)"),
		't', "$name: what has committed is in the books");
	is(sql("SELECT rows_done < $tenants * $rows FROM bulkpar_progress WHERE job_id = $job"),
		't', "$name: the job is not done");
	is(sql("SELECT status FROM bulkpar_resume($job)"), 'succeeded', "$name: the job goes on");
	is_exactly($node, 'items', 1, "$name: every row is updated once");
	is(sql("SELECT sum(rows_changed) FROM bulkpar_chunks WHERE job_id = $job"),
		$tenants * $rows, "$name: and counted");
}

# By name, once, though the array is in another order.
sql('SELECT fill()');
foreach my $order ('ASC', 'DESC')
{
	my $array = $all =~ s/n\.nspname\)/n.nspname $order)/r;

	is( sql(
			"SELECT status, rows_changed FROM bulkpar_update($array, 'n', 'n + 1',"
			  . " job_name => 'all', once => true)"),
		'succeeded|' . $tenants * $rows,
		"a named job, in the order $order");
}
is_exactly($node, 'items', 1, 'it has run once');

# While it waits, the call has no snapshot, though the tables come from a query.
# Meanwhile tables are renamed, moved and dropped.
sql('SELECT fill()');
my $gate = close_gate($node);
my $after = last_job($node);
my $call = start_call($node,
	"SELECT status, rows_changed FROM bulkpar_update($all, 'n', 'n + 1 + gate()', 1000, 2)");
wait_for_workers($node, 2);
my $job = last_job($node);
is( sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'caller'"
		  . ' AND backend_xmin IS NULL AND backend_xid IS NULL'),
	'1', 'a call with a subquery as its argument keeps no snapshot');
is( sql("SELECT target, cardinality(targets) FROM bulkpar_progress WHERE job_id = $job"),
	"t1.item|$tenants", 'the view shows how many tables there are');
like(
	sql("SELECT string_agg(query, ' ') FROM pg_stat_activity WHERE backend_type = 'bulkpar worker'"),
	qr/UPDATE ONLY t\d+\.item/, 'pg_stat_activity shows the table at hand');
my $pause = start_call($node, "SELECT status FROM bulkpar_pause($job)");
is(stop_call($pause), 'paused', 'it is paused');
open_gate($gate);
stop_call($call);
sql(<<'END');
CREATE SCHEMA away;
ALTER TABLE t90.item RENAME TO thing;
ALTER TABLE t91.item SET SCHEMA away;
CREATE TABLE t90.item (id int PRIMARY KEY, n int DEFAULT 0);
INSERT INTO t90.item VALUES (1);
ALTER SCHEMA t92 RENAME TO u92;
DROP SCHEMA t93 CASCADE;
DROP TABLE t150.item CASCADE;
END
is( sql("SELECT status, rows_changed FROM bulkpar_resume($job)"),
	'succeeded|' . ($tenants - 2) * $rows,
	'it goes on without the tables that are gone');
is(sql('SELECT n FROM t90.item'), '0', 'a table that has taken a name over is left alone');
is( sql(
		"SELECT string_agg(DISTINCT n::text, ',') FROM (SELECT n FROM t90.thing UNION ALL"
		  . ' SELECT n FROM away.item UNION ALL SELECT n FROM u92.item UNION ALL'
		  . ' SELECT n FROM t1.item UNION ALL SELECT n FROM t200.item) x'),
	'1', 'all others are updated, under the names that they have now');

# A tenant that is dropped while the job runs fails it, and it can be resumed.
sql('UPDATE t1.item SET n = 0; UPDATE t2.item SET n = 0; UPDATE t3.item SET n = 0');
$gate = close_gate($node);
$call = start_call($node,
	"SELECT bulkpar_update('{t1.item,t2.item,t3.item}', 'n', 'n + 1 + gate()', 5, 1)");
wait_for_workers($node, 1);
sql('DROP SCHEMA t3 CASCADE');
open_gate($gate);
like(call_error($call), qr/42P01: a table of the job no longer exists.*goes on without that table/s,
	'the error says that the job can go on without the table');
is(sql('SELECT status, rows_changed FROM bulkpar_resume((SELECT max(job_id) FROM bulkpar_jobs))'),
	'succeeded|' . 2 * $rows, 'and it does');
like(slurp_file($node->logfile), qr/LOG:  bulkpar job \d+ on table "item" and 2 more has failed/,
	'the server log has the number of tables');

$node->stop;
done_testing();
