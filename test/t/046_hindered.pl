# Workers whose batches want the same rows: they get fewer, and the job succeeds.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use Test::More;

my $node = start_fault_server('hindered', '');

# The retries of a job, and the workers that it is left with.
sub retries_of
{
	my ($job) = @_;

	return split /\|/, $node->safe_psql('postgres',
		"SELECT (SELECT sum(retries) FROM bulkpar_chunks WHERE job_id = $job),"
		  . " workers FROM bulkpar_jobs WHERE job_id = $job");
}

# Each batch takes two locks, with time for the others in between, every other
# worker in the other order.  So the batches of two such always deadlock, but
# those of one never.  The first batch waits until there are two, as long as there
# are to be.
$node->safe_psql('postgres', <<'END');
CREATE FUNCTION cross_over() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	worker int := substring(current_setting('application_name') from 'worker (\d+)');
BEGIN
	WHILE NOT EXISTS (SELECT FROM t WHERE n > 0)
		AND (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'bulkpar worker') = 1
		AND (SELECT workers > 1 FROM bulkpar_jobs
			WHERE job_id = current_setting('bulkpar.job_id')::bigint) LOOP
		PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
	END LOOP;
	PERFORM pg_advisory_xact_lock(100 + worker % 2);
	PERFORM pg_sleep(0.1) FROM pg_stat_activity
		WHERE backend_type = 'bulkpar worker' HAVING count(*) > 1;
	PERFORM pg_advisory_xact_lock(101 - worker % 2);
	RETURN NULL;
END $$;
END

foreach my $workers (2, 4)
{
	my $name = "$workers workers";
	my ($out, $stderr);

	make_table($node, 't', 2000);
	$node->safe_psql('postgres',
		'CREATE TRIGGER cross_over BEFORE UPDATE ON t EXECUTE FUNCTION cross_over()'
	);
	$node->psql(
		'postgres',
		"SELECT status, rows_changed FROM bulkpar_update('t', 'n', 'n + 1',"
		  . " 20, $workers)",
		stdout => \$out,
		stderr => \$stderr);
	is($out, 'succeeded|2000', "$name: the job succeeds");
	is_exactly($node, 't', 1, "$name: every row is updated once");
	my ($retries, $left) = retries_of(last_job($node));
	cmp_ok($left, '<', $workers, "$name: the job is left with fewer");
	cmp_ok($retries, '>=', 1, "$name: which takes some retries");
	cmp_ok($retries, '<=', 10 * $workers, "$name: but not many");
	my $fewer = $workers - $left;
	my $times = $fewer == 1 ? '1 time' : "$fewer times";
	like(
		$stderr,
		qr/one worker less, because its workers hinder each other \($times\)/,
		"$name: a notice says so");
	is_quiet($node, 't', $name);
}

# A resumed job goes on with those that are left, if it is not told otherwise.
make_table($node, 't', 2000);
$node->safe_psql('postgres',
	'CREATE TRIGGER cross_over BEFORE UPDATE ON t EXECUTE FUNCTION cross_over()'
);
set_tempo($node, 20);
$node->safe_psql('postgres',
	"SELECT bulkpar_update('t', 'n', 'n + 1 + tempo()', 20, 2,"
	  . " job_name => 'crossed', wait => false)");
my $job = last_job($node);
wait_until($node, "workers = 1 FROM bulkpar_jobs WHERE job_id = $job");
$node->safe_psql('postgres', "SELECT bulkpar_pause($job)");
status_is($node, $job, 'paused', 'resumed');
my ($before) = retries_of($job);
set_tempo($node, 0);
is( $node->safe_psql('postgres',
		"SELECT status, workers FROM bulkpar_update('t', 'n', 'n + 1 + tempo()',"
		  . " 20, job_name => 'crossed')"),
	'succeeded|1',
	'resumed: with one worker');
is(join('|', retries_of($job)), "$before|1", 'resumed: without a retry');
is_exactly($node, 't', 1, 'resumed: every row is updated once');

# A worker that is terminated does not bring back those that have left.
make_table($node, 't', 2000);
$node->safe_psql('postgres',
	'CREATE TRIGGER cross_over BEFORE UPDATE ON t EXECUTE FUNCTION cross_over()'
);
set_tempo($node, 20);
my $call = start_call($node,
	"SELECT status FROM bulkpar_update('t', 'n', 'n + 1 + tempo()', 20, 2)");
wait_until($node,
	"EXISTS (SELECT FROM bulkpar_jobs WHERE job_id > $job AND workers = 1)");
wait_until($node,
	"count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'bulkpar worker'"
);
$node->safe_psql('postgres',
	"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
	  . " WHERE backend_type = 'bulkpar worker'");
set_tempo($node, 0);
is(stop_call($call), 'succeeded', 'terminated: the job succeeds');
is_exactly($node, 't', 1, 'terminated: every row is updated once');
is(
	(retries_of(last_job($node)))[1],
	'1', 'terminated: the job stays with one worker');

# However often a batch fails, the job does not while that may be the work of
# another of its workers.
make_table($node, 't', 4000);
set_tempo($node, 2);
$node->safe_psql('postgres', <<'END');
CREATE FUNCTION wants_to_be_alone(id int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	IF id = 1000 AND (SELECT count(*) > 1 FROM pg_stat_activity
			WHERE backend_type = 'bulkpar worker') THEN
		RAISE SQLSTATE '40001' USING MESSAGE = 'not alone';
	END IF;
	RETURN 0;
END $$;
END
is( $node->safe_psql('postgres',
		"SELECT status FROM bulkpar_update("
		  . "'t', 'n', 'n + 1 + tempo() + wants_to_be_alone(id)', 20, 2)"),
	'succeeded',
	'one batch: the job succeeds');
is_exactly($node, 't', 1, 'one batch: every row is updated once');
cmp_ok((retries_of(last_job($node)))[0], '>', 0, 'one batch: after retries');

# Children of two parents, a row of sums that each of them changes, and a record
# of each: what is left is what one statement leaves.
$node->safe_psql('postgres', <<'END');
CREATE TABLE person (id int PRIMARY KEY, gone bool, nfollows int NOT NULL DEFAULT 0,
	boss int REFERENCES person ON DELETE SET NULL);
CREATE TABLE follows (a int REFERENCES person ON UPDATE CASCADE ON DELETE CASCADE,
	b int REFERENCES person ON UPDATE CASCADE ON DELETE CASCADE, PRIMARY KEY (a, b));
CREATE INDEX ON follows (b);
CREATE INDEX ON person (boss);
CREATE TABLE sums (id int PRIMARY KEY, n int);
CREATE TABLE record (op text, a int, b int);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE sums SET n = n - 1 WHERE id IN (OLD.a % 10, OLD.b % 10);
	INSERT INTO record VALUES (TG_OP, OLD.a, OLD.b);
	RETURN NULL;
END $$;
CREATE TRIGGER note AFTER DELETE ON follows FOR EACH ROW EXECUTE FUNCTION note();
CREATE FUNCTION note_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE sums SET n = n + 1 WHERE id = NEW.id * 7919 % 10;
	INSERT INTO record VALUES (TG_OP, NEW.id, NEW.nfollows);
	RETURN NULL;
END $$;
CREATE TRIGGER note AFTER UPDATE OF nfollows ON person FOR EACH ROW EXECUTE FUNCTION note_person();
CREATE PROCEDURE fill() LANGUAGE sql AS $$
	TRUNCATE person, follows, sums, record;
	INSERT INTO person SELECT g, g % 2 = 0, 0, g * 7 % 1000 + 1 FROM generate_series(1, 1000) g;
	INSERT INTO follows SELECT 1 + g * 7919 % 1000, 1 + (g * 104729 + g / 1000) % 1000
		FROM generate_series(1, 10000) g ON CONFLICT DO NOTHING;
	INSERT INTO sums SELECT g, 0 FROM generate_series(0, 9) g;
	ANALYZE person, follows;
$$;
END
my $state = <<'END';
SELECT (SELECT count(*) FROM person), (SELECT count(boss) FROM person),
	(SELECT sum(id::bigint) FROM person), (SELECT count(*) FROM follows),
	(SELECT sum(a::bigint * 31 + b) FROM follows),
	(SELECT string_agg(n::text, ',' ORDER BY id) FROM sums),
	(SELECT count(*) FROM record), (SELECT count(*) FROM (SELECT DISTINCT op, a, b FROM record) d)
END
foreach my $kind (
	[
		'deletes', 'DELETE FROM person WHERE gone',
		"bulkpar_delete('person', 'gone', 50, %d)"
	],
	[
		'updates', 'UPDATE person SET nfollows = nfollows + 1',
		"bulkpar_update('person', 'nfollows', 'nfollows + 1', 50, %d)"
	])
{
	my ($name, $plain, $call) = @$kind;

	foreach my $workers (2, 4)
	{
		$node->safe_psql('postgres', 'CALL fill()');
		my $expected = $node->safe_psql('postgres', "BEGIN; $plain; $state");
		is( $node->safe_psql('postgres',
				'SELECT status FROM ' . sprintf($call, $workers)),
			'succeeded', "$name by $workers workers: the job succeeds");
		is($node->safe_psql('postgres', $state),
			$expected, "$name by $workers workers: as one statement does");
		my ($retries) = retries_of(last_job($node));
		cmp_ok($retries, '<=', 10 * $workers,
			"$name by $workers workers: with few retries");
	}
}

log_is_clean($node, 'hindered');
$node->stop;
done_testing();
