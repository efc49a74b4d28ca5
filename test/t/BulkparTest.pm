# What the TAP tests share: a server with the extension, tables whose rows
# count how often they were updated, and calls in the background.
#
# Expressions can call gate(), which waits while the test holds that gate
# closed, and slow(milliseconds).  Both return 0.  A gate is a lock, for which
# jobs wait without limit here.

package BulkparTest;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use FindBin;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

our @EXPORT = qw(
  seed_random build_module start_server install make_table close_gate open_gate
  start_call wait_for_message stop_call call_error fails_with run_as
  last_job wait_for_rows wait_for_workers wait_until
  is_exactly is_whole is_quiet
);

# Begin the random choices of a test.  They are those of another run if
# BULKPAR_SEED is what that one has printed.  Returns the seed.
sub seed_random
{
	my $seed = $ENV{BULKPAR_SEED} // (time ^ $$) % 1_000_000;

	srand($seed);
	diag("BULKPAR_SEED=$seed");
	return $seed;
}

# Build a module of test/modules, which may include sources of ours.  Returns the
# name of its library.
sub build_module
{
	my ($name) = @_;
	my $top = "$FindBin::RealBin/../..";
	my $build = PostgreSQL::Test::Utils::tempdir;

	system_or_bail('cp', "$top/test/modules/Makefile", "$top/test/modules/$name.c", $build);
	system_or_bail('make', '-s', '-C', $build, "MODULES=$name", 'with_llvm=no',
		"PG_CPPFLAGS=-I$top/src", 'PG_CONFIG=' . ($ENV{PG_CONFIG} // 'pg_config'));
	return "$build/$name";
}

# A running server that has the extension and the functions above.
sub start_server
{
	my ($name, $settings, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%options);
	$node->append_conf('postgresql.conf', <<"END");
autovacuum = off
bulkpar.lock_wait = 0
max_worker_processes = 16
$settings
END
	$node->start;
	install($node);
	return $node;
}

sub install
{
	my ($node) = @_;

	$node->safe_psql('postgres', <<"END");
CREATE EXTENSION bulkpar;
CREATE FUNCTION gate(gate integer DEFAULT 0) RETURNS integer LANGUAGE plpgsql
	AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(gate); RETURN 0; END';
CREATE FUNCTION slow(ms float8) RETURNS integer LANGUAGE plpgsql AS
	'BEGIN PERFORM pg_sleep(ms / 1000); RETURN 0; END';
END
	return;
}

# (Re)create a table with the keys 1 to \$rows, where n is 0.
sub make_table
{
	my ($node, $table, $rows) = @_;

	$node->safe_psql('postgres', <<"END");
SET client_min_messages = warning;
DROP TABLE IF EXISTS $table;
CREATE TABLE $table (id integer PRIMARY KEY, n integer NOT NULL,
	pid integer);
INSERT INTO $table SELECT i, 0 FROM generate_series(1, $rows) AS i;
ANALYZE $table;
END
	return;
}

sub close_gate
{
	my ($node, $gate) = @_;
	my $session = $node->background_psql('postgres');

	$session->query_safe('SELECT pg_advisory_lock(' . ($gate // 0) . ')');
	return $session;
}

sub open_gate
{
	my ($session) = @_;

	$session->quit;
	return;
}

# Start a statement in a psql of its own, which calls itself "caller".
sub start_call
{
	my ($node, $sql, %settings) = @_;
	my $call = { out => '', err => '' };

	local $ENV{PGOPTIONS} =
	  join(' ', map { "-c $_=$settings{$_}" } sort keys %settings);
	$call->{psql} = IPC::Run::start(
		[
			'psql', '-XAtq', '-v', 'VERBOSITY=verbose',
			'-d', $node->connstr('postgres') . ' application_name=caller',
			'-c', $sql
		],
		'<', \undef, '>', \$call->{out}, '2>', \$call->{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return $call;
}

# Wait until the statement has told something.
sub wait_for_message
{
	my ($call, $message) = @_;

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		$call->{psql}->pump_nb if $call->{psql}->pumpable;
		return if $call->{err} =~ $message;
		usleep(100_000);
	}
	die "waited in vain for $message";
}

# Wait until the statement has ended.  Returns what it printed.
sub stop_call
{
	my ($call) = @_;

	$call->{psql}->finish;
	chomp $call->{out};
	return $call->{out};
}

# The same, and returns what it wrote to stderr.
sub call_error
{
	my ($call) = @_;

	stop_call($call);
	return $call->{err};
}

# A statement that must fail with the SQLSTATE.  Returns what it reported.
sub fails_with
{
	my ($node, $sql, $sqlstate, $name) = @_;
	my $error = call_error(start_call($node, $sql));

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like($error, qr/^(ERROR|FATAL):  $sqlstate:/m, $name);
	return $error;
}

# SQL as a role, in a database.  Returns what it printed and its errors.
sub run_as
{
	my ($node, $role, $sql, $database) = @_;
	my ($ret, $out, $err) = $node->psql($database // 'postgres', $sql,
		extra_params => [ '-U', $role ]);

	$err =~ s/^psql:<stdin>:\d+: //gm;
	return ($out, $err);
}

sub last_job
{
	my ($node) = @_;

	return $node->safe_psql('postgres',
		'SELECT coalesce(max(job_id), 0) FROM bulkpar.bulkpar_job');
}

sub wait_until
{
	my ($node, $condition, $what) = @_;

	$node->poll_query_until('postgres', "SELECT $condition")
	  or die "waited in vain for: $condition";
	pass($what) if defined $what;
	return;
}

# Wait until a job after the given one has done some rows.  Returns its id.
sub wait_for_rows
{
	my ($node, $rows, $after) = @_;

	wait_until($node,
		"EXISTS (SELECT FROM bulkpar_progress"
		  . " WHERE job_id > $after AND rows_done >= $rows)");
	return last_job($node);
}

# Wait until so many workers are at a closed gate.
sub wait_for_workers
{
	my ($node, $workers) = @_;

	wait_until($node,
		"count(*) = $workers FROM pg_stat_activity"
		  . " WHERE backend_type = 'bulkpar worker'"
		  . " AND wait_event = 'advisory'");
	return;
}

# Every row of the table, or those of the condition, was updated k times.
sub is_exactly
{
	my ($node, $table, $k, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is( $node->safe_psql('postgres',
			"SELECT string_agg(DISTINCT n::text, ',') FROM $table"),
		"$k", $name);
	return;
}

# What the job has committed agrees with its chunks: n is 1 in the rows of
# their stripes that are done, and of the one at work up to last_key, it is 0 in
# all others, and rows_changed counts them.
sub is_whole
{
	my ($node, $table, $job_id, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is( $node->safe_psql('postgres', <<"END"),
SELECT count(*) FILTER (WHERE t.n <> coalesce(s.stripe < c.stripe
		OR s.stripe = c.stripe AND t.id <= c.last_key[1]::integer,
		false)::integer),
	sum(t.n) = (SELECT coalesce(sum(rows_changed), 0) FROM bulkpar.bulkpar_chunk
		WHERE job_id = $job_id)
FROM $table t LEFT JOIN bulkpar.bulkpar_chunk c ON c.job_id = $job_id
	AND t.id <= c.hi[1]::integer
	AND (c.lo IS NULL OR t.id > c.lo[1]::integer)
LEFT JOIN LATERAL generate_series(0, c.stripes - 1) AS s(stripe)
	ON bulkpar.bulkpar_in_stripe(c.stripes, s.stripe, t.id)
END
		'0|t', "$name: batches are whole");
	return;
}

# Nothing of bulkpar runs or holds a lock, and nothing commits any more.
sub is_quiet
{
	my ($node, $table, $name) = @_;
	my $state = "SELECT sum(n), (SELECT sum(rows_changed) FROM bulkpar.bulkpar_chunk)"
	  . " FROM $table";
	my $before;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is( $node->safe_psql('postgres',
			"SELECT count(*) FROM pg_stat_activity"
			  . " WHERE backend_type LIKE 'bulkpar%'"),
		'0', "$name: no process is left");
	is( $node->safe_psql('postgres',
			"SELECT count(*) FROM pg_locks WHERE pid <> pg_backend_pid()"
			  . " AND (locktype NOT IN ('relation', 'virtualxid',"
			  . " 'advisory') OR relation = '$table'::regclass)"),
		'0', "$name: no lock is left");
	$before = $node->safe_psql('postgres', $state);
	is($node->safe_psql('postgres', "SELECT pg_sleep(0.5); $state"),
		"\n$before", "$name: nothing commits any more");
	return;
}

1;
