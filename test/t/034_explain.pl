# What bulkpar_explain says of random jobs is what the job that follows says of
# itself: listed or not, workers, stripes, the rows of its parts, and batches.
#
# BULKPAR_SEED repeats the cases of another run, BULKPAR_EXPLAIN_CASES
# says how many, BULKPAR_EXPLAIN_CASE runs but the one with that number.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use POSIX qw(ceil);
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = seed_random();
my $cases = $ENV{BULKPAR_EXPLAIN_CASES} // 40;
my $only = $ENV{BULKPAR_EXPLAIN_CASE};
my $node = start_server('explain', "bulkpar.report = off\nfsync = off\n");
my %seen;

diag("BULKPAR_EXPLAIN_CASES=$cases");

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub chance { return rand() < $_[0]; }

sub pick { return $_[ rand @_ ]; }

# A table, what has become of it since it was analyzed, and a job on it.
sub random_case
{
	my ($number) = @_;
	my %case;

	srand($seed * 1000 + $number);
	$case{parts} = pick(0, 0, 0, 1, 3, 12);
	$case{wide} = chance(0.15);
	$case{rows} = $case{wide} ? 1100 + int(rand(400)) :
	  pick(0, 1, int(rand(60)), 300 + int(rand(700)), 1000 + int(rand(3000)),
		2000 + int(rand(2000)));
	$case{batch_size} = $case{rows} < 300 ? pick(1, 3, 20, 1000) :
	  pick(7, 10, 20, 50, 1000);
	$case{condition} = pick(undef, 'kind = 3', 'kind = 3 AND id % 20 = 7',
		'id % 100 = 7', 'id % 50 < 0', 'n >= 0', 'id <= 25', 'n < 0', 'kind < 5',
		'kind = 3 AND random() < 2');
	$case{deletes} = chance(0.25);
	$case{column} = pick('n', 'n', 'kind');
	$case{statement} = chance(0.2);
	my %how = (
		batch_size => $case{batch_size},
		workers => pick(1, 2, 3, 5));
	$how{stripes} = pick(1, 4, 12)
	  if ($case{statement} || !$case{deletes}) && chance(0.3);
	if (!$case{statement})
	{
		$how{condition} = "'$case{condition}'"
		  if defined $case{condition} && !$case{deletes};
		$how{on_error} = "'skip'" if chance(0.1);
		$how{skip_unchanged} = 'true' if !$case{deletes} && chance(0.1);
	}
	$case{how} = \%how;
	$case{ddl} = table_sql(\%case);
	return \%case;
}

# The keys of the partitions may differ: those are not listed.
sub table_sql
{
	my ($case) = @_;
	my $columns = 'part int NOT NULL, id int NOT NULL, n int NOT NULL,'
	  . ' kind int NOT NULL, pad text';
	my $with = $case->{wide} ? ' WITH (fillfactor = 10)' : '';
	my @keys = ('(id)', '(kind, id)', '(part, id)');
	my $key = $case->{column} eq 'kind' && !$case->{deletes} ?
	  pick(@keys[ 0, 2 ]) : pick(@keys);
	my $other = $case->{parts} && chance(0.3) ? '(id)' : $key;
	my $pad = $case->{wide} ? "repeat('x', 600)" : "'x'";
	my $last = $case->{parts} > 1 && chance(0.3) ? $case->{parts} - 1 :
	  $case->{parts} || 1;
	my $insert = "INSERT INTO t SELECT g % $last, g, 0, g % 10, $pad"
	  . " FROM generate_series(1, $case->{rows}) g;\n";
	my $sql = '';

	if ($case->{parts})
	{
		$sql = "CREATE TABLE t ($columns) PARTITION BY LIST (part);\n";
		foreach my $part (0 .. $case->{parts} - 1)
		{
			my $its = $part == 1 ? $other : $key;

			$sql .= "CREATE TABLE t_$part PARTITION OF t"
			  . " (PRIMARY KEY $its) FOR VALUES IN ($part)$with;\n";
		}
	}
	else
	{
		$sql = "CREATE TABLE t ($columns, PRIMARY KEY $key)$with;\n";
	}
	$sql .= "CREATE INDEX ON t (kind);\n" if chance(0.5);
	$case->{analyzed} = pick('never', 'before', 'after', 'after');
	$sql .= "ANALYZE t;\n" if $case->{analyzed} eq 'before' && chance(0.3);
	$sql .= $insert;
	$sql .= "ANALYZE t;\n" if $case->{analyzed} eq 'before';
	$sql .= "DELETE FROM t WHERE id % 10 < " . int(rand(11)) . ";\n"
	  if chance(0.3);
	$sql .= "UPDATE t SET n = n + 1 WHERE id % 3 = 0;\n" if chance(0.3);
	$sql .= "DELETE FROM t;\n" if chance(0.03);
	$sql .= "INSERT INTO t SELECT part, -id, n, kind, pad FROM t WHERE id % 2 = 0;\n"
	  if chance(0.2);
	$sql .= "ANALYZE t;\n" if $case->{analyzed} eq 'after';
	$sql .= "SELECT pg_stat_force_next_flush();\n";
	return $sql;
}

# The call of the function, or of bulkpar_explain.
sub call
{
	my ($case, $explain) = @_;
	my $where = defined $case->{condition} ? " WHERE $case->{condition}" : '';
	my $what;

	if ($case->{statement})
	{
		$what = $case->{deletes} ? "'DELETE FROM t$where'" :
		  "'UPDATE t SET $case->{column} = $case->{column} + 1$where'";
	}
	else
	{
		$what = $case->{deletes} ? "'t', '" . ($case->{condition} // 'true') . "'" :
		  "'t', '$case->{column}', '$case->{column} + 1'";
	}
	return (
		$explain ? 'bulkpar_explain' :
		  $case->{statement} ? 'bulkpar_execute' :
		  $case->{deletes} ? 'bulkpar_delete' : 'bulkpar_update')
	  . "($what"
	  . join('', map { ", $_ => $case->{how}{$_}" } sort keys %{ $case->{how} })
	  . ')';
}

# What the lines of bulkpar_explain say.
sub parse
{
	my ($text) = @_;
	my %said = (rows => {}, counted => {}, batches => 0);

	foreach (split /\n/, $text)
	{
		if (/^Table: \.\.\. and (\d+) more partitions, (about )?(\d+) rows?, /)
		{
			@said{qw(rest rest_rows)} = ($1, $3);
		}
		elsif (/^Table: (\w+), (about )?(\d+) rows?, /)
		{
			$said{rows}{$1} = $3;
			$said{counted}{$1} = !$2;
		}
		elsif (/^Rows: the planner expects (\d+) of (about )?(\d+) rows? to be \w+(, and they are listed first unless more than (\d+) match)?(, span by span)?/)
		{
			@said{qw(expected all listed max_listed spanned)} =
			  ($1, $3, defined $4 ? 1 : 0, $5, defined $6 ? 1 : 0);
			$said{all_counted} = !$2;
		}
		elsif (/^Batches: (about )?(\d+)( or more| or fewer)? of up to (\d+) rows each, by (\d+) workers?( at the most)?$/)
		{
			@said{qw(about batches promise batch_size workers at_most)} =
			  ($1 ? 1 : 0, $2, $3 // '', $4, $5, $6);
		}
		elsif (/^Batches: none$/)
		{
			@said{qw(about promise workers)} = (0, '', 1);
		}
		elsif (/^Stripes: (\d+), (.*)/)
		{
			@said{qw(stripes why)} = ($1, $2);
		}
	}
	return \%said;
}

# What the job that has run says.
sub look_at_job
{
	my %did;

	@did{qw(workers stripes chosen all)} = split /\|/,
	  sql('SELECT workers, stripes, stripes_chosen, estimated_rows'
		  . ' FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1');
	@did{qw(batches chunks listed found)} = split /\|/,
	  sql('SELECT coalesce(sum(batches), 0), count(*),'
		  . ' count(*) FILTER (WHERE listed), coalesce(sum(rows_found), 0)'
		  . ' FROM bulkpar_chunks'
		  . ' WHERE job_id = (SELECT max(job_id) FROM bulkpar_jobs)');
	$did{rows} = {
		map { split /\|/ } split /\n/,
		sql('SELECT relation, estimated_rows FROM bulkpar.bulkpar_part'
			  . ' WHERE job_id = (SELECT max(job_id) FROM bulkpar_jobs)')
	};
	return \%did;
}

# The batches of so many rows in each part.
sub batches_of
{
	my ($batch_size, %rows) = @_;
	my $batches = 0;

	$batches += ceil($_ / $batch_size) foreach values %rows;
	return $batches;
}

# The rows of the parts and of all; in spans a job goes through those that match.
sub wrong_rows
{
	my ($said, $did, $real) = @_;
	my @wrong;

	foreach my $part (sort keys %{ $said->{rows} })
	{
		my $rows = $said->{rows}{$part};

		push @wrong, "$part has $did->{rows}{$part} rows, not $rows"
		  if !$said->{listed} && ($said->{spanned} ? $said->{expected} : $rows) != $did->{rows}{$part};
		push @wrong, "$part has " . ($real->{$part} // 0) . " rows, not $rows"
		  if $said->{counted}{$part} && $rows != ($real->{$part} // 0);
	}
	push @wrong, "there are $did->{all} rows in all, not $said->{all}"
	  if !$said->{listed} && ($said->{spanned} ? $said->{expected} : $said->{all}) != $did->{all};
	my $sum = $said->{rest_rows} // 0;
	$sum += $_ foreach values %{ $said->{rows} };
	push @wrong, "the parts have $sum rows, not $said->{all}"
	  if $sum != $said->{all};
	push @wrong, 'not all parts are there'
	  if keys(%{ $said->{rows} }) + ($said->{rest} // 0) !=
	  keys %{ $did->{rows} };
	push @wrong, "$said->{expected} rows change, of $said->{all}"
	  if $said->{expected} > $said->{all};
	return @wrong;
}

# The number of batches, and what "about", "or more" and "or fewer" promise
# where the estimates that they are made of are not far off.
sub wrong_batches
{
	my ($said, $did, $real, $matching, $case) = @_;
	my $size = $case->{batch_size};
	my $rows = 0;
	my ($least, $most) = ($said->{batches}) x 2;

	$rows += $_ foreach values %$real;
	if (!$said->{listed} && !$said->{rest})
	{
		my %parts = map { $_ => $did->{rows}{$_} } keys %{ $did->{rows} };
		my $batches = batches_of($size, %parts);

		# a part may have rows that were all deleted, and a batch all of small ones
		my $fewer = 1 < grep { $_ < $size } values %parts;
		return "the parts have $batches batches, not $said->{batches}"
		  if $rows > 0 && $batches != $said->{batches} && !($fewer && $batches > $said->{batches});
	}
	if ($said->{about})
	{
		my $picked = $said->{listed} || $said->{spanned};
		my ($estimate, $truth) = $picked ?
		  ($said->{expected}, $matching) : ($said->{all}, $rows);
		my $off = 1 + ($picked ? 1.1 : 0.1) * $said->{batches} +
		  keys %{ $did->{rows} };

		return
		  if $picked
		  ? $estimate > 2 * $truth || $truth > 2 * $estimate
		  : abs($estimate - $truth) > 0.1 * $truth;
		$least -= $off;
		$most += $off;
		$most = 1e9
		  if $said->{promise} eq ' or more'
		  || ($said->{stripes} > 1 && $said->{promise} eq '');
		$least = 0
		  if $said->{promise} eq ' or fewer'
		  || ($said->{stripes} > 1 && $said->{promise} eq '')
		  || $matching < 0.6 * $rows;
		$seen{"about$said->{promise}"}++;
	}
	else
	{
		$seen{'exact batches'}++;
	}
	return "$did->{batches} batches, not $said->{batches}$said->{promise}"
	  if $did->{batches} < $least || $did->{batches} > $most;
	return;
}

sub wrong_rest
{
	my ($said, $did, $matching, $case) = @_;
	my @wrong;

	push @wrong, "stripes are $did->{stripes}, not $said->{stripes}"
	  if $did->{stripes} != $said->{stripes};
	push @wrong, "stripes are $said->{why}"
	  if !$said->{listed} && !$said->{spanned}
	  && ($said->{why} eq 'as asked for') != ($did->{chosen} eq 'f');
	push @wrong, 'it is ' . ($did->{listed} ? '' : 'not ') . 'listed'
	  if ($did->{listed} > 0) != ($said->{listed} && $matching > 0);
	push @wrong, "$did->{found} rows listed of $matching"
	  if $said->{listed} && $did->{found} != $matching;
	my $workers = $said->{workers};
	if ($said->{at_most})
	{
		$workers = $did->{batches} if $did->{batches} < $workers;
		$workers = 1 if $workers < 1;
	}
	push @wrong, "$did->{workers} workers, not $workers"
	  if $did->{workers} != $workers;
	return @wrong;
}

sub run_case
{
	my ($number) = @_;
	my $case = random_case($number);

	sql("SET client_min_messages = warning; DROP TABLE IF EXISTS t; $case->{ddl}");
	my %real = map { split /\|/ } split /\n/,
	  sql('SELECT tableoid::regclass, count(*) FROM t GROUP BY 1');
	my $matching = sql('SELECT count(*) FROM t'
		  . (defined $case->{condition} ? " WHERE $case->{condition}" : ''));
	my $explained = sql('SELECT ' . call($case, 1));
	my $said = parse($explained);
	sql('SELECT status FROM ' . call($case, 0));
	my $did = look_at_job();
	my @wrong = wrong_rows($said, $did, \%real);
	if ($said->{listed} && $matching > $said->{max_listed})
	{
		push @wrong, "$matching rows match, and $did->{found} are listed"
		  if $did->{listed} > 0;
		$seen{'too many to be listed'}++;
	}
	else
	{
		push @wrong,
		  wrong_batches($said, $did, \%real, $matching, $case),
		  wrong_rest($said, $did, $matching, $case);
	}

	$seen{listed}++ if $said->{listed};
	$seen{spans}++ if $said->{spanned};
	$seen{'several parts'}++ if keys %{ $did->{rows} } > 1;
	$seen{'parts not shown'}++ if $said->{rest};
	$seen{"stripes: $said->{stripes}"}++;
	$seen{"analyzed $case->{analyzed}"}++;
	return 1 if !@wrong;
	diag("BULKPAR_SEED=$seed BULKPAR_EXPLAIN_CASE=$number: "
		  . join('; ', @wrong)
		  . "\n$case->{ddl}SELECT " . call($case, 1) . ";\n$explained");
	return 0;
}

ok(run_case($_), "case $_") foreach defined $only ? $only : 1 .. $cases;
diag(join(', ', map { "$_: $seen{$_}" } sort keys %seen));

# The rows that a batch deletes are found by one scan of their places, and not
# by one for each of them; nothing is joined to compare the keys.
sql(<<'END');
CREATE TABLE spots (id uuid PRIMARY KEY, n integer) WITH (fillfactor = 10);
INSERT INTO spots SELECT md5(g::text)::uuid, g % 10 FROM generate_series(1, 20000) AS g;
ANALYZE spots;
END
my $before = -s $node->logfile;
sql("SET debug_print_plan = on; SET debug_pretty_print = off; SELECT bulkpar_delete('spots', 'n = 3', 100)");
my @plans = grep { /\{TIDSCAN/ } split /LOG:\s+plan:/, slurp_file($node->logfile, $before);
ok(@plans > 0 && !(grep { /\{(HASHJOIN|MERGEJOIN|NESTLOOP|AGG)/ } @plans),
	'a batch reads the places of its rows in one scan');
is(sql("SELECT count(*) FROM spots WHERE n = 3"), 0, 'and deletes them all');

# The session that asks is not said to hold the horizon, however long it takes.
make_table($node, 't', 100);
unlike(
	sql("SELECT bulkpar_explain('t', 'n', 'n + 1 + slow(600)', 1, 1, sample => true)"),
	qr/horizon/, 'nobody holds the xmin horizon');
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM t');
like(sql("SELECT bulkpar_explain('t', 'n', 'n + 1')"),
	qr/horizon is held by session \d+/, 'another session holds it');
$holder->quit;

$node->stop;
done_testing();
