# Random statements on random tables do the same by bulkpar as they do by
# themselves: the same rows, the same count, or an error with the same SQLSTATE.
#
# BULKPAR_SEED repeats the cases of another run, BULKPAR_EQUIVALENCE_CASES says
# how many, BULKPAR_EQUIVALENCE_CASE runs but the one with that number.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparRandom;
use BulkparTest qw(seed_random);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $seed = seed_random();
my $cases = $ENV{BULKPAR_EQUIVALENCE_CASES} // 200;
my $only = $ENV{BULKPAR_EQUIVALENCE_CASE};
my $node = PostgreSQL::Test::Cluster->new('equivalence');
my ($session, %outcomes);

diag("BULKPAR_EQUIVALENCE_CASES=$cases");

$node->init(extra => [ '--locale=C', '--encoding=UTF8' ]);
$node->append_conf('postgresql.conf', <<'END');
autovacuum = off
fsync = off
jit = off
max_worker_processes = 16
log_statement = none
log_min_error_statement = panic
restart_after_crash = on
END
$node->start;
$node->safe_psql('postgres', shared_objects());

sub start_session
{
	$session = $node->background_psql('postgres', on_error_stop => 0);
	$session->set_query_timer_restart;
	run("\\set VERBOSITY verbose\n\\pset null NULL");
	return;
}

# A session keeps its trigger functions for each table, and there is no
# autovacuum: many cases take ever longer each without this.
sub refresh
{
	run('VACUUM');
	$session->quit;
	start_session();
	return;
}

# Run SQL in the session, without a note of all of it.
sub run
{
	my ($sql) = @_;
	my ($out, $builder) = ('', Test::More->builder);
	my $note_to = $builder->output;
	my $ok;

	open(my $nowhere, '>', \my $notes) or die $!;
	$builder->output($nowhere);
	$session->{stderr} = '';
	$ok = eval { $out = $session->query($sql); 1 };
	$builder->output($note_to);
	die $@ if !$ok;
	return $out;
}

# What of one table differs between the schemas, as a number of rows.
sub differences
{
	my ($table, $columns) = @_;
	my @selects = map { "SELECT $columns FROM $_.$table AS x" } 'eq_job',
	  'eq_sql';

	return "SELECT count(*) FROM (($selects[0] EXCEPT ALL $selects[1])"
	  . " UNION ALL ($selects[1] EXCEPT ALL $selects[0])) AS differences";
}

# Other tables that must be the same: what is inserted, the tables that refer to the
# target, and those that refer to them.
sub others
{
	my ($case) = @_;

	return ('kept',$case->{child} ? ('child', 'grandchild') : (),
		$case->{child_u} ? 'child_u' : ());
}

# What a job does that skips rows: those that fail are in table failed.
sub row_by_row
{
	my ($case) = @_;

	return <<"END";
DO \$do\$
DECLARE
	one int;
	found bigint;
	total bigint := 0;
BEGIN
	FOR one IN SELECT seq FROM $case->{name} LOOP
		BEGIN
			EXECUTE \$row\$$case->{one_row}\$row\$ || one
				|| \$row\$$case->{end}\$row\$;
			GET DIAGNOSTICS found = ROW_COUNT;
			SET CONSTRAINTS ALL IMMEDIATE;
			total := total + found;
		EXCEPTION WHEN OTHERS THEN
			INSERT INTO failed VALUES (one, SQLSTATE);
		END;
	END LOOP;
	PERFORM set_config('eq.count', total::text, false);
END \$do\$
END
}

# The whole case as a script for psql.
sub script
{
	my ($case) = @_;
	my $role = defined $case->{role} ? "SET ROLE $case->{role};\n" : '';
	my $settings = join('', map { "SET $_;\n" } @{ $case->{settings} });
	my $setup = '';
	my %run;

	foreach my $schema ('eq_sql', 'eq_job')
	{
		my $path = "SET search_path = $schema, eq, public;\n";
		my $statement =
		  $schema eq 'eq_sql' ?
		  ($case->{skips} ? row_by_row($case) : $case->{plain})
		  . "\n;\n\\echo \@plain :SQLSTATE :ROW_COUNT\n"
		  . ($case->{skips} ? "SELECT '\@rows', current_setting('eq.count');\n" : '')
		  : "SELECT '\@result', status, rows_changed, rows_unchanged,"
		  . " rows_failed\nFROM $case->{call};\n\\echo \@job :SQLSTATE\n";

		$setup .= "CREATE SCHEMA $schema;\n$path$case->{ddl}";
		$run{$schema} =
		    "SET bulkpar.report = off;\n$path$settings$role$statement"
		  . "RESET ROLE;\nRESET ALL;\n";
		s/\@S\@/$schema/g foreach $setup, $run{$schema};
	}
	$setup .= <<"END" if $case->{twin};
CREATE SCHEMA eq_twin;
CREATE TABLE eq_twin.$case->{name} (LIKE eq_job.$case->{name} INCLUDING ALL);
GRANT USAGE ON SCHEMA eq_twin TO eq_user;
GRANT SELECT, UPDATE, DELETE ON eq_twin.$case->{name} TO eq_user;
END
	my $compare = "SELECT '\@table', (" . differences($case->{name}, 'x::text')
	  . ");\nSELECT '\@log', (" . differences('log', 'x::text') . ");\n";
	foreach my $child (others($case))
	{
		$compare .= "SELECT '\@$child', (" . differences($child, 'x::text')
		  . ");\n";
	}
	$compare .= <<'END';
SELECT '@sums', count(*) FROM (
	SELECT op, sum(n), sum(hash) FROM (
		SELECT op, n, hash FROM eq_job.sums
		UNION ALL SELECT op, -n, -hash FROM eq_sql.sums) AS s
	GROUP BY op HAVING sum(n) <> 0 OR sum(hash) <> 0) AS differences;
SELECT '@largest', coalesce(max(n), 0) FROM (
	SELECT sum(n) AS n FROM eq_job.sums GROUP BY xid) AS batches;
SELECT '@failed', count(*), count(*) FILTER (WHERE a.n = b.n),
	coalesce(sum(a.n), 0) FROM
	(SELECT sqlstate, count(*) AS n FROM eq_sql.failed GROUP BY 1) AS a
	FULL JOIN (SELECT sqlstate, count(*) AS n FROM bulkpar_errors GROUP BY 1) AS b
		USING (sqlstate);
SELECT '@status', status FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1;
SELECT '@listed', count(*), max(cardinality(hi)), count(DISTINCT part_no)
	FROM bulkpar.bulkpar_chunk WHERE keys IS NOT NULL;
END
	return <<"END";
RESET ROLE;
RESET ALL;
SET client_min_messages = error;
DROP SCHEMA IF EXISTS eq_sql, eq_job, eq_twin CASCADE;
SELECT bulkpar_forget(job_id) FROM bulkpar_jobs;
BEGIN;
$setup
\\echo \@setup :SQLSTATE
COMMIT;
RESET ALL;
$run{eq_sql}
SELECT '\@changed', count(*) FROM (
	SELECT x::text FROM eq_job.$case->{name} AS x
	EXCEPT ALL SELECT x::text FROM eq_sql.$case->{name} AS x) AS changed;
$run{eq_job}
$compare
END
}

# What is wrong with the result of a case, if anything.
sub verdict
{
	my ($case, $output) = @_;
	my %got = map { /^@(\w+)[ |](.*)/ ? ($1 => $2) : () } split /\n/, $output;
	my ($plain, $count) = split / /, $got{plain} // 'none 0';
	my (undef, $updated, $unchanged, $failed) =
	  split /\|/, $got{result} // 'none|0|0|0';
	my ($listed, $width, $parts) = split /\|/, $got{listed} // '0';
	my ($states, $same, $skipped) = split /\|/, $got{failed} // '0|0|0';
	my @wrong;

	return "the tables were not made" if ($got{setup} // '') ne '00000';
	return "no answer" if !defined $got{job};
	if ($case->{refused})
	{
		$outcomes{'refused'}++;
		return $got{job} eq '0A000' ? undef : "not refused: $got{job}";
	}
	$count = $got{rows} if $case->{skips} && $plain eq '00000';
	$outcomes{$plain}++;
	$outcomes{'rows'} += $count if $plain eq '00000';
	$outcomes{'nothing to do'}++ if $plain eq '00000' && $count == 0;
	$outcomes{ $case->{walks} }++ if defined $case->{walks};
	$outcomes{'listed'}++ if $listed > 0;
	$outcomes{'with a twin'}++ if $case->{twin};
	$outcomes{'listed by several columns'}++ if $listed > 0 && $width > 1;
	$outcomes{'listed of several parts'}++ if $listed > 0 && $parts > 1;
	return "SQLSTATE $got{job} instead of $plain" if $got{job} ne $plain;
	if ($plain ne '00000')
	{
		return "a failed job is $got{status}"
		  if ($got{status} // 'failed') ne 'failed';
		return;
	}
	push @wrong, "the job is $got{status}" if $got{status} ne 'succeeded';
	push @wrong, "$failed rows failed, not $skipped" if $failed ne $skipped;
	push @wrong, 'other SQLSTATEs of rows' if $states != $same;
	$outcomes{'skipped rows'} += $skipped;
	foreach my $what ('table', 'log', 'sums', others($case))
	{
		push @wrong, "$got{$what} differences in $what"
		  if ($got{$what} // 0) ne '0';
	}
	push @wrong, "counted $updated and $unchanged unchanged, not $count"
	  if $updated + $unchanged != $count;
	push @wrong, "$updated rows updated, not $got{changed}"
	  if $case->{skip_unchanged} && $updated != $got{changed};
	push @wrong, "a batch has $got{largest} rows"
	  if $got{largest} > $case->{batch_size};
	return join('; ', @wrong);
}

sub run_case
{
	my ($number) = @_;
	my $case = random_case($seed, $number);
	my $script = script($case);
	my $output = '';
	my $wrong;

	$wrong = "the session has ended: $@"
	  if !eval { $output = run($script); 1 };
	$wrong //= verdict($case, $output);
	return 1 if !$wrong;

	diag("BULKPAR_SEED=$seed BULKPAR_EQUIVALENCE_CASE=$number"
		  . ": $wrong\n$script\n$output\n"
		  . ($session->{stderr} // ''));
	if ($wrong =~ /session has ended/)
	{
		$node->poll_query_until('postgres', 'SELECT true');
		start_session();
	}
	return 0;
}

start_session();
my $start = time;
my $failures = 0;
foreach my $number (defined $only ? $only : 1 .. $cases)
{
	ok(run_case($number), "case $number") or $failures++;
	BAIL_OUT('too many cases fail') if $failures >= 20;
	refresh() if $number % 100 == 0;
}
diag(
	sprintf('%.1f cases/s; ', ($cases || 1) / (time - $start))
	  . join(', ', map { "$_: $outcomes{$_}" } sort keys %outcomes));
$session->quit;
unlike(slurp_file($node->logfile),
	qr/ reference leak|was terminated by signal|TRAP:|PANIC/,
	'the server has nothing to complain about');
$node->stop;
done_testing();
