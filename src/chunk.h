/*-------------------------------------------------------------------------
 *
 * chunk.h
 *		Cutting the key range of a job into chunks and batches.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/chunk.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_CHUNK_H
#define BULKPAR_CHUNK_H

#include "job.h"
#include "ledger.h"
#include "target.h"

/*
 * Where the batches of a range end.  Batch i takes the keys after those of
 * batch i - 1 up to keys[i], batch_size of them, in the last one rows_in_last.
 */
typedef struct BulkparBounds
{
	int			nbatches;
	Datum	  **keys;
	int64		rows;			/* in all batches */
	int64		rows_in_last;
	Datum	   *last_row;		/* the last row's key if batch_size is 1 */
	bool		complete;		/* the last batch ends where the range ends */
} BulkparBounds;

/* What a worker has claimed, in keys. */
typedef struct BulkparRange
{
	BulkparChunk chunk;
	Datum	   *lo;				/* all keys up to here are done; may be NULL */
	Datum	   *hi;				/* where the chunk ends */
} BulkparRange;

extern void bulkpar_chunk_collect(BulkparTarget *target, const Datum *lo,
								  const Datum *hi, int batch_size,
								  int max_batches, BulkparBounds *bounds);
extern bool bulkpar_chunk_claim(const BulkparJob *job, int worker,
								BulkparTarget *target, BulkparRange *range,
								BulkparBounds *bounds);

#endif							/* BULKPAR_CHUNK_H */
