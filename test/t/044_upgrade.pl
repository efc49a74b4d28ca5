# Upgrades, with jobs that are not at their end.
#
# pg_upgrade, from another cluster of this PostgreSQL, or from that of the
# programs in BULKPAR_UPGRADE_FROM, where bulkpar is installed: say
# /usr/lib/postgresql/15/bin.
#
# ALTER EXTENSION bulkpar UPDATE: a step that does nothing is put beside a copy of
# the installed files.  What such a step may change is the business of the test of
# the release that has one.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use File::Path qw(make_path);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $settings = <<'END';
autovacuum = off
bulkpar.lock_wait = 0
bulkpar.report = off
max_worker_processes = 16
END
my $node = PostgreSQL::Test::Cluster->new('upgrade');
my $copy = PostgreSQL::Test::Utils::tempdir;
my $share = config('--sharedir');
my $lib = config('--pkglibdir');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub config
{
	my ($option) = @_;
	my ($stdout, $stderr) = run_command([ $ENV{PG_CONFIG} // 'pg_config', $option ]);

	return $stdout;
}

# The directory below which the server finds its extensions, and a setting that
# lets it look below the copy first; nothing if it can look nowhere else.
sub find_extensions
{
	my %settings = map { split /\|/, $_, 2 } split /\n/,
	  sql("SELECT name, setting FROM pg_settings WHERE name LIKE 'extension_%'");

	if (exists $settings{extension_control_path})
	{
		my ($first) = split /:/, $settings{extension_control_path};

		return ($first eq '$system' ? $share : $first,
			"extension_control_path = '$copy$share:\$system'");
	}
	return ("$settings{extension_destdir}$share", "extension_destdir = '$copy'")
	  if exists $settings{extension_destdir};
	return;
}

# Put the extension into the copy, with steps that do nothing.
sub copy_extension
{
	my ($from) = @_;
	my ($library) =
	  grep { -f } map { ($_ eq '$libdir' ? $lib : $_) . '/bulkpar.so' }
	  split /:/, sql('SHOW dynamic_library_path');

	make_path("$copy$share/extension", "$copy$lib");
	system_or_bail('cp', $library, "$copy$lib/");
	system_or_bail('cp', glob("'$from/extension/bulkpar'*"), "$copy$share/extension/");
	append_to_file("$copy$share/extension/bulkpar--1.0--1.1.sql",
		"\\echo Use \"ALTER EXTENSION bulkpar UPDATE\" to load this file. \\quit\n");
	append_to_file("$copy$share/extension/bulkpar--1.1--1.2.sql", '');
	return;
}

# What belongs to the extension.
my $members = <<'END';
SELECT pg_describe_object(classid, objid, 0) FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'bulkpar')
ORDER BY 1
END

# pg_upgrade.  A job that is paused, one of which a subquery was evaluated when it
# began, and one that the end of the old server has interrupted.
{
	my $bindir = config('--bindir');
	my $old_bindir = $ENV{BULKPAR_UPGRADE_FROM} // $bindir;
	my $old = PostgreSQL::Test::Cluster->new('old', install_path => "$old_bindir/..");
	my $new = PostgreSQL::Test::Cluster->new('new');
	my $half = 'n + 1 + CASE WHEN id > 1000 THEN gate() ELSE 0 END';
	my %statements = (
		plain => "UPDATE plain SET n = $half",
		evaluated => "UPDATE evaluated SET n = $half WHERE id IN (SELECT id FROM plain)",
		interrupted => "UPDATE interrupted SET n = $half");
	my (%jobs, $gate);

	{
		local %ENV = %ENV;
		delete $ENV{TEMP_CONFIG} if $old_bindir ne $bindir;
		$old->init(extra => ['--data-checksums']);
	}
	$new->init(extra => ['--data-checksums']);
	$_->append_conf('postgresql.conf', $settings) foreach $old, $new;
	$old->start;
	install($old);
	$gate = close_gate($old);
	foreach my $table ('plain', 'evaluated', 'interrupted')
	{
		make_table($old, $table, 2000);
		$jobs{$table} = $old->safe_psql('postgres',
			"SELECT job_id FROM bulkpar_execute('$statements{$table}', 20, 1, wait => false)");
		wait_for_rows($old, 100, $jobs{$table} - 1);
		$old->safe_psql('postgres', "SELECT bulkpar_pause($jobs{$table})")
		  if $table ne 'interrupted';
	}
	$old->stop('immediate');
	eval { $gate->{run}->finish };
	$old->start;
	$old->stop;

	chdir $PostgreSQL::Test::Utils::tmp_check or die;
	command_ok(
		[
			"$bindir/pg_upgrade", '--no-sync',
			'-b', $old_bindir, '-B', $bindir,
			'-d', $old->data_dir, '-D', $new->data_dir,
			'-p', $old->port, '-P', $new->port, '-s', $new->host
		],
		'pg_upgrade');
	chdir "$FindBin::RealBin/../.." or die;
	$new->start;
	is( $new->safe_psql('postgres',
			"SELECT string_agg(status, ' ' ORDER BY job_id) FROM bulkpar_jobs"),
		'paused paused interrupted',
		'the jobs are there');
	foreach my $table (sort keys %jobs)
	{
		is_whole($new, $table, $jobs{$table}, "after pg_upgrade, $table");
		is( $new->safe_psql('postgres', "SELECT status FROM bulkpar_resume($jobs{$table})"),
			'succeeded', "after pg_upgrade, job $table goes on");
		is_exactly($new, $table, 1, "each row of $table once");
	}
	$new->stop;
}

$node->init;
$node->append_conf('postgresql.conf', $settings);
$node->start;

my ($from, $setting) = find_extensions();

if (!defined $from)
{
	$node->stop;
	note('this server finds extensions in its own directory only');
	done_testing();
	exit;
}
copy_extension($from);
$node->append_conf('postgresql.conf', $setting);
$node->reload;
wait_until($node, "EXISTS (SELECT FROM pg_settings"
	  . " WHERE name LIKE 'extension_%' AND setting LIKE '$copy%')");
install($node);
is( sql("SELECT path FROM pg_extension_update_paths('bulkpar')"
		  . " WHERE source = '1.0' AND target = '1.2'"),
	'1.0--1.1--1.2',
	'the steps are found');

# Jobs that have done some of their rows: one that runs, and those that do not.
my $members_before = sql($members);
my (%jobs, %gates);

sql(<<'END');
CREATE TABLE broken AS SELECT 1500 AS id;
CREATE FUNCTION breaks(integer) RETURNS integer LANGUAGE plpgsql AS
	'BEGIN RETURN 0 / (1 - (SELECT count(*) FROM broken WHERE id = $1)); END';
END
foreach my $table ('paused', 'cancelled', 'failed', 'running')
{
	make_table($node, $table, 2000);
	$gates{$table} = close_gate($node, 1 + keys %gates);
	$jobs{$table} = sql(
		"SELECT job_id FROM bulkpar_update('$table', 'n', 'n + 1 + CASE WHEN id > 1000 THEN "
		  . ($table eq 'failed' ? 'breaks(id)' : 'gate(' . keys(%gates) . ')')
		  . " ELSE 0 END', 20, 1, wait => false, job_name => '$table')");
	wait_for_rows($node, 100, $jobs{$table} - 1);
}
sql("SELECT bulkpar_pause($jobs{paused}); SELECT bulkpar_cancel($jobs{cancelled})");
wait_until($node, "status = 'failed' FROM bulkpar_jobs WHERE job_id = $jobs{failed}");
sql('TRUNCATE broken');
wait_for_workers($node, 1);

my $jobs_before = sql('SELECT to_jsonb(j) FROM bulkpar.bulkpar_job j ORDER BY job_id');

sql("ALTER EXTENSION bulkpar UPDATE TO '1.1'");
is(sql("SELECT extversion FROM pg_extension WHERE extname = 'bulkpar'"),
	'1.1', 'the extension is updated');
is(sql($members), $members_before, 'a step that does nothing leaves all objects');
is(sql('SELECT to_jsonb(j) FROM bulkpar.bulkpar_job j ORDER BY job_id'),
	$jobs_before, 'and all jobs');
is( sql('SELECT status FROM bulkpar_jobs ORDER BY job_id'),
	"paused\ncancelled\nfailed\nrunning",
	'the jobs are what they were');

open_gate($_) foreach values %gates;
is(sql("SELECT status FROM bulkpar_wait('running')"),
	'succeeded', 'the job that runs goes on');
is(sql("SELECT status FROM bulkpar_resume('$_')"), 'succeeded', "a $_ job goes on")
  foreach 'cancelled', 'failed';
# The next step, and the same call again instead of bulkpar_resume.
sql("ALTER EXTENSION bulkpar UPDATE TO '1.2'");
is( sql("SELECT job_id, status FROM bulkpar_update('paused', 'n',"
		  . " 'n + 1 + CASE WHEN id > 1000 THEN gate(1) ELSE 0 END', 20, 1, job_name => 'paused')"),
	"$jobs{paused}|succeeded",
	'a paused job goes on by its name');
is_exactly($node, $_, 1, "each row once: $_") foreach sort keys %jobs;
is_quiet($node, 'paused', 'in the end');

# There is no way back, and none from a version that never was.
fails_with($node, "ALTER EXTENSION bulkpar UPDATE TO '$_'", '22023', "no way to $_")
  foreach '1.0', '0.9';

$node->stop;
done_testing();
