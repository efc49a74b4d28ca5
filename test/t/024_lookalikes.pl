# The owner of a database, who is no superuser, makes functions, operators and
# casts that are a better match than those that bulkpar means, for the types at
# hand, and waits for a superuser to run a job.  None of them is ever called,
# whatever the search_path is, and every row is updated exactly once.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('lookalikes');

$node->init;
$node->append_conf('postgresql.conf', <<'END');
autovacuum = off
fsync = off
max_worker_processes = 16
log_statement = none
END
$node->start;

sub sql
{
	my ($sql, %options) = @_;

	return $node->safe_psql('trap', $sql, %options);
}

#
# What the superuser has: the extension, types, and tables with keys of all kinds.
#

$node->safe_psql('postgres', <<'END');
CREATE ROLE dbo LOGIN;
CREATE DATABASE trap OWNER dbo;
END
sql(<<'END');
CREATE EXTENSION bulkpar;
CREATE EXTENSION citext SCHEMA public;
CREATE DOMAIN public.dint AS int;
CREATE DOMAIN public.ddint AS public.dint;
CREATE DOMAIN public.dtext AS text;
CREATE DOMAIN public.dvarchar AS varchar(20);
CREATE DOMAIN public.dcitext AS public.citext;
CREATE SCHEMA adm;
END
sql(<<'END', extra_params => [ '-U', 'dbo' ]);
CREATE TYPE public.colour AS ENUM ('red', 'green');
END

# The columns of each table, the key, and the values of the key's columns.
my %tables = (
	t_int => [ 'id int', 'id', 'g' ],
	t_dint => [ 'id dint', 'id', 'g' ],
	t_ddint => [ 'id ddint', 'id DESC', 'g' ],
	t_text => [ 'id text', 'id', 'g' ],
	t_dtext => [ 'id dtext', 'id', 'g' ],
	t_own => [ 'id dtext COLLATE "C"', 'id COLLATE "und-x-icu"', 'g' ],
	t_pattern => [ 'id text', 'id text_pattern_ops DESC', 'g' ],
	t_dvarchar => [ 'id dvarchar', 'id', 'g' ],
	t_citext => [ 'id citext', 'id', 'g' ],
	t_dcitext => [ 'id dcitext', 'id DESC', 'g' ],
	t_two => [ 'tenant dint, id dcitext', 'tenant, id', 'g % 3, g' ],
	t_desc => [ 'tenant int, id dvarchar', 'tenant DESC, id DESC', 'g % 3, g' ],
	t_mixed => [ 'tenant dint, id dtext', 'tenant, id DESC', 'g % 3, g' ],
	t_colour => [
		'colour colour, id int', 'colour, id',
		"CASE WHEN g % 3 = 0 THEN 'red' ELSE 'green' END::colour, g"
	],
	t_part => [ 'id int', 'id', 'g' ],
	t_part_two =>
	  [ 'id dint, name dcitext', 'id, name', "g, 'name ' || g" ],);

foreach my $table (sort keys %tables)
{
	my ($columns, $key, $values) = @{ $tables{$table} };
	my $partitioned = $table =~ /part/ ? 'PARTITION BY RANGE (id)' : '';

	$columns =~ s/(,|$)/ NOT NULL$1/g;
	sql("CREATE TABLE adm.$table ($columns, n int NOT NULL, wanted bool NOT NULL)"
		  . " $partitioned");
	sql(<<"END") if $partitioned;
CREATE TABLE adm.${table}_1 PARTITION OF adm.$table FOR VALUES FROM (0) TO (1500);
CREATE TABLE adm.${table}_2 PARTITION OF adm.$table FOR VALUES FROM (1500) TO (3000);
END
	sql(<<"END");
CREATE UNIQUE INDEX ON adm.$table ($key);
INSERT INTO adm.$table SELECT $values, 0, g % 100 = 0
	FROM generate_series(1, 2000) AS g;
ANALYZE adm.$table;
END
}
# for what bulkpar_explain looks at
sql(<<'END');
CREATE TABLE adm.source AS SELECT id, id AS v FROM adm.t_int;
ALTER TABLE adm.source ADD PRIMARY KEY (id);
ANALYZE adm.source;
CREATE TABLE adm.child (id int REFERENCES adm.source (id));
CREATE TRIGGER x BEFORE UPDATE ON adm.t_int FOR EACH ROW
	EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE UNIQUE INDEX ON adm.t_dint ((n + id), id) WHERE n > 0;
CREATE UNIQUE INDEX ON adm.t_dtext (n, (id || 'x'));
CREATE UNIQUE INDEX ON adm.t_dcitext (n, id) WHERE id > '0'::public.citext;
END

#
# The traps.  Each leaves a trace that no rollback removes.
#

my @names = qw(< <= = >= >);
my $operators = 0;

sub as_dbo
{
	my ($sql) = @_;

	sql($sql, extra_params => [ '-U', 'dbo' ]);
	return;
}

sub trap
{
	my ($signature, $result, $return) = @_;

	$result //= 'boolean';
	$return //= 'RETURN true';
	return <<"END";
CREATE FUNCTION public.$signature RETURNS $result LANGUAGE plpgsql AS \$\$
BEGIN
	RAISE LOG 'fell into the trap $signature';
	PERFORM pg_catalog.nextval('public.calls');
	BEGIN
		ALTER ROLE dbo SUPERUSER;
	EXCEPTION WHEN OTHERS THEN
	END;
	$return;
END \$\$;
END
}

# Operators for each pair of types, but those that citext has.
sub trap_operators
{
	my ($names, @types) = @_;
	my $sql = '';

	foreach my $left (@types)
	{
		foreach my $right (@types)
		{
			next if "$left$right" eq 'citextcitext';
			foreach my $name (@$names)
			{
				my $function = 'operator_' . ++$operators;

				$sql .= trap("$function($left, $right)");
				$sql .= "CREATE OPERATOR public.$name (LEFTARG = $left,"
				  . " RIGHTARG = $right, FUNCTION = public.$function);\n";
			}
		}
	}
	return $sql;
}

as_dbo("CREATE SEQUENCE public.calls;\n"
	  . "GRANT ALL ON SEQUENCE public.calls TO PUBLIC;\n"
	  . trap_operators(\@names, qw(int dint ddint))
	  . trap_operators([ @names, qw(~<~ ~<=~ ~>~ ~>=~) ],
		qw(text dtext varchar dvarchar))
	  . trap_operators(\@names, qw(citext dcitext))
	  . trap_operators(\@names, qw(colour))
	  . trap_operators([qw(= <> < >)], qw(oid int2 bigint bool))
	  . trap_operators([qw(= <> < >)], qw(name "char" bpchar))
	  . trap_operators(['*<>'], 'record')
	  # pairs of different kinds, which pg_catalog does not have
	  . join('',
		map { trap("differ_$_($_, int)")
			. "CREATE OPERATOR public.= (LEFTARG = $_, RIGHTARG = int, FUNCTION = public.differ_$_);\n"
			. "CREATE OPERATOR public.<> (LEFTARG = $_, RIGHTARG = int, FUNCTION = public.differ_$_);\n"
			. "CREATE OPERATOR public.< (LEFTARG = $_, RIGHTARG = int, FUNCTION = public.differ_$_);\n"
			. "CREATE OPERATOR public.& (LEFTARG = $_, RIGHTARG = int, FUNCTION = public.differ_$_);\n"
		} qw(oid text)));

# Functions of bulkpar, whose last argument is VARIADIC "any", and such as its
# queries use.
as_dbo(join('',
		map { trap("bulkpar_in_stripe(int, int, $_)") } 'int', 'dint', 'ddint',
		'text', 'dtext', 'varchar', 'dvarchar', 'citext', 'dcitext', 'colour',
		'int, dcitext', 'dint, dcitext', 'int, dvarchar', 'dint, dtext',
		'colour, int', 'anyelement', 'anyelement, anyelement',
		'VARIADIC int[]', 'VARIADIC anyarray')
	  . trap('unnest(int[])', 'SETOF int', 'RETURN')
	  . trap('unnest(text[])', 'SETOF text', 'RETURN')
	  . join('', map { trap("num_nulls($_)", 'int', 'RETURN 0') } 'int', 'text')
	  . join('', map { trap("format(text, $_)", 'text', 'RETURN 1') }
		  'text', 'bigint', 'name, regclass', 'bigint, text, int'));

# Casts, of a type of his own.
as_dbo(trap('cast_int(colour)', 'int', 'RETURN 1')
	  . trap('cast_text(colour)', 'text', 'RETURN 1')
	  . <<'END');
CREATE CAST (colour AS int) WITH FUNCTION public.cast_int(colour) AS IMPLICIT;
CREATE CAST (colour AS text) WITH FUNCTION public.cast_text(colour) AS IMPLICIT;
END

#
# The jobs of the superuser.
#

my $functions = sql("SELECT DISTINCT pronamespace::regnamespace FROM pg_proc"
	  . " WHERE proname = 'bulkpar_await'");
my $books = sql("SELECT relnamespace::regnamespace FROM pg_class"
	  . " WHERE relname = 'bulkpar_chunk'");

# A session of the superuser with that search_path, where the calls of bulkpar
# that it is given update so many rows each.
sub updates
{
	my ($table, $path, @calls) = @_;
	my $sql = "SET bulkpar.report = off;\nSET search_path = $path;\n";
	my $rows = '';

	while (my ($call, $count) = splice(@calls, 0, 2))
	{
		$sql .= "SELECT rows_changed FROM $functions.$call;\n";
		$rows .= "$count\n";
	}
	chomp $rows;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(sql($sql), $rows, "$table, search_path $path: rows are updated");
	return;
}

# What bulkpar_explain has to say must not be that something failed.
sub explains
{
	my ($table, $path, @calls) = @_;
	my $shown = sql(
		join("\n",
			"SET search_path = $path;",
			map { "SELECT $functions.bulkpar_explain($_, sample => true);" }
			  @calls));

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(scalar(() = $shown =~ /^Sample: \d+ batch/mg),
		scalar(@calls), "$table, search_path $path: samples are run");
	unlike($shown, qr/failed/, "$table, search_path $path: nothing fails");
	return;
}

sub state_of
{
	my ($table) = @_;

	return sql("SET search_path = pg_catalog;\n"
		  . "SELECT count(*), min(n), max(n) FROM adm.$table"
		  . ' GROUP BY wanted ORDER BY wanted');
}

# In pg_catalog first, which is what it is unless one says so; and otherwise.
my @paths = ('"$user", public', "''", 'public, pg_catalog');

foreach my $table (sort keys %tables)
{
	foreach my $path (@paths)
	{
		updates(
			$table,
			$path,
			"bulkpar_update('adm.$table', 'n', 'n + 1', 100, 2, stripes => 4)",
			2000,
			"bulkpar_update('adm.$table', 'n', 'n + 1', 20, 2, condition => 'wanted')",
			20,
			"bulkpar_update('adm.$table', 'n', 'n + wanted::int', 500, 1, skip_unchanged => true)",
			20,
			"bulkpar_execute('UPDATE adm.$table AS t SET n = n + 1', 500, 2, stripes => 1)",
			2000);
		explains(
			$table,
			$path,
			"'adm.$table', 'n', 'n + 1', 100, 2, stripes => 4",
			"'adm.$table', 'n', 'n + 1', 20, 2, condition => 'wanted'",
			"'UPDATE adm.$table SET n = 1', 100, skip_unchanged => true");
	}
	is(state_of($table), "1980|6|6\n20|12|12",
		"$table: every row is updated exactly once by each job");
	is( sql("SELECT count(*) FROM $books.bulkpar_job AS j WHERE target = 'adm.$table'::regclass"
			  . " AND EXISTS (SELECT FROM $books.bulkpar_chunk AS c WHERE c.job_id = j.job_id AND keys IS NOT NULL)"
		),
		scalar(@paths),
		"$table: few rows are listed");
	is( sql("SELECT count(*) FROM $books.bulkpar_job AS j WHERE target = 'adm.$table'::regclass"
			  . " AND EXISTS (SELECT FROM $books.bulkpar_chunk AS c WHERE c.job_id = j.job_id AND stripes > 1)"
		),
		scalar(@paths),
		"$table: there are stripes");
}

# The superuser's own "=" is found in pg_catalog first here.
foreach my $path (@paths[ 0, 1 ])
{
	updates(
		't_int', $path,
		"bulkpar_update('adm.t_int', 'n', 's.v + 10000', 100, 2, from_item => 'adm.source s',"
		  . " condition => 's.id = t_int.id', stripes => 4)",
		2000,
		"bulkpar_update('adm.t_int', 'n', 't_int.n + 1', 20, 2, from_item => 'adm.source s',"
		  . " condition => 's.id = t_int.id AND wanted')",
		20,
		"bulkpar_execute('UPDATE adm.t_int SET n = v - v + 1 FROM adm.source s WHERE s.id = t_int.id', 500)",
		2000,
		"bulkpar_execute('DELETE FROM adm.t_int USING adm.source s WHERE s.id = t_int.id AND v > 1990', 500)",
		10,
		"bulkpar_execute('UPDATE adm.source SET v = v', 500)", 2000);
	explains(
		't_int', $path,
		"'adm.t_int', 'n', 's.v', 100, 2, from_item => 'adm.source s',"
		  . " condition => 's.id = t_int.id AND wanted'",
		"'adm.source', 'v', 'v'",
		"'adm.source', condition => 'v < 10'");
	sql("INSERT INTO adm.t_int SELECT g, 1, g % 100 = 0 FROM generate_series(1991, 2000) AS g");
}

foreach my $table (sort keys %tables)
{
	updates($table, $paths[2],
		"bulkpar_delete('adm.$table', 'wanted', 20)", 20);
}

is(sql('SELECT is_called FROM public.calls'), 'f', 'no trap has a trace');
is(sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'dbo'"),
	'f', 'dbo is no superuser');
is(join("\n", slurp_file($node->logfile) =~ /(fell into the trap .*)/g),
	'', 'no trap is in the log');

# They do work.
as_dbo('SELECT public.bulkpar_in_stripe(4, 1, 1::dint), 1::dint < 2::dint');
is(sql('SELECT last_value FROM public.calls'), '2', 'a trap leaves a trace');

$node->stop;
done_testing();
