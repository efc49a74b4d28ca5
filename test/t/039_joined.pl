# Calls by name: several at once start one job, whatever its owner; and one that
# finds an unfinished job says how it goes on otherwise, which a job that is
# resumed does and one that runs does not.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('joined', 'bulkpar.report = off');

sub sql { return $node->safe_psql('postgres', $_[0]); }

# The DETAIL of the NOTICE about the job of the name; '' if it has none.
sub detail
{
	my ($err) = @_;

	return $err =~ /^NOTICE:  .*bulkpar job \d+ of the name .*(?:\nDETAIL:  (.*))?/m ? $1 // '' :
	  "no notice: $err";
}

make_table($node, 't', 200);
sql('CREATE ROLE ann LOGIN; ALTER TABLE t OWNER TO ann; CREATE ROLE bob LOGIN; GRANT ALL ON t TO bob');

#
# At once.  The counter of the jobs is locked, so that all calls find that there
# is no job of the name yet.
#
foreach my $resumed (0, 1)
{
	my $gate = close_gate($node);
	my $holder = $node->background_psql('postgres');
	my $name = $resumed ? 'again' : 'once';
	my $call = "SELECT status FROM bulkpar_update('t', 'n', 'n + 1 + gate()', 10, 1,"
	  . " job_name => '$name', wait => false)";
	my (@calls, %told);

	$holder->query_safe('BEGIN; UPDATE bulkpar.bulkpar_counter SET last_job_id = last_job_id');
	@calls = map { start_call($node, $call, 'role' => $_) } qw(ann ann ann bob);
	wait_until($node, "count(*) = 4 FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
		  . " WHERE NOT l.granted AND a.backend_type = 'bulkpar coordinator'");

	# While a job is stored its first worker starts, and ends if that fails.
	wait_until($node, "count(*) > 0 FROM pg_stat_activity"
		  . " WHERE application_name = 'bulkpar worker 1 of a new job' AND wait_event = 'Extension'");
	$holder->query_safe('COMMIT');
	$holder->quit;
	foreach my $call (@calls)
	{
		my $err = call_error($call);

		$told{ $call->{out} ne '' ? $call->{out} : $err =~ /^ERROR:  (.*)\n(.*)$/m ?
			  "$1: $2" =~ s/job \d+/job N/r : $err }++;
		unlike($err, qr/23505|bulkpar_job|Key \(|INSERT/, 'no call is shown internals');
	}
	is_deeply(
		\%told,
		{
			running => 2,
			"42710: bulkpar job N of the name \"$name\" has just been started by another call:"
			  . ' HINT:  Call the function again to wait for it.' => 2
		},
		'one job is started for each owner, and the others are told');
	is( sql("SELECT owner, count(*) FROM bulkpar_jobs WHERE job_name = '$name' GROUP BY 1 ORDER BY 1"),
		"ann|1\nbob|1", 'so there is one of each');
	sql("SELECT bulkpar_cancel(job_id) FROM bulkpar_jobs WHERE job_name = '$name'");
	open_gate($gate);
	wait_until($node, "NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type LIKE 'bulkpar%')");
	sql("SELECT bulkpar_forget(interval '0')");
}

#
# Once: a job of the name that succeeds between the look for one and the start of
# another is not repeated either.
#
{
	my $holder = $node->background_psql('postgres');
	my $call = "SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 10, 1, once => true, job_name =>";
	my ($job, $late, $out, $err);

	make_table($node, 't', 200);
	sql("$call 'early')");
	$holder->query_safe('BEGIN; UPDATE bulkpar.bulkpar_counter SET last_job_id = last_job_id');
	$late = start_call($node, "$call 'late')");
	wait_until($node, "EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
		  . " WHERE NOT l.granted AND a.backend_type = 'bulkpar coordinator')");
	$job = sql("UPDATE bulkpar.bulkpar_job SET job_name = 'late' WHERE job_name = 'early' RETURNING job_id");
	$holder->query_safe('COMMIT');
	$holder->quit;
	like(call_error($late), qr/^ERROR:  42710: bulkpar job $job of the name "late" has just succeeded\n.*again/m,
		'once: a job that has succeeded meanwhile is not repeated');
	($out, $err) = run_as($node, 'postgres', "$call 'late')");
	is($out, 'succeeded', 'and the next call has its result');
	like($err, qr/^NOTICE:  bulkpar job $job of the name "late" has already succeeded\n/m,
		'and is told so');
	is(sql('SELECT count(*) FROM bulkpar_jobs'), 1, 'nothing is left of another job');
	is_exactly($node, 't', 1, 'every row is updated once');
	sql("SELECT bulkpar_forget(interval '0')");
}

#
# What differs.  [arguments of the first call, of the second, what the second is
# told when it resumes the job, and when the job runs]
#
my %defaults = (batch_size => 10, workers => 1, on_error => "'stop'", stripes => 1);
sub arguments
{
	my (%arguments) = (%defaults, @_);

	return join ', ', map { "$_ => $arguments{$_}" } sort keys %arguments;
}
my @cases = (
	[ [], [], '', '' ],
	[ [ workers => 'NULL' ], [ workers => 'NULL', stripes => 'NULL' ], '', '' ],
	[ [ on_error => "'skip'" ], [],
		'It goes on with on_error "stop" instead of "skip".',
		'It runs with on_error "skip" instead of "stop", max_errors 1000 instead of 7.',
		[ max_errors => 7 ] ],
	[ [], [ on_error => "'skip'" ],
		'It goes on with on_error "skip" instead of "stop".',
		'It runs with on_error "stop" instead of "skip".' ],
	[ [ on_error => "'skip'", max_errors => 5 ], [ on_error => "'skip'", max_errors => 6 ],
		'It goes on with max_errors 6 instead of 5.',
		'It runs with max_errors 5 instead of 6.' ],
	[ [ max_errors => 5 ], [ max_errors => 6 ], '', '' ],
	[ [], [ batch_size => 20, workers => 2, stripes => 3 ],
		'It goes on with batch_size 20 instead of 10, workers 2 instead of 1, stripes 3 instead of 1.',
		'It runs with batch_size 10 instead of 20, workers 1 instead of 2, stripes 1 instead of 3.' ],
	[ [], [ batch_size => 20, workers => 'NULL', stripes => 'NULL' ],
		'It goes on with batch_size 20 instead of 10.',
		'It runs with batch_size 10 instead of 20.' ]);
my $number = 0;
foreach my $case (@cases)
{
	my ($first, $second, $resuming, $running, $more) = @$case;
	my $name = 'n' . ++$number;
	my $call = "FROM bulkpar_update('t', 'n', 'n + 1 + gate()', job_name => '$name',";
	my ($gate, $job, $out, $err);

	make_table($node, 't', 200);
	$gate = close_gate($node);
	$job = sql("SELECT job_id $call wait => false, " . arguments(@$first) . ')');
	wait_until($node, "EXISTS (SELECT FROM pg_stat_activity"
		  . " WHERE backend_type = 'bulkpar worker' AND wait_event = 'advisory')");
	($out, $err) = run_as($node, 'postgres',
		"SELECT status $call wait => false, " . arguments(@$second, @{ $more // [] }) . ')');
	is($out, 'running', "$name: a call joins the job that runs");
	is(detail($err), $running, "$name: and is told what it does otherwise");
	sql("SELECT bulkpar_pause($job)");
	open_gate($gate);
	my $before = sql('SELECT batch_size, workers, stripes, on_error, max_errors FROM bulkpar_jobs'
		  . " WHERE job_id = $job");
	($out, $err) = run_as($node, 'postgres', "SELECT status $call " . arguments(@$second) . ')');
	is($out, 'succeeded', "$name: a call resumes the job that is paused");
	is(detail($err), $resuming, "$name: and is told what changes");
	my %now = (%defaults, max_errors => 1000, @$second);
	my %old;
	@old{qw(batch_size workers stripes on_error max_errors)} = split /\|/, $before;
	foreach my $argument (sort keys %now)
	{
		next if $argument eq 'workers' && $now{workers} eq 'NULL';
		is( sql("SELECT $argument FROM bulkpar_jobs WHERE job_id = $job"),
			$now{$argument} eq 'NULL' ? $old{$argument} : $now{$argument} =~ s/'//gr,
			"$name: what it goes on with: $argument");
	}
	is_exactly($node, 't', 1, "$name: every row is updated once");
}

# They count: what skips stops, and what stops skips.
foreach my $to ('stop', 'skip')
{
	my $from = $to eq 'stop' ? 'skip' : 'stop';
	my $call = "SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 10, 1, stripes => 1,"
	  . " job_name => 'to $to', max_errors => 1, on_error =>";
	my ($out, $err);

	make_table($node, 't', 200);
	sql('ALTER TABLE t ADD CHECK (n < 1 OR id NOT IN (50, 60, 150))');
	($out, $err) = run_as($node, 'postgres', "$call '$from')");
	like($err, qr/^ERROR:  .*violates check/m, "a job with $from fails");
	sql('ALTER TABLE t DROP CONSTRAINT t_check');
	sql('ALTER TABLE t ADD CHECK (n < 1 OR id <> 150)');
	($out, $err) = run_as($node, 'postgres', "$call '$to')");
	like(detail($err), qr/^It goes on with on_error "$to" instead of "$from"\.$/, "it goes on with $to");
	if ($to eq 'stop')
	{
		like($err, qr/^ERROR:  .*violates check/m, 'and stops');
	}
	else
	{
		is($out, 'succeeded', 'and skips');
		is(sql('SELECT string_agg(id::text, \',\') FROM t WHERE n = 0'), '150', 'one row');
	}
}

# Other work, of all kinds, is refused whether the job runs or not.
make_table($node, 't', 200);
sql('CREATE UNIQUE INDEX other ON t (id)');
my %works = (
	'an update' => "bulkpar_update('t', 'n', 'n + gate()'",
	'another expression' => "bulkpar_update('t', 'n', 'n + 1 + gate()'",
	'a condition' => "bulkpar_update('t', 'n', 'n + gate()', condition => 'id > 0'",
	'another key' => "bulkpar_update('t', 'n', 'n + gate()', key_index => 'other'",
	'skip_unchanged' => "bulkpar_update('t', 'n', 'n + gate()', skip_unchanged => true",
	'a statement' => "bulkpar_execute('UPDATE t SET n = n + gate()'",
	'only one table' => "bulkpar_execute('UPDATE ONLY t SET n = n + gate()'",
	'a delete' => "bulkpar_delete('t', 'n + gate() = 0'",
	'another delete' => "bulkpar_delete('t', 'gate() = 0'",
	'a statement that deletes' => "bulkpar_execute('DELETE FROM t WHERE n + gate() = 0'");
foreach my $first (sort keys %works)
{
	my $gate = close_gate($node);
	my $job = sql("SELECT job_id FROM $works{$first}, job_name => 'work', workers => 1, wait => false)");

	wait_until($node, "EXISTS (SELECT FROM pg_stat_activity"
		  . " WHERE backend_type = 'bulkpar worker' AND wait_event = 'advisory')");
	foreach my $state ('runs', 'is paused')
	{
		foreach my $second (grep { $_ ne $first } sort keys %works)
		{
			my ($out, $err) = run_as($node, 'postgres',
				"SELECT status FROM $works{$second}, job_name => 'work', workers => 1)");

			like($err, qr/^ERROR:  bulkpar job $job of the name "work" does other work/,
				"$first $state, and is not $second");
		}
		sql("SELECT bulkpar_pause($job)") if $state eq 'runs';
	}
	open_gate($gate);
	sql("SELECT bulkpar_forget($job)");
}

done_testing();
