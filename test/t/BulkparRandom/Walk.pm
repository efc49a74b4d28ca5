# Random statements that go through a table: copy, move, merge, call.

package BulkparRandom::Walk;

use strict;
use warnings FATAL => 'all';

use BulkparRandom::Draw;
use Exporter 'import';

our @EXPORT = qw(make_walk);

# Make such a statement of the parts of an UPDATE or DELETE: its text before the
# condition, and an integer.  What is kept is compared afterwards.  Returns the
# text before and after the condition.
sub make_walk
{
	my ($case, $target, $body, $int) = @_;
	my $from = $case->{from};
	my $with = defined $from->{with} ? "WITH $from->{with}" : '';
	my $seq = "$case->{ref}.seq";
	my $touched = "$case->{ref}.touched";
	my $how = $case->{error} ? 'move' : pick('move', 'move', 'copy', 'call');

	$how = 'merge' if !$case->{error} && chance(0.4);
	my $kept = chance(0.5) ? pick('kept', '@S@.kept', 'kept AS k') : 'kept';
	my $unique = !$case->{error} && chance(0.4);
	my $insert = "INSERT INTO $kept (seq, touched, e)";
	my $conflict = '';

	$case->{walks} = $how;
	if ($unique)
	{
		$case->{kept_key} = ' PRIMARY KEY';
		# Which of several rows of one comes first is open.
		$int = '0' if defined $from->{item};
		$conflict = "\nON CONFLICT " . pick('', '(seq) ') . 'DO NOTHING';
		if (!defined $from->{item} && chance(0.4))
		{
			$conflict = "\nON CONFLICT (seq) DO UPDATE SET e = -excluded.e";
			$case->{sees_batches} = 1;
		}
	}
	if ($how eq 'move')
	{
		my $name = pick('moved', '"Mo ved"', 'old');
		my $rest = $case->{skips} || $unique || chance(0.6) ?
		  "SELECT seq, touched, e FROM $name"
		  : "SELECT $name.seq, coalesce(m.val, touched), e FROM $name "
		  . pick('LEFT JOIN', 'JOIN') . " more AS m ON m.grp = $name.seq % 6";

		$with = $with eq '' ? "WITH $name AS" : "$with,\n$name AS";
		return ("$with ($body",
			"\nRETURNING $seq, $touched, $int AS e)\n$insert\n$rest$conflict");
	}
	$case->{only_reads} = 1;
	return merge_into($case, $kept, $target, $with, $unique, $int) if $how eq 'merge';
	$body = "FROM $target" . (defined $from->{item} ? ", $from->{item}" : '');
	return ("$with\n$insert\nSELECT $seq, $touched, $int\n$body", $conflict)
	  if $how eq 'copy';
	$int = pick("eq.note($int)", "eq.note($seq), $int", "$seq + eq.note(7)");
	return ("$with\nSELECT $int\n$body", '');
}

# MERGE, of the table or of a subquery that goes through it.
sub merge_into
{
	my ($case, $kept, $target, $with, $unique, $int) = @_;
	my $from = $case->{from};
	my ($seq, $touched) = ("$case->{ref}.seq", "$case->{ref}.touched");
	my $name = $kept =~ /AS k/ ? 'k' : 'kept';
	my $subquery = defined $from->{item} || $with ne '' || chance(0.6);
	my ($source, $end) = ($target, '');

	# seq has no unique index, but is unique
	$case->{sees_batches} = 1;
	$case->{skips} = 0;
	if ($subquery)
	{
		my $other = defined $from->{item} && !$unique;

		$case->{walks} = $other ? 'merge of a join' : 'merge of a subquery';
		delete $case->{where} if defined $from->{item} && !$other;
		$int = '1' if !$other;
		$source = ($other ? "$with " : '')
		  . "SELECT $seq AS \"S\", $touched AS b, $int AS c FROM $target"
		  . ($other ? ", $from->{item}" : '');
		($source, $end) = ("($source", ') AS q');
		($seq, $touched) = ('q."S"', 'q.b');
	}
	else
	{
		delete $case->{where};
	}
	$end .= " ON $name.seq = $seq\n"
	  . join("\n", some(1 + int(rand(3)),
		  "WHEN MATCHED AND $seq % 3 = 0 THEN DELETE",
		  "WHEN MATCHED THEN UPDATE SET touched = $seq, e = coalesce($touched, 0) + 1",
		  "WHEN NOT MATCHED AND $touched > 5 THEN DO NOTHING",
		  "WHEN NOT MATCHED THEN INSERT (seq, touched, e) VALUES ($seq, $touched, "
			. ($subquery ? 'q.c' : '1') . ')'));
	return ("MERGE INTO $kept USING $source", $end);
}

1;
