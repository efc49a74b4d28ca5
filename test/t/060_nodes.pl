# A table whose partitions are on three servers: each changes its own, exactly
# once, whatever dies meanwhile, and nothing that one of them says is more than
# data here.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

# How often a server is killed, and rows of each of the three.
my $rounds = $ENV{BULKPAR_ROUNDS} // 2;
my $rows = 2000;

seed_random();
my $here = start_server('here', <<'END');
restart_after_crash = on
bulkpar.report = off
wal_writer_delay = 10s
END
my ($one, $two) = map { start_server($_, 'bulkpar.report = off') } qw(one two);
my @nodes = ($one, $two);
my $super = $here->safe_psql('postgres', 'SELECT current_user');

sub sql { return $here->safe_psql('postgres', $_[0]); }

sub state_of_rows
{
	return sql('SELECT count(*), min(n), max(n) FROM users');
}

# The error of a statement here, with its details.
sub error_of
{
	my ($statement, %settings) = @_;

	return call_error(start_call($here, $statement, %settings));
}

# How many jobs there are, here and there.
sub jobs
{
	return join ',', map { $_->safe_psql('postgres', 'SELECT count(*) FROM bulkpar_jobs') } $here, @nodes;
}

# The call must fail, and no job be made anywhere.
sub is_refused
{
	my ($statement, $pattern, $name, %settings) = @_;
	my $before = jobs();

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like(error_of($statement, %settings), $pattern, $name);
	is(jobs(), $before, "$name: nothing has started");
	return;
}

sub fill
{
	sql('UPDATE users SET n = 0');
	return;
}

# Start a job of that name, of which a server is about to start its own, but cannot before
# the session that is returned with the call is let go.
sub start_held
{
	my ($name) = @_;
	my $holder = $one->background_psql('postgres');
	my $call;

	fill();
	$holder->query_safe('BEGIN; UPDATE bulkpar.bulkpar_counter SET last_job_id = last_job_id');
	$call = start_call($here, "SELECT status FROM bulkpar_update('users', 'n', 'n + 1', 100, job_name => '$name')");
	wait_until($one, "EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'bulkpar coordinator'"
		  . " AND wait_event_type = 'Lock')", "$name: a node is about to start its job");
	return ($call, $holder);
}

sub let_go
{
	my ($holder) = @_;

	$holder->query_safe('COMMIT');
	$holder->quit;
	return;
}

# Go on with a job until it has succeeded: then every row is changed once.
sub is_once
{
	my ($job, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(sql("SELECT status, rows_changed FROM bulkpar_resume('$job')"),
		'succeeded|' . 3 * $rows, "$name: the job goes on and succeeds");
	is(state_of_rows(), 3 * $rows . '|1|1', "$name: each row is changed once");
	return;
}

# Nothing of a job is at work on the nodes, and nobody is connected for it.
sub is_still
{
	my ($name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until($_, "NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type LIKE 'bulkpar%'"
		  . " OR application_name LIKE 'bulkpar%')", $name)
	  foreach @nodes;
	return;
}

foreach my $i (1, 2)
{
	$nodes[ $i - 1 ]->safe_psql('postgres', <<"END");
CREATE TABLE users_$i (id integer PRIMARY KEY, n integer NOT NULL, note text);
INSERT INTO users_$i SELECT g, 0, 'x' FROM generate_series(${i}00001, ${i}00000 + $rows) g;
ANALYZE users_$i;
END
}
my $servers = join "\n", map {
	my ($node, $name) = ($nodes[ $_ - 1 ], $nodes[ $_ - 1 ]->name);
	sprintf("CREATE SERVER %s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%s', port '%d', dbname 'postgres', connect_timeout '10');\n"
		  . "CREATE USER MAPPING FOR CURRENT_USER SERVER %s OPTIONS (user '$super');\n"
		  . 'CREATE FOREIGN TABLE users_%d PARTITION OF users FOR VALUES FROM (%d00000) TO (%d99999) SERVER %s;',
		$name, $node->host, $node->port, $name, $_, $_, $_, $name)
} 1, 2;
sql(<<"END");
CREATE EXTENSION postgres_fdw;
CREATE TABLE users (id integer, n integer NOT NULL, note text) PARTITION BY RANGE (id);
CREATE TABLE users_0 PARTITION OF users (PRIMARY KEY (id)) FOR VALUES FROM (0) TO (100000);
$servers
INSERT INTO users SELECT g, 0, 'x' FROM generate_series(1, $rows) g;
ANALYZE users_0;
END

#
# What it takes.
#
is_refused("SELECT bulkpar_update('users', 'n', 'n + 1')",
	qr/extension "dblink" is not installed.*HINT: .*CREATE EXTENSION dblink/s, 'without dblink');
sql('CREATE SCHEMA links; CREATE EXTENSION dblink SCHEMA links');

#
# One call.
#
is(sql("SELECT status, rows_changed, rows_failed FROM bulkpar_update('users', 'n', 'n + 1', 100)"),
	'succeeded|' . 3 * $rows . '|0', 'an update of three servers succeeds');
is(state_of_rows(), 3 * $rows . '|1|1', 'each row is changed once');
is(sql('SELECT server, relations, remote, status, rows_changed, batches, estimated_rows, remote_job_id FROM bulkpar_nodes ORDER BY 1'),
	join("\n", map { "$nodes[$_ - 1]{_name}|{users_$_}|{public.users_$_}|succeeded|$rows|20|$rows|1" } 1, 2),
	'each node has done its part');
is(sql('SELECT status, rows_done, rows_changed, estimated_rows, percent FROM bulkpar_progress'),
	join('|', 'succeeded', (3 * $rows) x 3, '100.0'), 'the progress is that of all');
is_still('nothing is left on a node');
is(sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'bulkpar%'"), '0', 'and nothing here');

is(sql("SELECT status, rows_changed FROM bulkpar_update('users_1', ARRAY['n', 'note'], ARRAY['n + 1', '''y''']::text[],"
	  . " condition => 'id % 2 = 0', skip_unchanged => true)"),
	'succeeded|' . $rows / 2, 'a foreign table, two columns and a condition');
is(sql("SELECT count(*) FROM users WHERE n = 2 AND note = 'y' AND id BETWEEN 100001 AND 199999"), $rows / 2,
	'they are set');
is(sql("SELECT rows_changed FROM bulkpar_update('users', 'n', '0', condition => 'n <> 0')"), 3 * $rows,
	'a condition on all');
is(sql("SELECT rows_changed, (SELECT count(*) FROM bulkpar_nodes n WHERE n.job_id = r.job_id)"
	  . " FROM bulkpar_update('users', 'n', 'n', condition => 'id < 100000') r"),
	"$rows|0", 'servers that have no row for the statement are not asked');
is(sql("SELECT status FROM bulkpar_update('users_2', 'note', '''z''', wait => false, job_name => 'later');"
	  . "SELECT status, rows_changed FROM bulkpar_wait('later')"),
	"running\nsucceeded|$rows", 'a job that nobody waits for');
like(sql("SELECT string_agg(l, E'\\n') FROM bulkpar_explain('users', 'n', 'n + 1') l"),
	qr/^Table: users_0,.*^Node: one, for foreign table users_1\n  Statement: .*^Node: two,.*^  Table: users_2, $rows rows/ms,
	'explain shows what each says');

# Statements as they stand, however they name the table.
my $n = 0;
foreach my $statement (
	'UPDATE users SET n = n + 1',
	"UPDATE public . users * SET (n, note) = ROW(users.n + 1, 'x') WHERE users.id > 0",
	"/* users */ UPDATE \"users\"-- users\nAS u SET n = u.n + 1 -- the end",
	'UPDATE postgres.public.users users SET n = users.n + 1 WHERE true')
{
	is(sql("SELECT rows_changed FROM bulkpar_execute(\$s\$$statement\$s\$)"), 3 * $rows, $statement);
	$n++;
	is(state_of_rows(), join('|', 3 * $rows, $n, $n), 'changes each row once');
}
is(sql("SELECT rows_changed FROM bulkpar_execute('DELETE FROM users WHERE users.n < 0')"), '0', 'a DELETE');
fill();

# Two tables of one server are one job there.
$one->safe_psql('postgres', 'CREATE TABLE more (LIKE users_1 INCLUDING ALL); INSERT INTO more SELECT * FROM users_1');
sql("CREATE FOREIGN TABLE more (id integer, n integer NOT NULL, note text) SERVER one");
is(sql("SELECT rows_changed FROM bulkpar_update('{more, users}', 'n', 'n + 1')"), 4 * $rows,
	'two targets, of which one server has parts');
is(sql("SELECT server, relations, remote, rows_changed FROM bulkpar_nodes ORDER BY job_id DESC, node_no LIMIT 2"),
	'one|{more,users_1}|{public.more,public.users_1}|' . 2 * $rows . "\ntwo|{users_2}|{public.users_2}|$rows",
	'each server has one job');
is(sql('SELECT min(n), max(n) FROM (SELECT n FROM more UNION ALL SELECT n FROM users) t'), '1|1',
	'all rows are changed once');
like(sql("SELECT string_agg(l, E'\\n') FROM bulkpar_explain('{more, users_1}', 'n', 'n + 1') l"),
	qr/^Node: one, for foreign table more and 1 more\n.*^  Table: public.more, .*^  Table: public.users_1, /ms,
	'and explains both');
fill();

# Texts are data there: quotes, backslashes and all that would end a literal.
my $text = q{'); DROP TABLE users_1; --\\' || E'\\'' || $$};
is(sql("SELECT rows_changed FROM bulkpar_update('users', 'note', quote_literal(\$q\$$text\$q\$))"), 3 * $rows,
	'a text with SQL in it');
is(sql("SELECT count(*) FROM users WHERE note = \$q\$$text\$q\$"), 3 * $rows, 'is just that');
# Since 19 backslashes are what they are everywhere.
$one->safe_psql('postgres', "ALTER ROLE \"$super\" SET standard_conforming_strings = off") if $one->pg_version->major < 19;
is(sql(q{SELECT rows_changed FROM bulkpar_update('users', 'note', $$'C:\\temp\\new'$$)}), 3 * $rows, 'a text with backslashes');
is(sql(q{SELECT count(*) FROM users WHERE note = 'C:\\temp\\new'}), 3 * $rows, 'whatever they are there');
$one->safe_psql('postgres', "ALTER ROLE \"$super\" RESET standard_conforming_strings");
is_refused("SELECT bulkpar_update('users', 'n', 'n); DROP TABLE users_1; --')", qr/syntax error/,
	'an expression that ends too early');
sql(q{SELECT bulkpar_update('users', 'note', '''x''')});

#
# Errors, with the node and its key.
#
$one->safe_psql('postgres', 'ALTER TABLE users_1 ADD CONSTRAINT small CHECK (n < 1 OR id <> 100777)');
like(error_of("SELECT bulkpar_update('users', 'n', 'n + 1', job_name => 'checked')"),
	qr/^ERROR:  23514: .*"small".*DETAIL: .*100777.*CONTEXT: .*node "one"/ms, 'an error of a node is that of the job');
is(sql("SELECT sqlstate, constraint_name FROM bulkpar_jobs WHERE job_name = 'checked'"), '23514|small', 'it is kept');
is(sql("SELECT status, sqlstate FROM bulkpar_nodes WHERE server = 'one' ORDER BY job_id DESC LIMIT 1"), 'failed|23514',
	'also as that of the node');
is_still('the other one stops');
$one->safe_psql('postgres', 'ALTER TABLE users_1 DROP CONSTRAINT small');
is_once('checked', 'after an error');

#
# Stopped by the caller, and by others.
#
fill();
my $call = start_on_nodes($here, 'cancelled');
sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'caller'");
like(call_error($call), qr/^ERROR:  57014: .*DETAIL: .*is cancelled; \d+ rows/ms, 'Ctrl-C cancels the job');
is(sql("SELECT string_agg(DISTINCT n.status, ',') FROM bulkpar_nodes n JOIN bulkpar_jobs USING (job_id)"
	  . " WHERE job_name = 'cancelled'"), 'cancelled', 'and those on the nodes');
is_still('nothing goes on');
is(sql("SELECT sum(n) FROM users"),
	sql("SELECT rows_changed FROM bulkpar_progress JOIN bulkpar_jobs USING (job_id) WHERE job_name = 'cancelled'"),
	'what was done is counted');
is_once('cancelled', 'after Ctrl-C');

fill();
$call = start_on_nodes($here, 'paused');
is(sql("SELECT status FROM bulkpar_pause('paused')"), 'paused', 'a job is paused');
is(stop_call($call), 'paused', 'as its caller sees');
is(sql("SELECT string_agg(DISTINCT n.status, ',') FROM bulkpar_nodes n JOIN bulkpar_jobs USING (job_id)"
	  . " WHERE job_name = 'paused'"), 'paused', 'and so are those on the nodes');
is_still('nothing goes on while it is paused');
is_once('paused', 'after a pause');

# A cancel is heard while a node is asked before the job, when its processes wait for
# that here, and while it starts it; the end of the caller is one as well.
my @asked = ('LOCK TABLE users_1', "application_name LIKE 'bulkpar%'");
foreach my $case (
	[ 'cancel', @asked, 'before it starts' ],
	[ 'terminate', @asked, 'before it starts' ],
	[ 'cancel', 'UPDATE bulkpar.bulkpar_counter SET last_job_id = last_job_id', "backend_type = 'bulkpar coordinator'",
		'while it starts' ])
{
	my ($end, $lock, $who, $name) = @$case;
	my $locker = $one->background_psql('postgres');
	my $jobs = sql('SELECT count(*) FROM bulkpar_jobs');

	fill();
	$locker->query_safe("BEGIN; $lock");
	$call = start_call($here, "SELECT bulkpar_update('users', 'n', 'n + 1', 100)");
	wait_until($one, "EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND $who)");
	is(sql('SELECT count(*) FROM bulkpar_jobs'), $jobs, 'there is no job yet') if $name eq 'before it starts';
	sql("SELECT pg_${end}_backend(pid) FROM pg_stat_activity WHERE application_name = 'caller'");
	if ($end eq 'cancel')
	{
		like(call_error($call), qr/^ERROR:  57014: /m, "a cancel $name");
	}
	else
	{
		stop_call($call);
	}
	wait_until($here, "NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type LIKE 'bulkpar%')",
		"after a $end $name no process is left");
	$locker->query_safe('COMMIT');
	$locker->quit;
	is_still("nothing goes on after a $end $name");
	is(sql('SELECT max(n) FROM users WHERE id BETWEEN 100000 AND 199999'), '0', 'and nothing was done there');
}

# The call waits for a node that does not answer, and not for what was to talk to
# another one like that later.  Since 16 nothing but a cancel ends that.
my $timeouts = "ALTER SERVER one OPTIONS (SET connect_timeout '%d'); ALTER SERVER two OPTIONS (SET connect_timeout '%d')";
sql(sprintf($timeouts, 2, 60));
kill 'STOP', map { $_->{_pid} } @nodes;
$call = start_call($here, "SELECT bulkpar_update('users', 'n', 'n + 1')");
if ($here->pg_version >= 16)
{
	wait_until($here, "EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'bulkpar nodes')");
	sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'caller'");
}
my $error = call_error($call);
kill 'CONT', map { $_->{_pid} } @nodes;
like($error, $here->pg_version >= 16 ? qr/^ERROR:  57014: /m : qr/^ERROR:  08001: .*node "one"/ms, 'a node that does not answer');
unlike($error, qr/may go on/, 'has no job that could go on');
wait_until($here, "NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type LIKE 'bulkpar%')", 'and no process is left here');
sql(sprintf($timeouts, 10, 10));

# Who asks the nodes is replaced.
fill();
my $locker = $one->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK users_1');
$call = start_call($here, "SELECT status FROM bulkpar_update('users', 'n', 'n + 1')");
wait_until($one, 'EXISTS (SELECT FROM pg_locks WHERE NOT granted)', 'a node is asked');
my $pid = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'bulkpar nodes'");
sql("SELECT pg_terminate_backend($pid)");
wait_until($here, "EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'bulkpar nodes' AND pid <> $pid)",
	'who asks it is terminated, and it is asked again');
$locker->query_safe('COMMIT');
$locker->quit;
is(stop_call($call), 'succeeded', 'it agrees');
is(state_of_rows(), 3 * $rows . '|1|1', 'and each row is changed once');

# They are asked first also where the job may not begin at once.
fill();
sql("ALTER ROLE \"$super\" SET bulkpar.throttle_query = 'SELECT 0'");
is_refused("SELECT bulkpar_update('users', 'n', 'no_column')", qr/^ERROR:  42703: /m, 'a job that is throttled');
$one->safe_psql('postgres', 'ALTER TABLE users_1 RENAME n TO m');
is_refused("SELECT bulkpar_update('users', 'n', 'n + 1')", qr/^ERROR:  42703: .*node "one"/ms, 'for what one node has against it');
$one->safe_psql('postgres', 'ALTER TABLE users_1 RENAME m TO n');
is(sql("SELECT status FROM bulkpar_update('users', 'n', 'n + 1')"), 'succeeded', 'it succeeds if nothing is');
is(state_of_rows(), 3 * $rows . '|1|1', 'with each row changed once');
sql("ALTER ROLE \"$super\" RESET bulkpar.throttle_query");

# What the session there has by default may change between two runs.
fill();
$call = start_on_nodes($here, 'elsewhere');
sql("SELECT bulkpar_pause('elsewhere')");
stop_call($call);
$one->safe_psql('postgres', "ALTER ROLE \"$super\" SET vacuum_cost_delay = 1");
is_once('elsewhere', 'after another default there');
$one->safe_psql('postgres', "ALTER ROLE \"$super\" RESET vacuum_cost_delay");

#
# Killed.
#
foreach my $time (1 .. $rounds)
{
	my $name = "a node killed, time $time";

	fill();
	$call = start_on_nodes($here, $name);
	usleep(rand(200_000));
	$one->kill9;
	like(call_error($call), qr/^ERROR:  (08\d\d\d|57P01|57000): .*^CONTEXT:  node "one"\n/ms, "$name: the error says which");
	like($call->{err}, qr/^WARNING:  01000: bulkpar job \d+ may go on on other servers\nDETAIL:  .*: one\.$/m,
		"$name: nobody knows whether it goes on");
	start_again($one);
	is_once($name, $name);
}
foreach my $time (1 .. $rounds)
{
	my $name = "the coordinating server killed, time $time";

	fill();
	$call = start_on_nodes($here, $name);
	usleep(rand(200_000));
	$here->kill9;
	stop_call($call);
	start_again($here);
	is_once($name, $name);
}
foreach my $type ('bulkpar nodes', 'bulkpar coordinator')
{
	my $name = "$type killed";

	fill();
	$call = start_on_nodes($here, $name);
	kill_process($here, backend_pid($here, $type));
	stop_call($call);
	is_once($name, $name);
}
fill();
$call = start_on_nodes($here, 'terminated');
sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'bulkpar nodes'");
is(stop_call($call), 'succeeded', 'a process that talks to the nodes is replaced');
is(state_of_rows(), 3 * $rows . '|1|1', 'and they do nothing again');

# Whatever dies at whatever moment, who calls again until it has succeeded has each
# row changed once.
my @faults = (
	[ 'all of it', sub { $_->kill9 foreach $here, @nodes; start_again($_) foreach $here, @nodes } ],
	[ 'the coordinating server', sub { $here->kill9; start_again($here) } ],
	[ 'a node', sub { $two->kill9; start_again($two) } ],
	[ 'the process that talks to them', sub {
			sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'bulkpar nodes'") } ],
	[ 'the coordinator', sub {
			sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'bulkpar coordinator'") } ],
	[ 'that of a node', sub {
			$one->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'bulkpar coordinator'") } ],
	[ 'the connections', sub {
			$one->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'bulkpar%'") } ]);
foreach my $time (1 .. $rounds)
{
	my ($what, $strike) = @{ $faults[ rand @faults ] };
	my $again = "SELECT status FROM bulkpar_update('users', 'n', 'n + 1 + slow(0.3)', 20, 2,"
	  . " job_name => 'struck $time', once => true)";
	my $calls = 0;
	my ($out, $err);

	fill();
	$call = start_call($here, $again);
	usleep(rand(1_500_000));
	$strike->();
	stop_call($call);
	do
	{
		($out, $err) = run_as($here, $super, $again);
		$calls++;
	} while ($out ne 'succeeded' && $calls < 20);
	if ($err =~ /^ERROR:  the job of node "(one|two)" is not there any more$/m)
	{
		# It was struck when the books said that the node is asked, and before that was.
		is(sql('SELECT max(n) FROM users_' . ($1 eq 'one' ? 1 : 2)), '0', "$what is struck, node $1 was not asked");
		sql("SELECT bulkpar_cancel('struck $time')");
		next;
	}
	is(state_of_rows(), 3 * $rows . '|1|1', "$what is struck, call $calls has succeeded")
	  or diag($err);
}

# The request is on its way when everything here dies: it starts the job later.
($call, my $holder) = start_held('lost');
$here->kill9;
stop_call($call);
let_go($holder);
wait_until($one, "status = 'succeeded' FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1", 'it does, for nobody');
start_again($here);
is_once('lost', 'after a lost reply');

# Only the process that talks to it dies, and another one does not find the job yet: it
# waits as long as the session there that may begin it; or ends that, if it is to stop.
foreach my $end ('', 'cancel')
{
	my $name = "unheard $end";

	($call, $holder) = start_held($name);
	is(sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'bulkpar nodes'"),
		'1', "$name: nobody hears of it");
	wait_until($one, "count(*) = 2 FROM pg_stat_activity WHERE application_name LIKE 'bulkpar on another server%'",
		"$name: until another one asks");
	if ($end eq '')
	{
		let_go($holder);
		is(stop_call($call), 'succeeded', "$name: it waits and succeeds");
		is(state_of_rows(), 3 * $rows . '|1|1', "$name: each row is changed once");
	}
	else
	{
		my ($stopped, $warning) = run_as($here, $super, "SELECT status FROM bulkpar_cancel('$name')");
		is("$stopped $warning", 'cancelled ', "$name: it is stopped, and goes on nowhere");
		stop_call($call);
		let_go($holder);
		is_still("$name: nobody is left to begin");
		is(sql('SELECT max(n) FROM users_1'), '0', "$name: nothing is done");
		is(sql("SELECT bulkpar_forget('$name')"), '1', "$name: it can be forgotten");
	}
}

# What is an error here is no answer from there.
($call, $holder) = start_held('misheard');
sql('ALTER EXTENSION dblink DROP FUNCTION links.dblink_is_busy(text)');
$error = call_error($call);
like($error, qr/^ERROR:  42883: function "dblink_is_busy" of extension "dblink" does not exist/m, 'an error that is met here');
like($error, qr/^WARNING:  .*bulkpar job \d+ may go on on other servers/m, 'says nothing of what goes on there');
like(error_of("SELECT bulkpar_forget('misheard')"), qr/^ERROR:  55000: bulkpar job \d+ may be at work on other servers/m,
	'it is not forgotten');
sql('ALTER EXTENSION dblink ADD FUNCTION links.dblink_is_busy(text)');
let_go($holder);
is_once('misheard', 'after an error that was met here');

# A job that is known but not there any more is not begun anew.
fill();
$call = start_on_nodes($here, 'forgotten');
sql("SELECT bulkpar_pause('forgotten')");
stop_call($call);
$two->safe_psql('postgres', "SELECT bulkpar_forget(job_id) FROM bulkpar_jobs WHERE status = 'paused'");
$error = error_of("SELECT bulkpar_resume('forgotten')");
like($error, qr/^ERROR:  42704: the job of node "two" is not there any more/m, 'a job that was forgotten there');
unlike($error, qr/may go on/, 'and so does not go on there');
is(sql("SELECT max(n) FROM users"), '1', 'nothing is done twice');
is(sql("SELECT bulkpar_forget('forgotten')"), '1', 'it can be forgotten here');

# Nor is one that was asked for, and has ended and was forgotten before anybody knew
# of it: the server dies with what it was told, but not with what it has asked.
($call, $holder) = start_held('lost and forgotten');
wait_until($two, "status = 'succeeded' FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1", 'the other one has done its own');
$here->kill9;
stop_call($call);
let_go($holder);
foreach my $node (@nodes)
{
	wait_until($node, "status = 'succeeded' FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1", 'it succeeds');
	$node->safe_psql('postgres', "SELECT bulkpar_forget('0 seconds'::interval)");
}
start_again($here);
like(error_of("SELECT bulkpar_resume('lost and forgotten')"),
	qr/^ERROR:  42704: the job of node "(one|two)" is not there any more/m, 'nobody can say what it has done');
is(sql('SELECT max(n) FROM users'), '1', 'and nothing is done twice');
is(sql("SELECT bulkpar_forget('lost and forgotten')"), '1', 'it can be forgotten here');

# Where nobody could tell the nodes to stop, that is said, and who they are is kept.
fill();
$call = start_on_nodes($here, 'left');
sql('CHECKPOINT');
$here->kill9;
stop_call($call);
start_again($here);
my ($stopped, $warning) = run_as($here, $super, "SELECT status FROM bulkpar_cancel('left')");
is($stopped, 'cancelled', 'a job without a coordinator is cancelled');
like($warning, qr/^WARNING:  bulkpar job \d+ may go on on other servers\nDETAIL:  .*: one, two\.\nHINT:  .*bulkpar_resume/m,
	'it may go on elsewhere');
like(error_of("SELECT bulkpar_forget('left')"),
	qr/^ERROR:  55000: bulkpar job \d+ may be at work on other servers\nDETAIL:  .*: one, two\.$/m, 'it is not forgotten');
is(sql("BEGIN; SELECT bulkpar_forget(interval '0') > 0; SELECT count(*) FROM bulkpar_jobs WHERE job_name = 'left'; ROLLBACK"),
	"t\n1", 'also not with all others');
is_once('left', 'after a cancel without a coordinator');

# One has succeeded, and was not yet asked to confirm it: nothing is left there.
fill();
my $row = $one->background_psql('postgres');
$row->query_safe('BEGIN; SELECT FROM users_1 WHERE id = 100777 FOR UPDATE');
$call = start_call($here, "SELECT bulkpar_update('users', 'n', 'n + 1', 100, job_name => 'early')");
wait_until($here, "EXISTS (SELECT FROM bulkpar_nodes n JOIN bulkpar_jobs USING (job_id)"
	  . " WHERE job_name = 'early' AND server = 'two' AND n.rows_done = $rows)");
wait_until($two, "status = 'succeeded' FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1");
($stopped, $warning) = run_as($here, $super, "SELECT status FROM bulkpar_cancel('early')");
is("$stopped $warning", 'cancelled ', 'a job of which a part has succeeded is cancelled');
stop_call($call);
$row->query_safe('ROLLBACK');
$row->quit;
is(sql("BEGIN; SELECT bulkpar_forget('early'); ROLLBACK"), '1', 'it could be forgotten');
is_once('early', 'after the success of a part');

# One refuses to start its part.
fill();
$two->safe_psql('postgres', "ALTER ROLE \"$super\" SET default_transaction_read_only = on");
$error = error_of("SELECT bulkpar_update('users', 'n', 'n + 1', job_name => 'refused')");
like($error, qr/^ERROR:  25006: .*node "two"/ms, 'a node that can only be read');
unlike($error, qr/may go on/, 'does not go on');
is(sql("BEGIN; SELECT bulkpar_forget('refused'); ROLLBACK"), '1', 'the job could be forgotten');
$two->safe_psql('postgres',
	"SET default_transaction_read_only = off; ALTER ROLE \"$super\" RESET default_transaction_read_only");
is_once('refused', 'when it is writable');

# What the owner may do, and what the parts are, may be otherwise when a job goes on.
foreach my $case (
	[ 'ALTER TABLE users DETACH PARTITION users_1',
		'ALTER TABLE users ATTACH PARTITION users_1 FOR VALUES FROM (100000) TO (199999)',
		qr/^ERROR:  55000: table public.users_1 of server "one" is no part of the job any more/m ],
	[ 'ALTER SERVER one OPTIONS (DROP connect_timeout)', 'ALTER SERVER one OPTIONS (ADD connect_timeout $$10$$)',
		qr/^ERROR:  55000: server "one" has no option "connect_timeout"/m ],
	[ 'ALTER FOREIGN TABLE users_1 OPTIONS (updatable $$false$$)', 'ALTER FOREIGN TABLE users_1 OPTIONS (DROP updatable)',
		qr/^ERROR:  55000: foreign table "users_1" does not allow updates/m ])
{
	my ($make, $undo, $pattern) = @$case;
	my $name = $make =~ s/\W+/ /gr;

	fill();
	$call = start_on_nodes($here, $name);
	sql("SELECT bulkpar_pause('$name')");
	stop_call($call);
	my $done = sql('SELECT sum(n) FROM users_1');

	sql($make);
	like(error_of("SELECT bulkpar_resume('$name')"), $pattern, "$make while the job is paused");
	is(sql('SELECT sum(n) FROM users_1'), $done, 'which does no more there');
	sql($undo);
	is_once($name, 'when it is undone');
}

#
# Rows that are skipped.
#
fill();
$one->safe_psql('postgres', 'ALTER TABLE users_1 ADD CONSTRAINT small CHECK (n < 1 OR id <> 100777)');
is(sql("SELECT status, rows_changed, rows_failed FROM bulkpar_update('users', 'n', 'n + 1', on_error => 'skip')"),
	'succeeded|' . (3 * $rows - 1) . '|1', 'a row is skipped on a node');
is(sql('SELECT server, key, sqlstate, constraint_name, relation FROM bulkpar_errors'), 'one|{100777}|23514|small|',
	'which is known here');
$one->safe_psql('postgres', 'ALTER TABLE users_1 DROP CONSTRAINT small');

#
# As whom.
#
foreach my $node (@nodes)
{
	my $hba = $node->data_dir . '/pg_hba.conf';
	my $old = slurp_file($hba);

	append_to_file("$hba.new", "local all joe scram-sha-256\n$old");
	rename("$hba.new", $hba) or die "cannot rename: $!";
	$node->safe_psql('postgres', "CREATE ROLE joe LOGIN PASSWORD 'secret'; SELECT pg_reload_conf()");
}
sql(<<'END');
CREATE ROLE joe LOGIN;
GRANT ALL ON users, users_0, users_1, users_2 TO joe;
GRANT USAGE ON SCHEMA links TO joe;
CREATE ROLE ann LOGIN;
CREATE ROLE crew;
GRANT ALL ON users, users_0, users_1, users_2 TO crew;
END
is_refused("SELECT bulkpar_update('users', 'n', 'n + 1')", qr/^ERROR:  28000: role "crew" is not .*DETAIL:  Other servers/ms,
	'an owner that cannot log in', role => 'crew')
  if sql('SHOW server_version_num') < 170000;
my @joe = (role => 'joe');
my $update = "SELECT status FROM bulkpar_update('users', 'n', 'n + 1')";
is_refused($update, qr/user mapping not found.*node "one"/s, 'without a mapping', @joe);
sql("CREATE USER MAPPING FOR joe SERVER $_ OPTIONS (user '$super')") foreach qw(one two);
is_refused($update, qr/permission denied for foreign server one.*node "one"/s, 'without a right on the server', @joe);
sql('GRANT USAGE ON FOREIGN SERVER one, two TO joe');
is_refused($update, qr/^ERROR:  2F003: password (is|or GSSAPI delegated credentials) required.*node "one"/ms, 'a plain role without a password', @joe);
sql("ALTER USER MAPPING FOR joe SERVER $_ OPTIONS (SET user 'joe', ADD password 'secret')") foreach qw(one two);
is_refused($update, qr/^ERROR:  42501: permission denied for table users_1.*node "one"/ms, 'without a right there', @joe);
$one->safe_psql('postgres', 'GRANT ALL ON users_1 TO joe');
is_refused($update, qr/^ERROR:  42501: permission denied for table users_2.*node "two"/ms, 'on the second node', @joe);
$two->safe_psql('postgres', 'GRANT ALL ON users_2 TO joe');
fill();
is(stop_call(start_call($here, $update, @joe)), 'succeeded', 'a plain role with a password');
is(state_of_rows(), 3 * $rows . '|1|1', 'each row is changed once');
is($_->safe_psql('postgres', 'SELECT owner FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1'), 'joe', 'as the mapped role')
  foreach @nodes;
sql("GRANT crew TO joe; ALTER ROLE joe SET role = 'crew'");
fill();
is(stop_call(start_call($here, $update, @joe)), 'succeeded', 'also if he is another one in his own sessions');
is(state_of_rows(), 3 * $rows . '|1|1', 'as which he has asked nobody');
sql('ALTER ROLE joe RESET role; REVOKE crew FROM joe');
$two->safe_psql('postgres', 'REVOKE EXECUTE ON FUNCTION bulkpar_wait(text, interval) FROM PUBLIC');
fill();
is(stop_call(start_call($here, $update, @joe)), 'succeeded', 'where he may not wait for a job it is seen how that is');
is(state_of_rows(), 3 * $rows . '|1|1', 'and each row is changed once');
$two->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION bulkpar_wait(text, interval) TO PUBLIC');
sql('REVOKE UPDATE ON users FROM joe; UPDATE users SET n = 0');
sql("UPDATE bulkpar.bulkpar_job SET status = 'paused' WHERE job_id = (SELECT max(job_id) FROM bulkpar_jobs)");
sql("UPDATE bulkpar.bulkpar_node SET status = 'paused' WHERE job_id = (SELECT max(job_id) FROM bulkpar_jobs)");
like(error_of('SELECT bulkpar_resume(max(job_id)) FROM bulkpar_jobs'),
	qr/^ERROR:  42501: permission denied for table users$/m, 'the right is looked for again');
is(sql('SELECT max(n) FROM users'), '0', 'before anything is done');
sql('GRANT UPDATE ON users TO joe');
is(stop_call(start_call($here, 'SELECT count(*) FROM bulkpar_nodes', role => 'ann')), '0', 'others do not see it');
sql('GRANT pg_read_all_stats TO ann');
is(stop_call(start_call($here, 'SELECT rows_changed, remote_job_name FROM bulkpar_nodes ORDER BY job_id DESC LIMIT 1',
			role => 'ann')), "$rows|", 'but for counts');

#
# What is refused.
#
my @refused = (
	[ "bulkpar_update('users', 'n', '(SELECT 1)')", 'a subquery' ],
	[ "bulkpar_update('users', 'n', '1', condition => 'n IN (SELECT 1)')", 'a subquery' ],
	[ "bulkpar_delete('users', 'EXISTS (SELECT)')", 'a subquery' ],
	[ "bulkpar_update('users', 'n', '1', from_item => 'pg_class c', condition => 'id = c.oid::integer')", 'a FROM or USING item' ],
	[ "bulkpar_update('users', 'n', '1', key_index => 'users_0_pkey')", 'the argument "key_index"' ],
	[ "bulkpar_update('users', 'n', '1', sees_batches => true)", 'the argument "sees_batches"' ],
	[ "bulkpar_execute('UPDATE users SET n = (SELECT 1)')", 'a subquery' ],
	[ "bulkpar_execute('DELETE FROM users USING users_0 o WHERE o.id = users.id')", 'a FROM or USING item' ],
	[ "bulkpar_execute('WITH w AS (SELECT 1) UPDATE users SET n = 1')", 'WITH' ],
	[ "bulkpar_execute('SELECT n FROM users')", 'an INSERT, MERGE or SELECT' ]);
is_refused("SELECT $$_[0]", qr/\Q$$_[1]\E is not supported where other servers have parts/, "$$_[0]") foreach @refused;
is_refused("SELECT bulkpar_update('users', 'id', 'id + 1')", qr/partition/, 'the partition key');
my @made = (
	[ 'ALTER FOREIGN TABLE users_1 ALTER note OPTIONS (column_name $$other$$)', qr/column "note" of foreign table "users_1" is called "other"/,
		'ALTER FOREIGN TABLE users_1 ALTER note OPTIONS (DROP column_name)' ],
	[ 'ALTER FOREIGN TABLE users_1 OPTIONS (updatable $$false$$)', qr/"users_1" does not allow updates/,
		'ALTER FOREIGN TABLE users_1 OPTIONS (DROP updatable)' ],
	[ 'ALTER SERVER two OPTIONS (DROP connect_timeout)',
		qr/^ERROR:  55000: server "two" has no option "connect_timeout".*^HINT:  .*ADD connect_timeout '10'/ms,
		'ALTER SERVER two OPTIONS (ADD connect_timeout $$10$$)' ],
	[ 'ALTER SERVER two OPTIONS (SET connect_timeout $$0$$)', qr/^ERROR:  55000: .*"two" is not between 1 and 60/m,
		'ALTER SERVER two OPTIONS (SET connect_timeout $$61$$)' ],
	[ 'SELECT', qr/^ERROR:  55000: .*"two" is not between 1 and 60/m,
		'ALTER SERVER two OPTIONS (SET connect_timeout $$60$$)' ],
	[ 'CREATE TRIGGER t BEFORE UPDATE ON users_2 FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
		qr/foreign table "users_2" has the trigger "t"/, 'DROP TRIGGER t ON users_2' ],
	[ 'CREATE TRIGGER t BEFORE UPDATE ON users FOR EACH STATEMENT EXECUTE FUNCTION suppress_redundant_updates_trigger()',
		qr/table "users" with parts on other servers has the trigger "t"/, 'DROP TRIGGER t ON users' ],
	[ 'ALTER FOREIGN TABLE users_2 OPTIONS (table_name $$none$$)', qr/^ERROR:  42P01: .*"public.none".*node "two"/ms,
		'ALTER FOREIGN TABLE users_2 OPTIONS (DROP table_name)' ]);
foreach my $case (@made)
{
	my ($make, $pattern, $undo) = @$case;

	sql($make);
	is_refused("SELECT bulkpar_update('users', 'n', '1')", $pattern, $make);
	sql($undo);
}
sql('ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON users USING (id > 5)');
is_refused($update, qr/row level security is not supported where/, 'with policies', @joe);
sql('DROP POLICY p ON users; ALTER TABLE users DISABLE ROW LEVEL SECURITY');

$two->safe_psql('postgres', "UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'bulkpar'");
is_refused("SELECT bulkpar_update('users', 'n', '1')", qr/has version "0.9" there, and "1.0" here.*node "two"/s,
	'another version');
$two->safe_psql('postgres', "UPDATE pg_extension SET extversion = '1.0' WHERE extname = 'bulkpar'; CREATE DATABASE other");
sql("ALTER SERVER two OPTIONS (SET dbname 'other')");
is_refused("SELECT bulkpar_update('users', 'n', '1')", qr/extension "bulkpar" is not installed there.*node "two"/s,
	'a node without the extension');

#
# A node that says what it likes: it is the database that the server names now.
#
$two->safe_psql('other', <<'END');
CREATE SCHEMA fake;
INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
	VALUES (99999, 'bulkpar', 10, 'fake'::regnamespace, false, '1.0');
CREATE TABLE users_2 (id integer, n integer, note text);
CREATE TABLE fake.names (job_name text);
SET check_function_bodies = off;
CREATE FUNCTION fake.answer(caller text, OUT job_id text, OUT status text, OUT rows_changed text, OUT rows_failed text,
	OUT rows_unchanged text, OUT batches text) LANGUAGE sql AS $$
	SELECT s.job_id, s.status, s.rows_changed, s.rows_failed, s.rows_unchanged, s.batches
	FROM fake.said s, fake.lie WHERE place = caller
	UNION ALL SELECT '1', 'running', '0', '0', '0', '0' FROM fake.lie WHERE place <> caller$$;
CREATE FUNCTION fake.bulkpar_explain(target text, column_name text[], expression text[], batch_size integer,
	workers integer, condition text, wait boolean, on_error text, max_errors bigint, job_name text,
	from_item text, key_index regclass, sees_batches boolean, once boolean, sample boolean, stripes integer,
	skip_unchanged boolean) RETURNS SETOF text LANGUAGE sql AS 'SELECT NULL UNION ALL SELECT E''%s %n \n''';
CREATE FUNCTION fake.bulkpar_update(target regclass, column_name text[], expression text[], batch_size integer,
	workers integer, condition text, wait boolean, on_error text, max_errors bigint, job_name text,
	from_item text, key_index regclass, sees_batches boolean, once boolean, stripes integer,
	skip_unchanged boolean, OUT job_id text, OUT status text, OUT rows_changed text, OUT rows_failed text,
	OUT rows_unchanged text, OUT batches text) LANGUAGE sql AS
	$$INSERT INTO fake.names VALUES (job_name); SELECT * FROM fake.answer('bulkpar_update')$$;
CREATE FUNCTION fake.bulkpar_wait(job_name text, timeout interval, OUT job_id text, OUT status text, OUT rows_changed text,
	OUT rows_failed text, OUT rows_unchanged text, OUT batches text) LANGUAGE sql AS
	$$SELECT * FROM fake.answer('bulkpar_wait')$$;
CREATE TABLE fake.lie (place text);
CREATE TABLE fake.said (job_id text, status text, rows_done text, rows_changed text, rows_failed text,
	rows_unchanged text, batches text, estimated_rows text, rows_per_second text, sqlstate text, message text,
	detail text, hint text, context text, schema_name text, table_name text, column_name text,
	datatype_name text, constraint_name text);
CREATE VIEW fake.bulkpar_jobs AS SELECT s.*, job_name, (SELECT oid FROM pg_roles WHERE rolname = current_user) AS owner
	FROM fake.said s, fake.names;
CREATE VIEW fake.bulkpar_progress AS SELECT job_id, rows_done, rows_changed, rows_failed, rows_unchanged,
	rows_per_second FROM fake.said;
CREATE VIEW fake.bulkpar_chunks AS SELECT job_id, batches::numeric FROM fake.said;
CREATE FUNCTION fake.bulkpar_pause(job_name text, OUT status text) LANGUAGE sql AS $$SELECT '''); DROP TABLE users_0;'$$;
END
my $bad = qr/^ERROR:  08P01: node "two" has answered what is no answer/m;
my @said = (
	[ "job_id = 1, status = NULL", $bad, 'a null' ],
	[ "job_id = 1, status = E'''); DROP TABLE users_0; --\\n'", $bad, 'another status' ],
	[ "job_id = 1, status = 'succeeded', rows_changed = '9223372036854775807'", $bad, 'an absurd number' ],
	[ "job_id = 1, status = 'succeeded', rows_changed = '99999999999999999999999'", $bad, 'a larger one' ],
	[ "job_id = 1, status = 'succeeded', rows_changed = '-1'", $bad, 'a negative one' ],
	[ "job_id = 1, status = 'succeeded', rows_changed = '1; DROP TABLE users_0'", $bad, 'none' ],
	[ "job_id = '', status = 'succeeded'", $bad, 'an empty one' ],
	[ "job_id = 1, status = 'failed', sqlstate = '''', message = NULL", qr/^ERROR:  XX000: .*without a message/m,
		'an error that is none' ],
	[ "job_id = 1, status = 'failed', sqlstate = '57014', message = '%s %n', detail = repeat('x', 100000)",
		qr/^ERROR:  57014: %s %n\n/m, 'an error that looks like a cancel' ]);
foreach my $case (map { my $said = $_; map { [ @$said, $_ ] } 'views', 'bulkpar_update', 'bulkpar_wait' } @said)
{
	my ($set, $pattern, $name, $place) = @$case;

	# What a job has failed with is in the views only.
	next if $set =~ /'failed'/ && $place ne 'views';
	$two->safe_psql('other', 'TRUNCATE fake.said, fake.names, fake.lie; INSERT INTO fake.said DEFAULT VALUES;'
		  . " INSERT INTO fake.lie VALUES ('$place'); UPDATE fake.said SET $set");
	like(error_of("SELECT bulkpar_update('users_2', 'n', '1')"), $pattern, "a node that says $name in $place");
	is(sql('SELECT status FROM bulkpar_jobs ORDER BY job_id DESC LIMIT 1'), 'failed', 'the job has failed');
}

# Whoever pauses a job there ends this one, which says what was done all the same.
foreach my $place ('bulkpar_update', 'bulkpar_wait', 'views')
{
	$two->safe_psql('other', 'TRUNCATE fake.said, fake.names, fake.lie; INSERT INTO fake.said DEFAULT VALUES;'
		  . " INSERT INTO fake.lie VALUES ('$place'); UPDATE fake.said SET job_id = 1, status = 'paused',"
		  . ' rows_done = 7, rows_changed = 5, rows_unchanged = 2, batches = 3');
	like(error_of("SELECT bulkpar_update('users_2', 'n', '1')"), qr/^ERROR:  57000: the job of node "two" was paused there/m,
		"a job is paused there, as $place says");
	is(sql('SELECT n.status, n.rows_done, n.rows_changed FROM bulkpar_nodes n ORDER BY job_id DESC LIMIT 1'), 'failed|7|5',
		'what it has done is known');
}
ok(sql('SELECT count(*) FROM bulkpar_nodes JOIN bulkpar_progress USING (job_id)') > 0, 'the views can be read');
is(sql('SELECT max(length(detail)) FROM bulkpar_nodes'), '10000', 'long texts are cut');
is(sql('SELECT count(*) FROM users_0'), $rows, 'and nothing of it was run');

$_->stop foreach $here, @nodes;
done_testing();
