/*-------------------------------------------------------------------------
 *
 * recall.c
 *		Looking rows up in a table that is remembered.
 *
 * Where a batch looks its rows up in another table by an index, a node of ours
 * takes the place of that index scan and has it below: it asks memory.c for the
 * rows, and where that does not remember them the index scan.  What it returns is
 * the same, without an order.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/recall.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "table/measure.h"
#include "table/memory.h"
#include "table/recall.h"

/* What EXPLAIN calls the node. */
#define NODE_NAME "bulkpar memory"

/* The lists of custom_private of a plan. */
enum
{
	RECALL_KEPT,
	RECALL_KEYS,
	RECALL_FUNCTIONS,
	RECALL_OUTER_FUNCTIONS,
	RECALL_COLLATIONS,
	RECALL_COLUMNS
};

typedef struct Recall
{
	CustomScanState css;		/* must be first */
	BulkparMemory *memory;		/* NULL: not asked yet */
	ExprState  *equal;			/* whether a row has the keys' values, ... */
	List	   *values;			/* ... expressions for these, ... */
	FmgrInfo   *functions;		/* ... what hashes them, ... */
	List	   *collations;		/* ... and by what */
	bool		remembered;		/* the rows come from memory */
	bool		started;		/* with the rows of the values at hand */
	int			row;			/* that was looked at last; -1: no more */
} Recall;

/* What a statement may read beside what is remembered. */
typedef struct Allowed
{
	Oid			target;
	double		small;			/* the rows of others */
	List	   *once;			/* plans of what does not depend on a row */
} Allowed;

static bool reads_others(PlanState *state, void *context);
static List *find_keys(RelOptInfo *rel, const IndexPath *path);
static OpExpr *get_key(RelOptInfo *rel, const IndexClause *clause);
static bool has_fields(Oid type);
static Var *get_column(const OpExpr *key);
static bool depends(Node *node, void *context);
static bool has_columns(RelOptInfo *rel, const IndexPath *path);
static Path *make_path(const IndexPath *path, List *keys, bool kept);
static Plan *make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path,
					   List *tlist, List *clauses, List *custom_plans);
static List *number_columns(RelOptInfo *rel, List *tlist, List *quals);
static Node *create_state(CustomScan *plan);
static void begin_scan(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *next_row(CustomScanState *node);
static void start(Recall *recall);
static bool is_remembered(Recall *recall);
static BulkparMemory *memory_of(const Recall *recall);
static bool hash_values(Recall *recall, uint32 *hash);
static void end_scan(CustomScanState *node);
static void start_again(CustomScanState *node);

static const CustomPathMethods path_methods = {
	.CustomName = NODE_NAME,
	.PlanCustomPath = make_plan
};

static const CustomScanMethods scan_methods = {
	.CustomName = NODE_NAME,
	.CreateCustomScanState = create_state
};

static const CustomExecMethods exec_methods = {
	.CustomName = NODE_NAME,
	.BeginCustomScan = begin_scan,
	.ExecCustomScan = next_row,
	.EndCustomScan = end_scan,
	.ReScanCustomScan = start_again
};

/*
 * Put nodes of ours in the places of the index scans by which the rows of a table
 * are looked up, one by one, for those of another.  They are as cheap to the
 * planner: it is not known yet whether the table will be remembered.  Where there
 * are policies nothing is, for a hash is made of rows before they are tested.
 */
void
bulkpar_recall_replace(PlannerInfo *root, RelOptInfo *rel,
					   const RangeTblEntry *rte, bool kept)
{
	ListCell   *lc;

	if (rel->reloptkind != RELOPT_BASEREL || rte->inh ||
		rte->tablesample != NULL || root->query_pathkeys != NIL ||
		root->qual_security_level > 0 ||
		(int) rel->relid == root->parse->resultRelation)
		return;
	foreach(lc, rel->pathlist)
	{
		const IndexPath *path = lfirst(lc);
		List	   *keys;

		if (!IsA(path, IndexPath) || !has_columns(rel, path))
			continue;
		keys = find_keys(rel, path);
		if (keys != NIL)
			lfirst(lc) = make_path(path, keys, kept);
	}
}

/*
 * Whether a statement that has been started looks the rows of the target up in no
 * other table, but for those that would be remembered as they are now, and small ones:
 * they have no more rows than said.
 */
bool
bulkpar_recall_suffices(PlanState *state, Oid target, double small)
{
	Allowed		allowed = {.target = target, .small = small};

	return !reads_others(state, &allowed);
}

static bool
reads_others(PlanState *state, void *context)
{
	Allowed    *allowed = context;
	BlockNumber pages;
	double		planner_rows;
	Relation	rel;
	ListCell   *lc;

	if (list_member_ptr(allowed->once, state))
		return false;
	foreach(lc, state->initPlan)
	{
		const SubPlanState *plan = lfirst_node(SubPlanState, lc);

		if (plan->subplan->subLinkType != CTE_SUBLINK)
			allowed->once = lappend(allowed->once, plan->planstate);
	}
	switch (nodeTag(state))
	{
		case T_ForeignScanState:
			return true;
		case T_CustomScanState:
			if (((CustomScanState *) state)->methods != &exec_methods)
				return true;
			return !bulkpar_memory_would_be_right(memory_of((Recall *) state),
												  ((Recall *) state)->css.ss.ss_currentRelation);
		case T_SeqScanState:
		case T_SampleScanState:
		case T_IndexScanState:
		case T_IndexOnlyScanState:
		case T_BitmapHeapScanState:
		case T_TidScanState:
		case T_TidRangeScanState:
			rel = ((ScanState *) state)->ss_currentRelation;
			if (RelationGetRelid(rel) != allowed->target &&
				bulkpar_measure_rows(RelationGetRelid(rel), &pages,
									 &planner_rows) > allowed->small)
				return true;
			break;
		default:
			break;
	}
	return planstate_tree_walker(state, reads_others, context);
}

/*
 * The conditions of an index scan, which say what columns are equal to.  NIL if
 * that is the same for all rows; or if there are others, or rows that are not in
 * the index: among many rows with the same keys it finds the right ones, where we
 * would have to look at all.
 */
static List *
find_keys(RelOptInfo *rel, const IndexPath *path)
{
	List	   *keys = NIL;
	bool		differ = false;
	ListCell   *lc;

	if (path->indexinfo->indpred != NIL)
		return NIL;
	foreach(lc, path->indexclauses)
	{
		IndexClause *clause = lfirst_node(IndexClause, lc);
		OpExpr	   *key = get_key(rel, clause);

		if (key == NULL)
			return NIL;
		keys = lappend(keys, clause);
		differ |= depends(lsecond(key->args), NULL);
	}
	return differ ? keys : NIL;
}

/*
 * What a condition of an index scan says a column is equal to, as "column =
 * value".  NULL if it does not, or no hash can be made of that.
 */
static OpExpr *
get_key(RelOptInfo *rel, const IndexClause *clause)
{
	OpExpr	   *op;
	Var		   *column;
	RegProcedure left;
	RegProcedure right;

	if (clause->lossy || list_length(clause->indexquals) != 1)
		return NULL;
	op = (OpExpr *) linitial_node(RestrictInfo, clause->indexquals)->clause;
	if (!IsA(op, OpExpr) || list_length(op->args) != 2)
		return NULL;
	column = get_column(op);
	if (!IsA(column, Var) || column->varno != (int) rel->relid ||
		column->varattno <= 0 ||
		!op_hashjoinable(op->opno, exprType(linitial(op->args))) ||
		!get_op_hash_functions(op->opno, &left, &right) ||
		has_fields(exprType(linitial(op->args))) ||
		contain_subplans(lsecond(op->args)) ||
		contain_volatile_functions(lsecond(op->args)))
		return NULL;
	return op;
}

/*
 * Whether the values of a type are rows or have some in them.  Their hash is
 * another one when somebody has added a field, of which the table knows nothing.
 */
static bool
has_fields(Oid type)
{
	Oid			element = get_base_element_type(type);
	Oid			range = get_multirange_range(getBaseType(type));

	if (!OidIsValid(element))
		element = get_range_subtype(OidIsValid(range) ? range :
									getBaseType(type));
	return OidIsValid(element) ? has_fields(element) : type_is_rowtype(type);
}

/* The column of a key; anything if it is none. */
static Var *
get_column(const OpExpr *key)
{
	Node	   *column = linitial(key->args);

	while (IsA(column, RelabelType))
		column = (Node *) ((RelabelType *) column)->arg;
	return (Var *) column;
}

/* Whether an expression is another one for each row. */
static bool
depends(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var) || IsA(node, PlaceHolderVar) ||
		(IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC))
		return true;
	return expression_tree_walker(node, depends, context);
}

/*
 * Whether an index scan needs nothing of a row but columns and its place.
 */
static bool
has_columns(RelOptInfo *rel, const IndexPath *path)
{
	List	   *clauses = extract_actual_clauses(rel->baserestrictinfo, false);
	Bitmapset  *columns = NULL;
	int			column = -1;
	ListCell   *lc;

	if (path->path.param_info != NULL)
		clauses = list_concat(clauses,
							  extract_actual_clauses(path->path.param_info->ppi_clauses,
													 false));
	if (contain_subplans((Node *) clauses))
		return false;
	foreach(lc, rel->reltarget->exprs)
	{
		if (!IsA(lfirst(lc), Var))
			return false;
	}
	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &columns);
	pull_varattnos((Node *) clauses, rel->relid, &columns);
	while ((column = bms_next_member(columns, column)) >= 0)
	{
		AttrNumber	attnum = column + FirstLowInvalidHeapAttributeNumber;

		if (attnum <= 0 && attnum != SelfItemPointerAttributeNumber &&
			attnum != TableOidAttributeNumber)
			return false;
	}
	return true;
}

static Path *
make_path(const IndexPath *path, List *keys, bool kept)
{
	CustomPath *result = makeNode(CustomPath);

	result->path = path->path;
	result->path.type = T_CustomPath;
	result->path.pathtype = T_CustomScan;
	result->path.parallel_aware = result->path.parallel_safe = false;
	result->path.pathkeys = NIL;
	result->custom_paths = list_make1((void *) path);
	result->custom_private = list_make2(list_make1_int(kept), keys);
	result->methods = &path_methods;
	return &result->path;
}

/* PlanCustomPath */
static Plan *
make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
		  List *clauses, List *custom_plans)
{
	CustomScan *plan = makeNode(CustomScan);
	List	   *keys = NIL;
	List	   *functions = NIL;
	List	   *outer_functions = NIL;
	List	   *collations = NIL;
	List	   *columns;
	List	   *others = NIL;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		if (!is_redundant_with_indexclauses(lfirst_node(RestrictInfo, lc),
											lsecond(path->custom_private)))
			others = lappend(others, lfirst(lc));
	}
	plan->scan.plan.targetlist = tlist;
	plan->scan.plan.qual = extract_actual_clauses(others, false);
	plan->scan.scanrelid = rel->relid;
	plan->custom_plans = custom_plans;
	plan->methods = &scan_methods;
	columns = number_columns(rel, tlist, plan->scan.plan.qual);
	foreach(lc, lsecond(path->custom_private))
	{
		OpExpr	   *key = get_key(rel, lfirst_node(IndexClause, lc));
		int			column = get_column(key)->varattno;
		RegProcedure left;
		RegProcedure right;

		(void) get_op_hash_functions(key->opno, &left, &right);
		keys = lappend_int(keys, column);
		columns = list_append_unique_int(columns, column);
		functions = lappend_oid(functions, left);
		outer_functions = lappend_oid(outer_functions, right);
		collations = lappend_oid(collations, key->inputcollid);
		plan->custom_exprs = lappend(plan->custom_exprs, copyObject(key));
	}
	plan->custom_private = list_make5(linitial(path->custom_private), keys,
									  functions, outer_functions, collations);
	plan->custom_private = lappend(plan->custom_private, columns);
	return &plan->scan.plan;
}

/* The columns of the table that a plan needs, by their numbers. */
static List *
number_columns(RelOptInfo *rel, List *tlist, List *quals)
{
	Bitmapset  *columns = NULL;
	List	   *numbers = NIL;
	int			column = -FirstLowInvalidHeapAttributeNumber;

	pull_varattnos((Node *) tlist, rel->relid, &columns);
	pull_varattnos((Node *) quals, rel->relid, &columns);
	while ((column = bms_next_member(columns, column)) >= 0)
		numbers = lappend_int(numbers,
							  column + FirstLowInvalidHeapAttributeNumber);
	return numbers;
}

/* CreateCustomScanState */
static Node *
create_state(CustomScan *plan)
{
	Recall	   *recall = palloc0(sizeof(Recall));

	NodeSetTag(recall, T_CustomScanState);
	recall->css.methods = &exec_methods;
	return (Node *) recall;
}

/* BeginCustomScan: the rows come from us, or from the index scan. */
static void
begin_scan(CustomScanState *node, EState *estate, int eflags)
{
	Recall	   *recall = (Recall *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	ListCell   *lc;

	node->custom_ps = list_make1(ExecInitNode(linitial(plan->custom_plans),
											  estate, eflags));
	node->ss.ps.resultops = &TTSOpsVirtual;
	node->ss.ps.resultopsfixed = false;
	node->ss.ps.resultopsset = true;
	recall->equal = ExecInitQual(plan->custom_exprs, &node->ss.ps);
	foreach(lc, plan->custom_exprs)
	{
		OpExpr	   *key = lfirst_node(OpExpr, lc);

		recall->values = lappend(recall->values,
								 ExecInitExpr(lsecond(key->args),
											  &node->ss.ps));
	}
	recall->functions =
		bulkpar_memory_functions(list_nth(plan->custom_private,
										  RECALL_OUTER_FUNCTIONS));
	recall->collations = list_nth(plan->custom_private, RECALL_COLLATIONS);
}

/* ExecCustomScan */
static TupleTableSlot *
next_row(CustomScanState *node)
{
	Recall	   *recall = (Recall *) node;
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	if (!recall->started)
		start(recall);
	else if (recall->remembered && recall->row >= 0)
		recall->row = bulkpar_memory_next(recall->memory, recall->row);
	if (!recall->remembered)
		return ExecProcNode(linitial(node->custom_ps));
	for (; recall->row >= 0;
		 recall->row = bulkpar_memory_next(recall->memory, recall->row))
	{
		CHECK_FOR_INTERRUPTS();
		bulkpar_memory_store(recall->memory, recall->row, slot);
		ResetExprContext(econtext);
		econtext->ecxt_scantuple = slot;
		if (ExecQual(recall->equal, econtext) &&
			ExecQual(node->ss.ps.qual, econtext))
			return node->ss.ps.ps_ProjInfo == NULL ? slot :
				ExecProject(node->ss.ps.ps_ProjInfo);
	}
	return NULL;
}

/* Start with the rows that belong to the values at hand. */
static void
start(Recall *recall)
{
	Relation	rel = recall->css.ss.ss_currentRelation;
	uint32		hash;

	if (recall->memory == NULL ||
		(!recall->remembered && bulkpar_memory_miss(recall->memory, rel)))
		recall->remembered = is_remembered(recall);
	recall->started = true;
	if (recall->remembered)
		recall->row = hash_values(recall, &hash) ?
			bulkpar_memory_first(recall->memory, hash) : -1;
}

/*
 * Whether the rows come from memory from now on until the statement ends.  A row that was
 * changed meanwhile is joined again with the very one that it was joined with, and
 * who wants to be serializable is told by the index who else reads or writes what.
 */
static bool
is_remembered(Recall *recall)
{
	EState	   *estate = recall->css.ss.ps.state;

	recall->memory = memory_of(recall);
	return estate->es_epq_active == NULL && !IsolationIsSerializable() &&
		bulkpar_memory_is_right(recall->memory,
								recall->css.ss.ss_currentRelation,
								estate->es_snapshot, estate->es_query_cxt);
}

static BulkparMemory *
memory_of(const Recall *recall)
{
	List	   *private = ((CustomScan *) recall->css.ss.ps.plan)->custom_private;

	return bulkpar_memory_of(RelationGetRelid(recall->css.ss.ss_currentRelation),
							 linitial_int(list_nth(private, RECALL_KEPT)),
							 list_nth(private, RECALL_KEYS),
							 list_nth(private, RECALL_FUNCTIONS),
							 recall->collations,
							 list_nth(private, RECALL_COLUMNS));
}

/* The hash of the values of the keys.  False if one is null. */
static bool
hash_values(Recall *recall, uint32 *hash)
{
	ExprContext *econtext = recall->css.ss.ps.ps_ExprContext;
	MemoryContext oldcontext;
	bool		found = true;
	ListCell   *lc;

	ResetExprContext(econtext);
	oldcontext = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	*hash = 0;
	foreach(lc, recall->values)
	{
		int			i = foreach_current_index(lc);
		bool		isnull;
		Datum		value = ExecEvalExpr((ExprState *) lfirst(lc), econtext,
										 &isnull);

		if (isnull)
		{
			found = false;
			break;
		}
		*hash = bulkpar_memory_add_hash(*hash, &recall->functions[i],
										list_nth_oid(recall->collations, i),
										value);
	}
	MemoryContextSwitchTo(oldcontext);
	return found;
}

/* EndCustomScan */
static void
end_scan(CustomScanState *node)
{
	ExecEndNode(linitial(node->custom_ps));
}

/* ReScanCustomScan */
static void
start_again(CustomScanState *node)
{
	Recall	   *recall = (Recall *) node;
	PlanState  *index_scan = linitial(node->custom_ps);

	recall->started = false;
	if (recall->remembered)
		return;
	if (node->ss.ps.chgParam != NULL)
		UpdateChangedParamSet(index_scan, node->ss.ps.chgParam);
	/* Otherwise it will be when it is asked for a row. */
	if (index_scan->chgParam == NULL)
		ExecReScan(index_scan);
}
