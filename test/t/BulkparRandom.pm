# Random tables and statements for 021_equivalence.pl.
#
# random_case(seed, number) makes one case: the tables, a statement as plain
# SQL, and a call of bulkpar that must do the same.  Everything in it follows
# from the arguments, so that a case can be repeated on its own.
#
# The same DDL runs in two schemas: eq_sql, where the plain statement runs, and
# eq_job, where bulkpar does.  Names are found by search_path; @S@ is the name
# of the schema where one must be written.
#
# The result of a statement must not depend on the order in which rows come to
# it, and at most one thing in it can fail, so that it fails in the same way.

package BulkparRandom;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

our @EXPORT = qw(shared_objects random_case quote_text);

# What all cases use, in schema eq.
sub shared_objects
{
	return <<'END';
CREATE EXTENSION IF NOT EXISTS bulkpar;
CREATE SCHEMA eq;
CREATE ROLE eq_user;
GRANT USAGE ON SCHEMA eq TO eq_user;
CREATE COLLATION eq.any_case
	(provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION eq.german (provider = icu, locale = 'de');
CREATE TYPE eq.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE eq.pair AS (a int, b text);
CREATE DOMAIN eq.positive AS int CHECK (VALUE > 0);
CREATE DOMAIN eq.code AS text COLLATE "C" CHECK (VALUE <> 'none');
-- a number from 0 to n - 1
CREATE FUNCTION eq.r(i int, salt text, n int) RETURNS int
	LANGUAGE sql IMMUTABLE
	AS $$ SELECT (((hashtextextended(salt || i, 0) % n) + n) % n)::int $$;
CREATE FUNCTION eq.plus_one(n int) RETURNS int
	LANGUAGE plpgsql AS $$ BEGIN RETURN n + 1; END $$;
-- Notes in the log that it was called: once for each row.
CREATE FUNCTION eq.note(n int) RETURNS int
	LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO log VALUES ('note', n);
	RETURN n;
END $$;
CREATE TABLE eq.t (seq int, val int);
INSERT INTO eq.t SELECT i, i * 3 % 17 FROM generate_series(1, 250) AS i;
GRANT SELECT ON eq.t TO eq_user;
CREATE FUNCTION eq.log_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO log VALUES (TG_OP, OLD::text, NEW::text);
	RETURN NULL;
END $$;
CREATE FUNCTION eq.sum_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO sums SELECT TG_OP, count(*),
		coalesce(sum(hashtextextended(o::text, 0)), 0) FROM old_rows o;
	INSERT INTO sums SELECT 'NEW', 0,
		coalesce(sum(hashtextextended(n::text, 0)), 0) FROM new_rows n;
	RETURN NULL;
END $$;
CREATE FUNCTION eq.sum_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO sums SELECT TG_OP, count(*),
		coalesce(sum(hashtextextended(o::text, 0)), 0) FROM old_rows o;
	RETURN NULL;
END $$;
CREATE FUNCTION eq.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.touched := coalesce(NEW.touched, 0) + 1;
	RETURN NEW;
END $$;
CREATE FUNCTION eq.leave_some() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF OLD.seq % 7 = 3 THEN
		RETURN NULL;
	END IF;
	RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE FUNCTION eq.refuse_some() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF OLD.seq % 60 = 4 THEN
		RAISE 'no' USING ERRCODE = 'EQ001';
	END IF;
	RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
END
}

# Types of columns.  In "value" R(n) is a random number below n that depends on
# the row, i its number.  In "set" C is the column, E an integer; the first is
# what makes such a value of an integer.
my %types = (
	int2 => {
		value => '(R(200) - 100)::int2',
		set => [ '((E) % 1000)::int2', '-C', 'C + 1::int2', 'C / 2::int2' ]
	},
	int => {
		value => 'R(2000) - 1000',
		set => [ 'E', 'C + 1', 'C * 2', '-C', 'eq.plus_one(C)', 'eq.note(E)' ]
	},
	bigint => {
		value => 'R(2000) * 10000000000 - 1000',
		set => [ '(E) * 1000000007::bigint', 'C + 1', 'C / 3' ]
	},
	'numeric(10,2)' => {
		value => 'R(10000) / 100.0',
		set => [ '(E) / 4.0', 'C + 0.01', 'C * 1.1', 'round(C)' ]
	},
	float8 => { value => 'R(1000) / 8.0', set => [ '(E) / 8.0', 'C + 0.5' ] },
	text => {
		value => q{(ARRAY['', 'a', 'Ab', 'ß', E'q''\\\\\n', 'x"y'])[1 + R(6)]}
		  . q{ || R(50)},
		set => [
			q{'t' || (E)}, q{C || '!'}, 'upper(C)', q{E'a''b\\\\' || C},
			q{$q$it's $1 %s$q$}, q{replace(C, 'a', 'b')},
			q{current_user || current_setting('DateStyle')}
		]
	},
	'varchar(20)' => {
		value => q{'v' || R(100)},
		set => [ q{'v' || (E)}, 'C', 'left(C, 2)', q{'ü' || right(C, 3)} ]
	},
	'char(5)' => {
		value => q{R(1000)::text},
		set => [ '((E) % 1000)::text', 'C', q{'ab'}, 'rtrim(C)' ]
	},
	bool => { value => 'R(2) = 0', set => [ '(E) % 2 = 0', 'NOT C' ] },
	date => {
		value => q{date '2001-01-01' + R(9000)},
		set => [ q{date '2001-01-01' + (E) % 1000}, 'C + 1', q{'infinity'} ]
	},
	timestamptz => {
		value => q{timestamptz '2020-03-28 12:00+00' + R(9000) * interval '1 h'},
		set => [
			q{timestamptz '2020-03-01 12:00' + (E) % 1000 * interval '1 h'},
			q{C + interval '1 day'}, q{date_trunc('month', C)}
		]
	},
	interval => {
		value => 'make_interval(mins => R(60))',
		set => [ 'make_interval(mins => abs(E) % 60)', 'C / 2' ]
	},
	uuid =>
	  { value => 'md5(R(999)::text)::uuid', set => [ 'md5((E)::text)::uuid' ] },
	json => {
		value => q{json_build_object('k', R(9), 's', 'x')},
		set => [ q{json_build_object('k', E)}, q{'[1, 2]'} ]
	},
	jsonb => {
		value => q{jsonb_build_object('k', R(9), 'tags', ARRAY['a', 'b'])},
		set => [
			q{jsonb_build_object('k', E)}, q{C || '{"new": [1]}'},
			q{jsonb_set(C, '{k}', '5')}, q{C - 'k'}
		]
	},
	'int[]' => {
		value => 'ARRAY[R(9), R(5), NULL]',
		set => [ 'ARRAY[E, Q]', 'C || 7', 'array_remove(C, 1)', q{'{}'} ]
	},
	'text[]' => {
		value => q{ARRAY['a,"b', 'x' || R(9)]},
		set => [ q{ARRAY['n', (E)::text]}, q{C || ARRAY['z']} ]
	},
	int4range => {
		value => 'int4range(R(9), 10 + R(9))',
		set => [
			'int4range(abs(E) % 100, 200)', q{'empty'},
			'C * int4range(0, 5)'
		]
	},
	'eq.positive' => {
		value => '1 + R(100)',
		set => [ 'abs((E) % 1000) + 1', 'C + 1' ]
	},
	'eq.mood' => {
		value => q{(ARRAY['sad', 'ok', 'happy'])[1 + R(3)]::eq.mood},
		set => [
			q{(enum_range(NULL::eq.mood))[1 + abs(E) % 3]}, q{'ok'},
			q{greatest(C, 'ok')}
		]
	},
	'eq.pair' => {
		value => q{ROW(R(9), 'p' || R(9))::eq.pair},
		set => [ q{ROW(E, 'x' || Q)::eq.pair}, q{'(1,"a b")'} ]
	},
	bytea => {
		value => q{decode(md5(R(99)::text), 'hex')},
		set => [
			q{decode(md5((E)::text), 'hex')}, q{C || '\\xff00'},
			q{substr(C, 1, 3)}
		]
	},
	inet => {
		value => q{inet '10.0.0.0/8' + R(99)},
		set => [ q{inet '10.0.0.0' + abs(E) % 99}, 'network(C)' ]
	},
	'bit(8)' => { value => 'R(256)::bit(8)', set => [ '((E) % 256)::bit(8)', '~C' ] },
	point => { value => 'point(R(9), 1)', set => [ 'point((E) % 100, Q)' ] },
	long => {
		type => 'text',
		value => q{(SELECT string_agg(md5(g || 'SALT' || i), '')}
		  . q{ FROM generate_series(1, 80 + R(80)) AS g)},
		set => [ q{repeat(md5((E)::text), 90)}, q{C || 'x'}, 'reverse(C)' ]
	});

# Kinds of keys: columns with a type and a value that is another for each i,
# and words after a column's type, or after its name in an index.
my @keys = (
	{ columns => [ [ 'int', 'i' ] ], simple => 1 },
	{ columns => [ [ 'int', '-i' ] ], simple => 1 },
	{ columns => [ [ 'int2', 'i::int2' ] ], simple => 1 },
	{
		columns =>
		  [ [ 'bigint', 'i::bigint * i * 1000000007 - 5000000000' ] ],
		simple => 1
	},
	{ columns => [ [ 'uuid', q{md5('SALT' || i)::uuid} ] ], simple => 1 },
	{ columns => [ [ 'text', 'md5(i::text)', 'COLLATE "C"' ] ], simple => 1 },
	{ columns => [ [ 'text', q{i % 7 || repeat('x', 3000) || i} ] ], simple => 1 },
	{
		columns => [
			[
				'text',
				q{(ARRAY['', 'a ', 'Ä', 'ab-', E'\\\\', '"', E'\n,', '{}'])[1 + i % 8]}
				  . q{ || i / 8},
				'COLLATE eq.german'
			]
		],
		simple => 1
	},
	{
		columns =>
		  [ [ 'text', q{(ARRAY['a', 'B'])[1 + i % 2] || i}, 'COLLATE eq.any_case' ] ]
	},
	{ columns => [ [ 'text', q{'x' || i}, '', 'text_pattern_ops' ] ] },
	{ columns => [ [ 'varchar(30)', q{'v' || i} ] ], simple => 1 },
	{ columns => [ [ 'char(6)', q{'c' || i} ] ], simple => 1 },
	{ columns => [ [ 'name', q{('n' || i)::name} ] ] },
	{ columns => [ [ 'eq.code', q{'d' || i} ] ] },
	{
		columns => [
			[ 'numeric', q{((i / 8.0)::text || repeat('0', i % 3))::numeric} ]
		]
	},
	{
		columns => [
			[
				'float8',
				q{(CASE i WHEN 1 THEN '-Infinity' WHEN 2 THEN 'NaN'}
				  . q{ WHEN 3 THEN '-0' ELSE (i / 7.0)::text END)::float8}
			]
		]
	},
	{
		columns => [
			[
				'timestamptz',
				q{CASE i WHEN 1 THEN timestamptz '-infinity' WHEN 2 THEN 'infinity'}
				  . q{ ELSE timestamptz '2020-03-29 00:00:00.5+00'}
				  . q{ + i * interval '1 h' END}
			]
		]
	},
	{ columns => [ [ 'date', q{date '0001-01-03' - i * 3} ] ] },
	{ columns => [ [ 'interval', q{i * interval '7 hours'} ] ] },
	{ columns => [ [ 'bytea', q{decode(lpad(to_hex(i), 6, '0'), 'hex')} ] ] },
	{ columns => [ [ 'inet', q{inet '10.0.0.0' + i} ] ] },
	{ columns => [ [ 'int[]', 'ARRAY[i % 7, NULL, i]' ] ] },
	{ columns => [ [ 'text[]', q{ARRAY['a,"b' || i % 7, NULL, 'NULL', i::text]} ] ] },
	{ columns => [ [ 'int4range', 'int4range(i % 9, 1000 + i)' ] ] },
	{ columns => [ [ 'jsonb', q{jsonb_build_object('a"b', i)} ] ] },
	{ columns => [ [ 'eq.pair', q{ROW(i % 5, 'a,(b' || i)::eq.pair} ] ] },
	{ columns => [ [ 'money', '(i * 12345)::money' ] ], unhashable => 1 },
	{ columns => [ [ 'varbit', 'i::bit(12)::varbit' ] ], unhashable => 1 },
	{
		columns =>
		  [ [ 'date', q{date '2000-01-01' + i / 10} ], [ 'int', 'i % 10' ] ],
		simple => 1
	},
	{ columns => [ [ 'bool', 'i % 2 = 0' ], [ 'int', 'i / 2' ] ], simple => 1 },
	{
		columns => [
			[
				'eq.mood',
				q{(ARRAY['sad', 'ok', 'happy'])[1 + i % 3]::eq.mood}
			],
			[ 'bigint', 'i / 3' ]
		]
	},
	{
		columns => [
			[ 'int', 'i % 4' ], [ 'text', q{'k' || i / 4 % 3}, 'COLLATE "C"' ],
			[ 'timestamptz', q{timestamptz '2000-01-01 00:00+00' + i * interval '1 s'} ]
		]
	},
	{
		columns => [
			[ '"char"', q{(65 + i % 5)::"char"} ],
			[ 'numeric(10,3)', 'i / 10 / 8.0' ],
			[ 'int', 'i % 10 / 5' ],
			[ 'int', 'i' ]
		]
	});

my @funny_names = (
	'select', 'Mixed Case', 'a"b', "it's", 'ü ñ', 'x.y', '%s %1$s', '$1',
	'back\\slash', 'user', '--', 'new', 'ctid2', 'a,b', 'excluded', 'set',
	'n' x 63);

my @settings = (
	"DateStyle = 'SQL, DMY'", "TimeZone = 'America/New_York'",
	"TimeZone = 'Asia/Kathmandu'", "IntervalStyle = 'sql_standard'",
	"bytea_output = 'escape'", 'extra_float_digits = 0',
	'enable_nestloop = off', 'enable_hashjoin = off',
	'enable_mergejoin = off', 'enable_material = off',
	'enable_memoize = off', 'enable_seqscan = off',
	'enable_indexscan = off', 'enable_sort = off', 'enable_hashagg = off',
	'from_collapse_limit = 1', 'join_collapse_limit = 1',
	'geqo_threshold = 2', 'random_page_cost = 1', 'work_mem = 64',
	'plan_cache_mode = force_custom_plan',
	'plan_cache_mode = force_generic_plan',
	'transform_null_equals = on', 'enable_partition_pruning = off',
	'enable_partitionwise_join = on', 'bulkpar.workers = 2',
	"eq.nothing = 'a''b'", 'quote_all_identifiers = on');

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

sub random_case
{
	my ($seed, $number) = @_;
	my $case = {
		seed => $seed,
		number => $number,
		salt => "s$seed-$number"
	};

	srand($seed * 100_003 + $number);
	make_table($case);
	make_statement($case);
	make_call($case);
	return $case;
}

##### tables

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
			{
				name => quote_name($name),
				type => $_->[0],
				value => value_of($case, $_->[1], 'key'),
				words => ($_->[2] // '') . ' NOT NULL',
				index => $_->[3] // ''
			}
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
		my @columns = map {
			my $order = pick('', '', 'ASC', 'DESC', 'DESC', 'DESC NULLS LAST',
				'NULLS FIRST');
			"$_->{name} $_->{index} $order"
		} @{ $case->{key_columns} };

		$case->{reference} = 0;
		push @{ $case->{indexes} },
		  'CREATE UNIQUE INDEX "Key index" ON @T@ (' . join(', ', @columns) . ')'
		  . (chance(0.2) ? ' INCLUDE (touched)' : '');
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
		  : $column->{kind} =~ /^(long|json)$/ ? undef
		  : pick('btree', 'btree', 'brin', 'hash');

		$method = 'btree'
		  if defined $method
		  && $column->{kind} =~ /^(bool|bit\(8\)|eq\.mood|eq\.pair|ident|gen)$/;
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

# Each trigger may be there; how one that is not wanted would change counts is
# the same for both ways.  What rows skip_unchanged leaves alone have none.
sub make_triggers
{
	my ($case) = @_;
	my $event = $case->{deletes} ? 'DELETE' : 'UPDATE';
	my $of = chance(0.2) && !$case->{deletes} ? ' OF touched' : '';
	my $when = chance(0.2) ? ' WHEN (OLD.seq % 2 = 0)' : '';
	my @triggers;

	$case->{triggers} = \@triggers;
	return if $case->{skip_unchanged};
	push @triggers, "BEFORE UPDATE ON \@T\@ FOR EACH ROW$when EXECUTE FUNCTION eq.touch()"
	  if chance(0.2);
	push @triggers,
	  "BEFORE $event$of ON \@T\@ FOR EACH ROW EXECUTE FUNCTION eq.leave_some()"
	  if chance(0.15);
	push @triggers,
	  "AFTER UPDATE OR DELETE ON \@T\@ FOR EACH ROW$when EXECUTE FUNCTION eq.log_row()"
	  if chance(0.25);
	push @triggers,
	  "CONSTRAINT AFTER $event ON \@T\@ DEFERRABLE INITIALLY DEFERRED"
	  . " FOR EACH ROW EXECUTE FUNCTION eq.log_row()"
	  if chance(0.1);
	push @triggers,
	  "AFTER UPDATE ON \@T\@ REFERENCING OLD TABLE AS old_rows"
	  . " NEW TABLE AS new_rows FOR EACH STATEMENT"
	  . " EXECUTE FUNCTION eq.sum_update()",
	  "AFTER DELETE ON \@T\@ REFERENCING OLD TABLE AS old_rows"
	  . " FOR EACH STATEMENT EXECUTE FUNCTION eq.sum_delete()"
	  if chance(0.25);
	return;
}

# Tables that refer to the target, policies, and what happens to it later.
sub make_others
{
	my ($case) = @_;
	my @later;

	if ($case->{reference} && chance(0.25))
	{
		my $columns = join(', ', map { "$_->{name} $_->{type} "
			  . ($_->{words} =~ s/NOT NULL//r) } @{ $case->{key_columns} });
		my $names = join(', ', @{ $case->{key_names} });
		my $action = pick('CASCADE', 'CASCADE', 'SET NULL', 'NO ACTION',
			'RESTRICT', 'NO ACTION DEFERRABLE INITIALLY DEFERRED');

		$action = 'CASCADE' if $action =~ /NO ACTION|RESTRICT/ && chance(0.6);
		# then this is what may fail
		$case->{error} = 0 if $action =~ /NO ACTION|RESTRICT/;
		$case->{can_fail} = $action =~ /NO ACTION|RESTRICT/;
		push @later, "CREATE TABLE child (n int, $columns,"
		  . " FOREIGN KEY ($names) REFERENCES \@T\@ ($names) ON DELETE $action)",
		  "INSERT INTO child SELECT seq, $names FROM \@T\@ WHERE seq % 4 = 1";
		$case->{child} = 1;
	}
	if ($case->{u1} && $case->{u1_constraint} && chance(0.4))
	{
		push @later, 'CREATE TABLE child_u (u1 int REFERENCES @T@ (u1)'
		  . ' ON UPDATE CASCADE ON DELETE CASCADE)',
		  'INSERT INTO child_u SELECT u1 FROM @T@ WHERE seq % 3 = 1';
		$case->{child_u} = 1;
	}
	if (defined $case->{role})
	{
		push @later,
		  'GRANT USAGE ON SCHEMA @S@ TO eq_user',
		  'GRANT SELECT, UPDATE, DELETE ON @T@ TO eq_user',
		  'GRANT SELECT ON src, dup, more, src_view TO eq_user',
		  'GRANT INSERT ON log, sums TO eq_user';
		push @later, policies($case) if chance(0.7);
	}
	push @later, 'ALTER TABLE @T@ ADD late int DEFAULT 5' if chance(0.2);
	push @later, 'ALTER TABLE @T@ DROP gone';
	push @later, 'ANALYZE @T@' if $case->{few} || chance(0.3);
	push @{ $case->{indexes} }, 'CREATE INDEX ON @T@ (seq)'
	  if $case->{few} && chance(0.5);
	$case->{later} = \@later;
	return;
}

# Row level security.  Without a column of the target in its conditions plain
# SQL would not look at the policies for SELECT, but a job always reads the key.
sub policies
{
	my ($case) = @_;
	my @using = map {
		pick('seq % 5 <> 0', 'seq < 100 OR seq % 2 = 0',
			'EXISTS (SELECT FROM src WHERE src.seq = @T@.seq)',
			'eq.plus_one(seq) % 4 <> 0', 'true')
	} 0, 1;
	my $check = 'WITH CHECK (touched IS DISTINCT FROM -777)';

	return 'ALTER TABLE @T@ ENABLE ROW LEVEL SECURITY',
	  "CREATE POLICY p1 ON \@T\@ TO eq_user USING ($using[0]) $check"
	  if chance(0.5);
	$case->{policies} = 1;
	return 'ALTER TABLE @T@ ENABLE ROW LEVEL SECURITY',
	  "CREATE POLICY p1 ON \@T\@ FOR SELECT TO eq_user USING ($using[0])",
	  "CREATE POLICY p2 ON \@T\@ FOR UPDATE TO eq_user USING ($using[1]) $check",
	  "CREATE POLICY p3 ON \@T\@ FOR DELETE TO eq_user USING ($using[1])",
	  'CREATE POLICY p4 ON @T@ AS RESTRICTIVE TO eq_user USING (seq <> 21)';
}

# All that makes the tables in the schema of the search_path.
sub table_sql
{
	my ($case) = @_;
	my @columns = (
		@{ $case->{key_columns} },
		{ name => 'seq', type => 'int', value => 'i', words => 'NOT NULL' },
		{ name => 'gone', type => 'text', value => q{'gone'}, words => '' },
		{
			name => 'touched',
			type => 'int',
			value => value_of($case, 'nullif(R(10), 3)', 'touched'),
			words => ''
		},
		@{ $case->{columns} });
	my @filled;
	my ($names, $values, $sql);

	@columns = some(scalar @columns, @columns) if chance(0.5);
	@filled = grep { defined $_->{value} } @columns;
	$names = join(', ', map { $_->{name} } @filled);
	$values = join(",\n\t", map { $_->{value} } @filled);
	$sql = <<"END";
SET CONSTRAINTS ALL IMMEDIATE;
CREATE TABLE parent (id int PRIMARY KEY);
INSERT INTO parent SELECT generate_series(1, 40);
CREATE TABLE log (op text, old text, new text);
CREATE TABLE sums (op text, n bigint, hash numeric,
	xid xid8 DEFAULT pg_current_xact_id());
CREATE TABLE src (seq int, val int, txt text);
CREATE TABLE dup (seq int, val int, txt text);
CREATE TABLE more (grp int PRIMARY KEY, val int, txt text);
INSERT INTO src SELECT i, @{[ value_of($case, 'R(200), CASE WHEN R(9) > 0 THEN R(9)::text END', 'src') ]}
	FROM generate_series(1, 320) AS i WHERE @{[ value_of($case, 'R(10)', 'in') ]} < @{[ pick(0, 3, 8, 9, 10, 10) ]};
INSERT INTO dup SELECT src.* FROM src, generate_series(1, 3);
CREATE VIEW src_view AS SELECT seq, max(val) AS val, min(txt) AS txt
	FROM dup WHERE val > 10 GROUP BY seq;
INSERT INTO more SELECT i, i * 11, 'm' || i FROM generate_series(0, 3) AS i;
END
	$sql .= "CREATE INDEX ON src (seq);\n" if chance(0.3);
	$sql .= "ANALYZE src, dup;\n" if chance(0.3);
	$sql .= 'CREATE '
	  . ($case->{form} eq 'plain' && !$case->{child} && !$case->{child_u}
		  && chance(0.1) ? 'UNLOGGED ' : '')
	  . "TABLE $case->{name} (\n\t"
	  . join(",\n\t",
		(map { "$_->{name} $_->{type} $_->{words}" } @columns),
		@{ $case->{constraints} })
	  . ')'
	  . ($case->{form} eq 'partitioned' ? partition_by($case) : '')
	  . ($case->{form} ne 'partitioned' && chance(0.2) ?
		' WITH (fillfactor = 50)' : '')
	  . ";\n";
	$sql .= $case->{partitions} // '';
	foreach my $column (grep { $_->{type} eq 'text' } @{ $case->{columns} })
	{
		$sql .= "ALTER TABLE $case->{name} ALTER $column->{name}"
		  . " SET STORAGE EXTERNAL;\n"
		  if chance(0.2);
	}
	$sql .= tree_child($case) if $case->{form} eq 'tree';
	foreach my $into ($case->{name},
		$case->{form} eq 'tree' ? 'tree_child' : ())
	{
		my $rows = $case->{form} eq 'tree' ?
		  'i % 2 = ' . ($into eq 'tree_child' ? 1 : 0) : 'true';
		$sql .= "INSERT INTO $into ($names) SELECT\n\t$values\n"
		  . "\tFROM generate_series(1, $case->{rows}) AS i WHERE $rows"
		  . ($case->{shuffle} // '')
		  . ";\n";
	}
	$sql .= "$_;\n" foreach @{ $case->{indexes} };
	if (chance(0.4))
	{
		# gaps, dead rows, and rows that are not in the order of the key
		$sql .= "DELETE FROM $case->{name} WHERE seq % 11 = 4;\n"
		  . "UPDATE $case->{name} SET touched = 1 WHERE seq % 5 = 2;\n";
	}
	$sql .= "$_;\n" foreach @{ $case->{later} };
	my $n = 0;
	foreach my $trigger (@{ $case->{triggers} })
	{
		my $kind = $trigger =~ s/^CONSTRAINT // ? 'CONSTRAINT TRIGGER' : 'TRIGGER';
		$sql .= "CREATE $kind tr" . $n++ . " $trigger;\n";
	}
	$sql =~ s/\@T\@/$case->{name}/g;
	return $sql;
}

# How a table is partitioned; the partitions follow.
sub partition_by
{
	my ($case) = @_;
	my $how = pick('LIST', 'RANGE', 'HASH');
	my %bounds = (
		LIST => [ 'FOR VALUES IN (0, 2)', 'FOR VALUES IN (1)', 'DEFAULT' ],
		RANGE => [
			'FOR VALUES FROM (MINVALUE) TO (2)', 'FOR VALUES FROM (2) TO (3)',
			'DEFAULT'
		],
		HASH => [
			map { "FOR VALUES WITH (MODULUS 3, REMAINDER $_)" } 0 .. 2
		]);
	my $sub = chance(0.4) ? int(rand(3)) : -1;
	my $last = $case->{key_columns}[-1]{name};
	my $sql = '';

	foreach my $n (0 .. 2)
	{
		my $name = '"Part ' . $n . '"';

		if ($n == $sub)
		{
			$sql .= "CREATE TABLE $name PARTITION OF \@T\@ $bounds{$how}[$n]"
			  . " PARTITION BY HASH ($last);\n"
			  . join('',
				map { "CREATE TABLE sub_$_ PARTITION OF $name"
					  . " FOR VALUES WITH (MODULUS 2, REMAINDER $_);\n" }
				  0, 1);
		}
		elsif (chance(0.3))
		{
			$sql .= "CREATE TABLE $name (lost int, LIKE \@T\@ INCLUDING ALL);\n"
			  . "ALTER TABLE $name DROP lost;\n"
			  . "ALTER TABLE \@T\@ ATTACH PARTITION $name $bounds{$how}[$n];\n";
		}
		else
		{
			$sql .= "CREATE TABLE $name PARTITION OF \@T\@ $bounds{$how}[$n];\n";
		}
	}
	$case->{partitions} = $sql;
	return " PARTITION BY $how (part)";
}

sub tree_child
{
	my ($case) = @_;

	return 'CREATE TABLE tree_child (more_of_it int, PRIMARY KEY ('
	  . join(', ', @{ $case->{key_names} })
	  . ")) INHERITS (\@T\@);\n";
}

##### statements

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

	my $sql = defined $from->{with} ? "WITH $from->{with} " : '';
	my $target = $case->{name}
	  . (defined $case->{alias} ? pick(' ', ' AS ') . $case->{alias} : '');
	$target = '@S@.' . $target if !$case->{by_parts} && chance(0.2);
	$target = 'ONLY ' . $target
	  if $case->{form} eq 'plain' && chance(0.2);
	$sql .= $case->{deletes} ? "DELETE FROM $target"
	  : "UPDATE $target SET " . join(', ', map { "$_->[0] = $_->[1]" } @{ $case->{sets} });
	$sql .= ($case->{deletes} ? "\nUSING " : "\nFROM ") . $from->{item}
	  if defined $from->{item};
	$sql .= "\nWHERE " . $case->{where} if defined $case->{where};
	$case->{plain} = $sql;
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
	s/\@T\@/$case->{name}/g
	  foreach grep { defined } @{$from}{qw(item with)};
	if (defined $from->{item})
	{
		$from->{join} = 's.seq = Q' if !exists $from->{join};
		$from->{int} //= 's.val';
	}
	return $from;
}

# A column of the target, in the way that the statement names it.
sub ref_to
{
	my ($case, $column) = @_;

	return "$case->{ref}.$column"
	  if defined $case->{from}{item} || $case->{qualified};
	return $column;
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
		'CASE WHEN Q % 2 = 0 THEN 1 WHEN touched > 3 THEN Q END');

	push @forms, ref_to($case, $int->{name}) if $int;
	push @forms, ($case->{from}{int}) x 8 if defined $case->{from}{int};
	push @forms, '(SELECT w.val FROM w WHERE w.seq = Q)'
	  if defined $case->{from}{with} && !defined $case->{from}{item};
	return fill($case, pick(@forms));
}

# Q is the number of the row.  In a subquery seq alone would be another.
sub fill
{
	my ($case, $text) = @_;
	my $seq = $text =~ /SELECT/ ? "$case->{ref}.seq" : ref_to($case, 'seq');
	my $touched = ref_to($case, 'touched');

	$text =~ s/\bQ\b/$seq/g;
	$text =~ s/(?<![.\w"])touched\b/$touched/g;
	$text =~ s/\@T\@/$case->{name}/g;
	return $text;
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

##### the call

sub make_call
{
	my ($case) = @_;
	my $possible = !$case->{key}{unhashable};
	my %how;
	my $what;

	$how{batch_size} = $case->{few} ? 1 + int(rand(4))
	  : pick(1 + int(rand(50)), 1 + int(rand(10)), 1000)
	  if chance(0.95);
	$case->{batch_size} = $how{batch_size} // 1000;
	$how{workers} = 1 + int(rand(3)) if chance(0.95);
	$how{stripes} = $possible ? pick(1, 2, 2, 8, 64) : 1
	  if chance(0.5) && !($case->{by_parts} && $case->{deletes});
	$how{skip_unchanged} = 'true' if $case->{skip_unchanged};
	# subqueries that are evaluated for each row
	$how{sees_batches} = 'true'
	  if $case->{plain} =~ /SELECT.*eq\.(note|plus_one)/s
	  || $case->{plain} =~ /EXISTS \(SELECT FROM \Q$case->{name}\E AS x WHERE x.seq/
	  || chance(0.1);
	$how{on_error} = $case->{error} || $case->{can_fail} ? q{'stop'} : q{'skip'}
	  if chance(0.2);
	$how{key_index} = quote_text($case->{key_index})
	  if defined $case->{key_index};

	if ($case->{by_parts})
	{
		my $target = quote_text($case->{name});

		$how{condition} = quote_text($case->{where})
		  if defined $case->{where} && !$case->{deletes};
		if ($case->{deletes})
		{
			$how{using_item} = quote_text($case->{from}{item})
			  if defined $case->{from}{item};
			$what = "bulkpar_delete($target, "
			  . quote_text($case->{where} // 'true');
		}
		else
		{
			my @sets = @{ $case->{sets} };
			$how{from_item} = quote_text($case->{from}{item})
			  if defined $case->{from}{item};
			$what = @sets == 1 && chance(0.5) ?
			  "bulkpar_update($target, " . quote_text($sets[0][2]) . ', '
			  . quote_text($sets[0][1])
			  : "bulkpar_update($target, ARRAY["
			  . join(', ', map { quote_text($_->[2]) } @sets)
			  . '], ARRAY['
			  . join(', ', map { quote_text($_->[1]) } @sets) . ']';
		}
	}
	else
	{
		my $text = $case->{plain};

		$text = pick('', "/* it's\n */ ") . $text . pick('', ';', ' -- end')
		  if chance(0.3);
		$what = 'bulkpar_execute(' . quote_text($text);
	}
	$case->{call} = "$what" . join('', map { ", $_ => $how{$_}" } sort keys %how) . ')';
	$case->{settings} = [ chance(0.25) ? some(1 + int(rand(3)), @settings) : () ];
	push @{ $case->{settings} }, "session_replication_role = 'replica'"
	  if !defined $case->{role} && !$case->{error} && !$case->{child}
	  && !$case->{child_u} && chance(0.02);
	$case->{shuffle} = ' ORDER BY ' . value_of($case, 'R(100000)', 'order')
	  if chance(0.5);
	$case->{ddl} = table_sql($case);
	return;
}

1;
