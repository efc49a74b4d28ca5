/*-------------------------------------------------------------------------
 *
 * statement.c
 *		The SQL that a job runs on its target.
 *
 * Two statements do all the work, both over a range of keys: the UPDATE of a
 * batch, and the SELECT that steps along the index and collects the keys at
 * which the batches end.  They are prepared once per worker, with a generic
 * plan.
 *
 * Such a plan does not know the range, and the planner guesses its size.  On
 * a bad guess it could read the whole table, or another index that fits the
 * user's condition, for every batch.  So while one of these statements is
 * planned a hook leaves the target no paths but those along the key index.
 * All the rest of the plan is the planner's own choice.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/statement.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/paths.h"
#include "optimizer/planner.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "statement.h"

/* A prepared statement whose target must be reached through its key. */
typedef struct KeyStatement
{
	char	   *sql;
	Oid			relid;
	Oid			index;
} KeyStatement;

static List *key_statements = NIL;
static const KeyStatement *planning = NULL;
static planner_hook_type prev_planner_hook = NULL;
static set_rel_pathlist_hook_type prev_set_rel_pathlist_hook = NULL;

static void check_temporary_functions(SPIPlanPtr plan);
static bool find_temporary(Node *node, void *context);
static bool is_temporary_function(Oid function, void *context);
static void raise_temporary(const char *kind, const char *name);
static char *quoted_name(Relation rel);
static void install_hooks(void);
static PlannedStmt *plan_statement(Query *parse, const char *query_string,
								   int cursorOptions,
								   ParamListInfo boundParams
								   BULKPAR_PLANNER_EXTRA_PARAM);
static void restrict_paths(PlannerInfo *root, RelOptInfo *rel, Index rti,
						   RangeTblEntry *rte);

/*
 * The UPDATE of a batch.  The expressions and the condition must have passed
 * request.c: each is one expression that is safe between parentheses.
 */
BulkparStatement *
bulkpar_statement_update(Relation rel, const BulkparKey *key,
						 const BulkparJob *job, const BulkparShape *shape)
{
	BulkparStatement *statement = palloc0(sizeof(BulkparStatement));
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE ONLY %s SET ", quoted_name(rel));
	for (int i = 0; i < job->ncolumns; i++)
		appendStringInfo(&sql, "%s%s = (%s)", i > 0 ? ", " : "",
						 quote_identifier(job->column_names[i]),
						 job->expressions[i]);
	appendStringInfoString(&sql, " WHERE ");
	statement->nargs = bulkpar_key_append_shape(&sql, key, shape,
												statement->argtypes);
	if (job->condition != NULL)
		appendStringInfo(&sql, " AND (%s)", job->condition);
	statement->shape = *shape;
	statement->sql = sql.data;
	return statement;
}

/* The keys of a range in order, as many as the last parameter says. */
BulkparStatement *
bulkpar_statement_collect(Relation rel, const BulkparKey *key,
						  const BulkparShape *shape)
{
	BulkparStatement *statement = palloc0(sizeof(BulkparStatement));
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	bulkpar_key_append_columns(&sql, key);
	appendStringInfo(&sql, " FROM ONLY %s WHERE ", quoted_name(rel));
	statement->nargs = bulkpar_key_append_shape(&sql, key, shape,
												statement->argtypes);
	appendStringInfoString(&sql, " ORDER BY ");
	bulkpar_key_append_order(&sql, key, false);
	statement->argtypes[statement->nargs++] = INT8OID;
	appendStringInfo(&sql, " LIMIT $%d", statement->nargs);
	statement->shape = *shape;
	statement->sql = sql.data;
	return statement;
}

/* The SELECT of the largest key. */
char *
bulkpar_statement_end_key(Relation rel, const BulkparKey *key)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	bulkpar_key_append_columns(&sql, key);
	appendStringInfo(&sql, " FROM ONLY %s ORDER BY ", quoted_name(rel));
	bulkpar_key_append_order(&sql, key, true);
	appendStringInfoString(&sql, " LIMIT 1");
	return sql.data;
}

/*
 * Go as far with a statement as EXPLAIN does: parse, analyze, plan, check the
 * privileges of the current user, start the executor; but do not run it.
 * Whatever is wrong with it is an error.  SPI must be connected.
 */
void
bulkpar_statement_check(BulkparStatement *statement)
{
	SPIPlanPtr	plan;
	CachedPlan *cplan;
	PlannedStmt *stmt;
	QueryDesc  *desc;
	ListCell   *lc;

	plan = SPI_prepare_cursor(statement->sql, statement->nargs,
							  statement->argtypes, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s",
			 SPI_result_code_string(SPI_result));

	PushActiveSnapshot(GetTransactionSnapshot());
	cplan = SPI_plan_get_cached_plan(plan);
	if (cplan == NULL || list_length(cplan->stmt_list) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the batches of this job are not a single statement")));

	stmt = linitial_node(PlannedStmt, cplan->stmt_list);
	foreach(lc, stmt->relationOids)
	{
		if (isAnyTempNamespace(get_rel_namespace(lfirst_oid(lc))))
			raise_temporary("table", get_rel_name(lfirst_oid(lc)));
	}
	check_temporary_functions(plan);

	desc = CreateQueryDesc(stmt,
						   statement->sql, GetActiveSnapshot(),
						   InvalidSnapshot, None_Receiver, NULL, NULL, 0);
	ExecutorStart(desc, EXEC_FLAG_EXPLAIN_ONLY);
	ExecutorEnd(desc);
	FreeQueryDesc(desc);
	ReleaseCachedPlan(cplan, NULL);
	PopActiveSnapshot();
}

/*
 * Prepare a statement for as long as the process lives, to be planned along
 * the key index.  The statement must be in a memory context that lives as
 * long.  SPI must be connected.
 */
void
bulkpar_statement_prepare(BulkparStatement *statement, Oid relid,
						  const BulkparKey *key)
{
	MemoryContext oldcontext;
	KeyStatement *entry;

	install_hooks();

	oldcontext = MemoryContextSwitchTo(TopMemoryContext);
	entry = palloc(sizeof(KeyStatement));
	entry->sql = pstrdup(statement->sql);
	entry->relid = relid;
	entry->index = key->index;
	key_statements = lappend(key_statements, entry);
	MemoryContextSwitchTo(oldcontext);

	statement->plan = SPI_prepare_cursor(statement->sql, statement->nargs,
										 statement->argtypes,
										 CURSOR_OPT_GENERIC_PLAN);
	if (statement->plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s",
			 SPI_result_code_string(SPI_result));
	SPI_keepplan(statement->plan);
}

/* Undo bulkpar_statement_prepare. */
void
bulkpar_statement_forget(BulkparStatement *statement)
{
	ListCell   *lc;

	foreach(lc, key_statements)
	{
		KeyStatement *entry = lfirst(lc);

		if (strcmp(entry->sql, statement->sql) == 0)
		{
			key_statements = foreach_delete_current(key_statements, lc);
			pfree(entry->sql);
			pfree(entry);
			break;
		}
	}
	if (statement->plan != NULL)
		SPI_freeplan(statement->plan);
	statement->plan = NULL;
}

/* The workers could not see a function of pg_temp either. */
static void
check_temporary_functions(SPIPlanPtr plan)
{
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(plan));
	ListCell   *lc;

	foreach(lc, source->query_list)
		(void) query_tree_walker(lfirst_node(Query, lc), find_temporary, NULL,
								 0);
}

static bool
find_temporary(Node *node, void *context)
{
	if (node == NULL)
		return false;
	(void) check_functions_in_node(node, is_temporary_function, context);
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, find_temporary, context, 0);
	return expression_tree_walker(node, find_temporary, context);
}

static bool
is_temporary_function(Oid function, void *context)
{
	if (isAnyTempNamespace(get_func_namespace(function)))
		raise_temporary("function", get_func_name(function));
	return false;
}

static void
raise_temporary(const char *kind, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("temporary %s \"%s\" cannot be used in a bulkpar job",
					kind, name),
			 errdetail("Background workers cannot see the temporary objects of another session.")));
}

static char *
quoted_name(Relation rel)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
}

static void
install_hooks(void)
{
	static bool installed = false;

	if (installed)
		return;
	installed = true;
	prev_planner_hook = planner_hook;
	planner_hook = plan_statement;
	prev_set_rel_pathlist_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = restrict_paths;
}

/* planner_hook: note whether the statement is one of ours. */
static PlannedStmt *
plan_statement(Query *parse, const char *query_string, int cursorOptions,
			   ParamListInfo boundParams BULKPAR_PLANNER_EXTRA_PARAM)
{
	const KeyStatement *outer = planning;
	PlannedStmt *result;
	ListCell   *lc;

	planning = NULL;
	foreach(lc, key_statements)
	{
		KeyStatement *entry = lfirst(lc);

		if (strcmp(entry->sql, query_string) == 0)
			planning = entry;
	}

	PG_TRY();
	{
		planner_hook_type plan = prev_planner_hook ? prev_planner_hook :
			standard_planner;

		result = plan(parse, query_string, cursorOptions, boundParams
					  BULKPAR_PLANNER_EXTRA_ARG);
	}
	PG_FINALLY();
	{
		planning = outer;
	}
	PG_END_TRY();
	return result;
}

/*
 * set_rel_pathlist_hook: replace the paths of our statement's target by those
 * along the key index.  If there is none (row level security with operators
 * that are not leakproof can hide the key's condition from the index), what
 * the planner found stays.
 */
static void
restrict_paths(PlannerInfo *root, RelOptInfo *rel, Index rti,
			   RangeTblEntry *rte)
{
	Index		target = Max(root->parse->resultRelation, 1);
	List	   *pathlist;
	List	   *indexlist = NIL;
	ListCell   *lc;

	if (prev_set_rel_pathlist_hook)
		prev_set_rel_pathlist_hook(root, rel, rti, rte);

	if (planning == NULL || root->query_level != 1 || rti != target ||
		rte->rtekind != RTE_RELATION || rte->relid != planning->relid)
		return;

	foreach(lc, rel->indexlist)
	{
		IndexOptInfo *info = lfirst_node(IndexOptInfo, lc);

		if (info->indexoid == planning->index)
		{
			info->amhasgetbitmap = false;
			indexlist = lappend(indexlist, info);
		}
	}
	if (indexlist == NIL)
		return;

	pathlist = rel->pathlist;
	rel->indexlist = indexlist;
	rel->pathlist = NIL;
	rel->partial_pathlist = NIL;
	create_index_paths(root, rel);
	if (rel->pathlist == NIL)
		rel->pathlist = pathlist;
}
