/*-------------------------------------------------------------------------
 *
 * span.c
 *		Deleting rows in the order of the table, span by span.
 *
 * Where the key is in another order than the rows a walk along its index reads
 * pages at random, for each row twice, when its chunk is claimed and in its batch,
 * also for those that do not match.  A list of all rows that match does not, but
 * it must fit into memory, and one worker makes it while the others wait.
 *
 * So where many rows of such a table are deleted its blocks are cut into spans,
 * when the job is planned, and each of them is a chunk.  Who claims it lists its rows
 * that match, by a scan of these blocks, and deletes them in batches as those of
 * list.c.  The list is not kept: who takes the chunk over lists its rows anew, and
 * does not find those that are deleted.  That holds for nothing but a DELETE,
 * and only if no trigger can keep a row.
 *
 * A row that somebody updates meanwhile may move from a block that is yet to be
 * read to one that was.  So when all spans are done there is a last one, which is
 * the whole table: a row that has matched all the time is found there, if it was
 * not deleted before.  Blocks that have not changed since the beginning are left
 * out, see changed.c.
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
#include "session/settings.h"
#include "table/changed.h"
#include "table/keyvalue.h"

/*
 * How many chunks a worker gets, so that all finish together.  Each costs a claim
 * and the plan of a scan.
 */
#define SPANS_PER_WORKER 8

/* But no more than so many: who claims one looks at all that are left. */
#define MAX_SPANS 1000

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

static void list_in_transaction(void *arg);
static void find_rows(Listing *listing);
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

/* How many blocks a span has. */
BlockNumber
bulkpar_span_size(const BulkparPlan *plan, const BulkparJob *job)
{
	double		pages = Max(plan->parts[0].pages, 1);
	double		rows = plan->expected / job->workers / SPANS_PER_WORKER;
	double		most = pages * BULKPAR_LIST_MAX_ROWS / Max(plan->rows, 1);

	/*
	 * Whole batches, but not too many; rows vary, so hardly one for a few
	 * rows.
	 */
	rows = Min(ceil(rows / job->batch_size), BULKPAR_CHUNK_BATCHES) *
		job->batch_size;
	rows -= Min(3 * sqrt(rows), rows / 4);
	return (BlockNumber) Max(ceil(pages / MAX_SPANS),
							 Min(pages * rows / plan->expected, most));
}

/* Store the spans of a new job as its chunks, which wait for a worker. */
void
bulkpar_span_store(const BulkparPlan *plan, const BulkparJob *job)
{
	BlockNumber pages = Max(plan->parts[0].pages, 1);
	BlockNumber size = bulkpar_span_size(plan, job);
	BulkparSpanEnd end = {0};
	BulkparLedgerChunk chunk = {.stripe.count = 1};

	bulkpar_changed_mark(job->parts[0].relid, &end);
	while (end.after < pages)
	{
		BlockNumber first = end.after;

		end.after = pages - first > size ? first + size : pages;
		chunk.chunk_no++;
		chunk.lo = chunk.hi;
		chunk.hi = bulkpar_place_store_end(&end);
		chunk.rows_before += chunk.rows_found;
		chunk.rows_found = (int64) (plan->expected * (end.after - first) /
									pages);
		bulkpar_ledger_insert(job->job_id, 0, &chunk);
	}
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
	bulkpar_settings_start_transaction();
	bulkpar_settings_restore();
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
	const BulkparSpan *spans = &claim->span;
	int			nspans = 1;
	BulkparList aside = {0};

	bulkpar_target_lock(target, run->job, claim->chunk.part, AccessShareLock);
	PushActiveSnapshot(GetTransactionSnapshot());
	if (claim->span.after == InvalidBlockNumber)
		spans = bulkpar_changed_spans(target->part, &claim->spans_end, &nspans);
	if (claim->chunk.aside != NULL)
		aside.keys = bulkpar_keyvalue_restore_list(target->key,
												   claim->chunk.aside,
												   &aside.count);
	listing->complete = bulkpar_list_spans(run->job, target, spans, nspans,
										   claim->hi, &aside, &listing->list);
	listing->done = listing->complete && listing->list.count == 0;
	listing->aside = aside.count;
	PopActiveSnapshot();
	check_progress_of_span(listing, target->key);
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
