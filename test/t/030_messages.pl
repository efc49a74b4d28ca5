# What reaches the caller, in whatever encoding: errors from before there is a
# job, and a NOTICE with text that others have chosen.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use Encode;
use Test::More;

my $node = start_server('messages', 'max_prepared_transactions = 10');
my $table =
  sql("SELECT oid::regclass FROM pg_class WHERE relname = 'bulkpar_job'");
my $horse = encode('UTF-8', "\x{99ac}");

sub sql { return $node->safe_psql('postgres', $_[0]); }

# A field of the error message that a statement reports to its caller.
sub field
{
	my ($error, $field) = @_;

	return $error =~ /^$field:  (.*)$/m ? $1 : '';
}

# A text that is the start of another one, not cut within a character.
sub is_start
{
	my ($text, $whole, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(length($text) > 100 && index($whole, $text) == 0
		  && utf8::decode(my $copy = $text), $name)
	  or diag($text);
	return;
}

# The coordinator finds that there is nothing to resume.
make_table($node, 't', 10);
my $job = sql("SELECT job_id FROM bulkpar_update('t', 'n', 'n + 1')");
my $error = fails_with($node, "SELECT bulkpar_resume($job)",
	'55000', 'resume a job that has succeeded');
is(field($error, 'ERROR'), "55000: bulkpar job $job has already succeeded",
	'its message');

# Somebody forgets the job, or ends it otherwise, while it is resumed.
foreach my $case (
	[ 'DELETE FROM bulkpar.bulkpar_job', '42704', 'does not exist' ],
	[ "UPDATE bulkpar.bulkpar_job SET status = 'succeeded'", '55000', 'has already succeeded' ])
{
	my ($statement, $sqlstate, $message) = @$case;
	my $other = $node->background_psql('postgres');
	my $call;

	fails_with($node, "SELECT bulkpar_update('t', 'n', 'n / 0')", '22012', 'a job fails');
	$job = sql('SELECT max(job_id) FROM bulkpar.bulkpar_job');
	$other->query_safe("BEGIN; $statement WHERE job_id = $job");
	$call = start_call($node, "SELECT bulkpar_resume($job)");
	wait_until($node, "EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
		  . " WHERE NOT l.granted AND a.backend_type = 'bulkpar coordinator')");
	$other->query_safe('COMMIT');
	$other->quit;
	like(field(call_error($call), 'ERROR'), qr/^$sqlstate: bulkpar job $job $message$/,
		"it $message");
}

# How long a job will take yet, whatever is believed of it.
my $gate = close_gate($node);
make_table($node, 'slow', 10);
$job = sql("SELECT job_id FROM bulkpar_update('slow', 'n', 'n + CASE WHEN id > 1 THEN gate() ELSE 0 END',"
	  . ' 1, 1, wait => false)');
wait_until($node, "rows_done = 1 FROM bulkpar_progress WHERE job_id = $job");
foreach my $believed (
	[ 10, 'interval \'1 second\'' ],
	[ '2::numeric ^ 62', 'interval \'1 second\'' ],
	[ '2::numeric ^ 62', 'interval \'100000 years\'' ],
	[ 0, 'interval \'100000 years\'' ])
{
	my ($rows, $age) = @$believed;

	my $past = "clock_timestamp() - least($age, clock_timestamp() - '4000-01-01 BC'::timestamptz)";

	sql("UPDATE bulkpar.bulkpar_job SET estimated_rows = $rows,"
		  . " running_since = $past WHERE job_id = $job");
	sql("UPDATE bulkpar.bulkpar_chunk SET claimed_at = $past WHERE job_id = $job");
	is(sql("SELECT time_left >= '0' FROM bulkpar_progress WHERE job_id = $job"), 't',
		"the time that is left of $rows rows after $age");
}
sql("SELECT bulkpar_cancel($job)");
open_gate($gate);

# It cannot store the job, and tells why.
sql(<<"END");
CREATE FUNCTION refuse(batch_size integer) RETURNS boolean LANGUAGE plpgsql AS \$\$
BEGIN
	RAISE '% is refused', batch_size USING ERRCODE = 'UE123',
		DETAIL = 'The detail.', HINT = 'The hint.', SCHEMA = 'a schema',
		TABLE = 'a table', COLUMN = 'a column', DATATYPE = 'a type',
		CONSTRAINT = 'a constraint';
END \$\$;
ALTER TABLE $table ADD CONSTRAINT refuse
	CHECK (batch_size < 70 OR batch_size > 80 OR refuse(batch_size));
END
$error = fails_with($node, "SELECT bulkpar_update('t', 'n', 'n + 1', 77)",
	'UE123', 'a job that cannot be stored');
is(field($error, 'ERROR'), 'UE123: 77 is refused', 'its message');
is(field($error, 'DETAIL'), 'The detail.', 'its detail');
is(field($error, 'HINT'), 'The hint.', 'its hint');
foreach my $kind (qw(schema table column constraint))
{
	is(field($error, uc($kind) . ' NAME'), "a $kind", "its $kind");
}
is(field($error, 'DATATYPE NAME'), 'a type', 'its type');
like(field($error, 'CONTEXT'),
	qr{^PL/pgSQL function .*refuse\(integer\) line \d},
	'its context');
fails_with($node,
	"SELECT bulkpar_update('t', 'n', 'n + 1', 77, wait => false)",
	'UE123', 'the same without a wait');

# There is not room for everything.
sql(<<"END");
CREATE OR REPLACE FUNCTION refuse(batch_size integer) RETURNS boolean
LANGUAGE plpgsql AS \$\$
DECLARE
	long text := repeat('a', batch_size - 70) || repeat('$horse', 1000);
BEGIN
	RAISE '%', 'E' || long USING DETAIL = 'D' || long, HINT = 'H' || long,
		CONSTRAINT = 'C' || long;
END \$\$;
END
foreach my $shift (0 .. 2)
{
	my $long = 'a' x $shift . $horse x 1000;

	$error = fails_with($node,
		"SELECT bulkpar_update('t', 'n', 'n + 1', 70 + $shift)",
		'P0001', "long texts, shift $shift");
	is_start(field($error, 'ERROR'), "P0001: E$long", 'the message is clipped');
	is_start(field($error, 'DETAIL'), "D$long", 'the detail is clipped');
	is_start(field($error, 'HINT'), "H$long", 'the hint is clipped');
	is_start(field($error, 'CONSTRAINT NAME'), "C$long",
		'the name of a constraint is clipped');
}
is(sql("SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 69)"),
	'succeeded', 'others are stored');
is_exactly($node, 't', 2, 'no row was updated by those that were not');

# The names of prepared transactions, which any role chooses, in any encoding.
sql(<<'END');
CREATE TABLE large (id integer PRIMARY KEY, n integer, pad text);
INSERT INTO large SELECT i, 0, repeat('x', 900) FROM generate_series(1, 10000) i;
CREATE ROLE mallory LOGIN;
CREATE DATABASE latin TEMPLATE template0 ENCODING latin1 LOCALE 'C';
END
my @names = (
	$horse x 60,
	"a${horse}b" x 25,
	"\\$horse''%s\\101\n\"",
	map { 'a' x $_ . $horse x 50 } 1 .. 3);
foreach my $name (@names)
{
	$node->safe_psql('postgres',
		"BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION '$name'",
		extra_params => [ '-U', 'mallory' ]);
}
$node->safe_psql('latin',
	"SET client_encoding = latin1; BEGIN; SELECT pg_current_xact_id();"
	  . " PREPARE TRANSACTION '\xe9t\xe9'",
	extra_params => [ '-U', 'mallory' ]);
foreach my $encoding (qw(latin1 utf8 sql_ascii))
{
	my $call = start_call(
		$node,
		"SELECT status FROM bulkpar_update('large', 'n', 'n + 1')",
		client_encoding => $encoding);

	is(stop_call($call), 'succeeded', "$encoding: the NOTICE stops no job")
	  or diag($call->{err});
	like(field($call->{err}, 'DETAIL'),
		qr/^The xmin horizon is held by prepared transaction "\?" \(\d+ s\), prepared transaction "a\?ba\?ba/,
		"$encoding: it says who holds the xmin horizon");
	unlike($call->{err}, qr/[^\n\t -~]/, "$encoding: it is plain ASCII");
	is( stop_call(
			start_call(
				$node,
				"SELECT bulkpar_xmin_holders() ~ '\"\\?t\\?\"'",
				client_encoding => $encoding)),
		't',
		"$encoding: a name from a database of another encoding");
}
is_exactly($node, 'large', 3, 'every row is updated');
foreach my $name (@names)
{
	sql("ROLLBACK PREPARED '$name'");
}
$node->safe_psql('latin',
	"SET client_encoding = latin1; ROLLBACK PREPARED '\xe9t\xe9'");

$node->stop;
done_testing();
