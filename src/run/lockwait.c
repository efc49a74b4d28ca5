/*-------------------------------------------------------------------------
 *
 * lockwait.c
 *		How long a worker waits for a lock, and what it does then.
 *
 * Whoever waits for a row keeps all that the batch has changed locked, and a
 * snapshot, as long as somebody else likes.  So no transaction of a worker on
 * the table of the user waits longer than bulkpar.lock_wait: then it is rolled
 * back, and the worker sleeps with nothing held.  That is the server's own
 * lock_timeout.  What attempt.c does about it is not a try that has failed.
 *
 * The error of a timeout does not tell whose lock it was, and when it is raised
 * the process has left the queue.  So a timer of our own looks now and then what
 * this process waits for, and when the wait was too long we see who has that.
 *
 * User code may catch the error, as EXCEPTION WHEN OTHERS of PL/pgSQL does, and
 * go on without what it wanted to do, which it would not have done after a wait
 * without limit.  So it counts that the error was raised, not what became of it:
 * such a transaction does not commit.  A lock_timeout that user code has set is
 * its own business.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/lockwait.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "access/xact.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "books/joblock.h"
#include "books/throttle.h"
#include "compat.h"
#include "run/lockwait.h"
#include "run/pace.h"
#include "run/retry.h"
#include "session/error.h"
#include "session/process.h"

/*
 * How long to wait for a lock that somebody is known to keep, in milliseconds.
 * A batch of 1000 rows is halved ten times until it is clear which row that is,
 * and keeps others waiting no longer than for two batches.
 */
#define SHORT_WAIT 50

/* The first pause until such a lock is tried again, and the longest one. */
#define MIN_PAUSE 100
#define MAX_PAUSE 5000

/* What this process waited for when the timer last looked. */
static LOCKTAG seen_tag;
static LOCKMODE seen_mode;
static volatile sig_atomic_t seen = false;

static TimeoutId timer;
static int	ticking = 0;		/* its interval, or 0 */
static volatile sig_atomic_t waits = 0; /* that it has seen in the transaction */
static int	limit = 0;			/* of the transaction, or 0 */
static bool exceeded = false;	/* in the last one that had a limit */

static void look_at_lock(void);
static void note_error(void *arg);
static void refuse_commit(XactEvent event, void *arg);
static void set_lock_timeout(int ms);
static void sleep_for(const BulkparJob *job, const char *reason, int ms,
					  bool until_retired);
static bool try_work(void (*work) (void *arg), void *arg);
static void name_holders(const BulkparJob *job, BulkparLockWait *wait);

/*
 * Prepare this process, once.  What pushes onto the error_context_stack must do
 * so after it.
 */
void
bulkpar_lockwait_start(void)
{
	static ErrorContextCallback callback = {.callback = note_error};

	timer = RegisterTimeout(USER_TIMEOUT, look_at_lock);
	RegisterXactCallback(refuse_commit, NULL);
	callback.previous = error_context_stack;
	error_context_stack = &callback;
}

/*
 * How long to wait for a lock, in milliseconds, 0 for ever; or shortly, if it is
 * known to be kept, and if more than shortly then no longer than that.
 */
int
bulkpar_lockwait_limit(bool shortly, int longest)
{
	int			lock_wait = bulkpar_pace_lock_wait();

	if (shortly && lock_wait > SHORT_WAIT)
		return Max(SHORT_WAIT, Min(longest, lock_wait));
	return lock_wait;
}

/* Let the next transaction wait no longer than that. */
void
bulkpar_lockwait_begin(int ms)
{
	int			target = bulkpar_pace_target_time();
	int			interval = ms == 0 ? INT_MAX : Max(1, ms / 2);

	Assert(!IsTransactionState());
	limit = ms;
	exceeded = false;
	seen = false;
	waits = 0;
	if (ms > 0)
		set_lock_timeout(ms);
	if (target > 0)
		interval = Min(interval, Max(1, target / 4));
	if (interval == INT_MAX || ticking == interval)
		return;
	ticking = interval;
	enable_timeout_every(timer,
						 TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													 interval),
						 interval);
}

/* It has ended.  The timer goes on: to set it costs more than a look. */
void
bulkpar_lockwait_end(void)
{
	if (limit == 0)
		return;
	limit = 0;
	set_lock_timeout(0);
}

/*
 * For how long that transaction has waited for locks, in milliseconds, as far as
 * the timer has seen it: it looks often enough where the time of a batch matters.
 */
double
bulkpar_lockwait_time(void)
{
	return (double) waits * ticking;
}

/* Whether that transaction has waited too long, and was rolled back for it. */
bool
bulkpar_lockwait_exceeded(void)
{
	return exceeded;
}

/* See for whom, in a transaction of its own. */
void
bulkpar_lockwait_find(const BulkparJob *job, BulkparLockWait *wait)
{
	MemoryContext context = CurrentMemoryContext;

	memset(wait, 0, sizeof(BulkparLockWait));
	strlcpy(wait->reason, "lock held by another session",
			sizeof(wait->reason));
	if (!seen)
		return;
	wait->whole = seen_tag.locktag_type <= LOCKTAG_DATABASE_FROZEN_IDS ||
		seen_tag.locktag_type == LOCKTAG_OBJECT;
	bulkpar_process_start_transaction();
	name_holders(job, wait);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
}

/* The pause after one of that length, or 0 for the first, in milliseconds. */
int
bulkpar_lockwait_pause(int last)
{
	double		pause = Max(MIN_PAUSE, 2.0 * last);

	pause *= 0.75 + 0.5 * pg_prng_double(&pg_global_prng_state);
	return (int) Max(MIN_PAUSE, Min(MAX_PAUSE, pause));
}

/*
 * Sleep so long, outside of any transaction, and show why, or until the worker is
 * retired.  Throws when the process was cancelled or terminated.
 */
void
bulkpar_lockwait_sleep(const BulkparJob *job, const char *reason, int ms)
{
	sleep_for(job, reason, ms, true);
}

static void
sleep_for(const BulkparJob *job, const char *reason, int ms,
		  bool until_retired)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);
	char		activity[128];
	long		left;

	Assert(!IsTransactionState());
	snprintf(activity, sizeof(activity),
			 "bulkpar job " INT64_FORMAT ", throttled: %s", job->job_id,
			 reason);
	pgstat_report_activity(STATE_RUNNING, activity);
	disable_timeout(timer, false);
	ticking = 0;
	while ((left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
												   until)) > 0 &&
		   !(until_retired && bulkpar_pace_is_retired()))
	{
		/* The clock was set back. */
		if (left > ms)
			until -= (left - ms) * INT64CONST(1000);
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Min(left, MIN_PAUSE), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		bulkpar_pace_check_interrupts();
	}
	bulkpar_pace_start();
}

/*
 * Do some work in a transaction that it starts and commits, again and again until
 * it has not waited too long for a lock.  What keeps it is noted with the chunk,
 * or where there is none with the job.
 */
void
bulkpar_lockwait_insist(const BulkparJob *job, const BulkparLedgerChunk *chunk,
						void (*work) (void *arg), void *arg)
{
	BulkparLockWait wait;
	bool		noted = false;
	int			pause = 0;
	int			tries = 0;

	while (!try_work(work, arg))
	{
		bulkpar_lockwait_find(job, &wait);
		if (wait.fellow)
		{
			bulkpar_retry_pause(tries++);
			CHECK_FOR_INTERRUPTS();
			continue;
		}
		bulkpar_throttle_note(job->job_id, chunk, wait.reason);
		noted = true;
		pause = bulkpar_lockwait_pause(pause);
		/* It goes on with its chunk until that can be given back. */
		sleep_for(job, wait.reason, pause, chunk == NULL);
	}
	if (noted && chunk == NULL)
		bulkpar_throttle_note(job->job_id, NULL, NULL);
}

/* Do it once; false if that took too long, and nothing has changed. */
static bool
try_work(void (*work) (void *arg), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;

	bulkpar_lockwait_begin(bulkpar_pace_lock_wait());
	PG_TRY();
	{
		work(arg);
	}
	PG_CATCH();
	{
		error = bulkpar_error_catch(context);
	}
	PG_END_TRY();
	bulkpar_lockwait_end();
	MemoryContextSwitchTo(context);
	if (error == NULL)
		return true;
	if (!exceeded)
		ReThrowError(error);
	FreeErrorData(error);
	return false;
}

/*
 * The timer: look what we wait for.  It may interrupt anything, also the end of
 * the process, so it only copies from shared memory: if the wait ends just now,
 * that is of one that was not too long.
 */
static void
look_at_lock(void)
{
	LOCK	   *lock = MyProc == NULL ? NULL : MyProc->waitLock;

	if (lock == NULL)
		return;
	seen_tag = lock->tag;
	seen_mode = MyProc->waitLockMode;
	seen = true;
	waits++;
}

/*
 * Error context callback, which adds nothing to it: notice the timeout that we
 * have set.  NOWAIT, user code and other servers raise errors of the same
 * SQLSTATE elsewhere.
 */
static void
note_error(void *arg)
{
	MemoryContext oldcontext;
	ErrorData  *error;

	if (limit == 0 || LockTimeout != limit ||
		geterrcode() != ERRCODE_LOCK_NOT_AVAILABLE)
		return;
	oldcontext = MemoryContextSwitchTo(TopMemoryContext);
	error = CopyErrorData();
	if (error->elevel == ERROR && error->funcname != NULL &&
		strcmp(error->funcname, "ProcessInterrupts") == 0)
		exceeded = true;
	FreeErrorData(error);
	MemoryContextSwitchTo(oldcontext);
}

/* Do not commit what was done without a lock, after deferred triggers too. */
static void
refuse_commit(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT && limit > 0 && exceeded)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("a lock timeout was caught in a batch")));
}

/* As a default of this process, which RESET goes back to. */
static void
set_lock_timeout(int ms)
{
	char		value[12];

	pg_ltoa(ms, value);
	SetConfigOption("lock_timeout", value, PGC_SUSET, PGC_S_OVERRIDE);
}

/* Say who holds what we waited for; others come before workers of the job. */
static void
name_holders(const BulkparJob *job, BulkparLockWait *wait)
{
	int			count;
	VirtualTransactionId *holders = GetLockConflicts(&seen_tag, seen_mode,
													 &count);
	int			other = -1;
	bool		fellow = false;

	for (int i = 0; i < count && other < 0; i++)
	{
		int			pid = bulkpar_compat_virtual_pid(holders[i]);

		if (pid != 0 && bulkpar_joblock_has_process(job->job_id, pid))
			fellow = true;
		else
			other = pid;
	}
	wait->fellow = fellow && other < 0;
	if (other > 0)
		snprintf(wait->reason, sizeof(wait->reason),
				 "lock held by process %d", other);
	else if (other == 0)
		strlcpy(wait->reason, "lock held by a prepared transaction",
				sizeof(wait->reason));
}
