/*-------------------------------------------------------------------------
 *
 * chunk.c
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
 *	  src/chunk.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bulkpar.h"
#include "chunk.h"

static int	choose_batches(const BulkparJob *job, const BulkparChunk *chunk);
static bool same_key(const ArrayType *a, const ArrayType *b);

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
	bulkpar_collect(target, range->lo, range->hi, job->batch_size, max_batches,
					bounds);

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
