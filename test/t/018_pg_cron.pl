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

# A server with pg_cron.
sub start_cron_server
{
	my ($name, $setting, %options) = @_;
	my $cron = start_fault_server($name, <<"END", %options);
shared_preload_libraries = 'pg_cron'
cron.database_name = 'postgres'
$setting
END

	$cron->append_conf('postgresql.conf', "cron.host = '" . $cron->host . "'");
	$cron->restart;
	$cron->safe_psql('postgres', 'CREATE EXTENSION pg_cron');
	return $cron;
}

# One whose pg_cron runs a job as often as it can.
sub start_cron
{
	my ($name, $setting) = @_;
	my $cron = start_cron_server($name, $setting);

	make_table($cron, 't', 8000);
	$cron->safe_psql('postgres', <<'END');
SELECT cron.schedule('job',
	CASE WHEN extversion ~ '^1\.[0-4]\M' THEN '* * * * *' ELSE '2 seconds' END,
	$$SELECT bulkpar_update('t', 'n', 'n + 1 + tempo()', 100, 2)$$)
FROM pg_extension WHERE extname = 'pg_cron';
END
	return $cron;
}

# The server is lost in the middle of a job, and the standby is promoted:
# there the job goes on by itself, at the next full minute.
my $primary = start_cron_server('primary',
	'cron.use_background_workers = on', allows_streaming => 1);
$primary->safe_psql('postgres', "SELECT cron.schedule('resume',"
	  . " '* * * * *', 'SELECT * FROM bulkpar_resume_interrupted()')");
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->append_conf('postgresql.conf', "cron.host = '" . $standby->host . "'");
$standby->start;
my ($call, $interrupted) = start_slow_job($primary);
wait_until($standby, 'rows_done > 0 FROM bulkpar_progress');
$primary->kill9;
stop_call($call);
$standby->promote;

my @crons = map { start_cron($_->[0], "cron.use_background_workers = $_->[1]") }
  ([ 'libpq', 'off' ], [ 'worker', 'on' ]);

# The job of the README: what is too old goes into an archive.
my $archive = start_cron_server('archive', 'cron.use_background_workers = off');
$archive->safe_psql('postgres', <<'END');
CREATE TABLE visits (id bigint PRIMARY KEY, at timestamptz NOT NULL);
INSERT INTO visits SELECT i, now() - i * interval '1 day' FROM generate_series(1, 1000) AS i;
CREATE TABLE visits_archive (LIKE visits);
SELECT cron.schedule('archive-visits', '* * * * *', $$
	SELECT bulkpar_execute('WITH moved AS (DELETE FROM visits WHERE at < now() - interval ''1 year'' RETURNING *)
		INSERT INTO visits_archive SELECT * FROM moved', workers => 1, job_name => 'archive visits')
$$);
END

# Both run at the same time.
foreach my $node (@crons)
{
	wait_until($node, <<'END', $node->name . ': the session of pg_cron holds no snapshot');
EXISTS (SELECT FROM bulkpar_progress WHERE status = 'running' AND rows_done > 0) AND NOT EXISTS (
	SELECT FROM pg_stat_activity WHERE backend_type NOT LIKE 'bulkpar%'
		AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid())
END
}

foreach my $node (@crons)
{
	my $name = $node->name;

	wait_until($node,
		"EXISTS (SELECT FROM cron.job_run_details WHERE end_time IS NOT NULL)");
	# To unschedule it would cancel a run, since pg_cron 1.5.
	$node->safe_psql('postgres',
		"SELECT cron.alter_job(jobid, schedule => '0 0 1 1 *') FROM cron.job");
	wait_until($node,
		"count(*) = 0 FROM cron.job_run_details WHERE end_time IS NULL");
	is( $node->safe_psql('postgres',
			"SELECT string_agg(DISTINCT status, ',')"
			  . ' FROM cron.job_run_details'),
		'succeeded', "$name: every run succeeds")
	  or diag(
		$node->safe_psql('postgres',
			'SELECT return_message FROM cron.job_run_details'));

	my $runs = $node->safe_psql('postgres',
		'SELECT count(*) FROM cron.job_run_details');
	is_exactly($node, 't', $runs, "$name: every row is updated once by a run");
	is( $node->safe_psql('postgres',
			"SELECT count(*) FROM bulkpar_jobs WHERE status = 'succeeded'"),
		$runs, "$name: each run was a job");
	is_quiet($node, 't', $name);
	log_is_clean($node, $name);
	$node->stop;
}

wait_until($standby, "status = 'succeeded' FROM bulkpar_jobs"
	  . " WHERE job_id = $interrupted",
	'a job goes on by itself after a failover');
is_exactly($standby, 't', 1, 'failover: every row is updated once');
is( $standby->safe_psql('postgres',
		"SELECT runs FROM bulkpar_jobs WHERE job_id = $interrupted"),
	'2', 'failover: by one more run');
log_is_clean($standby, 'failover');
$standby->stop;

wait_until($archive,
	"EXISTS (SELECT FROM cron.job_run_details WHERE status = 'succeeded')");
is( $archive->safe_psql('postgres', <<'END'),
SELECT bool_and(at > now() - interval '1 year 1 day') FROM visits
UNION ALL SELECT count(*) = 1000 AND count(DISTINCT id) = 1000
FROM (SELECT id FROM visits UNION ALL SELECT id FROM visits_archive) AS places
END
	"t\nt", 'archive: what is too old has moved');
log_is_clean($archive, 'archive');
$archive->stop;

done_testing();
