# The tables of the extension and the roles that may read or write all data of a
# server without being a superuser: they are empty to them, and cannot be
# written to.  What they hold cannot crash a server, either.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('all_data', 'bulkpar.report = off');
my @tables = map { "bulkpar.bulkpar_$_" } qw(counter job part chunk error);

sub super { return $node->safe_psql('postgres', $_[0]); }

sub contents
{
	return super(join ' UNION ALL ',
		map { "SELECT coalesce(string_agg(t::text, ',' ORDER BY t::text), '') FROM $_ t" } @tables);
}

super(<<'END');
CREATE ROLE loader LOGIN;
CREATE ROLE reader LOGIN;
CREATE ROLE etl LOGIN;
CREATE ROLE nested NOLOGIN;
CREATE ROLE heir LOGIN;
GRANT pg_write_all_data TO loader;
GRANT pg_read_all_data TO reader;
GRANT pg_read_all_data, pg_write_all_data TO etl, nested;
GRANT nested TO heir;
CREATE SCHEMA etl AUTHORIZATION etl;
CREATE FUNCTION etl.evil(integer) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
	ALTER ROLE etl SUPERUSER;
	RETURN $1;
END $$;
ALTER FUNCTION etl.evil OWNER TO etl;
GRANT USAGE ON SCHEMA etl TO PUBLIC;
END

# A job of a superuser that has failed, with rows in each of the tables.
make_table($node, 't', 100);
super('ALTER TABLE t ADD CHECK (n < 1 OR id NOT IN (20, 60))');
my ($out, $err) = run_as($node, 'postgres', <<'END');
SET app.secret = 'hunter2';
SELECT bulkpar_update('t', 'n', 'n + 1', 10, 1, on_error => 'skip', max_errors => 1,
	job_name => 'nightly');
END
like($err, qr/check constraint/, 'a job has failed');
my $job = last_job($node);
my $before = contents();
like($before, qr/hunter2/, 'and its secrets are kept');

my @statements = (
	"UPDATE bulkpar.bulkpar_job SET expressions = '{etl.evil(n)}'",
	"UPDATE bulkpar.bulkpar_job SET owner = 'etl'",
	"UPDATE bulkpar.bulkpar_job SET expressions = '{etl.evil(n)}' WHERE job_id = $job",
	'UPDATE bulkpar.bulkpar_counter SET last_job_id = 0',
	'UPDATE bulkpar.bulkpar_part SET end_bytes = NULL',
	'UPDATE bulkpar.bulkpar_chunk SET epoch = epoch + 1',
	(map { "DELETE FROM $_" } @tables),
	(map { "TRUNCATE $_ CASCADE" } @tables),
	(map { "INSERT INTO $_ SELECT * FROM $_ LIMIT 1" } @tables),
	'INSERT INTO bulkpar.bulkpar_counter VALUES (true, 0)',
	'INSERT INTO bulkpar.bulkpar_counter VALUES (true, 0)'
	  . ' ON CONFLICT (only_row) DO UPDATE SET last_job_id = 0',
	"INSERT INTO bulkpar.bulkpar_error VALUES ($job, 1, '{1}', '00000', 'x', '', '', '', now())",
	'MERGE INTO bulkpar.bulkpar_job j USING (VALUES (1)) v ON true'
	  . " WHEN MATCHED THEN UPDATE SET owner = 'etl'",
	'WITH u AS (DELETE FROM bulkpar.bulkpar_chunk RETURNING *) SELECT count(*) FROM u',
	"COPY bulkpar.bulkpar_counter FROM PROGRAM 'echo t 1'",
	'CREATE TRIGGER x BEFORE UPDATE ON bulkpar.bulkpar_job FOR EACH ROW'
	  . ' EXECUTE FUNCTION suppress_redundant_updates_trigger()',
	'CREATE POLICY x ON bulkpar.bulkpar_job USING (true)',
	'ALTER TABLE bulkpar.bulkpar_job DISABLE ROW LEVEL SECURITY',
	'SELECT setval(c.oid, 1) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace'
	  . " WHERE nspname = 'bulkpar' AND relkind = 'S'");
foreach my $role ('loader', 'reader', 'etl', 'heir')
{
	foreach my $set ('', $role eq 'etl' ? 'SET row_security = off;' : ())
	{
		foreach my $statement (@statements)
		{
			run_as($node, $role, "$set $statement");
			is(contents(), $before, "$role cannot say: $set $statement");
		}
		foreach my $table (@tables)
		{
			foreach my $statement ("SELECT * FROM $table", "COPY (TABLE $table) TO STDOUT",
				"SELECT * FROM $table FOR UPDATE", "SELECT ctid, xmin FROM $table")
			{
				($out, $err) = run_as($node, $role, "$set $statement");
				is($out, '', "$role sees nothing: $set $statement");
			}
		}
	}
}
super('ANALYZE');
is( (run_as($node, 'etl', "SELECT count(*) FROM pg_stats WHERE schemaname = 'bulkpar'"))[0],
	'0', 'nor is there anything in the statistics');
foreach my $role ('reader', 'etl', 'heir')
{
	foreach my $options ([], ['--enable-row-security'], ['--data-only', '--inserts'])
	{
		my ($stdout, $stderr) = run_command(
			[ 'pg_dump', @$options, '-d', $node->connstr('postgres'), '-U', $role ]);

		is($stderr, '', join(' ', 'pg_dump of', $role, @$options));
		unlike($stdout, qr/hunter2|nightly/, 'no job is in the dump');
	}
}

# It does not keep anybody from what is his own.
is(super("SELECT status FROM bulkpar_jobs WHERE job_id = $job"), 'failed', 'a superuser sees all');
is(super("SELECT count(*) > 0 FROM bulkpar_chunks WHERE job_id = $job"), 't', 'chunks as well');
is(super("SELECT string_agg(key::text, ',' ORDER BY key) FROM bulkpar_errors"), '{20}',
	'and errors');
super('ALTER TABLE t DROP CONSTRAINT t_check');
is(super("SELECT status FROM bulkpar_resume($job)"), 'succeeded', 'the job goes on');
is(super('SELECT count(*) FILTER (WHERE n > 1), sum(n) FROM t'), '0|99',
	'as it was: nothing is updated twice');
super('CREATE TABLE etl.t (id integer PRIMARY KEY, n integer NOT NULL CHECK (n < 1 OR id <> 7));'
	  . 'INSERT INTO etl.t SELECT i, 0 FROM generate_series(1, 50) i;'
	  . 'ALTER TABLE etl.t OWNER TO etl');
foreach my $set ('on', 'off')
{
	($out, $err) = run_as($node, 'etl', <<"END");
SET row_security = $set;
SELECT rows_changed, rows_failed FROM bulkpar_update('etl.t', 'n', 'n + 1', 10, on_error => 'skip');
SELECT count(*) FROM bulkpar_jobs;
SELECT key FROM bulkpar_errors;
SELECT rows_done FROM bulkpar_progress;
SELECT bulkpar_forget(interval '0');
SELECT count(*) FROM bulkpar_jobs;
UPDATE etl.t SET n = 0;
END
	is($out, "49|1\n1\n{7}\n50\n1\n0", "a job of such a role with row_security = $set");
	unlike($err, qr/ERROR/, 'without an error');
}
is( super("SELECT count(*) FROM bulkpar.bulkpar_chunk c WHERE NOT EXISTS"
		  . ' (SELECT FROM bulkpar.bulkpar_job j WHERE j.job_id = c.job_id)'),
	'0', 'forgetting a job takes along its chunks');

# The number of a job is not used again, also when it was the last.
my $last = last_job($node);
my $highest = super('SELECT last_job_id FROM bulkpar.bulkpar_counter');
super("SELECT bulkpar_forget(interval '0')");
is(super("SELECT job_id FROM bulkpar_update('t', 'n', 'n')"), $highest + 1,
	'a new job has a new number');
isnt($last, $highest, 'though jobs were forgotten');
super('DELETE FROM bulkpar.bulkpar_counter');
($out, $err) = run_as($node, 'postgres', "SELECT bulkpar_update('t', 'n', 'n')");
like($err, qr/^ERROR:  bulkpar jobs have no counter/, 'without a counter there is no job');
super("INSERT INTO bulkpar.bulkpar_counter VALUES (true, $highest + 1)");

#
# Keys that no worker has stored, as whoever can write to the tables could plant
# them.  Each is a length and a value.
#
sub bytes
{
	my ($length, $value) = @_;

	return unpack('H*', pack('l', $length) . $value);
}

my $toasted = pack('CCS', 1, 18, 0) . "\0" x 1148;
my %planted = (
	'text' => {
		'nothing' => '',
		'half a length' => '0100',
		'a length beyond the end' => bytes(100, "\x14\0\0\0a"),
		'a negative length' => bytes(-5, "\x14\0\0\0a"),
		'no header' => bytes(2, 'ab'),
		'a header that says more' => bytes(5, pack('L', 1000 << 2) . 'a'),
		'a short header' => bytes(5, pack('L', (5 << 2) | 1) . 'a'),
		'a compressed value' => bytes(12, pack('L', (12 << 2) | 2) . pack('LL', 1 << 29, 0)),
		'a value in a TOAST table' => bytes(1152, $toasted),
		'two keys' => bytes(5, pack('L', 5 << 2) . 'a') x 2,
	},
	'name' => {
		'a name without an end' => bytes(64, 'x' x 64),
		'a short name' => bytes(3, "ab\0"),
	},
	'numeric' => { 'a value in a TOAST table' => bytes(1152, $toasted) },
	'integer' => { 'eight bytes' => bytes(8, 'x' x 8), 'no byte' => bytes(0, '') },
	'uuid' => { 'fifteen bytes' => bytes(15, 'x' x 15) });
my %values = (
	text => "'k' || i", name => "('k' || i)::name", numeric => 'i * 1.5',
	integer => 'i', uuid => "lpad(i::text, 32, '0')::uuid");
my $started = super('SELECT pg_postmaster_start_time()');
foreach my $type (sort keys %planted)
{
	super(<<"END");
CREATE TABLE k_$type (k $type PRIMARY KEY, n integer NOT NULL DEFAULT 0, fails integer NOT NULL DEFAULT 1);
INSERT INTO k_$type (k) SELECT $values{$type} FROM generate_series(1, 40) i;
UPDATE k_$type SET fails = 0 WHERE k = (SELECT k FROM k_$type ORDER BY k OFFSET 30 LIMIT 1);
END
	run_as($node, 'postgres',
		"SELECT bulkpar_update('k_$type', 'n', 'n + 1 + 0/fails', 5, 1, stripes => 1)");
	$job = last_job($node);
	super("UPDATE k_$type SET fails = 1");
	foreach my $what (sort keys %{ $planted{$type} })
	{
		foreach my $column ('bulkpar_chunk.last_bytes', 'bulkpar_chunk.hi_bytes',
			'bulkpar_part.end_bytes')
		{
			my ($table, $name) = split /\./, $column;
			my $where = "job_id = $job" .
			  ($table eq 'bulkpar_chunk' ? " AND status <> 'succeeded'" : '');
			my $old = super("SELECT encode($name, 'hex') FROM bulkpar.$table WHERE $where");

			super("UPDATE bulkpar.$table SET $name ="
				  . " '\\x$planted{$type}{$what}' WHERE $where");
			($out, $err) = run_as($node, 'postgres', "SELECT bulkpar_resume($job)");
			like($err, qr/^ERROR:  the key index has changed/, "$type: $what in $column");
			super("UPDATE bulkpar.$table SET $name = nullif('\\x$old'::bytea, '') WHERE $where");
		}
	}
	is(super("SELECT status FROM bulkpar_resume($job)"), 'succeeded', "$type: as it was it works");
	is_exactly($node, "k_$type", 1, 'and every row is updated once');
}
is(super('SELECT pg_postmaster_start_time()'), $started, 'the server never restarted');
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC|TRAP/, 'nothing has crashed');
is(super("SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolsuper"), 'postgres',
	'nobody is a superuser');

done_testing();
