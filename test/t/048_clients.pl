# doc/clients.md for Node's pg and for JDBC, where they are installed: what they
# show, and how they cancel.  BULKPAR_NODE_PATH is where else pg is looked for.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $jar = '/usr/share/java/postgresql.jar';
my $folder = PostgreSQL::Test::Utils::tempdir();
my $path = join ':', grep { $_ } $ENV{BULKPAR_NODE_PATH}, '/usr/share/nodejs';
my $tests = "$FindBin::RealBin/../clients";

my $has_node =
  system("NODE_PATH='$path' node -e \"require('pg')\" >/dev/null 2>&1") == 0;
my $has_java = -e $jar && system('javac -version >/dev/null 2>&1') == 0;
plan skip_all => 'neither Node with pg nor a JDK with JDBC is installed'
  if !$has_node && !$has_java;

# Both connect by TCP: JDBC knows no other way.
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $node = PostgreSQL::Test::Cluster->new('clients', own_host => 1,
	port => $port);
$node->init;
$node->append_conf('postgresql.conf', <<'END');
listen_addresses = '127.0.0.1'
max_worker_processes = 16
bulkpar.progress_interval = '100ms'
END
$node->append_conf('pg_hba.conf', "host all all 127.0.0.1/32 trust");
$node->start;
install($node);
$node->safe_psql('postgres', "CREATE ROLE app SUPERUSER LOGIN");
local $ENV{PGHOST} = '127.0.0.1';
local $ENV{PGPORT} = $port;

# Run a client, which prints what it has seen.
sub run_client
{
	my ($name, @command) = @_;
	my ($output, $error);

	make_table($node, 't', 10000);
	IPC::Run::run(\@command, '>', \$output, '2>', \$error);
	diag($error) if $error ne '';
	like($output, qr/^shown: .*bulkpar job \d+: .*%/m,
		"$name: progress is shown");
	like($output, qr/^cancelled: 57014/m, "$name: the call is cancelled");
	like($output, qr/^list: succeeded$/m, "$name: lists");
	like($output, qr/^block: 25001$/m,
		"$name: a transaction block is refused");
	is($node->safe_psql('postgres', "SELECT count(*) FROM bulkpar_jobs"
			  . " WHERE status = 'running'"),
		'0', "$name: no job runs on");
	return;
}

SKIP:
{
	skip "Node with pg is not installed", 5 if !$has_node;
	run_client('pg', 'env', "NODE_PATH=$path", 'node', "$tests/client.js");
}
SKIP:
{
	skip "a JDK with JDBC is not installed", 5 if !$has_java;
	run_client('JDBC', 'java', '-cp', $jar, "$tests/Client.java");
}

$node->stop;
done_testing();
