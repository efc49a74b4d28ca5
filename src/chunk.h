/*-------------------------------------------------------------------------
 *
 * chunk.h
 *		Claiming the next chunk of a job.
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

#include "collect.h"
#include "job.h"
#include "ledger.h"
#include "target.h"

/* What a worker has claimed, in keys. */
typedef struct BulkparRange
{
	BulkparChunk chunk;
	Datum	   *lo;				/* all keys up to here are done; may be NULL */
	Datum	   *hi;				/* where the chunk ends */
} BulkparRange;

extern bool bulkpar_chunk_claim(const BulkparJob *job, int worker,
								BulkparTarget *target, BulkparRange *range,
								BulkparBounds *bounds);

#endif							/* BULKPAR_CHUNK_H */
