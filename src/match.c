/*-------------------------------------------------------------------------
 *
 * match.c
 *		Listing the rows that match, where they are few.
 *
 * A statement that changes one row in a thousand is not worth a walk along the
 * key index.  Its rows are found first, by whatever plan is best (another
 * index, a parallel scan, a hash join), and their keys are kept in the chunks.
 * The batches then reach just these rows, and look at the condition again.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/match.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "tcop/dest.h"
#include "utils/snapmgr.h"

#include "bulkpar.h"
#include "collect.h"
#include "ledger.h"
#include "match.h"

/* Rows are few when they are not more than one in so many, ... */
#define MIN_ROWS_PER_MATCH 16

/* ... in a table of at least so many batches, ... */
#define MIN_BATCHES 64

/* ... and their keys fit into memory. */
#define MAX_MATCHES 1000000

typedef struct MatchReceiver
{
	DestReceiver pub;
	const BulkparKey *key;
	MemoryContext context;
	int			count;
	int			size;			/* of the array */
	Datum	   *keys;
} MatchReceiver;

static bool receive_key(TupleTableSlot *slot, DestReceiver *self);
static int	sort_unique(const BulkparKey *key, Datum *keys, int count);
static int	compare(const void *a, const void *b, void *arg);
static void store(BulkparJob *job, const BulkparTarget *target, Datum *keys,
				  int count);

/*
 * List the rows that the statement of a new job would change, if they seem to
 * be few, and store them as the chunks of the job, which then ends at the last
 * of them.  False if nothing was listed.  Must be called in a transaction that
 * has locked the target; the end key and the number of rows are changed in the
 * current memory context.
 */
bool
bulkpar_match_list(BulkparJob *job, BulkparTarget *target)
{
	MatchReceiver receiver = {
		.pub = bulkpar_collect_receiver(receive_key),
		.key = target->key,
		.context = CurrentMemoryContext
	};
	bool		tried;

	if ((job->condition == NULL && job->from_item == NULL &&
		 job->statement == NULL) ||
		job->nparts > 1 || job->parts[0].relid != job->target ||
		!bulkpar_key_can_be_listed(target->key) ||
		job->estimated_rows < (double) MIN_BATCHES * job->batch_size)
		return false;

	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	tried = bulkpar_target_match(target, job,
								 Min(job->estimated_rows / MIN_ROWS_PER_MATCH,
									 MAX_MATCHES),
								 &receiver.pub);
	PopActiveSnapshot();
	SPI_finish();
	if (!tried || receiver.count > MAX_MATCHES)
		return false;

	store(job, target, receiver.keys,
		  sort_unique(target->key, receiver.keys, receiver.count));
	return true;
}

static bool
receive_key(TupleTableSlot *slot, DestReceiver *self)
{
	MatchReceiver *receiver = (MatchReceiver *) self;
	MemoryContext oldcontext = MemoryContextSwitchTo(receiver->context);

	if (receiver->count == receiver->size)
	{
		receiver->size = Max(1024, receiver->size * 2);
		receiver->keys = receiver->keys == NULL ?
			palloc(sizeof(Datum) * receiver->size) :
			repalloc(receiver->keys, sizeof(Datum) * receiver->size);
	}
	slot_getallattrs(slot);
	receiver->keys[receiver->count++] = *bulkpar_key_copy(receiver->key,
														  slot->tts_values);
	MemoryContextSwitchTo(oldcontext);
	return receiver->count <= MAX_MATCHES;
}

/* Sort the keys as the index does, and return how many different there are. */
static int
sort_unique(const BulkparKey *key, Datum *keys, int count)
{
	int			unique = 0;

	if (count > 1)
		qsort_arg(keys, count, sizeof(Datum), compare, (void *) key);
	for (int i = 0; i < count; i++)
	{
		if (unique == 0 ||
			bulkpar_key_compare(key, &keys[unique - 1], &keys[i]) != 0)
			keys[unique++] = keys[i];
	}
	return unique;
}

static int
compare(const void *a, const void *b, void *arg)
{
	return bulkpar_key_compare(arg, a, b);
}

/* Store the keys as chunks that wait for a worker. */
static void
store(BulkparJob *job, const BulkparTarget *target, Datum *keys, int count)
{
	int			batches = count / job->batch_size / (4 * job->workers);
	int			size = job->batch_size *
		Max(1, Min(batches, BULKPAR_CHUNK_BATCHES));
	ArrayType  *hi = NULL;

	for (int i = 0; i < count; i += size)
	{
		int			nkeys = Min(size, count - i);
		BulkparChunk chunk = {
			.chunk_no = i / size + 1,
			.lo = hi,
			.stripe = {.count = 1},
			.keys = bulkpar_key_list_to_text(target->key, &keys[i], nkeys),
			.rows_before = i
		};

		chunk.hi = hi = bulkpar_key_to_text(target->key, &keys[i + nkeys - 1]);
		bulkpar_ledger_insert(job->job_id, 0, &chunk, nkeys);
	}
	job->parts[0].end_key = hi;
	job->parts[0].estimated_rows = job->estimated_rows = count;
	job->workers = Min(job->workers,
					   (count + job->batch_size - 1) / job->batch_size);
}
