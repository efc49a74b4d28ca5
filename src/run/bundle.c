/*-------------------------------------------------------------------------
 *
 * bundle.c
 *		Running several small parts in one batch.
 *
 * Each part of a bundle is a chunk of its own in the books, claimed with the
 * others.  One transaction changes the rows of all of them and finishes these
 * chunks.  When that fails, whatever the reason, nothing of it has happened, and
 * the chunks are given back, as those of a worker are that dies: each is then
 * claimed alone, and attempt.c knows what can be tried again, and which rows are
 * to be skipped.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/bundle.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "run/bundle.h"
#include "run/pace.h"
#include "run/show.h"
#include "session/error.h"
#include "session/message.h"
#include "session/process.h"
#include "table/several.h"

static bool is_small_enough(const BulkparChunkRun *run);
static bool try_together(BulkparChunkRun *run);
static bool run_together(BulkparChunkRun *run);
static bool finish(const BulkparClaim *claim, const BulkparJob *job,
				   const BulkparSeveralPart *parts);

/*
 * Run the claimed bundles, each in one batch, or give its chunks back.  False if
 * they were taken from us, as of bulkpar_chunk_run.
 */
bool
bulkpar_bundle_run(BulkparChunkRun *run)
{
	BulkparClaim *claim = &run->claim;

	for (;;)
	{
		BulkparBatchResult turn = bulkpar_chunk_await_turn(run);
		int			nparts = claim->bundles[0];

		Assert(nparts > 1 && nparts <= claim->nparts);
		if (turn == BULKPAR_BATCH_LOST)
			return false;
		if (!(is_small_enough(run) && try_together(run)) &&
			!bulkpar_chunk_give_back(run, nparts))
			return false;
		claim->nparts -= nparts;
		if (claim->nparts == 0)
			return true;
		claim->parts += nparts;
		claim->bundles++;
		claim->chunk.chunk_no += nparts;
		claim->chunk.part = claim->parts[0];
		bulkpar_show_chunk(run);
	}
}

/* Whether the next bundle has no more rows than a batch may change now. */
static bool
is_small_enough(const BulkparChunkRun *run)
{
	const BulkparClaim *claim = &run->claim;
	double		rows = 0;

	for (int i = 0; i < claim->bundles[0]; i++)
		rows += run->job->parts[claim->parts[i]].estimated_rows;
	return rows <= run->job->batch_size;
}

/* Run the batch; false if nothing has changed.  A cancel is thrown. */
static bool
try_together(BulkparChunkRun *run)
{
	volatile bool done = false;
	ErrorData  *volatile error = NULL;

	MemoryContextReset(run->batch_context);
	MemoryContextSwitchTo(run->batch_context);
	bulkpar_message_discard();
	bulkpar_lockwait_begin(bulkpar_lockwait_limit(false, 0));
	PG_TRY();
	{
		done = run_together(run);
	}
	PG_CATCH();
	{
		error = bulkpar_error_catch(run->chunk_context);
	}
	PG_END_TRY();
	bulkpar_lockwait_end();
	if (error != NULL && error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(error);
	return done;
}

/* Run the batch in a transaction of its own; false if it was rolled back. */
static bool
run_together(BulkparChunkRun *run)
{
	MemoryContext context = CurrentMemoryContext;
	const BulkparClaim *claim = &run->claim;
	int			nparts = claim->bundles[0];
	BulkparSeveralPart *parts = palloc0(sizeof(BulkparSeveralPart) * nparts);
	bool		done;

	for (int i = 0; i < nparts; i++)
		parts[i].number = claim->parts[i];
	bulkpar_process_start_transaction();
	bulkpar_process_restore();
	MemoryContextSwitchTo(context);
	done = bulkpar_several_lock(run->target, run->job, parts, nparts);
	if (done)
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		SPI_connect();
		done = bulkpar_several_update(run->target, run->job, parts, nparts);
		SPI_finish();
		PopActiveSnapshot();
	}
	if (done)
		done = finish(claim, run->job, parts);
	if (!done)
		AbortCurrentTransaction();
	MemoryContextSwitchTo(context);
	pgstat_report_stat(false);
	return done;
}

/* Note what the rows have come to, and commit; false if that must not be. */
static bool
finish(const BulkparClaim *claim, const BulkparJob *job,
	   const BulkparSeveralPart *parts)
{
	int			nchunks = claim->bundles[0];
	int64		rows = 0;
	int64		changed = 0;
	BulkparLedgerBundle bundle = {
		.nchunks = nchunks,
		.rows_done = palloc(sizeof(int64) * nchunks),
		.rows_changed = palloc(sizeof(int64) * nchunks),
		.rows_hot = palloc(sizeof(int64) * nchunks),
		.wal_bytes = bulkpar_batch_wal(),
		.messages = bulkpar_message_report()
	};

	for (int i = 0; i < nchunks; i++)
	{
		bundle.rows_done[i] = parts[i].rows;
		bundle.rows_changed[i] = parts[i].rows_changed;
		bundle.rows_hot[i] = parts[i].rows_hot;
		rows += parts[i].rows;
		changed += parts[i].rows_changed;
	}
	if (!bulkpar_ledger_finish_bundle(job->job_id, &claim->chunk, &bundle))
		return false;
	bulkpar_several_settle(job, parts, nchunks);
	bulkpar_pace_spend(changed);
	CommitTransactionCommand();
	bulkpar_pace_count(rows, bundle.wal_bytes);
	bulkpar_message_reported();
	bulkpar_batch_note_wal();
	return true;
}
