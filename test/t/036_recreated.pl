# The extension is dropped and created again while a job runs, and the numbers
# of jobs begin anew.  What is left of the old job and whoever waits for it must
# not take the new job of its number for it, which is another role's.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use Test::More;

my $node = start_server('recreated', 'bulkpar.report = off');
my $theirs = "pg_stat_activity WHERE usename = 'mallory'";

sub super { return $node->safe_psql('postgres', $_[0]); }

# Stop the coordinator of mallory's job, as a busy machine may, while it holds no
# lock on a table.  Returns its pid.
sub stop_coordinator
{
	for (;;)
	{
		my $pid = super("SELECT pid FROM $theirs AND backend_type = 'bulkpar coordinator'");

		kill 'STOP', $pid;
		return $pid
		  if super("SELECT count(*) FROM pg_locks WHERE pid = $pid AND locktype = 'relation'") eq '0';
		kill 'CONT', $pid;
	}
}

super(<<'END');
CREATE ROLE mallory LOGIN;
CREATE ROLE alice LOGIN;
CREATE SCHEMA m AUTHORIZATION mallory;
CREATE TABLE m.t (id integer PRIMARY KEY, n integer);
ALTER TABLE m.t OWNER TO mallory;
END
make_table($node, 'a', 200);
super('ALTER TABLE a OWNER TO alice');

my %jobs = (
	'a batch' => "'n + 1 + public.gate(1)', 5, 1, stripes => 1",
	'two workers' => "'n + 1 + public.gate(1)', 5, 2, stripes => 1",
	'a batch that fails' => "'n + 1 / public.gate(1)', 5, 1",
	'rows that are skipped' => "'n + 1 / public.gate(1)', 5, 1, on_error => 'skip'",
	'planning' => "'n + 1', 5, 1, condition => 'n = 7 AND public.gate(1) = 0'");
my %waits = (
	'bulkpar_wait' => 'SELECT status FROM bulkpar_wait(1)',
	'bulkpar_wait in a transaction' => 'BEGIN; SELECT status FROM bulkpar_wait(1)',
	'bulkpar_await' => 'CALL bulkpar_await(1)',
	'bulkpar_cancel' => 'SELECT status FROM bulkpar_cancel(1)',
	'bulkpar_pause' => 'SELECT status FROM bulkpar_pause(1)');
my $round = 0;
foreach my $what (sort keys %jobs)
{
	my %call = (role => 'mallory', 'bulkpar.progress_interval' => 100, 'bulkpar.report' => 'on');
	my (@gates, @waiting, $coordinator, $caller, $call);

	super("TRUNCATE m.t; INSERT INTO m.t SELECT i, 0 FROM generate_series(1, 20000) i;"
		  . ' UPDATE m.t SET n = 7 WHERE id % 5000 = 0; ANALYZE m.t; UPDATE a SET n = 0');
	super('DROP EXTENSION bulkpar; CREATE EXTENSION bulkpar') if $round++;
	@gates = (close_gate($node, 1), close_gate($node, 2));
	$caller = start_call($node, "SELECT status FROM bulkpar_update('m.t', 'n', $jobs{$what})", %call);
	wait_until($node, "EXISTS (SELECT FROM $theirs AND backend_type = 'bulkpar worker'"
		  . " AND wait_event = 'advisory')");
	is(last_job($node), 1, "$what: the old job has number 1");
	$coordinator = stop_coordinator();
	@waiting = map { start_call($node, $waits{$_}, %call) } sort keys %waits;
	wait_until($node, "count(*) = 1 + " . @waiting . " FROM pg_stat_activity"
		  . " WHERE application_name = 'caller' AND wait_event = 'Extension'");
	# in the order in which the others lock them, against deadlocks
	super('BEGIN; LOCK TABLE '
		  . join(', ', map { "bulkpar.bulkpar_$_" } qw(job part chunk error counter))
		  . '; DROP EXTENSION bulkpar; CREATE EXTENSION bulkpar; COMMIT');

	$call = start_call($node,
		"SELECT status, rows_changed FROM bulkpar_update('a', 'n', 'n + 1 + gate(2)', 10, 2)",
		role => 'alice');
	wait_until($node, "count(*) = 2 FROM pg_stat_activity WHERE usename = 'alice'"
		  . " AND backend_type = 'bulkpar worker' AND wait_event = 'advisory'");
	is(last_job($node), 1, 'so has the new one');
	my $before = super('SELECT j, (SELECT array_agg(c ORDER BY c) FROM bulkpar.bulkpar_chunk c),'
		  . ' (SELECT count(*) FROM bulkpar.bulkpar_error) FROM bulkpar.bulkpar_job j');
	open_gate($gates[0]);
	kill 'CONT', $coordinator;
	wait_until($node, "NOT EXISTS (SELECT FROM $theirs)", 'all of the old job ends');
	is( super('SELECT j, (SELECT array_agg(c ORDER BY c) FROM bulkpar.bulkpar_chunk c),'
			  . ' (SELECT count(*) FROM bulkpar.bulkpar_error) FROM bulkpar.bulkpar_job j'),
		$before, 'and nothing of the new one has changed');
	foreach my $i (-1 .. $#waiting)
	{
		my $session = $i < 0 ? $caller : $waiting[$i];
		my $name = $i < 0 ? 'the caller' : (sort keys %waits)[$i];

		like(call_error($session),
			qr/^ERROR:  (42P01: the tables of extension "bulkpar" do not exist|42704: bulkpar job 1 no longer exists)/m,
			"$name is told that there is no such job");
		is($session->{out}, '', "$name gets no result of the new one");
		unlike($session->{err}, qr/of about 200 rows/, "$name does not see how far it is");
	}
	open_gate($gates[1]);
	is(stop_call($call), 'succeeded|200', 'the new job succeeds');
	is_exactly($node, 'a', 1, 'with every row updated once');
}

# The session that has waited can work with the new one, also in the same
# transaction.
my $session = $node->background_psql('postgres', on_error_stop => 0);
my $job = super("SELECT job_id FROM bulkpar_update('a', 'n', 'n')");
is($session->query_safe("SELECT status FROM bulkpar_wait($job)"), 'succeeded', 'a session waits');
super('DROP EXTENSION bulkpar; CREATE EXTENSION bulkpar');
is($session->query_safe("SELECT status FROM bulkpar_update('a', 'n', 'n')"), 'succeeded',
	'and works with the extension that is created again');
is($session->query_safe("SELECT status FROM bulkpar_wait(1)"), 'succeeded', 'waits');
is( $session->query_safe(
		"BEGIN; SELECT status FROM bulkpar_wait(1);"
		  . ' SET client_min_messages = warning; DROP EXTENSION bulkpar; CREATE EXTENSION bulkpar;'
		  . " SELECT bulkpar_forget(interval '0'); COMMIT"),
	"succeeded\n0", 'and goes on in the transaction that creates it');
$session->quit;

done_testing();
