# Types of the columns of random tables.

package BulkparRandom::Types;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

our @EXPORT = qw(%types);

# Types of columns.  In "value" R(n) is a random number below n that depends on
# the row, i its number.  In "set" C is the column, E an integer; the first is
# what makes such a value of an integer.
our %types = (
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
	float4 => {
		value => q{(ARRAY['NaN', '-0', '0', 'Infinity', '0.1'])[1 + R(5)]::float4},
		set => [ '(E) / 3.0', q{CASE WHEN C <> 'NaN' THEN -C END}, q{nullif(C, 'NaN')} ]
	},
	numeric => {
		value => q{(ARRAY['NaN', '1.0', '1.000', '-Infinity', '0.1'])[1 + R(5)]}
		  . '::numeric',
		set => [ '(E) / 3.0', 'C + 0.00', '-C', 'trim_scale(C)', 'C * 1.0' ]
	},
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
	'eq.citext' => {
		value => q{(ARRAY['é', 'É', 'b'])[1 + R(3)]},
		set => [ q{'T' || (E)}, 'upper(C)', 'lower(C)', q{C || 'x'} ]
	},
	'eq.pair[]' => {
		value => q{ARRAY[ROW(R(9), 'a,"b'), NULL]::eq.pair[]},
		set => [ q{ARRAY[ROW(E, NULL)::eq.pair]}, q{C || ROW(1, '{}')::eq.pair}, 'C[2:]' ]
	},
	tstzrange => {
		value => q{tstzrange('-infinity', timestamptz '2020-03-29 00:30+00'}
		  . ' + R(99) * interval \'1 h\')',
		set => [
			q{tstzrange(timestamptz '2020-03-01 12:00' - abs(E) % 9 * interval '1 h',}
			  . q{ '2021-01-01')},
			q{'empty'}, q{C * tstzrange('2020-03-30', NULL)}
		]
	},
	regclass => {
		value => '(1247 + R(10))::oid::regclass',
		set => [ '(abs(E) % 3000)::oid::regclass', q{'pg_class'}, '1249::oid::regclass' ]
	},
	name => { value => q{'n' || R(99)}, set => [ q{'N' || (E)}, 'C' ] },
	tsvector => {
		value => q{to_tsvector('simple', 'a b ' || R(9))},
		set => [ q{to_tsvector('simple', (E)::text)}, q{C || 'x:1'} ]
	},
	long => {
		type => 'text',
		value => q{(SELECT string_agg(md5(g || 'SALT' || i), '')}
		  . q{ FROM generate_series(1, 80 + R(80)) AS g)},
		set => [ q{repeat(md5((E)::text), 90)}, q{C || 'x'}, 'reverse(C)' ]
	});

1;
