# A job after the other, random faults all the time, and other sessions that
# update the same rows: in the end every row was updated once by each job.  The
# faults are deaths, cancels, locks, alterations, and limits that slow a job down
# or hold it, as a standby does of which replay is stopped.
#
# BULKPAR_NEMESIS_SECONDS says for how long, BULKPAR_SEED repeats the faults of
# another run, as far as that can be.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $seconds = $ENV{BULKPAR_NEMESIS_SECONDS} // 30;
my $seed = seed_random();
my $until = time + $seconds;
my $node = start_fault_server(
	'nemesis',
	'deadlock_timeout = 100ms',
	allows_streaming => 1);
my $standby = start_standby();
my $segments = shared_segments($node);
my (%faults, %outcomes, @calls, $transfers);

diag("BULKPAR_NEMESIS_SECONDS=$seconds");

sub start_standby
{
	my $new = PostgreSQL::Test::Cluster->new('standby');

	$node->backup('backup');
	$new->init_from_backup($node, 'backup', has_streaming => 1);
	$new->append_conf('postgresql.conf', 'wal_retrieve_retry_interval = 100ms');
	$new->start;
	return $new;
}

# Run SQL that may meet a server that is not there.
sub attempt
{
	my ($sql) = @_;
	my ($status, $out, $error) = $node->psql('postgres', $sql,
		timeout => $PostgreSQL::Test::Utils::timeout_default);

	return $status == 0 ? $out : undef;
}

sub start_transfers
{
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	my $out = '';

	$transfers->finish if defined $transfers;
	$transfers = IPC::Run::start(
		[
			'pgbench', '-n', '-c', '2', '-R', '100', '-T', '3600',
			"--random-seed=$seed", '-f', $node->basedir . '/transfer.sql',
			'postgres'
		],
		'<', \undef, '>', \$out, '2>&1');
	return;
}

sub start_server_again
{
	die 'the server does not start' if !start_again($node);
	start_transfers();
	return;
}

# A call in a session of its own, that some fault may end.
sub call
{
	my ($sql) = @_;

	push @calls,
	  start_call($node, $sql,
		'bulkpar.lock_wait' => (0, '10ms', '1s')[ rand 3 ]);
	return;
}

# Forget the calls that have ended.
sub reap_calls
{
	my @running;

	foreach my $call (@calls)
	{
		$call->{psql}->pump_nb if $call->{psql}->pumpable;
		push @running, $call if $call->{psql}->pumpable;
		stop_call($call) if !$call->{psql}->pumpable;
	}
	@calls = @running;
	return;
}

# What the jobs are at: the one that is not over, and its status.
sub unfinished_job
{
	my $row = attempt('SELECT job_id, status FROM bulkpar_jobs'
		  . " WHERE status <> 'succeeded'");

	return split /\|/, $row // '';
}

# What the next job does, of all that one can do: each row once.
sub next_statement
{
	my $there = attempt('SELECT EXISTS (SELECT FROM events)') // '';
	my ($from, $to) =
	  $there eq 't' ? ('events', 'archive') : ('archive', 'events');
	my @statements = (
		'UPDATE t SET n = n + 1 + tempo()',
		'WITH new AS (UPDATE t SET n = n + 1 + tempo() RETURNING id, n)'
		  . ' INSERT INTO history SELECT id, n FROM new',
		'SELECT step(id) FROM t',
		'MERGE INTO merged m USING t ON m.id = t.id'
		  . ' WHEN MATCHED THEN UPDATE SET n = m.n + 1 + tempo()'
		  . ' WHEN NOT MATCHED THEN INSERT VALUES (t.id, 1 + tempo())',
		"WITH moved AS (DELETE FROM $from RETURNING id)"
		  . " INSERT INTO $to SELECT id + tempo() FROM moved");

	pop @statements if $there eq '';
	return $statements[ rand @statements ];
}

# The next call: that statement, or the same on two tables.
sub next_call
{
	my ($how) = @_;

	return rand() < 0.2
	  ? "bulkpar_update('{twin,t}', 'n', 'n + 1 + tempo()', $how)"
	  : "bulkpar_execute('" . next_statement() . "', $how)";
}

# Start the next job when there is none, or go on with one that was stopped.
sub keep_going
{
	my ($job, $status) = unfinished_job();
	my $wait = rand() < 0.7 ? 'true' : 'false';
	my $size = 20 + int(rand(200));
	my $stripes = ('NULL', 1, 3, 8, 64)[ rand 5 ];

	if (!defined $job)
	{
		call('SELECT '
			  . next_call("$size, 3, wait => $wait,"
				  . " job_name => 'nemesis', stripes => $stripes"));
	}
	elsif ($status ne 'running')
	{
		$outcomes{$status}++;
		call("SELECT bulkpar_resume($job, batch_size => $size, wait => $wait)");
	}
	usleep(300_000);
	return;
}

# The pid of one of the processes of the condition, if there is one.
sub some_process
{
	my ($condition) = @_;
	my $choice = rand;

	return attempt(<<"END");
SELECT (array_agg(pid ORDER BY pid))[1 + floor($choice * count(*))]
FROM pg_stat_activity WHERE $condition
END
}

sub hit
{
	my ($function, $condition) = @_;
	my $pid = some_process($condition) || return;

	attempt("SELECT $function($pid)");
	return;
}

sub some_worker { return some_process("backend_type = 'bulkpar worker'"); }

sub stop_worker_for_a_while
{
	my $pid = some_worker() || return;

	signal_process('STOP', $pid);
	usleep(rand(1_000_000));
	if (rand() < 0.5)
	{
		hit('pg_terminate_backend', "backend_type = 'bulkpar coordinator'");
		keep_going();
	}
	signal_process('CONT', $pid);
	return;
}

# Limits of the server, for a while.
sub limit_for_a_while
{
	my ($setting, $action) = @_;

	attempt("LOAD 'bulkpar'; ALTER SYSTEM SET bulkpar.$setting;"
		  . ' SELECT pg_reload_conf()');
	$action->() if $action;
	usleep(rand(1_000_000));
	attempt('ALTER SYSTEM RESET ALL; SELECT pg_reload_conf()');
	return;
}

# Replay stands still, while something else may happen.
sub stall_standby
{
	my $pid = $standby->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'");

	limit_for_a_while(
		"max_replica_lag = '200ms'",
		sub {
			signal_process('STOP', $pid);
			usleep(rand(1_000_000));
			hit((qw(pg_terminate_backend pg_cancel_backend))[ rand 2 ],
				"backend_type LIKE 'bulkpar%'")
			  if rand() < 0.5;
		});
	signal_process('CONT', $pid);
	return;
}

my %nemesis = (
	'a limit' => sub {
		limit_for_a_while((
				'max_rows_per_second = 500', "max_wal_rate = '100kB'",
				'nice = 5',                  "max_time = '1s'",
				'min_free_disk = 100',         "time_window = '00:00-00:01'",
				"min_free_disk = 100; ALTER SYSTEM SET bulkpar.throttle_timeout = '1s'"
			)[ rand 7 ]);
	},
	'stalled standby' => \&stall_standby,
	'altered job' => sub {
		my ($job) = unfinished_job();
		my $workers = 1 + int(rand(5));
		my $size = 20 + int(rand(200));
		my $settings = (
			'NULL',                '\'{"nice": 2}\'',
			'\'{"lock_wait": 5}\'', '\'{"max_rows_per_second": 2000}\'')[ rand 4 ];

		return if !defined $job;
		attempt("SELECT bulkpar_alter($job, $workers, $size, $settings)");
		usleep(rand(1_000_000));
		attempt("SELECT bulkpar_alter($job, settings => "
			  . '\'{"nice": null, "lock_wait": null, "max_rows_per_second": null}\')');
	},
	'locked rows' => sub {
		attempt('BEGIN; SELECT count(*) FROM (SELECT FROM t WHERE id % 7000 = '
			  . int(rand(7000)) . ' FOR UPDATE) AS r; SELECT pg_sleep('
			  . rand . '); COMMIT');
	},
	'kill -9 of the postmaster' => sub {
		$node->kill9;
		start_server_again();
	},
	'kill -9 of a worker' => sub {
		my $pid = some_worker() || return;
		kill_process($node, $pid);
		start_transfers();
	},
	'immediate stop' => sub {
		$node->stop('immediate');
		start_server_again();
	},
	'terminated worker' =>
	  sub { hit('pg_terminate_backend', "backend_type = 'bulkpar worker'") },
	'cancelled worker' =>
	  sub { hit('pg_cancel_backend', "backend_type = 'bulkpar worker'") },
	'terminated coordinator' => sub {
		hit('pg_terminate_backend', "backend_type = 'bulkpar coordinator'");
	},
	'terminated caller' =>
	  sub { hit('pg_terminate_backend', "application_name = 'caller'") },
	'cancelled caller' =>
	  sub { hit('pg_cancel_backend', "application_name = 'caller'") },
	'cancel' => sub {
		my ($job) = unfinished_job();
		attempt("SELECT bulkpar_cancel($job)") if defined $job;
	},
	'pause' => sub {
		my ($job) = unfinished_job();
		attempt("SELECT bulkpar_pause($job)") if defined $job;
	},
	'two resumes' => sub {
		my ($job) = unfinished_job();
		return if !defined $job;
		attempt("SELECT bulkpar_cancel($job)");
		call("SELECT bulkpar_resume($job, 2)") foreach 1, 2;
	},
	'stopped worker' => \&stop_worker_for_a_while,
	'locked table' => sub {
		attempt('BEGIN; LOCK TABLE t; SELECT pg_sleep(' . rand . '); COMMIT');
	});

make_table($node, 't', 20000);
$node->safe_psql('postgres',
	'ALTER TABLE t ADD COLUMN balance integer NOT NULL DEFAULT 0');
$node->safe_psql('postgres', <<'END');
CREATE TABLE twin (n integer DEFAULT 0, id bigint PRIMARY KEY);
INSERT INTO twin (id) SELECT generate_series(1, 2000);
ANALYZE twin;
CREATE TABLE history (id integer, n integer);
CREATE TABLE merged (id integer PRIMARY KEY, n integer);
CREATE TABLE archive (id integer PRIMARY KEY);
CREATE TABLE events (id integer PRIMARY KEY);
INSERT INTO events SELECT id FROM t;
ANALYZE events;
CREATE FUNCTION step(integer) RETURNS void LANGUAGE sql SET search_path = public
	AS 'UPDATE t SET n = n + 1 + tempo() WHERE id = $1';
END
set_tempo($node, 0.1);
append_to_file($node->basedir . '/transfer.sql', <<'END');
\set low random(1, 19000)
\set high :low + random(1, 1000)
\set amount random(1, 100)
BEGIN;
UPDATE t SET balance = balance - :amount WHERE id = :low;
UPDATE t SET balance = balance + :amount WHERE id = :high;
END;
END
start_transfers();

while (time < $until)
{
	my $fault = (sort keys %nemesis)[ rand keys %nemesis ];

	reap_calls();
	keep_going();
	usleep(700_000 + rand(2_000_000));
	note($fault);
	$faults{$fault}++;
	$nemesis{$fault}->();
	start_transfers() if !$transfers->pumpable;
}

# No fault any more: the last job gets to its end.
$node->safe_psql('postgres', 'ALTER SYSTEM RESET ALL; SELECT pg_reload_conf()');
set_tempo($node, 0);
for (1 .. 100)
{
	last if !defined((unfinished_job())[0]) && $_ > 1;
	keep_going() if defined((unfinished_job())[0]);
}
is(join('|', unfinished_job()), '', 'the last job succeeds');
$transfers->signal('TERM');
$transfers->finish;
stop_call($_) foreach @calls;

my $jobs = $node->safe_psql('postgres',
	"SELECT count(*) FROM bulkpar_jobs WHERE status = 'succeeded'");
diag("$jobs jobs; " . join(', ', map { "$faults{$_} $_" } sort keys %faults));
diag('resumed: '
	  . join(', ', map { "$outcomes{$_} $_" } sort keys %outcomes));
cmp_ok($jobs, '>', 0, 'some jobs have succeeded');
my %jobs = map { split /\|/ } split /\n/, $node->safe_psql('postgres',
	'SELECT command, count(*) FROM bulkpar_jobs GROUP BY 1');
$jobs{$_} //= 0 foreach qw(update keep call merge move);
diag(join(', ', map { "$jobs{$_} $_" } sort keys %jobs));
is_exactly($node, 't', $jobs{update} + $jobs{keep} + $jobs{call},
	'every row is updated once by each that does so');
is_exactly($node, 'twin', $node->safe_psql('postgres',
		'SELECT count(*) FROM bulkpar_jobs WHERE targets IS NOT NULL'),
	'those of the other table by each that is about both');
is( $node->safe_psql('postgres',
		'SELECT count(*), count(DISTINCT (id, n)) FROM history'),
	join('|', ($jobs{keep} * 20000) x 2), 'and kept once');
is( $node->safe_psql('postgres',
		'SELECT count(*), min(n), max(n) FROM merged'),
	$jobs{merge} > 0 ? "20000|$jobs{merge}|$jobs{merge}" : '0||',
	'and merged once');
is( $node->safe_psql('postgres', <<'END'),
SELECT count(*), count(DISTINCT id),
	(SELECT count(*) FROM events) = 0 OR (SELECT count(*) FROM archive) = 0
FROM (SELECT id FROM events UNION ALL SELECT id FROM archive) AS places
END
	'20000|20000|t', 'and moved once');
diag('stripes: '
	  . $node->safe_psql('postgres', <<'END'));
SELECT string_agg(stripes || ' in ' || jobs || ' jobs', ', ' ORDER BY stripes)
FROM (SELECT stripes, count(*) AS jobs FROM bulkpar_jobs GROUP BY 1) AS s
END
is($node->safe_psql('postgres', 'SELECT sum(balance) FROM t'),
	'0', 'the transfers agree');
isnt(
	$node->safe_psql('postgres', 'SELECT count(*) FROM t WHERE balance <> 0'),
	'0', 'and there were some');
is( $node->safe_psql('postgres',
		'SELECT bool_and(rows_changed = CASE WHEN targets IS NULL THEN 20000'
		  . ' ELSE 22000 END) FROM bulkpar_progress'),
	't', 'each job has counted its rows');
is_quiet($node, 't', 'nemesis');
is(shared_segments($node), $segments, 'no shared memory segment is left');
log_is_clean($node, 'nemesis');

$standby->stop;
$node->stop;
done_testing();
