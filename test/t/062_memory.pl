# A worker remembers another table from one batch to the next, as long as it has
# not changed.  Whatever is done to it meanwhile must be seen by the batches that
# follow.  Counted are the rows that are looked up by its indexes.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = 4000;
my $others = 500;
my $node = start_server('memory', 'bulkpar.report = off');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub vacuum { return sql("VACUUM ANALYZE $_[0]"); }

# How many times an index of the other table was asked.  Who has ended has told it.
sub looked_up
{
	wait_until($node, "count(*) = 0 FROM pg_stat_activity WHERE backend_type LIKE 'bulkpar%'");
	return sql("SELECT coalesce(sum(idx_scan), 0) FROM pg_stat_user_indexes WHERE relname = 's'");
}

# The pages of the other table of which not all rows are to be seen by everybody.
sub hidden { return sql("SELECT count(*) FROM pg_visibility_map('s') WHERE NOT all_visible"); }

sub checksum
{
	return sql("SELECT count(*), sum(hashtext(t::text)::bigint) FROM $_[0] t");
}

sql(<<"END");
CREATE EXTENSION pg_visibility;
CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE base (id int PRIMARY KEY, c int, d int, big bigint, num numeric, name text COLLATE ci, day date, codes int[], n int DEFAULT 0);
INSERT INTO base SELECT g, nullif(g % 1000, 7), g % 3, g % 1000, (g % 1000)::numeric(9, 2),
	CASE g % 2 WHEN 0 THEN 'NAME ' ELSE 'name ' END || g % 1000, '2026-01-01'::date + g % 1000, ARRAY[g % 1000, NULL]
	FROM generate_series(1, $rows) g;
CREATE TABLE source (id int PRIMARY KEY, d int, w int, num numeric(9, 4), name text COLLATE ci, day date, codes int[]);
INSERT INTO source SELECT g, g % 3, g * 10, g, 'Name ' || g, '2026-01-01'::date + g, ARRAY[g, NULL]
	FROM generate_series(1, $others) g;
END

# Make a table anew, with what is in another.
sub make
{
	my ($table, $from) = @_;

	return sql("DROP TABLE IF EXISTS $table; CREATE TABLE $table (LIKE $from INCLUDING ALL); INSERT INTO $table SELECT * FROM $from");
}

# The other table, with an index on each of some columns.
sub make_other
{
	my (@columns) = @_;

	make('s', 'source');
	sql("CREATE INDEX ON s ($_)") foreach @columns;
	return vacuum('s');
}

# Run a statement on T by itself and as a job, and count what is looked up by the
# job for the rows of the other table.
sub is_same
{
	my ($statement, $name, %options) = @_;
	my $before;
	my $count;

	make($_, 'base') foreach qw(plain t);
	vacuum('plain, t');
	sql($statement =~ s/\bT\b/plain/gr);
	$before = looked_up();
	sql(($options{set} // '') . ';SELECT bulkpar_execute($$' . ($statement =~ s/\bT\b/t/gr) . "\$\$, 50, 1"
		  . ($options{arguments} // '') . ')');
	$count = looked_up() - $before;
	is(checksum('t'), checksum('plain'), "$name: the same rows");
	isnt(checksum('t'), checksum('base'), "$name: which are others");
	return $count;
}

# What is looked up until it pays to remember a table, or for a list of rows.
my $few = $rows / 4;

make_other('num', 'name', 'day', 'codes', 'd, id', '(id % 100)');
foreach my $statement (
	'UPDATE T SET n = s.w FROM s WHERE s.id = T.c',
	'UPDATE T SET n = s.w FROM s WHERE s.id = T.big',
	'UPDATE T SET n = s.w FROM s WHERE s.num = T.num',
	'UPDATE T SET n = s.w FROM s WHERE s.name = T.name',
	'UPDATE T SET n = s.w FROM s WHERE s.day = T.day',
	'UPDATE T SET n = s.w FROM s WHERE s.codes = T.codes',
	'UPDATE T SET n = s.w FROM s WHERE s.d = T.d AND s.id = T.c AND s.w > 500',
	'UPDATE T SET n = (SELECT w FROM s WHERE s.id = T.c)',
	'UPDATE T SET n = (SELECT sum(w) FROM s WHERE s.num = T.num AND s.w < 3000)',
	'UPDATE T SET n = l.w FROM base b LEFT JOIN s l ON l.id = b.c AND l.w <> 70 WHERE b.id = T.id',
	'UPDATE T SET n = n + 1 WHERE c IN (SELECT id FROM s)',
	'UPDATE T SET n = n + 1 WHERE c NOT IN (SELECT id FROM s)',
	'UPDATE T SET n = n + 1 WHERE id % 2 = 0 OR EXISTS (SELECT FROM s WHERE s.id = T.c)',
	'DELETE FROM T WHERE NOT EXISTS (SELECT FROM s WHERE s.id = T.c)',
	'DELETE FROM T USING s WHERE s.id = T.c AND s.w % 20 = 0',
	'DELETE FROM T USING (SELECT DISTINCT ON (c) c, id FROM T ORDER BY c, id DESC) s WHERE s.c = T.c AND s.id <> T.id',
	'DELETE FROM T WHERE id NOT IN (SELECT max(id) FROM T GROUP BY c)')
{
	my $count = is_same($statement, $statement);

	cmp_ok($count, '<=', $few, "$statement: few are looked up");
}

# A hash of many values, more than once, and the rows as the table has them.
sql('INSERT INTO s SELECT g, 1, g, 1, NULL, NULL, NULL FROM generate_series(2001, 2300) g');
vacuum('s');
cmp_ok(is_same('UPDATE T SET n = (SELECT sum(w) FROM s WHERE s.num = T.d)', 'many of one value'), '<=', $few,
	'many of one value: few are looked up');
cmp_ok(is_same('UPDATE T SET n = s.w FROM s WHERE s.name = T.name AND s.ctid IS NOT NULL AND s.tableoid = $s$s$s$::regclass', 'system columns'),
	'<=', $few, 'system columns: few are looked up');

# Where many rows have the same key and the index knows which of them are meant it is
# asked, and so it is for rows, whose hash is another one with another field.
sql('CREATE TYPE pair AS (a int, b int); ALTER TABLE s ADD pair pair, ADD pairs pair[]; CREATE INDEX ON s (d, id); CREATE INDEX ON s (d) WHERE id < 30;'
	  . ' CREATE INDEX ON s (pair); CREATE INDEX ON s (pairs)');
vacuum('s');
make('t', 'base');
foreach my $condition ('s.d = t.c AND s.id > t.c', 's.d = t.c AND s.id IN (1, 2)', 's.d = t.d AND s.id < 30',
	's.pair = ROW(t.c, 1)::pair', 's.pairs = ARRAY[ROW(t.c, 1)::pair]', 's.id = t.c')
{
	my $plan = sql("SET enable_seqscan = off; SELECT bulkpar_explain('UPDATE t SET n = 1 WHERE EXISTS (SELECT FROM s WHERE $condition) OR n = 5', 50, 1)");

	like($plan, qr/Index (Only )?Scan using s_/, "$condition: looked up by an index");
	is($plan =~ /bulkpar memory/ ? 1 : 0, $condition eq 's.id = t.c' ? 1 : 0, "$condition: whether it may be remembered");
}

# A caller who has tried a few batches keeps nothing.
is(sql("SELECT count(*) FROM bulkpar_explain('UPDATE t SET n = (SELECT w FROM s WHERE s.id = t.c)', 500, 1, sample => true) line WHERE line LIKE 'Sample: 3 batches%';"
	  . " SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'bulkpar memory'"), "1\n0", 'nothing is left of a sample');

# It is not where that cannot be proven to be right, or has no room.
make_other();
my $join = 'UPDATE T SET n = s.w FROM s WHERE s.id = T.c';
my $many = $rows * 3 / 4;

sql('UPDATE s SET w = w + 1 WHERE id = 400');
cmp_ok(is_same($join, 'just changed'), '>', $many, 'just changed: all are looked up');
vacuum('s');
cmp_ok(is_same($join, 'vacuumed'), '<=', $few, 'vacuumed: few are looked up');
cmp_ok(is_same('UPDATE T SET n = length(s.name) FROM s WHERE s.id = T.c', 'fits', set => "SET work_mem = '64kB'"),
	'<=', $few, 'what fits into memory: few are looked up');
sql("UPDATE s SET name = repeat('x', 200) || id");
vacuum('s');
cmp_ok(is_same('UPDATE T SET n = length(s.name) FROM s WHERE s.id = T.c', 'does not fit', set => "SET work_mem = '64kB'"),
	'>', $many, 'what does not: all are looked up');
sql("COPY (SELECT g, 1, g FROM generate_series(1, 40000) g) TO '" . $node->basedir . "/many'");
sql("BEGIN; DROP TABLE s; CREATE TABLE s (LIKE source INCLUDING ALL); COPY s (id, d, w) FROM '" . $node->basedir . "/many' (FREEZE); COMMIT");
is_same($join, 'believed to be few', set => "SET work_mem = '64kB'");
cmp_ok(sql("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 's'"), '<=', 15,
	'believed to be few: not read over and over');
make_other();
sql('ALTER TABLE s SET UNLOGGED');
vacuum('s');
cmp_ok(is_same($join, 'unlogged'), '>', $many, 'unlogged: all are looked up');

# SQL that puts the rows of a query in the place of those of the other table, which
# all can see from the first.
sub load_frozen
{
	my ($query) = @_;
	my $file = $node->basedir . '/rows';

	return "SET wal_skip_threshold = 0; COPY ($query) TO '$file'; BEGIN; TRUNCATE s; COPY s FROM '$file' (FREEZE); COMMIT";
}

# Between two batches of a job, with a worker that remembers the table, run some
# SQL; or in a batch, which sees the table as it was before.
sub changes_are_seen
{
	my ($name, $in_batch, @changes) = @_;
	my ($gate, $hold, $call);
	my $before;

	sql('DROP TABLE IF EXISTS old; CREATE TABLE old AS SELECT * FROM s');
	make('t', 'base');
	sql('ALTER TABLE t ADD at xid8; CREATE TRIGGER mark BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION mark()');
	vacuum('t');
	$before = looked_up();
	$gate = close_gate($node);
	$call = start_call($node, 'SELECT status FROM bulkpar_execute('
		  . "'UPDATE t SET n = (SELECT w FROM s WHERE s.id = t.c)', 50, 1, stripes => 1)");
	wait_for_workers($node, 1);
	if (!$in_batch)
	{
		# In a transaction without a snapshot, which VACUUM need not mind.
		$hold = $node->background_psql('postgres');
		$hold->query_until(qr/waits/, "\\echo waits\nBEGIN;\nLOCK TABLE t;\n");
		wait_until($node, "EXISTS (SELECT FROM pg_locks WHERE relation = 't'::regclass AND NOT granted)");
		open_gate($gate);
		wait_until($node, "EXISTS (SELECT FROM pg_locks WHERE relation = 't'::regclass"
			  . " AND mode = 'AccessExclusiveLock' AND granted)");
	}
	sql($_) foreach @changes;
	if (!$in_batch && @changes > 0 && $changes[-1] =~ /^VACUUM/)
	{
		# Once more where a process had a snapshot for a moment.
		for (1 .. 100) { last if hidden() == 0; sql('VACUUM s'); }
		is(hidden(), 0, "$name: all is to be seen by everybody");
	}
	open_gate($in_batch ? $gate : $hold);
	is(stop_call($call), 'succeeded', "$name: succeeded");
	cmp_ok(looked_up() - $before, '<=', $rows / 2 + $few, "$name: the table was remembered");
	is(sql(<<'END'), '0|0', "$name: each batch has seen the table as it was by then");
SELECT count(*) FILTER (WHERE NOT later AND n IS DISTINCT FROM (SELECT w FROM old WHERE old.id = c)),
	count(*) FILTER (WHERE later AND n IS DISTINCT FROM (SELECT w FROM s WHERE s.id = c))
FROM (SELECT *, at > (SELECT at FROM t WHERE id = 2000) AS later FROM t) t
END
	return;
}

# The same, for a table that is made anew.
sub is_seen
{
	make_other();
	return changes_are_seen(@_);
}

sql(<<'END');
CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.at := pg_current_xact_id();
	IF NEW.id = 2000 THEN
		PERFORM pg_advisory_xact_lock_shared(0);
		PERFORM go_on();
	END IF;
	RETURN NEW;
END $$;
CREATE FUNCTION go_on() RETURNS void LANGUAGE sql AS '';
END
foreach my $in_batch (1, 0)
{
	my $when = $in_batch ? 'in a batch' : 'between batches';

	is_seen("nothing, $when", $in_batch);
	is_seen("UPDATE of a row, $when", $in_batch, 'UPDATE s SET w = -1 WHERE id = 300');
	is_seen("UPDATE of all, $when", $in_batch, 'UPDATE s SET w = w + 1');
	is_seen("DELETE, $when", $in_batch, 'DELETE FROM s WHERE id % 2 = 0');
	is_seen("INSERT, $when", $in_batch, 'INSERT INTO s SELECT g, 0, -g FROM generate_series(501, 800) g');
	is_seen("ROLLBACK, $when", $in_batch, 'BEGIN; UPDATE s SET w = w + 1; ROLLBACK');
	is_seen("VACUUM, $when", $in_batch, 'VACUUM (FREEZE) s');
	is_seen("UPDATE and VACUUM, $when", $in_batch, 'UPDATE s SET w = w + 1', 'VACUUM s');
	is_seen("UPDATE, VACUUM, UPDATE and VACUUM, $when", $in_batch, 'UPDATE s SET w = w + 1', 'VACUUM s',
		'UPDATE s SET w = w + 1', 'VACUUM s');
	is_seen("rows are locked, $when", $in_batch, 'BEGIN; SELECT count(*) FROM (SELECT FROM s FOR UPDATE) x; COMMIT');
}
is_seen('an empty map', 0, "SELECT pg_truncate_visibility_map('s')", 'UPDATE s SET w = w + 1', 'VACUUM s');
is_seen('DELETE of all at the end', 0, 'DELETE FROM s WHERE id > 50', 'VACUUM (TRUNCATE) s');
is_seen('TRUNCATE', 0, 'TRUNCATE s');
is_seen('COPY FREEZE', 0, load_frozen('SELECT id, d, w + 1, num, name, day, codes FROM source'), 'VACUUM s');

# VACUUM looks at so few pages that it has nothing to tell others.
sql('TRUNCATE s; ALTER TABLE s SET (fillfactor = 10); INSERT INTO s TABLE source;'
	  . " INSERT INTO s SELECT g, 0, g FROM generate_series($others + 1, $others * 5) g");
vacuum('s');
changes_are_seen('UPDATE of a row and VACUUM', 0, 'UPDATE s SET w = -1 WHERE id = 3', 'VACUUM s');

# Without WAL, so that the map says the same of both.  From 16 on COPY adds pages
# that stay empty, and not all are to be seen.
sql(load_frozen('TABLE source') . '; ANALYZE s');
vacuum('s') if hidden() > 0;
changes_are_seen('COPY FREEZE twice', 0, load_frozen('SELECT id, d, w + 1, num, name, day, codes FROM source'));
is_seen('VACUUM FULL', 0, 'VACUUM FULL s', 'UPDATE s SET w = w + 1', 'VACUUM s');
is_seen('CLUSTER', 0, 'DELETE FROM s WHERE id % 5 = 0', 'CLUSTER s USING s_pkey', 'VACUUM s');
is_seen('another type', 0, 'ALTER TABLE s ALTER w TYPE int USING w + 7', 'VACUUM s');
is_seen('columns come and go', 0, 'ALTER TABLE s ADD x int DEFAULT 5; ALTER TABLE s DROP d; UPDATE s SET w = w + 1', 'VACUUM s');
is_seen('other indexes', 0, 'ALTER TABLE s DROP CONSTRAINT s_pkey; CREATE INDEX ON s (id); UPDATE s SET w = w + 1', 'VACUUM s');

# What a batch does itself to the table is not seen by it, but by the next one.
sql(<<'END');
CREATE OR REPLACE FUNCTION go_on() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM s WHERE id % 2 = 0;
	INSERT INTO s SELECT g, 0, -g FROM generate_series(501, 800) g;
END $$;
END
is_seen('a trigger of the batch', 1);

# Nor are catalogs remembered: ANALYZE writes into their rows.
sql(<<'END');
CREATE FUNCTION analyze_u() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ANALYZE u; RETURN NULL; END $$;
CREATE TABLE u AS SELECT FROM generate_series(1, 5);
END
make('t', 'base');
sql('CREATE TRIGGER refresh AFTER UPDATE ON t FOR EACH ROW WHEN (NEW.id = 2000) EXECUTE FUNCTION analyze_u()');
vacuum('t, pg_class');
sql(q{SELECT bulkpar_execute('UPDATE t SET n = (SELECT reltuples FROM pg_class WHERE oid = (t.d + ''u''::regclass::int - t.d)::oid)', 50, 1, stripes => 1)});
is(sql('SELECT n, count(*) FROM t WHERE id NOT BETWEEN 1950 AND 2050 GROUP BY n ORDER BY n'), "-1|1949\n5|1950",
	'what is changed in place in a catalog is seen');

# A row that waits for another session is looked at again with what it was joined
# to, as in one statement.
sub run_while_changed
{
	my ($table, $statement, $waits) = @_;
	my ($other, $call);

	make($table, 'base');
	vacuum($table);
	$other = $node->background_psql('postgres');
	$other->query_safe("BEGIN; UPDATE $table SET d = d + 1, c = CASE WHEN id < 2025 THEN c ELSE c + 1 END WHERE id BETWEEN 2020 AND 2030");
	$call = start_call($node, $statement);
	wait_until($node, "EXISTS (SELECT FROM pg_stat_activity WHERE $waits AND wait_event_type = 'Lock')");
	$other->query_safe('COMMIT');
	$other->quit;
	return stop_call($call);
}

foreach my $statement ('UPDATE t SET n = n + s.w FROM s WHERE s.id = t.c',
	'UPDATE t SET n = n + 1 WHERE EXISTS (SELECT FROM s WHERE s.id = t.c)')
{
	make_other();
	run_while_changed('plain', $statement =~ s/\bt\b/plain/gr, "application_name = 'caller'");
	is(run_while_changed('t', "SELECT status FROM bulkpar_execute('$statement', 50, 1, stripes => 1)",
			"backend_type = 'bulkpar worker'"), 'succeeded', "rows that change meanwhile, $statement");
	is(checksum('t'), checksum('plain'), 'as by one statement');
}

# Policies of the other table decide who is looked up, before anything else of its
# rows is used.
sql(<<'END');
CREATE ROLE owner LOGIN;
GRANT CREATE, USAGE ON SCHEMA public TO owner;
END
make_other();
make('t', 'base');
sql('ALTER TABLE t OWNER TO owner; GRANT SELECT ON s TO owner; ALTER TABLE s ENABLE ROW LEVEL SECURITY;'
	  . ' CREATE POLICY tenth ON s USING (id % 10 = 0)');
run_as($node, 'owner', "SELECT bulkpar_execute('UPDATE t SET n = 1 FROM s WHERE s.id = t.c', 50, 1)");
is(sql('SELECT count(*), count(*) FILTER (WHERE c % 10 = 0 AND c BETWEEN 1 AND 500) FROM t WHERE n = 1'),
	'200|200', 'rows that a policy hides are not looked up');

done_testing;
