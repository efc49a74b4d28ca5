/*-------------------------------------------------------------------------
 *
 * list.c
 *		Listing the rows that change, where they are few.
 *
 * A statement that changes one row in a thousand is not worth a walk along the
 * key index.  Its rows are listed first, by whatever plan is best (another
 * index, a parallel scan, a hash join), and their keys are kept in the chunks.
 * The batches then reach just these rows, and look at the condition again.  They
 * go through the table as it is on disk, whatever the order of the key is; where
 * a row was found is kept with its key, see bulkpar_target_update_listed.
 * way.c decides whether that is done, and how many rows are few: what the
 * planner expects may be a mere guess, so the search ends as soon as it has
 * found more.
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
	int			nparts;
	int			part;			/* of the last row */
	int			max_rows;
	int			total;			/* of all parts, some may be there twice */
	int			limit;			/* of that, until it is counted again */
	BulkparList *lists;			/* of each part */
	const Datum *end;			/* of a span the last key ... */
	const BulkparList *aside;	/* ... and the rows that are not wanted */
} KeyReceiver;

static bool receive_key(TupleTableSlot *slot, DestReceiver *self);
static bool receive_of_span(TupleTableSlot *slot, DestReceiver *self);
static void add_row(KeyReceiver *receiver, const Datum *values);
static void count_again(KeyReceiver *receiver);
static bool may_repeat(const BulkparJob *job);
static bool find_part(KeyReceiver *receiver, Oid relid);
static int	compare_places(const void *a, const void *b, void *arg);
static BulkparLedgerChunk *cut(const BulkparJob *job, const BulkparKey *key,
							   const BulkparList *list, int first);

/*
 * Find the keys of the rows that the statement would change in each part, in
 * the current memory context; not sorted, and some may be there twice.  NULL if
 * there are more than max_rows, but a row counts only once.  All keys must have
 * the same columns.
 */
BulkparList *
bulkpar_list_find(const BulkparJob *job, BulkparTarget *target, int max_rows)
{
	KeyReceiver receiver = {
		.pub = bulkpar_bounds_receiver(receive_key),
		.job = job,
		.key = target->key,
		.context = CurrentMemoryContext,
		.nparts = job->nparts,
		.max_rows = max_rows,
		.limit = max_rows,
		.lists = palloc0(sizeof(BulkparList) * job->nparts)
	};

	Assert(max_rows > 0 && max_rows <= BULKPAR_LIST_MAX_ROWS);
	SPI_connect();
	bulkpar_target_list(target, job, &receiver.pub);
	SPI_finish();
	if (receiver.total > max_rows)
		count_again(&receiver);
	return receiver.total > max_rows ? NULL : receiver.lists;
}

/*
 * Find the keys, up to that of end, of the rows that the statement of a job with
 * one part would change in spans of that, without those that were put aside, in
 * the current memory context.  They are sorted, and each is there but once.  False
 * if they may not be all, but as many as fit into memory.
 */
bool
bulkpar_list_spans(const BulkparJob *job, BulkparTarget *target,
				   const BulkparSpan *spans, int nspans, const Datum *end,
				   const BulkparList *aside, BulkparList *list)
{
	KeyReceiver receiver = {
		.pub = bulkpar_bounds_receiver(receive_of_span),
		.job = job,
		.key = target->key,
		.context = CurrentMemoryContext,
		.nparts = 1,
		.max_rows = BULKPAR_LIST_MAX_ROWS,
		.limit = BULKPAR_LIST_MAX_ROWS,
		.lists = list,
		.end = end,
		.aside = aside
	};

	Assert(job->nparts == 1);
	memset(list, 0, sizeof(BulkparList));
	SPI_connect();
	bulkpar_target_list_spans(target, job, spans, nspans, &receiver.pub);
	SPI_finish();
	bulkpar_list_sort(target->key, list);
	return list->count <= receiver.max_rows;
}

/* Sort rows as they are on disk, and keep each but once; others are freed. */
void
bulkpar_list_sort(const BulkparKey *key, BulkparList *list)
{
	int			width = bulkpar_keyvalue_row_width(key);
	Size		size = sizeof(Datum) * width;
	int			unique = 0;

	if (list->count > 1)
		qsort_arg(list->keys, list->count, size, compare_places, (void *) key);
	for (int i = 0; i < list->count; i++)
	{
		Datum	   *last = &list->keys[(unique - 1) * width];
		Datum	   *next = &list->keys[i * width];

		if (unique == 0 || compare_places(last, next, (void *) key) != 0)
			memmove(&list->keys[unique++ * width], next, size);
		else
			bulkpar_keyvalue_free_values(key, next);
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

	slot_getallattrs(slot);
	bulkpar_keyvalue_require(receiver->key, slot->tts_isnull);
	if (!find_part(receiver, DatumGetObjectId(slot->tts_values[ncolumns])))
		return true;
	add_row(receiver, slot->tts_values);
	if (++receiver->total > receiver->limit)
		count_again(receiver);
	return receiver->total <= receiver->limit;
}

static bool
receive_of_span(TupleTableSlot *slot, DestReceiver *self)
{
	KeyReceiver *receiver = (KeyReceiver *) self;
	const BulkparKey *key = receiver->key;
	int			width = bulkpar_keyvalue_row_width(key);

	slot_getallattrs(slot);
	bulkpar_keyvalue_require(key, slot->tts_isnull);
	if (bulkpar_keyvalue_compare(key, slot->tts_values, receiver->end) > 0)
		return true;
	for (int i = 0; i < receiver->aside->count; i++)
	{
		if (bulkpar_keyvalue_compare(key, slot->tts_values,
									 &receiver->aside->keys[i * width]) == 0)
			return true;
	}
	return receive_key(slot, self);
}

/*
 * Add a row to the list of the part that was found for it: its key, and after
 * that a number for its place in the table.
 */
static void
add_row(KeyReceiver *receiver, const Datum *values)
{
	int			ncolumns = receiver->key->ncolumns;
	ItemPointer tid = (ItemPointer) DatumGetPointer(values[ncolumns + 1]);
	int			width = bulkpar_keyvalue_row_width(receiver->key);
	BulkparList *list = &receiver->lists[receiver->part];
	MemoryContext oldcontext = MemoryContextSwitchTo(receiver->context);
	Datum	   *row;

	if (list->count == list->size)
	{
		Size		size;

		list->size = Max(128, list->size * 2);
		size = sizeof(Datum) * width * list->size;
		list->keys = list->keys == NULL ? palloc(size) :
			repalloc(list->keys, size);
	}
	row = &list->keys[list->count++ * width];
	bulkpar_keyvalue_copy_to(receiver->key, row, values);
	row[ncolumns] = bulkpar_keyvalue_of_place(tid);
	MemoryContextSwitchTo(oldcontext);
}

/*
 * Count the rows that were found so far, each once: a join may find the same
 * row again and again.  If they are still few, as many more may come as are
 * allowed in all before they are counted again, so that a row costs no more
 * than to be sorted among twice as many as are allowed.
 */
static void
count_again(KeyReceiver *receiver)
{
	if (!may_repeat(receiver->job))
	{
		receiver->limit = 0;
		return;
	}
	receiver->total = 0;
	for (int i = 0; i < receiver->nparts; i++)
	{
		bulkpar_list_sort(receiver->key, &receiver->lists[i]);
		receiver->total += receiver->lists[i].count;
	}
	receiver->limit = receiver->total > receiver->max_rows ? 0 :
		receiver->total + receiver->max_rows;
}

/* Whether a row may be found more than once: by a join, as far as we can tell. */
static bool
may_repeat(const BulkparJob *job)
{
	return job->from_item != NULL || job->statement != NULL;
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
compare_places(const void *a, const void *b, void *arg)
{
	int			place = ((const BulkparKey *) arg)->ncolumns;
	int64		first = DatumGetInt64(((const Datum *) a)[place]);
	int64		second = DatumGetInt64(((const Datum *) b)[place]);

	return first < second ? -1 : first > second;
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
	int			width = bulkpar_keyvalue_row_width(key);
	const Datum *keys = &list->keys[first * width];
	BulkparLedgerChunk *chunk = palloc0(sizeof(BulkparLedgerChunk));

	chunk->hi = bulkpar_keyvalue_store(key, &keys[(nkeys - 1) * width]);
	chunk->stripe.count = 1;
	chunk->keys = bulkpar_keyvalue_store_list(key, keys, nkeys);
	chunk->rows_found = nkeys;
	return chunk;
}
