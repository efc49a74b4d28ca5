/*-------------------------------------------------------------------------
 *
 * claim.h
 *		Claiming the next chunk of a job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/claim.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_CLAIM_H
#define BULKPAR_CLAIM_H

#include "books/job.h"
#include "books/ledger.h"
#include "table/bounds.h"
#include "table/place.h"
#include "table/target.h"

/*
 * So many parts are taken together at the most: all of them are locked until the
 * batch has committed, and beyond that there is little to gain.  No more are
 * claimed at once.
 */
#define BULKPAR_BUNDLE_MAX_PARTS 64

/* What a worker has claimed, in keys. */
typedef struct BulkparClaim
{
	BulkparLedgerChunk chunk;
	Datum	   *start;			/* where the chunk starts; may be NULL */
	Datum	   *hi;				/* where the chunk, or the part, ends */
	Datum	   *lo;				/* up to here the stripe is done; may be NULL */
	int			batch_size;		/* at the most */
	int			nkeys;			/* that are listed and not done */
	Datum	   *keys;			/* with their places; or NULL: all of the
								 * range */
	BulkparBounds *bounds;		/* of each stripe, or NULL: yet to be
								 * collected */
	bool		spanned;		/* it is not of keys, but of the blocks ... */
	BulkparSpanEnd span;		/* ... of this; its keys are yet to be listed, */
	bool		last_span;		/* or of this and all before that have changed */
	MemoryContext list_context; /* of the keys, or NULL */
	int64		first_place;	/* of their list, as a number; 0 for none */
	int			nparts;			/* that are taken in bundles, or 0 */
	int		   *parts;			/* of which each is a chunk, from this one on */
	int			nbundles;
	int		   *bundles;		/* how many of the parts each has, in order */
} BulkparClaim;

extern bool bulkpar_claim_chunk(const BulkparJob *job, int worker,
								BulkparTarget *target, BulkparClaim *claim);
extern double bulkpar_claim_bundle_limit(const BulkparJob *job, double left,
										 int workers);
extern bool bulkpar_claim_adds(int nparts, double rows, double more,
							   double limit);

#endif							/* BULKPAR_CLAIM_H */
