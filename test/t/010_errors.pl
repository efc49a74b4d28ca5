# Rows that cannot be updated, and who a job runs as.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('errors', 'bulkpar.report = off');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub keys_of_errors
{
	return sql("SELECT string_agg(key[1], ',' ORDER BY key[1]::integer) FROM bulkpar_errors"
		  . " WHERE job_id = (SELECT max(job_id) FROM bulkpar.bulkpar_job)");
}

# A few bad rows, of several kinds: halving finds just them.
make_table($node, 't', 5000);
is( sql("SELECT status, rows_changed, rows_failed FROM bulkpar_update('t', 'n',"
		  . " 'n + 1 + 0 / (id % 1000)', 300, 2, on_error => 'skip', stripes => 8)"),
	'succeeded|4995|5', 'skip: division by zero');
is(keys_of_errors(), '1000,2000,3000,4000,5000', 'skip: the keys are recorded');
is_exactly($node, 't WHERE id % 1000 <> 0', 1, 'skip: all other rows');
is_exactly($node, 't WHERE id % 1000 = 0', 0, 'skip: the bad rows');
is( sql('SELECT DISTINCT sqlstate, message FROM bulkpar_errors'),
	'22012|division by zero', 'skip: the error is recorded');
is(sql('SELECT sum(rows_failed), sum(rows_done) FROM bulkpar_chunks'),
	'5|5000', 'skip: the chunks count them');

make_table($node, 't', 1000);
sql('ALTER TABLE t ADD CHECK (n = 0 OR id NOT IN (1, 500, 501, 1000))');
is( sql("SELECT rows_changed, rows_failed FROM bulkpar_update('t', 'n', 'n + 1',"
		  . " 64, 2, on_error => 'skip', stripes => 3)"),
	'996|4', 'skip: a check');
is(keys_of_errors(), '1,500,501,1000', 'skip: the first and the last row');

# A deferred constraint is found at COMMIT.
make_table($node, 't', 500);
sql(<<'END');
CREATE TABLE parent (id integer PRIMARY KEY);
INSERT INTO parent VALUES (0), (1);
ALTER TABLE t ADD p integer DEFAULT 0;
ALTER TABLE t ADD FOREIGN KEY (p) REFERENCES parent DEFERRABLE INITIALLY DEFERRED;
END
is( sql("SELECT rows_changed, rows_failed FROM bulkpar_update('t',"
		  . " ARRAY['n', 'p'], ARRAY['n + 1', '1 + (id = 250)::integer'],"
		  . " 100, 2, on_error => 'skip', stripes => 16)"),
	'499|1', 'skip: a deferred foreign key');
is(keys_of_errors(), '250', 'skip: its key');
is_exactly($node, 't WHERE id <> 250', 1, 'skip: all others of its batch');

# A job that only fails is stopped; what is not of a row stops it at once.
make_table($node, 't', 2000);
fails_with($node,
	"SELECT bulkpar_update('t', 'n', '1 / 0 + id', 100, 1, on_error => 'skip', max_errors => 10)",
	'22012', 'a constant error is found before the job begins');
fails_with($node,
	"SELECT bulkpar_update('t', 'n', 'n / (id - id)', 100, 1, on_error => 'skip', max_errors => 10, stripes => 8)",
	'22012', 'max_errors');
is(sql('SELECT count(*) FROM bulkpar_errors WHERE job_id ='
	  . ' (SELECT max(job_id) FROM bulkpar.bulkpar_job)'), '10', 'so many are recorded');
sql('CREATE FUNCTION missing() RETURNS integer LANGUAGE plpgsql AS'
	  . " 'BEGIN RETURN (SELECT 1 FROM no_such_table); END'");
fails_with($node,
	"SELECT bulkpar_update('t', 'n', 'missing()', on_error => 'skip')",
	'42P01', 'an error of the statement is not skipped');
is_exactly($node, 't', 0, 'nothing is changed');

# Stop at the first error, mend it, go on.
make_table($node, 't', 2000);
sql('UPDATE t SET pid = CASE WHEN id = 1500 THEN 0 ELSE 1 END');
fails_with($node, "SELECT bulkpar_update('t', 'n', 'n + 1 / pid', 100, 2, stripes => 8)",
	'22012', 'stop');
my $job = last_job($node);
is_whole($node, 't', $job, 'a failed job');
sql('UPDATE t SET pid = 1');
is(sql("SELECT status FROM bulkpar_resume($job)"), 'succeeded', 'and resumed');
is_exactly($node, 't', 1, 'a failed and resumed job');

# Who the workers are.
make_table($node, 't', 100);
sql(<<'END');
ALTER TABLE t ADD who text;
CREATE ROLE ann LOGIN;
CREATE ROLE team NOLOGIN;
GRANT team TO ann;
GRANT SELECT, UPDATE ON t TO team;
CREATE FUNCTION climb(text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		EXECUTE $1;
	EXCEPTION WHEN OTHERS THEN
		RETURN sqlstate || ' ' || current_user;
	END;
	RETURN current_user;
END $$;
CREATE FUNCTION update_who(expression text) RETURNS text LANGUAGE sql
	SECURITY DEFINER
	AS $$SELECT status FROM bulkpar_update('t', 'who', expression, 10, 2)$$;
CREATE ROLE keeper LOGIN;
GRANT SELECT, UPDATE ON t TO keeper;
ALTER FUNCTION update_who OWNER TO keeper;
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO witness VALUES (current_user, climb('RESET ROLE'));
	RETURN NULL;
END $$;
CREATE TABLE witness (who text, climbed text);
GRANT INSERT ON witness TO PUBLIC;
CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON t DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION late();
END
is( $node->safe_psql('postgres',
		"SET ROLE team; SELECT status FROM bulkpar_update('t', 'who', 'current_user', 10, 2)",
		extra_params => [ '-U', 'ann' ]),
	'succeeded', 'a role that cannot log in, by SET ROLE');
is(sql('SELECT DISTINCT who FROM t'), 'team', 'the workers are that role');
sql('TRUNCATE witness');
foreach my $case (
	[ 'SET ROLE postgres', '42501 keeper' ],
	[ 'RESET ROLE', 'keeper' ],
	[ 'RESET SESSION AUTHORIZATION', 'keeper' ],
	[ 'SET SESSION AUTHORIZATION postgres', '42501 keeper' ],
	[ "SELECT set_config(''role'', ''none'', false)", 'keeper' ])
{
	my ($attempt, $who) = @$case;

	is( $node->safe_psql('postgres',
			"SELECT update_who('climb(''" . $attempt =~ s/'/''/gr . "'')')",
			extra_params => [ '-U', 'ann' ]),
		'succeeded', "SECURITY DEFINER: $attempt");
	is(sql('SELECT DISTINCT who FROM t'), $who, "$attempt does not climb");
}
is(sql('SELECT DISTINCT who, climbed FROM witness'),
	'keeper|keeper', 'nor does a deferred trigger');

# User code that sets a role: the next batch begins as the owner again.
sql('GRANT pg_monitor TO ann; GRANT UPDATE, SELECT ON t TO ann, pg_monitor');
$node->safe_psql('postgres',
	"SELECT bulkpar_update('t', 'who', \$\$climb('SET ROLE pg_monitor')\$\$, 10, 1)",
	extra_params => [ '-U', 'ann' ]);
is(sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'bulkpar%'"),
	'0', 'no process is left');
is(sql('SELECT count(*) FROM t WHERE n = 0'), '100', 'other columns are as they were');

# Who looks into the server's log finds one line for a job that has failed.
make_table($node, 't', 100);
my $offset = -s $node->logfile;
fails_with($node, "SELECT bulkpar_update('t', 'n', '1 / (id - 50)', 10, 2)",
	'22012', 'a row fails');
my $log = substr(slurp_file($node->logfile), $offset);
is( join("\n", $log =~ /LOG:  (bulkpar job .* has failed .*)$/mg) =~ s/\d+/N/r,
	'bulkpar job N on table "t" has failed with SQLSTATE 22012: division by zero',
	'the line in the log');
unlike($log, qr/bulkpar worker .*ERROR: /, 'the worker does not report it, too');

$node->stop;
done_testing();
