/*-------------------------------------------------------------------------
 *
 * attempt.c
 *		The tries of one batch.
 *
 * A batch that meets a deadlock or the like is tried again.  Where the job
 * skips errors, a batch that fails is halved until the rows that fail are
 * alone; these are recorded, and all others are updated.
 *
 * So is one that waits too long for the locks of others.  The row that is locked
 * is put aside, and what else there is comes first.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/attempt.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"

#include "books/storedkey.h"
#include "books/throttle.h"
#include "run/attempt.h"
#include "run/look.h"
#include "run/pace.h"
#include "run/rowerror.h"
#include "run/show.h"
#include "session/error.h"
#include "session/message.h"
#include "table/keyvalue.h"

/*
 * How often a batch is tried again before that is an error, unless another
 * worker of the job may be the reason.  With the pauses of retry.c that takes 2
 * to 4 seconds.
 */
#define MAX_RETRIES 10

/*
 * How often a batch ends in a deadlock before it is split: once may be chance,
 * and another try costs least; more often it is the number of rows that it
 * locks, and another try gains nothing.
 */
#define MAX_DEADLOCKS 3

/*
 * How many rows of a chunk are put aside, and how many one after the other.
 * Where somebody has locked all rows, or the one that all of them need, it is of
 * no use to find that out of each.
 */
#define MAX_ASIDE 100
#define MAX_ASIDE_RUN 10

/* A row that is not changed: put aside, or else skipped for its error. */
typedef struct Pass
{
	BulkparChunkRun *run;
	BulkparBatch *batch;
	const ErrorData *error;		/* or NULL */
	BulkparBatchResult result;
} Pass;

static ErrorData *try_batch(BulkparChunkRun *run, BulkparBatch *batch,
							BulkparBatchResult *result);
static bool is_of_others(BulkparChunkRun *run, BulkparBatch *batch);
static bool evade(BulkparChunkRun *run, BulkparBatch *batch,
				  BulkparBatchResult *result);
static void wait_in_place(BulkparChunkRun *run, BulkparBatch *batch);
static BulkparBatchResult put_aside(BulkparChunkRun *run, BulkparBatch *batch);
static BulkparBatchResult skip_errors(BulkparChunkRun *run, BulkparBatch *batch,
									  ErrorData *error);
static BulkparBatchResult pass_row(BulkparChunkRun *run, BulkparBatch *batch,
								   const ErrorData *error);
static void pass(void *arg);
static BulkparBatchResult split(BulkparChunkRun *run, BulkparBatch *batch,
								ErrorData *error);
static void note_time(BulkparChunkRun *run, const BulkparBatch *batch,
					  instr_time start);
static void note_done(BulkparChunkRun *run, const BulkparBatch *batch);

/*
 * Run a batch, again and again if need be, in smaller ones if that does not
 * help, or skip its rows that fail.  Or leave the chunk to other workers, who
 * may do better without us: then it is lost.
 */
BulkparBatchResult
bulkpar_attempt_batch(BulkparChunkRun *run, BulkparBatch *batch)
{
	int			alone = 0;		/* tries that no other worker has hindered */

	for (;;)
	{
		BulkparBatchResult result;
		ErrorData  *error = try_batch(run, batch, &result);
		int			workers = 1;
		bool		may_help;

		if (error == NULL)
			return result;
		if (bulkpar_lockwait_exceeded() && is_of_others(run, batch))
		{
			FreeErrorData(error);
			if (evade(run, batch, &result))
				return result;
			result = bulkpar_chunk_await_turn(run);
			if (result != BULKPAR_BATCH_DONE)
				return result;
			continue;
		}
		may_help = bulkpar_lockwait_exceeded() || bulkpar_retry_may_help(error);
		if (may_help)
			workers = bulkpar_retry_count_failure(&run->tally, run->job,
												  &run->claim.chunk, error,
												  batch->retries +
												  batch->retried + 1,
												  batch->retries >= MAX_RETRIES);
		if (workers == 0)
		{
			FreeErrorData(error);
			return BULKPAR_BATCH_LOST;
		}
		if (error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED &&
			batch->retries >= MAX_DEADLOCKS && batch->rows > 1 && !batch->cut)
			return split(run, batch, error);
		if (may_help && (workers > 1 || alone++ < MAX_RETRIES))
		{
			FreeErrorData(error);
			bulkpar_retry_pause(batch->retries++);
			result = bulkpar_chunk_await_turn(run);
			if (result != BULKPAR_BATCH_DONE)
				return result;
			continue;
		}
		if (run->job->skip_errors &&
			(may_help ||
			 bulkpar_rowerror_is_one(run, error)))
			return skip_errors(run, batch, error);
		ReThrowError(error);
	}
}

/*
 * Run a batch once, and say with what result; it is not set if there is an
 * error, which is for the caller to free.
 */
static ErrorData *
try_batch(BulkparChunkRun *run, BulkparBatch *batch, BulkparBatchResult *result)
{
	ErrorData  *volatile error = NULL;
	instr_time	start;

	Assert(!IsTransactionState());
	/* It is cut anew, not at what an earlier try has found. */
	if (batch->cut)
		batch->hi = run->claim.hi;

	/* The error context must not find the key of an earlier try. */
	batch->last_key = NULL;
	MemoryContextReset(run->batch_context);
	MemoryContextSwitchTo(run->batch_context);
	bulkpar_message_discard();
	run->batch = batch;
	bulkpar_lockwait_begin(bulkpar_lockwait_limit(!batch->patient &&
												  (run->cornering ||
												   batch->aside),
												  batch->aside ?
												  run->aside_wait : 0));
	INSTR_TIME_SET_CURRENT(start);
	PG_TRY();
	{
		*result = bulkpar_batch_run(run->job, &run->claim.chunk, run->target,
									batch);
		if (*result == BULKPAR_BATCH_DONE)
		{
			note_time(run, batch, start);
			note_done(run, batch);
		}
	}
	PG_CATCH();
	{
		run->batch = NULL;
		error = bulkpar_error_catch(run->chunk_context);
	}
	PG_END_TRY();
	bulkpar_lockwait_end();
	run->batch = NULL;
	return error;
}

/*
 * Whether a batch has waited too long for others than workers of the job.  If
 * it is one of these, then for the whole of their batch.
 */
static bool
is_of_others(BulkparChunkRun *run, BulkparBatch *batch)
{
	BulkparLockWait wait;

	bulkpar_lockwait_find(run->job, &wait);
	if (wait.fellow)
	{
		batch->patient = true;
		return false;
	}
	run->wait = wait;
	return true;
}

/*
 * Of a batch that has waited too long for others, do what can be done.  False
 * if it is to be tried again as it is.
 */
static bool
evade(BulkparChunkRun *run, BulkparBatch *batch, BulkparBatchResult *result)
{
	bool		cornering = run->cornering;
	bool		done;

	if (batch->aside)
	{
		*result = BULKPAR_BATCH_BLOCKED;
		return true;
	}
	if (run->wait.whole)
	{
		wait_in_place(run, batch);
		return false;
	}
	if (batch->rows == 1 && !batch->cut &&
		(batch->keys != NULL ||
		 (batch->row_key != NULL && bulkpar_look_is_one_row(run, batch))))
	{
		*result = put_aside(run, batch);
		return true;
	}
	run->cornering = true;
	done = bulkpar_chunk_run_halves(run, batch, result);
	run->cornering = cornering;
	if (!done)
		wait_in_place(run, batch);
	return done;
}

/* Wait with nothing held before a batch is tried again as it is. */
static void
wait_in_place(BulkparChunkRun *run, BulkparBatch *batch)
{
	bulkpar_pace_give_back();
	bulkpar_throttle_note(run->job->job_id, &run->claim.chunk,
						  run->wait.reason);
	batch->pause = bulkpar_lockwait_pause(batch->pause);
	bulkpar_lockwait_sleep(run->job, run->wait.reason, batch->pause);
	bulkpar_show_chunk(run);
}

/* Leave the only row of a batch for later, unless there are too many of them. */
static BulkparBatchResult
put_aside(BulkparChunkRun *run, BulkparBatch *batch)
{
	const BulkparKey *key = run->target->key;
	int			width = bulkpar_keyvalue_row_width(key);
	bytea	   *before = run->claim.chunk.aside;
	int			count = 0;
	Datum	   *keys;
	Datum	   *row;

	if (run->put_aside >= MAX_ASIDE_RUN)
		return BULKPAR_BATCH_BLOCKED;
	MemoryContextSwitchTo(run->chunk_context);
	if (before != NULL)
		keys = bulkpar_keyvalue_restore_list(key, before, &count);
	else
		keys = palloc(sizeof(Datum) * width);
	if (count >= MAX_ASIDE)
		return BULKPAR_BATCH_BLOCKED;
	keys = repalloc(keys, sizeof(Datum) * width * (count + 1));
	row = &keys[count * width];
	if (batch->keys != NULL)
		memcpy(row, batch->keys, sizeof(Datum) * width);
	else
	{
		/* It was not listed, so nobody knows its place. */
		memcpy(row, batch->row_key, sizeof(Datum) * key->ncolumns);
		row[key->ncolumns] = Int64GetDatum(0);
	}
	batch->puts_aside = true;
	batch->aside_after = bulkpar_keyvalue_store_list(key, keys, count + 1);
	batch->throttled_by = run->wait.reason;
	run->put_aside++;
	return pass_row(run, batch, NULL);
}

/*
 * Of a batch that has failed, update the rows that can be, half by half, and
 * record those that cannot.
 */
static BulkparBatchResult
skip_errors(BulkparChunkRun *run, BulkparBatch *batch, ErrorData *error)
{
	/* Others may have inserted rows before its row, and one of them fails. */
	if (batch->row_key == NULL || batch->rows != 1 ||
		(!batch->aside && !bulkpar_look_is_one_row(run, batch)))
		return split(run, batch, error);
	return pass_row(run, batch, error);
}

/* Go past the only row of a batch, which is not changed. */
static BulkparBatchResult
pass_row(BulkparChunkRun *run, BulkparBatch *batch, const ErrorData *error)
{
	Pass		arg = {
		.run = run,
		.batch = batch,
		.error = error
	};
	int			put_aside = run->put_aside;

	bulkpar_lockwait_insist(run->job, &run->claim.chunk, pass, &arg);
	if (arg.result == BULKPAR_BATCH_DONE)
		note_done(run, batch);
	if (error == NULL)
		run->put_aside = put_aside;
	return arg.result;
}

static void
pass(void *arg)
{
	Pass	   *pass = arg;
	BulkparChunkRun *run = pass->run;

	MemoryContextReset(run->batch_context);
	MemoryContextSwitchTo(run->batch_context);
	if (pass->error != NULL)
		pass->result = bulkpar_batch_skip(run->job, &run->claim.chunk,
										  run->target, pass->batch,
										  pass->error);
	else
		pass->result = bulkpar_batch_put_aside(run->job, &run->claim.chunk,
											   run->target, pass->batch);
}

/* Run the two halves of a batch that has failed. */
static BulkparBatchResult
split(BulkparChunkRun *run, BulkparBatch *batch, ErrorData *error)
{
	BulkparBatchResult result;

	/* The error is not of a row if there is none. */
	if (!bulkpar_chunk_run_halves(run, batch, &result))
		ReThrowError(error);
	FreeErrorData(error);
	return result;
}

/*
 * The size of batches goes by the time of those that are whole, unless that says
 * more about the server than about them.
 */
static void
note_time(BulkparChunkRun *run, const BulkparBatch *batch, instr_time start)
{
	int			whole = batch->keys != NULL || batch->cut ?
		run->job->batch_size : run->claim.batch_size;
	instr_time	time;

	if (batch->aside || batch->rows < whole ||
		run->job->batch_size != run->batch_size ||
		bulkpar_pace_is_throttled())
		return;
	INSTR_TIME_SET_CURRENT(time);
	INSTR_TIME_SUBTRACT(time, start);
	bulkpar_size_note(&run->size, bulkpar_pace_target_time(),
					  INSTR_TIME_GET_MILLISEC(time) - bulkpar_lockwait_time());
}

/* The batch has committed: remember up to which key the chunk is done. */
static void
note_done(BulkparChunkRun *run, const BulkparBatch *batch)
{
	BulkparLedgerChunk *chunk = &run->claim.chunk;

	Assert(batch->last_key != NULL);
	bulkpar_retry_count_commit(&run->tally);
	run->put_aside = 0;
	if (batch->aside || batch->puts_aside)
		chunk->aside = batch->aside_after;
	if (batch->aside)
		return;
	MemoryContextSwitchTo(run->chunk_context);
	chunk->done = bulkpar_storedkey_copy(batch->last_key);
}
