# Workers that do not end when their job does (here they are stopped; a single
# long computation does the same).  Who waits for the job need not wait for
# them, and it can be resumed; but they count against the limits as long as they
# live, however the job was ended.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use Test::More;

my $node = start_server('outlived', <<'END');
max_worker_processes = 24
bulkpar.report = off
bulkpar.max_workers = 15
END
my $processes = "pg_stat_activity WHERE usename = 'mallory' AND backend_type LIKE 'bulkpar%'";

sub super { return $node->safe_psql('postgres', $_[0]); }

super(<<'END');
CREATE ROLE mallory LOGIN;
CREATE ROLE ann LOGIN;
CREATE TABLE failing (yes boolean);
INSERT INTO failing VALUES (true);
GRANT SELECT ON failing TO PUBLIC;
CREATE FUNCTION fail() RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
	IF (SELECT yes FROM failing) THEN
		RAISE division_by_zero;
	END IF;
	RETURN 0;
END $$;
END
make_table($node, 'a', 10);
super('ALTER TABLE a OWNER TO ann');

# How a job ends: its workers, what ends it and as whom, what its caller is told,
# and what it is then.
my %ends = (
	'a cancelled caller' => [ 1, 'postgres',
		sub { "SELECT pg_cancel_backend($_[0]{caller})" }, '57014', 'cancelled' ],
	'a terminated caller' => [ 1, 'postgres',
		sub { "SELECT pg_terminate_backend($_[0]{caller})" }, '57P01', 'cancelled' ],
	'a cancelled job' => [ 1, 'mallory',
		sub { "SELECT bulkpar_cancel($_[0]{id})" }, '57014', 'cancelled' ],
	'a paused job' => [ 1, 'mallory',
		sub { "SELECT bulkpar_pause($_[0]{id})" }, '', 'paused' ],
	'a cancelled coordinator' => [ 1, 'mallory',
		sub { "SELECT pg_cancel_backend($_[0]{coordinator})" }, '57014', 'cancelled' ],
	'a terminated coordinator' => [ 1, 'mallory',
		sub { "SELECT pg_terminate_backend($_[0]{coordinator})" }, '57P01', 'interrupted' ],
	'a failed worker' => [ 2, '', undef, '22012', 'failed' ]);
my $number = 100;
my (%jobs, @stopped);
foreach my $end (sort keys %ends)
{
	my ($workers) = @{ $ends{$end} };
	my $job = $jobs{$end} = { table => 't' . ++$number };
	my $mine = "FROM $processes AND application_name LIKE 'bulkpar worker%of job ";

	make_table($node, $job->{table}, 200);
	super("ALTER TABLE $job->{table} OWNER TO mallory");
	$job->{gate} = close_gate($node, $number);
	$job->{call} = start_call($node,
		"SELECT status FROM bulkpar_update('$job->{table}', 'n', 'n + 1 + gate($number) + fail()',"
		  . " 20, $workers, stripes => 1)", role => 'mallory');
	wait_until($node, "count(*) = $workers FROM pg_locks WHERE NOT granted"
		  . " AND locktype = 'advisory' AND objid = $number");
	$job->{id} = last_job($node);
	$job->{caller} = super("SELECT pid FROM pg_stat_activity WHERE application_name = 'caller'"
		  . " AND query LIKE '%$job->{table}%'");
	$job->{coordinator} = super("SELECT pid FROM $processes AND query LIKE 'bulkpar job $job->{id}:%'");
	my ($pid) = split /\n/, super("SELECT pid $mine$job->{id}' ORDER BY pid");
	kill 'STOP', $pid;
	push @stopped, $pid;
}
is(super("SELECT count(*) FROM $processes"), '15', 'all processes that there may be are there');

my %sessions;
foreach my $end (sort keys %ends)
{
	my ($workers, $role, $sql) = @{ $ends{$end} };
	my $job = $jobs{$end};

	if (defined $sql)
	{
		$sessions{$end} = start_call($node, $sql->($job), role => $role eq 'postgres' ? 'none' : $role);
	}
	open_gate($job->{gate}) if !defined $sql;
}
foreach my $end (sort keys %ends)
{
	my (undef, undef, $sql, $sqlstate, $status) = @{ $ends{$end} };
	my $job = $jobs{$end};

	if ($sqlstate eq '')
	{
		is(stop_call($job->{call}), $status, "$end: the caller is told");
	}
	else
	{
		like(call_error($job->{call}), qr/^(ERROR|FATAL):  $sqlstate:/m, "$end: the caller is told");
	}
	is(call_error($sessions{$end}), '', "$end: who ends it need not wait either") if defined $sql;
	is(super("SELECT status FROM bulkpar_jobs WHERE job_id = $job->{id}"),
		$status, "$end: what the job is then");
	open_gate($job->{gate}) if defined $sql;
}

# A second worker and its slot are gone, the others are not.
wait_until($node, "count(*) = 14 FROM $processes");
is(super("SELECT count(DISTINCT objsubid) FROM pg_locks WHERE locktype = 'userlock'"
	  . ' AND classid = 1 AND database = 0'),
	'14', 'each process that is left has its slot');
super("SELECT pg_terminate_backend(pid), pg_cancel_backend(pid) FROM $processes"
	  . " AND backend_type = 'bulkpar coordinator'");
foreach my $role ('mallory', 'ann')
{
	my ($out, $err) = run_as($node, $role, $role eq 'ann' ?
		  "SELECT bulkpar_update('a', 'n', 'n + 1')" :
		  "SELECT bulkpar_resume($jobs{'a cancelled job'}{id})");

	like($err, qr/^ERROR:  could not register a background worker for the job\nDETAIL:  .*bulkpar\.max_workers/,
		"$role gets no processes beyond the limit");
}
$node->append_conf('postgresql.conf', 'bulkpar.max_workers = 20');
$node->reload;
wait_until($node, "current_setting('bulkpar.max_workers', true) = '20'");

# The jobs can be resumed beside what is left of them.
super('UPDATE failing SET yes = false');
foreach my $end (sort keys %ends)
{
	my $job = $jobs{$end};
	my ($out, $err) = run_as($node, 'mallory', "SELECT status FROM bulkpar_resume($job->{id}, 1)");

	is("$out$err", 'succeeded', "$end: the job can be resumed");
	is_exactly($node, $job->{table}, 1, "$end: every row is updated once");
}
is(super("SELECT count(*) FROM $processes"), '14', 'what was left is still there');
kill 'CONT', @stopped;
wait_until($node, "NOT EXISTS (SELECT FROM $processes)", 'and ends when it can');
foreach my $end (sort keys %ends)
{
	is_exactly($node, $jobs{$end}{table}, 1, "$end: which changes nothing");
}
is(super("SELECT count(*) FROM pg_locks WHERE locktype = 'userlock'"), '0', 'no slot is taken');

done_testing();
