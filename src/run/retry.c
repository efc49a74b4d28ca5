/*-------------------------------------------------------------------------
 *
 * retry.c
 *		Whether another try of a batch may help, and who makes it.
 *
 * Workers hinder each other where the batches of several want the same rows:
 * the child rows of two keys that a cascade deletes, a row of sums that a
 * trigger keeps.  A worker whose tries fail so often that one worker less would
 * do more leaves its chunk to the others, and ends.  That may go on until one
 * is left, which no other can hinder.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/retry.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/guc.h"

#include "run/pace.h"
#include "run/retry.h"
#include "session/message.h"
#include "session/process.h"

/*
 * The pause after the first try, in milliseconds, about as long as a batch of
 * 1000 rows takes; and the longest one.  In between it doubles.
 */
#define MIN_PAUSE 10
#define MAX_PAUSE 1000

/*
 * How long a worker waits for a lock before it looks for a deadlock, in
 * milliseconds, unless the server does so even sooner.  All that it has done in
 * a batch is soon done again, so it had better be the one that finds it.
 */
#define MAX_DEADLOCK_TIMEOUT 20

/* From so many tries on the earlier ones count half. */
#define TALLY_SIZE 64

static bool is_of_no_help(const BulkparRetryTally *tally, int workers);
static void leave(const BulkparJob *job, const BulkparLedgerChunk *chunk,
				  const ErrorData *error, int retries);

/* Make this process find a deadlock soon.  Must be called in a transaction. */
void
bulkpar_retry_start(void)
{
	if (DeadlockTimeout > MAX_DEADLOCK_TIMEOUT)
		SetConfigOption("deadlock_timeout",
						psprintf("%d", MAX_DEADLOCK_TIMEOUT),
						PGC_SUSET, PGC_S_OVERRIDE);
}

/*
 * Whether the same batch may well succeed when it is tried again: its error
 * came from what others did at the same time.
 */
bool
bulkpar_retry_may_help(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE ||
		error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED ||
		error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE;
}

/* A batch has committed. */
void
bulkpar_retry_count_commit(BulkparRetryTally *tally)
{
	if (++tally->committed + tally->failed < TALLY_SIZE)
		return;
	tally->committed /= 2;
	tally->failed /= 2;
}

/*
 * A try of a batch has failed, so that the batch has now to be tried again for
 * the retries-th time.  Returns how many workers are at work on the job.  If that
 * is 0, then this one is no longer: it has left its chunk to the others, because
 * they hinder each other, or because this is the last try that it has.
 */
int
bulkpar_retry_count_failure(BulkparRetryTally *tally, const BulkparJob *job,
							const BulkparLedgerChunk *chunk,
							const ErrorData *error, int retries, bool last)
{
	MemoryContext context = CurrentMemoryContext;
	int			workers = 0;

	tally->failed++;
	if (job->workers == 1)
		return 1;
	bulkpar_process_start_transaction();
	if (bulkpar_ledger_lock(job))
	{
		workers = bulkpar_ledger_count_workers(job->job_id);
		if (workers > 1 && (last || is_of_no_help(tally, workers)))
		{
			leave(job, chunk, error, retries);
			workers = 0;
		}
	}
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return workers;
}

/*
 * Whether one worker less would do more: of n, of whose tries a share f fails,
 * n * (1 - f) do something, and n - 1 if none fails without us.  A try that
 * fails counts twice, for it takes longer than one that does not, by the wait
 * until it does; and where each second one fails it would else be left to chance
 * how long that goes on.
 */
static bool
is_of_no_help(const BulkparRetryTally *tally, int workers)
{
	return (int64) tally->failed * 2 * (workers - 1) > tally->committed;
}

/* Leave the chunk to the other workers, and say so. */
static void
leave(const BulkparJob *job, const BulkparLedgerChunk *chunk,
	  const ErrorData *error, int retries)
{
	/* What the try has said is undone with it. */
	bulkpar_message_discard();
	ereport(NOTICE,
			(errmsg("the job goes on with one worker less, because its workers hinder each other"),
			 errdetail("A batch was tried %d times: %s", retries,
					   error->message)));
	bulkpar_ledger_leave(job->job_id, chunk, retries,
						 bulkpar_message_report());
}

/*
 * Wait a little, longer each time, and not as long as others do.  The latch
 * ends it early: our caller then looks for interrupts.
 */
void
bulkpar_retry_pause(int retries)
{
	double		pause = Min(MAX_PAUSE, MIN_PAUSE << Min(retries, 8));

	Assert(retries >= 0);
	pause *= 0.5 + 0.5 * pg_prng_double(&pg_global_prng_state);
	(void) WaitLatch(MyLatch,
					 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 Max((long) pause, 1), PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	bulkpar_pace_start();
}
