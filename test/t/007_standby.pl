# A hot standby refuses the call at once, and works after promotion.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use PostgreSQL::Test::Cluster;
use Test::More;

my $primary = start_server('primary', '', allows_streaming => 1);
make_table($primary, 't', 10000);
$primary->backup('backup');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;

# The coordinator would never start there.
my $call = start_call($standby, "SELECT bulkpar_update('t', 'n', 'n + 1')",
	statement_timeout => '30s');
like(
	call_error($call),
	qr/^ERROR:  25006: cannot execute bulkpar_update\(\) during recovery$/m,
	'refused on a standby');

# The primary is lost in the middle of a job.
$call = start_call($primary,
	"SELECT bulkpar_update('t', 'n', 'n + 1 + slow(1)', 50, 2)");
my $job = wait_for_rows($primary, 500, 0);
wait_until($standby,
	"status = 'running elsewhere' AND rows_done > 0 AND rows_per_second > 0"
	  . " AND time_left > '0' FROM bulkpar_progress",
	'the standby shows how far the job is');
$primary->stop('immediate');
stop_call($call);
$standby->promote;

is_whole($standby, 't', $job, 'the new primary');
is_quiet($standby, 't', 'the new primary');
is( $standby->safe_psql('postgres',
		"SELECT status, rows_done BETWEEN 1 AND 9999 FROM bulkpar_progress"),
	'interrupted|t', 'the job is interrupted there');
is( $standby->safe_psql('postgres',
		"SELECT status, job_id > $job FROM"
		  . " bulkpar_update('t', 'n', 'n + 1', condition => 'n = 0')"),
	'succeeded|t', 'works after promotion');
is_exactly($standby, 't', 1, 'every row is updated once');

$standby->stop;
done_testing();
