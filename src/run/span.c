/*-------------------------------------------------------------------------
 *
 * span.c
 *		Deleting rows in the order of the table, span by span.
 *
 * A walk along the key comes to each row twice, when its chunk is claimed and in
 * its batch, also to those that do not match, and where the key is in another order
 * than the rows it reads pages at random.  A list of all rows that match does not,
 * but it must fit into memory, and one worker makes it while the others wait.
 *
 * So where many rows are deleted the blocks of their table are cut into spans, when
 * the job is planned, and each of them is a chunk.  Who claims it lists its rows
 * that match, by a scan of these blocks, and deletes them in batches as those of
 * list.c.  The list is not kept: who takes the chunk over lists its rows anew, and
 * does not find those that are deleted.  That holds for nothing but a DELETE,
 * and only if no trigger can keep a row.
 *
 * Blocks that have no such row, as an index says at that time, are in no span, see
 * indexed.c.  They are as if they were read then.
 *
 * A row that somebody updates meanwhile may move from a block that is yet to be
 * read to one that was.  So when all spans are done there is a last one, which is
 * the whole table: a row that has matched all the time is found there, if it was
 * not deleted before.  Blocks without rows that are new are left out, see changed.c.
 *
 * One worker reads that alone, so it is not done where a condition takes long.
 *
 * As in a walk rows with keys after the last one of the beginning stay.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/span.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "books/storedkey.h"
#include "bulkpar.h"
#include "run/list.h"
#include "run/lockwait.h"
#include "run/span.h"
#include "session/message.h"
#include "session/process.h"
#include "table/changed.h"
#include "table/indexed.h"
#include "table/keyvalue.h"

/*
 * How many chunks a worker gets, so that all finish together.  Each costs a claim
 * and the plan of a scan.
 */
#define SPANS_PER_WORKER 8

/* But no more than so many: who claims one looks at all that are left. */
#define MAX_SPANS 1000

/* How often a block is read whose rows are deleted: again by the last span. */
#define READS_OF_BLOCK 2

/* A span that is being listed. */
typedef struct Listing
{
	BulkparChunkRun *run;
	BulkparList list;
	int			aside;			/* rows that were put aside */
	int64		first_place;	/* of the list, as a number; 0 for none */
	bool		complete;		/* these are all, ... */
	bool		done;			/* ... and there are none */
	bool		ours;			/* the chunk is */
} Listing;

static BlockNumber size_of_span(const BulkparPlan *plan,
								const BulkparJob *job, BlockNumber pages);
static void list_in_transaction(void *arg);
static void find_rows(Listing *listing);
static void find_changed(const BulkparJob *job, const BulkparTarget *target,
						 const BulkparSpanEnd *moment,
						 BulkparBlocks *changed);
static bool note_found(Listing *listing);
static void check_progress_of_span(Listing *listing, const BulkparKey *key);

/*
 * Whether a job can go through its table so.  The target must be locked at its
 * first part.
 */
bool
bulkpar_span_is_possible(const BulkparJob *job, BulkparTarget *target)
{
	Relation	rel;
	bool		possible;

	if (job->nparts != 1 || job->sees_batches ||
		job->parts[0].shard != 0 || target->part != target->relid ||
		!bulkpar_target_deletes_at_places(target, job))
		return false;
	rel = table_open(target->part, NoLock);
	/* Of policies a scan could not be sure to read the blocks alone. */
	possible = rel->rd_rel->relkind == RELKIND_RELATION &&
		!rel->rd_rel->relrowsecurity &&
		rel->rd_tableam->scan_getnextslot_tidrange != NULL;
	table_close(rel, NoLock);
	return possible;
}

/*
 * The spans of a new job, in the current memory context; NULL if they are not worth
 * it after all.  The target must be locked at its only part, and SPI not be
 * connected.
 */
BulkparSpan *
bulkpar_span_cut(const BulkparPlan *plan, const BulkparJob *job,
				 const BulkparTarget *target, int *nspans)
{
	BulkparBlocks blocks;
	BulkparSpan *spans;
	BlockNumber pages;
	BlockNumber size;

	bulkpar_indexed_find(target, job, plan->by_index, &blocks);
	pages = bulkpar_blocks_count(&blocks);
	if (plan->narrowed && pages > plan->parts[0].pages / READS_OF_BLOCK)
		return NULL;
	size = size_of_span(plan, job, pages);
	spans = palloc(sizeof(BulkparSpan) * (pages / size + blocks.count));
	*nspans = 0;
	for (int i = 0; i < blocks.count; i++)
	{
		BulkparSpan *left = &blocks.spans[i];

		while (left->first < left->after)
		{
			BulkparSpan *span = &spans[(*nspans)++];

			*span = *left;
			if (span->after - span->first > size)
				span->after = span->first + size;
			left->first = span->after;
		}
	}
	return spans;
}

/* How many blocks a span has, of so many. */
static BlockNumber
size_of_span(const BulkparPlan *plan, const BulkparJob *job, BlockNumber pages)
{
	double		rows = plan->expected / job->workers / SPANS_PER_WORKER;
	double		most = (double) plan->parts[0].pages * BULKPAR_LIST_MAX_ROWS /
		Max(plan->rows, 1);

	/*
	 * Whole batches, but not too many; rows vary, so hardly one for a few
	 * rows.
	 */
	rows = Min(ceil(rows / job->batch_size), BULKPAR_CHUNK_BATCHES) *
		job->batch_size;
	rows -= Min(3 * sqrt(rows), rows / 4);
	return (BlockNumber) Max(ceil((double) pages / MAX_SPANS),
							 Min(pages * rows / plan->expected, most));
}

/*
 * Store the spans of a new job as its chunks, which wait for a worker.  False if
 * there are none, as above.
 */
bool
bulkpar_span_store(const BulkparPlan *plan, const BulkparJob *job,
				   const BulkparTarget *target)
{
	BulkparSpanEnd end = {0};
	BulkparLedgerChunk chunk = {.stripe.count = 1};
	double		pages = 0;
	BulkparSpan *spans;
	int			nspans;

	bulkpar_changed_mark(job->parts[0].relid, &end);
	spans = bulkpar_span_cut(plan, job, target, &nspans);
	if (spans == NULL)
		return false;
	for (int i = 0; i < nspans; i++)
		pages += spans[i].after - spans[i].first;
	for (int i = 0; i < nspans; i++)
	{
		end.blocks = spans[i];
		chunk.chunk_no++;
		chunk.lo = chunk.hi;
		chunk.hi = bulkpar_place_store_end(&end);
		chunk.rows_before += chunk.rows_found;
		chunk.rows_found = (int64) (plan->expected / pages *
									(spans[i].after - spans[i].first));
		bulkpar_ledger_insert(job->job_id, 0, &chunk);
	}
	return true;
}

/*
 * List the rows of the claimed span that are yet to be done, in a transaction of
 * its own, and say whether these are all.  If there are none the chunk is done,
 * but for rows that were put aside.  False if it is not ours.
 */
bool
bulkpar_span_list(BulkparChunkRun *run, bool *complete)
{
	Listing		listing = {.run = run};

	bulkpar_lockwait_insist(run->job, &run->claim.chunk, list_in_transaction,
							&listing);
	*complete = listing.complete;
	return listing.ours;
}

static void
list_in_transaction(void *arg)
{
	Listing    *listing = arg;
	BulkparChunkRun *run = listing->run;
	BulkparClaim *claim = &run->claim;

	if (claim->list_context == NULL)
		claim->list_context = AllocSetContextCreate(run->chunk_context,
													"bulkpar span",
													ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(claim->list_context);
	claim->lo = NULL;
	bulkpar_message_discard();
	bulkpar_process_start_transaction();
	bulkpar_process_restore();
	MemoryContextSwitchTo(claim->list_context);
	find_rows(listing);
	listing->ours = note_found(listing);
	CommitTransactionCommand();
	claim->keys = listing->list.keys;
	claim->nkeys = listing->list.count;
	claim->first_place = listing->first_place;
	if (!listing->ours)
		return;
	if (!listing->done)
	{
		bulkpar_message_keep();
		return;
	}
	bulkpar_message_reported();
	MemoryContextSwitchTo(run->chunk_context);
	claim->chunk.done = bulkpar_storedkey_copy(claim->chunk.hi);
}

/* Find the rows of the span, or in the last one of the blocks that have changed. */
static void
find_rows(Listing *listing)
{
	BulkparChunkRun *run = listing->run;
	BulkparTarget *target = run->target;
	const BulkparClaim *claim = &run->claim;
	BulkparBlocks blocks = {.count = 1};
	BulkparList aside = {0};

	bulkpar_target_lock(target, run->job, claim->chunk.part, AccessShareLock);
	PushActiveSnapshot(GetTransactionSnapshot());
	blocks.spans[0] = claim->span.blocks;
	if (claim->last_span)
		find_changed(run->job, target, &claim->span, &blocks);
	if (claim->chunk.aside != NULL)
		aside.keys = bulkpar_keyvalue_restore_list(target->key,
												   claim->chunk.aside,
												   &aside.count);
	listing->complete = bulkpar_list_spans(run->job, target, blocks.spans,
										   blocks.count, claim->hi, &aside,
										   &listing->list);
	listing->done = listing->complete && listing->list.count == 0;
	listing->aside = aside.count;
	PopActiveSnapshot();
	check_progress_of_span(listing, target->key);
}

/*
 * The blocks that may have changed since the spans were cut.  To see whether they
 * have takes less time than to ask an index where they are in memory: 13 ms of
 * a table of 1,000,000 rows, of which an index had a third, in 19 ms.
 */
static void
find_changed(const BulkparJob *job, const BulkparTarget *target,
			 const BulkparSpanEnd *moment, BulkparBlocks *changed)
{
	Relation	rel = table_open(target->part, NoLock);
	BulkparBlocks among;

	bulkpar_indexed_find(target, job, !bulkpar_indexed_is_cached(rel), &among);
	bulkpar_changed_find(target->part, moment, &among, changed);
	table_close(rel, NoLock);
}

/* Note how many there are, or that the chunk is done.  False if it is not ours. */
static bool
note_found(Listing *listing)
{
	int64		job_id = listing->run->job->job_id;
	const BulkparLedgerChunk *chunk = &listing->run->claim.chunk;
	BulkparLedgerAdvance advance = {
		.last_key = chunk->hi,
		.aside = chunk->aside,
		.finished = chunk->aside == NULL
	};

	if (!bulkpar_ledger_find(job_id, chunk,
							 (int64) listing->list.count + listing->aside))
		return false;
	if (!listing->done)
		return true;
	advance.messages = bulkpar_message_report();
	return bulkpar_ledger_advance(job_id, chunk, &advance);
}

/*
 * A list that does not have all rows must not begin with the row of the one before,
 * whose batches have ended: it would do so for ever.
 */
static void
check_progress_of_span(Listing *listing, const BulkparKey *key)
{
	const BulkparList *list = &listing->list;

	listing->first_place = list->count == 0 ? 0 :
		DatumGetInt64(list->keys[key->ncolumns]);
	if (!listing->complete &&
		(list->count == 0 ||
		 listing->first_place == listing->run->claim.first_place))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("rows of table \"%s\" stay though they are deleted",
						get_rel_name(key->relid)),
				 errhint("A trigger or policy may keep them that was made while the job ran.  Take it away and resume the job, or start another one.")));
}
