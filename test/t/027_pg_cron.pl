# A job on a schedule, by pg_cron in both of its modes.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use PostgreSQL::Test::Cluster;
use Test::More;

my $library = `pg_config --pkglibdir`;
chomp $library;
plan skip_all => 'pg_cron is not installed' if !-e "$library/pg_cron.so";

my $node = start_fault_server('cron', <<'END');
shared_preload_libraries = 'pg_cron'
cron.database_name = 'postgres'
END
$node->append_conf('postgresql.conf', "cron.host = '" . $node->host . "'");
$node->restart;
$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron');
set_tempo($node, 0);

# As often as this pg_cron can.
my $schedule =
  $node->safe_psql('postgres',
	"SELECT extversion ~ '^1\\.[0-4]\\M' FROM pg_extension"
	  . " WHERE extname = 'pg_cron'") eq 't' ? '* * * * *' : '2 seconds';

foreach my $workers ('off', 'on')
{
	my $name = "cron.use_background_workers = $workers";

	make_table($node, 't', 4000);
	my $after = last_job($node);
	$node->append_conf('postgresql.conf', $name);
	$node->restart;
	my $id = $node->safe_psql('postgres',
		"SELECT cron.schedule('nightly', '$schedule', \$\$SELECT"
		  . " bulkpar_update('t', 'n', 'n + 1 + tempo()', 100, 2)\$\$)");
	wait_until($node,
		"EXISTS (SELECT FROM cron.job_run_details WHERE jobid = $id"
		  . " AND end_time IS NOT NULL)");
	$node->safe_psql('postgres', "SELECT cron.unschedule($id)");
	is( $node->safe_psql('postgres',
			'SELECT DISTINCT status FROM cron.job_run_details'
			  . " WHERE jobid = $id AND end_time IS NOT NULL"),
		'succeeded', "$name: the run")
	  or diag(
		$node->safe_psql('postgres',
			'SELECT return_message FROM cron.job_run_details'
			  . " WHERE jobid = $id"));
	my $runs = $node->safe_psql('postgres',
		'SELECT count(*) FROM cron.job_run_details'
		  . " WHERE jobid = $id AND status = 'succeeded'");
	is_exactly($node, 't', $runs, "$name: every row is updated once by a run");
	is( $node->safe_psql('postgres',
			'SELECT count(*) FROM bulkpar_jobs'
			  . " WHERE status = 'succeeded' AND job_id > $after"),
		$runs, "$name: each run was a job");
	is_quiet($node, 't', $name);
}

log_is_clean($node, 'pg_cron');
$node->stop;
done_testing();
