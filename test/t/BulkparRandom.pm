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

use BulkparRandom::Draw;
use BulkparRandom::Objects;
use BulkparRandom::Others;
use BulkparRandom::Statement;
use BulkparRandom::Table;
use Exporter 'import';

our @EXPORT = qw(shared_objects random_case);

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
	'array_nulls = off', 'constraint_exclusion = on',
	'constraint_exclusion = off', 'row_security = on',
	'standard_conforming_strings = off', "xmlbinary = 'hex'",
	"default_transaction_isolation = 'serializable'",
	'enable_bitmapscan = off', 'enable_indexonlyscan = off',
	'min_parallel_table_scan_size = 0', 'parallel_setup_cost = 0',
	"lc_monetary = 'C'", "default_tablespace = 'pg_default'",
	"eq.nothing = 'a''b'", 'quote_all_identifiers = on');

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
	$case->{refused} = $case->{plain} =~ /AS each\b/ && !$case->{only_reads}
	  && !$case->{error} && !defined $case->{role} && chance(0.15);
	$how{sees_batches} = 'true'
	  if !$case->{refused} && ($case->{sees_batches}
		|| $case->{plain} =~ /SELECT.*eq\.(note|plus_one)/s || chance(0.1));
	$how{on_error} = $case->{skips} ? q{'skip'} : q{'stop'}
	  if $case->{skips} || chance(0.2);
	$how{key_index} = quote_text($case->{key_index})
	  if defined $case->{key_index};

	if ($case->{by_parts})
	{
		my $target = quote_text($case->{name});

		# Together with a table of the same kind that has no rows.
		$case->{twin} = !defined $case->{key_index}
		  && $case->{ref} eq $case->{name} && chance(0.25);
		$target = 'ARRAY['
		  . join(', ', some(2, $target, quote_text("eq_twin.$case->{name}")))
		  . ']::regclass[]'
		  if $case->{twin};
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
