# Kinds of keys of random tables.

package BulkparRandom::Keys;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

our @EXPORT = qw(@keys);

# Kinds of keys: columns with a type and a value that is another for each i,
# and words after a column's type, or after its name in an index.
our @keys = (
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

1;
