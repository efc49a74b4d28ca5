/*-------------------------------------------------------------------------
 *
 * list.c
 *		Listing the rows that change, where they are few.
 *
 * A statement that changes one row in a thousand is not worth a walk along the
 * key index.  Its rows are listed first, by whatever plan is best (another
 * index, a parallel scan, a hash join), and their keys are kept in the chunks.
 * The batches then reach just these rows, and look at the condition again.
 * plan.c decides whether that is done.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/list.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "tcop/dest.h"
#include "utils/memutils.h"

#include "books/ledger.h"
#include "books/storedkey.h"
#include "bulkpar.h"
#include "run/list.h"
#include "table/bounds.h"
#include "table/keyvalue.h"

typedef struct KeyReceiver
{
	DestReceiver pub;
	const BulkparJob *job;
	const BulkparKey *key;
	MemoryContext context;
	int			part;			/* of the last row */
	int			total;
	BulkparList *lists;			/* of each part */
} KeyReceiver;

static bool receive_key(TupleTableSlot *slot, DestReceiver *self);
static bool find_part(KeyReceiver *receiver, Oid relid);
static int	compare(const void *a, const void *b, void *arg);
static BulkparLedgerChunk *cut(const BulkparJob *job, const BulkparKey *key,
							   const BulkparList *list, int first);

/*
 * Find the keys of the rows that the statement would change in each part, in
 * the current memory context; not sorted, and some may be there twice.  NULL if
 * there are too many.  All keys must have the same columns.
 */
BulkparList *
bulkpar_list_find(const BulkparJob *job, BulkparTarget *target)
{
	KeyReceiver receiver = {
		.pub = bulkpar_bounds_receiver(receive_key),
		.job = job,
		.key = target->key,
		.context = CurrentMemoryContext,
		.lists = palloc0(sizeof(BulkparList) * job->nparts)
	};

	SPI_connect();
	bulkpar_target_list(target, job, &receiver.pub);
	SPI_finish();
	return receiver.total > BULKPAR_LIST_MAX_ROWS ? NULL : receiver.lists;
}

/* Sort keys as the index does, and keep each but once. */
void
bulkpar_list_sort(const BulkparKey *key, BulkparList *list)
{
	Size		size = sizeof(Datum) * key->ncolumns;
	int			unique = 0;

	if (list->count > 1)
		qsort_arg(list->keys, list->count, size, compare, (void *) key);
	for (int i = 0; i < list->count; i++)
	{
		Datum	   *last = &list->keys[(unique - 1) * key->ncolumns];
		Datum	   *next = &list->keys[i * key->ncolumns];

		if (unique == 0 || bulkpar_keyvalue_compare(key, last, next) != 0)
			memmove(&list->keys[unique++ * key->ncolumns], next, size);
	}
	list->count = unique;
}

/*
 * Store the lists of a new job as its chunks, which wait for a worker.  The
 * lists are sorted by that, and what they need more is allocated in the current
 * memory context.
 */
void
bulkpar_list_store(const BulkparJob *job, BulkparTarget *target,
				   BulkparList *lists)
{
	int64		chunk_no = 0;
	int64		rows = 0;

	for (int i = 0; i < job->nparts; i++)
	{
		BulkparList *list = &lists[i];
		BulkparLedgerChunk *chunk;

		if (list->count == 0)
			continue;
		bulkpar_target_lock(target, job, i, AccessShareLock);
		bulkpar_list_sort(target->key, list);
		for (int first = 0; first < list->count; first += chunk->rows_found)
		{
			chunk = cut(job, target->key, list, first);
			chunk->chunk_no = ++chunk_no;
			chunk->part = i;
			chunk->lo = list->end_key;
			chunk->rows_before = rows;
			bulkpar_ledger_insert(job->job_id, 0, chunk);
			list->end_key = chunk->hi;
			rows += chunk->rows_found;
		}
	}
}

static bool
receive_key(TupleTableSlot *slot, DestReceiver *self)
{
	KeyReceiver *receiver = (KeyReceiver *) self;
	int			ncolumns = receiver->key->ncolumns;
	BulkparList *list;
	MemoryContext oldcontext;

	slot_getallattrs(slot);
	if (!find_part(receiver, DatumGetObjectId(slot->tts_values[ncolumns])))
		return true;
	oldcontext = MemoryContextSwitchTo(receiver->context);
	list = &receiver->lists[receiver->part];
	if (list->count == list->size)
	{
		Size		size;

		list->size = Max(128, list->size * 2);
		size = sizeof(Datum) * ncolumns * list->size;
		list->keys = list->keys == NULL ? palloc(size) :
			repalloc(list->keys, size);
	}
	bulkpar_keyvalue_copy_to(receiver->key,
							 &list->keys[list->count++ * ncolumns],
							 slot->tts_values);
	MemoryContextSwitchTo(oldcontext);
	return ++receiver->total <= BULKPAR_LIST_MAX_ROWS;
}

/* False for a row of a partition that was attached after the job was made. */
static bool
find_part(KeyReceiver *receiver, Oid relid)
{
	const BulkparJob *job = receiver->job;

	if (job->parts[receiver->part].relid == relid)
		return true;
	for (int i = 0; i < job->nparts; i++)
	{
		receiver->part = i;
		if (job->parts[i].relid == relid)
			return true;
	}
	return false;
}

static int
compare(const void *a, const void *b, void *arg)
{
	return bulkpar_keyvalue_compare(arg, a, b);
}

/* Cut a chunk off the list of a part, from a key of it on. */
static BulkparLedgerChunk *
cut(const BulkparJob *job, const BulkparKey *key, const BulkparList *list,
	int first)
{
	int			batches = list->count / job->batch_size / (4 * job->workers);
	int			size = job->batch_size *
		Max(1, Min(batches, BULKPAR_CHUNK_BATCHES));
	int			nkeys = Min(size, list->count - first);
	const Datum *keys = &list->keys[first * key->ncolumns];
	BulkparLedgerChunk *chunk = palloc0(sizeof(BulkparLedgerChunk));

	chunk->hi = bulkpar_keyvalue_store(key, &keys[(nkeys - 1) * key->ncolumns]);
	chunk->stripe.count = 1;
	chunk->keys = bulkpar_keyvalue_store_list(key, keys, nkeys);
	chunk->rows_found = nkeys;
	return chunk;
}
