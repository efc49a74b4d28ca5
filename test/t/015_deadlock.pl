# Deadlocks: with other sessions, and with the session that waits for the job.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = seed_random();
# The workers see a deadlock first, other sessions are told to look later.
my $node = start_fault_server('deadlock', 'deadlock_timeout = 10ms');
my ($call, $job);

# Run a script whose last statement must fail with 40P01, while others wait.
sub deadlocks
{
	my ($name, $script, $others) = @_;
	my ($status, $stdout, $stderr);
	my $after = last_job($node);
	my $seconds = seconds_of(
		sub {
			($status, $stdout, $stderr) = $node->psql(
				'postgres', $script,
				on_error_stop => 1,
				timeout => $PostgreSQL::Test::Utils::timeout_default,
				extra_params => [ '-v', 'VERBOSITY=verbose' ]);
		});

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like($stderr, qr/ERROR:  40P01: deadlock detected/, "$name: is detected");
	cmp_ok($seconds, '<', 10, "$name: within a few seconds");
	return last_job($node);
}

# Sessions that lock two rows at a time, the larger key first.
make_table($node, 't', 4000);
set_tempo($node, 0.2);
my $script = $node->basedir . '/descending.sql';
append_to_file($script, <<'END');
\set low random(1, 3980)
\set high :low + random(1, 20)
BEGIN;
UPDATE t SET pid = coalesce(pid, 0) + 1 WHERE id = :high;
UPDATE t SET pid = coalesce(pid, 0) - 1 WHERE id = :low;
COMMIT;
END
my ($out, $err) = ('', '');
my @pgbench;
{
	local $ENV{PGOPTIONS} = '-c deadlock_timeout=10s';
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	@pgbench = map {
		IPC::Run::start(
			[
				'pgbench', '-n', '-c', '2', '-T', '600', "--random-seed=$_",
				'-f', $script, 'postgres'
			],
			'<', \undef, '>', \$out, '2>', \$err)
	} ($seed, $seed + 1);
}
wait_until($node, "count(*) > 100 FROM t WHERE pid IS NOT NULL");
is( stop_call(
		start_call($node,
			"SELECT status FROM"
			  . " bulkpar_update('t', 'n', 'n + 1 + tempo()', 50, 2)")),
	'succeeded',
	'the job succeeds in spite of deadlocks');
$_->signal('TERM'), $_->finish foreach @pgbench;
cmp_ok(
	$node->safe_psql('postgres',
		'SELECT sum(retries) FROM bulkpar_chunks WHERE job_id = '
		  . last_job($node)),
	'>', 0, 'and has counted them');
is_exactly($node, 't', 1, 'every row is updated once');
is($node->safe_psql('postgres', 'SELECT sum(pid) FROM t'),
	'0', 'the other sessions lose nothing');
is_quiet($node, 't', 'deadlocks');

# An error that does not go away is one after some retries.
$node->safe_psql('postgres', <<'END');
CREATE FUNCTION conflict() RETURNS integer LANGUAGE plpgsql AS
	'BEGIN RAISE SQLSTATE ''40001'' USING MESSAGE = ''conflict''; END';
END
fails_with($node,
	"SELECT bulkpar_update('t', 'n', 'n + 1 + conflict()', 1000, 1)",
	'40001', 'a conflict that stays');
is_exactly($node, 't', 1, 'a conflict that stays: nothing is changed');
is_quiet($node, 't', 'a conflict that stays');

# A batch that comes to a deadlock again and again is split: here each one of
# more than 5 rows does, whether its rows are listed or not.
$node->safe_psql('postgres', <<'END');
CREATE FUNCTION crowded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF (SELECT count(*) FROM changed) > 5 THEN
		RAISE SQLSTATE '40P01' USING MESSAGE = 'deadlock detected';
	END IF;
	RETURN NULL;
END $$;
END
foreach my $listed ('f', 't')
{
	my ($rows, $condition) =
	  $listed eq 't' ? (2000, 'id % 100 IN (7, 8)') : (40, 'true');
	my $name = "split, listed $listed";

	make_table($node, 't', $rows);
	$node->safe_psql('postgres',
			'CREATE TRIGGER crowded AFTER UPDATE ON t REFERENCING NEW TABLE'
		  . ' AS changed FOR EACH STATEMENT EXECUTE FUNCTION crowded()');
	is( $node->safe_psql('postgres',
			"SELECT status, rows_changed, batches >= 8 FROM bulkpar_update("
			  . "'t', 'n', 'n + 1', 20, 2, condition => '$condition')"),
		'succeeded|40|t', "$name: the job succeeds in smaller batches");
	is( $node->safe_psql('postgres',
			'SELECT sum(retries) >= 6, bool_and(listed)'
			  . ' FROM bulkpar_chunks WHERE job_id = ' . last_job($node)),
		"t|$listed", "$name: the retries are counted");
	is( $node->safe_psql('postgres',
			"SELECT count(*) FROM t WHERE n <> ($condition)::int"),
		'0', "$name: every row is updated once");
}

# The caller holds what a worker waits for.
make_table($node, 't', 1000);
$job = deadlocks('lock of the session', <<'END');
SELECT pg_advisory_lock(0);
SELECT bulkpar_update('t', 'n', 'n + 1 + gate()', 100, 2);
END
status_is($node, $job, 'cancelled', 'lock of the session');
is_exactly($node, 't', 0, 'lock of the session: nothing is changed');
is_quiet($node, 't', 'lock of the session');
succeeds($node, $job, 'lock of the session');

# A function that calls bulkpar_update has locked what a trigger wants.
make_table($node, 't', 1000);
$node->safe_psql('postgres', <<'END');
CREATE TABLE history (id integer);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN INSERT INTO history VALUES (NEW.id); RETURN NEW; END';
CREATE TRIGGER note AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE FUNCTION call() RETURNS text LANGUAGE plpgsql AS '
BEGIN
	LOCK TABLE history IN SHARE MODE;
	RETURN status FROM bulkpar_update(''t'', ''n'', ''n + 1'', 100, 2);
END';
END
$job = deadlocks('lock of a function', 'SELECT call()');
status_is($node, $job, 'cancelled', 'lock of a function');
is_exactly($node, 't', 0, 'lock of a function: nothing is changed');
is_quiet($node, 't', 'lock of a function');
succeeds($node, $job, 'lock of a function');
is($node->safe_psql('postgres', 'SELECT count(*) FROM history'),
	'1000', 'lock of a function: the trigger has fired once for each row');

# A third session stands between the two.
make_table($node, 't', 1000);
my $third = start_call($node,
	'SELECT pg_advisory_lock(0), pg_sleep(1), pg_advisory_lock(1)');
wait_until($node,
	"count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND granted");
$job = deadlocks('lock of a third session', <<'END');
SELECT pg_advisory_lock(1);
SELECT bulkpar_update('t', 'n', 'n + 1 + gate()', 100, 2);
END
status_is($node, $job, 'cancelled', 'lock of a third session');
stop_call($third);
is_quiet($node, 't', 'lock of a third session');
succeeds($node, $job, 'lock of a third session');

# A session that waits for a job of another.
make_table($node, 't', 1000);
my $gate = $node->background_psql('postgres', on_error_stop => 0);
$gate->query_safe('SELECT pg_advisory_lock(0)');
$node->safe_psql('postgres',
	"SELECT bulkpar_update('t', 'n', 'n + 1 + gate()', 100, 2, wait => false)");
wait_for_workers($node, 2);
$job = last_job($node);
$gate->query("SELECT bulkpar_wait($job, '20s')");
like($gate->{stderr}, qr/deadlock detected/, 'bulkpar_wait: is detected');
status_is($node, $job, 'running', 'bulkpar_wait');
open_gate($gate);
is( $node->safe_psql('postgres', "SELECT status FROM bulkpar_wait($job)"),
	'succeeded', 'bulkpar_wait: the job goes on');
is_exactly($node, 't', 1, 'bulkpar_wait: every row is updated once');
is_quiet($node, 't', 'bulkpar_wait');

# A lock that nobody waits for does not matter.
make_table($node, 't', 4000);
set_tempo($node, 1);
is( $node->safe_psql('postgres', <<'END'), "\nsucceeded", 'another lock');
SELECT pg_advisory_lock(2);
SELECT status FROM bulkpar_update('t', 'n', 'n + 1 + tempo()', 100, 2);
END
is_exactly($node, 't', 1, 'another lock: every row is updated once');

log_is_clean($node, 'deadlocks');
$node->stop;
done_testing();
