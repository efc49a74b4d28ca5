/*-------------------------------------------------------------------------
 *
 * list.c
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

/* Rows are few when they are not more than one in so many, ... */
#define MIN_ROWS_PER_MATCH 16

/* ... in a table of at least so many batches, ... */
#define MIN_BATCHES 64

/* ... and their keys fit into memory. */
#define MAX_MATCHES 1000000

typedef struct KeyReceiver
{
	DestReceiver pub;
	const BulkparJob *job;
	const BulkparKey *key;
	MemoryContext context;
	int			part;			/* of the last row */
	int			total;
	BulkparMatches *matches;	/* of each part */
} KeyReceiver;

static bool is_allowed(const BulkparJob *job, double rows);
static bool have_same_columns(const BulkparJob *job, BulkparTarget *target);
static bool list_parts(const BulkparJob *job, BulkparTarget *target,
					   List **chunks);
static bool receive_key(TupleTableSlot *slot, DestReceiver *self);
static bool find_part(KeyReceiver *receiver, Oid relid);
static int	compare(const void *a, const void *b, void *arg);
static List *cut(const BulkparJob *job, int part, const BulkparKey *key,
				 const BulkparMatches *matches);
static void store(BulkparJob *job, List **chunks);

/*
 * List the rows that the statement of a new job would change, if they seem to
 * be few, and store them as the chunks of the job, whose parts then end at the
 * last of them.  False if nothing was listed.  Must be called in a transaction
 * with a snapshot, and with the target locked at any part; the job is changed
 * in the current memory context.
 */
bool
bulkpar_list_rows(BulkparJob *job, BulkparTarget *target)
{
	MemoryContext context;
	MemoryContext oldcontext;
	List	  **chunks;
	double		matches;
	bool		few;

	if (!is_allowed(job, job->estimated_rows) ||
		!bulkpar_list_is_worthwhile(job, target, job->estimated_rows,
									 &matches) ||
		!have_same_columns(job, target))
		return false;
	context = AllocSetContextCreate(CurrentMemoryContext, "bulkpar matches",
									ALLOCSET_DEFAULT_SIZES);
	oldcontext = MemoryContextSwitchTo(context);
	chunks = palloc0(sizeof(List *) * job->nparts);
	few = list_parts(job, target, chunks);
	MemoryContextSwitchTo(oldcontext);
	if (few)
		store(job, chunks);
	MemoryContextDelete(context);
	return few;
}

/*
 * Whether a job with that many rows in its tables does best to list those that
 * match, and how many these seem to be.  The target must be locked.
 */
bool
bulkpar_list_is_worthwhile(const BulkparJob *job, BulkparTarget *target,
							double rows, double *matches)
{
	bool		repeatable;
	bool		worthwhile;

	SPI_connect();
	*matches = bulkpar_target_expect(target, job, &repeatable);
	worthwhile = is_allowed(job, rows) && repeatable &&
		*matches <= Min(rows / MIN_ROWS_PER_MATCH, MAX_MATCHES) &&
		bulkpar_keyvalue_can_be_listed(target->key) &&
		bulkpar_target_reaches_list(target, job);
	SPI_finish();
	return worthwhile;
}

/*
 * Find the keys of the rows that the statement would change in each part, in
 * the current memory context; not sorted, and some may be there twice.  NULL if
 * there are too many.  All keys must have the same columns.
 */
BulkparMatches *
bulkpar_list_find(const BulkparJob *job, BulkparTarget *target)
{
	KeyReceiver receiver = {
		.pub = bulkpar_bounds_receiver(receive_key),
		.job = job,
		.key = target->key,
		.context = CurrentMemoryContext,
		.matches = palloc0(sizeof(BulkparMatches) * job->nparts)
	};

	SPI_connect();
	bulkpar_target_match(target, job, &receiver.pub);
	SPI_finish();
	return receiver.total > MAX_MATCHES ? NULL : receiver.matches;
}

/* Sort keys as the index does, and keep each but once. */
void
bulkpar_list_sort(const BulkparKey *key, BulkparMatches *matches)
{
	Size		size = sizeof(Datum) * key->ncolumns;
	int			unique = 0;

	if (matches->count > 1)
		qsort_arg(matches->keys, matches->count, size, compare, (void *) key);
	for (int i = 0; i < matches->count; i++)
	{
		Datum	   *last = &matches->keys[(unique - 1) * key->ncolumns];
		Datum	   *next = &matches->keys[i * key->ncolumns];

		if (unique == 0 || bulkpar_keyvalue_compare(key, last, next) != 0)
			memmove(&matches->keys[unique++ * key->ncolumns], next, size);
	}
	matches->count = unique;
}

/*
 * Whether a job may list its rows.  An error while all are looked up could not
 * be said to be one of a row.
 */
static bool
is_allowed(const BulkparJob *job, double rows)
{
	return (job->condition != NULL || job->from_item != NULL ||
			job->statement != NULL) &&
		!job->skip_errors && rows >= (double) MIN_BATCHES * job->batch_size;
}

/* Whether the keys of all parts have columns of the same names. */
static bool
have_same_columns(const BulkparJob *job, BulkparTarget *target)
{
	StringInfoData first;
	StringInfoData other;

	initStringInfo(&first);
	initStringInfo(&other);
	bulkpar_key_append_columns(&first, target->key);
	for (int i = 0; i < job->nparts; i++)
	{
		if (job->parts[i].gone)
			continue;
		bulkpar_target_lock(target, job, i, AccessShareLock);
		resetStringInfo(&other);
		bulkpar_key_append_columns(&other, target->key);
		if (strcmp(first.data, other.data) != 0)
			return false;
	}
	return true;
}

/* List the chunks of each part.  False if there are too many rows after all. */
static bool
list_parts(const BulkparJob *job, BulkparTarget *target, List **chunks)
{
	BulkparMatches *matches = bulkpar_list_find(job, target);

	for (int i = 0; matches != NULL && i < job->nparts; i++)
	{
		if (matches[i].count == 0)
			continue;
		bulkpar_target_lock(target, job, i, AccessShareLock);
		bulkpar_list_sort(target->key, &matches[i]);
		chunks[i] = cut(job, i, target->key, &matches[i]);
	}
	return matches != NULL;
}

static bool
receive_key(TupleTableSlot *slot, DestReceiver *self)
{
	KeyReceiver *receiver = (KeyReceiver *) self;
	int			ncolumns = receiver->key->ncolumns;
	BulkparMatches *matches;
	MemoryContext oldcontext;

	slot_getallattrs(slot);
	if (!find_part(receiver, DatumGetObjectId(slot->tts_values[ncolumns])))
		return true;
	oldcontext = MemoryContextSwitchTo(receiver->context);
	matches = &receiver->matches[receiver->part];
	if (matches->count == matches->size)
	{
		Size		size;

		matches->size = Max(128, matches->size * 2);
		size = sizeof(Datum) * ncolumns * matches->size;
		matches->keys = matches->keys == NULL ? palloc(size) :
			repalloc(matches->keys, size);
	}
	bulkpar_keyvalue_copy_to(receiver->key,
							 &matches->keys[matches->count++ * ncolumns],
							 slot->tts_values);
	MemoryContextSwitchTo(oldcontext);
	return ++receiver->total <= MAX_MATCHES;
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

/* Cut the keys of a part into chunks. */
static List *
cut(const BulkparJob *job, int part, const BulkparKey *key,
	const BulkparMatches *matches)
{
	int			batches = matches->count / job->batch_size / (4 * job->workers);
	int			size = job->batch_size *
		Max(1, Min(batches, BULKPAR_CHUNK_BATCHES));
	List	   *chunks = NIL;
	BulkparStoredKey *lo = NULL;

	for (int i = 0; i < matches->count; i += size)
	{
		BulkparLedgerChunk *chunk = palloc0(sizeof(BulkparLedgerChunk));
		int			nkeys = Min(size, matches->count - i);
		const Datum *first = &matches->keys[i * key->ncolumns];

		chunk->part = part;
		chunk->lo = lo;
		chunk->hi = bulkpar_keyvalue_store(key,
										   &first[(nkeys - 1) * key->ncolumns]);
		chunk->stripe.count = 1;
		chunk->keys = bulkpar_keyvalue_store_list(key, first, nkeys);
		chunk->rows_found = nkeys;
		chunks = lappend(chunks, chunk);
		lo = chunk->hi;
	}
	return chunks;
}

/* Store the chunks, which wait for a worker, and end the parts with them. */
static void
store(BulkparJob *job, List **chunks)
{
	int64		chunk_no = 0;
	int64		rows = 0;
	int			batches = 0;

	for (int i = 0; i < job->nparts; i++)
	{
		BulkparJobPart *part = &job->parts[i];
		BulkparLedgerChunk *chunk = NULL;
		ListCell   *lc;

		part->estimated_rows = 0;
		foreach(lc, chunks[i])
		{
			chunk = lfirst(lc);
			chunk->chunk_no = ++chunk_no;
			chunk->rows_before = rows;
			bulkpar_ledger_insert(job->job_id, 0, chunk);
			rows += chunk->rows_found;
			part->estimated_rows += chunk->rows_found;
			batches += (chunk->rows_found + job->batch_size - 1) /
				job->batch_size;
		}
		part->end_key = chunk == NULL ? NULL :
			bulkpar_storedkey_copy(chunk->hi);
	}
	job->estimated_rows = rows;
	job->workers = Max(1, Min(job->workers, batches));
}
