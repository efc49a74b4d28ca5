/*-------------------------------------------------------------------------
 *
 * chunk.c
 *		Running the batches of a chunk.
 *
 * A batch that meets a deadlock or the like is tried again.  Where the job
 * skips errors, a batch that fails is halved until the rows that fail are
 * alone; these are recorded, and all others are updated.
 *
 * So is one that waits too long for the locks of others.  The row that is locked
 * is put aside, and what else there is comes first.  A chunk that has nothing
 * left but such rows, or too many of them, is set back, for a worker that has
 * nothing else to do.  That one tries it again and again: there are few ways to
 * go wrong in waiting, and whoever asked for it can cancel the job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/chunk.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/pmsignal.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "books/storedkey.h"
#include "books/throttle.h"
#include "bulkpar.h"
#include "run/chunk.h"
#include "run/pace.h"
#include "run/retry.h"
#include "run/rowerror.h"
#include "session/message.h"
#include "session/settings.h"
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

/*
 * How much longer the pauses between the tries of rows that were put aside are
 * than these.  A worker has a snapshot while it waits for a lock; and if it did
 * not wait for a row that others lock in turn, it would not get it.
 */
#define PAUSES_PER_WAIT 4

/* A look at the keys of a range. */
typedef struct Look
{
	BulkparChunkRun *run;
	const Datum *hi;
	int			batch_size;
	int			max_batches;
	BulkparBounds *bounds;
	const Datum *row_key;		/* to compare with the only row, or NULL */
	bool		is_one_row;		/* and whether it is that */
} Look;

/* A row that is not changed: put aside, or else skipped for its error. */
typedef struct Pass
{
	BulkparChunkRun *run;
	BulkparBatch *batch;
	const ErrorData *error;		/* or NULL */
	BulkparBatchResult result;
} Pass;

static BulkparBatchResult run_stripes(BulkparChunkRun *run);
static BulkparBatchResult run_aside(BulkparChunkRun *run);
static bool set_back(BulkparChunkRun *run);
static BulkparBatchResult run_stripe(BulkparChunkRun *run);
static BulkparBatchResult run_list(BulkparChunkRun *run, const Datum *keys,
								   int nkeys, int batch_size, int retried,
								   bool finishes_stripe);
static BulkparBatchResult run_bounds(BulkparChunkRun *run,
									 const BulkparBounds *bounds,
									 int batch_size, int retried,
									 bool finishes_stripe);
static BulkparBatchResult run_cut(BulkparChunkRun *run);
static BulkparBatchResult run_batch(BulkparChunkRun *run, BulkparBatch *batch);
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
static bool has_one_row(BulkparChunkRun *run, const BulkparBatch *batch);
static BulkparBatchResult split(BulkparChunkRun *run, BulkparBatch *batch,
								ErrorData *error);
static bool run_halves(BulkparChunkRun *run, BulkparBatch *batch,
					   BulkparBatchResult *result);
static void note_done(BulkparChunkRun *run, const BulkparBatch *batch);
static void collect_batches(BulkparChunkRun *run, const Datum *hi,
							int batch_size, int max_batches,
							BulkparBounds *bounds);
static void look_at_keys(void *arg);
static void check_interrupts(void);
static char *key_list(const BulkparStoredKey *key);

/*
 * Run the batches of the claimed chunk, or set it back as far as it cannot go on
 * now.  False if the chunk was taken from us: then somebody thinks that we are
 * dead, and so we had better be.
 */
bool
bulkpar_chunk_run(BulkparChunkRun *run)
{
	BulkparLedgerChunk *chunk = &run->claim.chunk;
	BulkparBatchResult result;
	BulkparBatchResult aside;

	Assert(chunk->chunk_no != 0);
	Assert(chunk->stripe.number < chunk->stripe.count);
	run->cornering = false;
	run->put_aside = 0;
	if (chunk->throttled)
	{
		bulkpar_lockwait_sleep(run->job, chunk->throttled_by, chunk->left);
		check_interrupts();
		if (!bulkpar_batch_was_last(chunk))
			bulkpar_chunk_report(run);
	}
	result = run_stripes(run);
	if (result == BULKPAR_BATCH_LOST)
		return false;
	aside = run_aside(run);
	if (aside == BULKPAR_BATCH_LOST)
		return false;
	return (result == BULKPAR_BATCH_DONE && aside == BULKPAR_BATCH_DONE) ||
		set_back(run);
}

/* Run the batches, stripe after stripe. */
static BulkparBatchResult
run_stripes(BulkparChunkRun *run)
{
	BulkparClaim *claim = &run->claim;
	BulkparLedgerChunk *chunk = &claim->chunk;

	while (!bulkpar_batch_was_last(chunk))
	{
		BulkparBatchResult result = run_stripe(run);

		if (result != BULKPAR_BATCH_DONE ||
			chunk->stripe.number == chunk->stripe.count - 1)
			return result;
		chunk->stripe.number++;
		claim->lo = claim->start;
		chunk->done = chunk->lo;
	}
	return BULKPAR_BATCH_DONE;
}

/* Try the rows that were put aside, one by one. */
static BulkparBatchResult
run_aside(BulkparChunkRun *run)
{
	BulkparLedgerChunk *chunk = &run->claim.chunk;
	const BulkparKey *key = run->target->key;
	int			width = bulkpar_keyvalue_row_width(key);
	Size		size = sizeof(Datum) * width;
	BulkparBatchResult result = BULKPAR_BATCH_DONE;
	Datum	   *keys;
	int			nkeys;
	int			first = 0;

	if (chunk->aside == NULL)
		return result;
	MemoryContextSwitchTo(run->chunk_context);
	keys = bulkpar_keyvalue_restore_list(key, chunk->aside, &nkeys);
	run->aside_wait = chunk->pause / PAUSES_PER_WAIT / nkeys;
	while (first < nkeys)
	{
		Datum	   *row = palloc(size);
		Datum	   *next = &keys[first * width];
		BulkparBatch batch = {
			.keys = row,
			.row_key = row,
			.rows = 1,
			.aside = true
		};

		/* Those before first stay, so take this one out of the rest. */
		memcpy(row, next, size);
		memmove(next, next + width, size * (nkeys - first - 1));
		if (nkeys > 1)
			batch.aside_after = bulkpar_keyvalue_store_list(key, keys,
															nkeys - 1);
		bulkpar_chunk_await_turn(run);
		switch (run_batch(run, &batch))
		{
			case BULKPAR_BATCH_LOST:
				return BULKPAR_BATCH_LOST;
			case BULKPAR_BATCH_DONE:
				nkeys--;
				break;
			default:
				memmove(next + width, next,
						size * (nkeys - first - 1));
				memcpy(next, row, size);
				first++;
				result = BULKPAR_BATCH_BLOCKED;
				break;
		}
		MemoryContextSwitchTo(run->chunk_context);
	}
	return result;
}

/*
 * Leave the chunk to whoever has nothing else to do, after a pause that grows.
 * False if it is not ours.
 */
static bool
set_back(BulkparChunkRun *run)
{
	BulkparLedgerChunk *chunk = &run->claim.chunk;
	bool		ours;

	bulkpar_message_discard();
	bulkpar_settings_start_transaction();
	ours = bulkpar_throttle_set_back(run->job->job_id, chunk,
									 run->wait.reason,
									 bulkpar_lockwait_pause(chunk->pause),
									 bulkpar_message_report());
	CommitTransactionCommand();
	if (ours)
		bulkpar_message_reported();
	return ours;
}

/* Run the batches of a stripe from claim.lo on. */
static BulkparBatchResult
run_stripe(BulkparChunkRun *run)
{
	BulkparClaim *claim = &run->claim;
	BulkparBounds bounds;
	BulkparBatchResult result;

	if (claim->keys != NULL)
	{
		result = run_list(run, claim->keys, claim->nkeys,
						  run->job->batch_size, 0, true);
		/* They are no range that could be cut anew. */
		if (result == BULKPAR_BATCH_TOO_LARGE)
			elog(ERROR, "more rows than keys were changed");
		return result;
	}
	if (claim->bounds != NULL)
		bounds = claim->bounds[claim->chunk.stripe.number];
	else
		collect_batches(run, claim->hi, claim->batch_size,
						BULKPAR_CHUNK_BATCHES, &bounds);
	for (;;)
	{
		result = run_bounds(run, &bounds, claim->batch_size, 0, true);
		if (result == BULKPAR_BATCH_TOO_LARGE)
			return run_cut(run);
		if (result != BULKPAR_BATCH_DONE || bounds.complete)
			return result;
		collect_batches(run, claim->hi, claim->batch_size,
						BULKPAR_CHUNK_BATCHES, &bounds);
	}
}

/*
 * Run batches of listed keys.  Otherwise as run_bounds; retried is for the
 * first of them.
 */
static BulkparBatchResult
run_list(BulkparChunkRun *run, const Datum *keys, int nkeys, int batch_size,
		 int retried, bool finishes_stripe)
{
	int			width = bulkpar_keyvalue_row_width(run->target->key);

	while (nkeys > 0)
	{
		int			rows = Min(nkeys, batch_size);
		BulkparBatch batch = {
			.lo = run->claim.lo,
			.hi = &keys[(rows - 1) * width],
			.rows = rows,
			.keys = keys,
			.retried = retried,
			.finishes_stripe = rows == nkeys && finishes_stripe
		};
		BulkparBatchResult result;

		bulkpar_chunk_await_turn(run);
		result = run_batch(run, &batch);
		if (result != BULKPAR_BATCH_DONE)
			return result;
		run->claim.lo = (Datum *) batch.hi;
		keys += rows * width;
		nkeys -= rows;
		retried = 0;
	}
	return BULKPAR_BATCH_DONE;
}

/*
 * Run the rest of the stripe in batches that are cut as they are run.  That is
 * for tables into which others insert so much that what was collected before
 * does not hold.
 */
static BulkparBatchResult
run_cut(BulkparChunkRun *run)
{
	for (;;)
	{
		BulkparBatch batch = {
			.lo = run->claim.lo,
			.hi = run->claim.hi,
			.cut = true,
			.cut_context = run->chunk_context
		};
		BulkparBatchResult result;

		bulkpar_chunk_await_turn(run);
		result = run_batch(run, &batch);
		if (result == BULKPAR_BATCH_LOST || result == BULKPAR_BATCH_BLOCKED ||
			(result == BULKPAR_BATCH_DONE && batch.finishes_stripe))
			return result;
		if (result == BULKPAR_BATCH_DONE)
			run->claim.lo = (Datum *) batch.hi;
	}
}

/*
 * Run batches from claim.lo on.  Unless the result is "done", the last of
 * them has not been run, or not all of it, and claim.lo says how far we are.
 */
static BulkparBatchResult
run_bounds(BulkparChunkRun *run, const BulkparBounds *bounds, int batch_size,
		   int retried, bool finishes_stripe)
{
	for (int i = 0; i < bounds->nbatches; i++)
	{
		bool		last = i == bounds->nbatches - 1;
		BulkparBatch batch = {
			.lo = run->claim.lo,
			.hi = bounds->keys[i],
			.row_key = batch_size > 1 ? NULL :
			last ? bounds->last_row : bounds->keys[i],
			.rows = last ? bounds->rows_in_last : batch_size,
			.retried = i == 0 ? retried : 0,
			.finishes_stripe = last && bounds->complete && finishes_stripe
		};
		BulkparBatchResult result;

		bulkpar_chunk_await_turn(run);
		result = run_batch(run, &batch);
		if (result != BULKPAR_BATCH_DONE)
			return result;
		run->claim.lo = bounds->keys[i];
	}
	return BULKPAR_BATCH_DONE;
}

/*
 * Run a batch, again and again if need be, in smaller ones if that does not
 * help, or skip its rows that fail.  Or leave the chunk to other workers, who
 * may do better without us: then it is lost.
 */
static BulkparBatchResult
run_batch(BulkparChunkRun *run, BulkparBatch *batch)
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
			bulkpar_chunk_await_turn(run);
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
	PG_TRY();
	{
		*result = bulkpar_batch_run(run->job, &run->claim.chunk, run->target,
									batch);
		if (*result == BULKPAR_BATCH_DONE)
			note_done(run, batch);
	}
	PG_CATCH();
	{
		run->batch = NULL;
		MemoryContextSwitchTo(run->chunk_context);
		error = CopyErrorData();
		FlushErrorState();
		AbortOutOfAnyTransaction();
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
		 (batch->row_key != NULL && has_one_row(run, batch))))
	{
		*result = put_aside(run, batch);
		return true;
	}
	run->cornering = true;
	done = run_halves(run, batch, result);
	run->cornering = cornering;
	if (!done)
		wait_in_place(run, batch);
	return done;
}

/* Wait with nothing held before a batch is tried again as it is. */
static void
wait_in_place(BulkparChunkRun *run, BulkparBatch *batch)
{
	bulkpar_throttle_note(run->job->job_id, &run->claim.chunk,
						  run->wait.reason);
	batch->pause = bulkpar_lockwait_pause(batch->pause);
	bulkpar_lockwait_sleep(run->job, run->wait.reason, batch->pause);
	check_interrupts();
	bulkpar_chunk_report(run);
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
		(!batch->aside && !has_one_row(run, batch)))
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

/*
 * Whether the row of row_key is all that there is in a batch.  Keys are compared
 * within the transaction: the functions of some types, composite ones and enums
 * among them, look into the catalogs.
 */
static bool
has_one_row(BulkparChunkRun *run, const BulkparBatch *batch)
{
	BulkparBounds bounds;
	Look		arg = {
		.run = run,
		.hi = batch->hi,
		.batch_size = 1,
		.max_batches = 1,
		.bounds = &bounds,
		.row_key = batch->row_key
	};

	bulkpar_lockwait_insist(run->job, &run->claim.chunk, look_at_keys, &arg);
	return arg.is_one_row;
}

/* Run the two halves of a batch that has failed. */
static BulkparBatchResult
split(BulkparChunkRun *run, BulkparBatch *batch, ErrorData *error)
{
	BulkparBatchResult result;

	/* The error is not of a row if there is none. */
	if (!run_halves(run, batch, &result))
		ReThrowError(error);
	FreeErrorData(error);
	return result;
}

/* The same; false, and nothing is done, if there is no row in it. */
static bool
run_halves(BulkparChunkRun *run, BulkparBatch *batch,
		   BulkparBatchResult *result)
{
	int			half = Max((batch->rows + 1) / 2, 1);
	int			retried = batch->retries + batch->retried;
	BulkparBounds bounds;

	Assert(!batch->cut || batch->keys == NULL);
	if (batch->keys != NULL)
	{
		*result = run_list(run, batch->keys, batch->rows, half, retried,
						   batch->finishes_stripe);
		return true;
	}
	collect_batches(run, batch->hi, half, 2, &bounds);
	if (bounds.rows == 0)
		return false;
	*result = run_bounds(run, &bounds, half, retried, batch->finishes_stripe);
	if (*result == BULKPAR_BATCH_DONE && !bounds.complete)
		*result = BULKPAR_BATCH_TOO_LARGE;
	return true;
}

/* The batch has committed: remember up to which key the chunk is done. */
static void
note_done(BulkparChunkRun *run, const BulkparBatch *batch)
{
	BulkparLedgerChunk *chunk = &run->claim.chunk;

	Assert(batch->last_key != NULL);
	bulkpar_retry_count_commit(&run->tally);
	bulkpar_pace_count(batch->rows);
	run->put_aside = 0;
	if (batch->aside || batch->puts_aside)
		chunk->aside = batch->aside_after;
	if (batch->aside)
		return;
	MemoryContextSwitchTo(run->chunk_context);
	chunk->done = bulkpar_storedkey_copy(batch->last_key);
}

/*
 * Collect batches of the stripe from claim.lo up to hi, in a transaction of
 * its own.
 */
static void
collect_batches(BulkparChunkRun *run, const Datum *hi, int batch_size,
				int max_batches, BulkparBounds *bounds)
{
	Look		arg = {
		.run = run,
		.hi = hi,
		.batch_size = batch_size,
		.max_batches = max_batches,
		.bounds = bounds
	};

	bulkpar_lockwait_insist(run->job, &run->claim.chunk, look_at_keys, &arg);
}

/* A look in a transaction; what it allocates lives as long as the chunk. */
static void
look_at_keys(void *arg)
{
	Look	   *look = arg;
	BulkparChunkRun *run = look->run;

	bulkpar_settings_start_transaction();
	bulkpar_settings_restore();
	MemoryContextSwitchTo(run->chunk_context);
	bulkpar_target_lock(run->target, run->job, run->claim.chunk.part,
						AccessShareLock);
	bulkpar_bounds_collect(run->target, run->claim.lo, look->hi,
						   &run->claim.chunk.stripe, look->batch_size,
						   look->max_batches, look->bounds);
	if (look->row_key != NULL)
		look->is_one_row = look->bounds->complete && look->bounds->rows == 1 &&
			bulkpar_keyvalue_compare(run->target->key, look->bounds->last_row,
									 look->row_key) == 0;
	CommitTransactionCommand();
}

/*
 * Wait until the next batch, or another try of one, may start: the job may be
 * throttled.  Called outside of any transaction.
 */
void
bulkpar_chunk_await_turn(const BulkparChunkRun *run)
{
	check_interrupts();
	if (bulkpar_pace_wait(run->job->job_id))
		bulkpar_chunk_report(run);
}

/*
 * Look what others want of this worker.  Throws when it was cancelled or terminated, ends the
 * process if the server has died, and reads a changed configuration.
 */
static void
check_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
	if (!PostmasterIsAlive())
		proc_exit(1);
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

/* Show in pg_stat_activity what we are at. */
void
bulkpar_chunk_report(const BulkparChunkRun *run)
{
	char	   *activity = psprintf("bulkpar job " INT64_FORMAT ", chunk "
									INT64_FORMAT ": %s",
									run->job->job_id,
									run->claim.chunk.chunk_no,
									run->target->sql);

	pgstat_report_activity(STATE_RUNNING, activity);
	pfree(activity);
}

/* Error context: name the job, the chunk and the keys of the batch. */
void
bulkpar_chunk_error_context(void *arg)
{
	const BulkparChunkRun *run = arg;
	const BulkparLedgerChunk *chunk = &run->claim.chunk;
	const BulkparBatch *batch = run->batch;
	const char *rows;

	if (batch == NULL || batch->last_key == NULL)
		return;
	/* These are in the order in which they are on disk. */
	rows = batch->keys != NULL ? "listed rows" : "keys";
	if (batch->aside)
		errcontext("bulkpar job " INT64_FORMAT ", chunk " INT64_FORMAT
				   " of table \"%s\", key (%s)",
				   run->job->job_id, chunk->chunk_no,
				   NameStr(run->target->name), key_list(batch->last_key));
	else if (chunk->done == NULL)
		errcontext("bulkpar job " INT64_FORMAT ", chunk " INT64_FORMAT
				   " of table \"%s\", %s up to (%s)",
				   run->job->job_id, chunk->chunk_no,
				   NameStr(run->target->name), rows,
				   key_list(batch->last_key));
	else
		errcontext("bulkpar job " INT64_FORMAT ", chunk " INT64_FORMAT
				   " of table \"%s\", %s after (%s) up to (%s)",
				   run->job->job_id, chunk->chunk_no,
				   NameStr(run->target->name), rows, key_list(chunk->done),
				   key_list(batch->last_key));
}

/* The key for people: its columns with commas between. */
static char *
key_list(const BulkparStoredKey *key)
{
	StringInfoData buf;
	Datum	   *texts;
	int			ntexts;

	deconstruct_array(key->text, TEXTOID, -1, false, TYPALIGN_INT,
					  &texts, NULL, &ntexts);
	initStringInfo(&buf);
	for (int i = 0; i < ntexts; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "",
						 TextDatumGetCString(texts[i]));
	return buf.data;
}
