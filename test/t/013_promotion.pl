# A standby is promoted in the middle of a job, which goes on there.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use PostgreSQL::Test::Cluster;
use Test::More;

my $primary = start_fault_server('first', '', allows_streaming => 1);
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('second');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;

my ($call, $job) = start_slow_job($primary);
wait_until($standby,
	"status = 'running elsewhere' AND rows_done > 0 FROM bulkpar_progress",
	'the standby has a part of the job');
like(
	call_error(start_call($standby, "SELECT bulkpar_resume($job)")),
	qr/^ERROR:  25006:/m, 'it cannot be resumed on a standby');
like(
	call_error(start_call($standby, "SELECT bulkpar_cancel($job)")),
	qr/^ERROR:  25006:/m, 'nor be cancelled');
$primary->kill9;
stop_call($call);
$standby->promote;

status_is($standby, $job, 'interrupted', 'promotion');
is_whole($standby, 't', $job, 'promotion');
is_quiet($standby, 't', 'promotion');
succeeds($standby, $job, 'promotion');
log_is_clean($standby, 'promotion');

$standby->stop;
done_testing();
