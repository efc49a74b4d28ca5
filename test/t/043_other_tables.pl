# A statement reads another table once.  Its batches must not do so each: they
# look up what they need, by an index of that table, or where there is none in
# what was read when the job began.  Counted are the rows read in table scans.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = 6000;
my $others = 2 * $rows;
my $node = start_server('other_tables', <<'END');
autovacuum = off
bulkpar.report = off
END

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(<<"END");
CREATE TABLE base (id int PRIMARY KEY, c int, n int DEFAULT 0);
INSERT INTO base SELECT g, nullif(g + $rows + 200, $others - 100) FROM generate_series(1, $rows) g;
CREATE TABLE pairs (a int, b int, c int, n int DEFAULT 0, PRIMARY KEY (a, b));
INSERT INTO pairs SELECT g % 3, g, g + $rows + 200 FROM generate_series(1, $rows) g;
CREATE TABLE s (id int PRIMARY KEY, k int, w int NOT NULL);
INSERT INTO s SELECT g, g, g % 10 FROM generate_series(1, $others) g;
CREATE TABLE part (id int PRIMARY KEY, k int, w int) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (1) TO ($rows);
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM ($rows) TO (MAXVALUE);
INSERT INTO part SELECT id, k, w FROM s;
CREATE TABLE small (id int, w int);
INSERT INTO small SELECT g, g FROM generate_series(1, 100) g;
CREATE TABLE fresh (id int PRIMARY KEY, k int, w int);
CREATE VIEW seen AS SELECT * FROM s WHERE w < 9;
VACUUM ANALYZE base, pairs, s, part, small;
INSERT INTO fresh SELECT * FROM s;
-- so that it is looked up and not remembered, see 062_memory
UPDATE s SET w = w WHERE id = 1;
END

# The rows that were read in scans of all tables of a name and its partitions.
sub scanned
{
	my ($table) = @_;

	sql('SELECT pg_stat_force_next_flush()');
	return sql('SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables'
		  . " WHERE relname ~ '^$table(_\\d)?\$'");
}

sub checksum
{
	return sql("SELECT count(*), sum(hashtext(t::text)::bigint) FROM $_[0] t");
}

# Run a statement, in which T is the target, by itself and as a job, and see how
# many times the job has read all of the table with the name.
sub is_read
{
	my ($base, $table, $times, $statement, $name, %options) = @_;
	my $arguments = $options{arguments} // '';
	my (%result, %count, $before, $read);

	sql("DROP TABLE IF EXISTS plain, t; CREATE TABLE plain (LIKE $base INCLUDING ALL);"
		  . " CREATE TABLE t (LIKE $base INCLUDING ALL); INSERT INTO plain SELECT * FROM $base;"
		  . " INSERT INTO t SELECT * FROM $base;"
		  . ($options{unanalyzed} ? '' : ' ANALYZE plain; ANALYZE t;'));
	$count{plain} = sql('WITH x AS (' . ($statement =~ s/\bT\b/plain/gr) . ' RETURNING 1) SELECT count(*) FROM x');
	$before = scanned($table);
	$statement =~ s/\bT\b/t/g;
	$count{job} = sql("SELECT rows_changed FROM bulkpar_execute(\$\$$statement\$\$, 50, 2$arguments)");
	$read = (scanned($table) - $before) / $others;
	is($count{job}, $count{plain}, "$name: as many rows");
	is(checksum('t'), checksum('plain'), "$name: with the same values");
	cmp_ok($count{job}, '>', 0, "$name: which are some");
	cmp_ok($read, '<=', $times, "$name: the other table is read $times times at the most")
	  or diag(sql("SELECT * FROM bulkpar_explain(statement => \$\$$statement\$\$, batch_size => 50)"));
	return;
}

# By an index.  To list the rows it may be read once, and to look for them once
# more where the list turns out to be too long.
foreach my $table (qw(s part fresh))
{
	is_read('base', $table, 2, "DELETE FROM T WHERE NOT EXISTS (SELECT FROM $table x WHERE x.id = T.c)",
		"NOT EXISTS, $table");
	is_read('base', $table, 2, "DELETE FROM T WHERE c IN (SELECT id FROM $table)", "IN, $table");
	is_read('base', $table, 2, "UPDATE T SET n = x.w + 1 FROM $table x WHERE x.id = T.c",
		"FROM, $table");
	is_read('base', $table, 2, "DELETE FROM T USING $table x WHERE x.id = T.id AND x.w = 3",
		"USING, by the key, $table");
	is_read('pairs', $table, 2, "DELETE FROM T WHERE EXISTS (SELECT FROM $table x WHERE x.id = T.c AND x.w < 5)",
		"EXISTS, a key of two columns, $table");
}
is_read('base', 's', 2, 'UPDATE T SET n = (SELECT w + 1 FROM s WHERE s.id = T.c)', 'a value');
is_read('base', 's', 2, 'DELETE FROM T WHERE NOT EXISTS (SELECT FROM s WHERE s.id = T.c)',
	'a table that was never analyzed', unanalyzed => 1);
is_read('base', 's', 2, 'DELETE FROM T WHERE NOT EXISTS (SELECT FROM s WHERE s.id = T.c)',
	'without a list', arguments => ", on_error => 'skip'");

# Without one.
foreach my $table (qw(s part fresh))
{
	is_read('base', $table, 2, "DELETE FROM T WHERE NOT EXISTS (SELECT FROM $table x WHERE x.k = T.c)",
		"NOT EXISTS without an index, $table");
	is_read('base', $table, 2, "UPDATE T SET n = x.w + 1 FROM $table x WHERE x.k = T.c",
		"FROM without an index, $table");
	is_read('pairs', $table, 2, "DELETE FROM T USING $table x WHERE x.k = T.c AND x.w = 3",
		"USING without an index, a key of two columns, $table");
	is_read('base', $table, 2, "DELETE FROM T WHERE c IN (SELECT k FROM $table)",
		"IN without an index, $table");
}
is_read('base', 's', 2, 'UPDATE T SET n = (SELECT w + 1 FROM s WHERE s.k = T.c)', 'a value without an index');
is_read('base', 's', 3,
	'UPDATE T SET n = a.w + b.w FROM s a, s b WHERE a.k = T.c AND b.k = T.id',
	'twice without an index');
is_read('base', 's', 2, <<'END', 'in a subquery of a subquery');
DELETE FROM T WHERE EXISTS (SELECT FROM small WHERE small.id = T.c % 100
	AND EXISTS (SELECT FROM s WHERE s.k = T.c AND s.w >= small.w))
END

# A list that one statement reads whole in any case.
is_read('base', 's', 2, 'DELETE FROM T WHERE c NOT IN (SELECT id FROM s)', 'NOT IN');
is_read('base', 's', 2, 'DELETE FROM T WHERE id < 3000 OR c IN (SELECT id FROM s WHERE w < 5)', 'IN after OR');
is_read('base', 's', 2, 'DELETE FROM T WHERE c NOT IN (SELECT id FROM seen)', 'NOT IN of a view');

# Few rows are not worth it, and those of a small table are hashed.
is(sql("SELECT count(*) FROM bulkpar_explain(statement => '$_', batch_size => 50) e WHERE e ~ 'Evaluated once'"), 0,
	"not evaluated once: $_")
  foreach 'DELETE FROM base USING s WHERE s.k = base.c AND base.id = 5',
  'DELETE FROM base USING small s WHERE s.id = base.c',
  'DELETE FROM base USING s WHERE s.id = base.c',
  'DELETE FROM base USING s WHERE s.w > base.c';
is( sql("SELECT * FROM bulkpar_explain(statement => 'DELETE FROM base USING s x WHERE x.k = base.c',"
		  . " batch_size => 50) e WHERE e ~ 'Evaluated once'") =~ s/about \d+ rows, \d+ kB/about N rows, S/r,
	'Evaluated once: USING x, which has no index on k (about N rows, S)', 'explain says why');

# What is not, though each batch reads it whole, is named.
sub explained
{
	my ($pattern, $call) = @_;

	return sql("SELECT string_agg(e, '|') FROM bulkpar_explain($call) e WHERE e ~ '$pattern'");
}
my $joined = q(statement => $$DELETE FROM base USING s AS x WHERE x.k = base.c%s$$, batch_size => 50);
is(explained('Read whole', sprintf($joined, ' AND base.id < 100')),
	'Read whole by each batch: USING x, which has no index on k', 'a table without an index, for few rows');
is(explained('Read whole', sprintf($joined, q( AND x.ctid <> '(0,0)'))),
	'Read whole by each batch: USING x, which has no index on k', 'of which more than columns are used');
is(explained('Read whole', sprintf($joined, '') . ', sees_batches => true'),
	'Read whole by each batch: USING x, which has no index on k', 'that is to be seen as it is');
is(explained('Read whole', q('base', condition => 'id < 9 AND c NOT IN (SELECT k FROM s)', batch_size => 50)),
	'Read whole by each batch: SELECT k FROM s', 'a list');
is(explained('Read whole|Evaluated once', $_), '', "$_: nothing is read whole")
  foreach sprintf($joined =~ s/x\.k/x.id/r, ''), q('base', condition => 'c NOT IN (SELECT id FROM s)', batch_size => 50),
  sprintf($joined =~ s/\bs\b/small/r =~ s/x\.k/x.w/r, '');
like(explained('Rows:', q(statement => $$DELETE FROM base WHERE id < 50 AND EXISTS (SELECT FROM small
	WHERE small.id = base.id AND random() < 2)$$, batch_size => 50)),
	qr/ to be deleted, not listed: a volatile function or TABLESAMPLE chooses them$/, 'a volatile function in a subquery');

# The same rows by EXISTS as by IN and NOT IN, with nulls and without.
sql(<<"END");
CREATE TABLE list (k int, w int, PRIMARY KEY (w));
CREATE INDEX ON list (k);
CREATE TABLE empty (LIKE list INCLUDING ALL);
INSERT INTO list SELECT nullif(g, 7), g FROM generate_series(1, $others) g;
ANALYZE list;
END
foreach my $test ('c NOT IN (SELECT k FROM list WHERE w <> 7)',
	'c NOT IN (SELECT k FROM list)',
	'c NOT IN (SELECT k FROM list WHERE w < 0)',
	'c IN (SELECT k FROM list WHERE w % 2 = 0) OR id = 1',
	'id = 1 OR c NOT IN (SELECT k FROM list WHERE w % 3 = 0)',
	'id = 1 OR (c NOT IN (SELECT k FROM list WHERE w % 3 = 0) AND id % 5 > 0)',
	'NOT (c IN (SELECT k FROM list WHERE w % 3 = 0) OR id % 3 = 0)',
	'(c IN (SELECT k FROM list WHERE w % 3 = 0)) IS NULL',
	'c::bigint NOT IN (SELECT k FROM list WHERE w % 3 = 0)',
	'(c IN (SELECT k FROM list WHERE w % 3 = 0)) IS NOT TRUE',
	'c NOT IN (SELECT l.k FROM small LEFT JOIN list l ON l.w = small.id)',
	'(c, id) NOT IN (SELECT k, w FROM list WHERE w % 3 = 0)')
{
	sql('DROP TABLE IF EXISTS plain, t; CREATE TABLE t (LIKE base INCLUDING ALL); INSERT INTO t SELECT * FROM base;'
		  . ' UPDATE t SET c = NULL WHERE id % 11 = 0; CREATE TABLE plain AS TABLE t; ANALYZE t;');
	sql("UPDATE plain SET n = n + 1 WHERE $test");
	sql("SELECT bulkpar_update('t', 'n', 'n + 1', 50, condition => '$test')");
	is(checksum('t'), checksum('plain'), $test);
}

# A list with an index is what it is when a batch looks: who has got a parent
# while the job runs keeps his.
sql('DROP TABLE t; CREATE TABLE t (LIKE base INCLUDING ALL); INSERT INTO t SELECT g, -g FROM generate_series(1, 5000) g; ANALYZE t;'
	  . q( CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.id = 2000 THEN RAISE 'stop'; END IF; RETURN OLD; END $$;)
	  . ' CREATE TRIGGER stop BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION stop()');
run_as($node, 'postgres', "SELECT bulkpar_delete('t', 'c NOT IN (SELECT id FROM s)', 50, 1)");
sql('DROP TRIGGER stop ON t; INSERT INTO s VALUES (-4000, -4000, 1)');
sql('SELECT bulkpar_resume(' . last_job($node) . ')');
is(sql('SELECT string_agg(id::text, $$,$$) FROM t'), '4000', 'a parent that came later is seen');

# So is one in a table without an index, if that is wanted.
sql('CREATE TRIGGER stop BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION stop()');
foreach my $sees (0, 1)
{
	sql('TRUNCATE t; INSERT INTO t SELECT g, -g FROM generate_series(1, 5000) g; ANALYZE t; DELETE FROM s WHERE id = -4000');
	run_as($node, 'postgres', "SELECT bulkpar_delete('t', 'NOT EXISTS (SELECT FROM s WHERE s.k = t.c)', 50, 1"
		  . ($sees ? ', sees_batches => true' : '') . ')');
	sql('ALTER TABLE t DISABLE TRIGGER stop; INSERT INTO s VALUES (-4000, -4000, 1)');
	sql('SELECT bulkpar_resume(' . last_job($node) . ')');
	is(sql('SELECT count(*) FROM t'), $sees, "sees_batches $sees: a table without an index");
	sql('ALTER TABLE t ENABLE TRIGGER stop');
}

# What a function plans while a batch is planned is no batch.
sql(<<'END');
CREATE FUNCTION explained() RETURNS text LANGUAGE plpgsql VOLATILE AS
$$ DECLARE line text; BEGIN EXECUTE 'EXPLAIN SELECT FROM s' INTO line; RETURN line; END $$;
CREATE FUNCTION constant() RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN explained(); END $$;
DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT g FROM generate_series(1, 1000) g;
SELECT bulkpar_update('t', 'v', 'constant()', 50);
END
is(sql('SELECT count(*) FROM t WHERE v <> explained()'), 0, 'a function plans with the costs of the session');

# What was chosen holds for the job, whatever becomes of the table.
sql("DROP TABLE t; CREATE TABLE t (LIKE base INCLUDING ALL); INSERT INTO t SELECT * FROM base; ANALYZE t");
my $statement = 'UPDATE t SET n = t.n + x.w + 1 + (CASE WHEN t.id = 5000 THEN 1 / (x.w - 9) ELSE 0 END)'
  . ' FROM s x WHERE x.k = t.id AND x.w >= 0';
sql('UPDATE s SET w = 9 WHERE k = 5000; VACUUM ANALYZE s');
my ($out, $err) = run_as($node, 'postgres', "SELECT status FROM bulkpar_execute(\$\$$statement\$\$, 50, 1, stripes => 1)");
like($err, qr/division by zero/, 'a job fails on the way');
my $job = last_job($node);
is(sql("SELECT count(*) FROM bulkpar.bulkpar_subquery WHERE job_id = $job AND choice > 0"), 1, 'it keeps the table');
sql("CREATE INDEX ON s (k); UPDATE s SET w = w + 100; ANALYZE s; UPDATE t SET id = 30000 WHERE id = 5000");
($out, $err) = run_as($node, 'postgres', "SELECT status FROM bulkpar_resume($job)");
is($out, 'succeeded', 'and goes on with it when the table has got an index') or diag($err);
is(sql("SELECT sum(n) FROM t WHERE id <= $rows"),
	sql("SELECT sum(w - 99) FROM s WHERE k BETWEEN 1 AND $rows AND k <> 5000"),
	'and with the rows that it had');

done_testing();
