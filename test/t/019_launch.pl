# Processes that cannot start, and commits that wait for a standby: a clear
# error or a cancel that works, never a call that hangs.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use Test::More;

my $node = start_server('launch', 'bulkpar.report = off',
	allows_streaming => 1);
my $call = "SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 100, 2)";

sub sql { return $node->safe_psql('postgres', $_[0]); }

# Call in a session of ann that has begun before the change; returns the errors.
sub call_after
{
	my ($change) = @_;
	my ($ret, $out, $err) = $node->psql('postgres',
		"\\set VERBOSITY verbose\n\\c - ann\nSET application_name = 'ann';\n"
		  . "\\! psql -qX -d postgres -U postgres -c \"$change\"\n$call;");

	return $err;
}

sub fails_after
{
	my ($change, $sqlstate, $name) = @_;
	my $job = last_job($node);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like(call_after($change), qr/ERROR:  $sqlstate:/, "$name: the error");
	is(last_job($node), $job, "$name: no job was stored");
	return;
}

make_table($node, 't', 1000);
sql(<<'END');
CREATE ROLE ann LOGIN;
GRANT SELECT, UPDATE ON t TO ann;
END
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
if ($node->pg_version < 17)
{
	fails_after('ALTER ROLE ann NOLOGIN', '28000', 'role without LOGIN');
}
else
{
	is(call_after('ALTER ROLE ann NOLOGIN'), '', 'role without LOGIN: no error');
	is_exactly($node, 't', 1, 'and every row is updated');
	sql('UPDATE t SET n = 0');
}
sql('ALTER ROLE ann LOGIN');
fails_after('REVOKE CONNECT ON DATABASE postgres FROM PUBLIC', '55000',
	'CONNECT revoked');
sql('GRANT CONNECT ON DATABASE postgres TO PUBLIC');
is_exactly($node, 't', 0, 'nothing is changed');
is(sql($call), 'succeeded', 'and then it works');
is_exactly($node, 't', 1, 'every row is updated once');

# A synchronous standby that is not there.
$node->append_conf('postgresql.conf', "synchronous_standby_names = 'nobody'");
$node->restart;
my $waiting = start_call($node, $call, statement_timeout => '3s',
	synchronous_commit => 'local');
like(call_error($waiting), qr/ERROR:  57014:/,
	'a call that waits for a standby can be cancelled');
wait_until($node,
	"count(*) = 0 FROM pg_stat_activity WHERE backend_type LIKE 'bulkpar%'",
	'and leaves no process');
$node->append_conf('postgresql.conf', "synchronous_standby_names = ''");
$node->reload;
my $job = last_job($node);
is(sql("SELECT count(*) FROM pg_locks WHERE locktype = 'userlock'"),
	'0', 'nor a lock');
my $status = sql("SELECT status FROM bulkpar_jobs WHERE job_id = $job");
sql("SELECT bulkpar_resume($job)") if $status ne 'succeeded';
is_exactly($node, 't', 2, 'resumed, every row is updated once more');

# While a job waits for that before its caller hears of it, others see it already.
$node->append_conf('postgresql.conf', "synchronous_standby_names = 'nobody'");
$node->reload;
$waiting = start_call($node, $call, synchronous_commit => 'local');
wait_until($node,
	"count(*) = 1 FROM pg_stat_activity"
	  . " WHERE backend_type = 'bulkpar coordinator' AND wait_event = 'SyncRep'",
	'a job that begins waits for a standby');
$job = last_job($node);
is(sql("SET synchronous_commit = local; SELECT status FROM bulkpar_cancel($job)"),
	'cancelled', 'and can be cancelled then');
like(call_error($waiting), qr/ERROR:  57014:.* $job /, 'of which its caller hears');
$node->append_conf('postgresql.conf', "synchronous_standby_names = ''");
$node->reload;
sql("SELECT bulkpar_resume($job)");
is_exactly($node, 't', 3, 'resumed, every row is updated once more');

$node->stop;
done_testing();
