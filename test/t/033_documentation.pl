# The documentation: its SQL runs, in the order in which people read it, and it
# names all that they can call, look at and set, and the messages as they are.
#
# A comment before a block of SQL says whether it runs: "run", "run slow" (each
# row takes its time meanwhile, so that what the block starts is still there at
# its end), "run pg_cron" (where that is installed), or "do not run".

use strict;
use warnings FATAL => 'all';

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/../..";
my @files =
  qw(README.md doc/reference.md doc/clients.md doc/patterns.md doc/figures.md
  doc/operations.md);
my %text = map { $_ => slurp_file("$top/$_") } @files;
my $reference = $text{'doc/reference.md'};
my $flat_reference = $reference =~ s/\s+/ /gr;

my $has_cron = -e pg_config('pkglibdir') . '/pg_cron.so';
my $is_slow = 0;
my $node = PostgreSQL::Test::Cluster->new('documentation');
$node->init;
$node->append_conf('postgresql.conf', <<'END') if $has_cron;
shared_preload_libraries = 'pg_cron'
cron.database_name = 'postgres'
END
$node->start;

sub pg_config
{
	my ($what) = @_;
	my $value = `pg_config --$what`;

	chomp $value;
	return $value;
}

# What a query tells of the members of the extension, by their classid and objid.
sub members
{
	my ($sql) = @_;

	return split /\n/, $node->safe_psql('postgres', <<"END");
SELECT o FROM pg_depend d CROSS JOIN LATERAL ($sql) AS s(o)
WHERE refclassid = 'pg_extension'::regclass
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'bulkpar')
ORDER BY o
END
}

# Run the blocks of a file.
sub run_file
{
	my ($file) = @_;
	my @lines = split /\n/, $text{$file};
	my $ran = 0;

	for (my $i = 0; $i < @lines; $i++)
	{
		next if $lines[$i] !~ /^\s*```sql/;
		my $mark = $i > 0 && $lines[ $i - 1 ] =~ /^<!-- (.+) -->$/ ? $1 : '';
		my $name = "$file, line " . ($i + 1);
		my $sql = '';

		while ($lines[ ++$i ] !~ /^\s*```$/)
		{
			$sql .= "$lines[$i]\n";
		}
		$ran += run_block($name, $mark, $sql);
	}
	return $ran;
}

sub run_block
{
	my ($name, $mark, $sql) = @_;
	my ($status, $error);

	return 0 if $mark eq 'do not run';
	return 0 if $mark eq 'run pg_cron' && !$has_cron;
	if ($mark !~ /^run( slow| pg_cron)?$/)
	{
		fail("$name: is not marked");
		return 0;
	}
	set_slow($mark eq 'run slow' ? 1 : 0);
	$status = $node->psql('postgres', $sql, stderr => \$error);
	is($status, 0, "$name: runs") or diag($error);
	return 1;
}

# Let each row of the table of the examples take its time, or not.
sub set_slow
{
	my ($slow) = @_;

	return if $slow == $is_slow;
	$is_slow = $slow;
	$node->safe_psql('postgres', $slow ? <<'END' : 'DROP TRIGGER slow ON users');
CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END';
CREATE TRIGGER slow BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION slow();
END
	return;
}

# All string literals of a C expression; those that follow each other are one.
sub strings
{
	my ($code) = @_;
	my $literal = qr/"(?:[^"\\]|\\.)*"|\bINT64_FORMAT\b/;
	my @strings;

	while ($code =~ /($literal(?:\s*$literal)*)/g)
	{
		my @parts = $1 =~ /($literal)/g;

		push @strings,
		  join '',
		  map { $_ eq 'INT64_FORMAT' ? '%d' : substr($_, 1, -1) =~ s/\\"/"/gr }
		  @parts;
	}
	return @strings;
}

# The messages of the sources, as patterns, each with its SQLSTATEs.
sub messages
{
	my %code;
	my $group = qr/(\((?:[^()"]|"(?:[^"\\]|\\.)*"|(?-1))*\))/;
	my %messages;
	my $header =
	  slurp_file(pg_config('includedir-server') . '/utils/errcodes.h');

	while ($header =~ /^#define (ERRCODE_\w+) MAKE_SQLSTATE\(([^)]*)\)/mg)
	{
		my ($name, $characters) = ($1, $2);

		$code{$name} = join '', $characters =~ /'(.)'/g;
	}
	foreach my $file (glob "$top/src/*.c $top/src/*/*.c")
	{
		my $source = slurp_file($file);

		while ($source =~ /\bereport$group/g)
		{
			my $report = $1;
			my @codes = map { $code{$_} } $report =~ /\b(ERRCODE_\w+)/g;

			@codes = ('00000') if !@codes;
			foreach my $string (map { strings($_) } $report =~ /\berrmsg$group/g)
			{
				my $pattern = quotemeta $string;

				next if $string eq '%s';
				$pattern =~ s/\\%(?:\\?\.\d)?[duf]/(?:N|\\d+)/g;
				$pattern =~ s/\\%s/.+/g;
				$messages{$pattern}{$_} = 1 foreach @codes;
			}
		}
	}
	foreach my $file (glob "$top/sql/bulkpar--*.sql")
	{
		my $script = slurp_file($file);

		while ($script =~ /RAISE (\w+) USING\s+MESSAGE = '([^']*)'/g)
		{
			$messages{ quotemeta $2 }{ $code{ 'ERRCODE_' . uc $1 } } = 1;
		}
	}
	return %messages;
}

cmp_ok(run_file('README.md'), '>', 2, 'README.md has blocks that run');
cmp_ok(run_file('doc/reference.md'), '>', 2, 'so has the reference');

#
# What the reference has to name
#
my @functions = members(<<'END');
SELECT proname || '(' || regexp_replace(pg_get_function_arguments(p.oid),
	'::[a-z ]+|\mIN ', '', 'g') || ')'
FROM pg_proc p WHERE classid = 'pg_proc'::regclass AND p.oid = objid
	AND pronamespace <> 'bulkpar'::regnamespace
END
cmp_ok(scalar(@functions), '>', 10, 'there are functions');
foreach my $function (@functions)
{
	$function =~ s/\((job_id bigint|job_name text)/(job/;
	# Those of a target as a text, and of several, differ in no more than that.
	$function =~ s/^(bulkpar_(?:update|delete)\(target) text/$1 regclass/;
	$function =~ s/^(\w+\(targets .*?), batch_size .*/$1, ...)/;
	ok(index($flat_reference, $function) >= 0, "the reference has $function");
}

my @views = members(<<'END');
SELECT relname FROM pg_class c
WHERE classid = 'pg_class'::regclass AND c.oid = objid AND relkind = 'v'
END
cmp_ok(scalar(@views), '>', 3, 'there are views');
foreach my $view (@views)
{
	my ($section) = $reference =~ /^\*\*`$view`\*\*(.*?)^(?:\*\*|#)/ms;
	my $columns = join ' ', sort map { /`(\w+)`/g }
	  map { /^\| ([^|]+) \|/ } grep { !/^\| column/ } split /\n/,
	  $section // '';

	is( $columns,
		$node->safe_psql('postgres', <<"END"), "the columns of $view");
SELECT string_agg(attname, ' ' ORDER BY attname COLLATE "C") FROM pg_attribute
WHERE attrelid = '$view'::regclass AND attnum > 0
END
}

my @result = split /\n/, $node->safe_psql('postgres', <<'END');
SELECT attname FROM pg_attribute WHERE attrelid = 'bulkpar_result'::regclass
END
foreach my $column (@result)
{
	like($reference, qr/`$column`/, "the reference has the result's $column");
}

my @settings = split /\n/, $node->safe_psql('postgres', <<'END');
LOAD 'bulkpar';
SELECT name, current_setting(name) FROM pg_settings WHERE name LIKE 'bulkpar.%'
END
cmp_ok(scalar(grep { /\|/ } @settings), '>', 3, 'there are settings');
foreach my $setting (grep { /\|/ } @settings)
{
	my ($name, $value) = split /\|/, $setting;

	like($reference, qr/^\| `\Q$name\E` \| \Q$value\E \|/m,
		"the reference has $name and its default");
}

#
# The messages of the reference are those of the sources
#
my %messages = messages();
my $rows = 0;
while ($reference =~ /^\| ([0-9A-Z]{5}(?:, [0-9A-Z]{5})*) \| (.*?) \| /mg)
{
	my ($codes, $cell) = ($1, $2);

	$rows++;
	foreach my $message ($cell =~ /`([^`]+)`/g)
	{
		my %has = map { %{ $messages{$_} } }
		  grep { $message =~ /^$_$/ } keys %messages;

		is(join(', ', grep { $has{$_} } split /, /, $codes),
			$codes, "$codes: $message");
	}
}
cmp_ok($rows, '>', 30, 'the reference has messages');

cmp_ok(run_file('doc/clients.md'), '>', 1, 'so have the clients');
cmp_ok(run_file('doc/patterns.md'), '>', 10, 'so have the patterns');

# In the end the extension is removed.
run_file('doc/figures.md');
cmp_ok(run_file('doc/operations.md'), '>', 5, 'so have the operations');
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_extension WHERE extname = 'bulkpar'"),
	'0', 'the extension is gone');

# Links from one of the files to another, and to their headings.
foreach my $file (@files)
{
	my ($folder) = $file =~ m{^(.*/|)};

	while ($text{$file} =~ /\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)
	{
		my ($path, $anchor) = ($1, $2);
		my $target = $path eq '' ? $file : "$folder$path";

		1 while $target =~ s{(?:^|/)\w+/\.\./}{};
		ok(-e "$top/$target", "$file: there is $target");
		next if !defined $anchor;
		my %anchors = map { $_ => 1 }
		  map { lc($_) =~ s/[^\w -]//gr =~ s/ /-/gr }
		  slurp_file("$top/$target") =~ /^#+ (.+)$/mg;

		ok($anchors{$anchor}, "$file: $target has $anchor");
	}
}

$node->stop;
done_testing();
