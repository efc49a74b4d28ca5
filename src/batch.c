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
 *	  src/batch.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "pgstat.h"

#include "batch.h"
#include "settings.h"

/*
 * Run a batch in a transaction of its own.  Unless the result is "done",
 * nothing has changed.  An error of the user's statement, also one at COMMIT,
 * is thrown as it is.  The current memory context should be one that the
 * caller resets.
 */
BulkparBatchResult
bulkpar_batch_run(const BulkparJob *job, const BulkparChunk *chunk,
				  BulkparTarget *target, BulkparBatch *batch)
{
	MemoryContext context = CurrentMemoryContext;
	BulkparBatchResult result = BULKPAR_BATCH_DONE;
	BulkparAdvance advance;

	bulkpar_settings_start_transaction();
	bulkpar_settings_restore();
	MemoryContextSwitchTo(context);

	bulkpar_target_lock(target, job, RowExclusiveLock);
	batch->last_key = batch->finishes_chunk ? chunk->hi :
		bulkpar_key_to_text(target->key, batch->hi);

	SPI_connect();
	advance.rows_updated = bulkpar_target_execute(target,
												  target->update[batch->lo != NULL],
												  batch->lo, batch->hi, 0, NULL);
	SPI_finish();

	if (advance.rows_updated > job->batch_size)
		result = BULKPAR_BATCH_TOO_LARGE;
	else
	{
		advance.last_key = batch->last_key;
		advance.rows_done = batch->rows;
		advance.finished = batch->finishes_chunk;
		if (!bulkpar_bookkeeping_advance_chunk(job->job_id, chunk, &advance))
			result = BULKPAR_BATCH_LOST;
	}

	if (result == BULKPAR_BATCH_DONE)
		CommitTransactionCommand();
	else
		AbortCurrentTransaction();
	MemoryContextSwitchTo(context);
	pgstat_report_stat(false);
	return result;
}
