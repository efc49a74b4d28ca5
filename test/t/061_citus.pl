# Tables of Citus: each node changes its shards, exactly once, whatever dies
# meanwhile; what cannot be right is refused, and a shard that moves away loses
# nothing.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparCitus;
use BulkparFaults;
use BulkparTest;
use List::Util qw(sum);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

# Rows of a table, how many of its shards each of two workers has, and how often
# servers are killed and shards moved.
my $rows = 4000;
my $shards = 2;
my $rounds = $ENV{BULKPAR_ROUNDS} // 2;

seed_random();
diag(citus_is_real() ? 'with Citus' : 'with a stub of Citus');
my ($here, $one, $two) = start_citus("restart_after_crash = on\nwal_writer_delay = 10s", qw(here one two));
my @nodes = ($one, $two);
my $super = $here->safe_psql('postgres', 'SELECT current_user');

sub sql { return $here->safe_psql('postgres', $_[0]); }

# The error of a statement on a server, with its details.
sub error_of
{
	my ($server, $statement, %settings) = @_;

	return call_error(start_call($server, $statement, %settings));
}

# The call must fail, and no job be made anywhere.
sub is_refused
{
	my ($server, $statement, $pattern, $name, %settings) = @_;
	my $jobs = sub { return join ',', map { $_->safe_psql('postgres', 'SELECT count(*) FROM bulkpar_jobs') } $here, @nodes };
	my $before = $jobs->();

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like(error_of($server, $statement, %settings), $pattern, $name);
	is($jobs->(), $before, "$name: nothing has started");
	return;
}

# Rows, smallest and largest n of the table.
sub state_of
{
	my ($table) = @_;
	my @states = map { [ split /\|/ ] } placed_rows($table, 'SELECT count(*), coalesce(min(n), 9), coalesce(max(n), 0) FROM $shard');

	return join '|', sum(map { $_->[0] } @states), (sort map { $_->[1] } @states)[0], (sort map { $_->[2] } @states)[-1];
}

# Make n of all rows 0.
sub zero
{
	my ($table) = @_;

	$_->[1]->safe_psql('postgres', "UPDATE ${table}_$_->[0] SET n = 0") foreach placements($table);
	return;
}

# Put the rows into a distributed table; without Citus each shard gets every so
# manieth.
sub fill
{
	my ($table) = @_;
	my @placements = placements($table);

	return sql("INSERT INTO $table SELECT g, 0, 'x' FROM generate_series(1, $rows) g") if citus_is_real();
	foreach my $i (0 .. $#placements)
	{
		my ($shard, $server) = @{ $placements[$i] };

		$server->safe_psql('postgres', "INSERT INTO ${table}_$shard SELECT g, 0, 'x' FROM generate_series(1, $rows) g WHERE g % "
			  . @placements . " = $i; ANALYZE ${table}_$shard");
	}
	return;
}

on_nodes('CREATE TABLE users (id integer PRIMARY KEY, n integer NOT NULL, note text)');
distribute('users', 'id', 2 * $shards, 1, 2);
fill('users');
is(state_of('users'), "$rows|0|0", 'the table is spread');

#
# What is refused, on every node.
#
on_nodes('CREATE TABLE countries (id integer PRIMARY KEY, n integer NOT NULL)');
on_nodes('CREATE TABLE settings (id integer PRIMARY KEY, n integer NOT NULL)');
on_nodes('CREATE TABLE tenant (id integer PRIMARY KEY, n integer NOT NULL)');
on_nodes('CREATE TABLE twice (id integer PRIMARY KEY, n integer NOT NULL)');
sql('CREATE TABLE plain (id integer PRIMARY KEY, n integer NOT NULL); INSERT INTO plain SELECT g, 0 FROM generate_series(1, 100) g');
if (citus_is_real())
{
	sql(<<'END');
SELECT create_reference_table('countries');
SELECT citus_add_local_table_to_metadata('settings');
SELECT create_distributed_table('tenant', NULL);
SET citus.shard_replication_factor = 2;
SELECT create_distributed_table('twice', 'id', shard_count => 2, colocate_with => 'none');
END
}
else
{
	on_nodes(<<'END');
INSERT INTO pg_dist_partition VALUES ('countries', 'n', NULL, 2, 't'), ('settings', 'n', NULL, 0, 's'),
	('tenant', 'n', NULL, 3, 's'), ('twice', 'h', 'id', 4, 'c');
INSERT INTO pg_dist_shard VALUES ('countries', 200001), ('settings', 200002), ('tenant', 200003), ('twice', 200004);
INSERT INTO pg_dist_placement VALUES (200001, 1, 0), (200001, 1, 1), (200001, 1, 2), (200002, 1, 0), (200003, 1, 1),
	(200004, 1, 1), (200004, 1, 2);
END
	$_->safe_psql('postgres', 'CREATE TABLE countries_200001 (LIKE countries INCLUDING ALL)') foreach $here, @nodes;
	$_->safe_psql('postgres', 'CREATE TABLE twice_200004 (LIKE twice INCLUDING ALL)') foreach @nodes;
	$here->safe_psql('postgres', 'CREATE TABLE settings_200002 (LIKE settings INCLUDING ALL)');
	$one->safe_psql('postgres', 'CREATE TABLE tenant_200003 (LIKE tenant INCLUDING ALL)');
}
my %managed = (
	countries => qr/^ERROR:  0A000: table "countries" is a reference table of Citus\n.*HINT:  /ms,
	settings => qr/^ERROR:  0A000: table "settings" is a local table that Citus manages\nHINT:  .* shard, settings_\d+, on node /m,
	twice => qr/^ERROR:  0A000: table "twice" has more than one copy of its rows in Citus\n.*HINT:  /ms);
foreach my $table (sort keys %managed)
{
	foreach my $server ($here, $one)
	{
		my $where = 'on ' . $server->name;

		is_refused($server, "SELECT bulkpar_$_", $managed{$table}, "$_ $where")
		  foreach "update('$table', 'n', 'n + 1')", "delete('$table', NULL)", "explain('$table', 'n', 'n + 1')",
		  "execute('UPDATE $table SET n = n + 1')";
	}
}
is_refused($here, "SELECT bulkpar_update('{plain, settings}', 'n', 'n + 1')", $managed{settings}, 'one of several tables');
is_refused($here, "SELECT bulkpar_execute('INSERT INTO $_ SELECT id, n FROM plain')",
	qr/^ERROR:  0A000: rows cannot be inserted into table "$_" of Citus in batches/m, "an INSERT into $_")
  foreach sort keys %managed;
sql('CREATE TABLE parent (id integer, n integer) PARTITION BY RANGE (id);'
	  . 'CREATE TABLE child PARTITION OF parent (PRIMARY KEY (id)) FOR VALUES FROM (1) TO (10)');
if (!citus_is_real())
{
	sql("INSERT INTO pg_dist_partition VALUES ('child', 'n', NULL, 0, 's')");
	is_refused($here, "SELECT bulkpar_update('parent', 'n', 'n + 1')",
		qr/^ERROR:  0A000: table "child" is a local table that Citus manages/m, 'a partition');
	sql('CREATE ACCESS METHOD columnar TYPE TABLE HANDLER heap_tableam_handler;'
		  . 'CREATE TABLE packed (id integer PRIMARY KEY, n integer) USING columnar');
	is_refused($here, "SELECT bulkpar_update('packed', 'n', 'n + 1')",
		qr/^ERROR:  0A000: columnar table "packed" is not supported/m, 'a columnar table');
}
is(sql("SELECT status, rows_changed FROM bulkpar_update('plain', 'n', 'n + 1')"), 'succeeded|100', 'a table beside Citus');

#
# A shard on its own node.
#
my ($shard, $server) = @{ (placements('users'))[0] };
my $count = $server->safe_psql('postgres', "SELECT count(*) FROM users_$shard");
is($server->safe_psql('postgres', "SELECT status, rows_changed FROM bulkpar_update('users_$shard', 'n', 'n + 1', 100)"),
	"succeeded|$count", 'a shard');
is($server->safe_psql('postgres', "SELECT min(n), max(n) FROM users_$shard"), '1|1', 'each row is changed once');
is_refused($server, "SELECT bulkpar_update('users_$shard', 'id', 'id + 1')",
	qr/^ERROR:  0A000: cannot update column "id" in batches because Citus distributes table "users_$shard" by it/m,
	'the distribution column');
my ($copy) = grep { $_->[1] == $one } placements('countries');
is_refused($one, "SELECT bulkpar_update('countries_$copy->[0]', 'n', 'n + 1')",
	qr/^ERROR:  0A000: table "countries_\d+" is a copy of a reference table of Citus/m, 'a copy of a reference table');
($copy) = placements('twice');
is_refused($copy->[1], "SELECT bulkpar_update('twice_$copy->[0]', 'n', 'n + 1')",
	qr/^ERROR:  0A000: table "twice_\d+" has more than one copy/m, 'a shard that is there twice');
is_refused($server, "SELECT bulkpar_execute('INSERT INTO users_$shard SELECT id + 1000000, n FROM users_$shard', sees_batches => true)",
	qr/^ERROR:  0A000: rows cannot be inserted into table "users_$shard" of Citus/m, 'an INSERT into a shard');
zero('users');

#
# A shard that moves away while its rows are changed: nothing that the job has done
# is lost, and it fails.  Of several shards all rows are changed in one batch, for
# which the move waits: its commit must be in what Citus waits for then.
#
foreach my $time (1 .. $rounds)
{
	foreach my $mode ('block_writes', 'force_logical')
	{
		foreach my $bundled (0, 1)
		{
			my @all = grep { $_->[1] == $one } placements('users');
			my $name = "$mode, " . ($bundled ? 'several shards' : 'one shard') . ", time $time";
			my ($moved) = @{ $all[-1] };
			my $targets = join ', ', map { "users_$_->[0]" } $bundled ? @all : $all[-1];
			my $call = start_call($one, "SELECT status, rows_changed FROM bulkpar_update('{$targets}', 'n', 'n + 1 + slow("
				  . (!$bundled ? "20)', 20, 2" : $mode eq 'block_writes' ? "1)', 10000, 1" : "4)', 10000, 1") . ", job_name => '$name')");

			wait_until($one, "EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'bulkpar worker' AND wait_event = 'PgSleep')");
			move_shard('users', $moved, $two, $mode);
			my $error = call_error($call);
			my $done = $one->safe_psql('postgres', 'SELECT p.rows_changed FROM bulkpar_progress p JOIN bulkpar_jobs USING (job_id)'
				  . " WHERE job_name = '$name'");

			# What is left of it may have been dropped by then.
			my $gone = qr/^ERROR:  (55000: shard $moved is not on this node any more|42P01: a table of the job no longer exists)\nDETAIL:  [^\n]*\n(?!HINT:  Resume)/m;

			like($error, $gone, "$name: the job fails") if !$bundled || $error ne '';
			is(sum(placed_rows('users', 'SELECT sum(n) FROM $shard')), $done, "$name: $done rows are changed where they are now");
			if ($error ne '')
			{
				like(error_of($one, "SELECT bulkpar_resume('$name')"), $gone, "$name: nor does it go on");
				is($one->safe_psql('postgres', "SELECT status FROM bulkpar_cancel('$name')"), 'cancelled', "$name: it can be cancelled");
			}
			zero('users');
			move_shard('users', $moved, $one, 'block_writes');
		}
	}
}

#
# The table as a whole: a job on each node.
#
is_refused($here, "SELECT bulkpar_update('users', 'n', 'n + 1')",
	qr/extension "dblink" is not installed.*HINT: .*CREATE EXTENSION dblink/s, 'without dblink');
$_->safe_psql('postgres', 'SET client_min_messages = error; CREATE EXTENSION IF NOT EXISTS dblink')
  foreach citus_is_real() ? $here : ($here, $one);
is(sql("SELECT status, rows_changed, rows_failed FROM bulkpar_update('users', 'n', 'n + 1', 100)"),
	"succeeded|$rows|0", 'an update of all nodes succeeds');
is(state_of('users'), "$rows|1|1", 'each row is changed once');
my @users = placements('users');
is(sql('SELECT server, relations, remote, status, rows_changed > 0, remote_job_id > 0 FROM bulkpar_nodes ORDER BY server'),
	join("\n", sort map
		{
			my $node = $_;
			my @has = map { "public.users_$_->[0]" } grep { $_->[1] == $node } @users;

			sprintf('%s:%d|{%s}|{%s}|succeeded|t|t', $node->host, $node->port, join(',', ('users') x @has), join(',', @has))
		} @nodes), 'each node has done its shards');
is($one->safe_psql('postgres', "SELECT status, rows_changed FROM bulkpar_update('users', 'n', 'n + 1', condition => 'n = 1')"),
	"succeeded|$rows", 'called on a worker');
is(state_of('users'), "$rows|2|2", 'it is the same');
is(sql("SELECT status, rows_changed FROM bulkpar_update('{users, tenant}', 'n', '0')"), "succeeded|$rows", 'with a table of one shard');
is(sql("SELECT status, rows_changed FROM bulkpar_execute('DELETE FROM tenant WHERE tenant.n < 0')"), 'succeeded|0', 'a whole statement on that');
my $explained = sql("SELECT string_agg(l, E'\n') FROM bulkpar_explain('users', 'n', 'n + 1') l");
like($explained, qr/^Node: .*:@{[ $_->port ]}, for shard public.users_\d+ and @{[ $shards - 1 ]} more\n.*^  Table: public.users_\d+, /ms,
	'explain shows what a node says') foreach @nodes;

my @refused = (
	[ "update('users', 'id', 'id + 1')", qr/0A000: cannot update column "id" in batches because Citus distributes table "users" by it/, 'the distribution column' ],
	[ "update('users', 'n', '(SELECT 1)')", qr/0A000: a subquery is not supported .*DETAIL:  Table "users" is distributed by Citus/s, 'a subquery' ],
	[ "update('users', 'n', 'p.n', from_item => 'plain p')", qr/0A000: a FROM or USING item is not supported/, 'a FROM item' ],
	[ "update('users', 'n', 'n', key_index => 'users_pkey')", qr/0A000: the argument "key_index" is not supported/, 'an index' ],
	[ "execute('UPDATE users SET n = n')", qr/0A000: a whole statement on several tables of one server/, 'a whole statement' ],
	[ "execute('INSERT INTO plain SELECT id, n FROM users')", qr/0A000: an INSERT, MERGE or SELECT is not supported/, 'an INSERT' ],
	[ "update('users', 'n', 'nothing')", qr/42703: column "nothing" does not exist/, 'a column that does not exist' ]);
is_refused($here, "SELECT bulkpar_$_->[0]", qr/^ERROR:  $_->[1]/m, $_->[2]) foreach @refused;

# Run SQL on each shard of the table, or where there is Citus on the table.
sub on_users
{
	my ($sql) = @_;

	return sql($sql =~ s/\$shard/users/r) if citus_is_real();
	$_->[1]->safe_psql('postgres', $sql =~ s/\$shard/users_$_->[0]/r) foreach placements('users');
	return;
}

# Go on with a job until it has succeeded: then every row is changed once.
sub is_once
{
	my ($job, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(sql("SELECT status, rows_changed FROM bulkpar_resume('$job')"), "succeeded|$rows", "$name: the job goes on and succeeds");
	is(state_of('users'), "$rows|1|1", "$name: each row is changed once");
	zero('users');
	return;
}

# Nothing of a job is at work on the nodes.
sub is_still
{
	my ($name) = @_;

	wait_until($_, "NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type LIKE 'bulkpar%')", $name) foreach @nodes;
	return;
}

# An error, with the node.
on_users('ALTER TABLE $shard ADD CONSTRAINT small CHECK (n < 1 OR id <> 777)');
like(error_of($here, "SELECT bulkpar_update('users', 'n', 'n + 1', job_name => 'checked')"),
	qr/^ERROR:  23514: .*"small.*DETAIL: .*777.*CONTEXT: .*node ".*:\d+"/ms, 'an error of a node is that of the job');
is_still('the other one stops');
on_users('ALTER TABLE $shard DROP CONSTRAINT small');
is_once('checked', 'after an error');

# Whoever calls it is the same role there, and may do what that may.
on_nodes('CREATE ROLE plain_role LOGIN');
is_refused($here, "SELECT bulkpar_update('users', 'n', 'n + 1')", qr/^ERROR:  42501: permission denied for table users/m,
	'a role without privileges', role => 'plain_role');
on_nodes('GRANT SELECT, UPDATE ON users TO plain_role');
on_users('GRANT SELECT, UPDATE ON $shard TO plain_role') if !citus_is_real();
my ($out, $err) = run_as($here, 'plain_role', "SELECT status, rows_changed FROM bulkpar_update('users', ARRAY['n', 'note'], ARRAY['n + 1', 'current_user'])");
is($out, "succeeded|$rows", 'a plain role') or diag($err);
is(join(',', placed_rows('users', q{SELECT DISTINCT note FROM $shard})), join(',', ('plain_role') x @users), 'it is that role on the nodes');
zero('users');

# It does not see how it gets there, which may be a secret, nor can it say so.
my $connect = sql(q{SELECT 'dblink_connect(text, text)'::regprocedure::oid});
my $send = sql(q{SELECT 'dblink_send_query(text, text)'::regprocedure::oid});
sql(q{INSERT INTO pg_dist_authinfo (nodeid, rolename, authinfo) VALUES (0, 'plain_role', 'password=secret')});
($out, $err) = run_as($here, 'plain_role', "SET debug_print_plan = on; SET client_min_messages = log;"
	  . (citus_is_real() ? '' : "SET citus.node_conninfo = 'hostaddr=127.0.0.1';")
	  . "SELECT count(*) > 0 FROM bulkpar_explain('users', 'n', 'n + 1');"
	  . "SELECT status, rows_changed FROM bulkpar_update('users', 'n', 'n + 1')");
is($out, "t\nsucceeded|$rows", 'a role with a secret of its own, and with a setting that only Citus may have') or diag($err =~ /^(ERROR.*)/ms);
like($err, qr/:funcid $send\b/, 'plans that are shown have the functions of dblink');
unlike($err, qr/:funcid $connect\b/, 'but not the one that is given the secret');
zero('users');

# A table that Citus takes over, and a shard that gets copies, while a job is paused.
sql('CREATE TABLE later (id integer PRIMARY KEY, n integer NOT NULL)');
sql('INSERT INTO later SELECT g, 0 FROM generate_series(1, 100) g');
my ($settings) = map { $_->[0] } placements('settings');
sql("INSERT INTO settings_$settings SELECT g, 0 FROM generate_series(1, 100) g");
foreach my $table ('later', "settings_$settings")
{
	my $call = start_call($here, "SELECT status FROM bulkpar_update('$table', 'n', 'n + 1 + slow(20)', 5, 1, job_name => '$table')");

	wait_until($here, "EXISTS (SELECT FROM bulkpar_progress p JOIN bulkpar_jobs USING (job_id) WHERE job_name = '$table' AND p.rows_done > 0)");
	sql("SELECT bulkpar_pause('$table')");
	is(stop_call($call), 'paused', "a job on $table is paused");
}
if (citus_is_real())
{
	sql("SELECT citus_add_local_table_to_metadata('later'); SELECT create_reference_table('settings')");
}
else
{
	sql('ALTER TABLE later RENAME TO later_200005; CREATE TABLE later (LIKE later_200005)');
	sql("INSERT INTO pg_dist_partition VALUES ('later', 'n', NULL, 0, 's'); INSERT INTO pg_dist_shard VALUES ('later', 200005);"
		  . 'INSERT INTO pg_dist_placement VALUES (200005, 1, 0), (200002, 1, 1)');
}
like(error_of($here, "SELECT bulkpar_resume('later')"), qr/^ERROR:  55000: table "later_\d+" has become a shard of Citus/m, 'a table that is now a shard');
like(error_of($here, "SELECT bulkpar_resume('settings_$settings')"), qr/^ERROR:  55000: shard $settings is on other nodes as well now/m,
	'a shard that is now on other nodes');

# Stopped by the caller, and by others.
my $call = start_on_nodes($here, 'cancelled');
sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'caller'");
like(call_error($call), qr/^ERROR:  57014: .*DETAIL: .*is cancelled; \d+ rows/ms, 'Ctrl-C cancels the job');
is_still('and those on the nodes');
is_once('cancelled', 'after Ctrl-C');
$call = start_on_nodes($here, 'paused');
is(sql("SELECT status FROM bulkpar_pause('paused')"), 'paused', 'a job is paused');
is(stop_call($call), 'paused', 'as its caller sees');
is_still('and those on the nodes');
is_once('paused', 'after a pause');

# Killed.
foreach my $time (1 .. $rounds)
{
	foreach my $victim ($two, $here)
	{
		my $name = $victim->name . " killed, time $time";

		$call = start_on_nodes($here, $name);
		usleep(rand(200_000));
		$victim->kill9;
		stop_call($call);
		start_again($victim);
		is_once($name, $name);
	}
}

# A node that Citus has removed: nothing of it will be known any more.
if (!citus_is_real())
{
	my $number = sql('SELECT nodeid FROM pg_dist_node WHERE nodeport = ' . $two->port);

	$call = start_on_nodes($here, 'removed');
	$two->kill9;
	stop_call($call);
	sql("UPDATE pg_dist_node SET nodeid = 99 WHERE nodeid = $number");
	like(error_of($here, "SELECT bulkpar_resume('removed')"), qr/^ERROR:  42704: the node is none of Citus any more/m, 'a node that was removed');
	is(sql("BEGIN; SELECT bulkpar_forget('removed'); ROLLBACK"), '1', 'the job could be forgotten');
	sql("UPDATE pg_dist_node SET nodeid = $number WHERE nodeid = 99");
	start_again($two);
	is_once('removed', 'when it is there again');
}

# A shard moves while all of them are changed.
{
	my ($moved) = map { $_->[0] } grep { $_->[1] == $two } @users;

	$call = start_on_nodes($here, 'moving', 20);
	move_shard('users', $moved, $one, 'block_writes');
	like(call_error($call), qr/^ERROR:  55000: shard $moved is not on this node any more\nDETAIL: .*^CONTEXT: .*node ".*:@{[ $two->port ]}"/ms,
		'a shard that moves: the job fails');
	is(sum(placed_rows('users', 'SELECT sum(n) FROM $shard')),
		sql("SELECT p.rows_changed FROM bulkpar_progress p JOIN bulkpar_jobs USING (job_id) WHERE job_name = 'moving'"), 'what it did is not lost');
	like(error_of($here, "SELECT bulkpar_resume('moving')"),
		qr/^ERROR:  55000: shard public.users_$moved of node ".*:@{[ $two->port ]}" is no part of the job any more/m, 'it cannot go on');
	is(sql("SELECT status FROM bulkpar_cancel('moving')"), 'cancelled', 'but it can be cancelled');
	is(sql("SELECT rows_changed > 0 AND status = 'succeeded' FROM bulkpar_update('users', 'n', 'n + 1', condition => 'n = 0')"), 't',
		'and another one does the rest');
	is(state_of('users'), "$rows|1|1", 'then all rows are changed once');
}

# A shard is split after the last look, before the job begins on its node: first
# the nodes refuse to begin it, then that it is asked for waits for a lock.
on_nodes('CREATE TABLE halved (id integer PRIMARY KEY, n integer NOT NULL, note text)');
distribute('halved', 'id', 2, 1, 2);
fill('halved');
foreach my $node (@nodes)
{
	$node->safe_psql('postgres', 'ALTER SYSTEM SET default_transaction_read_only = on; SELECT pg_reload_conf()');
	wait_until($node, "current_setting('default_transaction_read_only') = 'on'");
}
like(error_of($here, "SELECT bulkpar_update('halved', 'n', 'n + 1', job_name => 'halved')"), qr/^ERROR:  25006: /m, 'nodes refuse a job');
foreach my $node (@nodes)
{
	$node->safe_psql('postgres',
		'SET default_transaction_read_only = off; ALTER SYSTEM RESET default_transaction_read_only; SELECT pg_reload_conf()');
	wait_until($node, "current_setting('default_transaction_read_only') = 'off'");
}

my $holder = $here->background_psql('postgres');
my ($split) = map { $_->[0] } grep { $_->[1] == $one } placements('halved');

$holder->query_safe('BEGIN; SELECT FROM bulkpar.bulkpar_node n JOIN bulkpar.bulkpar_job j USING (job_id)'
	  . " WHERE j.job_name = 'halved' FOR UPDATE OF n");
$call = start_call($here, "SELECT bulkpar_resume('halved')");
wait_until($here, "EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'bulkpar nodes' AND wait_event_type = 'Lock')");
split_shard('halved', $split);
$holder->query_safe('COMMIT');
$holder->quit;
like(call_error($call), qr/^ERROR:  55000: shard public.halved_$split of node ".*" is no part of the job any more/m, 'a shard that is split: the job fails');
is_still('and nothing is at work');

# While it is changed.
zero('users');
$call = start_on_nodes($here, 'splitting', 20);
($split) = map { $_->[0] } grep { $_->[1] == $one } placements('users');
split_shard('users', $split);
like(call_error($call), qr/^ERROR:  (55000: shard $split is not on this node any more|42P01: a table of the job no longer exists)\n(?!HINT: .*bulkpar_resume)/m,
	'a shard that is split at work: the job fails');
is(sum(placed_rows('users', 'SELECT sum(n) FROM $shard')),
	sql("SELECT p.rows_changed FROM bulkpar_progress p JOIN bulkpar_jobs USING (job_id) WHERE job_name = 'splitting'"), 'what it did is counted')
  if citus_is_real();

# Where Citus is gone no node is one any more: what was at work there is over.
$call = start_on_nodes($here, 'gone');
$here->kill9;
stop_call($call);
start_again($here);
sql(citus_is_real() ? 'DROP EXTENSION citus CASCADE' :
	  'SET allow_system_table_mods = on; DROP TABLE pg_catalog.pg_dist_shard, pg_catalog.pg_dist_node');
like(error_of($here, "SELECT bulkpar_resume('gone')"), qr/^ERROR:  42704: the node is none of Citus any more/m, 'without Citus a job does not go on');
is(sql("SELECT status FROM bulkpar_cancel('gone')"), 'cancelled', 'it can be cancelled');
sql("SELECT bulkpar_forget('gone')");
is(sql("SELECT count(*) FROM bulkpar_jobs WHERE job_name = 'gone'"), '0', 'and forgotten');

$_->stop foreach $here, @nodes;
done_testing();
