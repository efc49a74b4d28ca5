/*-------------------------------------------------------------------------
 *
 * batch.c
 *		One batch: the rows and the progress in one transaction.
 *
 * That the changes of the rows and the note of how far the chunk is commit
 * together is what makes every row be updated exactly once, whatever dies.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/batch.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/instrument.h"
#include "executor/spi.h"
#include "pgstat.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "run/batch.h"
#include "run/pace.h"
#include "session/message.h"
#include "session/process.h"
#include "table/bounds.h"
#include "table/keyvalue.h"
#include "table/place.h"
#include "table/shard.h"
#include "table/unchanged.h"
#include "table/untouched.h"

/* WAL of this process that is in the books, and that the last look has seen. */
static uint64 wal_noted = 0;
static uint64 wal_seen = 0;

static void start_batch(const BulkparJob *job, const BulkparLedgerChunk *chunk,
						BulkparTarget *target, LOCKMODE lockmode);
static void cut_batch(const BulkparJob *job, const BulkparLedgerChunk *chunk,
					  BulkparTarget *target, BulkparBatch *batch);
static BulkparStoredKey *last_key(const BulkparLedgerChunk *chunk,
								  BulkparTarget *target,
								  const BulkparBatch *batch);
static BulkparBatchResult finish_batch(const BulkparJob *job,
									   const BulkparLedgerChunk *chunk,
									   const BulkparBatch *batch,
									   BulkparLedgerAdvance *advance);

/*
 * Run a batch in a transaction of its own.  Unless the result is "done",
 * nothing has changed.  An error of the user's statement, also one at COMMIT,
 * is thrown as it is.  The current memory context should be one that the
 * caller resets.
 */
BulkparBatchResult
bulkpar_batch_run(const BulkparJob *job, const BulkparLedgerChunk *chunk,
				  BulkparTarget *target, BulkparBatch *batch)
{
	MemoryContext context = CurrentMemoryContext;
	BulkparBatchResult result = BULKPAR_BATCH_TOO_LARGE;
	BulkparLedgerAdvance advance = {0};
	int64		hot;

	start_batch(job, chunk, target,
				bulkpar_command_changes(job->command) ? RowExclusiveLock :
				AccessShareLock);
	PushActiveSnapshot(GetTransactionSnapshot());
	if (batch->cut)
		cut_batch(job, chunk, target, batch);
	batch->last_key = last_key(chunk, target, batch);
	hot = bulkpar_compat_hot_updates(target->part);
	if (job->skip_unchanged)
		bulkpar_unchanged_start();
	SPI_connect();
	if (batch->keys != NULL)
		advance.rows_changed = bulkpar_target_update_listed(target, job,
															batch->keys,
															batch->rows);
	else
		advance.rows_changed = bulkpar_target_update(target, job, batch->lo,
													 batch->hi,
													 &chunk->stripe);
	if (job->skip_unchanged)
		advance.rows_unchanged = bulkpar_unchanged_count();
	if (batch->keys == NULL && target->whole &&
		advance.rows_changed + advance.rows_unchanged < batch->rows)
		bulkpar_untouched_refuse(target, job, batch->lo, batch->hi,
								 &chunk->stripe, advance.rows_unchanged);
	SPI_finish();
	/* A trigger may have updated rows of the table as well. */
	advance.rows_hot = Min(advance.rows_changed,
						   bulkpar_compat_hot_updates(target->part) - hot);
	PopActiveSnapshot();

	if (advance.rows_changed <= job->batch_size || target->multiplies)
		result = finish_batch(job, chunk, batch, &advance);
	else
		AbortCurrentTransaction();
	MemoryContextSwitchTo(context);
	pgstat_report_stat(false);
	return result;
}

/* The WAL that this process has written and that is not yet in the books. */
uint64
bulkpar_batch_wal(void)
{
	wal_seen = pgWalUsage.wal_bytes;
	return wal_seen - wal_noted;
}

/* Now it is: what bulkpar_batch_wal said last has committed. */
void
bulkpar_batch_note_wal(void)
{
	wal_noted = wal_seen;
}

/*
 * Record that the only row of a batch cannot be updated, and go past it, in a
 * transaction of its own.  When the job has more such rows than it allows,
 * that is an error.
 */
BulkparBatchResult
bulkpar_batch_skip(const BulkparJob *job, const BulkparLedgerChunk *chunk,
				   BulkparTarget *target, BulkparBatch *batch,
				   const ErrorData *error)
{
	MemoryContext context = CurrentMemoryContext;
	BulkparLedgerAdvance advance = {.rows_failed = 1};
	BulkparBatchResult result;
	ArrayType  *row_key;

	Assert(batch->row_key != NULL && batch->rows == 1);
	start_batch(job, chunk, target, AccessShareLock);
	batch->last_key = last_key(chunk, target, batch);
	row_key = bulkpar_keyvalue_to_text(target->key, batch->row_key);
	if (bulkpar_ledger_record_error(job->job_id, chunk, row_key,
									error) > job->max_errors)
	{
		ErrorData	last = *error;

		last.detail = psprintf("%s%sThe job has skipped " INT64_FORMAT
							   " rows with errors before, and allows no more.",
							   error->detail == NULL ? "" : error->detail,
							   error->detail == NULL ? "" : "\n",
							   job->max_errors);
		ReThrowError(&last);
	}
	result = finish_batch(job, chunk, batch, &advance);
	MemoryContextSwitchTo(context);
	return result;
}

/*
 * Go past the only row of a batch, which is locked, and note it as one that is
 * yet to be done, in a transaction of its own; "blocked" if there can be no list
 * of such keys.
 */
BulkparBatchResult
bulkpar_batch_put_aside(const BulkparJob *job, const BulkparLedgerChunk *chunk,
						BulkparTarget *target, BulkparBatch *batch)
{
	MemoryContext context = CurrentMemoryContext;
	BulkparLedgerAdvance advance = {0};
	BulkparBatchResult result;

	Assert(batch->puts_aside && batch->aside_after != NULL);
	start_batch(job, chunk, target, AccessShareLock);
	if (bulkpar_keyvalue_can_be_listed(target->key))
	{
		batch->last_key = last_key(chunk, target, batch);
		result = finish_batch(job, chunk, batch, &advance);
	}
	else
	{
		AbortCurrentTransaction();
		result = BULKPAR_BATCH_BLOCKED;
	}
	MemoryContextSwitchTo(context);
	return result;
}

/* Whether all rows of a chunk are done but those that were put aside. */
bool
bulkpar_batch_was_last(const BulkparLedgerChunk *chunk)
{
	return chunk->stripe.number == chunk->stripe.count - 1 &&
		chunk->hi != NULL && bulkpar_storedkey_same(chunk->done, chunk->hi);
}

static void
start_batch(const BulkparJob *job, const BulkparLedgerChunk *chunk,
			BulkparTarget *target, LOCKMODE lockmode)
{
	MemoryContext context = CurrentMemoryContext;

	Assert(!IsTransactionState());
	bulkpar_process_start_transaction();
	bulkpar_process_restore();
	MemoryContextSwitchTo(context);
	bulkpar_target_lock(target, job, chunk->part, lockmode);
}

/*
 * Let the batch end after batch_size rows as the active snapshot sees them,
 * which is also what the UPDATE sees.
 */
static void
cut_batch(const BulkparJob *job, const BulkparLedgerChunk *chunk,
		  BulkparTarget *target, BulkparBatch *batch)
{
	MemoryContext context = MemoryContextSwitchTo(batch->cut_context);
	BulkparBounds bounds;

	bulkpar_bounds_collect(target, batch->lo, batch->hi, &chunk->stripe,
						   job->batch_size, 1, &bounds);
	MemoryContextSwitchTo(context);
	batch->hi = bounds.keys[0];
	batch->rows = bounds.rows;
	batch->finishes_stripe = bounds.complete;
}

/* Up to where the stripe is done with this batch, or which row it is. */
static BulkparStoredKey *
last_key(const BulkparLedgerChunk *chunk, BulkparTarget *target,
		 const BulkparBatch *batch)
{
	BulkparStoredKey *key;
	BulkparSpanEnd end;

	if (batch->aside)
		return bulkpar_keyvalue_store(target->key, batch->keys);
	if (batch->finishes_stripe)
		return chunk->hi;
	key = bulkpar_keyvalue_store(target->key, batch->hi);

	/*
	 * The last span ends at the last key, whose row is anywhere in it.  Up to
	 * where a span is done does not count until it is.
	 */
	if (bulkpar_place_is_end(chunk->lo, &end) &&
		bulkpar_storedkey_same(key, chunk->hi))
		return chunk->lo;
	return key;
}

/*
 * Note the progress, with what the rows have come to, and commit, or roll back
 * if the chunk is not ours.
 */
static BulkparBatchResult
finish_batch(const BulkparJob *job, const BulkparLedgerChunk *chunk,
			 const BulkparBatch *batch, BulkparLedgerAdvance *advance)
{
	advance->stripe = chunk->stripe.number;
	advance->last_key = batch->aside ? chunk->done : batch->last_key;
	advance->rows_done = batch->puts_aside ? 0 : batch->rows;
	advance->aside = batch->aside || batch->puts_aside ? batch->aside_after :
		chunk->aside;
	advance->throttled_by = batch->throttled_by;
	advance->batches = 1;
	advance->wal_bytes = bulkpar_batch_wal();
	advance->retries = batch->retries + batch->retried;
	Assert(advance->stripe < chunk->stripe.count);
	if (batch->aside)
		advance->finished = advance->aside == NULL &&
			bulkpar_batch_was_last(chunk);
	else if (batch->finishes_stripe &&
			 chunk->stripe.number == chunk->stripe.count - 1)
		advance->finished = advance->aside == NULL;
	else if (batch->finishes_stripe)
	{
		advance->stripe++;
		advance->last_key = NULL;
	}
	if (advance->finished)
		advance->messages = bulkpar_message_report();
	if (!bulkpar_ledger_advance(job->job_id, chunk, advance))
	{
		AbortCurrentTransaction();
		return BULKPAR_BATCH_LOST;
	}
	if (job->parts[chunk->part].shard != 0)
		bulkpar_shard_settle(job->parts[chunk->part].relid);
	bulkpar_pace_spend(advance->rows_changed);
	CommitTransactionCommand();
	bulkpar_pace_count(batch->rows, advance->wal_bytes);
	if (advance->finished)
		bulkpar_message_reported();
	else
		bulkpar_message_keep();
	bulkpar_batch_note_wal();
	return BULKPAR_BATCH_DONE;
}
