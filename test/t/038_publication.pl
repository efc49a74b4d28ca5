# Publications of all tables, or of the schema of the extension, do not keep it
# from working: every row that it changes or deletes can be named.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use Test::More;

my $node = start_server('publication', "wal_level = logical\nbulkpar.report = off");

sub sql { return $node->safe_psql('postgres', $_[0]); }

is( sql(<<'END'),
SELECT count(*), string_agg(c.relname, ',') FILTER (WHERE relreplident <> 'f'
	AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary))
FROM pg_class c WHERE relnamespace = 'bulkpar'::regnamespace AND relkind = 'r'
END
	'9|', 'the rows of each table can be named');

foreach my $publication (
	'CREATE PUBLICATION p FOR ALL TABLES',
	'CREATE PUBLICATION p FOR TABLES IN SCHEMA bulkpar',
	'CREATE PUBLICATION p FOR TABLE bulkpar.bulkpar_error, bulkpar.bulkpar_job')
{
	my ($job, $gate, $call);

	make_table($node, 't', 100);
	sql('ALTER TABLE t ADD CHECK (n < 1 OR id NOT IN (20, 60))');
	$job = sql("SELECT job_id FROM bulkpar_update('t', 'n', 'n + 1', 10, on_error => 'skip')");
	sql($publication);
	is(sql("SELECT bulkpar_forget($job)"), '1', "$publication: forget an older job");
	is(sql("SELECT status FROM bulkpar_update('t', 'n', '0', 10)"), 'succeeded', 'run a job');
	is(sql("SELECT rows_failed FROM bulkpar_update('t', 'n', 'n + 1', 10, on_error => 'skip')"),
		'2', 'skip rows');
	$gate = close_gate($node);
	$job = sql("SELECT job_id FROM bulkpar_update('t', 'n', 'n + gate()', 10, 1, wait => false)");
	wait_for_workers($node, 1);
	is(sql("SELECT status FROM bulkpar_pause($job)"), 'paused', 'pause');
	open_gate($gate);
	is(sql("SELECT status FROM bulkpar_resume($job)"), 'succeeded', 'resume');
	is(sql("SELECT rows_changed FROM bulkpar_delete('t', 'id > 50')"), '50', 'delete rows');
	is(sql("SELECT bulkpar_forget(interval '0')"), '4', 'forget all');
	is(sql('SELECT (SELECT count(*) FROM bulkpar.bulkpar_error) + (SELECT count(*)'
		  . ' FROM bulkpar.bulkpar_chunk)'), '0', 'with all that belongs to them');
	sql('DROP PUBLICATION p');
}

$node->stop;
done_testing();
