# What random statements have after WHERE, and what is wrong with them.

package BulkparRandom::Condition;

use strict;
use warnings FATAL => 'all';

use BulkparRandom::Draw;
use Exporter 'import';

our @EXPORT = qw(make_where make_error);

sub make_where
{
	my ($case) = @_;
	my $seq = ref_to($case, 'seq');
	my ($key) = @{ $case->{key_columns} };
	my $key_value = $key->{value};
	my $at = 1 + int(rand(300));
	my @atoms = (
		"Q % 3 = 1", "Q > $at", "Q BETWEEN 10 AND $at", 'Q <> 5',
		'Q IN (SELECT x.seq FROM src AS x)',
		'EXISTS (SELECT FROM dup AS x WHERE x.seq = Q)',
		'NOT EXISTS (SELECT FROM src AS x WHERE x.seq = Q AND x.val > 50)',
		'EXISTS (SELECT FROM @T@ AS each WHERE each.seq = Q)',
		'Q < 0', 'Q > 2000', 'Q < 30 AND Q > 50',
		'Q NOT IN (SELECT x.seq FROM src AS x WHERE x.val < 50)',
		'touched IS NULL', 'touched > 4', 'touched IS NOT NULL OR Q % 2 = 0',
		"Q = ANY ('{1,2,3,50,51,52}')", 'true', 'false', 'NULL::bool',
		'random() < 2', 'Q % 7 < 5', 'Q % 4 <> 2', '(SELECT count(*) FROM src) > 50',
		"eq.plus_one(Q) % 2 = 0", "(Q, touched) > (20, 3)");
	my @terms;

	# what is evaluated once
	push @atoms,
	  "Q IN (SELECT x.seq FROM \@T\@ AS x ORDER BY x.seq LIMIT $at)",
	  "Q IN (SELECT x.seq FROM src AS x ORDER BY x.seq LIMIT $at)",
	  "$key->{name} IN (SELECT x.$key->{name} FROM \@T\@ AS x ORDER BY x.seq LIMIT $at)",
	  'Q NOT IN (SELECT x.seq FROM @T@ AS x ORDER BY x.seq DESC OFFSET 9)',
	  'Q NOT IN (SELECT max(x.seq) FROM @T@ AS x GROUP BY x.seq % 7)',
	  "$key->{name} NOT IN (SELECT x.$key->{name} FROM \@T\@ AS x ORDER BY x.seq OFFSET 20)",
	  'Q IN (SELECT x.seq FROM @T@ AS x GROUP BY x.seq HAVING count(*) = 1)',
	  'touched IN (SELECT DISTINCT x.touched FROM @T@ AS x)',
	  'touched NOT IN (SELECT x.touched FROM @T@ AS x)',
	  'touched NOT IN (SELECT DISTINCT x.touched FROM @T@ AS x WHERE x.touched > 2)',
	  '(Q % 5, touched) IN (SELECT x.seq % 5, max(x.touched) FROM @T@ AS x GROUP BY 1)',
	  '(SELECT count(*) FROM @T@ AS x) > 40',
	  'Q < (SELECT avg(x.seq) FROM @T@ AS x)',
	  'EXISTS (SELECT FROM @T@ AS x WHERE x.touched > 3)',
	  'NOT EXISTS (SELECT FROM @T@ AS x WHERE x.touched > 90)',
	  'Q = ANY (ARRAY(SELECT x.seq FROM @T@ AS x ORDER BY x.seq DESC LIMIT 60))',
	  'Q > ALL (SELECT min(x.seq) FROM @T@ AS x GROUP BY x.seq % 3)',
	  'Q IN (SELECT x.seq FROM dup AS x'
	  . ' EXCEPT SELECT y.seq FROM @T@ AS y WHERE y.touched > 2)',
	  'Q IN (SELECT y.seq FROM (SELECT x.seq, row_number() OVER (ORDER BY x.seq)'
	  . ' AS r FROM @T@ AS x) AS y WHERE r % 3 = 1)',
	  'Q IN (WITH y AS (SELECT x.seq FROM @T@ AS x ORDER BY x.seq DESC LIMIT 70)'
	  . ' SELECT a.seq FROM y AS a JOIN y AS b ON b.seq = a.seq + 1)',
	  '(Q % 4, touched) IN (SELECT DISTINCT x.seq % 4, x.touched FROM @T@ AS x'
	  . ' WHERE x.seq % 3 = 0)',
	  'Q = ANY (SELECT x.seq FROM src AS x INTERSECT SELECT y.seq FROM @T@ AS y)',
	  'EXISTS (SELECT FROM src AS x WHERE x.seq = Q'
	  . ' AND x.seq > (SELECT min(y.seq) + 5 FROM @T@ AS y))',
	  'Q IN (SELECT x.seq FROM src AS x WHERE eq.plus_one(x.val) % 2 = 0)';
	push @atoms, correlated($case);
	push @atoms, ('part = 1', 'part IN (0, 2)', 'part = 99', 'part IS NULL',
		'part = 1 AND part = 2', 'part > 1 AND Q > 0', "Q > $at AND Q < $at + 20",
		"part = 3 OR Q = $at", 'part = (SELECT 2)')
	  if $case->{form} ne 'plain';
	s/\bpart\b/ref_to($case, 'part')/ge foreach @atoms;
	s/^\Q$key->{name}\E /ref_to($case, $key->{name}) . ' '/e foreach @atoms;
	$key_value =~ s/\bi\b/$at/g;
	push @atoms, ref_to($case, $key->{name}) . " <= ($key_value)",
	  ref_to($case, $key->{name}) . " > ($key_value)";
	push @atoms, ref_to($case, $_->{name}) . pick(' IS NULL', ' IS NOT NULL')
	  foreach some(2, @{ $case->{columns} });
	push @terms, $case->{from}{join} if defined $case->{from}{join};
	if (chance(0.6))
	{
		my $term = pick(@atoms);
		$term = pick('(', 'NOT (') . "$term)" if chance(0.3);
		$term = "($term OR " . pick(@atoms) . ')' if chance(0.2);
		push @terms, "($term)";
		push @terms, '(' . pick(@atoms) . ')' if chance(0.3);
	}
	push @terms,
	  pick("Q = $at", "Q IN (3, 77, $at)", "Q BETWEEN $at AND $at + 9",
		"Q IN ($at, $at + 5) OR Q = 100",
		ref_to($case, $key->{name}) . " = ($key_value)", "Q > 480")
	  if $case->{few};
	$terms[-1] = "($terms[-1])" if @terms;
	push @terms, 'Q > 0' if $case->{policies};
	push @terms, "($case->{from}{int} % 2 = 0)"
	  if defined $case->{from}{int} && chance(0.2);
	push @terms, 'true' if $case->{deletes} && !@terms;
	return if !@terms;
	$case->{where} = fill($case, join(' AND ', @terms));
	return;
}

# Subqueries that depend on the row.
sub correlated
{
	my ($case) = @_;
	my @atoms = (
		'NOT EXISTS (SELECT FROM dup AS x WHERE x.seq = Q + 1)',
		'touched = ANY (SELECT x.val % 10 FROM src AS x WHERE x.seq % 10 = Q % 10)',
		'touched NOT IN (SELECT x.val % 10 FROM src AS x WHERE x.seq % 50 = Q % 50)',
		'Q > ALL (SELECT x.val FROM src AS x WHERE x.seq BETWEEN Q AND Q + 5)',
		'(Q, touched) IN (SELECT x.seq, x.val % 5 FROM src AS x WHERE x.val <> Q)',
		'(SELECT count(*) FROM src AS x WHERE x.seq <= Q) % 3 = 1',
		'EXISTS (SELECT x.val FROM dup AS x WHERE x.seq % 20 = Q % 20'
		  . ' GROUP BY x.val HAVING count(*) > 3)',
		'(SELECT x.val FROM src AS x WHERE x.seq > Q ORDER BY x.seq LIMIT 1) > 100',
		'EXISTS (SELECT FROM src AS x WHERE x.seq = Q AND EXISTS'
		  . ' (SELECT FROM more AS y WHERE y.grp = x.val % 4 AND y.val > Q % 30))',
		'Q IN (WITH y AS (SELECT x.seq FROM src AS x WHERE x.val > Q % 50)'
		  . ' SELECT y.seq FROM y)',
		'Q IN (SELECT x.seq FROM src AS x WHERE x.val > 90 UNION SELECT Q - Q % 2)',
		'(Q % 2 = 0 AND NOT EXISTS (SELECT FROM src_view AS x WHERE x.seq = Q))');
	my @over_target = (
		'NOT EXISTS (SELECT FROM @T@ AS each WHERE each.seq = Q + 3000)',
		'Q IN (SELECT each.seq FROM @T@ AS each WHERE each.seq = Q)');

	push @over_target,
	  'EXISTS (SELECT FROM @T@ AS each WHERE each.seq = Q + 1)',
	  '(SELECT count(*) FROM @T@ AS each WHERE each.seq <= Q) % 3 = 1',
	  'Q = (SELECT max(each.seq) FROM @T@ AS each WHERE each.seq % 9 = Q % 9)',
	  'NOT EXISTS (SELECT FROM @T@ AS each JOIN src AS x ON x.seq = each.seq'
	  . ' WHERE each.seq = Q - 1)'
	  if !$case->{deletes};
	return @atoms, @over_target;
}

# Something that fails for some rows, and nothing else can.
sub make_error
{
	my ($case) = @_;
	my $seq = ref_to($case, 'seq');
	my %columns = map { $_->{kind} => $_ } @{ $case->{columns} };
	my ($not_null) = grep { $_->{not_null} } @{ $case->{columns} };
	my $constraint = grep { /too small/ } @{ $case->{constraints} };
	my @errors;

	push @errors, [ 'touched', "100 / ($seq % 50 - 3)" ],
	  [ 'touched', "(CASE WHEN $seq % 60 = 5 THEN 'x' ELSE '1' END)::int" ],
	  [ 'touched', "$seq * 100000000" ],
	  [ 'touched', "CASE WHEN $seq % 40 = 7 THEN 9999999999 ELSE 1 END" ],
	  [ 'touched', 'eq.plus_one(2147483597 + ' . "$seq)" ];
	push @errors, map { [ 'touched', $_ ] }
	  "(CASE WHEN $seq % 50 = 8 THEN 'no_such' ELSE 'pg_class' END)::regclass::oid::int",
	  "eq.count_of(CASE WHEN $seq % 50 = 8 THEN 'eq.no_such' ELSE 'eq.t' END)",
	  "eq.count_of(CASE WHEN $seq % 50 = 8 THEN 'bulkpar.bulkpar_job, nosuch' ELSE 'eq.t' END)",
	  "(SELECT g FROM generate_series(1, CASE WHEN $seq % 50 = 8 THEN 2 ELSE 1 END) AS g)",
	  map { "eq.fail($seq, '$_')" }
	  some(4, qw(42501 42P01 42883 42703 42601 42P10 23514 23503 22000 P0001
		  P0002 0A000 21000 2BP01 39000 44000 55000 EQ042));
	push @errors, ([ 'touched', "CASE WHEN $seq % 40 = 7 THEN -200000 ELSE 1 END" ]) x 3
	  if $constraint;
	push @errors, ([ 'touched', "CASE WHEN $seq % 40 = 7 THEN -777 ELSE 1 END" ]) x 3
	  if defined $case->{role};
	push @errors, ([ 'u1', "CASE WHEN $seq % 30 = 2 THEN -5 ELSE -1000 - $seq END" ]) x 4
	  if $columns{u1} && !$columns{u1}{fixed};
	push @errors, ([ 'ref1', "CASE WHEN $seq % 50 = 9 THEN 999 ELSE 1 END" ]) x 4
	  if $columns{ref1};
	push @errors, ([ $not_null->{name}, 'NULL' ]) x 2 if $not_null;
	push @errors, [ $columns{'varchar(20)'}{name}, "repeat('x', $seq)" ]
	  if $columns{'varchar(20)'};
	push @errors, [ $columns{'eq.positive'}{name}, "50 - $seq" ]
	  if $columns{'eq.positive'};
	push @errors, [ $columns{'numeric(10,2)'}{name}, "10000000.0 * $seq" ]
	  if $columns{'numeric(10,2)'};
	push @errors, [ $columns{int4range}{name}, "int4range($seq, 40)" ]
	  if $columns{int4range};
	push @errors,
	  [ $columns{'eq.mood'}{name}, "(CASE WHEN $seq % 50 = 8 THEN 'bad' ELSE 'ok' END)::eq.mood" ]
	  if $columns{'eq.mood'};

	if (chance(0.1))
	{
		wrong_statement($case);
	}
	elsif (!$case->{skip_unchanged} && ($case->{deletes} ? chance(0.7) : chance(0.2)))
	{
		push @{ $case->{triggers} },
		  pick(
			'BEFORE UPDATE OR DELETE ON @T@',
			'AFTER UPDATE OR DELETE ON @T@',
			'CONSTRAINT AFTER UPDATE OR DELETE ON @T@'
			  . ' DEFERRABLE INITIALLY DEFERRED')
		  . ' FOR EACH ROW EXECUTE FUNCTION eq.refuse_some()';
		@{ $case->{triggers} } = grep { !/leave_some/ } @{ $case->{triggers} };
	}
	elsif ($case->{deletes})
	{
		$case->{where} = pick("10 / ($seq - 30) > -100",
			"eq.fail($seq, '42501') > 0",
			"(CASE WHEN $seq = 30 THEN 'x' ELSE '1' END)::int > 0");
		$case->{from}{join} = undef;
		delete @{ $case->{from} }{qw(item with int)};
	}
	else
	{
		my $error = pick(@errors);
		my ($raw) = grep { $_->{name} eq $error->[0] } @{ $case->{columns} };

		# Which of several rows with the same value comes first is open, and
		# some errors are never taken for one of the row.
		$case->{not_row} = 1
		  if $error->[0] eq 'u1' || $error->[1] =~ /count_of|'(0A|2B|55)/;
		$case->{sets} =
		  [ [ $error->[0], $error->[1], $raw ? $raw->{raw} : $error->[0] ] ];
	}
	return;
}

# What is wrong with the statement itself, whatever the rows.
sub wrong_statement
{
	my ($case) = @_;
	my $seq = ref_to($case, 'seq');

	$case->{not_row} = 1;
	if ($case->{deletes} || chance(0.3))
	{
		$case->{where} = pick('no_such > 3', "max($seq) > 3", "eq.no_such($seq)",
			"$seq IN (SELECT x.no_such FROM src AS x)", "$seq + 1",
			"$seq > 'x'", "rank() OVER () > 1", "$seq IN (SELECT 1, 2)",
			'EXISTS (SELECT FROM no_such)', "generate_series(1, $seq) > 3");
		return;
	}
	$case->{sets} = [
		[
			'touched',
			pick('no_such', "eq.no_such($seq)", "max($seq)", "'x'::text",
				'rank() OVER ()', 'generate_series(1, 2)', "'x'",
				'(SELECT x.val FROM no_such AS x)', '(SELECT 1, 2)',
				'(SELECT val FROM src AS x, src AS y)', "no_such.$seq"),
			'touched'
		]
	];
	return;
}

1;
