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

	$how = 'merge'
	  if !$case->{error} && !defined $from->{item} && !defined $from->{with}
	  && chance(0.5);
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
	if ($how eq 'merge')
	{
		# seq has no unique index, but is unique
		$case->{sees_batches} = 1;
		$case->{skips} = 0;
		delete $case->{where};
		return ("MERGE INTO $kept USING $target ON "
			  . ($kept =~ /AS k/ ? 'k' : 'kept') . ".seq = $seq\n"
			  . join("\n", some(1 + int(rand(3)),
				  "WHEN MATCHED AND $seq % 3 = 0 THEN DELETE",
				  "WHEN MATCHED THEN UPDATE SET touched = $seq, e = coalesce($touched, 0) + 1",
				  "WHEN NOT MATCHED AND $touched > 5 THEN DO NOTHING",
				  "WHEN NOT MATCHED THEN INSERT (seq, touched, e) VALUES ($seq, $touched, 1)")),
			'');
	}
	$body = "FROM $target" . (defined $from->{item} ? ", $from->{item}" : '');
	return ("$with\n$insert\nSELECT $seq, $touched, $int\n$body", $conflict)
	  if $how eq 'copy';
	$int = pick("eq.note($int)", "eq.note($seq), $int", "$seq + eq.note(7)");
	return ("$with\nSELECT $int\n$body", '');
}

1;
