# What programs see that watch servers: doc/prometheus.yaml is read by
# prometheus-postgres-exporter, as a role that may read statistics only, and
# scraped; pg_stat_statements has a line for each statement of a job.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use HTTP::Tiny;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $exporter = (grep { -x } map { "$_/prometheus-postgres-exporter" }
	  split /:/, "$ENV{PATH}:/usr/bin")[0];

my ($lib) = run_command([ $ENV{PG_CONFIG} // 'pg_config', '--pkglibdir' ]);
my $statements = -f "$lib/pg_stat_statements.so";
my $node = start_server('monitoring', "bulkpar.report = off\n"
	  . ($statements ? "shared_preload_libraries = 'pg_stat_statements'\n" : ''));
my $gate = close_gate($node);

sub sql { return $node->safe_psql('postgres', $_[0]); }

# Start a job that does half of its rows, and waits then for the gate.
sub start_job
{
	my ($name, $options) = @_;

	make_table($node, $name, 2000);
	sql("SELECT bulkpar_update('$name', 'n',"
		  . " 'n + 1 + CASE WHEN id > 1000 THEN gate() ELSE 0 END', 20, 1,"
		  . " wait => false, job_name => '$name'" . ($options // '') . ')');
	wait_for_rows($node, 100, last_job($node) - 1);
	return last_job($node);
}

SKIP:
{
	skip 'prometheus-postgres-exporter is not installed' unless defined $exporter;

	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $log = "$PostgreSQL::Test::Utils::log_path/exporter.log";
	my (%jobs, $answer);

	$jobs{$_} = start_job($_) foreach 'paused', 'interrupted', 'running';
	sql('SELECT bulkpar_pause(' . $jobs{paused} . ')');
	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
		  . " WHERE backend_type LIKE 'bulkpar coordinator' AND query LIKE 'bulkpar job $jobs{interrupted}:%'");
	wait_until($node, "status = 'interrupted' FROM bulkpar_jobs WHERE job_id = $jobs{interrupted}");
	make_table($node, 'failed', 100);
	$node->psql('postgres', "SELECT bulkpar_update('failed', 'n', '1 / (50 - id)', 10, 1)");
	$jobs{failed} = last_job($node);
	make_table($node, 'done', 100);
	sql("SELECT bulkpar_update('done', 'n', 'n + 1')");
	sql('CREATE ROLE watcher LOGIN IN ROLE pg_monitor');

	local $ENV{DATA_SOURCE_NAME} = 'host=' . $node->host . ' port=' . $node->port
	  . ' user=watcher dbname=postgres sslmode=disable';
	my $process = IPC::Run::start(
		[
			$exporter, "--web.listen-address=127.0.0.1:$port",
			"--extend.query-path=$FindBin::RealBin/../../doc/prometheus.yaml",
			'--disable-default-metrics', '--disable-settings-metrics'
		],
		'<', \undef, '>', $log, '2>&1');

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		$answer = HTTP::Tiny->new->get("http://127.0.0.1:$port/metrics");
		last if $answer->{success} && $answer->{content} =~ /^bulkpar/m;
		select(undef, undef, undef, 0.1);
	}

	my %metrics;

	while ($answer->{content} =~ /^(bulkpar\w*)\{(.*)\} (\S+)$/mg)
	{
		my ($metric, $labels, $value) = ($1, $2, $3);
		my ($of) = $labels =~ /target="(\w+)"/;

		($of) = $labels =~ /status="(\w+)"/ unless defined $of;
		$metrics{$metric}{$of} = [ $value, $labels ];
	}
	is_deeply(
		{ map { $_ => $metrics{bulkpar_jobs}{$_}[0] } keys %{ $metrics{bulkpar_jobs} } },
		{ running => 1, paused => 1, interrupted => 1, failed => 1, succeeded => 1, cancelled => 0 },
		'jobs of each status') or diag(slurp_file($log));
	is( join(' ', sort keys %{ $metrics{bulkpar_job_percent} }),
		'failed interrupted paused running',
		'what has something left to do is shown');
	is( $metrics{bulkpar_job_rows_done}{running}[0],
		sql("SELECT rows_done FROM bulkpar_progress WHERE job_id = $jobs{running}"),
		'the rows are those of bulkpar_progress');
	is( $metrics{bulkpar_job_percent}{paused}[0],
		sql("SELECT percent::float8 FROM bulkpar_progress WHERE job_id = $jobs{paused}"),
		'so is the percentage');
	cmp_ok($metrics{bulkpar_job_rows_per_second}{paused}[0], '>', 0, 'rows per second');
	cmp_ok($metrics{bulkpar_job_work_seconds}{interrupted}[0], '>', 0, 'the time');
	like($metrics{bulkpar_job_throttled}{running}[1],
		qr/job_id="$jobs{running}",job_name="running"/, 'number and name are labels');
	is($metrics{bulkpar_job_throttled}{$_}[0], 0, "$_ is not throttled")
	  foreach 'paused', 'running';
	is($metrics{bulkpar_job_rows_failed}{running}[0], 0, 'no row has failed');

	$process->kill_kill;
	sql("SELECT bulkpar_pause($jobs{running})");
}

open_gate($gate);

# The batches of both workers, and of all chunks, are one statement.
SKIP:
{
	skip 'pg_stat_statements is not installed' unless $statements;

	sql('CREATE EXTENSION pg_stat_statements');
	make_table($node, 'counted', 2000);
	my $batches = sql("SELECT batches FROM bulkpar_update('counted', 'n', 'n + 1', 20, 2)");

	is( sql('SELECT query, calls, rows, toplevel FROM pg_stat_statements'
			  . " WHERE query ~ '^UPDATE .*counted'"),
		"UPDATE ONLY public.counted SET n = (n + \$1)|$batches|2000|t",
		'pg_stat_statements has one line, which counts the batches and their rows');
}

$node->stop;
done_testing();
