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
	{
		columns => [
			[
				'numeric',
				q{(CASE i WHEN 1 THEN 'NaN' WHEN 2 THEN 'Infinity'}
				  . q{ WHEN 3 THEN '-Infinity' ELSE i / 8.0 || '00' END)::numeric}
			]
		],
		simple => 1
	},
	{
		columns => [
			[
				'float4',
				q{(CASE i WHEN 1 THEN 'Infinity' WHEN 2 THEN 'NaN'}
				  . q{ ELSE (i / 3.0)::text END)::float4}
			]
		]
	},
	{ columns => [ [ 'oid', '(4294967295 - i)::oid' ] ], simple => 1 },
	{
		columns => [
			[
				'regclass',
				q{(CASE WHEN i > 5 THEN 3000000000 + i ELSE}
				  . q{ (ARRAY[1259, 1247, 1255, 1249, 2610])[i] END)::oid::regclass}
			]
		]
	},
	{ columns => [ [ 'regproc', 'eq.overloaded(i)::regproc' ] ] },
	{ columns => [ [ 'regprocedure', 'eq.overloaded(i)::regprocedure' ] ] },
	{ columns => [ [ 'regrole', '(10 + i)::oid::regrole' ], [ 'int', 'i' ] ] },
	{ columns => [ [ 'name', q{('N' || i)::name} ] ] },
	{ columns => [ [ 'char(8)', q{(ARRAY['a', ' b', 'Z '])[1 + i % 3] || i} ] ] },
	{ columns => [ [ 'xid8', 'i::text::xid8' ] ] },
	{ columns => [ [ 'pg_lsn', q{pg_lsn 'F/FFFFFF00' + i} ] ] },
	{ columns => [ [ 'tid', q{format('(%s,%s)', i / 9, 1 + i % 9)::tid} ] ] },
	{ columns => [ [ 'macaddr', q{lpad(to_hex(i), 12, '0')::macaddr} ] ] },
	{ columns => [ [ 'cidr', q{format('10.%s.%s.0/24', i / 200, i % 200)::cidr} ] ] },
	{
		columns => [
			[
				'inet',
				q{CASE WHEN i % 2 = 0 THEN inet 'fe80::1/64' ELSE '10.9.8.7/8' END + i}
			]
		]
	},
	{
		columns => [
			[
				'timetz',
				q{(time '01:00' + i * interval '1 min' || '+0' || i % 5)::timetz}
			]
		]
	},
	{
		columns => [
			[
				'timestamp',
				q{timestamp '0001-06-01 00:00:00.123456' - i * interval '1 day'}
			]
		]
	},
	{
		columns => [
			[
				'interval',
				q{CASE WHEN i % 2 = 0 THEN make_interval(months => i)}
				  . q{ ELSE make_interval(days => -i, secs => 0.25) END}
			]
		]
	},
	{ columns => [ [ 'tsvector', q{('w' || i || ':1A')::tsvector} ] ], unhashable => 1 },
	{ columns => [ [ 'money', '(i * 12345)::money' ] ], unhashable => 1 },
	{ columns => [ [ 'varbit', 'i::bit(12)::varbit' ] ], unhashable => 1 },
	# domains
	{
		columns =>
		  [ [ 'eq.citext', q{(ARRAY['x', 'Y', 'é'])[1 + i % 3] || i} ] ]
	},
	{ columns => [ [ 'eq.code', q{'c' || i} ], [ 'eq.positive', '1 + i % 2' ] ] },
	# values of values
	{
		columns => [
			[
				'eq.mood[]',
				q{(ARRAY(SELECT (ARRAY['sad', NULL, 'ok', 'happy'])[1 + i / n % 4]}
				  . q{::eq.mood FROM unnest('{1,4,16,64,256}'::int[]) AS n))}
			]
		]
	},
	{
		columns => [
			[
				'eq.pair[]',
				q{ARRAY[ROW(i % 3, NULL), ROW(NULL, '"{},(\\\\ ' || i), NULL]::eq.pair[]}
			]
		]
	},
	{
		columns => [
			[ 'float8[]', q{ARRAY['NaN', '-0', i / 7.0, NULL, 1e300]::float8[]} ]
		]
	},
	{
		columns => [
			[
				'timestamptz[]',
				q{ARRAY['infinity', NULL, timestamptz '2020-03-29 00:30+00'}
				  . q{ + i * interval '30 min']}
			]
		]
	},
	{
		columns => [
			[ 'bytea[]', q{ARRAY[decode(md5(i::text), 'hex'), '\\\\x5c0022', NULL]} ]
		]
	},
	{
		columns => [
			[
				'int[]',
				q{CASE i WHEN 1 THEN '{}' WHEN 2 THEN '[0:1]={1,NULL}'}
				  . q{ WHEN 3 THEN '{{1,NULL},{2,3}}' ELSE ARRAY[NULL, i] END::int[]}
			]
		]
	},
	{
		columns => [
			[
				'tstzrange',
				q{CASE i WHEN 1 THEN 'empty' WHEN 2 THEN tstzrange(NULL, NULL)}
				  . q{ ELSE tstzrange(timestamptz '2020-10-25 00:00+00'}
				  . q{ + i * interval '30 min', 'infinity', '(]') END}
			]
		]
	},
	{
		columns => [
			[
				'int4multirange',
				q{CASE i WHEN 1 THEN '{}' ELSE int4multirange(}
				  . q{int4range(i % 9, 10), int4range(20, 1000 + i)) END}
			]
		]
	},
	{
		columns => [
			[
				'eq.deep',
				q{ROW('ok', ARRAY['a,"b', NULL, i::text], i / 7.0,}
				  . q{ date '2020-01-31' - i)::eq.deep}
			]
		]
	},
	# of a generated column
	{
		columns => [ [ 'text', q{'INV-' || lpad(i::text, 6, '0')}, 'GENERATED' ] ]
	},
	{
		columns => [
			[ 'numeric', 'i % 5 / 3.0', 'GENERATED' ],
			[ 'int', '-i', 'GENERATED' ]
		]
	},
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
	},
	{
		columns => [
			[ 'text', q{(ARRAY['a', 'A', 'b'])[1 + i % 3]}, 'COLLATE eq.any_case' ],
			[ 'float8', q{(ARRAY['NaN', '-0', '0', '1'])[1 + i % 4]::float8} ],
			[ 'int4range', 'int4range(1, i)' ],
			[ 'regclass', q{('pg_' || (ARRAY['class', 'type'])[1 + i % 2])::regclass} ]
		]
	});

1;
