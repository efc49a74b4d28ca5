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

# Start something that calls the function, and look at it while it waits:
# whether it holds a snapshot, a transaction id, locks on the target.  Returns
# what it printed.
sub look_at
{
	my ($name, $snapshot, $start) = @_;

	make_table($node, 't', 1000);
	my $gate = close_gate($node);
	my $call = $start->();
	wait_for_workers($node, 2);
	is($node->safe_psql('postgres', <<'END'), "$snapshot|f|0", $name);
SELECT a.backend_xmin IS NOT NULL, a.backend_xid IS NOT NULL,
	(SELECT count(*) FROM pg_locks l
	 WHERE l.pid = a.pid AND l.relation = 't'::regclass)
FROM pg_stat_activity a WHERE application_name = 'caller'
END
	open_gate($gate);
	my $out = stop_call($call);
	is_exactly($node, 't', 1, "$name: every row is updated once");
	return $out;
}

# The statement is nothing but the call.
foreach my $case (
	[ 'SELECT %s', qr/^\(\d+,succeeded,1000,10,2,[\d:.]+,0,0\)$/ ],
	[ 'SELECT * FROM %s', qr/^\d+\|succeeded\|1000\|10\|2\|[\d:.]+\|0\|0$/ ],
	[ 'SELECT status, rows_updated AS r FROM %s', qr/^succeeded\|1000$/ ])
{
	my ($statement, $result) = @$case;
	my $name = sprintf($statement, 'bulkpar_update()');
	my $sql = sprintf($statement, $function);

	like(look_at($name, 'f', sub { start_call($node, $sql) }),
		$result, "$name: the result");
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
	rows := (SELECT rows_updated FROM $function);
	after := (SELECT sum(n) FROM t);
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
	[ 'in a cursor', 'f', 'DECLARE c CURSOR WITH HOLD FOR SELECT %s', '' ],
	[ 'in COPY', 't', 'COPY (SELECT status FROM %s) TO STDOUT', 'succeeded' ],
	[ 'in DO', 't', 'DO $do$ BEGIN PERFORM %s; END $do$', '' ])
{
	my ($name, $snapshot, $statement, $result) = @$case;
	my $sql = sprintf($statement, $function);

	is(look_at($name, $snapshot, sub { start_call($node, $sql) }),
		$result, "$name: the result");
}

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
