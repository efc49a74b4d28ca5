/*-------------------------------------------------------------------------
 *
 * hooks.c
 *		The hooks that restrict a statement to a batch.
 *
 * The range of a batch is not in the text of its statement: while that is
 * analyzed condition.c adds it to the condition of the query.
 *
 * When the statement is planned the paths to the target are chosen by us, see
 * paths.c, and what is read for each batch costs what it does in memory.
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

#include "executor/executor.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/planner.h"
#include "parser/analyze.h"
#include "utils/memutils.h"

#include "compat.h"
#include "table/condition.h"
#include "table/hooks.h"
#include "table/paths.h"
#include "table/unchanged.h"

/*
 * By how much it is cheaper to find a row by an index than the planner thinks.
 * With this it hashes another table for a batch of 1000 rows if that has less
 * than some 7,000.  Measured: to look 1000 rows up took 0.75 to 1 ms, to hash
 * 4,000, 8,000 and 16,000 rows 0.7, 0.9 and 2 ms (the best of twenty each).
 */
#define CHEAPER_LOOKUPS 2

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
	costs = bulkpar_condition_is_of_piece(&planning->condition) ||
		planning->condition.shape.span ? batch_costs() : usual;

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

/* set_rel_pathlist_hook: choose among the paths of a statement of ours. */
static void
restrict_paths(PlannerInfo *root, RelOptInfo *rel, Index rti,
			   RangeTblEntry *rte)
{
	if (prev_set_rel_pathlist_hook != NULL &&
		(planning == NULL || !planning->local))
		prev_set_rel_pathlist_hook(root, rel, rti, rte);
	if (planning != NULL && rte->rtekind == RTE_RELATION)
		bulkpar_paths_restrict(planning, root, rel, rte);
}
