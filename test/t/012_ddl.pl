# DDL while a job runs: the job follows, or fails with the fitting error.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use Test::More;

my $node = start_fault_server('ddl', '');
my ($call, $job, $seconds);

# Run SQL, which must be over soon, in the middle of a job: where all is slow,
# before the rows are done, whose number "done" gives.
sub start_and_run
{
	my ($name, $sql, %options) = @_;

	($call, $job) = start_slow_job($node, %options);
	$seconds = seconds_of(sub { $node->safe_psql('postgres', $sql) });
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $done = $seconds < 2 ? 0
	  : $node->safe_psql('postgres',
		$options{done} // "SELECT rows_changed FROM bulkpar_progress WHERE job_id = $job");
	cmp_ok($done, '<', 10000, "$name: is not held up");
	is(job_status($node, $job), 'running', "$name: while the job runs")
	  if $options{runs};
	return;
}

# The job goes on to its end, in which it updates each row of a table once.
sub goes_on
{
	my ($name, $sql, %options) = @_;
	my $table = $options{table} // 't';

	start_and_run($name, $sql, %options, runs => 1);
	set_tempo($node, 0);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(stop_call($call), 'succeeded', "$name: the job goes on")
	  or diag($call->{err});
	is_exactly($node, $table, 1, "$name: every row is updated once");
	is_quiet($node, $table, $name);
	return;
}

# The job fails, and can be resumed if the SQL that undoes it is given.
sub breaks
{
	my ($name, $sql, $sqlstate, $undo, %options) = @_;
	my $table = $options{table} // 't';

	start_and_run($name, $sql, %options);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like(call_error($call), qr/^ERROR:  $sqlstate:/m,
		"$name: what the caller gets");
	status_is($node, $job, 'failed', $name);
	is( $node->safe_psql('postgres',
			"SELECT sqlstate FROM bulkpar_jobs WHERE job_id = $job"),
		$sqlstate, "$name: the job has the error");
	like(call_error(resume_job($node, $job)),
		qr/^ERROR:  $sqlstate:/m, "$name: resume in vain");
	no_process_is_left($name);
	return if !defined $undo;
	$node->safe_psql('postgres', $undo);
	succeeds($node, $job, $name, $table);
	return;
}

sub no_process_is_left
{
	my ($name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until($node,
		"count(*) = 0 FROM pg_stat_activity WHERE backend_type LIKE 'bulkpar%'",
		"$name: no process is left");
	return;
}

# The table itself.
breaks('DROP TABLE', 'DROP TABLE t', '42P01');

goes_on('rename', 'ALTER TABLE t RENAME TO renamed', table => 'renamed');
$node->safe_psql('postgres', 'DROP TABLE renamed');

goes_on('rename and recreate', <<'END', table => 'renamed');
BEGIN;
ALTER TABLE t RENAME TO renamed;
CREATE TABLE t (LIKE renamed INCLUDING ALL);
INSERT INTO t SELECT id, 0 FROM renamed;
COMMIT;
END
is_exactly($node, 't', 0, 'rename and recreate: the new table is not touched');
$node->safe_psql('postgres', 'DROP TABLE renamed');

goes_on(
	'other schema',
	'CREATE SCHEMA elsewhere; ALTER TABLE t SET SCHEMA elsewhere',
	table => 'elsewhere.t');
$node->safe_psql('postgres', 'DROP TABLE elsewhere.t');

start_and_run('TRUNCATE', 'TRUNCATE t');
is(stop_call($call), 'succeeded', 'TRUNCATE: nothing is left to do');
is_quiet($node, 't', 'TRUNCATE');

goes_on('VACUUM FULL', 'VACUUM FULL t');
goes_on('CREATE INDEX CONCURRENTLY', 'CREATE INDEX CONCURRENTLY ON t (n)');
goes_on('dropped and recreated index',
	'CREATE INDEX i ON t (n); DROP INDEX i; CREATE INDEX i ON t (n)');

# Columns.
goes_on('added column', 'ALTER TABLE t ADD COLUMN added integer DEFAULT 1');
goes_on('another column', 'ALTER TABLE t ALTER COLUMN pid TYPE bigint');
goes_on('dropped other column', 'ALTER TABLE t DROP COLUMN pid');
goes_on('type of the column', 'ALTER TABLE t ALTER COLUMN n TYPE bigint');
breaks('renamed column', 'ALTER TABLE t RENAME COLUMN n TO m',
	'42703', 'ALTER TABLE t RENAME COLUMN m TO n');
start_and_run('dropped column', 'ALTER TABLE t DROP COLUMN n');
like(call_error($call), qr/^ERROR:  42703:/m,
	'dropped column: what the caller gets');
no_process_is_left('dropped column');

# The key: another index of the same order and types will do.
goes_on('REINDEX CONCURRENTLY', 'REINDEX INDEX CONCURRENTLY t_pkey');
foreach my $type ('bigint', 'float8', 'numeric', 'text')
{
	breaks("key of type $type", "ALTER TABLE t ALTER COLUMN id TYPE $type",
		'55000',
		'ALTER TABLE t ALTER COLUMN id TYPE integer USING id::integer');
}
breaks(
	'descending key',
	'CREATE UNIQUE INDEX i ON t (id DESC);'
	  . ' ALTER TABLE t DROP CONSTRAINT t_pkey',
	'55000', 'CREATE UNIQUE INDEX ON t (id)');
breaks(
	'dropped key', 'ALTER TABLE t DROP CONSTRAINT t_pkey',
	'55000', 'ALTER TABLE t ADD PRIMARY KEY (id)');

# What a unique index needs to have each row once.
breaks(
	'key column that may be null',
	'ALTER TABLE t ALTER COLUMN id DROP NOT NULL',
	'55000',
	'ALTER TABLE t ALTER COLUMN id SET NOT NULL',
	prepare => 'ALTER TABLE t DROP CONSTRAINT t_pkey; CREATE UNIQUE INDEX i ON t (id)');
my $by_check = <<'END';
ALTER TABLE t DROP CONSTRAINT t_pkey;
ALTER TABLE t ALTER COLUMN id DROP NOT NULL, ADD CONSTRAINT there CHECK (id IS NOT NULL);
CREATE UNIQUE INDEX i ON t (id) WHERE id IS NOT NULL;
END
breaks(
	'dropped CHECK of the key',
	'ALTER TABLE t DROP CONSTRAINT there',
	'55000',
	'ALTER TABLE t ADD CONSTRAINT there CHECK (id IS NOT NULL)',
	prepare => $by_check);
goes_on(
	'CHECK of the key that NOT NULL replaces', <<'END', prepare => $by_check);
BEGIN;
ALTER TABLE t ALTER COLUMN id SET NOT NULL;
ALTER TABLE t DROP CONSTRAINT there;
COMMIT;
END

breaks('dropped key column', 'ALTER TABLE t DROP COLUMN id', '55000');
goes_on('renamed key', 'ALTER TABLE t RENAME COLUMN id TO key');

# A column that takes over the name of the key is another key.
start_and_run(
	'swapped names', <<'END',
BEGIN;
ALTER TABLE t RENAME COLUMN id TO old;
ALTER TABLE t RENAME COLUMN other TO id;
COMMIT;
END
	prepare => <<'END');
ALTER TABLE t ADD COLUMN other integer UNIQUE;
UPDATE t SET other = 10001 - id;
ALTER TABLE t ALTER COLUMN other SET NOT NULL;
END
set_tempo($node, 0);
stop_call($call);
is( $node->safe_psql('postgres',
		"SELECT max(n), min(n) = 1 OR status = 'failed' FROM t, bulkpar_jobs"
		  . " WHERE job_id = $job GROUP BY status"),
	'1|t', 'swapped names: no row is updated twice, and none left out unseen');
no_process_is_left('swapped names');

# A trigger fires in the batches from then on.
goes_on('trigger', <<'END');
CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN NEW.pid := 1; RETURN NEW; END';
CREATE TRIGGER mark BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION mark();
END
is( $node->safe_psql('postgres',
		'SELECT count(pid) BETWEEN 1 AND 9999, bool_and(pid IS NOT NULL)'
		  . " FILTER (WHERE id > 9000) FROM t"),
	't|t', 'trigger: fires');

breaks('rule', 'CREATE RULE nothing AS ON UPDATE TO t DO INSTEAD NOTHING',
	'0A000', 'DROP RULE nothing ON t');

# The role.
my $role = 'CREATE ROLE somebody LOGIN; GRANT SELECT, UPDATE ON t TO somebody';
my %as = (settings => { role => 'somebody' });

start_and_run('DROP ROLE', 'SELECT', prepare => $role, %as);
my ($status, $out, $error) = $node->psql('postgres', 'DROP ROLE somebody');
like($error, qr/cannot be dropped because some objects depend on it/,
	'DROP ROLE: fails as long as the role has privileges');
$node->safe_psql('postgres', 'DROP OWNED BY somebody; DROP ROLE somebody');
like(call_error($call), qr/^ERROR:  42501:/m,
	'DROP ROLE: what the caller gets');
no_process_is_left('DROP ROLE');
status_is($node, $job, 'failed', 'DROP ROLE');
like(call_error(resume_job($node, $job)),
	qr/^ERROR:/m, 'DROP ROLE: the job cannot be resumed');
no_process_is_left('DROP ROLE, resume');

breaks('REVOKE', 'REVOKE UPDATE ON t FROM somebody', '42501',
	'GRANT UPDATE ON t TO somebody', prepare => $role, %as);
breaks(
	'REASSIGN OWNED', 'REASSIGN OWNED BY somebody TO postgres',
	'42501', 'ALTER TABLE t OWNER TO somebody',
	prepare => 'ALTER TABLE t OWNER TO somebody', %as);

# Databases.
foreach my $database ('doomed', 'elsewhere')
{
	$node->safe_psql('postgres', "CREATE DATABASE $database");
}
start_and_run('DROP DATABASE of another', 'DROP DATABASE elsewhere');
set_tempo($node, 0);
is(stop_call($call), 'succeeded', 'DROP DATABASE of another: the job');
is_exactly($node, 't', 1, 'DROP DATABASE of another: every row once');

$node->safe_psql('doomed', <<'END');
CREATE EXTENSION bulkpar;
CREATE TABLE t (id integer PRIMARY KEY, n integer);
INSERT INTO t SELECT i, 0 FROM generate_series(1, 10000) AS i;
SELECT bulkpar_update('t', 'n', 'n + length(pg_sleep(0.05)::text) + 1', 20, 4,
	wait => false);
END
($status, $out, $error) = $node->psql('postgres', 'DROP DATABASE doomed');
like($error, qr/is being accessed by other users/, 'DROP DATABASE: fails');
$seconds = seconds_of(
	sub { $node->safe_psql('postgres', 'DROP DATABASE doomed WITH (FORCE)') });
cmp_ok($seconds, '<', 5, 'DROP DATABASE FORCE: succeeds');
no_process_is_left('DROP DATABASE FORCE');

# ALTER TABLE that has to queue, first for a batch, then for another session.
goes_on('ALTER TABLE', 'ALTER TABLE t ADD CHECK (n >= 0)');

($call, $job) = start_slow_job($node);
my $reader = $node->background_psql('postgres');
$reader->query_safe('BEGIN; SELECT count(*) FROM t');
my $alter = start_call($node, 'ALTER TABLE t ADD COLUMN added integer');
wait_until($node,
	"count(*) = 2 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
	  . " AND backend_type = 'bulkpar worker'",
	'queued ALTER TABLE: the workers wait behind it');
$reader->quit;
is(call_error($alter), '', 'queued ALTER TABLE: succeeds');
set_tempo($node, 0);
is(stop_call($call), 'succeeded', 'queued ALTER TABLE: the job goes on');
is_exactly($node, 't', 1, 'queued ALTER TABLE: every row is updated once');

# The extension.
start_and_run('DROP EXTENSION', 'DROP EXTENSION bulkpar', done => 'SELECT count(*) FROM t WHERE n > 0');
like(call_error($call), qr/^ERROR:  42P01:/m,
	'DROP EXTENSION: what the caller gets');
no_process_is_left('DROP EXTENSION');
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_locks WHERE locktype = 'userlock'"),
	'0', 'DROP EXTENSION: no lock is left');
is( $node->safe_psql('postgres',
		'SELECT max(n), count(*) FILTER (WHERE n = 0) > 0 FROM t'),
	'1|t', 'DROP EXTENSION: the job has ended');
$node->safe_psql('postgres', 'CREATE EXTENSION bulkpar');
goes_on('CREATE EXTENSION', 'SELECT');

log_is_clean($node, 'DDL');
$node->stop;
done_testing();
