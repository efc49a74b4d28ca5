/*-------------------------------------------------------------------------
 *
 * ring.h
 *		When WAL was written, so that its age can be told.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/ring.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_RING_H
#define BULKPAR_RING_H

#include "access/xlogdefs.h"
#include "datatype/timestamp.h"

/*
 * Ten samples a second are all kept for 100 seconds.  What is older is thinned
 * out such that its age is right to BULKPAR_RING_PRECISION of it; 16 kB are
 * enough for a year of that.
 */
#define BULKPAR_RING_SIZE 1024
#define BULKPAR_RING_PRECISION 32

/* WAL that follows that of the sample before it. */
typedef struct BulkparRingSample
{
	XLogRecPtr	end;			/* the end of a record */
	TimestampTz time;			/* all of it was flushed later than that */
} BulkparRingSample;

typedef struct BulkparRing
{
	TimestampTz looked_at;		/* when WAL was added, or could have been */
	int			count;
	BulkparRingSample samples[BULKPAR_RING_SIZE];	/* the first: all WAL that
													 * was there already */
} BulkparRing;

extern void bulkpar_ring_start(BulkparRing *ring, TimestampTz now,
							   XLogRecPtr end);
extern void bulkpar_ring_add(BulkparRing *ring, TimestampTz now,
							 XLogRecPtr end, XLogRecPtr flushed);
extern void bulkpar_ring_shift(BulkparRing *ring, int64 microseconds);
extern int64 bulkpar_ring_age(const BulkparRing *ring, TimestampTz now,
							  XLogRecPtr position, XLogRecPtr flushed);

#endif							/* BULKPAR_RING_H */
