# Under row level security a batch finds its rows through the key, whatever its
# type, and no function of the caller sees a row that a policy hides.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

our $rows = 4500;
our $own = $rows / 3;
my $node = start_server('policies', <<'END');
bulkpar.report = off
track_functions = all
END

sub sql { return $node->safe_psql('postgres', $_[0]); }

# The policy, and a function that fails when it sees what is not the tenant's,
# and claims to be cheap so as to be called first.
sql(<<'END');
CREATE ROLE tenant LOGIN;
CREATE ROLE exempt LOGIN BYPASSRLS;
CREATE FUNCTION own(name text) RETURNS boolean LANGUAGE plpgsql STABLE COST 10 AS
	'BEGIN RETURN name = current_user; END';
CREATE FUNCTION spy(name text) RETURNS boolean LANGUAGE plpgsql STABLE COST 0.0001 AS $$
BEGIN
	IF name <> 'tenant' THEN
		RAISE 'seen';
	END IF;
	RETURN true;
END $$;
CREATE TYPE mood AS ENUM ('sad', 'so so', 'happy');
CREATE TYPE pair AS (a int, b numeric);
CREATE DOMAIN amount AS numeric CHECK (VALUE >= 0);
CREATE VIEW reads AS
	SELECT relname, t.seq_tup_read, sum(i.idx_tup_read) AS entries,
		(SELECT coalesce(sum(calls), 0) FROM pg_stat_user_functions WHERE funcname = 'own') AS calls
	FROM pg_stat_user_tables t JOIN pg_stat_user_indexes i USING (relid, relname) GROUP BY 1, 2;
END

# A table of which every third row is the tenant's.
sub make
{
	my ($table, $columns, $key, $values, $options) = @_;
	$options //= '';

	sql(<<"END");
SET client_min_messages = warning;
DROP TABLE IF EXISTS $table;
CREATE TABLE $table ($columns, n int DEFAULT 0, g int, owner text, PRIMARY KEY ($key)) $options;
END
	sql(<<"END");
INSERT INTO $table SELECT $values, 0, g, CASE WHEN g % 3 = 0 THEN 'tenant' ELSE 'other' END
	FROM generate_series(1, $rows) g;
ALTER TABLE $table ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON $table USING (own(owner));
GRANT SELECT, UPDATE, DELETE ON $table TO tenant, exempt;
ANALYZE $table;
END
	return;
}

# What a role reads to run a call: rows in sequence, entries of the index, and
# for how many rows the policy was tested; and what the call returns.
sub reads
{
	my ($table, $role, $call) = @_;
	my $query = "SELECT seq_tup_read, entries, calls FROM reads WHERE relname = '$table'";
	my @before = split /\|/, sql($query);
	my ($out, $err) = run_as($node, $role, "SELECT rows_changed FROM $call");
	my @after = split /\|/, sql($query);

	note($err) if $err ne '';
	return (map({ $after[$_] - $before[$_] } 0 .. 2), $out);
}

my @kinds = (
	[ 'c_text', 'id text COLLATE "C"', 'id', "'k' || g" ],
	[ 'icu_text', 'id text COLLATE "und-x-icu"', 'id', "'k' || g" ],
	[ 'whole', 'id bigint', 'id', 'g' ],
	[ 'number', 'id numeric', 'id', 'g / 7.0' ],
	[ 'random', 'id uuid', 'id', 'md5(g::text)::uuid' ],
	[ 'instant', 'id timestamptz', 'id', "'2020-01-01'::timestamptz + g * '1 hour'::interval" ],
	[ 'named', 'a text, b int', 'a, b', "'k' || g % 5, g" ],
	[ 'mixed', 'a int, b numeric', 'a, b', 'g % 5, g' ],
	[ 'numbers', 'id int[]', 'id', 'ARRAY[g % 5, g]' ],
	[ 'words', 'id text[]', 'id', "ARRAY['k', 'k' || g]" ],
	[ 'felt', 'a mood, b int', 'a, b', "(enum_range(NULL::mood))[1 + g % 3], g" ],
	[ 'paid', 'id amount', 'id', 'g' ],
	[ 'paired', 'id pair', 'id', 'ROW(g % 5, g)::pair' ],
	[ 'span', 'id numrange', 'id', 'numrange(g, g + 1)' ],
	[ 'spans', 'id int4multirange', 'id', 'int4multirange(int4range(g, g + 1))' ],
	[ 'json', 'id jsonb', 'id', 'to_jsonb(g)' ]);

foreach my $kind (@kinds)
{
	my ($table) = @$kind;
	my $call = "bulkpar_update('$table', 'n', 'n + 1', 50, 1, stripes =>";

	make(@$kind);
	my (undef, $free) = reads($table, 'exempt', "$call 1)");
	make(@$kind);
	my ($seq, $entries, $calls, $updated) = reads($table, 'tenant', "$call 1, condition => 'spy(owner)')");
	note("$table: $free, $seq, $entries, $calls");
	is($updated, $own, "$table: the rows that are the tenant's");
	is($seq, 0, "$table: nothing is read in sequence");
	cmp_ok($entries, '<=', 1.5 * $free, "$table: no more of the index than without the policy");
	cmp_ok($calls, '<=', 4 * $rows, "$table: a row is looked at a few times");

	my (undef, undef, undef, $striped) = reads($table, 'tenant', "$call 4, condition => 'spy(owner)')");
	is($striped, $own, "$table: so it is in stripes");
	(undef, undef, $calls, $updated) =
	  reads($table, 'tenant', "$call NULL, condition => 'spy(owner) AND g % 500 = 0')");
	is($updated, 3, "$table: and of few rows");
	# there is no type for lists of arrays
	if ($kind->[1] !~ /\[\]/)
	{
		cmp_ok($calls, '<=', 2 * $rows, "$table: which are looked for once");
		is(sql('SELECT count(keys) > 0 FROM bulkpar.bulkpar_chunk WHERE job_id ='
			  . ' (SELECT max(job_id) FROM bulkpar.bulkpar_job)'), 't', "$table: and listed");
	}
	is( sql("SELECT owner, sum(n) FROM $table GROUP BY 1 ORDER BY 1"),
		"other|0\ntenant|" . (2 * $own + 3), "$table: as one statement does");
}

# What is said of a job has only keys that its role sees.
is( (run_as($node, 'tenant', <<"END"))[0],
SELECT count(*) > 1, count(DISTINCT t.id) > 1, count(*) = count(t.id) FROM bulkpar_chunks c
LEFT JOIN number t ON t.id::text IN (c.hi[1], c.last_key[1])
WHERE job_id = (SELECT min(job_id) FROM bulkpar_jobs WHERE target = 'number'::regclass)
END
	't|t|t', 'the chunks end at rows of the tenant');

# A partitioned table: its policy is what counts, and the part is reached by its key.
make('parted', 'id numeric', 'id', 'g', <<'END');
PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (2000);
CREATE TABLE high PARTITION OF parted FOR VALUES FROM (2000) TO (9000)
END
foreach my $call ("bulkpar_update('parted', 'n', 'n + 1', 50, 1, condition => 'spy(owner)')",
	"bulkpar_delete('parted', 'spy(owner)', 50, 1)")
{
	my ($seq, $entries, $calls, $changed) = reads('low', 'tenant', $call);
	is($changed, $own, 'partitions: the rows that are the tenant\'s');
	is($seq, 0, 'partitions: nothing is read in sequence');
	cmp_ok($entries, '<=', 4 * 2000, 'partitions: a key is read a few times');
	cmp_ok($calls, '<=', 4 * $rows, 'partitions: a row is looked at a few times');
}
is(sql('SELECT owner, count(*), sum(n) FROM parted GROUP BY 1'), 'other|3000|0',
	'partitions: as one statement does');

# A table that is joined by its key and has a policy, too: each batch reads its
# own range of it.
make('number', 'id numeric', 'id', 'g');
make('source', 'id numeric', 'id', 'g');
my ($seq, $entries, $calls, $updated) = reads('source', 'tenant',
	"bulkpar_update('number', 'n', 's.g', 50, 1, from_item => 'source s',"
	  . " condition => 's.id = number.id AND spy(s.owner) AND spy(number.owner)')");
is($updated, $own, 'a joined table: the rows that are the tenant\'s');
cmp_ok($seq, '<=', $rows, 'a joined table: it is read in sequence once, to look for few rows');
note("$seq, $entries, $calls");
cmp_ok($entries, '<=', 2 * $rows, 'a joined table: a key is read a few times');
cmp_ok($calls, '<=', 5 * $rows, 'a joined table: a row is looked at a few times');
is(sql('SELECT owner, sum((n = g)::int) FROM number GROUP BY 1 ORDER BY 1'),
	"other|0\ntenant|$own", 'a joined table: as one statement does');

#
# Functions that came later, which tell what they compare
#
sql(<<'END');
CREATE FUNCTION loud_cmp(a point, b point) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF current_setting('test.hidden', true) = 'secret' AND (a[0]::int % 3 <> 0 OR b[0]::int % 3 <> 0) THEN
		RAISE 'seen: %, %', a, b;
	END IF;
	RAISE NOTICE 'compared %', a;
	RETURN btfloat8cmp(a[0], b[0]);
END $$;
CREATE FUNCTION loud_eq(point, point) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN loud_cmp($1, $2) = 0; END';
CREATE FUNCTION loud_lt(point, point) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN loud_cmp($1, $2) < 0; END';
CREATE FUNCTION loud_le(point, point) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN loud_cmp($1, $2) <= 0; END';
CREATE FUNCTION loud_ge(point, point) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN loud_cmp($1, $2) >= 0; END';
CREATE FUNCTION loud_gt(point, point) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN loud_cmp($1, $2) > 0; END';
CREATE OPERATOR = (LEFTARG = point, RIGHTARG = point, FUNCTION = loud_eq, COMMUTATOR = =);
CREATE OPERATOR <# (LEFTARG = point, RIGHTARG = point, FUNCTION = loud_lt, COMMUTATOR = ># );
CREATE OPERATOR <=# (LEFTARG = point, RIGHTARG = point, FUNCTION = loud_le);
CREATE OPERATOR >=# (LEFTARG = point, RIGHTARG = point, FUNCTION = loud_ge);
CREATE OPERATOR ># (LEFTARG = point, RIGHTARG = point, FUNCTION = loud_gt);
CREATE OPERATOR CLASS loud DEFAULT FOR TYPE point USING btree AS OPERATOR 1 <#, OPERATOR 2 <=#,
	OPERATOR 3 =, OPERATOR 4 >=#, OPERATOR 5 >#, FUNCTION 1 loud_cmp(point, point);
CREATE TYPE located AS (place point, number int);
CREATE TYPE stretch AS RANGE (subtype = point);
END
local $rows = 300;
local $own = $rows / 3;
my %loud = (
	'spot' => [ 'id point', 'point(g, 0)', 'loud_lt(point,point), loud_le(point,point), '
		  . 'loud_eq(point,point), loud_ge(point,point), loud_gt(point,point)' ],
	'way' => [ 'id point[]', 'ARRAY[point(g, 0)]', 'loud_eq(point,point), loud_cmp(point,point)' ],
	'place' => [ 'id located', 'ROW(point(g, 0), 1)::located', 'loud_eq(point,point), loud_cmp(point,point)' ],
	'reach' => [ 'id stretch', 'stretch(point(g, 0), point(g + 0.5, 0))',
		'loud_cmp(point,point), loud_eq(point,point)' ]);
my @functions = sort map { "loud_$_(point, point)" } qw(lt le eq ge gt cmp);
foreach my $table (sort keys %loud)
{
	my ($columns, $values, $functions) = @{ $loud{$table} };
	my $call = "bulkpar_update('$table', 'n', 'n + 1', 50, 1, condition => 'spy(owner)')";
	my $refusal = "ERROR:  the batches of table \"$table\" cannot use index \"${table}_pkey\" under its policies\n"
	  . "DETAIL:  Functions that compare its keys are not marked as leakproof: $functions.\n";
	make($table, $columns, 'id', $values);
	foreach my $refused ("SELECT $call", $call =~ s/bulkpar_update(.*)/SELECT bulkpar_explain$1/r,
		"SELECT bulkpar_delete('$table', NULL)")
	{
		my ($out, $err) = run_as($node, 'tenant', $refused);
		is($err =~ s/HINT.*//rs, $refusal, "$table: refused, as it could tell");
		unlike($err, qr/compared/, "$table: and it has told nothing");
	}
	like((run_as($node, 'exempt', "SELECT status FROM bulkpar_update('$table', 'n', '0')"))[0],
		qr/succeeded/, "$table: not to whom the policy does not apply");
	sql("CREATE UNIQUE INDEX other_$table ON $table (g); ALTER TABLE $table ALTER g SET NOT NULL");
	is((run_as($node, 'tenant', "SELECT status FROM bulkpar_update('$table', 'n', 'n + 1', key_index => 'other_$table')"))[0],
		'succeeded', "$table: another index will do");

	sql(join ';', map { "ALTER FUNCTION $_ LEAKPROOF" } @functions);
	my ($seq, $entries, undef, $updated) = reads($table, 'tenant', $call);
	is($updated, $own, "$table: not if a superuser says that it tells nothing");
	is($seq, 0, "$table: and nothing is read in sequence");
	cmp_ok($entries, '<=', 4 * $rows, "$table: a key is read a few times");
	sql(join ';', map { "ALTER FUNCTION $_ NOT LEAKPROOF" } @functions);
}

# The operators of a key that tells nothing, on another type that does: they come
# after the policies.
make('numbers', 'id int[], way point[]', 'id', 'ARRAY[g], ARRAY[point(g, 0)]');
make('source', 'id int, way point[]', 'id', 'g, ARRAY[point(g, 0)]');
foreach my $condition ('numbers.way >= ARRAY[point(0, 0)]',
	's.id = numbers.g AND s.way >= ARRAY[point(0, 0)]', 's.way = numbers.way')
{
	my $call = "SELECT rows_changed FROM bulkpar_update('numbers', 'n', 'numbers.n + 1', 50, 1, condition => '$condition'";

	$call .= ", from_item => 'source s'" if $condition =~ /s\./ and $condition !~ /^numbers/;
	is((run_as($node, 'tenant', "SET test.hidden = 'secret'; $call)"))[0], $own,
		"$condition: has not seen the rows of others");
	like((run_as($node, 'exempt', "SET test.hidden = 'secret'; $call)"))[1], qr/ERROR:  seen/,
		"$condition: but does where nothing hides them");
}

# A policy that comes while a job is on its way.
make('spot', 'id point', 'id', 'point(g, 0)');
sql('ALTER TABLE spot DISABLE ROW LEVEL SECURITY');
my ($out, $err) = run_as($node, 'tenant',
	"SELECT bulkpar_update('spot', 'n', '1 / (250 - g)', 50, 1, job_name => 'late')");
like($err, qr/division by zero/, 'a job fails on its way');
sql('ALTER TABLE spot ENABLE ROW LEVEL SECURITY');
($out, $err) = run_as($node, 'tenant', "SELECT bulkpar_resume(max(job_id)) FROM bulkpar_jobs");
like($err, qr/cannot use index "spot_pkey" under its policies/, 'and is refused when there is a policy');

$node->stop;
done_testing;
