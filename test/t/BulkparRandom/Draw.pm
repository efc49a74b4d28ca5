# How random statements are drawn, and how they are written.

package BulkparRandom::Draw;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

our @EXPORT = qw(quote_text quote_name pick chance some value_of ref_to fill);

sub quote_text
{
	my ($text) = @_;

	return 'NULL' if !defined $text;
	$text =~ s/'/''/g;
	return $text =~ s/\\/\\\\/g ? " E'$text'" : "'$text'";
}

sub quote_name
{
	my ($name) = @_;

	return $name if $name =~ /^(seq|touched|t|[a-z]+[0-9]+)$/;
	$name =~ s/"/""/g;
	return qq{"$name"};
}

sub pick { return $_[ rand @_ ]; }

sub chance { return rand() < $_[0]; }

# Some of a list, in random order.
sub some
{
	my ($count, @list) = @_;
	my @some;

	push @some, splice(@list, rand @list, 1) while $count-- > 0 && @list;
	return @some;
}

# A value of the row with the number i.
sub value_of
{
	my ($case, $template, $name) = @_;
	my $salt = "$case->{salt}-" . ($name // '');
	my $n = 0;

	$salt =~ s/[^a-z0-9-]//g;
	$template =~ s/SALT/$salt/g;
	$template =~ s/\bR\((\d+)\)/"eq.r(i, '$salt-" . $n++ . "', $1)"/ge;
	return $template;
}

# A column of the target, in the way that the statement names it.
sub ref_to
{
	my ($case, $column) = @_;

	return "$case->{ref}.$column"
	  if defined $case->{from}{item} || $case->{qualified};
	return $column;
}

# Q is the number of the row.  In a subquery seq alone would be another.
sub fill
{
	my ($case, $text) = @_;
	my $seq = $text =~ /SELECT/ ? "$case->{ref}.seq" : ref_to($case, 'seq');
	my $touched = ref_to($case, 'touched');

	$text =~ s/\bQ\b/$seq/g;
	$text =~ s/(?<![.\w"])touched\b/$touched/g;
	$case->{reads_target} ||= $text =~ /\@T\@/;
	$case->{sees_batches} ||= $text =~ /AS each\b|eq\.(note|plus_one)/
	  && $text =~ /SELECT/;
	$text =~ s/\@T\@/$case->{name}/g;
	return $text;
}

1;
