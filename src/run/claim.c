/*-------------------------------------------------------------------------
 *
 * claim.c
 *		Claiming the next chunk of a job.
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
 *	  src/run/claim.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/table.h"
#include "access/transam.h"
#include "storage/procarray.h"

#include "bulkpar.h"
#include "run/claim.h"

/* The batches of a stripe, where a chunk has several. */
#define MIN_STRIPE_BATCHES 2
#define STRIPE_BATCHES 4

/* How much larger than in the last chunk a batch may be where little matches. */
#define MAX_GROWTH 8

static bool find_part(const BulkparJob *job, BulkparChunk *chunk);
static void cut(const BulkparJob *job, int worker, BulkparTarget *target,
				const BulkparTrend *trend, BulkparRange *range);
static int	choose_batch_size(const BulkparJob *job,
							  const BulkparTrend *trend, double left);
static int	choose_stripes(const BulkparJob *job, Oid relid);
static int64 choose_size(const BulkparJob *job, const BulkparTrend *trend,
						 BulkparRange *range);
static void read_list(const BulkparTarget *target, BulkparRange *range);
static Datum *read_key(const BulkparTarget *target,
					   const BulkparStoredKey *key);

/*
 * Claim a chunk for a worker, in a transaction of its own.  The batches of a
 * new chunk are collected, those of one that another has left are not.
 * Results are allocated in the current memory context.  False means that
 * there is nothing left to claim, or that the job has ended.
 */
bool
bulkpar_chunk_claim(const BulkparJob *job, int worker, BulkparTarget *target,
					BulkparRange *range)
{
	BulkparChunk *chunk = &range->chunk;
	BulkparTrend trend;
	BulkparClaim claim = bulkpar_ledger_claim(job, worker, chunk, &trend);

	if (claim == BULKPAR_CLAIM_NOTHING ||
		(claim == BULKPAR_CLAIM_NEW && !find_part(job, chunk)))
		return false;

	bulkpar_target_lock(target, job, chunk->part, AccessShareLock);
	range->batch_size = job->batch_size;
	range->start = read_key(target, chunk->lo);
	range->lo = read_key(target, chunk->done);
	if (claim == BULKPAR_CLAIM_NEW)
		cut(job, worker, target, &trend, range);
	else
	{
		range->hi = read_key(target, chunk->hi);
		read_list(target, range);
	}
	return true;
}

/*
 * Go on to the next part of the job where one is at its end.  False if there
 * is none left.
 */
static bool
find_part(const BulkparJob *job, BulkparChunk *chunk)
{
	while (chunk->part < job->nparts)
	{
		const BulkparPart *part = &job->parts[chunk->part];

		if (!part->gone && !bulkpar_key_same_stored(chunk->lo, part->end_key))
			return true;
		chunk->part++;
		chunk->lo = chunk->done = NULL;
	}
	return false;
}

/* Cut a new chunk off what is left of the part, and store it. */
static void
cut(const BulkparJob *job, int worker, BulkparTarget *target,
	const BulkparTrend *trend, BulkparRange *range)
{
	BulkparChunk *chunk = &range->chunk;
	BulkparStoredKey *end_key = job->parts[chunk->part].end_key;
	int64		max_rows = choose_size(job, trend, range);
	BulkparBounds *bounds;

	bounds = bulkpar_collect_stripes(target, range->lo,
									 read_key(target, end_key),
									 chunk->stripe.count, range->batch_size,
									 max_rows);
	for (int i = 0; i < chunk->stripe.count; i++)
		chunk->rows_found += bounds[i].rows;
	range->hi = bounds[0].keys[bounds[0].nbatches - 1];
	chunk->hi = bounds[0].complete ? end_key :
		bulkpar_key_store(target->key, range->hi);
	for (int i = 0; i < chunk->stripe.count; i++)
		bounds[i].complete = true;
	range->bounds = bounds;
	bulkpar_ledger_insert(job->job_id, worker, chunk);
}

/*
 * The stripes of a new chunk.  While dead rows cannot be removed stripes cost
 * time and gain nothing: those of the chunk before could not be if some
 * snapshot is older than that chunk.
 */
static int
choose_stripes(const BulkparJob *job, Oid relid)
{
	static TransactionId last_claim = InvalidTransactionId;
	bool		held = job->xmin_holders != NULL;

	if (TransactionIdIsValid(last_claim))
	{
		Relation	rel = table_open(relid, NoLock);

		held = TransactionIdPrecedes(GetOldestNonRemovableTransactionId(rel),
									 last_claim);
		table_close(rel, NoLock);
	}
	last_claim = ReadNextTransactionId();
	return held && job->stripes_chosen ? 1 : job->stripes;
}

/*
 * Choose the number of rows of a new chunk: so many that each worker will come
 * back for what is left, at least twice if the chunk has one stripe, within
 * the limits.  When there are more rows than estimated nobody knows what is
 * left; then a quarter of the limit is a compromise between idle workers and
 * many claims.
 *
 * Also choose its stripes, and how large their batches are.  Dead rows can be
 * removed when no worker runs a batch any more that began before they were
 * dead, so a stripe must not follow the one before it too soon: each has
 * several batches, smaller ones in a small chunk.  How many of the rows are in
 * a stripe varies; the chunk is so much smaller that most stripes will not
 * need one more batch for a few rows.
 */
static int64
choose_size(const BulkparJob *job, const BulkparTrend *trend,
			BulkparRange *range)
{
	BulkparStripe *stripe = &range->chunk.stripe;
	double		left = job->estimated_rows - range->chunk.rows_before;
	int			batch_size = choose_batch_size(job, trend, left);
	int			stripes = choose_stripes(job,
										 job->parts[range->chunk.part].relid);
	int			limit;
	double		batches;
	int			stripe_batches;
	double		stripe_rows;

	/* Where few rows match, few are on a page. */
	if (batch_size > job->batch_size)
		stripes = 1;
	limit = Max(BULKPAR_CHUNK_BATCHES, stripes * STRIPE_BATCHES);
	batches = left <= 0 ? limit / 4 :
		left / batch_size / job->workers / (stripes > 1 ? 1 : 2);
	batches = Max(1, Min(limit, floor(batches)));
	stripe->count = Min(stripes, batches * MIN_STRIPE_BATCHES);
	range->batch_size = batch_size;
	if (stripe->count == 1)
		return (int64) batches * batch_size;

	stripe_batches = Max(MIN_STRIPE_BATCHES, batches / stripe->count);
	stripe_rows = batches * batch_size / stripe->count;
	range->batch_size = Max(1, (int) (stripe_rows / stripe_batches));
	range->batch_size = Min(range->batch_size, batch_size);
	stripe_rows = (double) range->batch_size * stripe_batches;
	stripe_rows -= Min(3 * sqrt(stripe_rows), stripe_rows / 4);
	return (int64) (stripe_rows * stripe->count);
}

/*
 * How many keys a batch takes: more than it may change rows where few of the
 * rows match, so many that half a batch of them do, but not many times more
 * than in the chunk before.
 */
static int
choose_batch_size(const BulkparJob *job, const BulkparTrend *trend,
				  double left)
{
	double		size = MAX_GROWTH * trend->rows_found / BULKPAR_CHUNK_BATCHES;

	if (trend->rows_done == 0)
		return job->batch_size;
	if (trend->rows_matched > 0)
		size = Min(size, 0.5 * job->batch_size * trend->rows_done /
				   trend->rows_matched);
	size = Min(size, left / job->workers);
	return (int) Max(job->batch_size, Min(size, BULKPAR_MAX_BATCH_SIZE));
}

/* The keys of the ledger's list, if there is one, that are not yet done. */
static void
read_list(const BulkparTarget *target, BulkparRange *range)
{
	if (range->chunk.keys == NULL)
		return;
	range->keys = bulkpar_key_restore_list(target->key, range->chunk.keys,
										   &range->nkeys);
	while (range->lo != NULL && range->nkeys > 0 &&
		   bulkpar_key_compare(target->key, range->keys, range->lo) <= 0)
	{
		range->keys += target->key->ncolumns;
		range->nkeys--;
	}
}

/* A key of the ledger, which may be NULL. */
static Datum *
read_key(const BulkparTarget *target, const BulkparStoredKey *key)
{
	return key == NULL ? NULL : bulkpar_key_restore(target->key, key);
}
