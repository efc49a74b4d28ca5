/*-------------------------------------------------------------------------
 *
 * hooks.c
 *		The hooks that restrict a statement to a batch.
 *
 * The range of a batch is not in the text of its statement: while that is
 * analyzed condition.c adds it to the condition of the query.
 *
 * A generic plan does not know the range, and the planner guesses its size.
 * On a bad guess it could read the whole table, or another index that fits the
 * user's condition, for every batch.  So while one of our statements is
 * planned a hook leaves the target no paths but those along the key index.
 * All the rest of the plan is the planner's own choice, with the batch's size
 * as the number of rows, and with pages that are in memory.
 *
 * Under row level security conditions are tested after the policies, unless
 * they are leakproof.  The range of a batch may come before them, see
 * leakproof.c, and must, to be looked up in an index.
 *
 * When the executor has started a statement that is to leave alone what stays the
 * same, it is told so.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/hooks.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/planner.h"
#include "optimizer/restrictinfo.h"
#include "parser/analyze.h"
#include "utils/memutils.h"

#include "compat.h"
#include "table/condition.h"
#include "table/drive.h"
#include "table/hooks.h"
#include "table/keyquery.h"
#include "table/leakproof.h"
#include "table/part.h"
#include "table/recall.h"
#include "table/unchanged.h"

/*
 * By how much it is cheaper to find a row by an index than the planner thinks.
 * With this it hashes another table for a batch of 1000 rows if that has less
 * than some 7,000.  Measured: to look 1000 rows up took 0.75 to 1 ms, to hash
 * 4,000, 8,000 and 16,000 rows 0.7, 0.9 and 2 ms (the best of twenty each).
 */
#define CHEAPER_LOOKUPS 2

/* From how many operators on a condition takes longer than to read the row. */
#define DEAR_CONDITION 50

/* Settings of the planner that are changed for our statements. */
typedef struct Costs
{
	double		seq_page;
	double		random_page;
	double		operator;
	double		parallel_tuple;
	bool		tidscan;
} Costs;

/*
 * The statements that are looked after, the one that is being planned, and the
 * costs of all others meanwhile: a function of the user's may be called then,
 * and plan what it runs.
 */
static List *statements = NIL;
static BulkparHooks *planning = NULL;
static Costs usual;

static post_parse_analyze_hook_type prev_post_parse_analyze_hook = NULL;
static planner_hook_type prev_planner_hook = NULL;
static set_rel_pathlist_hook_type prev_set_rel_pathlist_hook = NULL;
static ExecutorStart_hook_type prev_executor_start_hook = NULL;

static void install_hooks(void);
static BulkparHooks *look_up(const char *sql);
static void restrict_query(ParseState *pstate, Query *query,
						   BulkparJumbleState *jstate);
static PlannedStmt *plan_statement(Query *parse, const char *query_string,
								   int cursorOptions,
								   ParamListInfo boundParams
								   BULKPAR_PLANNER_EXTRA_PARAM);
static void start_executor(QueryDesc *desc, int eflags);
static void start_planning(const BulkparHooks *outer);
static Costs get_costs(void);
static void set_costs(const Costs *costs);
static Costs batch_costs(void);
static void restrict_paths(PlannerInfo *root, RelOptInfo *rel, Index rti,
						   RangeTblEntry *rte);
static void note_reached(BulkparReached *reached, RelOptInfo *rel,
						 const RangeTblEntry *rte);
static bool walks_target(PlannerInfo *root);
static bool is_kept(Oid relid);
static bool is_by_index(const RelOptInfo *rel);
static void use_blocks(PlannerInfo *root, RelOptInfo *rel);
static void use_bitmaps(PlannerInfo *root, RelOptInfo *rel);
static void use_key_index(PlannerInfo *root, RelOptInfo *rel);
static bool promote(RelOptInfo *rel);
static void prefer_list(PlannerInfo *root, RelOptInfo *rel, List *pathlist);
static void expect_rows(RelOptInfo *rel, double rows);
static bool is_by_list(const Path *path, Index list);
static Index find_list(PlannerInfo *root);

/*
 * Let the hooks look after a statement, from before it is prepared until
 * bulkpar_hooks_end.  They know it by where its text is, or the copy of its
 * plan: a statement of the same text that a trigger runs is another.
 */
void
bulkpar_hooks_start(BulkparHooks *hooks)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(TopMemoryContext);

	install_hooks();
	statements = list_append_unique_ptr(statements, hooks);
	MemoryContextSwitchTo(oldcontext);
}

/* No longer look after a statement, if they did.  Does not throw. */
void
bulkpar_hooks_end(const BulkparHooks *hooks)
{
	statements = list_delete_ptr(statements, (void *) hooks);
}

static void
install_hooks(void)
{
	static bool installed = false;

	if (installed)
		return;
	installed = true;
	prev_post_parse_analyze_hook = post_parse_analyze_hook;
	post_parse_analyze_hook = restrict_query;
	prev_planner_hook = planner_hook;
	planner_hook = plan_statement;
	prev_set_rel_pathlist_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = restrict_paths;
	prev_executor_start_hook = ExecutorStart_hook;
	ExecutorStart_hook = start_executor;
}

static BulkparHooks *
look_up(const char *sql)
{
	ListCell   *lc;

	foreach(lc, sql == NULL ? NIL : statements)
	{
		BulkparHooks *hooks = lfirst(lc);

		if (sql == hooks->sql || sql == hooks->plan_sql)
			return hooks;
	}
	return NULL;
}

/* post_parse_analyze_hook: restrict our statement to its batch. */
static void
restrict_query(ParseState *pstate, Query *query, BulkparJumbleState *jstate)
{
	BulkparHooks *hooks = look_up(pstate->p_sourcetext);

	if (hooks != NULL)
		bulkpar_condition_add(&hooks->condition, pstate, query);
	if (prev_post_parse_analyze_hook)
		prev_post_parse_analyze_hook(pstate, query, jstate);
}

/*
 * planner_hook: note whether the statement is one of ours, and if it is run for
 * each batch let it have the costs of that.
 */
static PlannedStmt *
plan_statement(Query *parse, const char *query_string, int cursorOptions,
			   ParamListInfo boundParams BULKPAR_PLANNER_EXTRA_PARAM)
{
	BulkparHooks *outer = planning;
	Costs		costs = get_costs();
	PlannedStmt *result;

	planning = look_up(query_string);
	if (planning != NULL)
		start_planning(outer);
	else if (outer != NULL)
		set_costs(&usual);
	PG_TRY();
	{
		planner_hook_type plan = prev_planner_hook != NULL &&
			(planning == NULL || !planning->local) ? prev_planner_hook :
			standard_planner;

		result = plan(parse, query_string, cursorOptions, boundParams
					  BULKPAR_PLANNER_EXTRA_ARG);
	}
	PG_FINALLY();
	{
		if (planning != NULL || outer != NULL)
			set_costs(&costs);
		planning = outer;
	}
	PG_END_TRY();
	return result;
}

/* ExecutorStart_hook: tell what rows a statement of ours is to leave alone. */
static void
start_executor(QueryDesc *desc, int eflags)
{
	const BulkparHooks *hooks = look_up(desc->sourceText);

	if (prev_executor_start_hook != NULL)
		prev_executor_start_hook(desc, eflags);
	else
		standard_ExecutorStart(desc, eflags);
	if (hooks != NULL && hooks->condition.skip_unchanged &&
		(eflags & EXEC_FLAG_EXPLAIN_ONLY) == 0)
		bulkpar_unchanged_filter(desc);
}

/* Prepare to plan a statement of ours, while that other one is planned or none. */
static void
start_planning(const BulkparHooks *outer)
{
	Costs		costs;

	if (outer == NULL)
		usual = get_costs();
	planning->rows = 0;
	planning->dear = false;
	planning->by_index = false;
	costs = bulkpar_condition_is_of_piece(&planning->condition) ?
		batch_costs() : usual;

	/*
	 * A row of a list is a key: to send one fifth of 500,000 rows from one
	 * process to the other took less time than to look at them alone, 90
	 * instead of 170 ms (medians of 15).
	 */
	if (planning->condition.use == BULKPAR_CONDITION_LIST)
		costs.parallel_tuple = Min(costs.parallel_tuple, cpu_tuple_cost);

	/* Nothing else reads no more than the places. */
	costs.tidscan |= planning->condition.shape.placed ||
		planning->condition.shape.span;
	set_costs(&costs);
}

static Costs
get_costs(void)
{
	Costs		costs = {
		.seq_page = seq_page_cost,
		.random_page = random_page_cost,
		.operator = cpu_operator_cost,
		.parallel_tuple = parallel_tuple_cost,
		.tidscan = enable_tidscan
	};

	return costs;
}

static void
set_costs(const Costs *costs)
{
	seq_page_cost = costs->seq_page;
	random_page_cost = costs->random_page;
	cpu_operator_cost = costs->operator;
	parallel_tuple_cost = costs->parallel_tuple;
	enable_tidscan = costs->tidscan;
}

/*
 * What is expected to be read from disk for one statement is there already when
 * it is the next of many: each batch finds in memory what those before have
 * read of another table.  With the costs of a disk the planner would rather
 * read it whole, in order, and do so in each batch.
 */
static Costs
batch_costs(void)
{
	double		page = Min(cpu_tuple_cost,
						   Min(usual.seq_page, usual.random_page));
	Costs		costs = {
		.seq_page = page,
		.random_page = page,
		.operator = usual.operator / CHEAPER_LOOKUPS,
		.parallel_tuple = usual.parallel_tuple,
		.tidscan = usual.tidscan
	};

	return costs;
}

/*
 * set_rel_pathlist_hook: replace the paths of our statement's target by those
 * along the key index.  Of a table with partitions or children only the one
 * that is to be reached is left.  Where another extension has put another
 * relation in the place of the target that is an error: if it were left out
 * like a part that is not wanted, the batch would change nothing and say so to
 * nobody.
 */
static void
restrict_paths(PlannerInfo *root, RelOptInfo *rel, Index rti,
			   RangeTblEntry *rte)
{
	if (prev_set_rel_pathlist_hook != NULL &&
		(planning == NULL || !planning->local))
		prev_set_rel_pathlist_hook(root, rel, rti, rte);

	if (planning == NULL)
		return;
	if (rte->rtekind != RTE_RELATION)
		return;
	if (!bulkpar_drive_is_marked(rte))
	{
		/* What is joined to the key has its range, too. */
		if (walks_target(root) && !rte->inh && !IS_DUMMY_REL(rel) &&
			promote(rel))
			create_index_paths(root, rel);
		if (planning->condition.use == BULKPAR_CONDITION_CHANGE)
			bulkpar_recall_replace(root, rel, rte, is_kept(rte->relid));
		return;
	}
	if (!bulkpar_condition_is_about(&planning->condition, rte->relid))
		bulkpar_part_require(planning->condition.relid, rte->relid);
	if (planning->reached.context != NULL)
		note_reached(&planning->reached, rel, rte);
	if (!rte->inh && !IS_DUMMY_REL(rel))
	{
		planning->rows += rel->rows;
		planning->dear |= rel->baserestrictcost.per_tuple >=
			DEAR_CONDITION * cpu_operator_cost;
		planning->by_index |= is_by_index(rel);
		if (planning->condition.shape.span)
			use_blocks(root, rel);
		else if (planning->bitmap)
			use_bitmaps(root, rel);
	}
	if (!bulkpar_condition_is_of_piece(&planning->condition))
		return;
	if (planning->batch_size > 0)
		rel->rows = Min(rel->rows, planning->batch_size);
	/* What the planner has proven to be empty stays so. */
	if (rte->inh || IS_DUMMY_REL(rel))
		return;
	if (planning->condition.parts != NIL)
	{
		/* All of each part is wanted, by whatever path is best. */
		if (!list_member_oid(planning->condition.parts, rte->relid))
			mark_dummy_rel(rel);
	}
	else if (rte->relid == planning->condition.part)
		use_key_index(root, rel);
	else
		mark_dummy_rel(rel);
}

/*
 * Note a table of the target, which itself comes last.  A parent that has rows of
 * its own comes twice, once as one of its children.
 */
static void
note_reached(BulkparReached *reached, RelOptInfo *rel,
			 const RangeTblEntry *rte)
{
	MemoryContext oldcontext;

	reached->known |= rte->relid == planning->condition.relid;
	if (IS_DUMMY_REL(rel) ||
		(rte->inh && rte->relkind != RELKIND_PARTITIONED_TABLE))
		return;
	oldcontext = MemoryContextSwitchTo(reached->context);
	reached->relids = list_append_unique_oid(reached->relids, rte->relid);
	MemoryContextSwitchTo(oldcontext);
}

/*
 * Whether a query that is being planned is the one that walks the target: it may
 * be the statement, a CTE of it, or what it inserts.
 */
static bool
walks_target(PlannerInfo *root)
{
	for (int i = 1; i < root->simple_rel_array_size; i++)
	{
		RangeTblEntry *rte = root->simple_rte_array[i];

		if (rte != NULL && bulkpar_drive_is_marked(rte))
			return true;
	}
	return false;
}

/* Whether a table is the result of a subquery of the job. */
static bool
is_kept(Oid relid)
{
	const BulkparJob *job = planning->condition.once.job;

	for (int i = 0; i < job->subqueries.count; i++)
	{
		if (job->subqueries.items[i].relid == relid)
			return true;
	}
	return false;
}

/* Whether the best path that was found looks rows up in an index. */
static bool
is_by_index(const RelOptInfo *rel)
{
	const Path *best = rel->pathlist == NIL ? NULL : linitial(rel->pathlist);

	return best != NULL && (IsA(best, IndexPath) || IsA(best, BitmapHeapPath));
}

/*
 * Leave no paths but those that read only the blocks of the span.  They are made
 * anew: the planner may have dropped them for an index, on a bad guess.
 */
static void
use_blocks(PlannerInfo *root, RelOptInfo *rel)
{
	List	   *pathlist = rel->pathlist;

	rel->pathlist = NIL;
	(void) create_tidscan_paths(root, rel);
	if (rel->pathlist == NIL)
		rel->pathlist = pathlist;
	else
		rel->partial_pathlist = NIL;
}

/*
 * If the best path looks rows up in indexes, leave none but that which reads a
 * bitmap of the same.
 */
static void
use_bitmaps(PlannerInfo *root, RelOptInfo *rel)
{
	List	   *pathlist = rel->pathlist;
	Path	   *best;

	if (!is_by_index(rel))
		return;
	best = linitial(pathlist);
	if (IsA(best, BitmapHeapPath))
		rel->pathlist = list_make1(best);
	else
	{
		IndexOptInfo *info = ((IndexPath *) best)->indexinfo;

		info->amhasgettuple = false;
		rel->indexlist = list_make1(info);
		rel->pathlist = NIL;
		create_index_paths(root, rel);
		if (rel->pathlist == NIL)
			rel->pathlist = pathlist;
	}
	rel->partial_pathlist = NIL;
}

/*
 * Leave no paths but those along the key index.  If there is none, what the
 * planner found stays.
 */
static void
use_key_index(PlannerInfo *root, RelOptInfo *rel)
{
	const BulkparCondition *condition = &planning->condition;
	List	   *pathlist = rel->pathlist;
	List	   *indexlist = NIL;
	ListCell   *lc;

	foreach(lc, rel->indexlist)
	{
		IndexOptInfo *info = lfirst_node(IndexOptInfo, lc);

		if (info->indexoid == condition->key->index)
		{
			info->amhasgetbitmap = false;
			/* Its condition holds for all rows, see keyindex.c. */
			info->predOK = true;
			indexlist = lappend(indexlist, info);
		}
	}
	if (indexlist == NIL)
		return;

	(void) promote(rel);
	rel->indexlist = indexlist;
	rel->pathlist = NIL;
	rel->partial_pathlist = NIL;
	if (condition->shape.placed)
		(void) create_tidscan_paths(root, rel);
	else
		create_index_paths(root, rel);
	if (condition->shape.listed &&
		(condition->key->ncolumns > 1 || condition->shape.placed))
		prefer_list(root, rel, pathlist);
	else if (rel->pathlist == NIL)
	{
		rel->pathlist = pathlist;
		planning->without_key_index = true;
	}
}

/*
 * Let the conditions on a table that compare it by the operators of the key
 * come before its policies, if they may; true if there are any that would not.
 */
static bool
promote(RelOptInfo *rel)
{
	const BulkparKey *key = planning->condition.key;
	List	   *clauses = list_concat_copy(rel->baserestrictinfo, rel->joininfo);
	bool		promoted = false;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);

		if (restriction_is_securely_promotable(rinfo, rel) ||
			!bulkpar_keyquery_compares(key, (const Node *) rinfo->clause) ||
			!bulkpar_leakproof_is(key))
			continue;
		rinfo->leakproof = true;
		promoted = true;
	}
	list_free(clauses);
	return promoted;
}

/*
 * A list of keys of several columns is joined, so the paths along the key index
 * that are wanted need the list first.  One of places is read as it is, and the
 * planner must know that it has the rows of a batch.  All others are a last
 * resort, for what cannot be planned otherwise.
 */
static void
prefer_list(PlannerInfo *root, RelOptInfo *rel, List *pathlist)
{
	Index		list = find_list(root);
	bool		found = false;
	ListCell   *lc;

	rel->pathlist = list_concat(rel->pathlist, pathlist);
	foreach(lc, rel->pathlist)
		found |= is_by_list(lfirst(lc), list);
	if (!found)
		planning->without_key_index = true;
	foreach(lc, found ? rel->pathlist : NIL)
	{
		if (!is_by_list(lfirst(lc), list))
			bulkpar_compat_make_expensive(lfirst(lc));
	}
	if (planning->condition.shape.placed)
		expect_rows(rel, planning->batch_size);
}

/* Let the planner expect so many rows of all paths to a relation. */
static void
expect_rows(RelOptInfo *rel, double rows)
{
	ListCell   *lc;

	rel->rows = rows;
	foreach(lc, rel->pathlist)
		((Path *) lfirst(lc))->rows = rows;
}

/* Whether a path looks up what the list has before it, or reads its places. */
static bool
is_by_list(const Path *path, Index list)
{
	const BulkparCondition *condition = &planning->condition;

	if (condition->shape.placed)
		return IsA(path, TidPath) && PATH_REQ_OUTER(path) == NULL;
	return bms_is_member(list, PATH_REQ_OUTER(path)) && IsA(path, IndexPath) &&
		((const IndexPath *) path)->indexinfo->indexoid == condition->key->index;
}

/* The number of the list in the query. */
static Index
find_list(PlannerInfo *root)
{
	for (int i = root->simple_rel_array_size - 1; i > 0; i--)
	{
		RangeTblEntry *rte = root->simple_rte_array[i];

		if (rte != NULL && rte->rtekind == RTE_FUNCTION &&
			strcmp(rte->eref->aliasname, BULKPAR_KEY_LIST) == 0)
			return i;
	}
	return 0;
}
