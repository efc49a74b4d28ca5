# Random tables: columns, keys and indexes.

package BulkparRandom::Table;

use strict;
use warnings FATAL => 'all';

use BulkparRandom::Draw;
use BulkparRandom::Keys;
use BulkparRandom::Others;
use BulkparRandom::Types;
use Exporter 'import';

our @EXPORT = qw(make_table);

my @funny_names = (
	'select', 'Mixed Case', 'a"b', "it's", 'ü ñ', 'x.y', '%s %1$s', '$1',
	'back\\slash', 'user', '--', 'new', 'ctid2', 'a,b', 'excluded', 'set',
	'n' x 63);

sub make_table
{
	my ($case) = @_;
	my $form = pick('plain', 'plain', 'partitioned', 'tree');

	$case->{form} = $form;
	$case->{deletes} = chance(0.35);
	$case->{skip_unchanged} = !$case->{deletes} && chance(0.3);
	$case->{raw_name} =
	  chance(0.7) ? 't' : 'T ' . substr(pick(@funny_names), 0, 40);
	$case->{name} = quote_name($case->{raw_name});
	$case->{rows} = pick(0, 1, 2, 7, (map { 20 + int(rand(280)) } 1 .. 20));
	$case->{role} = chance(0.2) ? 'eq_user' : undef;
	$case->{error} = chance(0.2);
	# few rows of many batches: then their keys are listed first
	$case->{few} = chance(0.2);
	$case->{rows} = 200 + int(rand(300)) if $case->{few};
	make_key($case);
	make_columns($case);
	make_indexes($case);
	make_triggers($case);
	make_others($case);
	return;
}

# The key, as columns and as an index.
sub make_key
{
	my ($case) = @_;
	my $key = pick(@keys);
	my $plain = $case->{form} eq 'plain';
	my $index_words = grep { defined $_->[3] } @{ $key->{columns} };
	my $n = 1;
	my @names;

	$key = pick(grep { $_->{simple} } @keys) if !$plain;
	$index_words = 0 if !$plain;
	$case->{key} = $key;
	$case->{key_columns} = [
		map {
			my $name = chance(0.8) ? 'k' . $n : 'K ' . pick('a"b', "it's", '%s') . $n;
			$n++;
			key_column($case, quote_name($name), @$_)
		} @{ $key->{columns} }
	];
	@names = map { $_->{name} } @{ $case->{key_columns} };
	$case->{reference} = $key->{simple};
	$case->{indexes} = [];
	$case->{constraints} = [];
	if ($case->{form} eq 'partitioned')
	{
		unshift @{ $case->{key_columns} },
		  {
			name => 'part',
			type => 'int',
			value => 'i % 6',
			words => 'NOT NULL',
			index => ''
		  };
		@names = chance(0.5) ? (@names, 'part') : ('part', @names);
		$case->{reference} = 0;
		push @{ $case->{constraints} },
		  'PRIMARY KEY (' . join(', ', @names) . ')';
		$case->{key_names} = \@names;
		return;
	}

	$case->{key_names} = \@names;
	$case->{reference} = 0 if $case->{form} eq 'tree';
	if ($index_words || chance(0.35))
	{
		my $where = '';

		my @columns = map {
			my $order = pick('', '', 'ASC', 'DESC', 'DESC', 'DESC NULLS LAST',
				'NULLS FIRST');
			"$_->{name} $_->{index} $order"
		} @{ $case->{key_columns} };

		$case->{reference} = 0;
		$where = not_null_otherwise($case)
		  if chance(0.3) && !grep { $_->[0] =~ /^eq\.(pair|deep)$/ } @{ $key->{columns} };
		push @{ $case->{indexes} },
		  'CREATE UNIQUE INDEX "Key index" ON @T@ (' . join(', ', @columns) . ')'
		  . (chance(0.2) ? ' INCLUDE (touched)' : '')
		  . $where;
		several_keys($case) if $plain && chance(0.5);
		$case->{key_index} //= '"Key index"' if $plain && chance(0.2);
	}
	else
	{
		push @{ $case->{constraints} },
		  'PRIMARY KEY (' . join(', ', @names) . ')'
		  . ($plain && chance(0.1) ? ' INCLUDE (touched)' : '');
	}
	return;
}

sub key_column
{
	my ($case, $name, $type, $value, $words, $index) = @_;
	my $column = {
		name => $name,
		type => $type,
		value => value_of($case, $value, 'key'),
		words => ($words // '') . ' NOT NULL',
		index => $index // ''
	};

	if (($words // '') eq 'GENERATED')
	{
		my $of = $column->{value} =~ s/\bi\b/seq/gr;

		$column->{generated} = 1;
		$column->{words} = "NOT NULL GENERATED ALWAYS AS ($of) STORED";
	}
	return $column;
}

# Let a constraint prove that the key has no nulls.  The index may say so, too.
# Of a composite value IS NOT NULL says something else.
sub not_null_otherwise
{
	my ($case) = @_;
	my @proofs;

	foreach my $column (@{ $case->{key_columns} })
	{
		$column->{words} =~ s/\bNOT NULL//;
		push @proofs, "$column->{name} IS NOT NULL";
	}
	push @{ $case->{constraints} },
	  chance(0.5) ? 'CHECK (' . join(' AND ', @proofs) . ')'
	  : map { "CHECK ($_)" } @proofs;
	return chance(0.3) ? ' WHERE ' . join(' AND ', @proofs) : '';
}

# Other unique indexes, of which a job could follow some.
sub several_keys
{
	my ($case) = @_;

	push @{ $case->{indexes} }, 'CREATE UNIQUE INDEX other_key ON @T@ (seq)',
	  'CREATE UNIQUE INDEX no_key ON @T@ ((seq * 2))',
	  'CREATE UNIQUE INDEX part_key ON @T@ (seq) WHERE seq % 2 = 0';
	$case->{key_index} = pick('"Key index"', 'other_key', undef);
	return;
}

sub make_columns
{
	my ($case) = @_;
	my $n = 0;
	my @kinds = some(2 + int(rand(7)), sort keys %types);
	push @kinds, 'int' if !grep { $_ eq 'int' } @kinds;
	$case->{columns} = [];
	foreach my $kind (@kinds)
	{
		my $type = $types{$kind};
		my $raw = chance(0.7) ? 'c' . ++$n : pick(@funny_names);
		my $column = {
			name => quote_name($raw),
			raw => $raw,
			kind => $kind,
			type => $type->{type} // $kind,
			not_null => chance(0.25),
			set => $type->{set}
		};
		my $value = value_of($case, $type->{value}, "c$n$kind");

		next if grep { $_->{raw} eq $raw } @{ $case->{columns} };
		if (!$column->{not_null} && chance(0.7))
		{
			my $null = value_of($case, 'R(5)', "null$n$kind");
			$value = "CASE WHEN $null > 0 THEN $value END";
		}
		$column->{value} = $value;
		$column->{words} = $column->{not_null} ? 'NOT NULL' : '';
		if (chance(0.3))
		{
			my $default = value_of($case, $type->{value}, "default$n");
			$default =~ s/\bi\b/0/g;
			$default = q{'a long default'} if $kind eq 'long';
			$column->{words} .= " DEFAULT ($default)";
			$column->{default} = 1;
		}
		push @{ $case->{columns} }, $column;
	}

	special_column($case, 'part', 'int', 'i % 4', '', [])
	  if $case->{form} eq 'tree';
	$case->{part}{fixed} = 1 if $case->{part};
	push @{ $case->{constraints} }, 'CHECK (seq BETWEEN 1 AND 1000)'
	  if chance(0.2);
	special_column($case, 'gen', 'int', undef,
		'GENERATED ALWAYS AS (coalesce(touched, 0) * 2 + seq) STORED', [])
	  if chance(0.25);
	special_column($case, 'ident', 'bigint', undef,
		'GENERATED ' . pick('ALWAYS', 'BY DEFAULT') . ' AS IDENTITY', [])
	  if chance(0.15) && $case->{form} eq 'plain';
	special_column($case, 'u1', 'int', 'i', pick('', 'NOT NULL'),
		[ 'C + 10000', '-C', 'Q + 20000' ])
	  if chance(0.3) && $case->{form} eq 'plain';
	special_column(
		$case, 'ref1', 'int',
		value_of($case, 'CASE WHEN R(4) > 0 THEN 1 + R(40) END', 'ref'),
		'REFERENCES parent'
		  . pick('', ' DEFERRABLE INITIALLY DEFERRED', ' DEFERRABLE'),
		[ '1 + abs(E) % 40', 'NULL', '41 - C' ])
	  if chance(0.3);
	push @{ $case->{constraints} },
	  'CONSTRAINT "not too small" CHECK (touched > -100000)'
	  if chance(0.5);
	return;
}

sub special_column
{
	my ($case, $name, $type, $value, $words, $set) = @_;

	push @{ $case->{columns} },
	  {
		name => $name,
		raw => $name,
		kind => $name,
		type => $type,
		value => $value,
		words => $words,
		not_null => 0,
		set => $set
	  };
	$case->{$name} = $case->{columns}[-1];
	return;
}

sub make_indexes
{
	my ($case) = @_;
	my $list = $case->{indexes};

	foreach my $column (@{ $case->{columns} })
	{
		my $method =
		    $column->{kind} =~ /^(jsonb|int\[\]|text\[\])$/ ? 'gin'
		  : $column->{kind} =~ /^(int4range|point)$/ ? 'gist'
		  : $column->{kind} =~ /^(long|json|eq\.pair\[\]|tsvector)$/ ? undef
		  : pick('btree', 'btree', 'brin', 'hash');

		$method = 'btree'
		  if defined $method
		  && $column->{kind} =~ /^(bool|bit\(8\)|eq\.mood|eq\.pair|ident|gen|part)$/;
		push @$list, "CREATE INDEX ON \@T\@ USING $method ($column->{name})"
		  if defined $method && chance(0.15);
		push @$list, "CREATE INDEX ON \@T\@ (lower($column->{name}))"
		  if $column->{kind} eq 'text' && chance(0.2);
	}
	push @$list, 'CREATE INDEX ON @T@ (touched) WHERE seq % 3 = 0'
	  if chance(0.15);
	push @$list, 'CREATE INDEX ON @T@ ((seq % 7), touched)' if chance(0.15);
	push @$list, 'CREATE INDEX ON @T@ USING brin (seq)' if chance(0.1);
	if ($case->{u1})
	{
		$case->{u1_constraint} = chance(0.6);
		push @$list, $case->{u1_constraint} ?
		  'ALTER TABLE @T@ ADD UNIQUE (u1)'
		  : 'CREATE UNIQUE INDEX ON @T@ (u1)';
		# no column of a key that the job may choose is set
		$case->{u1}{fixed} = 1
		  if $case->{u1}{words} ne ''
		  && !grep { /^PRIMARY/ } @{ $case->{constraints} };
	}
	return;
}

1;
