# What an error message says of the keys of a batch is in memory that comes and
# goes with the batch.  The memory of a long key goes back to the system, so
# that to read it too late is a crash.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

# Also after the first such block was freed, which makes glibc keep the next.
$ENV{MALLOC_MMAP_THRESHOLD_} = 65536;

my $node = start_server('context', 'bulkpar.report = off');
my $length = 200_000;
my $worker = "FROM pg_stat_activity WHERE backend_type = 'bulkpar worker'";

sub sql { return $node->safe_psql('postgres', $_[0]); }

# The first batch of the job fails once, and is tried again.
sql(<<"END");
CREATE TABLE t (k text PRIMARY KEY, id integer, n integer DEFAULT 0);
INSERT INTO t SELECT rpad(i::text, $length, 'x'), i FROM generate_series(1, 9) i;
CREATE SEQUENCE tries;
CREATE FUNCTION fail_once() RETURNS integer LANGUAGE plpgsql AS '
BEGIN
	PERFORM gate();
	IF nextval(''tries'') = 1 THEN
		RAISE ''once'' USING ERRCODE = ''serialization_failure'';
	END IF;
	RETURN 0;
END';
END
my $gate = close_gate($node);
my $job = sql("SELECT job_id FROM bulkpar_update('t', 'n', 'n + 1 + fail_once()',"
	  . " 1, 1, wait => false)");
wait_for_workers($node, 1);

# Before the next try it waits for a lock that stands in line since the first.
my $locker = start_call($node,
	'BEGIN; LOCK TABLE t; SELECT pg_advisory_lock(1); COMMIT');
my $second_gate = close_gate($node, 1);
wait_until($node,
	"EXISTS (SELECT FROM pg_locks WHERE relation = 't'::regclass AND NOT granted)");
open_gate($gate);
wait_until($node,
	"EXISTS (SELECT $worker AND wait_event_type = 'Lock'"
	  . " AND wait_event = 'relation')",
	'the batch is tried again, and waits for the table');
my $pid = sql("SELECT pid $worker");
sql("SELECT pg_terminate_backend($pid)");
wait_until($node, "NOT EXISTS (SELECT $worker AND pid = $pid)",
	'the worker is terminated');

# Another takes over.
open_gate($second_gate);
stop_call($locker);
is(sql("SELECT status, rows_changed FROM bulkpar_wait($job)"),
	'succeeded|9', 'the job goes on');
is_exactly($node, 't', 1, 'every row is updated once');

# The log says which keys an error is about, or nothing.
sql('UPDATE t SET n = CASE id WHEN 2 THEN 0 ELSE 1 END');
fails_with($node, "SELECT bulkpar_update('t', 'n', '1 / n', 1, 1)",
	'22012', 'a job that fails');
my @contexts = slurp_file($node->logfile) =~ /bulkpar job \d+, chunk .* keys (.*)/g;
ok((grep { /^after \(1x+\) up to \(2x+\)$/ } @contexts) > 0,
	'the keys of the batch that failed');
is(scalar(grep { !/^(?:after \([1-9]x+\) )?up to \([1-9]x+\)$/ } @contexts),
	0, 'no other keys are told');
log_is_clean($node, 'long keys');

$node->stop;
done_testing();
