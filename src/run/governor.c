/*-------------------------------------------------------------------------
 *
 * governor.c
 *		How much a job works, by what the server around it says.
 *
 * The coordinator of a job looks ten times a second or more at what its limits
 * are about, and tells the workers how much of their time they may work (see
 * law.c and pace.c).  It keeps account of what has slowed the job down, so that
 * whoever waits for it need not guess.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/governor.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "books/jobmessage.h"
#include "books/slowdown.h"
#include "run/backlog.h"
#include "run/governor.h"
#include "run/hours.h"
#include "run/lag.h"
#include "run/law.h"
#include "run/limits.h"
#include "run/reasons.h"
#include "run/room.h"
#include "run/pace.h"
#include "run/userquery.h"
#include "session/clip.h"
#include "session/process.h"

/* How often to look, in milliseconds, and how often where it matters. */
#define LOOK_INTERVAL 100
#define SHORT_INTERVAL 20

/* In microseconds: how soon a change is noted, and how often at least. */
#define NOTE_CHANGE (1 * USECS_PER_SEC)
#define NOTE_INTERVAL (5 * USECS_PER_SEC)

/* How long a job is held before whoever waits for it is told why. */
#define NOTICE_AFTER (5 * USECS_PER_SEC)

/*
 * A job of so many rows may change so much, and for so long, that it matters to
 * the queries on a standby.
 */
#define LARGE_JOB 50000

/* By how much the share of time must change to be noted at once. */
#define SHARE_CHANGE 0.1

/* More than one has at once, for they come and go. */
#define MAX_ACCOUNTS (4 * BULKPAR_MAX_REASONS)

/* What one reason has cost. */
typedef struct Account
{
	char		name[BULKPAR_REASON_NAME];
	char		text[BULKPAR_REASON_TEXT];
	TimestampTz since;			/* when it began, if it is there now; or 0 */
	int64		time;			/* in microseconds, that is not yet noted */
	bool		noted;			/* as it is now */
	bool		told;			/* to whoever waits */
} Account;

struct BulkparGovernor
{
	const BulkparJob *job;
	BulkparPace *pace;
	BulkparLimits limits;
	BulkparHours *hours;
	BulkparLag *lag;
	BulkparBacklog *backlog;
	BulkparRoom *room;
	BulkparUserquery *userquery;
	BulkparReasons reasons;
	TimestampTz started_at;
	TimestampTz looked_at;
	TimestampTz noted_at;
	TimestampTz held_since;		/* 0 while batches may start, or would by day */
	bool		closed;			/* outside of its window */
	int64		rested;			/* there, in microseconds, not yet noted */
	char		closed_by[BULKPAR_REASON_TEXT]; /* the window, and until when */
	double		share;
	double		noted_share;
	Account		all;
	int			naccounts;
	Account		accounts[MAX_ACCOUNTS];
	char		notice[BULKPAR_REASON_TEXT + 16];
};

static BulkparRoom *find_room(const BulkparJob *job);
static void rest(BulkparGovernor *governor, TimestampTz now);
static void set_clock_back(BulkparGovernor *governor, TimestampTz now);
static const char *reason_to_pause(const BulkparGovernor *governor,
								   TimestampTz now);
static void take_account(BulkparGovernor *governor, TimestampTz now);
static Account *find_account(BulkparGovernor *governor, const char *name);
static bool must_note(const BulkparGovernor *governor, TimestampTz now);
static void note_account(BulkparGovernor *governor, Account *account);
static const char *describe_reasons(const BulkparGovernor *governor);

/*
 * Watch over a job, in the current memory context, which must live as long as
 * this process.  The identity is that of the processes, and the pace what it
 * shares with the workers.
 */
BulkparGovernor *
bulkpar_governor_create(const BulkparIdentity *identity, const BulkparJob *job,
						BulkparPace *pace)
{
	BulkparGovernor *governor = palloc0(sizeof(BulkparGovernor));

	governor->pace = pace;
	governor->started_at = governor->looked_at = GetCurrentTimestamp();
	governor->share = governor->noted_share = 1;
	governor->all.noted = true;
	governor->hours = bulkpar_hours_create();
	governor->lag = bulkpar_lag_create();
	governor->backlog = bulkpar_backlog_create();
	governor->room = find_room(job);
	governor->userquery = bulkpar_userquery_create(identity, job->job_id);
	bulkpar_governor_follow(governor, job);
	return governor;
}

/* See which disks the job fills. */
static BulkparRoom *
find_room(const BulkparJob *job)
{
	MemoryContext context = CurrentMemoryContext;
	BulkparRoom *room;

	bulkpar_process_start_transaction();
	MemoryContextSwitchTo(context);
	room = bulkpar_room_create(job);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return room;
}

/* The job or the configuration has changed: find its limits anew. */
void
bulkpar_governor_follow(BulkparGovernor *governor, const BulkparJob *job)
{
	governor->job = job;
	bulkpar_limits_find(&governor->limits, &job->settings);
	bulkpar_pace_limit(governor->pace, &governor->limits);
	bulkpar_hours_follow(governor->hours, &governor->limits);
	bulkpar_userquery_follow(governor->userquery, &governor->limits);
}

/* Whether the last look was outside of the hours in which the job may work. */
bool
bulkpar_governor_is_closed(const BulkparGovernor *governor)
{
	return governor->closed;
}

/*
 * The job is planned, and is to begin: see what whoever has started it should
 * know, which is noted among its messages.  In a transaction of its own.
 */
void
bulkpar_governor_begin(const BulkparGovernor *governor, BulkparOutset *outset)
{
	int64		job_id = governor->job->job_id;

	bulkpar_process_start_transaction();
	bulkpar_outset_look(&governor->limits, outset);
	if (governor->job->estimated_rows < LARGE_JOB)
		outset->silent[0] = '\0';
	if (outset->silent[0] != '\0')
		bulkpar_jobmessage_add(job_id,
							   psprintf("queries on standbys may be cancelled: "
										"no snapshots are reported by %s",
										outset->silent));
	if (outset->behind[0] != '\0')
		bulkpar_jobmessage_add(job_id,
							   psprintf("standbys are behind before it has "
										"begun: %s", outset->behind));
	CommitTransactionCommand();
}

/*
 * The job was altered: batches have another size from now on, and so many workers
 * are wanted, or 0 for as many as there are.
 */
void
bulkpar_governor_alter(BulkparGovernor *governor, int workers)
{
	bulkpar_pace_alter(governor->pace, governor->job->batch_size, workers);
}

/*
 * Look around, and tell the workers.  NULL, or why the job is to be paused, for
 * people.  Neither throws nor needs a transaction.
 */
const char *
bulkpar_governor_look(BulkparGovernor *governor)
{
	const BulkparLimits *limits = &governor->limits;
	TimestampTz now = GetCurrentTimestamp();

	set_clock_back(governor, now);
	bulkpar_reasons_reset(&governor->reasons);
	governor->closed = bulkpar_hours_look(governor->hours, now,
										  &governor->reasons);
	if (governor->closed)
		rest(governor, now);
	bulkpar_lag_look(governor->lag, limits, now, &governor->reasons);
	bulkpar_backlog_look(governor->backlog, limits, &governor->reasons);
	bulkpar_room_look(governor->room, limits, now, &governor->reasons);
	if (!governor->closed)
		bulkpar_userquery_look(governor->userquery, now, &governor->reasons);
	governor->share = bulkpar_law_share(governor->reasons.load, limits->nice);
	bulkpar_pace_set(governor->pace, governor->share,
					 bulkpar_law_share(governor->reasons.load, 0) < 1,
					 describe_reasons(governor));
	take_account(governor, now);

	if (governor->share > 0 || governor->closed)
		governor->held_since = 0;
	else if (governor->held_since == 0)
		governor->held_since = now;
	return reason_to_pause(governor, now);
}

/* See to the process that helps to look.  Outside of a transaction. */
void
bulkpar_governor_tend(BulkparGovernor *governor)
{
	/* Outside of the window nobody needs to be asked. */
	bulkpar_userquery_tend(governor->userquery, !governor->closed);
}

/*
 * After how many milliseconds to look again.  Where a job is slowed down it must
 * hear soon of what it does.  So it must where it may be: in a tenth of a second
 * at full speed it can write what keeps a slow standby busy for one.
 */
int
bulkpar_governor_interval(const BulkparGovernor *governor)
{
	double		share = bulkpar_law_share(governor->reasons.load, 0);

	return share > 0 && (share < 1 || bulkpar_lag_is_watching(governor->lag)) ?
		SHORT_INTERVAL : LOOK_INTERVAL;
}

/* Whether the limits have no slot for that process. */
bool
bulkpar_governor_lacks_slot(const BulkparGovernor *governor)
{
	return bulkpar_userquery_lacks_slot(governor->userquery);
}

/*
 * Let that process end, and say whether it has soon.  Does not throw, and can be
 * called in an exit callback.
 */
bool
bulkpar_governor_stop(BulkparGovernor *governor)
{
	return bulkpar_userquery_stop(governor->userquery);
}

/* The same, and wait for its end however long that takes. */
void
bulkpar_governor_outlast(BulkparGovernor *governor)
{
	bulkpar_userquery_outlast(governor->userquery);
}

/*
 * The time since the last look is not that of the job.  Why it rests is noted when
 * that changes, and not again and again for hours; it is the first reason.
 */
static void
rest(BulkparGovernor *governor, TimestampTz now)
{
	int64		passed = now - governor->looked_at;

	governor->started_at += passed;
	governor->rested += passed;
	if (governor->reasons.count == 0 ||
		strcmp(governor->closed_by, governor->reasons.items[0].text) == 0)
		return;
	strlcpy(governor->closed_by, governor->reasons.items[0].text,
			sizeof(governor->closed_by));
	governor->all.noted = false;
}

/* Where the clock was set back, keep the ages. */
static void
set_clock_back(BulkparGovernor *governor, TimestampTz now)
{
	int64		shift = now - governor->looked_at;

	if (shift >= 0)
		return;
	governor->started_at += shift;
	governor->looked_at += shift;
	governor->noted_at += shift;
	if (governor->held_since != 0)
		governor->held_since += shift;
	if (governor->all.since != 0)
		governor->all.since += shift;
	for (int i = 0; i < governor->naccounts; i++)
	{
		if (governor->accounts[i].since != 0)
			governor->accounts[i].since += shift;
	}
	bulkpar_pace_forget(governor->pace);
}

static const char *
reason_to_pause(const BulkparGovernor *governor, TimestampTz now)
{
	const BulkparLimits *limits = &governor->limits;

	if (limits->max_time > 0 &&
		now - governor->started_at >= limits->max_time * 1000)
		return "paused, since the time is over that it may take";
	if (limits->max_rows > 0 &&
		bulkpar_pace_rows(governor->pace) >= limits->max_rows)
		return "paused, since it has changed as many rows as it may";
	if (governor->held_since != 0 && limits->throttle_timeout > 0 &&
		now - governor->held_since >= limits->throttle_timeout * 1000)
		return "paused, since it was throttled for too long";
	return NULL;
}

/*
 * What slows the job down, for all who may see what sessions do: but not what the
 * query of its owner says, which may be of the owner's rows.
 */
static const char *
describe_reasons(const BulkparGovernor *governor)
{
	static char text[BULKPAR_MAX_REASONS * (BULKPAR_REASON_TEXT + 2)];
	const BulkparReasons *reasons = &governor->reasons;

	text[0] = '\0';
	for (int i = 0; i < reasons->count; i++)
	{
		if (i > 0)
			strlcat(text, ", ", sizeof(text));
		strlcat(text,
				strcmp(reasons->items[i].name, "throttle_query") == 0 ?
				reasons->items[i].name : reasons->items[i].text, sizeof(text));
	}
	if (reasons->count == 0 && governor->limits.nice > 0)
		snprintf(text, sizeof(text), "nice %g", governor->limits.nice);
	else if (reasons->count == 0)
		strlcpy(text, "as fast as its limits allow", sizeof(text));
	return text;
}

/*
 * Add the time since the last look to what slows the job down now.  Time outside
 * of its window is not lost.
 */
static void
take_account(BulkparGovernor *governor, TimestampTz now)
{
	const BulkparReasons *reasons = &governor->reasons;
	int64		passed = governor->closed ? 0 : now - governor->looked_at;

	governor->looked_at = now;
	for (int i = 0; i < governor->naccounts; i++)
		governor->accounts[i].text[0] = '\0';
	governor->all.text[0] = '\0';

	for (int i = 0; i < reasons->count; i++)
	{
		const BulkparReason *reason = &reasons->items[i];
		Account    *account = find_account(governor, reason->name);

		if (account == NULL)
			continue;
		strlcpy(account->text, reason->text, sizeof(account->text));
		account->time += passed * (1 - bulkpar_law_share(reason->load, 0));
	}
	if (reasons->count > 0)
	{
		strlcpy(governor->all.text, "throttled", sizeof(governor->all.text));
		governor->all.time += passed *
			(1 - bulkpar_law_share(reasons->load, 0));
	}
	for (int i = -1; i < governor->naccounts; i++)
	{
		Account    *account = i < 0 ? &governor->all : &governor->accounts[i];
		bool		present = account->text[0] != '\0';

		if (present == (account->since != 0))
			continue;
		account->since = present ? now : 0;
		account->noted = false;
	}
}

/* The account of a reason, a new one if need be; NULL if there are too many. */
static Account *
find_account(BulkparGovernor *governor, const char *name)
{
	Account    *account = governor->accounts;

	for (int i = 0; i < governor->naccounts; i++, account++)
	{
		if (strcmp(account->name, name) == 0)
			return account;
	}
	if (governor->naccounts == MAX_ACCOUNTS)
		return NULL;
	governor->naccounts++;
	memset(account, 0, sizeof(Account));
	strlcpy(account->name, name, sizeof(account->name));
	account->noted = true;
	return account;
}

/*
 * What whoever waits for the job should know, once for each reason that holds
 * it for a while, or until its window opens; or NULL.
 */
const char *
bulkpar_governor_notice(BulkparGovernor *governor)
{
	if (governor->reasons.notice[0] != '\0')
		return governor->reasons.notice;
	if (!governor->closed &&
		(governor->held_since == 0 ||
		 governor->looked_at - governor->held_since < NOTICE_AFTER))
		return NULL;
	for (int i = 0; i < governor->reasons.count; i++)
	{
		const BulkparReason *reason = &governor->reasons.items[i];
		Account    *account = find_account(governor, reason->name);

		if (account == NULL || account->told || reason->load < 1)
			continue;
		account->told = true;
		snprintf(governor->notice, sizeof(governor->notice),
				 "throttled: %s", reason->text);
		return governor->notice;
	}
	return NULL;
}

/*
 * Write into the books what has changed, if it is time, or if the run of the job
 * has ended, after which nothing slows it down.  In a transaction of its own.
 */
void
bulkpar_governor_note(BulkparGovernor *governor, bool ended)
{
	TimestampTz now = GetCurrentTimestamp();
	MemoryContext context = CurrentMemoryContext;

	if (ended)
	{
		if (governor->closed)
			rest(governor, now);
		bulkpar_reasons_reset(&governor->reasons);
		take_account(governor, now);
	}
	else if (!must_note(governor, now))
		return;
	bulkpar_process_start_transaction();
	for (int i = 0; i < governor->naccounts; i++)
		note_account(governor, &governor->accounts[i]);
	if (governor->share != governor->noted_share)
		governor->all.noted = false;
	note_account(governor, &governor->all);
	if (governor->rested > 0 && (ended || !governor->closed))
	{
		bulkpar_slowdown_leave_out(governor->job->job_id, governor->rested);
		governor->rested = 0;
	}
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	governor->noted_at = now;
	governor->noted_share = governor->share;
}

static bool
must_note(const BulkparGovernor *governor, TimestampTz now)
{
	int64		passed = now - governor->noted_at;
	bool		changed = !governor->all.noted;

	for (int i = 0; i < governor->naccounts; i++)
		changed |= !governor->accounts[i].noted;
	changed |= fabs(governor->share - governor->noted_share) > SHARE_CHANGE;
	changed |= governor->rested > 0 && !governor->closed;
	return (changed && passed >= NOTE_CHANGE) ||
		(governor->all.since != 0 && !governor->closed &&
		 passed >= NOTE_INTERVAL);
}

static void
note_account(BulkparGovernor *governor, Account *account)
{
	BulkparSlowdown slowdown = {
		.reason = account->name,
		.message = account->since == 0 ? NULL : account->text,
		.since = governor->looked_at - account->since,
		.time = account->time,
		.share = governor->share
	};

	if (account->noted && account->time == 0 && account->since == 0)
		return;
	bulkpar_slowdown_note(governor->job->job_id, &slowdown);
	account->noted = true;
	account->time = 0;
}
