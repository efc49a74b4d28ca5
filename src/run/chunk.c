/*-------------------------------------------------------------------------
 *
 * chunk.c
 *		Running the batches of a chunk.
 *
 * A batch that meets a deadlock or the like is tried again.  Where the job
 * skips errors, a batch that fails is halved until the rows that fail are
 * alone; these are recorded, and all others are updated.
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
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/pmsignal.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "books/storedkey.h"
#include "bulkpar.h"
#include "run/chunk.h"
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
static BulkparBatchResult skip_errors(BulkparChunkRun *run, BulkparBatch *batch,
									  ErrorData *error);
static bool has_one_row(BulkparChunkRun *run, const BulkparBatch *batch);
static BulkparBatchResult split(BulkparChunkRun *run, BulkparBatch *batch,
								ErrorData *error);
static void note_done(BulkparChunkRun *run, const BulkparBatch *batch);
static void collect_batches(BulkparChunkRun *run, const Datum *hi,
							int batch_size, int max_batches,
							BulkparBounds *bounds);
static void start_collecting(BulkparChunkRun *run);
static char *key_list(const BulkparStoredKey *key);

/*
 * Run the batches of the claimed chunk, stripe after stripe.  False if the
 * chunk was taken from us: then somebody thinks that we are dead, and so we
 * had better be.
 */
bool
bulkpar_chunk_run(BulkparChunkRun *run)
{
	BulkparClaim *claim = &run->claim;
	BulkparLedgerChunk *chunk = &claim->chunk;

	Assert(chunk->chunk_no != 0);
	Assert(chunk->stripe.number < chunk->stripe.count);
	while (run_stripe(run) == BULKPAR_BATCH_DONE)
	{
		if (++chunk->stripe.number == chunk->stripe.count)
			return true;
		claim->lo = claim->start;
		chunk->done = chunk->lo;
	}
	return false;
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
		return result == BULKPAR_BATCH_TOO_LARGE ? run_cut(run) : result;
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
		if (result == BULKPAR_BATCH_LOST || bounds.complete)
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
	int			ncolumns = run->target->key->ncolumns;

	while (nkeys > 0)
	{
		int			rows = Min(nkeys, batch_size);
		BulkparBatch batch = {
			.lo = run->claim.lo,
			.hi = &keys[(rows - 1) * ncolumns],
			.rows = rows,
			.keys = keys,
			.retried = retried,
			.finishes_stripe = rows == nkeys && finishes_stripe
		};
		BulkparBatchResult result;

		bulkpar_chunk_check_interrupts();
		result = run_batch(run, &batch);
		if (result != BULKPAR_BATCH_DONE)
			return result;
		run->claim.lo = (Datum *) batch.hi;
		keys += rows * ncolumns;
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

		bulkpar_chunk_check_interrupts();
		result = run_batch(run, &batch);
		if (result == BULKPAR_BATCH_LOST ||
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

		bulkpar_chunk_check_interrupts();
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

		if (error == NULL)
			return result;
		if (bulkpar_retry_may_help(error))
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
		if (bulkpar_retry_may_help(error) && (workers > 1 || alone++ < MAX_RETRIES))
		{
			FreeErrorData(error);
			bulkpar_retry_pause(batch->retries++);
			bulkpar_chunk_check_interrupts();
			continue;
		}
		if (run->job->skip_errors &&
			(bulkpar_retry_may_help(error) ||
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
	run->batch = NULL;
	return error;
}

/*
 * Of a batch that has failed, update the rows that can be, half by half, and
 * record those that cannot.
 */
static BulkparBatchResult
skip_errors(BulkparChunkRun *run, BulkparBatch *batch, ErrorData *error)
{
	BulkparBatchResult result;

	/* Others may have inserted rows before its row, and one of them fails. */
	if (batch->row_key == NULL || batch->rows != 1 ||
		!has_one_row(run, batch))
		return split(run, batch, error);

	MemoryContextReset(run->batch_context);
	MemoryContextSwitchTo(run->batch_context);
	result = bulkpar_batch_skip(run->job, &run->claim.chunk, run->target,
								batch, error);
	if (result == BULKPAR_BATCH_DONE)
		note_done(run, batch);
	return result;
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
	bool		result;

	start_collecting(run);
	bulkpar_bounds_collect(run->target, run->claim.lo, batch->hi,
						   &run->claim.chunk.stripe, 1, 1, &bounds);
	result = bounds.complete && bounds.rows == 1 &&
		bulkpar_keyvalue_compare(run->target->key, bounds.last_row,
								 batch->row_key) == 0;
	CommitTransactionCommand();
	return result;
}

/* Run the two halves of a batch that has failed. */
static BulkparBatchResult
split(BulkparChunkRun *run, BulkparBatch *batch, ErrorData *error)
{
	int			half = Max((batch->rows + 1) / 2, 1);
	int			retried = batch->retries + batch->retried;
	BulkparBounds bounds;
	BulkparBatchResult result;

	Assert(!batch->cut || batch->keys == NULL);
	if (batch->keys != NULL)
	{
		FreeErrorData(error);
		return run_list(run, batch->keys, batch->rows, half, retried,
						batch->finishes_stripe);
	}

	/* The error is not of a row if there is none. */
	collect_batches(run, batch->hi, half, 2, &bounds);
	if (bounds.rows == 0)
		ReThrowError(error);
	FreeErrorData(error);
	result = run_bounds(run, &bounds, half, retried, batch->finishes_stripe);
	if (result == BULKPAR_BATCH_DONE && !bounds.complete)
		result = BULKPAR_BATCH_TOO_LARGE;
	return result;
}

/* The batch has committed: remember up to which key the chunk is done. */
static void
note_done(BulkparChunkRun *run, const BulkparBatch *batch)
{
	Assert(batch->last_key != NULL);
	bulkpar_retry_count_commit(&run->tally);
	MemoryContextSwitchTo(run->chunk_context);
	run->claim.chunk.done = bulkpar_storedkey_copy(batch->last_key);
}

/*
 * Collect batches of the stripe from claim.lo up to hi, in a transaction of
 * its own.
 */
static void
collect_batches(BulkparChunkRun *run, const Datum *hi, int batch_size,
				int max_batches, BulkparBounds *bounds)
{
	start_collecting(run);
	bulkpar_bounds_collect(run->target, run->claim.lo, hi,
						   &run->claim.chunk.stripe, batch_size, max_batches,
						   bounds);
	CommitTransactionCommand();
}

/* Start the transaction for that; what it allocates lives as long as the chunk. */
static void
start_collecting(BulkparChunkRun *run)
{
	bulkpar_settings_start_transaction();
	bulkpar_settings_restore();
	MemoryContextSwitchTo(run->chunk_context);
	bulkpar_target_lock(run->target, run->job, run->claim.chunk.part,
						AccessShareLock);
}

/*
 * Look what others want of this worker.  Called before each batch, outside of
 * any transaction.  Throws when it was cancelled or terminated, ends the
 * process if the server has died, and reads a changed configuration.
 */
void
bulkpar_chunk_check_interrupts(void)
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

/* Error context: name the job, the chunk and the keys of the batch. */
void
bulkpar_chunk_error_context(void *arg)
{
	const BulkparChunkRun *run = arg;
	const BulkparLedgerChunk *chunk = &run->claim.chunk;
	const BulkparBatch *batch = run->batch;

	if (batch == NULL || batch->last_key == NULL)
		return;
	if (chunk->done == NULL)
		errcontext("bulkpar job " INT64_FORMAT ", chunk " INT64_FORMAT
				   " of table \"%s\", keys up to (%s)",
				   run->job->job_id, chunk->chunk_no,
				   NameStr(run->target->name), key_list(batch->last_key));
	else
		errcontext("bulkpar job " INT64_FORMAT ", chunk " INT64_FORMAT
				   " of table \"%s\", keys after (%s) up to (%s)",
				   run->job->job_id, chunk->chunk_no,
				   NameStr(run->target->name), key_list(chunk->done),
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
