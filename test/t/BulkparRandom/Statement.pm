# Random statements on a random table.

package BulkparRandom::Statement;

use strict;
use warnings FATAL => 'all';

use BulkparRandom::Condition;
use BulkparRandom::Draw;
use BulkparRandom::Types;
use BulkparRandom::Walk;
use Exporter 'import';

our @EXPORT = qw(make_statement);

sub make_statement
{
	my ($case) = @_;
	my $raw = $case->{raw_name};
	my $from = make_from($case);

	# bulkpar_update and bulkpar_delete have no alias and no WITH.
	$case->{by_parts} =
	  chance(0.5) && !defined $from->{with} && $case->{form} ne 'tree';
	$case->{alias} = !$case->{by_parts} && chance(0.4) ?
	  pick('x1', '"Al ias"', '"a""b"') : undef;
	$case->{ref} = $case->{alias} // $case->{name};
	$case->{ref} = '@S@.t'
	  if ($from->{item} // '') eq 'eq.t' && $case->{ref} eq 't';
	$case->{from} = $from;
	$case->{sets} = [];
	make_sets($case) if !$case->{deletes};
	make_where($case);
	make_error($case) if $case->{error};

	my ($sql, $end) = ('', '');
	my $target = $case->{name}
	  . (defined $case->{alias} ? pick(' ', ' AS ') . $case->{alias} : '');
	$target = '@S@.' . $target if !$case->{by_parts} && chance(0.2);
	$target = 'ONLY ' . $target
	  if $case->{form} eq 'plain' && chance(0.2);
	$sql .= $case->{deletes} ? "DELETE FROM $target"
	  : "UPDATE $target SET " . join(', ', map { "$_->[0] = $_->[1]" } @{ $case->{sets} });
	$sql .= ($case->{deletes} ? "\nUSING " : "\nFROM ") . $from->{item}
	  if defined $from->{item};
	my $walks = !$case->{by_parts} && !$case->{skip_unchanged} && chance(0.5);
	my $int = $walks ? integer($case) : undef;
	$case->{skips} = !$case->{reads_target} && !$case->{not_row}
	  && chance($case->{error} || $case->{can_fail} ? 0.9 : 0.1);
	if ($walks)
	{
		($sql, $end) = make_walk($case, $target, $sql, $int);
	}
	elsif (defined $from->{with})
	{
		$sql = "WITH $from->{with} $sql";
	}
	$case->{end} = $end;
	$case->{one_row} = "$sql\nWHERE "
	  . (defined $case->{where} ? "($case->{where}\n) AND " : '')
	  . "$case->{ref}.seq = ";
	$sql .= "\nWHERE " . $case->{where} if defined $case->{where};
	$case->{plain} = $sql . $end;
	return;
}

# Another table: its text, the condition of the join, and an integer of it.
sub make_from
{
	my ($case) = @_;
	my $subquery = 'SELECT seq, val, txt FROM src WHERE val % 3 <> 0';
	my @forms = (
		{ item => 'src AS s' },
		{ item => 'src AS s' },
		{ item => 'dup AS s' },
		{ item => 'src AS s JOIN more AS m ON m.grp = s.val % 4', int => 'm.val + s.val' },
		{ item => 'src AS s LEFT JOIN more AS m ON m.grp = s.val % 9', int => 'm.val' },
		{ item => 'src AS s, more AS m', join => 's.seq = Q AND m.grp = Q % 5' },
		{ item => 'src AS s, LATERAL (SELECT s.val + 1 AS v) AS l', int => 'l.v' },
		{ item => "($subquery) AS s" },
		{ item => "src AS s -- it's the source\n" },
		{ item => 'generate_series(1, 150) AS s(seq)', int => 's.seq * 7 % 101' },
		{ item => '(SELECT max(val) AS val FROM src) AS s', join => undef },
		{ item => '(SELECT seq, sum(val)::int AS val FROM dup GROUP BY seq) AS s' },
		{ item => '(VALUES (1, 5), (2, 6), (30, 7)) AS s(seq, val)' },
		{ item => 'more AS s', join => 's.grp = Q % 7' },
		{ item => 'src AS s', join => 's.seq = Q AND s.val < 0' },
		{ item => '@T@ AS s', int => 's.seq + 1000' },
		{ item => '(SELECT * FROM @T@) AS s', int => 's.seq + 1000' },
		{ item => '@T@ AS s', join => 's.seq = Q + 1', int => 's.seq' },
		{ item => 'src AS s JOIN @T@ AS b ON b.seq = s.seq', int => 'b.touched' },
		{
			item => '(SELECT x.seq, row_number() OVER (ORDER BY x.seq DESC)::int'
			  . ' AS val FROM @T@ AS x) AS s'
		},
		{
			item => '(SELECT max(x.seq) AS seq, count(*)::int AS val FROM @T@ AS x'
			  . ' GROUP BY x.seq % 9) AS s'
		},
		{
			item => '(SELECT x.seq, x.touched AS val FROM @T@ AS x'
			  . ' ORDER BY x.seq LIMIT 60) AS s'
		},
		{
			with => 's AS (SELECT x.seq, count(*) OVER ()::int AS val FROM @T@ AS x)',
			item => 's'
		},
		{
			with => 's AS (SELECT x.seq, x.touched AS val FROM @T@ AS x'
			  . ' ORDER BY x.seq DESC LIMIT 90),'
			  . ' top AS (SELECT max(s.seq) AS seq FROM s)',
			item => 's, top',
			join => 's.seq = Q AND s.seq < top.seq'
		},
		{ item => '(SELECT DISTINCT seq, val FROM dup) AS s' },
		{ item => '(SELECT DISTINCT ON (x.seq / 2) x.* FROM src AS x'
			  . ' ORDER BY x.seq / 2, x.seq DESC) AS s' },
		{ item => '(SELECT x.seq, x.val FROM src AS x ORDER BY x.val'
			  . ' FETCH FIRST 9 ROWS WITH TIES) AS s' },
		{ item => '(SELECT seq, val FROM src WHERE val > 50 UNION'
			  . ' SELECT seq, 7 FROM @T@ WHERE seq % 3 = 0 EXCEPT'
			  . ' SELECT seq, 7 FROM src) AS s', join => 's.seq = Q AND s.val > 50' },
		{ item => '(SELECT seq, 1 AS val FROM src INTERSECT ALL'
			  . ' SELECT seq, 1 FROM dup) AS s' },
		{ item => '(SELECT seq, lag(val) OVER (ORDER BY seq) AS val FROM src) AS s' },
		{ item => '(SELECT x.seq, count(*)::int AS val FROM dup AS x'
			  . ' GROUP BY GROUPING SETS ((x.seq), ())) AS s' },
		{ item => 'src AS s LEFT JOIN (SELECT x.seq % 5 AS m, max(x.touched) AS v'
			  . ' FROM @T@ AS x GROUP BY 1) AS l ON l.m = s.seq % 5', int => 'l.v' },
		{ item => 'src AS s CROSS JOIN LATERAL (SELECT y.val AS v FROM dup AS y'
			  . ' WHERE y.seq >= s.seq ORDER BY y.seq LIMIT 1) AS l', int => 'l.v' },
		{ item => 'src AS a FULL JOIN more AS m ON m.grp = a.seq',
			join => 'a.seq = Q', int => 'coalesce(m.val, a.val)' },
		{ item => 'unnest(ARRAY(SELECT x.seq FROM @T@ AS x ORDER BY x.seq LIMIT 50))'
			  . ' WITH ORDINALITY AS s(seq, val)', int => 's.val::int' },
		{ item => '(VALUES (1, NULL), (2, 6), (NULL, 7), (77, 5)) AS s(seq, val)' },
		{ item => '@T@ AS s LEFT JOIN src AS b USING (seq)', int => 'b.val' },
		{
			with => 'a AS (SELECT seq, val FROM src ORDER BY seq LIMIT 99),'
			  . ' b AS NOT MATERIALIZED (SELECT * FROM a WHERE seq % 2 = 0),'
			  . ' s AS (SELECT * FROM b UNION ALL SELECT seq, 0 FROM a'
			  . ' WHERE seq NOT IN (SELECT b.seq FROM b WHERE b.seq IS NOT NULL))',
			item => 's'
		},
		{
			with => 'RECURSIVE s(seq, val) AS (SELECT min(x.seq), 0 FROM @T@ AS x'
			  . ' UNION ALL SELECT s.seq + 3, s.val + 1 FROM s'
			  . ' WHERE EXISTS (SELECT FROM @T@ AS y WHERE y.seq >= s.seq + 3))',
			item => 's'
		},
		{ item => 'src_view AS s' },
		{ item => 'src AS s TABLESAMPLE system (100)' },
		{ item => 'eq.t', join => 'eq.t.seq = Q', int => 'eq.t.val' },
		{ with => "s AS ($subquery)", item => 's' },
		{ with => "s AS MATERIALIZED ($subquery)", item => 's' },
		{ with => 's(seq, val) AS (VALUES (1, 1), (5, 9), (77, 2))', item => 's' },
		{
			with => 'RECURSIVE s(seq, val) AS (SELECT 1, 1 UNION ALL'
			  . ' SELECT seq + 2, val * 3 % 50 FROM s WHERE seq < 200)',
			item => 's'
		},
		{ with => 'w AS (SELECT seq, val FROM src)', item => undef });
	my $from = {};

	$from = { %{ pick(@forms) } } if chance(0.5);
	foreach my $text (grep { defined } @{$from}{qw(item with)})
	{
		$case->{reads_target} = 1 if $text =~ s/\@T\@/$case->{name}/g;
	}
	if (defined $from->{item})
	{
		$from->{join} = 's.seq = Q' if !exists $from->{join};
		$from->{int} //= 's.val';
	}
	return $from;
}

# An integer that an expression can be made of; it may be null.
sub integer
{
	my ($case) = @_;
	my ($int) = grep { $_->{kind} eq 'int' } @{ $case->{columns} };
	my @forms = (
		'7', 'Q', 'Q * 3', 'touched', 'coalesce(touched, 0) + Q',
		'(SELECT x.val FROM src AS x WHERE x.seq = Q)',
		'(SELECT max(x.val) FROM src AS x WHERE x.seq % 10 = Q % 10)',
		'(SELECT count(*)::int FROM dup AS x WHERE x.seq = Q)',
		'(SELECT max(x.seq) FROM @T@ AS x)',
		'(SELECT count(*)::int FROM @T@ AS x WHERE x.touched IS NULL)',
		'(SELECT x.val FROM src AS x WHERE x.seq = (SELECT min(y.seq) FROM @T@ AS y))',
		'(SELECT max(x.val) FROM src AS x WHERE x.seq % 10 = Q % 10'
		  . ' AND x.seq <= (SELECT max(y.seq) - 9 FROM @T@ AS y))',
		'CASE WHEN Q % 2 = 0 THEN 1 WHEN touched > 3 THEN Q END',
		'(SELECT x.val FROM src AS x WHERE x.seq >= Q ORDER BY x.seq LIMIT 1)',
		'(SELECT x.val FROM src AS x WHERE x.seq < Q ORDER BY x.seq DESC OFFSET 2 LIMIT 1)',
		'(SELECT count(DISTINCT x.val)::int FROM dup AS x WHERE x.val < Q)',
		'(ARRAY(SELECT x.val FROM dup AS x WHERE x.seq <= Q ORDER BY x.val, x.seq))[2]',
		'(SELECT y.r FROM (SELECT x.seq, rank() OVER (ORDER BY x.val)::int AS r'
		  . ' FROM src AS x) AS y WHERE y.seq = Q)',
		'(SELECT sum(x.val)::int FROM src AS x JOIN more AS y ON y.grp = x.val % 4'
		  . ' WHERE x.seq BETWEEN Q AND Q + 9)',
		'(WITH y AS (SELECT x.val FROM src AS x WHERE x.seq % 9 = Q % 9)'
		  . ' SELECT max(a.val) - min(b.val) FROM y AS a, y AS b)',
		'(SELECT max(l.v) FROM src AS x, LATERAL (SELECT x.val + y.val AS v'
		  . ' FROM more AS y WHERE y.grp = Q % 4 ORDER BY y.val LIMIT 1) AS l'
		  . ' WHERE x.seq = Q)',
		'(SELECT x.val FROM src_view AS x WHERE x.seq = Q)');

	push @forms, target_integers($case) if chance(0.3);

	push @forms, ref_to($case, $int->{name}) if $int;
	push @forms, ($case->{from}{int}) x 8 if defined $case->{from}{int};
	push @forms, '(SELECT w.val FROM w WHERE w.seq = Q)'
	  if defined $case->{from}{with} && !defined $case->{from}{item};
	return fill($case, pick(@forms));
}

# Subqueries that depend on the row and read the target: what they say is the
# same before and after other rows have been changed.
sub target_integers
{
	my ($case) = @_;

	return (
		'(SELECT count(*)::int FROM @T@ AS each WHERE each.seq <= Q)',
		'(SELECT max(each.seq) FROM @T@ AS each WHERE each.seq < Q)',
		'(SELECT each.seq FROM @T@ AS each WHERE each.seq > Q ORDER BY each.seq LIMIT 1)',
		'(SELECT count(*)::int FROM @T@ AS each JOIN src AS x ON x.seq = each.seq'
		  . ' WHERE each.seq % 9 = Q % 9)') if !$case->{deletes};
	return '(SELECT each.seq FROM @T@ AS each WHERE each.seq = Q)';
}

# What a column is set to.
sub expression
{
	my ($case, $column) = @_;
	my $name = ref_to($case, $column->{name});
	my $e = integer($case);
	my @set = @{ $column->{set} };
	my $text = chance(0.4) ? $set[0] : pick(@set);

	return 'DEFAULT' if !@set;
	# skip_unchanged evaluates expressions twice
	$text = 'E' if $case->{skip_unchanged} && $text =~ /eq\.note/;
	return 'DEFAULT'
	  if chance(0.08) && $column->{kind} !~ /^(u1|ref1)$/
	  && (!$column->{not_null} || $column->{default});
	return 'NULL'
	  if chance(0.08) && !$column->{not_null} && $column->{kind} ne 'u1';
	$e = "coalesce($e, 0)" if $column->{not_null};
	# not in one step, as what is put in may contain these letters
	my %parts = (C => $name, E => $e, Q => ref_to($case, 'seq'));
	$text =~ s/(?<![\w'"\$.])([CEQ])(?![\w'"])/$parts{$1}/g;
	return $text if $column->{kind} eq 'u1';
	$text = "CASE WHEN " . ref_to($case, 'seq')
	  . " % 3 = 0 THEN $name ELSE $text END"
	  if chance($case->{skip_unchanged} ? 0.5 : 0.1);
	return $text;
}

sub make_sets
{
	my ($case) = @_;
	my @columns = grep {
		!$_->{fixed} && ($_->{kind} ne 'ident')
	} @{ $case->{columns} };

	$case->{qualified} = chance(0.3);
	@columns = some(1 + int(rand(4)), @columns);
	@columns = { name => 'touched', raw => 'touched', kind => 'int',
		not_null => 0, set => $types{int}{set} }
	  if !@columns || chance(0.1);
	foreach my $column (@columns)
	{
		push @{ $case->{sets} },
		  [ $column->{name}, expression($case, $column), $column->{raw} ];
	}
	odd_sets($case, @columns) if !$case->{by_parts};
	return;
}

# Forms of SET that a list of columns and expressions cannot have.
sub odd_sets
{
	my ($case, @columns) = @_;
	my $sets = $case->{sets};
	my %kinds = map { $_->{name} => $_->{kind} } @columns;

	foreach my $set (@$sets)
	{
		my $kind = $kinds{ $set->[0] } // '';
		my $e = integer($case);

		@$set = ("$set->[0].a", $e) if $kind eq 'eq.pair' && chance(0.4);
		@$set = ("$set->[0]\[2]", $e) if $kind eq 'int[]' && chance(0.4);
	}
	return if @$sets < 2 || chance(0.7) || grep { $_->[0] =~ /(\.a|\])$/ } @$sets;
	my ($a, $b) = splice(@$sets, 0, 2);
	my $value = chance(0.5) ? pick('', 'ROW') . "($a->[1], $b->[1])" : undef;

	if (!defined $value && !$case->{skip_unchanged})
	{
		my ($x, $y) = map { $_ eq 'DEFAULT' ? undef : $_ } $a->[1], $b->[1];
		my $seq = ref_to($case, 'seq');

		$value = "(SELECT $x, $y FROM (SELECT) AS one)"
		  if defined $x && defined $y;
		# the type of an unknown literal would be text
		$value = undef
		  if defined $value && grep { /^('|NULL$)/ } $x, $y;
	}
	$value //= "($a->[1], $b->[1])";
	unshift @$sets, [ "($a->[0], $b->[0])", $value ];
	return;
}

1;
