/*-------------------------------------------------------------------------
 *
 * collect.c
 *		Stepping along the key index, and where batches end.
 *
 * A range of keys is read in the order of the index, if possible from the
 * index alone, and only the key at which each batch ends is kept.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/collect.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "tcop/dest.h"

#include "collect.h"

/* Receives the keys of a range in order, keeps each batch_size-th. */
typedef struct KeyReceiver
{
	DestReceiver pub;
	const BulkparKey *key;
	MemoryContext context;		/* where the kept keys go */
	int			batch_size;
	int64		limit;			/* more keys than that only show that there are */
	int64		received;
	BulkparBounds *bounds;
} KeyReceiver;

static void receive_startup(DestReceiver *self, int operation,
							TupleDesc typeinfo);
static bool receive_key(TupleTableSlot *slot, DestReceiver *self);
static void receive_nothing(DestReceiver *self);

/*
 * Collect where the batches of the range (lo, hi] end, max_batches at the
 * most.  The keys are allocated in the current memory context.  Must be
 * called in a transaction that has locked the target; sees what the active
 * snapshot does, if there is one.
 */
void
bulkpar_collect(BulkparTarget *target, const Datum *lo, const Datum *hi,
				int batch_size, int max_batches, BulkparBounds *bounds)
{
	int64		limit = (int64) batch_size * max_batches;
	KeyReceiver receiver = {
		.pub = {receive_key, receive_startup, receive_nothing,
		receive_nothing, DestNone},
		.key = target->key,
		.context = CurrentMemoryContext,
		.batch_size = batch_size,
		.limit = limit,
		.bounds = bounds
	};

	memset(bounds, 0, sizeof(BulkparBounds));
	bounds->keys = palloc(sizeof(Datum *) * (max_batches + 1));

	/* One key more than wanted shows whether the range ends here. */
	SPI_connect();
	bulkpar_target_collect(target, lo, hi, limit + 1, &receiver.pub);
	SPI_finish();

	bounds->complete = receiver.received <= limit;
	bounds->rows = Min(receiver.received, limit);
	bounds->rows_in_last = bounds->rows % batch_size;
	if (bounds->rows_in_last == 0 && bounds->rows > 0)
	{
		bounds->rows_in_last = batch_size;
		bounds->last_row = bounds->keys[--bounds->nbatches];
	}
	if (bounds->complete)
		bounds->keys[bounds->nbatches] = bulkpar_key_copy(target->key, hi);
	bounds->nbatches++;
}

static void
receive_startup(DestReceiver *self, int operation, TupleDesc typeinfo)
{
}

static bool
receive_key(TupleTableSlot *slot, DestReceiver *self)
{
	KeyReceiver *receiver = (KeyReceiver *) self;
	BulkparBounds *bounds = receiver->bounds;

	receiver->received++;
	if (receiver->received <= receiver->limit &&
		receiver->received % receiver->batch_size == 0)
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(receiver->context);

		slot_getallattrs(slot);
		bounds->keys[bounds->nbatches++] =
			bulkpar_key_copy(receiver->key, slot->tts_values);
		MemoryContextSwitchTo(oldcontext);
	}
	return true;
}

static void
receive_nothing(DestReceiver *self)
{
}
