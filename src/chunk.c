/*-------------------------------------------------------------------------
 *
 * chunk.c
 *		Cutting the key range of a job into chunks and batches.
 *
 * Nothing is cut in advance.  A free worker claims the next chunk: it locks
 * the job row, reads where the last chunk ends, and steps along the key index
 * from there.  On the way it keeps the key at which each batch will end.  So
 * gaps and skew cost nothing, no arithmetic on keys is needed, and no
 * statistics; these only choose the size of a chunk, which gets smaller
 * towards the end of the table so that the workers finish together.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/chunk.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "tcop/dest.h"

#include "bulkpar.h"
#include "chunk.h"

/* Receives the keys of a range in order, keeps each batch_size-th. */
typedef struct KeyReceiver
{
	DestReceiver pub;
	const BulkparKey *key;
	MemoryContext context;		/* where the kept keys go */
	int			batch_size;
	int64		received;
	BulkparBounds *bounds;
} KeyReceiver;

static int	choose_batches(const BulkparJob *job, const BulkparChunk *chunk);
static bool same_key(const ArrayType *a, const ArrayType *b);
static void receive_startup(DestReceiver *self, int operation,
							TupleDesc typeinfo);
static bool receive_key(TupleTableSlot *slot, DestReceiver *self);
static void receive_nothing(DestReceiver *self);

/*
 * Collect where the batches of the range (lo, hi] end, max_batches at the
 * most.  The keys are allocated in the current memory context.  Must be
 * called in a transaction that has locked the target.
 */
void
bulkpar_chunk_collect(BulkparTarget *target, const Datum *lo,
					  const Datum *hi, int batch_size, int max_batches,
					  BulkparBounds *bounds)
{
	int64		limit = (int64) batch_size * max_batches;
	KeyReceiver receiver = {
		.pub = {receive_key, receive_startup, receive_nothing,
		receive_nothing, DestNone},
		.key = target->key,
		.context = CurrentMemoryContext,
		.batch_size = batch_size,
		.bounds = bounds
	};

	memset(bounds, 0, sizeof(BulkparBounds));
	bounds->keys = palloc(sizeof(Datum *) * (max_batches + 1));

	/* One key more than wanted shows whether the range ends here. */
	SPI_connect();
	(void) bulkpar_target_execute(target, target->collect[lo != NULL],
								  lo, hi, limit + 1, &receiver.pub);
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

/*
 * Claim a chunk for a worker and collect its batches, in a transaction of its
 * own.  Results are allocated in the current memory context.  False means
 * that there is nothing left to claim, or that the job has ended.
 */
bool
bulkpar_chunk_claim(const BulkparJob *job, int worker, BulkparTarget *target,
					BulkparRange *range, BulkparBounds *bounds)
{
	BulkparChunk *chunk = &range->chunk;
	BulkparClaim claim = bulkpar_ledger_claim(job, worker, chunk);
	int			max_batches = BULKPAR_CHUNK_BATCHES;

	if (claim == BULKPAR_CLAIM_NOTHING ||
		(claim == BULKPAR_CLAIM_NEW && same_key(chunk->done, job->end_key)))
		return false;

	bulkpar_target_lock(target, job, AccessShareLock);
	range->lo = chunk->done == NULL ? NULL :
		bulkpar_key_from_text(target->key, chunk->done);
	range->hi = bulkpar_key_from_text(target->key,
									  claim == BULKPAR_CLAIM_NEW ?
									  job->end_key : chunk->hi);
	if (claim == BULKPAR_CLAIM_NEW)
		max_batches = choose_batches(job, chunk);
	bulkpar_chunk_collect(target, range->lo, range->hi, job->batch_size,
						  max_batches, bounds);

	if (claim == BULKPAR_CLAIM_NEW)
	{
		range->hi = bounds->keys[bounds->nbatches - 1];
		chunk->hi = bounds->complete ? job->end_key :
			bulkpar_key_to_text(target->key, range->hi);
		bounds->complete = true;
		bulkpar_ledger_insert(job->job_id, worker, chunk,
										 bounds->rows);
	}
	return true;
}

/*
 * The number of batches of a new chunk: so many that each worker will come
 * back at least twice for what is left, within the limits.  When there are
 * more rows than estimated nobody knows what is left; then a quarter of the
 * limit is a compromise between idle workers and many claims.
 */
static int
choose_batches(const BulkparJob *job, const BulkparChunk *chunk)
{
	double		left = job->estimated_rows - chunk->rows_before;
	double		batches = left / job->batch_size / (2 * job->workers);

	if (left <= 0)
		return BULKPAR_CHUNK_BATCHES / 4;
	return Max(1, Min(BULKPAR_CHUNK_BATCHES, (int) batches));
}

static bool
same_key(const ArrayType *a, const ArrayType *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
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
	if (receiver->received % receiver->batch_size == 0)
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
