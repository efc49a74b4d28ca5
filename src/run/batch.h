/*-------------------------------------------------------------------------
 *
 * batch.h
 *		One batch: the rows and the progress in one transaction.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/batch.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_BATCH_H
#define BULKPAR_BATCH_H

#include "books/job.h"
#include "books/ledger.h"
#include "table/target.h"

typedef struct BulkparBatch
{
	const Datum *lo;			/* may be NULL */
	const Datum *hi;
	bool		cut;			/* take batch_size rows of what is up to hi */
	MemoryContext cut_context;	/* for the key where it is cut */
	const Datum *row_key;		/* of its only row, if it was cut so; or NULL */
	int64		rows;			/* that were counted in the range */
	const Datum *keys;			/* of listed rows, with places; or NULL */
	bool		finishes_stripe;	/* of the chunk */
	bool		puts_aside;		/* its only row is left for later */
	bool		aside;			/* it is a row that was: the only one of keys */
	bytea	   *aside_after;	/* of either, all that are left for later then */
	const char *throttled_by;	/* why it puts a row aside */
	bool		patient;		/* it waits for locks as long as it may */
	int			pause;			/* the last one in which it has waited */
	int			retries;		/* how often it was tried before */
	int			retried;		/* and how often as part of a larger one */
	BulkparStoredKey *last_key; /* hi as it is kept, once the batch runs; or
								 * NULL */
} BulkparBatch;

typedef enum BulkparBatchResult
{
	BULKPAR_BATCH_DONE,
	BULKPAR_BATCH_TOO_LARGE,	/* others have inserted rows: cut it anew */
	BULKPAR_BATCH_RESIZED,		/* the job was altered: cut it anew */
	BULKPAR_BATCH_BLOCKED,		/* locks of others are in the way */
	BULKPAR_BATCH_LOST			/* the chunk is no longer ours */
} BulkparBatchResult;

extern BulkparBatchResult bulkpar_batch_run(const BulkparJob *job,
											const BulkparLedgerChunk *chunk,
											BulkparTarget *target,
											BulkparBatch *batch);
extern uint64 bulkpar_batch_wal(void);
extern void bulkpar_batch_note_wal(void);
extern BulkparBatchResult bulkpar_batch_skip(const BulkparJob *job,
											 const BulkparLedgerChunk *chunk,
											 BulkparTarget *target,
											 BulkparBatch *batch,
											 const ErrorData *error);
extern BulkparBatchResult bulkpar_batch_put_aside(const BulkparJob *job,
												  const BulkparLedgerChunk *chunk,
												  BulkparTarget *target,
												  BulkparBatch *batch);

extern bool bulkpar_batch_was_last(const BulkparLedgerChunk *chunk);

#endif							/* BULKPAR_BATCH_H */
