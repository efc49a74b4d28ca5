# Beside an extension that plans statements its own way a job says what has
# happened: an error, and never that rows have been changed that have not.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $library = build_module('other_planner');
my $node = start_server('planners', <<"END");
bulkpar.report = off
shared_preload_libraries = '$library'
END

sub sql { return $node->safe_psql('postgres', $_[0]); }

# Let the statements on a table be planned for another one, or for nothing.
sub plan_instead
{
	my ($table, $instead) = @_;
	my $oids = sql("SELECT '$table'::regclass::oid, "
		  . (defined $instead ? "'$instead'::regclass::oid" : 0));

	my ($from, $to) = split(/\|/, $oids);
	sql("ALTER DATABASE postgres SET other_planner.planned = $from");
	sql("ALTER DATABASE postgres SET other_planner.instead = $to");
	return;
}

sub plan_as_ever
{
	sql('ALTER DATABASE postgres RESET other_planner.planned');
	sql('ALTER DATABASE postgres RESET other_planner.instead');
	return;
}

my %calls = (
	'update' => "bulkpar_update('t', 'n', 'n + 1', 100, 2)",
	'update with a condition' =>
	  "bulkpar_update('t', 'n', 'n + 1', 100, 2, condition => 'n = 0')",
	'update with stripes' => "bulkpar_update('t', 'n', 'n + 1', 100, 2, stripes => 4)",
	'update of what is not the same' =>
	  "bulkpar_update('t', 'n', 'n + 1', 100, 2, skip_unchanged => true)",
	'few rows' => "bulkpar_update('t', 'n', 'n + 1', 10, 2, condition => 'id % 100 = 7')",
	'delete' => "bulkpar_delete('t', NULL, 100, 2)",
	'statement' => "bulkpar_execute('UPDATE t SET n = n + 1', 100, 2)");
my $all_old = "SELECT count(*), count(*) FILTER (WHERE n = 0) FROM ";

# Another relation in the place of the table.
foreach my $call (sort keys %calls)
{
	make_table($node, $_, 2000) foreach ('t', 'shard');
	plan_instead('t', 'shard');
	my ($ret, $out, $err) = $node->psql('postgres', "SELECT $calls{$call}");

	like($err, qr/ERROR:  a batch of table "t" was planned for another relation, "shard"/,
		"$call, another relation: an error");
	like($err, qr/HINT:  .*extension/, 'with a hint');
	is(sql($all_old . 't') . sql($all_old . 'shard'), '2000|20002000|2000',
		'and nothing has changed');
	plan_as_ever();
}

# Nothing to do, where there is a lot.
foreach my $call ('update', 'update with stripes', 'update of what is not the same',
	'delete', 'statement')
{
	make_table($node, 't', 2000);
	plan_instead('t', undef);
	my ($ret, $out, $err) = $node->psql('postgres', "SELECT $calls{$call}");
	my $job = last_job($node);

	like($err, qr/ERROR:  a batch has left \d+ of its rows as they were/,
		"$call, nothing to do: an error");
	is(sql($all_old . 't'), '2000|2000', 'and nothing has changed');
	plan_as_ever();
	is(sql("UPDATE bulkpar.bulkpar_job SET settings = '[]';"
			  . " SELECT status FROM bulkpar_resume($job)"), 'succeeded',
		'the job can be resumed without that extension');
	is(sql("SELECT coalesce(string_agg(DISTINCT n::text, ','), '1') FROM t"),
		'1', 'and changes each row once');
}

# Rows that are left alone for a reason are no error.
make_table($node, 't', 1000);
sql(<<'END');
CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN IF OLD.id % 3 = 0 THEN RETURN NULL; END IF;
	RETURN CASE TG_OP WHEN ''DELETE'' THEN OLD ELSE NEW END; END';
CREATE TRIGGER leave BEFORE UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION leave();
END
is(sql("SELECT rows_changed FROM bulkpar_update('t', 'n', 'n + 1', 10, 2)"),
	'667', 'a trigger leaves rows out');
is(sql("SELECT rows_changed FROM bulkpar_delete('t', NULL, 10, 2)"),
	'667', 'also of a DELETE');
make_table($node, 't', 1000);
sql(<<'END');
CREATE ROLE ann LOGIN;
GRANT SELECT, UPDATE, DELETE ON t TO ann;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY reads ON t FOR SELECT USING (true);
CREATE POLICY writes ON t FOR UPDATE USING (id % 4 = 0);
END
is( sql("SET SESSION AUTHORIZATION ann;"
		  . " SELECT rows_changed FROM bulkpar_update('t', 'n', 'n + 1', 10, 2)"),
	'250', 'row level security leaves rows out');
make_table($node, 't', 1000);
is( sql("SELECT rows_changed, rows_unchanged FROM bulkpar_update('t', 'n',"
		  . " 'id % 2', 10, 2, skip_unchanged => true)"),
	'500|500', 'skip_unchanged leaves rows out');
is( sql("SELECT rows_changed, rows_failed FROM bulkpar_update('t', 'n',"
		  . " '1 / (id - 5)', 10, 2, on_error => 'skip')"),
	'999|1', 'on_error leaves rows out');

# Rows that are gone meanwhile: deleted by others after they were counted, before
# and after the snapshot of the batch.
make_table($node, 't', 200);
sql('CREATE TABLE seen (id integer)');
my $gate = close_gate($node);
my $call = start_call($node,
	"SELECT rows_changed FROM bulkpar_update('t', 'n', 'n + 1 + gate()', 100, 1)");
wait_for_workers($node, 1);
my $deleter = $node->background_psql('postgres');
$deleter->query_safe('BEGIN; DELETE FROM t WHERE id IN (50, 60) OR id > 150');
open_gate($gate);
wait_until($node, "EXISTS (SELECT FROM pg_stat_activity"
	  . " WHERE backend_type = 'bulkpar worker' AND wait_event_type = 'Lock')");
$deleter->query_safe('COMMIT');
$deleter->quit;
is(stop_call($call), '148', 'rows that others have deleted are no error');
is_exactly($node, 't', 1, 'and all others are updated once');

done_testing();
