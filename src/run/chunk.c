/*-------------------------------------------------------------------------
 *
 * chunk.c
 *		Running the batches of a chunk.
 *
 * One after the other, or in halves where that is the only way.  A chunk that
 * has nothing left but rows that others have locked, or too many of them, is set
 * back, for a worker that has nothing else to do.  That one tries it again and again: there are few ways to
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
#include "utils/memutils.h"

#include "books/throttle.h"
#include "bulkpar.h"
#include "run/attempt.h"
#include "run/chunk.h"
#include "run/look.h"
#include "run/pace.h"
#include "run/show.h"
#include "run/span.h"
#include "session/message.h"
#include "session/process.h"
#include "table/keyvalue.h"

/*
 * How much longer the pauses between the tries of rows that were put aside are
 * than these.  A worker has a snapshot while it waits for a lock; and if it did
 * not wait for a row that others lock in turn, it would not get it.
 */
#define PAUSES_PER_WAIT 4

static BulkparBatchResult run_stripes(BulkparChunkRun *run);
static BulkparBatchResult run_aside(BulkparChunkRun *run);
static BulkparBatchResult run_row(BulkparChunkRun *run, BulkparBatch *batch);
static bool set_back(BulkparChunkRun *run);
static BulkparBatchResult run_stripe(BulkparChunkRun *run);
static bool is_sparse(const BulkparChunkRun *run);
static BulkparBatchResult run_span(BulkparChunkRun *run);
static BulkparBatchResult run_keys(BulkparChunkRun *run, bool finishes_stripe);
static BulkparBatchResult run_list(BulkparChunkRun *run, const Datum *keys,
								   int nkeys, int batch_size, int retried,
								   bool finishes_stripe);
static BulkparBatchResult run_bounds(BulkparChunkRun *run,
									 const BulkparBounds *bounds,
									 int batch_size, int retried,
									 bool finishes_stripe);
static BulkparBatchResult run_cut(BulkparChunkRun *run);
static void follow(BulkparChunkRun *run);
static void resize(BulkparChunkRun *run, int rows);

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
	run->claimed_size = run->claim.batch_size;
	run->claimed_for = run->job->batch_size;
	if (chunk->throttled)
	{
		bulkpar_lockwait_sleep(run->job, chunk->throttled_by, chunk->left);
		if (!bulkpar_batch_was_last(chunk))
			bulkpar_show_chunk(run);
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
		switch (run_row(run, &batch))
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

/* Run a batch of one row, which is not too large for any size. */
static BulkparBatchResult
run_row(BulkparChunkRun *run, BulkparBatch *batch)
{
	BulkparBatchResult result;

	do
	{
		result = bulkpar_chunk_await_turn(run);
		if (result == BULKPAR_BATCH_DONE)
			result = bulkpar_attempt_batch(run, batch);
	} while (result == BULKPAR_BATCH_RESIZED);
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
	bulkpar_process_start_transaction();
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

	if (claim->spanned)
		return run_span(run);
	if (claim->keys != NULL)
		return run_keys(run, true);
	if (claim->bounds != NULL)
		bounds = claim->bounds[claim->chunk.stripe.number];
	else
		bulkpar_look_collect(run, claim->hi, claim->batch_size,
							 BULKPAR_CHUNK_BATCHES, &bounds);
	for (;;)
	{
		result = run_bounds(run, &bounds, claim->batch_size, 0, true);
		if (result == BULKPAR_BATCH_TOO_LARGE && is_sparse(run))
		{
			claim->batch_size /= 2;
			claim->bounds = NULL;
		}
		else if (result == BULKPAR_BATCH_TOO_LARGE)
			return run_cut(run);
		else if (result != BULKPAR_BATCH_RESIZED &&
				 (result != BULKPAR_BATCH_DONE || bounds.complete))
			return result;
		bulkpar_look_collect(run, claim->hi, claim->batch_size,
							 BULKPAR_CHUNK_BATCHES, &bounds);
	}
}

/*
 * Whether a batch that has changed too many rows has them far apart, and may
 * change only a few at the end of what the run may change: if it was cut for
 * these, there would be one batch for each key.
 */
static bool
is_sparse(const BulkparChunkRun *run)
{
	return run->job->batch_size < run->batch_size &&
		run->claim.batch_size / 2 >= run->job->batch_size;
}

/*
 * List the rows of a span and run the batches of these, in several turns if they
 * are too many for one list.
 */
static BulkparBatchResult
run_span(BulkparChunkRun *run)
{
	BulkparBatchResult result = BULKPAR_BATCH_DONE;
	bool		complete = false;

	while (result == BULKPAR_BATCH_DONE && !complete)
	{
		if (!bulkpar_span_list(run, &complete))
			return BULKPAR_BATCH_LOST;
		if (run->claim.nkeys > 0)
			result = run_keys(run, complete);
	}
	return result;
}

/* Run the batches of the keys of the claim. */
static BulkparBatchResult
run_keys(BulkparChunkRun *run, bool finishes_stripe)
{
	BulkparClaim *claim = &run->claim;
	BulkparBatchResult result;

	do
		result = run_list(run, claim->keys, claim->nkeys,
						  run->job->batch_size, 0, finishes_stripe);
	while (result == BULKPAR_BATCH_RESIZED);
	/* They are no range that could be cut anew. */
	if (result == BULKPAR_BATCH_TOO_LARGE)
		elog(ERROR, "more rows than keys were changed");
	return result;
}

/*
 * Run batches of listed keys, those that are left of the claim or the first of
 * these.  Otherwise as run_bounds; retried is for the first batch.
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
		BulkparBatchResult result = bulkpar_chunk_await_turn(run);

		if (result == BULKPAR_BATCH_DONE)
			result = bulkpar_attempt_batch(run, &batch);
		if (result != BULKPAR_BATCH_DONE)
			return result;
		run->claim.lo = (Datum *) batch.hi;
		keys += rows * width;
		nkeys -= rows;
		/* Halves of the batch have moved them already. */
		run->claim.nkeys -= (keys - run->claim.keys) / width;
		run->claim.keys = (Datum *) keys;
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
		BulkparBatchResult result = bulkpar_chunk_await_turn(run);

		if (result == BULKPAR_BATCH_DONE)
			result = bulkpar_attempt_batch(run, &batch);
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
		BulkparBatchResult result = bulkpar_chunk_await_turn(run);

		if (result == BULKPAR_BATCH_DONE)
			result = bulkpar_attempt_batch(run, &batch);
		if (result != BULKPAR_BATCH_DONE)
			return result;
		run->claim.lo = bounds->keys[i];
	}
	return BULKPAR_BATCH_DONE;
}

/*
 * Run the two halves of a batch that has failed.  False, and nothing is done, if
 * there is no row in it.
 */
bool
bulkpar_chunk_run_halves(BulkparChunkRun *run, BulkparBatch *batch,
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
	bulkpar_look_collect(run, batch->hi, half, 2, &bounds);
	if (bounds.rows == 0)
		return false;
	*result = run_bounds(run, &bounds, half, retried, batch->finishes_stripe);
	if (*result == BULKPAR_BATCH_DONE && !bounds.complete)
		*result = BULKPAR_BATCH_TOO_LARGE;
	return true;
}

/*
 * Wait until the next batch, or another try of one, may start: the job may be
 * throttled.  Called outside of any transaction.
 *
 * Unless the result is "done" it must not start.  "Resized": batches are larger or
 * smaller from now on.  "Lost": the worker is one too many, and has given back its
 * chunk.
 */
BulkparBatchResult
bulkpar_chunk_await_turn(BulkparChunkRun *run)
{
	bool		shown;
	int			rows;

	follow(run);
	rows = bulkpar_pace_wait(run->job->job_id, run->batch_size, &shown);
	if (shown)
		bulkpar_show_chunk(run);
	if (rows == 0 || bulkpar_pace_is_retired())
	{
		(void) bulkpar_chunk_give_back(run, Max(run->claim.nparts, 1));
		return BULKPAR_BATCH_LOST;
	}
	if (rows == run->job->batch_size)
		return BULKPAR_BATCH_DONE;
	resize(run, rows);
	return BULKPAR_BATCH_RESIZED;
}

/* Take the job as it is altered, for the next chunk. */
void
bulkpar_chunk_follow(BulkparChunkRun *run)
{
	bulkpar_pace_give_back();
	follow(run);
	run->job->batch_size = run->batch_size;
}

static void
follow(BulkparChunkRun *run)
{
	int			given = bulkpar_pace_batch_size(run->size.given);

	run->batch_size = bulkpar_size_choose(&run->size, given,
										  bulkpar_pace_target_time());
	run->job->workers = bulkpar_pace_workers(run->job->workers);
}

/*
 * A batch may change so many rows from now on.  Those of the chunk take as much
 * more or less than they were to take, but no less where they were small already.
 */
static void
resize(BulkparChunkRun *run, int rows)
{
	BulkparClaim *claim = &run->claim;
	double		size = (double) run->claimed_size * rows / run->claimed_for;

	if (rows < run->claimed_for)
		size = Max(size, Min(run->claimed_size, rows));
	run->job->batch_size = rows;
	claim->batch_size = Max(1, Min(size, BULKPAR_MAX_BATCH_SIZE));
	claim->bounds = NULL;
}

/*
 * Free the claimed chunk, or the chunks of a bundle, so that others claim them.
 * False if they are no longer ours.
 */
bool
bulkpar_chunk_give_back(BulkparChunkRun *run, int nchunks)
{
	bool		ours;

	bulkpar_message_discard();
	bulkpar_process_start_transaction();
	ours = bulkpar_ledger_give_back(run->job->job_id, &run->claim.chunk,
									nchunks, bulkpar_message_report());
	CommitTransactionCommand();
	if (ours)
		bulkpar_message_reported();
	return ours;
}
