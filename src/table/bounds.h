/*-------------------------------------------------------------------------
 *
 * bounds.h
 *		Stepping along the key index, and where batches end.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/bounds.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_BOUNDS_H
#define BULKPAR_BOUNDS_H

#include "table/target.h"

/*
 * Where the batches of a range, or of a stripe in it, end.  Batch i takes the
 * keys after those of batch i - 1 up to keys[i], batch_size of them, in the
 * last one rows_in_last.
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

extern void bulkpar_bounds_collect(BulkparTarget *target, const Datum *lo,
								   const Datum *hi, const BulkparStripe *stripe,
								   int batch_size, int max_batches,
								   BulkparBounds *bounds);
extern BulkparBounds *bulkpar_bounds_of_stripes(BulkparTarget *target,
												const Datum *lo,
												const Datum *hi, int stripes,
												int batch_size, int64 max_rows);
extern DestReceiver bulkpar_bounds_receiver(bool (*receive) (TupleTableSlot *slot,
															 DestReceiver *self));

#endif							/* BULKPAR_BOUNDS_H */
