/*-------------------------------------------------------------------------
 *
 * snapshot.c
 *		Giving back the snapshot of a statement that waits for a job.
 *
 * It would hold back the removal of all the dead rows that the job makes.
 * Where the statement is nothing but the call that waits, the snapshot is of
 * no use to it, so it is given back before the wait, and a new one is put in
 * its place afterwards.
 *
 * That is safe only where nothing stands between the call and the portal, whose
 * snapshot it is.  A subtransaction would take the new snapshot with it when it
 * is rolled back, and the portal would be left with none.  A function between
 * the two may run on the portal's snapshot as well, and be about to use it.
 *
 * A subquery that gives the call an argument is done by then: what it has read
 * with the snapshot still points to that, but does no more than end.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/snapshot.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/execdesc.h"
#include "nodes/nodeFuncs.h"
#include "nodes/plannodes.h"
#include "tcop/pquery.h"
#include "utils/lsyscache.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"

#include "call/snapshot.h"

/* The call of the function that waits, in the expressions of a plan. */
typedef struct CallSearch
{
	const Node *call;
	bool		found;
} CallSearch;

static bool is_only_snapshot(Snapshot snapshot);
static bool is_nothing_but(const PlannedStmt *stmt, const Node *call);
static bool are_subqueries_done(QueryDesc *desc);
static bool find_foreign_code(PlanState *node, void *context);
static bool find_other_value(Node *node, void *context);
static bool is_any_function(Oid function, void *context);

/*
 * Whether the running statement is nothing but a call of the function, in no
 * subtransaction, and nobody else uses the snapshot.
 */
bool
bulkpar_snapshot_is_free(FunctionCallInfo fcinfo)
{
	QueryDesc  *desc;

	if (IsolationUsesXactSnapshot() || GetCurrentTransactionNestLevel() != 1 ||
		ActivePortal == NULL || ActivePortal->strategy != PORTAL_ONE_SELECT ||
		ActivePortal->queryDesc == NULL)
		return false;
	desc = ActivePortal->queryDesc;
	return desc->estate->es_snapshot == desc->snapshot &&
		desc->estate->es_crosscheck_snapshot == InvalidSnapshot &&
		is_nothing_but(desc->plannedstmt, fcinfo->flinfo->fn_expr) &&
		are_subqueries_done(desc) &&
		is_only_snapshot(desc->snapshot);
}

/*
 * Give the snapshot of the running statement back, if it is free.  Returns
 * whether it was.  There is none then until bulkpar_snapshot_take, or until an
 * error has ended the transaction.
 */
bool
bulkpar_snapshot_give_back(FunctionCallInfo fcinfo)
{
	QueryDesc  *desc;
	Snapshot	snapshot;

	if (!bulkpar_snapshot_is_free(fcinfo))
		return false;
	desc = ActivePortal->queryDesc;
	snapshot = desc->snapshot;
	PopActiveSnapshot();
	UnregisterSnapshotFromOwner(snapshot, ActivePortal->resowner);
	UnregisterSnapshotFromOwner(snapshot, ActivePortal->resowner);
	desc->snapshot = InvalidSnapshot;
	desc->estate->es_snapshot = InvalidSnapshot;
	return true;
}

/* Put a new one in the place of the one that was given back. */
void
bulkpar_snapshot_take(void)
{
	QueryDesc  *desc = ActivePortal->queryDesc;

	desc->snapshot = RegisterSnapshotOnOwner(GetLatestSnapshot(),
											 ActivePortal->resowner);
	desc->estate->es_snapshot = RegisterSnapshotOnOwner(desc->snapshot,
														ActivePortal->resowner);
	PushActiveSnapshot(desc->snapshot);
}

/*
 * Whether a portal's snapshot is the only active one, and only the portal and
 * its executor hold it.  With another below it, of a function that fetches from
 * this portal, nothing would be gained.
 */
static bool
is_only_snapshot(Snapshot snapshot)
{
	bool		only;

	if (!ActiveSnapshotSet() || GetActiveSnapshot() != snapshot ||
		snapshot->active_count != 1 || snapshot->regd_count != 2)
		return false;
	PopActiveSnapshot();
	only = !ActiveSnapshotSet();
	PushActiveSnapshot(snapshot);
	return only;
}

/*
 * Whether a plan reads nothing but for arguments, calls the function itself, and
 * has no value that would have to outlast the wait.  The call must be this very
 * node of the plan: one that is the same may stand in the body of a function.
 */
static bool
is_nothing_but(const PlannedStmt *stmt, const Node *call)
{
	Plan	   *plan = stmt->planTree;
	CallSearch	search = {.call = call};

	if (stmt->commandType != CMD_SELECT || stmt->hasModifyingCTE ||
		stmt->rowMarks != NIL || plan->lefttree != NULL)
		return false;
	if (IsA(plan, FunctionScan))
		return !find_other_value((Node *) ((FunctionScan *) plan)->functions,
								 &search) && search.found;
	return IsA(plan, Result) &&
		!find_other_value((Node *) plan->targetlist, &search) &&
		!find_other_value((Node *) plan->qual, &search) &&
		!find_other_value(((Result *) plan)->resconstantqual, &search) &&
		search.found;
}

/*
 * Whether all subqueries of a statement have given their values, and none of
 * them runs code that we do not know, which may keep the snapshot.
 */
static bool
are_subqueries_done(QueryDesc *desc)
{
	ListCell   *cell;

	foreach(cell, desc->planstate->initPlan)
	{
		const SubPlan *subquery = lfirst_node(SubPlanState, cell)->subplan;
		ListCell   *param;

		foreach(param, subquery->setParam)
		{
			if (desc->estate->es_param_exec_vals[lfirst_int(param)].execPlan !=
				NULL)
				return false;
		}
	}
	foreach(cell, desc->estate->es_subplanstates)
	{
		if (find_foreign_code(lfirst(cell), NULL))
			return false;
	}
	return true;
}

static bool
find_foreign_code(PlanState *node, void *context)
{
	return node != NULL &&
		(IsA(node, ForeignScanState) || IsA(node, CustomScanState) ||
		 planstate_tree_walker(node, find_foreign_code, context));
}

/*
 * Whether there is a value beside the call that another function returns and
 * that may be kept out of line: once no snapshot protects it, its row can be
 * removed before it is read.  What the call itself gets it has read before it
 * waits, and what is made of its result comes later.
 */
static bool
find_other_value(Node *node, void *context)
{
	CallSearch *search = context;
	bool		found = search->found;

	if (node == NULL)
		return false;
	if (node == search->call)
	{
		search->found = true;
		return false;
	}
	if (IsA(node, SubPlan) || IsA(node, AlternativeSubPlan) ||
		expression_tree_walker(node, find_other_value, context))
		return true;
	return search->found == found &&
		(IsA(node, Param) ||
		 check_functions_in_node(node, is_any_function, NULL)) &&
		get_typlen(exprType(node)) == -1;
}

static bool
is_any_function(Oid function, void *context)
{
	return true;
}
