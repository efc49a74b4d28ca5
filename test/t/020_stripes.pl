# Stripes: what they save, who stands in their way, and that every row is still
# updated exactly once, whatever dies or is written in the middle of a stripe.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

seed_random();
my $node = start_fault_server('stripes', <<'END', allows_streaming => 1);
max_prepared_transactions = 5
END
my ($gate, $call, $job);

sub sql { return $node->safe_psql('postgres', $_[0]); }

#
# What stripes save.
#

# A table without dead rows, with an index that the job does not touch.
sub make_person
{
	my ($rows) = @_;

	sql(<<"END");
SET client_min_messages = warning;
DROP TABLE IF EXISTS person;
CREATE TABLE person (id integer PRIMARY KEY, n integer NOT NULL, name text);
INSERT INTO person SELECT i, 0, 'person ' || i FROM generate_series(1, $rows) AS i;
CREATE INDEX ON person (name);
VACUUM ANALYZE person;
END
	return;
}

make_person(200_000);
$call = start_call($node,
	"SELECT status FROM bulkpar_update('person', 'n', 'n + 1', workers => 2)");
is(stop_call($call), 'succeeded', 'a large table');
is_exactly($node, 'person', 1, 'a large table: every row is updated once');
unlike($call->{err}, qr/NOTICE/, 'a large table: nobody holds dead rows');
my $size = qr/\d+ (?:bytes|kB|MB)/;
like(
	$call->{err},
	qr/^DETAIL:  \d+ % of the updates were HOT\. The table went from $size to $size, its indexes from $size to $size, with $size of WAL\.$/m,
	'a large table: the message says what it has cost');
my ($stripes, $hot, $table, $index) = split /\|/, sql(<<'END');
SELECT stripes || CASE WHEN stripes_chosen THEN ' chosen' ELSE '' END,
	round(rows_hot / 200000.0, 2),
	round(table_bytes_after / table_bytes_before::numeric, 2),
	round(index_bytes_after / index_bytes_before::numeric, 2)
FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1
END
note("with stripes: HOT $hot, table $table, indexes $index");
is($stripes, '12 chosen', 'stripes are chosen');
cmp_ok($hot, '>', 0.6, 'most updates are HOT');
cmp_ok($table, '<', 1.35, 'the table grows by a third at the most');
cmp_ok($index, '<', 1.5, 'and the indexes by half');

make_person(200_000);
sql("SELECT bulkpar_update('person', 'n', 'n + 1', workers => 2, stripes => 1)");
($hot, $table) = split /\|/, sql(<<'END');
SELECT round(rows_hot / 200000.0, 2),
	round(table_bytes_after / table_bytes_before::numeric, 2)
FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1
END
note("with one stripe: HOT $hot, table $table");
cmp_ok($hot, '<', 0.2, 'with one stripe few updates are HOT');
cmp_ok($table, '>', 1.8, 'and the table takes twice the space');

# Both workers work to the end.  Others may slow one of them down, so the best
# of a few jobs counts.
my $idle = 1;
for (1 .. 4)
{
	make_person(100_000);
	sql("SELECT bulkpar_update('person', 'n', 'n + 1', workers => 2,"
		  . ' stripes => 16)');
	my $share = sql(<<'END');
SELECT round((extract(epoch FROM j.finished_at - min(w.last))
	/ extract(epoch FROM j.finished_at - j.started_at))::numeric, 3)
FROM bulkpar_jobs j, LATERAL (
	SELECT max(finished_at) AS last FROM bulkpar_chunks c
	WHERE c.job_id = j.job_id GROUP BY worker) w
WHERE job_id = (SELECT max(job_id) FROM bulkpar_jobs)
	AND (SELECT count(DISTINCT worker) FROM bulkpar_chunks c
		WHERE c.job_id = j.job_id) = 2
GROUP BY j.finished_at, j.started_at
END
	note("a worker is idle for $share of the run");
	$idle = $share if $share ne '' && $share < $idle;
	last if $idle <= 0.1;
}
cmp_ok($idle, '<=', 0.25, 'no worker is idle for long');

#
# Who holds dead rows.
#
sql(<<'END');
CREATE TABLE wide (id integer PRIMARY KEY, n integer NOT NULL, pad text);
INSERT INTO wide SELECT i, 0, repeat('x', 400) FROM generate_series(1, 24000) AS i;
VACUUM ANALYZE wide;
END
my $rounds = 0;

# Run a job on the table.  It waits at a row of its first chunk until the test has
# looked who is named as a holder, and has done what "meanwhile" says.  Returns
# how many stripes each chunk has.
sub run_wide
{
	my ($name, $expected, %options) = @_;
	my $form = $options{form} // 'SELECT status FROM %s';
	my $stripes = $options{stripes} // 'NULL';

	$gate = close_gate($node);
	$call = start_call(
		$node,
		sprintf $form,
		"bulkpar_update('wide', 'n', 'n + 1 + CASE id WHEN 1 THEN gate() ELSE 0 END',"
		  . " 50, 1, stripes => $stripes)");
	wait_for_workers($node, 1);
	$job = last_job($node);
	my $caller = sql('SELECT pid FROM pg_stat_activity'
		  . " WHERE application_name = 'caller'");
	$expected =~ s/CALLER/$caller/;

	# A transaction that has just begun is not yet named.
	wait_until($node,
		"xmin_holders IS NOT NULL FROM bulkpar_progress WHERE job_id = $job")
	  if $expected ne '';
	my $holders = sql('SELECT xmin_holders FROM bulkpar_progress'
		  . " WHERE job_id = $job");
	if ($expected eq '')
	{
		is($holders, '', "$name: bulkpar_progress shows nobody");
	}
	else
	{
		like($holders, qr/^$expected$/, "$name: bulkpar_progress");
		like(sql("SELECT xmin_holders FROM bulkpar_jobs WHERE job_id = $job"),
			qr/^$expected$/, "$name: bulkpar_jobs");
	}
	$options{meanwhile}->() if $options{meanwhile};
	open_gate($gate);
	stop_call($call);
	like($call->{err}, qr/held by session $caller, which waits for the job/,
		"$name: the notice says whose session that is")
	  if $expected =~ /which waits/;
	if ($expected eq '')
	{
		unlike($call->{err}, qr/NOTICE/, "$name: no notice");
	}
	else
	{
		like(
			$call->{err},
			qr/^NOTICE:  00000: dead rows of bulkpar job $job cannot be removed yet\nDETAIL:  The xmin horizon is held by $expected\.$/m,
			"$name: the notice");
	}
	is_exactly($node, 'wide', ++$rounds, "$name: every row is updated once");
	return sql("SELECT string_agg(stripes::text, ',' ORDER BY chunk_no)"
		  . " FROM bulkpar_chunks WHERE job_id = $job");
}

# A session that waits until stop_session, with its pid.
sub start_session
{
	my ($server, @statements) = @_;
	my $session = $server->background_psql('postgres');
	my $pid = $session->query_safe('SELECT pg_backend_pid()');

	$session->query_safe($_) foreach @statements;
	return ($session, $pid);
}

my ($session, $pid);
like(run_wide('nobody', ''), qr/^12(,\d+)*$/, 'nobody: stripes');

# All chunks have one stripe while the holder is there.
($session, $pid) = start_session($node,
	'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT 1');
like(run_wide('repeatable read', "session $pid \\(\\d+ s\\)"),
	qr/^1(,1)+$/, 'repeatable read: no stripes');
like(run_wide('stripes of the caller', "session $pid \\(\\d+ s\\)", stripes => 4),
	qr/^4(,[234])*(,1)?$/, 'stripes that the caller has chosen stay');

# The holder goes while the job runs: the stripes come back.
like(
	run_wide('a holder that goes', "session $pid \\(\\d+ s\\)",
		meanwhile => sub { $session->quit }),
	qr/^1,12(,\d+)*$/,
	'a holder that goes: the stripes come back');

# A holder comes while the job runs: the stripes go.
like(
	run_wide('a holder that comes', '',
		meanwhile => sub {
			($session, $pid) = start_session($node,
				'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT 1');
		}),
	qr/^12,12(,1)+$/,
	'a holder that comes: the stripes go');
$session->quit;

($session, $pid) = start_session($node, 'BEGIN', 'SELECT pg_current_xact_id()');
like(run_wide('idle in transaction', "session $pid \\(\\d+ s\\)"),
	qr/^1(,1)+$/, 'idle in transaction: no stripes');
$session->quit;

# Several, the oldest first.
sql("BEGIN; INSERT INTO tempo VALUES (0); PREPARE TRANSACTION 'two \"phases\"'");
($session, $pid) = start_session($node,
	'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT 1');
like(
	run_wide('prepared transaction',
		"prepared transaction \"two \"phases\"\" \\(\\d+ s\\), session $pid \\(\\d+ s\\)"),
	qr/^1(,1)+$/,
	'prepared transaction: no stripes');
$session->quit;
sql("ROLLBACK PREPARED 'two \"phases\"'");

# The caller itself, where it keeps a snapshot.
foreach my $case (
	[ 'DO', 'DO $do$ BEGIN PERFORM %s; END $do$' ],
	[ 'COPY', 'COPY (SELECT status FROM %s) TO STDOUT' ])
{
	my ($name, $form) = @$case;

	like(run_wide($name,
			'session CALLER(, which waits for the job)? \(\d+ s\)',
			form => $form),
		qr/^1(,1)+$/, "$name: no stripes");
}

# A statement of another session counts when it takes more than a second.
my $sleep = start_call($node, 'SELECT pg_sleep(600)');
my ($young, $named_young, $named) = (0, 0, 0);
for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
{
	my ($names, $age) = split /\|/, sql(<<'END');
SELECT h.holders LIKE '%session ' || a.pid || ' %',
	extract(epoch FROM clock_timestamp() - a.xact_start)
FROM (SELECT coalesce(bulkpar_xmin_holders(), '') AS holders OFFSET 0) AS h,
	pg_stat_activity AS a
WHERE a.query = 'SELECT pg_sleep(600)' AND a.state = 'active'
END
	next if !defined $age;
	$young++ if $age < 1;
	$named_young++ if $age < 1 && $names eq 't';
	$named = $names eq 't';
	last if $named;
	usleep(50_000);
}
note("looked $young times at a statement that had just begun");
is($named_young, 0, 'a short statement is not named');
ok($named, 'a long one is');
$sleep->{psql}->signal('INT');
stop_call($sleep);

# A small table grows little in any case.
($session, $pid) = start_session($node,
	'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT 1');
make_table($node, 't', 1000);
$call = start_call($node, "SELECT bulkpar_update('t', 'n', 'n + 1')");
unlike(call_error($call), qr/NOTICE/, 'a small table: no notice');

# A job that is resumed, and one that nobody waits for.
$gate = close_gate($node);
$call = start_call($node,
	"SELECT bulkpar_update('wide', 'n', 'n + 1 + CASE id WHEN 1 THEN gate() ELSE 0 END',"
	  . ' 50, 1, wait => false)');
like(call_error($call), qr/held by session $pid/, 'wait => false: the notice');
$job = last_job($node);
is(sql("SELECT status FROM bulkpar_pause($job)"), 'paused', 'it is paused');
open_gate($gate);
$call = start_call($node, "SELECT bulkpar_resume($job)");
like(call_error($call), qr/held by session $pid/, 'resume: the notice');
is_exactly($node, 'wide', ++$rounds, 'every row is updated once');
$session->quit;

# A standby that says what its queries need, with a slot and without one.
sql("SELECT pg_create_physical_replication_slot('standby_1')");
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->append_conf('postgresql.conf', <<'END');
hot_standby_feedback = on
wal_receiver_status_interval = 1
primary_slot_name = 'standby_1'
END
$standby->start;
foreach my $case (
	[
		'replication slot', 'replication slot "standby_1" \(\d+ transactions\)',
		'xmin IS NOT NULL FROM pg_replication_slots'
	],
	[
		'standby', 'standby "standby" \(\d+ transactions\)',
		'backend_xmin IS NOT NULL FROM pg_stat_replication'
	])
{
	my ($name, $pattern, $condition) = @$case;

	$node->wait_for_catchup($standby);
	($session) = start_session($standby,
		'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT 1');
	wait_until($node, $condition);
	like(run_wide($name, $pattern), qr/^1(,1)+$/, "$name: no stripes");
	$session->quit;

	$standby->append_conf('postgresql.conf', "primary_slot_name = ''");
	$standby->restart;
	wait_until($node,
		"NOT EXISTS (SELECT FROM pg_replication_slots WHERE active)");
	sql("SELECT pg_drop_replication_slot('standby_1')") if $name =~ /slot/;
}
$standby->stop;
wait_until($node, 'NOT EXISTS (SELECT FROM pg_stat_replication)');
like(run_wide('nobody any more', ''), qr/^12(,\d+)*$/, 'nobody: stripes again');

#
# Whatever dies in the middle of a stripe.
#

# Start a job whose two workers wait in the middle of stripe 5 of 8.
sub start_striped
{
	make_table($node, 't', 4000);
	$gate = close_gate($node);
	$call = start_call($node,
			"SELECT status FROM bulkpar_update('t', 'n', 'n + 1"
		  . " + CASE WHEN id > 600 AND bulkpar.bulkpar_in_stripe(8, 5, id)"
		  . " THEN gate() ELSE 0 END', 40, 2, stripes => 8)");
	wait_for_workers($node, 2);
	$job = last_job($node);
	is( sql("SELECT stripes, stripe, last_key IS NOT NULL FROM bulkpar_chunks"
			  . " WHERE job_id = $job AND chunk_no = 1"),
		'8|5|t', 'a job is in the middle of a stripe');
	return;
}

foreach my $case (
	[ 'killed worker', 'NULL' ],
	[ 'killed worker, smaller batches', 7 ],
	[ 'immediate stop', 100 ],
	[ 'immediate stop, batches of one row', 1 ])
{
	my ($name, $batch_size) = @$case;

	start_striped();
	if ($name =~ /worker/)
	{
		kill_process($node, backend_pid($node, 'bulkpar worker'));
		call_error($call);
	}
	else
	{
		$node->stop('immediate');
		call_error($call);
		ok(start_again($node), "$name: the server starts again");
	}
	eval { open_gate($gate) };
	status_is($node, $job, 'interrupted', $name);
	is_quiet($node, 't', $name);
	is_whole($node, 't', $job, $name);
	is( sql("SELECT status, rows_changed"
			  . " FROM bulkpar_resume($job, batch_size => $batch_size)"),
		'succeeded|4000', "$name: resume");
	is_exactly($node, 't', 1, "$name: every row is updated once");
	is( sql('SELECT bool_and(stripe = stripes - 1 AND last_key = hi)'
			  . " FROM bulkpar_chunks WHERE job_id = $job"),
		't', "$name: all stripes are done");
}

# Workers are terminated: others go on where they were.
start_striped();
foreach my $dead (backend_pids($node, 'bulkpar worker'))
{
	sql("SELECT pg_terminate_backend($dead)");
	wait_until($node,
		"NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $dead)");
}
wait_for_workers($node, 2);
is_whole($node, 't', $job, 'terminated workers');
open_gate($gate);
is(stop_call($call), 'succeeded', 'terminated workers: others go on');
is_exactly($node, 't', 1, 'terminated workers: every row is updated once');
is( sql('SELECT max(attempts) > 1, sum(rows_changed) FROM bulkpar_chunks'
		  . " WHERE job_id = $job"),
	't|4000', 'terminated workers: the chunks were taken over');

# Again and again at random moments.
foreach my $try (1 .. 3)
{
	my $name = "paused again and again ($try)";
	my $size = 5 + int rand 60;
	my $times = 0;

	make_table($node, 't', 5000);
	set_tempo($node, 0.2);
	$job = sql("SELECT job_id FROM bulkpar_update('t', 'n', 'n + 1 + tempo()',"
		  . " $size, 2, wait => false, stripes => 16)");
	while (sql("SELECT status FROM bulkpar_wait($job, interval '1 ms' * "
			  . int(rand 300) . ')') eq 'running')
	{
		set_tempo($node, 0) if ++$times >= 6;
		my $status = sql("SELECT status FROM bulkpar_jobs WHERE job_id = $job");
		last if $status ne 'running';
		my (undef, $paused) =
		  $node->psql('postgres', "SELECT status FROM bulkpar_pause($job)");
		last if $paused ne 'paused';
		is_whole($node, 't', $job, $name);
		$size = 5 + int rand 60;
		sql("SELECT bulkpar_resume($job, 2, $size, wait => false)");
	}
	is(sql("SELECT status FROM bulkpar_wait($job)"), 'succeeded', $name);
	is_exactly($node, 't', 1, "$name: every row is updated once");
}
set_tempo($node, 0);

#
# Others insert into the chunk, and delete from it, after it was claimed.
#
sql(<<'END');
-- The first and the third time that a row is looked at, its batch must be tried
-- again: as one of too many rows, and as one of a batch that was cut.
CREATE FUNCTION trouble(id integer) RETURNS integer LANGUAGE plpgsql AS '
BEGIN
	IF id BETWEEN 500001 AND 500004
		AND nextval(format(''trouble_%s'', id)) IN (1, 3)
	THEN
		RAISE EXCEPTION SQLSTATE ''40001'';
	END IF;
	RETURN 0;
END';
CREATE TABLE noted (batch xid8, rows bigint);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS '
BEGIN
	INSERT INTO noted SELECT pg_current_xact_id(), count(*) FROM changed;
	RETURN NULL;
END';
END
foreach my $case (
	[ 1, 100, '0' ],
	[ 8, 60, '0' ],
	[ 8, 1, '0' ],
	[ 1, 100, 'trouble(id)' ],
	[ 8, 60, 'trouble(id)' ],
	[ 64, 10, 'trouble(id)' ],
	[ 1, 100, 'trouble(id) + 0 / (id % 11000)' ],
	[ 8, 60, 'trouble(id) + 0 / (id % 11000)' ])
{
	my ($stripes, $size, $more) = @$case;
	my $on_error = $more =~ m{/} ? 'skip' : 'stop';
	my $name = "inserts, $stripes stripes, batches of $size, $more";

	sql(<<'END');
SET client_min_messages = warning;
DROP TABLE IF EXISTS t;
CREATE TABLE t (id integer PRIMARY KEY, n integer NOT NULL);
INSERT INTO t SELECT 1000 * i, 0 FROM generate_series(1, 1000) AS i;
ANALYZE t;
TRUNCATE noted;
CREATE TRIGGER note AFTER UPDATE ON t REFERENCING NEW TABLE AS changed
	EXECUTE FUNCTION note();
DO $$ BEGIN
	FOR i IN 500001 .. 500004 LOOP
		EXECUTE format('DROP SEQUENCE IF EXISTS trouble_%s; CREATE SEQUENCE trouble_%s', i, i);
	END LOOP;
END $$;
END
	# The first row that a worker meets.
	$gate = close_gate($node);
	$call = start_call($node,
			"SELECT status FROM bulkpar_update('t', 'n', 'n + 1 + $more + CASE"
		  . " WHEN bulkpar.bulkpar_in_stripe($stripes, 0, id) THEN gate() ELSE 0 END',"
		  . " $size, 1, on_error => '$on_error', stripes => $stripes)");
	wait_for_workers($node, 1);
	$job = last_job($node);
	sql(<<'END');
INSERT INTO t SELECT i, 0 FROM generate_series(500001, 503000) AS i WHERE i % 1000 <> 0;
INSERT INTO t SELECT 1000 * i + 1, 0 FROM generate_series(2, 999) AS i ON CONFLICT DO NOTHING;
DELETE FROM t WHERE id % 7000 = 0;
END
	open_gate($gate);
	is(stop_call($call), 'succeeded', $name) or diag($call->{err});
	is( sql('SELECT string_agg(DISTINCT n::text, \',\') FROM t'
			  . ' WHERE id % 1000 = 0'
			  . ($on_error eq 'skip' ? ' AND id % 11000 <> 0' : '')),
		'1', "$name: every row that was there is updated once");
	is(sql('SELECT max(rows) FROM noted'),
		$size, "$name: the largest batch is as large as allowed");
	is(sql('SELECT count(*) FROM t WHERE n NOT IN (0, 1)'),
		'0', "$name: no row is updated twice");
	is( sql("SELECT string_agg(key[1], ',' ORDER BY key[1]::integer) FROM bulkpar_errors"
			  . " WHERE job_id = $job"),
		sql("SELECT string_agg(id::text, ',' ORDER BY id) FROM t"
			  . " WHERE id % 11000 = 0 AND '$on_error' = 'skip'"),
		"$name: the rows that were skipped");
	cmp_ok(sql("SELECT sum(retries) FROM bulkpar_chunks WHERE job_id = $job"),
		'>', 0, "$name: some batches were tried again")
	  if $more =~ /trouble/;
}

log_is_clean($node, 'stripes');
$node->stop;
done_testing();
