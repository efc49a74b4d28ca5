# The laws by which a job goes, case by case, what it takes the speed of a standby
# for, and batches of a size that goes by the time that they take.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $library = build_module('law_cases');
my $node = start_server('law', 'bulkpar.max_workers = 0');

sub super { return $node->safe_psql('postgres', $_[0]); }

super(<<"END");
CREATE FUNCTION law_share(float8, float8) RETURNS float8 LANGUAGE c AS '$library';
CREATE FUNCTION law_batch_size(integer, integer, float8, float8[]) RETURNS integer
	LANGUAGE c AS '$library';
CREATE FUNCTION speed_time_left(int8[], int8[]) RETURNS int8 LANGUAGE c AS '$library';
END

# The share of its time that a job works.
foreach my $case (
	[ 0, 0, 1 ], [ 0.3, 0, 1 ], [ 0.65, 0, 0.5 ], [ 0.93, 0, 0.1 ],
	[ 1, 0, 0 ], [ 1000, 0, 0 ], [ -1, 0, 1 ],
	[ 0, 1, 0.5 ], [ 0, 3, 0.25 ], [ 0.65, 1, 0.25 ], [ 1, 1, 0 ])
{
	my ($load, $nice, $share) = @$case;

	is(super("SELECT round(law_share($load, $nice)::numeric, 6)::float8"), $share,
		"load $load, nice $nice: $share of the time");
}

# The size of the next batches, of 1000 at the most, that should take 100 ms.
sub list { return 'ARRAY[' . join(',', @_) . ']::float8[]'; }

foreach my $case (
	[ 'nothing is known', 1000, 1000, list(), 1000 ],
	[ 'few are a bit too long', 1000, 1000, list((200) x 9), 1000 ],
	[ 'the last is far too long', 1000, 1000, list(501), 500 ],
	[ 'not quite', 1000, 1000, list(500), 1000 ],
	[ 'an earlier one was', 1000, 1000, list(900, 100), 1000 ],
	[ 'all are too long', 1000, 1000, list((101) x 10), 742 ],
	[ 'much too long, and they shrink by no more than that', 900, 1000, list((400) x 10), 600 ],
	[ 'one of ten is too long', 1000, 1000, list((80) x 9, 300), 1000 ],
	[ 'two of ten are', 900, 1000, list((80) x 8, 300, 300), 600 ],
	[ 'they are as they should be', 500, 1000, list((100) x 10), 500 ],
	[ 'and from half of it on', 500, 1000, list((50) x 10), 500 ],
	[ 'they are short', 500, 1000, list((49) x 10), 600 ],
	[ 'they take no time', 500, 1000, list((0) x 10), 600 ],
	[ 'two are not short', 500, 1000, list((1) x 8, 60, 60), 500 ],
	[ 'short, but as large as was given', 900, 1000, list((1) x 10), 1000 ],
	[ 'and no larger', 1000, 1000, list((1) x 10), 1000 ],
	[ 'no smaller than a tenth', 110, 1000, list((400) x 10), 100 ],
	[ 'nor at once', 150, 1000, list(9999), 100 ],
	[ 'nor than fifty', 60, 200, list((400) x 10), 50 ],
	[ 'unless less was given', 20, 20, list((400) x 10), 20 ],
	[ 'which it does not grow beyond', 20, 20, list((1) x 10), 20 ],
	[ 'one row', 1, 1, list(9999), 1 ],
	[ 'many rows', 1000000, 1000000, list((1000) x 10), 500000 ])
{
	my ($name, $size, $given, $times, $after) = @$case;

	is(super("SELECT law_batch_size($size, $given, 100, $times)"), $after, "$name: $size to $after");
}

# How long a standby takes to the end, looked at each 100 ms; in milliseconds.
sub each_look
{
	my ($looks, $value) = @_;

	return "ARRAY(SELECT ($value)::int8 FROM generate_series(1, $looks) i ORDER BY i)";
}

foreach my $case (
	[ 'one that keeps up', each_look(30, '1000000 * i'), each_look(30, '1000000 * i'), 0 ],
	[ 'one that is just behind, and has no more to do', each_look(30, '1000 * i - 500'), each_look(30, '1000 * i'), 0 ],
	[ 'the first look', each_look(1, '1000'), each_look(1, '1000000'), 0 ],
	[ 'too early', each_look(2, '1000 * i'), each_look(2, '1000000'), 0 ],
	[ 'a third of what is written', each_look(6, '1000 * i'), each_look(6, '3000 * i'), 1200 ],
	[ 'and for longer', each_look(30, '1000 * i'), each_look(30, '3000 * i'), 6000 ],
	[ 'one that does not move', each_look(30, '1000'), each_look(30, '3000 * i'), 0 ],
	[ 'that moves again', each_look(31, 'least(1000 * i, 20000) + 500 * greatest(i - 30, 0)'),
		each_look(31, '20000 + 5000 * greatest(i - 20, 0)'), 109000 ],
	[ 'remembered when it was not behind', each_look(31, '1000 * least(i, 20)'),
		each_look(31, 'CASE WHEN i < 31 THEN 20000 ELSE 25000 END'), 500 ],
	[ 'but not for ever', each_look(131, '1000 * least(i, 20)'),
		each_look(131, 'CASE WHEN i < 131 THEN 20000 ELSE 25000 END'), 0 ])
{
	my ($name, $positions, $ends, $left) = @$case;

	is(super("SELECT round(speed_time_left($positions, $ends) / 1000.0)"), $left, "$name: $left ms left");
}

# A job whose first rows are slow, and the rest are not.  Each row takes its time
# at least, on any machine: 250 of them too much more than they should.

make_table($node, 't', 6000);
super(<<'END');
CREATE TABLE batch (number serial, size integer, first integer);
CREATE FUNCTION log_batch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO batch (size, first) SELECT count(*), min(id) FROM new_rows;
	RETURN NULL;
END $$;
CREATE TRIGGER log_batch AFTER UPDATE ON t REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION log_batch();
END
my $job = "bulkpar_update('t', 'n', 'n + 1 + CASE WHEN id <= 2000 THEN slow(2) ELSE 0 END', 500, 1, stripes => 1)";
is(super("SET bulkpar.target_batch_time = '60s'; SELECT status FROM $job"), 'succeeded', 'batches that are quick enough');
is(super('SELECT string_agg(DISTINCT size::text, \',\') FROM batch'), '500', 'stay as they are');
super('UPDATE t SET n = 0; TRUNCATE batch');
is(super("SET bulkpar.target_batch_time = '80ms'; SELECT status FROM $job"), 'succeeded', 'batches that are not');
is_exactly($node, 't', 1, 'exactly once');
is(super('SELECT size FROM batch ORDER BY number LIMIT 1'), '500', 'begin as they were given');
is(super('SELECT size FROM batch ORDER BY number OFFSET 1 LIMIT 1'), '250', 'and are halved at once');
cmp_ok(super('SELECT min(size) FROM batch WHERE first BETWEEN 1000 AND 1500'), '<=', 125, 'and again');
cmp_ok(super('SELECT min(size) FROM batch WHERE first < 1900'), '>=', 50, 'down to their floor');
cmp_ok(super('SELECT max(size) FROM batch WHERE first > 5000'), '>',
	super('SELECT min(size) FROM batch WHERE first < 1900'), 'and grow again where rows are quick');

# What a batch waits for is not its own time.
super('UPDATE t SET n = 0; TRUNCATE batch');
my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE t IN EXCLUSIVE MODE');
my $call = start_call($node, "SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 500, 1, stripes => 1)",
	'bulkpar.target_batch_time' => 2000, 'bulkpar.min_free_disk' => 100);
$locker->query_safe('COMMIT');
wait_until($node, "EXISTS (SELECT FROM bulkpar_progress WHERE throttled_by ~ 'disk')");
$locker->query_safe('BEGIN; LOCK TABLE t IN EXCLUSIVE MODE');
super(q[SELECT bulkpar_alter(max(job_id), settings => '{"min_free_disk": 0}') FROM bulkpar_jobs]);
wait_until($node, "count(*) = 1 FROM pg_locks WHERE NOT granted AND relation = 't'::regclass");
super('SELECT pg_sleep(11)');
$locker->quit;
is(stop_call($call), 'succeeded', 'a batch waits for a lock');
is(super('SELECT string_agg(DISTINCT size::text, \',\') FROM batch'), '500', 'which makes it no smaller');

# It can be altered as well.
super('UPDATE t SET n = 0; TRUNCATE batch');
$call = start_call($node, "SELECT status FROM bulkpar_update('t', 'n', 'n + 1 + slow(1)', 500, 1, stripes => 1)");
wait_until($node, 'count(*) > 0 FROM batch');
super(q[SELECT bulkpar_alter(max(job_id), settings => '{"target_batch_time": "50ms"}') FROM bulkpar_jobs]);
is(stop_call($call), 'succeeded', 'it is altered');
cmp_ok(super('SELECT min(size) FROM batch WHERE first BETWEEN 4000 AND 5500'), '<=', 125, 'and batches are smaller');
is_exactly($node, 't', 1, 'exactly once');

done_testing();
