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
		'EXISTS (SELECT FROM @T@ AS x WHERE x.seq = Q)',
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
	  'EXISTS (SELECT FROM src AS x WHERE x.seq = Q'
	  . ' AND x.seq > (SELECT min(y.seq) + 5 FROM @T@ AS y))',
	  'Q IN (SELECT x.seq FROM src AS x WHERE eq.plus_one(x.val) % 2 = 0)';
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
	$case->{where} =~ s/\@T\@/$case->{name}/g;
	return;
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

	if (!$case->{skip_unchanged} && ($case->{deletes} ? chance(0.7) : chance(0.2)))
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
		$case->{where} = "10 / ($seq - 30) > -100";
		$case->{from}{join} = undef;
		delete @{ $case->{from} }{qw(item with)};
	}
	else
	{
		my $error = pick(@errors);
		my ($raw) = grep { $_->{name} eq $error->[0] } @{ $case->{columns} };

		$case->{sets} =
		  [ [ $error->[0], $error->[1], $raw ? $raw->{raw} : $error->[0] ] ];
	}
	return;
}

1;
