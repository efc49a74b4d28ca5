/*-------------------------------------------------------------------------
 *
 * bounds.c
 *		Stepping along the key index, and where batches end.
 *
 * A range of keys is read in the order of the index, if possible from the
 * index alone, and only the key at which each batch ends is kept.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/bounds.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "tcop/dest.h"

#include "table/bounds.h"
#include "table/keyvalue.h"
#include "table/stripe.h"

/*
 * Receives the keys of a range in order, and keeps of each stripe every
 * batch_size-th.
 */
typedef struct KeyReceiver
{
	DestReceiver pub;
	const BulkparKey *key;
	MemoryContext context;		/* where the kept keys go */
	int			batch_size;
	int64		limit;			/* more keys than that only show that there
								 * are */
	int64		received;
	Datum	   *last;			/* the key that the limit allows as the last */
	int			stripes;
	BulkparBounds *bounds;		/* of each stripe */
} KeyReceiver;

static void collect_keys(BulkparTarget *target, const Datum *lo,
						 const Datum *hi, const BulkparStripe *stripe,
						 KeyReceiver *receiver);
static void finish_bounds(BulkparBounds *bounds, int batch_size, Datum *end);
static void receive_startup(DestReceiver *self, int operation,
							TupleDesc typeinfo);
static bool keep_key(TupleTableSlot *slot, DestReceiver *self);
static void receive_nothing(DestReceiver *self);

/*
 * Collect where the batches of a stripe in the range (lo, hi] end,
 * max_batches at the most.  The keys are allocated in the current memory
 * context.  Must be called in a transaction that has locked the target; sees
 * what the active snapshot does, if there is one.
 */
void
bulkpar_bounds_collect(BulkparTarget *target, const Datum *lo, const Datum *hi,
					   const BulkparStripe *stripe, int batch_size,
					   int max_batches, BulkparBounds *bounds)
{
	KeyReceiver receiver = {
		.batch_size = batch_size,
		.limit = (int64) batch_size * max_batches,
		.stripes = 1,
		.bounds = bounds
	};

	memset(bounds, 0, sizeof(BulkparBounds));
	collect_keys(target, lo, hi, stripe, &receiver);
}

/*
 * Collect where the batches of each stripe end, in the first max_rows rows of
 * the range.  All end at the same key, in any case at the end of the range if
 * they are complete.
 */
BulkparBounds *
bulkpar_bounds_of_stripes(BulkparTarget *target, const Datum *lo,
						  const Datum *hi, int stripes, int batch_size,
						  int64 max_rows)
{
	BulkparStripe all = {.count = 1};
	KeyReceiver receiver = {
		.batch_size = batch_size,
		.limit = max_rows,
		.stripes = stripes,
		.bounds = palloc0(sizeof(BulkparBounds) * stripes)
	};

	collect_keys(target, lo, hi, &all, &receiver);
	return receiver.bounds;
}

/* A receiver that does nothing but call a function for each row. */
DestReceiver
bulkpar_bounds_receiver(bool (*receive) (TupleTableSlot *slot,
										 DestReceiver *self))
{
	DestReceiver receiver = {receive, receive_startup, receive_nothing,
	receive_nothing, DestNone};

	return receiver;
}

static void
collect_keys(BulkparTarget *target, const Datum *lo, const Datum *hi,
			 const BulkparStripe *stripe, KeyReceiver *receiver)
{
	bool		complete;

	Assert(receiver->batch_size > 0 && receiver->limit > 0);
	receiver->pub = bulkpar_bounds_receiver(keep_key);
	receiver->key = target->key;
	receiver->context = CurrentMemoryContext;

	/* One key more than wanted shows whether the range ends here. */
	SPI_connect();
	bulkpar_target_collect(target, lo, hi, stripe, receiver->limit + 1,
						   &receiver->pub);
	SPI_finish();

	complete = receiver->received <= receiver->limit;
	for (int i = 0; i < receiver->stripes; i++)
	{
		receiver->bounds[i].complete = complete;
		finish_bounds(&receiver->bounds[i], receiver->batch_size,
					  complete ? bulkpar_keyvalue_copy(target->key, hi) :
					  receiver->last);
	}
}

/* Let the last batch end at that key. */
static void
finish_bounds(BulkparBounds *bounds, int batch_size, Datum *end)
{
	bounds->rows_in_last = bounds->rows % batch_size;
	if (bounds->rows_in_last == 0 && bounds->rows > 0)
	{
		Assert(bounds->nbatches > 0);
		bounds->rows_in_last = batch_size;
		bounds->last_row = bounds->keys[--bounds->nbatches];
	}
	if (bounds->keys == NULL)
		bounds->keys = palloc(sizeof(Datum *));
	bounds->keys[bounds->nbatches++] = end;
}

static void
receive_startup(DestReceiver *self, int operation, TupleDesc typeinfo)
{
}

static bool
keep_key(TupleTableSlot *slot, DestReceiver *self)
{
	KeyReceiver *receiver = (KeyReceiver *) self;
	BulkparBounds *bounds;
	MemoryContext oldcontext;

	if (++receiver->received > receiver->limit)
		return true;

	slot_getallattrs(slot);
	bulkpar_keyvalue_require(receiver->key, slot->tts_isnull);
	oldcontext = MemoryContextSwitchTo(receiver->context);
	if (receiver->received == receiver->limit)
		receiver->last = bulkpar_keyvalue_copy(receiver->key, slot->tts_values);

	bounds = &receiver->bounds[bulkpar_stripe_of_key(receiver->key,
													 receiver->stripes,
													 slot->tts_values)];
	if (++bounds->rows % receiver->batch_size == 0)
	{
		/* One more than full batches: there is a last one in any case. */
		if (bounds->keys == NULL)
			bounds->keys = palloc(sizeof(Datum *) *
								  (receiver->limit / receiver->batch_size + 1));
		bounds->keys[bounds->nbatches++] =
			bulkpar_keyvalue_copy(receiver->key, slot->tts_values);
	}
	MemoryContextSwitchTo(oldcontext);
	return true;
}

static void
receive_nothing(DestReceiver *self)
{
}
