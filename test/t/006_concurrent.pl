# Every row is updated exactly once while other sessions write the same table.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = seed_random();
my $node = start_server('concurrent', 'log_statement = none');
my $script = PostgreSQL::Test::Utils::tempdir() . '/writer.sql';
my $rows = 20000;

# The rows with an even key stay; those with an odd key come and go.  The
# writers count in c and keep a log of it.
make_table($node, 't', $rows);
$node->safe_psql('postgres', <<'END');
ALTER TABLE t ADD c integer NOT NULL DEFAULT 0;
DELETE FROM t WHERE id % 2 = 1 AND id % 3 > 0;
VACUUM ANALYZE t;
CREATE TABLE log (id integer);
END
append_to_file($script, <<"END");
\\set even 2 * random(1, $rows / 2)
\\set odd 2 * random(0, $rows / 2 + 1000) + 1
\\set gone 2 * random(0, $rows / 2 + 1000) + 1
BEGIN;
UPDATE t SET c = c + 1 WHERE id = :even;
INSERT INTO log VALUES (:even);
COMMIT;
INSERT INTO t VALUES (:odd, 0) ON CONFLICT DO NOTHING;
DELETE FROM t WHERE id = :gone;
END

my ($out, $err) = ('', '');
my $writers = IPC::Run::start(
	[
		'pgbench', '-n', '-c', '4', '-j', '1', '-T', '600',
		"--random-seed=$seed", '-f', $script,
		$node->connstr('postgres') . ' application_name=writer'
	],
	'<', \undef, '>', \$out, '2>', \$err);
wait_until($node, 'count(*) > 100 FROM log');

my $jobs = 0;
foreach my $case ([ 1, 1000, 1 ], [ 2, 1000, 8 ], [ 2, 7, 64 ],
	[ 4, 100, 16 ], [ 4, 3, 3 ])
{
	my ($workers, $batch_size, $stripes) = @$case;
	my $name =
	  "$workers workers, batches of $batch_size rows, $stripes stripes";
	my $written = $node->safe_psql('postgres', 'SELECT count(*) FROM log');

	is( $node->safe_psql('postgres',
			"SELECT status, workers, rows_changed >= $rows / 2 FROM"
			  . " bulkpar_update('t', 'n', 'n + 1', $batch_size, $workers,"
			  . " stripes => $stripes)"),
		"succeeded|$workers|t", $name);
	$jobs++;
	is_exactly($node, 't WHERE id % 2 = 0', $jobs,
		"$name: every row is updated once");
	is( $node->safe_psql('postgres',
			"SELECT count(*) FROM t WHERE n > $jobs OR n < 0"),
		'0', "$name: no row that was inserted is updated twice");
	is( $node->safe_psql('postgres', "SELECT count(*) > $written FROM log"),
		't', "$name: others have written meanwhile");
}

$writers->signal('TERM');
eval { $writers->finish };
unlike($err, qr/ERROR/, 'the writers had no errors');
wait_until($node,
	"count(*) = 0 FROM pg_stat_activity WHERE application_name = 'writer'");
is( $node->safe_psql('postgres', <<'END'),
SELECT count(*) FROM t
LEFT JOIN (SELECT id, count(*) FROM log GROUP BY id) AS l USING (id)
WHERE id % 2 = 0 AND c <> coalesce(l.count, 0)
END
	'0', 'what the writers have counted is all there');
is( $node->safe_psql('postgres', 'SELECT count(*) FROM t WHERE id % 2 = 0'),
	$rows / 2, 'and so are the rows');

$node->stop;
done_testing();
