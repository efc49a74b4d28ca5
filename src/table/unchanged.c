/*-------------------------------------------------------------------------
 *
 * unchanged.c
 *		Leaving out rows whose values would stay the same.
 *
 * The rows that an UPDATE is about to write, with their new values, are the
 * output of the plan below it.  What stays the same is taken out there: nothing is
 * looked at or evaluated for it that the UPDATE would not, whatever the plan, and
 * it is neither locked nor written.  Values are compared byte by byte, so that a
 * change between values that are equal by their type is not lost.
 *
 * A row that another transaction has changed meanwhile goes through that plan
 * again, alone, and what comes out is looked at in the same way.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/unchanged.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "storage/itemptr.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "table/unchanged.h"
#include "table/values.h"

/* A row that was about to be written. */
typedef struct RowSeen
{
	ItemPointerData row;
	bool		changed;
} RowSeen;

/* What an UPDATE that runs gets its rows from. */
typedef struct Source
{
	HTAB	   *seen;			/* NULL: do not count them */
	ModifyTableState *update;
	ExecProcNodeMtd next_row;
	PlanState  *again;			/* for a row that somebody has changed; NULL
								 * until that is prepared */
	ExecProcNodeMtd same_row;
	MemoryContext context;		/* for what a comparison needs */
	ResultRelInfo *target;		/* of the last row; the rest is about it */
	TupleTableSlot *old_row;
	List	   *columns;		/* that are set, by their numbers */
} Source;

/* The rows that are counted, and at what level of subtransactions. */
static HTAB *rows_seen = NULL;
static int	level_seen;

/* Those that run: what one of them evaluates may run another one. */
static List *sources = NIL;

static void forget_rows(void *arg);
static void forget_source(void *arg);
static bool find_update(PlanState *state, void *context);
static TupleTableSlot *next_changed_row(PlanState *state);
static Source *find_running(const PlanState *state);
static void prepare_recheck(Source *source);
static bool changes_row(const Source *source, TupleTableSlot *new_row);
static void find_target(Source *source, TupleTableSlot *new_row);
static bool values_differ(const Source *source, TupleTableSlot *new_row);

/* Begin to count; the memory comes from the current memory context. */
void
bulkpar_unchanged_start(void)
{
	HASHCTL		control = {
		.keysize = sizeof(ItemPointerData),
		.entrysize = sizeof(RowSeen),
		.hcxt = CurrentMemoryContext
	};
	MemoryContextCallback *callback;

	rows_seen = hash_create("bulkpar rows", 1024, &control,
							HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	callback = palloc0(sizeof(MemoryContextCallback));
	callback->func = forget_rows;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	level_seen = GetCurrentTransactionNestLevel();
}

/* The rows that stay the same since then, in whatever way they match. */
int64
bulkpar_unchanged_count(void)
{
	HASH_SEQ_STATUS scan;
	RowSeen    *row;
	int64		count = 0;

	Assert(rows_seen != NULL);
	hash_seq_init(&scan, rows_seen);
	while ((row = hash_seq_search(&scan)) != NULL)
		count += row->changed ? 0 : 1;
	rows_seen = NULL;
	return count;
}

/* Whoever has an UPDATE of such rows run must be allowed to read what it sets. */
void
bulkpar_unchanged_read(ParseState *pstate, Query *query)
{
	ListCell   *lc;

	foreach(lc, query->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);

		if (!entry->resjunk)
			(void) bulkpar_values_old(pstate, query, entry->resno);
	}
}

/*
 * Let an UPDATE that the executor has started, and that is to run next, write no
 * rows that stay the same.
 */
void
bulkpar_unchanged_filter(QueryDesc *desc)
{
	MemoryContext context = desc->estate->es_query_cxt;
	MemoryContextCallback *callback =
		MemoryContextAllocZero(context, sizeof(MemoryContextCallback));
	Source	   *source = MemoryContextAllocZero(context, sizeof(Source));
	PlanState  *rows;
	MemoryContext oldcontext;

	(void) find_update(desc->planstate, source);
	if (source->update == NULL)
		elog(ERROR, "no UPDATE in the plan of a batch");
	/* What a function of the user's has run is rolled back. */
	if (level_seen == GetCurrentTransactionNestLevel())
		source->seen = rows_seen;
	source->context = AllocSetContextCreate(context, "bulkpar values",
											ALLOCSET_DEFAULT_SIZES);
	oldcontext = MemoryContextSwitchTo(TopMemoryContext);
	sources = lcons(source, sources);
	MemoryContextSwitchTo(oldcontext);
	callback->func = forget_source;
	callback->arg = source;
	MemoryContextRegisterResetCallback(context, callback);
	rows = outerPlanState(source->update);
	source->next_row = rows->ExecProcNodeReal;
	rows->ExecProcNodeReal = next_changed_row;
}

static void
forget_source(void *arg)
{
	sources = list_delete_ptr(sources, arg);
}

static void
forget_rows(void *arg)
{
	rows_seen = NULL;
}

/* Find the UPDATE, which another extension may have put below a node of its own. */
static bool
find_update(PlanState *state, void *context)
{
	if (state == NULL)
		return false;
	if (IsA(state, ModifyTableState) &&
		((ModifyTableState *) state)->operation == CMD_UPDATE)
	{
		((Source *) context)->update = (ModifyTableState *) state;
		return true;
	}
	return planstate_tree_walker(state, find_update, context);
}

/* Takes the place of the function that returns the rows of a plan. */
static TupleTableSlot *
next_changed_row(PlanState *state)
{
	Source	   *source = find_running(state);

	for (;;)
	{
		TupleTableSlot *new_row = state == source->again ?
			source->same_row(state) : source->next_row(state);
		MemoryContext oldcontext;
		bool		changed;

		if (TupIsNull(new_row))
			return new_row;
		CHECK_FOR_INTERRUPTS();
		find_target(source, new_row);
		MemoryContextReset(source->context);
		oldcontext = MemoryContextSwitchTo(source->context);
		changed = changes_row(source, new_row);
		MemoryContextSwitchTo(oldcontext);
		if (!changed)
			continue;
		if (source->again == NULL)
			prepare_recheck(source);
		return new_row;
	}
}

static Source *
find_running(const PlanState *state)
{
	ListCell   *lc;

	foreach(lc, sources)
	{
		Source	   *source = lfirst(lc);

		if (state == source->again || state == outerPlanState(source->update))
			return source;
	}
	elog(ERROR, "rows of an unknown plan");
}

/*
 * What the executor starts when it meets the first row that has been changed is
 * started before, since it would not tell.
 */
static void
prepare_recheck(Source *source)
{
	EPQState   *recheck = &source->update->mt_epqstate;
	MemoryContext oldcontext =
		MemoryContextSwitchTo(source->update->ps.state->es_query_cxt);

	EvalPlanQualBegin(recheck);
	MemoryContextSwitchTo(oldcontext);
	source->again = recheck->recheckplanstate;
	source->same_row = source->again->ExecProcNodeReal;
	source->again->ExecProcNodeReal = next_changed_row;
}

/* Whether a row is to be written; note it. */
static bool
changes_row(const Source *source, TupleTableSlot *new_row)
{
	bool		is_null;
	bool		found;
	Datum		place = ExecGetJunkAttribute(new_row,
											 source->target->ri_RowIdAttNo,
											 &is_null);
	RowSeen    *row;
	bool		changed;

	if (is_null)
		elog(ERROR, "ctid is NULL");
	if (!table_tuple_fetch_row_version(source->target->ri_RelationDesc,
									   (ItemPointer) DatumGetPointer(place),
									   SnapshotAny, source->old_row))
		elog(ERROR, "failed to fetch tuple being updated");
	changed = values_differ(source, new_row);
	if (source->seen != NULL)
	{
		row = hash_search(source->seen, DatumGetPointer(place), HASH_ENTER,
						  &found);
		row->changed = changed || (found && row->changed);
	}
	ExecClearTuple(source->old_row);
	return changed;
}

/* Look up which table a row is of. */
static void
find_target(Source *source, TupleTableSlot *new_row)
{
	ModifyTableState *update = source->update;
	ResultRelInfo *target = update->resultRelInfo;

	if (AttributeNumberIsValid(update->mt_resultOidAttno))
	{
		bool		is_null;
		Datum		relid = ExecGetJunkAttribute(new_row,
												 update->mt_resultOidAttno,
												 &is_null);

		if (is_null)
			elog(ERROR, "tableoid is NULL");
		target = ExecLookupResultRelByOid(update, DatumGetObjectId(relid),
										  false, false);
	}
	if (target == source->target)
		return;
	source->target = target;
	source->old_row = table_slot_create(target->ri_RelationDesc,
										&update->ps.state->es_tupleTable);
	source->columns = list_nth(bulkpar_compat_columns_to_update(update),
							   target - update->resultRelInfo);
}

/*
 * Whether one of the values that are set is another than that of the old row.
 * They are the first columns of the new row.
 */
static bool
values_differ(const Source *source, TupleTableSlot *new_row)
{
	TupleDesc	desc = RelationGetDescr(source->target->ri_RelationDesc);
	int			resno = 0;
	ListCell   *lc;

	foreach(lc, source->columns)
	{
		int			attnum = lfirst_int(lc);
		Form_pg_attribute attr = TupleDescAttr(desc, attnum - 1);
		bool		is_null;
		bool		was_null;
		Datum		value = slot_getattr(new_row, ++resno, &is_null);
		Datum		before = slot_getattr(source->old_row, attnum, &was_null);

		if (is_null != was_null ||
			(!is_null && !datum_image_eq(before, value, attr->attbyval,
										 attr->attlen)))
			return true;
	}
	return false;
}
