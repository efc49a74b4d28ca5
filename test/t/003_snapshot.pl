# A waiting caller holds no snapshot, no transaction id and no lock.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('snapshot', '');
my $function = "bulkpar_update('t', 'n', 'n + 1 + gate()', 100, 2)";

# Start something that waits, and look at it while it does: whether it holds a
# snapshot, a transaction id, locks on the target.  Returns what it printed.
sub look_at
{
	my ($name, $snapshot, $start, $meanwhile) = @_;

	make_table($node, 't', 1000);
	my $gate = close_gate($node);
	my $call = $start->();
	wait_for_workers($node, 2);
	wait_until($node,
		"EXISTS (SELECT FROM pg_stat_activity"
		  . " WHERE application_name = 'caller'"
		  . " AND wait_event_type = 'Extension')");
	# It has one now and then, when it looks at what the job does.
	$node->poll_query_until('postgres', <<'END') if $snapshot eq 'f';
SELECT backend_xmin IS NULL FROM pg_stat_activity
WHERE application_name = 'caller'
END
	is($node->safe_psql('postgres', <<'END'), "$snapshot|f|0", $name);
SELECT a.backend_xmin IS NOT NULL, a.backend_xid IS NOT NULL,
	(SELECT count(*) FROM pg_locks l
	 WHERE l.pid = a.pid AND l.relation = 't'::regclass)
FROM pg_stat_activity a WHERE application_name = 'caller'
END
	$meanwhile->() if $meanwhile;
	open_gate($gate);
	my $out = stop_call($call);
	unlike($call->{err}, qr/ERROR|FATAL/, "$name: no error");
	is_exactly($node, 't', 1, "$name: every row is updated once");
	return $out;
}

# The call in the place that a statement has for it.
sub with_call
{
	my ($statement, $call) = @_;

	return $statement =~ s/%s/$call/r;
}

# Wait by the statement for a job that another session has started.
sub start_wait
{
	my ($statement) = @_;
	my $job = $node->safe_psql('postgres',
		'SELECT job_id FROM ' . $function =~ s/\)$/, wait => false)/r);

	return start_call($node, with_call($statement, "bulkpar_wait($job)"))
	  if $statement =~ /%s/;
	return start_call($node, $statement);
}

# These must not depend on the table, which is made anew each time.
my $late = $function =~ s/'t'/'t'::text::regclass/r;
$node->safe_psql('postgres', <<"END");
CREATE VIEW by_select AS SELECT $late;
CREATE VIEW by_from AS SELECT * FROM $late;
CREATE FUNCTION inlined() RETURNS bulkpar_result LANGUAGE sql
	AS \$\$SELECT $late\$\$;
END

# The statement is nothing but the call.
foreach my $case (
	[ 'SELECT %s', qr/^\(\d+,succeeded,1000,10,2,[\d:.]+,0,0\)$/ ],
	[ 'SELECT * FROM %s', qr/^\d+\|succeeded\|1000\|10\|2\|[\d:.]+\|0\|0$/ ],
	[ 'SELECT status, rows_changed AS r FROM %s', qr/^succeeded\|1000$/ ],
	[ 'SELECT (%s)::text', qr/^\(\d+,succeeded,/ ],
	[ 'SELECT now() IS NULL, length((%s)::text) > 9', qr/^f\|t$/ ],
	[ 'SELECT CASE WHEN random() >= 0 THEN %s END', qr/^\(\d+,succeeded,/ ],
	[ 'SELECT inlined()', qr/^\(\d+,succeeded,1000,/ ],
	[ 'TABLE by_select', qr/^\(\d+,succeeded,1000,/ ],
	[ 'SELECT status, rows_changed FROM by_from', qr/^succeeded\|1000$/ ])
{
	my ($statement, $result) = @$case;
	my $name = with_call($statement, 'bulkpar_update()');
	my $sql = with_call($statement, $function);

	like(look_at($name, 'f', sub { start_call($node, $sql) }),
		$result, "$name: the result");
}

# It waits for the job of another session.
foreach my $case (
	[ 'SELECT %s', qr/^\(\d+,succeeded,1000,10,2,[\d:.]+,0,0\)$/ ],
	[ 'SELECT status, rows_changed FROM %s', qr/^succeeded\|1000$/ ])
{
	my ($statement, $result) = @$case;
	my $name = with_call($statement, 'bulkpar_wait()');

	like(look_at($name, 'f', sub { start_wait($statement) }),
		$result, "$name: the result");
}

# Arguments may come from subqueries, which are done before the wait.
my $running = "(SELECT job_id FROM bulkpar_jobs WHERE status = 'running')";
my $from_subqueries = $function =~
  s/100, 2/(SELECT count(*)::int FROM generate_series(1, 100)), (SELECT 2)/r;
foreach my $case (
	[ 'a call', sub { start_call($node, "SELECT $from_subqueries") } ],
	[
		'a call in FROM',
		sub { start_call($node, "SELECT status FROM $from_subqueries") }
	],
	[
		'a call with a CTE',
		sub {
			start_call($node, 'WITH n AS MATERIALIZED (SELECT 2 AS n) SELECT '
				  . $function =~ s/100, 2/100, (SELECT n FROM n)/r);
		}
	],
	[ 'a wait', sub { start_wait("SELECT * FROM bulkpar_wait($running)") } ])
{
	my ($name, $start) = @$case;

	like(look_at("$name with a subquery", 'f', $start),
		qr/succeeded/, "$name with a subquery: the result");
}

# The same by the extended protocol.
my $script = PostgreSQL::Test::Utils::tempdir() . '/call.sql';
append_to_file($script, "SELECT * FROM $function;\n");
foreach my $protocol (qw(simple extended prepared))
{
	my $start = sub {
		my $call = { out => '', err => '' };

		$call->{psql} = IPC::Run::start(
			[
				'pgbench', '-n', '-M', $protocol, '-t', '1', '-f', $script,
				$node->connstr('postgres') . ' application_name=caller'
			],
			'<', \undef, '>', \$call->{out}, '2>', \$call->{err});
		return $call;
	};

	like(look_at("pgbench -M $protocol", 'f', $start),
		qr{transactions actually processed: 1/1},
		"pgbench -M $protocol: the result");
}

# Where others need the snapshot it stays, and the call works as well.
$node->safe_psql('postgres', <<"END");
CREATE FUNCTION nested(rows OUT bigint, after OUT bigint)
LANGUAGE plpgsql AS \$\$
BEGIN
	rows := (SELECT rows_changed FROM $function);
	after := (SELECT sum(n) FROM t);
END \$\$;
CREATE FUNCTION stable() RETURNS text STABLE LANGUAGE plpgsql AS \$\$
DECLARE
	result text;
BEGIN
	result := $function;
	RETURN split_part(result, ',', 2);
END \$\$;
CREATE PROCEDURE committing() LANGUAGE plpgsql AS \$\$
DECLARE
	result record;
BEGIN
	COMMIT;
	FOR result IN SELECT * FROM $function LOOP
		COMMIT;
	END LOOP;
END \$\$;
END
is( look_at('within a PL/pgSQL function', 't',
		sub { start_call($node, 'SELECT rows, after FROM nested()') }),
	'1000|1000',
	'and the function sees what the job has done');
foreach my $case (
	[
		'beside other calls', 't',
		'SELECT status, i FROM %s, generate_series(1, 1) AS i', 'succeeded|1'
	],
	[ 'in a subquery', 't', 'SELECT (SELECT status FROM %s)', 'succeeded' ],
	[
		'beside a subquery', 't',
		"SELECT status, (SELECT relname FROM pg_class WHERE relname IN ('pg_class', 'bulkpar')) FROM %s",
		'succeeded|pg_class'
	],
	[ 'within a STABLE function', 't', 'SELECT stable()', 'succeeded' ],
	[ 'in a cursor', 'f', 'DECLARE c CURSOR WITH HOLD FOR SELECT %s', '' ],
	[ 'in COPY', 't', 'COPY (SELECT status FROM %s) TO STDOUT', 'succeeded' ],
	[ 'in DO', 't', 'DO $do$ BEGIN PERFORM %s; END $do$', '' ],
	[
		'in a loop in DO', 't',
		'DO $do$ DECLARE r record; BEGIN FOR r IN SELECT * FROM %s LOOP END LOOP; END $do$',
		''
	],
	[ 'in a loop after a COMMIT', 'f', 'CALL committing()', '' ])
{
	my ($name, $snapshot, $statement, $result) = @$case;
	my $sql = with_call($statement, $function);

	is(look_at($name, $snapshot, sub { start_call($node, $sql) }),
		$result, "$name: the result");
}

# A value that is kept out of line can be read as long as there is a snapshot
# for which its row is still there.
$node->safe_psql('postgres', <<'END');
CREATE TABLE long (value text);
ALTER TABLE long ALTER value SET STORAGE EXTERNAL;
INSERT INTO long VALUES (repeat('x', 10000));
CREATE FUNCTION long_value() RETURNS text LANGUAGE plpgsql AS '
DECLARE
	value text;
BEGIN
	SELECT l.value INTO value FROM long l;
	RETURN value;
END';
END
is( look_at(
		'beside a long value',
		't',
		sub { start_call($node, "SELECT long_value(), $function") },
		sub { $node->safe_psql('postgres', "DELETE FROM long; VACUUM long"); })
	  =~ s/\|.*//r,
	'x' x 10000,
	'beside a long value: the value');

# The wait ends with an error, which rolls back a subtransaction: the statement
# goes on with the snapshot that it had.
make_table($node, 't', 10);
fails_with($node, "SELECT bulkpar_update('t', 'n', 'n / (id - 5)')",
	'22012', 'a job that fails');
my $failed = last_job($node);
$node->safe_psql('postgres', <<"END");
CREATE FUNCTION caught(result OUT text) STABLE LANGUAGE plpgsql AS \$\$
BEGIN
	result := 'caught';
	BEGIN
		result := bulkpar_wait($failed);
	EXCEPTION
		WHEN division_by_zero THEN
			NULL;
	END;
END \$\$;
END
is($node->safe_psql('postgres', 'SELECT caught()'),
	'caught', 'an error that a STABLE function catches');

# One snapshot for the whole transaction.
foreach my $level ('repeatable read', 'serializable')
{
	my $start = sub {
		start_call(
			$node, "SELECT status FROM $function",
			default_transaction_isolation => $level =~ s/ /\\ /r);
	};

	is(look_at($level, 't', $start), 'succeeded', "$level: the result");
}

$node->stop;
done_testing();
