# Every function of the extension, called by a role without privileges from
# every place in SQL where a call can stand, with sensible arguments and with
# others.  Whatever comes of it: the server lives, errors are ordinary ones, no
# process is left, and the next job does its work.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparPlaces;
use BulkparProtocol;
use BulkparTest;
use Test::More;

my $node = start_server('odd', <<'END');
bulkpar.report = off
max_prepared_transactions = 2
log_statement = none
log_min_error_statement = panic
max_parallel_workers_per_gather = 0
END

# The functions, with the types of the arguments that have no default, and
# arguments that make sense: named ones, or else all of them in their order.
# FAILED, SUCCEEDED and RUNNING are jobs that stay what they are; nextval()
# gives a job that may be used up.
my %arguments = (
	'bulkpar_update(regclass,text,text)' =>
	  [ { target => "'t'::regclass", column_name => "'n'", expression => "'n + 1'" } ],
	'bulkpar_update(regclass,text[],text[])' => [
		{
			target => "'t'::regclass",
			column_name => "ARRAY['n']",
			expression => "ARRAY['n + 1']"
		}
	],
	'bulkpar_update(text,text,text)' =>
	  [ { target => "'t'::text", column_name => "'n'", expression => "'n + 1'" } ],
	'bulkpar_update(text,text[],text[])' => [
		{
			target => "'t'::text",
			column_name => "ARRAY['n']",
			expression => "ARRAY['n + 1']"
		}
	],
	'bulkpar_update(regclass[],text,text)' =>
	  [ { targets => "'{t,gone}'", column_name => "'n'", expression => "'n + 1'" } ],
	'bulkpar_update(regclass[],text[],text[])' => [
		{
			targets => "'{t,gone}'",
			column_name => "ARRAY['n']",
			expression => "ARRAY['n + 1']"
		}
	],
	'bulkpar_delete(regclass,text)' =>
	  [ { target => "'gone'::regclass", condition => "'n = 0'" } ],
	'bulkpar_delete(text,text)' =>
	  [ { target => "'gone'", condition => "'n = 0'" } ],
	'bulkpar_delete(regclass[],text)' =>
	  [ { targets => "'{gone,more}'", condition => "'n < 0'" } ],
	'bulkpar_execute(text)' => [ { statement => "'UPDATE t SET n = n + 1'" } ],
	'bulkpar_explain(text,text,text)' => [
		{
			target => "'t'",
			column_name => "'n'",
			expression => "'n + 1'",
			sample => 'true'
		}
	],
	'bulkpar_explain(text,text[],text[])' => [
		{
			target => "'t'",
			column_name => "ARRAY['n']",
			expression => "ARRAY['n + 1']"
		}
	],
	'bulkpar_explain(regclass[],text,text)' => [
		{
			targets => "'{t,gone}'",
			column_name => "'n'",
			expression => "'n + 1'",
			sample => 'true'
		}
	],
	'bulkpar_explain(regclass[],text[],text[])' => [
		{
			targets => "'{t,gone}'",
			column_name => "ARRAY['n']",
			expression => "ARRAY['n + 1']"
		}
	],
	'bulkpar_explain(regclass[],text)' =>
	  [ { targets => "'{t,gone}'", condition => "'n < 0'" } ],
	'bulkpar_explain(text,text)' =>
	  [ { target => "'t'", condition => "'n < 0'" } ],
	'bulkpar_explain(text)' => [ { statement => "'UPDATE t SET n = n + 1'" } ],
	'bulkpar_wait(bigint)' => [
		{ job_id => 'SUCCEEDED' },
		{ job_id => 'FAILED' },
		{ job_id => '(SELECT FAILED)' },
		{ job_id => 'RUNNING', timeout => "'1 ms'" }
	],
	'bulkpar_await(bigint)' => [
		{ job_id => 'SUCCEEDED' },
		{ job_id => 'FAILED' },
		{ job_id => 'RUNNING', timeout => "'1 ms'" }
	],
	'bulkpar_pause(bigint)' => [ { job_id => 'FAILED' } ],
	'bulkpar_cancel(bigint)' => [ { job_id => "nextval('failed')" } ],
	'bulkpar_alter(bigint)' => [ { job_id => "nextval('failed')" } ],
	'bulkpar_alter(text)' => [ { job_name => "nextval('failed')::text" } ],
	'bulkpar_resume(bigint)' => [
		{ job_id => "nextval('failed')" },
		{ job_id => "nextval('paused')" }
	],
	'bulkpar_wait(text)' => [ { job_name => "'SUCCEEDED'" } ],
	'bulkpar_await(text)' => [ { job_name => "'SUCCEEDED'" } ],
	'bulkpar_pause(text)' => [ { job_name => "'FAILED'" } ],
	'bulkpar_cancel(text)' => [ { job_name => "nextval('failed')::text" } ],
	'bulkpar_resume(text)' => [ { job_name => "nextval('failed')::text" } ],
	'bulkpar_resume_interrupted()' => [ {} ],
	'bulkpar_forget(text)' => [ { job_name => "nextval('failed')::text" } ],
	'bulkpar_forget(bigint)' => [ { job_id => "nextval('failed')" } ],
	'bulkpar_forget(interval)' => [ { age => "'1 year'" } ],
	'bulkpar_xmin_holders()' => [ {} ],
	'bulkpar_support(internal)' => [ ['NULL'], ['0'] ],
	'bulkpar_in_stripe(integer,integer,"any")' => [ [ 8, 3, 1 ] ],
	'bulkpar_at_place(tid[],tid,"any")' => [
		[ "'{\"(0,1)\"}'", "'(0,1)'", "'{1}'::int[]", 1 ],
		[ "'{}'", "'(0,1)'", "'{1}'::int[]", "'a'" ],
		[ "'{}'", "'(0,1)'", 1 ]
	]);
my %jobs = (SUCCEEDED => 1, FAILED => 2, RUNNING => 4);

my $options = '-c client_min_messages=error -c statement_timeout='
  . 1000 * $PostgreSQL::Test::Utils::timeout_default;

sub sql { return $node->safe_psql('postgres', $_[0]); }

# Run SQL as the role, whatever fails, and return the errors; after a line of @
# and a name they are of what has that name.
sub run
{
	my ($sql) = @_;
	my $name = '';
	my $output = '';
	my @errors;

	local $ENV{PGOPTIONS} = $options;
	my $status = eval {
		$node->psql(
			'postgres', "\\set VERBOSITY verbose\n$sql",
			stderr => \$output,
			on_error_stop => 0,
			extra_params => [ '-U', 'plain' ]);
	};
	$output .= "\nFATAL: the connection is lost" if ($status // 2) != 0;
	foreach my $line (split /\n/, $output)
	{
		$name = $1 if $line =~ /^@ (.*)/;
		push @errors, "$name: $line" if $line =~ /(?:ERROR|FATAL|PANIC): /;
	}
	return @errors;
}

sub run_places
{
	my ($call, @places) = @_;

	return run(
		odd_functions($call)
		  . join('', map { "\\warn @ $_->[0]\n" . place_sql($_, $call) } @places));
}

# The call of a function with arguments as above.
sub call_sql
{
	my ($function, $arguments) = @_;
	my @list =
	  ref $arguments eq 'HASH'
	  ? map { "$_ => $arguments->{$_}" } sort keys %$arguments
	  : @$arguments;
	my $sql = "$function->{name}(" . join(', ', @list) . ')';

	return $sql =~ s/\b([A-Z]{6,})\b/$jobs{$1} \/\/ $1/ger;
}

# What must be true whatever was called: the errors are none of the server
# itself, nor did anything hang; no process is left but those of the job that
# runs; and every row is updated exactly once by another job.
sub is_sound
{
	my ($name, @errors) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(join("\n", grep { !/ERROR:  (?!XX|57|58)\w{5}: / } @errors),
		'', "$name: errors are ordinary ones");
	wait_until($node,
		"count(*) = 2 FROM pg_stat_activity WHERE backend_type LIKE 'bulkpar%'");
	is( $node->safe_psql(
			'postgres',
			"SELECT * FROM bulkpar_update('checked', 'n', 'n + 1') \\gset\n"
			  . "SELECT :'status', :rows_changed, string_agg(n::text, ' ')"
			  . " FROM checked; UPDATE checked SET n = 0",
			extra_params => [ '-U', 'plain' ]),
		'succeeded|10|1 1 1 1 1 1 1 1 1 1',
		"$name: the next job does its work");
	return;
}

sql(<<'END');
CREATE ROLE plain LOGIN;
-- what the schema would keep it from calling
GRANT USAGE ON SCHEMA bulkpar TO plain;
CREATE SCHEMA plain AUTHORIZATION plain;
ALTER ROLE plain SET search_path = plain, public;
ALTER ROLE plain SET bulkpar.workers = 1;
SET ROLE plain;
SET search_path = plain, public;
CREATE TABLE t (id integer PRIMARY KEY, n integer DEFAULT 0);
CREATE TABLE two (LIKE t INCLUDING ALL);
CREATE TABLE gone (LIKE t INCLUDING ALL);
CREATE TABLE more (LIKE t INCLUDING ALL);
CREATE TABLE checked (LIKE t INCLUDING ALL);
CREATE TABLE gated (LIKE t INCLUDING ALL);
INSERT INTO t SELECT generate_series(1, 10);
INSERT INTO two SELECT generate_series(1, 2);
INSERT INTO checked SELECT generate_series(1, 10);
INSERT INTO gated SELECT generate_series(1, 10);
CREATE SEQUENCE failed MINVALUE 1000001;
CREATE SEQUENCE paused MINVALUE 2000001;
CREATE FUNCTION clean_up() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	sql text;
BEGIN
	DEALLOCATE ALL;
	FOR sql IN
		SELECT format('DROP %s %s CASCADE', CASE relkind WHEN 'v' THEN 'VIEW'
			WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, oid::regclass)
		FROM pg_class WHERE relname = 'odd'
		UNION ALL
		SELECT format('DROP ROUTINE %s CASCADE', oid::regprocedure)
		FROM pg_proc WHERE proname LIKE 'odd\_%'
	LOOP
		EXECUTE sql;
	END LOOP;
	DROP TYPE IF EXISTS odd_type, odd_domain CASCADE;
END $$;
END

# The jobs.
my $gate = close_gate($node);
run(<<'END');
SELECT bulkpar_update('t', 'n', 'n');
SELECT bulkpar_update('t', 'n', 'n / (id - id)');
SELECT bulkpar_update('t', 'n', 'n + 1 + gate()', wait => false);
SELECT bulkpar_pause(3);
SELECT bulkpar_update('gated', 'n', 'n + 1 + gate()', wait => false);
END
is( sql("SELECT string_agg(status, ' ' ORDER BY job_id) FROM bulkpar_jobs"),
	'succeeded failed paused running', 'jobs to call functions with');
sql(<<'END');
UPDATE bulkpar.bulkpar_job SET expressions = '{n + 1}' WHERE job_id = 3;
CREATE TABLE job AS SELECT * FROM bulkpar.bulkpar_job WHERE job_id < 4;
CREATE TABLE part AS SELECT * FROM bulkpar.bulkpar_part WHERE job_id < 4;
CREATE TABLE copy AS SELECT job_id AS original, job_id FROM job
	UNION SELECT 2, i FROM generate_series(1000001, 1000400) i
	UNION SELECT 3, i FROM generate_series(2000001, 2000400) i;
END

# Make those again that were used up.
sub renew_jobs
{
	sql(<<'END');
SELECT setval('plain.failed', 1000001), setval('plain.paused', 2000001);
DELETE FROM bulkpar.bulkpar_job WHERE job_id <> 4;
INSERT INTO bulkpar.bulkpar_job
	SELECT r.* FROM copy c JOIN job j ON j.job_id = c.original,
		jsonb_populate_record(j, jsonb_build_object('job_id', c.job_id)) r;
INSERT INTO bulkpar.bulkpar_part
	SELECT r.* FROM copy c JOIN part p ON p.job_id = c.original,
		jsonb_populate_record(p, jsonb_build_object('job_id', c.job_id)) r;
END
	return;
}

# All functions of the extension.
my @functions = map {
	my ($name, $signature, $kind, $names, $types) = split /\|/;
	{
		name => $name,
		signature => $signature,
		kind => $kind,
		names => [ split / /, $names ],
		types => [ split /;/, $types ]
	}
} split /\n/, sql(<<'END');
SELECT format('%I.%I', pronamespace::regnamespace, proname),
	format('%s(%s)', proname, array_to_string(types[:pronargs - pronargdefaults], ',')),
	prokind, array_to_string(proargnames, ' '), array_to_string(types, ';')
FROM pg_depend
JOIN pg_proc p ON classid = 'pg_proc'::regclass AND objid = p.oid
CROSS JOIN LATERAL (SELECT array(SELECT format_type(t, NULL)
	FROM unnest(proargtypes) WITH ORDINALITY u(t, i) ORDER BY i)) l(types)
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'bulkpar')
ORDER BY 2
END
is( join("\n", map { $_->{signature} } @functions),
	join("\n", sort keys %arguments),
	'all functions of the extension are here');

# With sensible arguments in all places; functions of the same name, which differ in
# their arguments only, in a quarter of them each, the first one in all.
my %overloads;
foreach my $function (@functions)
{
	my @places = $function->{kind} eq 'p' ? odd_calls() : odd_places();
	my $overload = $overloads{ $function->{name} }++;

	@places = @places[ grep { $_ % 4 == $overload % 4 } 0 .. $#places ] if $overload > 0;

	foreach my $arguments (@{ $arguments{ $function->{signature} } // [] })
	{
		my $call = call_sql($function, $arguments);
		my @errors;

		renew_jobs();
		@errors = run_places($call, @places);
		is_sound($call, @errors);
		if (   $function->{signature} =~ /^bulkpar_a?wait/
			&& $call =~ /job_id => $jobs{SUCCEEDED}\b/)
		{
			my %expected = map { $_->[0] => $_->[2] // 'none' } @places;

			is( join(
					"\n",
					grep { !/^(.*?): .*ERROR:  (\w+)/ || $2 !~ $expected{$1} }
					  @errors),
				'',
				"$call: nothing is wrong with the places");
		}
	}
}

# With one argument after the other replaced by what makes no sense.
foreach my $function (@functions)
{
	my ($arguments) = @{ $arguments{ $function->{signature} } // [] };
	my @calls;

	foreach my $i (0 .. $#{ $function->{types} })
	{
		foreach my $value (odd_values($function->{types}[$i]))
		{
			my $odd =
			  ref $arguments eq 'HASH'
			  ? { %$arguments, $function->{names}[$i] => $value }
			  : [ map { $_ == $i ? $value : $arguments->[$_] } 0 .. $#$arguments ];

			push @calls, call_sql($function, $odd);
		}
	}
	renew_jobs();
	is_sound(
		"$function->{signature}: odd arguments",
		run(join('',
				map { "\\warn @ $_\n" . ($function->{kind} eq 'p' ? 'CALL' : 'SELECT') . " $_;\n" }
				  @calls)));
}

# By the extended protocol.  The answers of the first are what a client gets
# that does nothing special.
foreach my $call (
	"bulkpar_wait($jobs{SUCCEEDED})",
	"bulkpar_wait($jobs{FAILED})",
	"bulkpar_wait($jobs{RUNNING}, '1 ms')",
	"bulkpar_update('t', 'n', 'n + 1')",
	'bulkpar_resume(2000001)')
{
	my $client = BulkparProtocol->new($node, 'plain', $options);
	my @answers;

	renew_jobs();
	$client->parse('s', "SELECT $call")->parse('f', "SELECT * FROM $call");
	$client->parse('t', 'SELECT id FROM t')->parse('e', 'SELECT 1 / 0');
	$client->sync->answers;
	push @answers, $client->bind('', 's')->execute('', 0)->sync->answers;
	is( $answers[0],
		$call eq "bulkpar_wait($jobs{FAILED})" ? '2 22012 Z' : '2 D C Z',
		"$call: by the extended protocol");

	# A portal that is read in pieces, and several at once.
	foreach my $statement (qw(s f))
	{
		$client->bind('p', $statement)->describe('p')->execute('p', 1);
		push @answers, $client->execute('p', 1)->execute('p', 0)->sync->answers;
		$client->bind('p', $statement)->bind('q', $statement);
		$client->execute('q', 1)->execute('p', 1)->close('q')->execute('p', 1);
		push @answers, $client->sync->answers;
		$client->bind('t', 't')->execute('t', 1);
		$client->bind('p', $statement)->execute('p', 0)->execute('t', 1);
		push @answers, $client->sync->answers;
	}

	# Several statements before a Sync, also after an error.
	foreach my $first (qw(t e))
	{
		$client->bind('', $first)->execute('', 0);
		$client->bind('', 's')->execute('', 0) for (1 .. 3);
		push @answers, $client->sync->answers;
	}

	# The plan is a generic one in the end.
	for (1 .. 6)
	{
		push @answers, $client->bind('', 'f')->execute('', 0)->sync->answers;
	}

	# Portals and savepoints.
	$client->query('BEGIN')->answers;
	$client->bind('p', 's')->bind('q', 'f')->bind('r', 's')->sync->answers;
	push @answers,
	  map { $_->answers }
	  $client->query('SAVEPOINT s'),
	  $client->execute('p', 1)->sync,
	  $client->query('ROLLBACK TO s'),
	  $client->execute('p', 1)->sync,
	  $client->query('ROLLBACK TO s; RELEASE s'),
	  $client->execute('q', 1)->execute('q', 0)->sync,
	  $client->query('COMMIT');
	is(join(' ', grep { /\b(?:XX|57)\w{3}/ } @answers),
		'', "$call: errors by the protocol are ordinary ones");

	# It is gone before there is an answer.
	$client->bind('', 's')->execute('', 0)->sync->terminate->flush;
	undef $client;
	is_sound("$call: by the extended protocol");
}

is(sql('SELECT count(DISTINCT n) FROM plain.t'),
	'1', 'all jobs have updated all rows');

open_gate($gate);
sql("SELECT bulkpar_wait($jobs{RUNNING})");
is_exactly($node, 'plain.gated', 1, 'the job that ran all the time');
$node->stop;
log_is_clean($node, 'odd places');
done_testing();
