/*-------------------------------------------------------------------------
 *
 * chunk.h
 *		Running the batches of a chunk.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/chunk.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_CHUNK_H
#define BULKPAR_CHUNK_H

#include "books/job.h"
#include "run/batch.h"
#include "run/claim.h"
#include "run/lockwait.h"
#include "run/retry.h"
#include "run/size.h"
#include "table/target.h"

/* What a worker has and needs to run the chunks that it claims. */
typedef struct BulkparChunkRun
{
	BulkparJob *job;
	MemoryContext job_context;	/* of the job */
	BulkparTarget *target;
	BulkparSize size;
	int			batch_size;		/* as chosen; job has what a batch may change
								 * now, which may be less */
	BulkparClaim claim;			/* chunk_no is 0 when nothing is claimed */
	int			claimed_size;	/* its batch_size when it was claimed, ... */
	int			claimed_for;	/* ... and that of the job then */
	const BulkparBatch *batch;	/* the running one, for the error context */
	BulkparRetryTally tally;	/* of the batches it has tried */
	BulkparLockWait wait;		/* the last one for a lock of others */
	bool		cornering;		/* a row that is locked by halves */
	int			put_aside;		/* rows since the last batch that committed */
	int			aside_wait;		/* for each row put aside, in milliseconds */
	MemoryContext chunk_context;	/* reset for each chunk */
	MemoryContext batch_context;	/* reset for each batch */
} BulkparChunkRun;

extern bool bulkpar_chunk_run(BulkparChunkRun *run);
extern void bulkpar_chunk_follow(BulkparChunkRun *run);
extern BulkparBatchResult bulkpar_chunk_await_turn(BulkparChunkRun *run);
extern bool bulkpar_chunk_give_back(BulkparChunkRun *run, int nchunks);
extern bool bulkpar_chunk_run_halves(BulkparChunkRun *run,
									 BulkparBatch *batch,
									 BulkparBatchResult *result);

#endif							/* BULKPAR_CHUNK_H */
