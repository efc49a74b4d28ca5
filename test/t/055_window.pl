# The hours in which a job may work: what a window is, case by case, and what
# becomes of a job that is outside of it.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use BulkparFaults;
use BulkparTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $library = build_module('window_cases');
my $node = start_fault_server('window', "timezone = 'UTC'");

sub super { return $node->safe_psql('postgres', $_[0]); }

super("CREATE FUNCTION window_at(text, timestamptz) RETURNS text LANGUAGE c"
	  . " AS '$library', 'window_at'");

# In Berlin clocks are put from 2:00 to 3:00 on March 29, 2026, which is 1:00
# UTC, and from 3:00 back to 2:00 on October 25, which is 1:00 UTC as well.  June
# 1 is a Monday.
my $berlin = '22:00-06:00 Europe/Berlin';
my @cases = (
	[ '', '2026-06-01 12:00+0', 'open for ever' ],
	[ '  ', '2026-06-01 12:00+0', 'open for ever' ],
	[ '00:00-24:00', '2026-06-01 12:00+0', 'open for ever' ],
	[ '00:00-12:00,12:00-24:00', '2026-06-01 12:00+0', 'open for ever' ],

	# by day
	[ '09:00-17:00', '2026-06-01 08:59:59.999999+0', 'closed until 06-01 09:00' ],
	[ '09:00-17:00', '2026-06-01 09:00+0', 'open until 06-01 17:00' ],
	[ '9:00 - 17:00 ', '2026-06-01 16:59:59.999999+0', 'open until 06-01 17:00' ],
	[ '09:00-17:00', '2026-06-01 17:00+0', 'closed until 06-02 09:00' ],
	[ '09:00-17:00', '1999-12-31 23:59:59.5+0', 'closed until 01-01 09:00' ],

	# over midnight, and up to it
	[ '22:00-06:00', '2026-05-31 21:59+0', 'closed until 05-31 22:00' ],
	[ '22:00-06:00', '2026-05-31 22:00+0', 'open until 06-01 06:00' ],
	[ '22:00-06:00', '2026-06-01 00:00+0', 'open until 06-01 06:00' ],
	[ '22:00-06:00', '2026-06-01 06:00+0', 'closed until 06-01 22:00' ],
	[ '22:00-24:00', '2026-06-01 23:59+0', 'open until 06-02 00:00' ],
	[ '22:00-00:00', '2026-06-01 23:59+0', 'open until 06-02 00:00' ],
	[ '22:00-24:00', '2026-06-02 00:00+0', 'closed until 06-02 22:00' ],

	# a clock that is set back goes by the time that it shows
	[ '22:00-06:00', '2026-06-01 05:59+0', 'open until 06-01 06:00' ],

	# another zone, in summer and in winter
	[ $berlin, '2026-06-01 20:00+0', 'open until 06-02 04:00' ],
	[ $berlin, '2026-06-01 04:00+0', 'closed until 06-01 20:00' ],
	[ $berlin, '2026-12-01 21:00+0', 'open until 12-02 05:00' ],
	[ "$berlin ", '2026-12-01 20:59+0', 'closed until 12-01 21:00' ],
	[ '22:00-06:00 <+0530>-05:30', '2026-12-01 16:29+0', 'closed until 12-01 16:30' ],

	# clocks are put forward: an hour less, and what was to begin in it
	[ $berlin, '2026-03-28 21:00+0', 'open until 03-29 04:00' ],
	[ '02:30-04:00 Europe/Berlin', '2026-03-29 00:59+0', 'closed until 03-29 01:00' ],
	[ '02:30-04:00 Europe/Berlin', '2026-03-29 01:00+0', 'open until 03-29 02:00' ],
	[ '01:00-02:30 Europe/Berlin', '2026-03-29 00:59+0', 'open until 03-29 01:00' ],
	[ '02:00-03:00 Europe/Berlin', '2026-03-29 00:59+0', 'closed until 03-30 00:00' ],
	[ 'sun 02:00-03:00 Europe/Berlin', '2026-03-28 12:00+0', 'closed until 04-05 00:00' ],

	# clocks are put back: an hour more, or twice the same
	[ $berlin, '2026-10-24 20:00+0', 'open until 10-25 05:00' ],
	[ '01:00-02:30 Europe/Berlin', '2026-10-25 00:00+0', 'open until 10-25 00:30' ],
	[ '01:00-02:30 Europe/Berlin', '2026-10-25 00:30+0', 'closed until 10-25 01:00' ],
	[ '01:00-02:30 Europe/Berlin', '2026-10-25 01:00+0', 'open until 10-25 01:30' ],
	[ '02:45-04:00 Europe/Berlin', '2026-10-25 00:45+0', 'open until 10-25 01:00' ],
	[ '02:45-04:00 Europe/Berlin', '2026-10-25 01:00+0', 'closed until 10-25 01:45' ],

	# several ranges, and days, of which that one counts on which a range begins
	[ '22:00-06:00, 12:00-13:00', '2026-06-01 06:00+0', 'closed until 06-01 12:00' ],
	[ '12:00-13:00,13:00-14:00', '2026-06-01 12:30+0', 'open until 06-01 14:00' ],
	[ 'sat,sun 00:00-24:00', '2026-06-01 00:00+0', 'closed until 06-06 00:00' ],
	[ 'sat,sun 00:00-24:00', '2026-06-06 00:00+0', 'open until 06-08 00:00' ],
	[ 'Fri-Mon 22:00-06:00', '2026-06-02 00:00+0', 'open until 06-02 06:00' ],
	[ 'fri-mon 22:00-06:00', '2026-06-02 06:00+0', 'closed until 06-05 22:00' ],
	[ 'fri 22:00-06:00', '2026-06-05 05:00+0', 'closed until 06-05 22:00' ],
	[ 'mon-fri 22:00-06:00, sat, sun 00:00-24:00 UTC', '2026-06-05 23:00+0', 'open until 06-08 00:00' ],

	# what is none
	[ '22:00', '2026-06-01 00:00+0', 'A range such as 22:00-06:00 is expected at "22:00".' ],
	[ '22:00-6', '2026-06-01 00:00+0', 'A time of day such as 22:00 is expected at "6".' ],
	[ '22-06', '2026-06-01 00:00+0', 'A time of day such as 22:00 is expected at "22-06".' ],
	[ '22:00-06:60', '2026-06-01 00:00+0', 'A time of day such as 22:00 is expected at "06:60".' ],
	[ '22:00-24:01', '2026-06-01 00:00+0', 'A time of day such as 22:00 is expected at "24:01".' ],
	[ '22:00-006:00', '2026-06-01 00:00+0', 'A time of day such as 22:00 is expected at "006:00".' ],
	[ '22:00:00-06:00', '2026-06-01 00:00+0', 'A range such as 22:00-06:00 is expected at "22:00:00-06:00".' ],
	[ '22:00-06:00,', '2026-06-01 00:00+0', 'A time of day such as 22:00 is expected at "".' ],
	[ '22:00-06:00, Europe/Berlin', '2026-06-01 00:00+0', 'A day such as mon is expected at "Europe/Berlin".' ],
	[ 'sat,22:00-06:00', '2026-06-01 00:00+0', 'A day such as mon is expected at "22:00-06:00".' ],
	[ 'saturday 22:00-06:00', '2026-06-01 00:00+0', 'A day such as mon is expected at "saturday 22:00-06:00".' ],
	[ '22:00-06:00 Europe/Nowhere', '2026-06-01 00:00+0', 'There is no time zone "Europe/Nowhere".' ],
	[ '22:00-06:00 ' . 'x' x 300, '2026-06-01 00:00+0', 'There is no time zone "' . 'x' x 300 . '".' ],
	[ '06:00-06:00', '2026-06-01 00:00+0', 'The range at "06:00-06:00" has no end after its beginning; the whole day is 00:00-24:00.' ],
	[ '24:00-06:00', '2026-06-01 00:00+0', 'The range at "24:00-06:00" has no end after its beginning; the whole day is 00:00-24:00.' ],
	[ join(',', ('1:00-2:00') x 17), '2026-06-01 00:00+0', 'There are too many ranges, from "1:00-2:00" on.' ]);

foreach my $case (@cases)
{
	my ($window, $at, $is) = @$case;

	is(super("SELECT window_at('$window', '$at')"), $is, "\"$window\" at $at");
}

# The ones of the same time in a session of another zone.
is( super("SET timezone = 'Asia/Tokyo'; SELECT window_at('22:00-06:00', '2026-06-01 13:00+0')"),
	'open until 06-01 21:00', 'a window without a zone is one of the session');

# The setting.
like( fails_with($node, "LOAD 'bulkpar'; SET bulkpar.time_window = '22-6'", '22023', 'a setting that is no window'),
	qr/DETAIL:  A time of day such as 22:00 is expected at "22-6"\.\nHINT:  Such as/,
	'says where');

# A range that is closed now, and open in two hours.
sub closed_window
{
	my ($zone) = @_;

	return super("SELECT to_char(t + interval '2 h', 'HH24:MI-') || to_char(t + interval '3 h', 'HH24:MI')"
		  . " FROM (SELECT clock_timestamp() AT TIME ZONE '$zone') AS n(t)");
}

sub set_window
{
	super("LOAD 'bulkpar'; ALTER SYSTEM $_[0]; SELECT pg_reload_conf()");
	return;
}

my $update = "SELECT status FROM bulkpar_update('t', 'n', 'n + 1', 10, 2";
my $asker = "FROM pg_stat_activity WHERE backend_type = 'bulkpar throttle query'";
my $worker = "FROM pg_stat_activity WHERE backend_type = 'bulkpar worker'";
my $window = closed_window('Asia/Tokyo');
my $call;
my $job;

sub await_closed
{
	my ($name, $shown) = @_;

	wait_until($node, "throttled_by ~ '^outside of the window $shown, until [0-9-]{10} [0-9:]{5}\$'"
		  . " AND status = 'running' AND work_share = 0 AND throttled_since IS NOT NULL"
		  . " FROM bulkpar_progress ORDER BY job_id DESC LIMIT 1", $name);
	return;
}

# A job that begins outside of its window does not even plan.
make_table($node, 't', 1000);
$call = start_call($node, "$update)", 'bulkpar.time_window' => $window, TimeZone => 'Asia/Tokyo',
	'bulkpar.throttle_timeout' => 1, 'bulkpar.max_time' => 1);
await_closed('a job is held outside of its window', "$window Asia/Tokyo");
$job = last_job($node);
wait_until($node, "clock_timestamp() > created_at + interval '3 s' FROM bulkpar_jobs WHERE job_id = $job");
is(super("SELECT count(*) $worker"), '0', 'it has no workers then');
is(super("SELECT status FROM bulkpar_jobs WHERE job_id = $job"), 'running',
	'neither timeout counts that time');
is(super("SELECT throttled_time FROM bulkpar_progress WHERE job_id = $job"), '00:00:00',
	'nor is it lost by throttling');
is(super("SELECT status FROM bulkpar_pause($job)"), 'paused', 'it can be paused');
is(stop_call($call), 'paused', 'and its caller is told');
like($call->{err}, qr/NOTICE:  [^\n]*bulkpar job $job: throttled: outside of the window $window Asia.Tokyo, until /,
	'and has been told why it waits');
is(super("SELECT time_at_work < interval '2 s' FROM bulkpar_jobs WHERE job_id = $job"),
	't', 'the time outside is none at work');
$call = start_call($node, "SELECT status FROM bulkpar_resume($job, wait => false)");
is(stop_call($call), 'running', 'a call that does not wait does not wait for the window');
like($call->{err}, qr/NOTICE:  [^\n]*outside of the window/, 'and is told');
await_closed('it keeps its window when it is resumed', "$window Asia/Tokyo");
$window = closed_window('Asia/Kolkata');
super("SET TimeZone = 'Asia/Kolkata'; SELECT bulkpar_alter($job, settings => jsonb_build_object('time_window', '$window'))");
await_closed('it can be altered', "$window Asia/Kolkata");
is(super("SELECT status FROM bulkpar_cancel($job)"), 'cancelled', 'it can be cancelled');
is(super("SET bulkpar.time_window = ''; SELECT status FROM bulkpar_resume($job)"), 'succeeded',
	'and resumed without a window');
is_exactly($node, 't', 1, 'exactly once');

# The window of the configuration counts beside that of the session, and opens at once.
make_table($node, 't', 1000);
$window = closed_window('UTC');
set_window("SET bulkpar.time_window = '$window'");
$call = start_call($node, "$update)", 'bulkpar.time_window' => '00:00-24:00');
await_closed('a session cannot open the window of the configuration', $window);
set_window('RESET bulkpar.time_window');
is(stop_call($call), 'succeeded', 'but who changes the configuration can');
is_exactly($node, 't', 1, 'exactly once');
is( super("SELECT time_at_work < clock_timestamp() - created_at FROM bulkpar_jobs WHERE job_id = " . last_job($node)),
	't', 'what it has waited for is not its time at work');

# A window that closes while the job runs: nobody works, or asks whether it may.
($call, $job) = start_slow_job($node, tempo => 5, settings => { 'bulkpar.throttle_query' => 'SELECT\\ false' });
set_window("SET bulkpar.time_window = '$window'");
await_closed('a window closes', $window);
wait_until($node, "count(*) > 0 $worker AND query ~ '^throttled: outside of the window'",
	'its workers wait');
wait_until($node, "count(*) = 0 $asker", 'its query is not asked');
cmp_ok(super('SELECT sum(n) FROM t'), '<', 10000, 'before the end');
is(super("SELECT count(*) $worker AND backend_xmin IS NOT NULL"), '0', 'without a snapshot');
set_window('RESET bulkpar.time_window');
set_tempo($node, 0);
is(stop_call($call), 'succeeded', 'it goes on when it opens');
is_exactly($node, 't', 1, 'exactly once');

done_testing();
