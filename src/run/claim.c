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

#include "books/storedkey.h"
#include "bulkpar.h"
#include "run/claim.h"
#include "table/keyvalue.h"
#include "table/several.h"
#include "table/stripe.h"

/*
 * The batches of a stripe in a small chunk, where they are made smaller for
 * it.  Measured with 4 workers and 12 stripes on 60,000 rows in batches of
 * 1000: with 1, 2 and 4 the table grows to 1.57, 1.38 and 1.29 times its size,
 * and there are 66, 200 and 584 batches.
 */
#define MIN_STRIPE_BATCHES 2

/*
 * The batches of a stripe in a large chunk.  Measured with 2 workers and 12
 * stripes on 300,000 rows: with 2, 4 and 8 the table grows to 1.20, 1.15 and
 * 1.15 times its size.
 */
#define STRIPE_BATCHES 4

/*
 * How many times larger than in the last chunk a batch may be where little
 * matches.  Measured on 1,000,000 rows with 2, 8 and 32: where matching rows
 * come in patches, the batches that change too many and are rolled back leave
 * 7, 51 and 58 dead rows for each 100 that are changed, and the CPU time is 1,
 * 1.5 and 1.5; where one row in 1000 matches there are 217, 144 and 109
 * batches, in the same time.
 */
#define MAX_GROWTH 2

/*
 * How much of a batch may match on average where little does.  At 1 every
 * other batch would change too many rows, and be rolled back.
 */
#define MATCHING_SHARE 0.5

static bool go_to_part(const BulkparJob *job, BulkparLedgerChunk *chunk);
static bool ends_spans(const BulkparLedgerChunk *chunk);
static BulkparLedgerWork look_further(const BulkparJob *job, int worker,
									  BulkparLedgerChunk *chunk);
static void cut_last_span(const BulkparJob *job, int worker,
						  BulkparClaim *claim);
static bool find_span(const BulkparJob *job, const BulkparTarget *target,
					  BulkparClaim *claim);
static bool cut_bundles(const BulkparJob *job, int worker,
						BulkparTarget *target, BulkparClaim *claim);
static int	choose_bundles(const BulkparJob *job, double left);
static bool add_bundle(const BulkparJob *job, Oid target, int *next,
					   double *left, BulkparClaim *claim);
static void cut_chunk(const BulkparJob *job, int worker, BulkparTarget *target,
					  const BulkparLedgerTrend *trend, BulkparClaim *claim);
static int	choose_batch_size(const BulkparJob *job,
							  const BulkparLedgerTrend *trend, double left);
static int	stripes_of_chunk(const BulkparJob *job,
							 const BulkparTarget *target);
static int64 choose_size(const BulkparJob *job, const BulkparTarget *target,
						 const BulkparLedgerTrend *trend, BulkparClaim *claim);
static void restore_list(const BulkparTarget *target, BulkparClaim *claim);
static Datum *restore_key(const BulkparTarget *target,
						  const BulkparStoredKey *key);

/*
 * Claim a chunk for a worker, in a transaction of its own.  The batches of a
 * new chunk are collected, those of one that another has left are not.
 * Results are allocated in the current memory context.  False means that
 * there is nothing left to claim, or that the job has ended.
 */
bool
bulkpar_claim_chunk(const BulkparJob *job, int worker, BulkparTarget *target,
					BulkparClaim *claim)
{
	BulkparLedgerChunk *chunk = &claim->chunk;
	BulkparLedgerTrend trend;
	BulkparLedgerWork work = bulkpar_ledger_claim(job, worker, chunk, &trend);

	if (work == BULKPAR_LEDGER_NEW &&
		(!go_to_part(job, chunk) || ends_spans(chunk)))
		work = look_further(job, worker, chunk);
	if (work == BULKPAR_LEDGER_NOTHING)
		return false;

	bulkpar_target_lock(target, job, chunk->part, AccessShareLock);
	claim->batch_size = job->batch_size;
	if (work == BULKPAR_LEDGER_NEW && chunk->lo == NULL &&
		cut_bundles(job, worker, target, claim))
		return true;
	if (work == BULKPAR_LEDGER_NEW && ends_spans(chunk))
		cut_last_span(job, worker, claim);
	if (find_span(job, target, claim))
		return true;
	claim->start = restore_key(target, chunk->lo);
	claim->lo = restore_key(target, chunk->done);
	if (work == BULKPAR_LEDGER_NEW)
		cut_chunk(job, worker, target, &trend, claim);
	else
	{
		claim->hi = restore_key(target, chunk->hi);
		restore_list(target, claim);
	}
	return true;
}

/*
 * Go on to the next part of the job where one is at its end.  False if there
 * is none left.
 */
static bool
go_to_part(const BulkparJob *job, BulkparLedgerChunk *chunk)
{
	while (chunk->part < job->nparts)
	{
		const BulkparJobPart *part = &job->parts[chunk->part];

		if (!part->gone && !bulkpar_storedkey_same(chunk->lo, part->end_key))
			return true;
		chunk->part++;
		chunk->lo = chunk->done = NULL;
	}
	return false;
}

/* Whether the spans that were cut when the job was planned are all before it. */
static bool
ends_spans(const BulkparLedgerChunk *chunk)
{
	BulkparSpanEnd end;

	return bulkpar_place_is_end(chunk->lo, &end);
}

/*
 * Where nothing is to be cut off, try what was set back.  The last span of a part
 * can be cut when no other is being worked on: who has that one will do it.
 */
static BulkparLedgerWork
look_further(const BulkparJob *job, int worker, BulkparLedgerChunk *chunk)
{
	BulkparLedgerChunk next = *chunk;

	if (bulkpar_ledger_claim_throttled(job, worker, chunk))
		return BULKPAR_LEDGER_LEFT;
	if (!ends_spans(&next) || bulkpar_ledger_count_workers(job->job_id) > 0)
		return BULKPAR_LEDGER_NOTHING;
	*chunk = next;
	return BULKPAR_LEDGER_NEW;
}

/*
 * The last span, which is the whole part up to its last key: rows may have moved
 * to blocks that were read before, see span.c.
 */
static void
cut_last_span(const BulkparJob *job, int worker, BulkparClaim *claim)
{
	BulkparLedgerChunk *chunk = &claim->chunk;

	chunk->hi = job->parts[chunk->part].end_key;
	chunk->stripe.count = 1;
	bulkpar_ledger_insert(job->job_id, worker, chunk);
}

/* The blocks of a chunk that has been claimed, if it is a span. */
static bool
find_span(const BulkparJob *job, const BulkparTarget *target,
		  BulkparClaim *claim)
{
	const BulkparLedgerChunk *chunk = &claim->chunk;
	BulkparSpanEnd end;

	claim->last_span = !bulkpar_place_is_end(chunk->hi, &end);
	if (claim->last_span && !bulkpar_place_is_end(chunk->lo, &end))
		return false;
	claim->span = end;
	claim->spanned = true;
	claim->hi = restore_key(target, job->parts[chunk->part].end_key);
	return true;
}

/*
 * Take several parts at once, as whole chunks, and store these: the one that is
 * next and those that follow, in bundles, as long as they are small and of one
 * target.  False if that is none or just one.
 */
static bool
cut_bundles(const BulkparJob *job, int worker, BulkparTarget *target,
			BulkparClaim *claim)
{
	BulkparLedgerChunk *chunk = &claim->chunk;
	double		left = job->estimated_rows - chunk->rows_before;
	int			next = chunk->part;
	int			max_bundles = choose_bundles(job, left);

	claim->parts = palloc(sizeof(int) * BULKPAR_BUNDLE_MAX_PARTS);
	claim->bundles = palloc(sizeof(int) * max_bundles);
	while (claim->nbundles < max_bundles &&
		   add_bundle(job, target->relid, &next, &left, claim))
		;
	if (claim->nbundles > 0 && bulkpar_several_is_possible(target, job))
	{
		chunk->stripe.count = 1;
		bulkpar_ledger_insert_bundle(job->job_id, worker, chunk,
									 claim->parts[claim->nparts - 1],
									 claim->nparts);
		return true;
	}
	claim->nparts = claim->nbundles = 0;
	return false;
}

/*
 * How many bundles to claim when so many rows are left: as with a chunk of one
 * stripe so few that each worker comes back for what is left, at least twice.
 */
static int
choose_bundles(const BulkparJob *job, double left)
{
	double		batches = left / job->batch_size / job->workers / 2;

	return Max(1, Min(batches, BULKPAR_CHUNK_BATCHES));
}

/*
 * Add one more bundle to the claim, of the small parts of the target from *next
 * on, which are taken off the rows that are left.  False if these are fewer than
 * two, or more than can be claimed.
 */
static bool
add_bundle(const BulkparJob *job, Oid target, int *next, double *left,
		   BulkparClaim *claim)
{
	double		limit = bulkpar_claim_bundle_limit(job, *left, job->workers);
	double		rows = 0;
	int			nparts = 0;
	int			i;

	for (i = *next; i < job->nparts; i++)
	{
		const BulkparJobPart *part = &job->parts[i];

		if (part->gone || part->end_key == NULL)
			continue;
		if (part->target != target || part->estimated_rows >= limit ||
			!bulkpar_claim_adds(nparts, rows, part->estimated_rows, limit))
			break;
		if (claim->nparts + nparts == BULKPAR_BUNDLE_MAX_PARTS)
			return false;
		claim->parts[claim->nparts + nparts++] = i;
		rows += part->estimated_rows;
	}
	if (nparts < 2)
		return false;
	claim->bundles[claim->nbundles++] = nparts;
	claim->nparts += nparts;
	*next = i;
	*left -= rows;
	return true;
}

/*
 * How many rows a bundle may have when so many are left: not more than a batch,
 * and so few that each worker gets one.
 */
double
bulkpar_claim_bundle_limit(const BulkparJob *job, double left, int workers)
{
	return Max(1, Min(job->batch_size, left / workers));
}

/*
 * Whether a part of so many rows is taken together with others, so many parts
 * with so many rows.
 */
bool
bulkpar_claim_adds(int nparts, double rows, double more, double limit)
{
	return nparts < BULKPAR_BUNDLE_MAX_PARTS && rows + more <= limit;
}

/* Cut a new chunk off what is left of the part, and store it. */
static void
cut_chunk(const BulkparJob *job, int worker, BulkparTarget *target,
		  const BulkparLedgerTrend *trend, BulkparClaim *claim)
{
	BulkparLedgerChunk *chunk = &claim->chunk;
	BulkparStoredKey *end_key = job->parts[chunk->part].end_key;
	int64		max_rows = choose_size(job, target, trend, claim);
	BulkparBounds *bounds;

	Assert(max_rows > 0);
	Assert(claim->batch_size > 0);
	Assert(claim->batch_size <= BULKPAR_MAX_BATCH_SIZE);
	Assert(chunk->stripe.count > 0 && chunk->stripe.number == 0);
	bounds = bulkpar_bounds_of_stripes(target, claim->lo,
									   restore_key(target, end_key),
									   chunk->stripe.count, claim->batch_size,
									   max_rows);
	for (int i = 0; i < chunk->stripe.count; i++)
		chunk->rows_found += bounds[i].rows;
	claim->hi = bounds[0].keys[bounds[0].nbatches - 1];
	chunk->hi = bounds[0].complete ? end_key :
		bulkpar_keyvalue_store(target->key, claim->hi);
	for (int i = 0; i < chunk->stripe.count; i++)
		bounds[i].complete = true;
	claim->bounds = bounds;
	bulkpar_ledger_insert(job->job_id, worker, chunk);
}

/*
 * The stripes of a new chunk.  While dead rows cannot be removed stripes cost
 * time and gain nothing: those of the chunk before could not be if some
 * snapshot is older than that chunk.  They were chosen for the largest part, and
 * the keys of others may be of types that they are not possible with.
 */
static int
stripes_of_chunk(const BulkparJob *job, const BulkparTarget *target)
{
	static TransactionId last_claim = InvalidTransactionId;
	bool		held = job->xmin_holders != NULL;

	if (TransactionIdIsValid(last_claim))
	{
		Relation	rel = table_open(target->part, NoLock);

		held = TransactionIdPrecedes(GetOldestNonRemovableTransactionId(rel),
									 last_claim);
		table_close(rel, NoLock);
	}
	last_claim = ReadNextTransactionId();
	if (job->stripes_chosen && !bulkpar_stripe_possible(target->key))
		return 1;
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
 * a stripe varies; the chunk is smaller by three standard deviations, so that
 * hardly a stripe will need one more batch for a few rows.
 */
static int64
choose_size(const BulkparJob *job, const BulkparTarget *target,
			const BulkparLedgerTrend *trend, BulkparClaim *claim)
{
	BulkparStripe *stripe = &claim->chunk.stripe;
	double		left = job->estimated_rows - claim->chunk.rows_before;
	int			batch_size = choose_batch_size(job, trend, left);
	int			stripes = stripes_of_chunk(job, target);
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
	claim->batch_size = batch_size;
	if (stripe->count == 1)
		return (int64) batches * batch_size;

	stripe_batches = Max(MIN_STRIPE_BATCHES, batches / stripe->count);
	stripe_rows = batches * batch_size / stripe->count;
	claim->batch_size = Max(1, (int) (stripe_rows / stripe_batches));
	claim->batch_size = Min(claim->batch_size, batch_size);
	stripe_rows = (double) claim->batch_size * stripe_batches;
	stripe_rows -= Min(3 * sqrt(stripe_rows), stripe_rows / 4);
	return (int64) (stripe_rows * stripe->count);
}

/*
 * How many keys a batch takes: more than it may change rows where few of the
 * rows match, so many that its share of them does, but not many times more
 * than in the chunk before.
 */
static int
choose_batch_size(const BulkparJob *job, const BulkparLedgerTrend *trend,
				  double left)
{
	double		size = MAX_GROWTH * trend->rows_found / BULKPAR_CHUNK_BATCHES;

	/* Of others it is not known how many rows they match. */
	if (trend->rows_done == 0 || !bulkpar_command_is_plain(job->command))
		return job->batch_size;
	if (trend->rows_matched > 0)
		size = Min(size, MATCHING_SHARE * job->batch_size *
				   trend->rows_done / trend->rows_matched);
	size = Min(size, left / job->workers);
	return (int) Max(job->batch_size, Min(size, BULKPAR_MAX_BATCH_SIZE));
}

/*
 * The keys of the ledger's list, if there is one, that are not yet done: those
 * after the last one that is, or all if that is the last of another list.
 */
static void
restore_list(const BulkparTarget *target, BulkparClaim *claim)
{
	int			width = bulkpar_keyvalue_row_width(target->key);

	if (claim->chunk.keys == NULL)
		return;
	claim->keys = bulkpar_keyvalue_restore_list(target->key, claim->chunk.keys,
												&claim->nkeys);
	for (int i = 0; claim->lo != NULL && i < claim->nkeys; i++)
	{
		if (bulkpar_keyvalue_compare(target->key, &claim->keys[i * width],
									 claim->lo) != 0)
			continue;
		claim->keys += (i + 1) * width;
		claim->nkeys -= i + 1;
		break;
	}
}

/* A key of the ledger, which may be NULL. */
static Datum *
restore_key(const BulkparTarget *target, const BulkparStoredKey *key)
{
	return key == NULL ? NULL : bulkpar_keyvalue_restore(target->key, key);
}
