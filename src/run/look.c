/*-------------------------------------------------------------------------
 *
 * look.c
 *		A look at the keys of a chunk, in a transaction of its own.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/look.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"

#include "run/look.h"
#include "session/process.h"
#include "table/keyvalue.h"

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

static void look_at_keys(void *arg);

/*
 * Collect batches of the stripe from claim.lo up to hi, in a transaction of
 * its own.
 */
void
bulkpar_look_collect(BulkparChunkRun *run, const Datum *hi, int batch_size,
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

/*
 * Whether the row of row_key is all that there is in a batch.  Keys are compared
 * within the transaction: the functions of some types, composite ones and enums
 * among them, look into the catalogs.
 */
bool
bulkpar_look_is_one_row(BulkparChunkRun *run, const BulkparBatch *batch)
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

/* A look in a transaction; what it allocates lives as long as the chunk. */
static void
look_at_keys(void *arg)
{
	Look	   *look = arg;
	BulkparChunkRun *run = look->run;

	bulkpar_process_start_transaction();
	bulkpar_process_restore();
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
