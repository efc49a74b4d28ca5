/*-------------------------------------------------------------------------
 *
 * evaluate.c
 *		Evaluating once what a job evaluates once.
 *
 * All in one snapshot, as one statement would, and as the owner of the job:
 * nothing of the user's runs with the rights of the owner of our tables.  The
 * rows go into a table as they are, without defaults, casts and triggers.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/evaluate.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/detoast.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "rewrite/rewriteHandler.h"
#include "storage/lmgr.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "books/kept.h"
#include "compat.h"
#include "run/evaluate.h"
#include "table/bounds.h"
#include "table/part.h"
#include "table/reread.h"

/* So many rows or bytes are stored at a time, ... */
#define ROWS_AT_A_TIME 256
#define BYTES_AT_A_TIME (256 * 1024)

/* ... and a result of fewer rows gets no index: it is read at once. */
#define MIN_ROWS_FOR_INDEX 200

/* Longer values might not fit into an index. */
#define MAX_INDEXED_BYTES (BLCKSZ / 4)

/* What it is called in pg_stat_activity and in errors. */
#define TEXT "a subquery that bulkpar evaluates once"

/* Stores the rows that it receives. */
typedef struct RowReceiver
{
	DestReceiver pub;
	Relation	rel;
	BulkInsertState state;
	CommandId	command;
	MemoryContext context;		/* of the slots, ... */
	MemoryContext row_context;	/* ... and of what is made to store them */
	TupleTableSlot *slots[ROWS_AT_A_TIME];
	int			nslots;			/* that are there */
	int			nrows;			/* in them, not stored yet, ... */
	Size		nbytes;			/* ... and their length */
	BulkparSubquery *result;
	Bitmapset  *too_long;		/* columns with values too long for an index */
} RowReceiver;

static BulkparOnce find(const BulkparJob *job, BulkparTarget *target,
						const BulkparOnce *choices, double *target_rows);
static bool lock_some_part(const BulkparJob *job, BulkparTarget *target);
static void evaluate_item(BulkparJob *job, const BulkparOnceItem *item);
static PlannedStmt *plan(const Query *query);
static Bitmapset *store_rows(PlannedStmt *stmt, BulkparSubquery *result);
static bool receive_row(TupleTableSlot *slot, DestReceiver *self);
static void look_at_values(RowReceiver *receiver, TupleTableSlot *slot);
static void flush(RowReceiver *receiver);

/*
 * Find what the statement of a job has that is to be evaluated once, with what
 * could be if that is worth it, in the current memory context.  The target is
 * locked at some part.
 */
BulkparOnce
bulkpar_evaluate_find(const BulkparJob *job, BulkparTarget *target)
{
	BulkparOnce once = {.job = job};
	double		target_rows;

	if (!lock_some_part(job, target))
		return once;
	once = find(job, target, &once, &target_rows);
	once.chosen = true;
	if (once.choices == NULL || bulkpar_reread_is_worth(job, target_rows))
		return once;
	once.choices = NULL;
	return find(job, target, &once, NULL);
}

/*
 * Find it, with these choices if they are made, and if they are made now how
 * many rows of the target are looked at, or of several as if they were alike.
 */
static BulkparOnce
find(const BulkparJob *job, BulkparTarget *target, const BulkparOnce *choices,
	 double *target_rows)
{
	BulkparStatement *statement = bulkpar_statement_list(job, target->relid, target->part,
														 target->key);
	BulkparOnce *once = &statement->hooks.condition.once;

	once->context = CurrentMemoryContext;
	once->chosen = choices->chosen;
	once->choices = choices->choices;
	SPI_connect();
	bulkpar_statement_prepare(statement);
	if (!choices->chosen && once->choices != NULL)
		*target_rows = bulkpar_statement_target_rows(statement) *
			Max(job->ntargets, 1);
	bulkpar_statement_forget(statement);
	SPI_finish();
	return *once;
}

/* False if nothing of the target is left. */
static bool
lock_some_part(const BulkparJob *job, BulkparTarget *target)
{
	for (int i = 0; i < job->nparts; i++)
	{
		LockRelationOid(job->parts[i].relid, AccessShareLock);
		if (bulkpar_part_is_gone(job, i))
			continue;
		bulkpar_target_lock(target, job, i, AccessShareLock);
		return true;
	}
	return false;
}

/*
 * Evaluate what was found in the active snapshot, and note the results in the
 * job, in the current memory context.  Otherwise as above.  The snapshot stays
 * what it is: it sees the results, which are frozen, but not what functions of
 * the user have done meanwhile.
 */
void
bulkpar_evaluate_run(BulkparJob *job, BulkparTarget *target,
					 const BulkparOnce *once)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "bulkpar subqueries",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext oldcontext = CurrentMemoryContext;

	/* What is evaluated later may read the results of the earlier. */
	for (List *found = once->found; found != NIL;)
	{
		evaluate_item(job, linitial(found));
		MemoryContextReset(context);
		MemoryContextSwitchTo(context);
		found = find(job, target, once, NULL).found;
		MemoryContextSwitchTo(oldcontext);
	}
	MemoryContextDelete(context);
	job->subqueries.evaluated = true;
}

/*
 * How many rows the planner expects of what was found, noted in the job, and in
 * how many pages these may be.
 */
double
bulkpar_evaluate_expect(BulkparJob *job, const BulkparOnceItem *item,
						double *pages)
{
	const Plan *top = plan(item->query)->planTree;
	double		width = MAXALIGN(SizeofHeapTupleHeader) + sizeof(ItemIdData) +
		MAXALIGN(top->plan_width);

	if (item->joined != NULL)
		job->subqueries.joined_rows = Max(job->subqueries.joined_rows,
										  top->plan_rows);
	*pages = ceil(top->plan_rows * width / (BLCKSZ - SizeOfPageHeaderData));
	return top->plan_rows;
}

static void
evaluate_item(BulkparJob *job, const BulkparOnceItem *item)
{
	BulkparSubquery result = {.choice = item->choice};
	PlannedStmt *stmt = plan(item->query);
	TupleDesc	columns = ExecCleanTypeFromTL(stmt->planTree->targetlist);
	Bitmapset  *too_long;

	result.relid = bulkpar_kept_create(job->job_id, job->subqueries.count + 1,
									   columns);
	too_long = store_rows(stmt, &result);
	CommandCounterIncrement();
	bulkpar_kept_finish(result.relid,
						result.rows < MIN_ROWS_FOR_INDEX ? NULL :
						item->joined, too_long);
	if (item->joined != NULL)
		job->subqueries.joined_rows = Max(job->subqueries.joined_rows,
										  result.rows);
	bulkpar_subquery_add(job->job_id, &job->subqueries, &result);
	CommandCounterIncrement();
}

/* Plan what was found, which has been analyzed in this transaction. */
static PlannedStmt *
plan(const Query *query)
{
	List	   *queries = QueryRewrite(copyObject((Query *) query));

	if (list_length(queries) != 1)
		elog(ERROR, "a subquery is not a single statement");
	return bulkpar_compat_plan_query(linitial_node(Query, queries), TEXT,
									 CURSOR_OPT_PARALLEL_OK);
}

/*
 * Run a SELECT in the active snapshot, and put its rows into a table.  Returns
 * the columns with values that may be too long for an index.
 */
static Bitmapset *
store_rows(PlannedStmt *stmt, BulkparSubquery *result)
{
	RowReceiver receiver = {
		.pub = bulkpar_bounds_receiver(receive_row),
		.rel = table_open(result->relid, AccessExclusiveLock),
		.state = GetBulkInsertState(),
		.command = GetCurrentCommandId(true),
		.context = CurrentMemoryContext,
		.row_context = AllocSetContextCreate(CurrentMemoryContext,
											 "bulkpar rows",
											 ALLOCSET_DEFAULT_SIZES),
		.result = result
	};
	QueryDesc  *desc = CreateQueryDesc(stmt, TEXT, GetActiveSnapshot(),
									   InvalidSnapshot, &receiver.pub, NULL,
									   NULL, 0);

	ExecutorStart(desc, 0);
	bulkpar_compat_run_executor(desc);
	ExecutorFinish(desc);
	ExecutorEnd(desc);
	FreeQueryDesc(desc);
	flush(&receiver);
	for (int i = 0; i < receiver.nslots; i++)
		ExecDropSingleTupleTableSlot(receiver.slots[i]);
	FreeBulkInsertState(receiver.state);
	table_close(receiver.rel, NoLock);
	MemoryContextDelete(receiver.row_context);
	return receiver.too_long;
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	RowReceiver *receiver = (RowReceiver *) self;
	TupleTableSlot *copy;

	if (receiver->nrows == receiver->nslots)
	{
		MemoryContext oldcontext =
			MemoryContextSwitchTo(receiver->context);

		receiver->slots[receiver->nslots++] =
			table_slot_create(receiver->rel, NULL);
		MemoryContextSwitchTo(oldcontext);
	}
	look_at_values(receiver, slot);
	/* Not the row on its page, which would stay pinned, but a copy. */
	copy = receiver->slots[receiver->nrows++];
	ExecCopySlot(copy, slot);
	ExecMaterializeSlot(copy);
	receiver->nbytes += ExecFetchSlotHeapTuple(copy, false, NULL)->t_len;
	receiver->result->rows++;
	if (receiver->nrows == ROWS_AT_A_TIME ||
		receiver->nbytes >= BYTES_AT_A_TIME)
		flush(receiver);
	return true;
}

/* Note what the planner and the indexes must know of the values of a row. */
static void
look_at_values(RowReceiver *receiver, TupleTableSlot *slot)
{
	slot_getallattrs(slot);
	for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++)
	{
		if (slot->tts_isnull[i])
			receiver->result->has_nulls = true;
		else if (TupleDescAttr(slot->tts_tupleDescriptor, i)->attlen == -1 &&
				 !bms_is_member(i + 1, receiver->too_long) &&
				 toast_raw_datum_size(slot->tts_values[i]) > MAX_INDEXED_BYTES)
		{
			MemoryContext oldcontext =
				MemoryContextSwitchTo(receiver->context);

			receiver->too_long = bms_add_member(receiver->too_long, i + 1);
			MemoryContextSwitchTo(oldcontext);
		}
	}
}

/*
 * Store the rows that are waiting.  They are frozen: nobody can see the table
 * before we commit, and who reads it later then need not look who we were.
 */
static void
flush(RowReceiver *receiver)
{
	MemoryContext oldcontext;

	if (receiver->nrows == 0)
		return;
	oldcontext = MemoryContextSwitchTo(receiver->row_context);
	table_multi_insert(receiver->rel, receiver->slots, receiver->nrows,
					   receiver->command,
					   TABLE_INSERT_SKIP_FSM | TABLE_INSERT_FROZEN,
					   receiver->state);
	MemoryContextSwitchTo(oldcontext);
	MemoryContextReset(receiver->row_context);
	for (int i = 0; i < receiver->nrows; i++)
		ExecClearTuple(receiver->slots[i]);
	receiver->nrows = 0;
	receiver->nbytes = 0;
}
