# What random tables have about them: triggers, tables that refer to them,
# policies, partitions; and the DDL of it all.

package BulkparRandom::Others;

use strict;
use warnings FATAL => 'all';

use BulkparRandom::Draw;
use Exporter 'import';

our @EXPORT = qw(make_triggers make_others table_sql);

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
	  pick('BEFORE', 'AFTER') . " $event$of ON \@T\@ FOR EACH ROW"
	  . " EXECUTE FUNCTION eq.log_place('it''s', 2)"
	  if chance(0.15);
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
		push @later, "CREATE TABLE child (n int PRIMARY KEY, $columns,"
		  . " FOREIGN KEY ($names) REFERENCES \@T\@ ($names) ON DELETE $action)",
		  "INSERT INTO child SELECT seq, $names FROM \@T\@ WHERE seq % 4 = 1";
		push @later, 'CREATE TABLE grandchild (n int REFERENCES child'
		  . pick(' ON DELETE CASCADE)', ' ON DELETE SET NULL)'),
		  'INSERT INTO grandchild SELECT n FROM child WHERE n % 3 = 1';
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
		  'GRANT INSERT ON log, sums, failed TO eq_user',
		  'GRANT SELECT, INSERT, UPDATE, DELETE ON kept TO eq_user';
		push @later, missing_right($case) if chance(0.1);
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

# Then it is the statement that fails, not a row.
sub missing_right
{
	my ($case) = @_;

	$case->{not_row} = 1;
	return pick('REVOKE UPDATE, DELETE ON @T@ FROM eq_user',
		'REVOKE SELECT ON src, dup FROM eq_user',
		'REVOKE UPDATE ON @T@ FROM eq_user;'
		  . ' GRANT UPDATE (touched) ON @T@ TO eq_user');
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
	@filled = grep { defined $_->{value} && !$_->{generated} } @columns;
	$names = join(', ', map { $_->{name} } @filled);
	$values = join(",\n\t", map { $_->{value} } @filled);
	$sql = <<"END";
SET CONSTRAINTS ALL IMMEDIATE;
CREATE TABLE parent (id int PRIMARY KEY);
INSERT INTO parent SELECT generate_series(1, 40);
CREATE TABLE log (op text, old text, new text);
CREATE TABLE sums (op text, n bigint, hash numeric,
	xid xid8 DEFAULT pg_current_xact_id());
CREATE TABLE failed (seq int, sqlstate text);
CREATE TABLE kept (seq int@{[ $case->{kept_key} // '' ]}, touched int, e int);
INSERT INTO kept SELECT i * 7, i, -i FROM generate_series(1, 40) AS i;
CREATE TABLE src (seq int, val int, txt text);
CREATE TABLE dup (seq int, val int, txt text);
CREATE TABLE more (grp int PRIMARY KEY, val int, txt text);
INSERT INTO src SELECT i, @{[ value_of($case, 'R(200), CASE WHEN R(9) > 0 THEN R(9)::text END', 'src') ]}
	FROM generate_series(1, 320) AS i WHERE @{[ value_of($case, 'R(10)', 'in') ]} < @{[ pick(0, 3, 8, 9, 10, 10) ]};
@{[ nulls($case) ]}
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
	my %rows = $case->{form} ne 'tree' ? ($case->{name} => 'true')
	  : ($case->{name} => 'i % 4 IN (0, 2)', tree_child => 'i % 4 = 1',
		'"Tree leaf"' => 'i % 4 = 3');
	foreach my $into (sort keys %rows)
	{
		my $rows = $rows{$into};

		$sql .= "INSERT INTO $into ($names) SELECT\n\t$values\n"
		  . "\tFROM generate_series(1, $case->{rows}) AS i WHERE $rows"
		  . ($case->{shuffle} // '')
		  . ";\n";
	}
	$sql .= excluding_checks() if $case->{form} ne 'plain' && chance(0.5);
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

# Nulls in the table that most others are made of.
sub nulls
{
	my ($case) = @_;
	my $at = 1 + int(rand(300));

	return '' if chance(0.6);
	return "UPDATE src SET val = NULL WHERE seq % 7 = 2;\n"
	  . (chance(0.3) ? "INSERT INTO src VALUES (NULL, $at, NULL);" : '');
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

	my $key = join(', ', @{ $case->{key_names} });

	return "CREATE TABLE tree_child (more_of_it int, PRIMARY KEY ($key))"
	  . " INHERITS (\@T\@);\n"
	  . "CREATE TABLE \"Tree leaf\" (other text, PRIMARY KEY ($key))"
	  . ' INHERITS (' . pick('@T@', 'tree_child') . ");\n";
}

# CHECK constraints by which the planner can tell which parts a condition is not
# about, from the rows that are in each.
sub excluding_checks
{
	return <<'END';
DO $$
DECLARE
	part regclass;
	found int[];
	few int[];
BEGIN
	FOR part IN SELECT oid FROM pg_class WHERE relkind = 'r'
		AND relnamespace = '@S@'::regnamespace AND EXISTS (SELECT FROM
			pg_attribute WHERE attrelid = pg_class.oid AND attname = 'part')
	LOOP
		EXECUTE format('SELECT array_agg(DISTINCT part), min(seq) || ARRAY[max(seq)]'
			' FROM ONLY %s', part) INTO found, few;
		EXECUTE format('ALTER TABLE %s ADD CHECK (part = ANY (%L)) NO INHERIT,'
			' ADD CHECK (seq BETWEEN %s AND %s) NO INHERIT',
			part, coalesce(found, '{-1}'), coalesce(few[1], 1), coalesce(few[2], 0));
	END LOOP;
END $$;
END
}

1;
