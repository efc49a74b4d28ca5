/*-------------------------------------------------------------------------
 *
 * reach.c
 *		What a subquery depends on.
 *
 * A subquery that depends on the row of the statement is evaluated for each
 * row, in a batch as in one statement.  One that does not is evaluated once in
 * one statement, but anew in each batch.  That may do no harm: a list of keys
 * of another table is the same each time, and a batch can look up what it needs
 * of it.  It must not be where it would see what earlier batches have done, or
 * takes long since it must see all of its rows before it returns one.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/reach.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "rewrite/rewriteHandler.h"
#include "rewrite/rowsecurity.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "table/cascade.h"
#include "table/part.h"
#include "table/reach.h"

typedef struct Search
{
	const BulkparReachChanged *changed;
	bool		deep;			/* go into its subqueries */
	List	   *seen;			/* tables and views whose policies and queries
								 * we have been in, or are */
	BulkparReach reach;
} Search;

typedef struct Depth
{
	int			level;			/* of the outermost node in the statement */
	int			depth;			/* below it */
} Depth;

static bool reaches_out(Node *node, void *context);
static bool is_beyond(const Depth *depth, int levels);
static bool look(Node *node, void *context);
static void look_at_query(const Query *query, Search *search);
static bool is_union_all(Node *node);
static void look_at_table(const RangeTblEntry *rte, Search *search);
static void look_inside(Oid relid, Search *search);
static bool look_at_function(Oid function, void *context);

/*
 * Whether a query, that is so many levels below the statement, or an expression
 * of one, refers to nothing outside of it but the statement's own CTEs.
 */
bool
bulkpar_reach_is_closed(Node *node, int level)
{
	Depth		depth = {.level = level};

	return !query_or_expression_tree_walker(node, reaches_out, &depth,
											QTW_EXAMINE_RTES_BEFORE);
}

/*
 * The same of an item of the FROM list of a query that is so many levels below
 * the statement.
 */
bool
bulkpar_reach_is_closed_item(RangeTblEntry *rte, int level)
{
	Depth		depth = {.level = level + 1, .depth = -1};

	return !range_table_walker(list_make1(rte), reaches_out, &depth,
							   QTW_EXAMINE_RTES_BEFORE);
}

static bool
reaches_out(Node *node, void *context)
{
	Depth	   *depth = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		bool		out;

		depth->depth++;
		out = query_tree_walker((Query *) node, reaches_out, context,
								QTW_EXAMINE_RTES_BEFORE);
		depth->depth--;
		return out;
	}
	if (IsA(node, RangeTblEntry))
	{
		RangeTblEntry *rte = (RangeTblEntry *) node;

		return rte->rtekind == RTE_CTE &&
			is_beyond(depth, rte->ctelevelsup) &&
			(int) rte->ctelevelsup - depth->depth != depth->level;
	}
	if (IsA(node, Var))
		return is_beyond(depth, ((Var *) node)->varlevelsup);
	if (IsA(node, Aggref) && is_beyond(depth, ((Aggref *) node)->agglevelsup))
		return true;
	if (IsA(node, GroupingFunc) &&
		is_beyond(depth, ((GroupingFunc *) node)->agglevelsup))
		return true;
	return expression_tree_walker(node, reaches_out, context);
}

static bool
is_beyond(const Depth *depth, int levels)
{
	return levels > depth->depth;
}

/*
 * What a query or an expression does that matters; with what is in its
 * subqueries, if it is to be a deep look.
 */
BulkparReach
bulkpar_reach_look(Node *node, const BulkparReachChanged *changed, bool deep)
{
	Search		search = {.changed = changed, .deep = deep};

	if (node != NULL && IsA(node, Query))
		look_at_query((Query *) node, &search);
	(void) query_or_expression_tree_walker(node, look, &search,
										   QTW_EXAMINE_RTES_BEFORE);
	return search.reach;
}

/* The same of an item of a FROM list, and all that is in it. */
BulkparReach
bulkpar_reach_look_at_item(RangeTblEntry *rte,
						   const BulkparReachChanged *changed)
{
	Search		search = {.changed = changed, .deep = true};

	(void) range_table_walker(list_make1(rte), look, &search,
							  QTW_EXAMINE_RTES_BEFORE);
	return search.reach;
}

/* Whether a subquery that does this, and is closed, is to be evaluated once. */
bool
bulkpar_reach_needs_once(const BulkparReach *reach)
{
	return reach->is_whole || OidIsValid(reach->reads_changed) ||
		reach->is_mutable;
}

static bool
look(Node *node, void *context)
{
	Search	   *search = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		if (!search->deep)
			return false;
		look_at_query((Query *) node, search);
		return query_tree_walker((Query *) node, look, context,
								 QTW_EXAMINE_RTES_BEFORE);
	}
	if (IsA(node, RangeTblEntry))
	{
		if (((RangeTblEntry *) node)->rtekind == RTE_RELATION)
			look_at_table((RangeTblEntry *) node, search);
		return false;
	}
	(void) check_functions_in_node(node, look_at_function, search);
	return expression_tree_walker(node, look, context);
}

static void
look_at_query(const Query *query, Search *search)
{
	if (query->rowMarks != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("FOR UPDATE, FOR SHARE and SKIP LOCKED are not supported in a statement that is run in batches"),
				 errhint("Leave the batching to bulkpar: it cuts the rows into small transactions itself, so the statement needs neither these nor a LIMIT for that.")));
	search->reach.is_whole |= bulkpar_reach_is_whole(query);
}

/* Whether a query must have seen all of its rows before it can return one. */
bool
bulkpar_reach_is_whole(const Query *query)
{
	return query->limitCount != NULL || query->limitOffset != NULL ||
		query->hasAggs || query->groupClause != NIL ||
		query->groupingSets != NIL || query->havingQual != NULL ||
		query->distinctClause != NIL || query->hasWindowFuncs ||
		query->hasRecursive || !is_union_all(query->setOperations);
}

/* Whether set operations, if there are any, just append rows to others. */
static bool
is_union_all(Node *node)
{
	SetOperationStmt *operation = (SetOperationStmt *) node;

	return node == NULL || !IsA(node, SetOperationStmt) ||
		(operation->op == SETOP_UNION && operation->all &&
		 is_union_all(operation->larg) && is_union_all(operation->rarg));
}

/* A table of a query; one that the batches change may have another as parent. */
static void
look_at_table(const RangeTblEntry *rte, Search *search)
{
	ListCell   *lc;

	if (!list_member_oid(search->seen, rte->relid))
		look_inside(rte->relid, search);
	search->reach.is_mutable |= rte->tablesample != NULL;
	foreach(lc, list_member_ptr(search->changed->tied, rte) ? NIL :
			search->changed->keys)
	{
		const BulkparForeignKey *key = lfirst(lc);

		if (!bulkpar_part_overlaps(key->relid, rte->relid))
			continue;
		search->reach.reads_changed = rte->relid;
		search->reach.by_key = true;
	}
	foreach(lc, search->changed->tables)
	{
		if (!bulkpar_part_belongs(lfirst_oid(lc), rte->relid) &&
			!(rte->inh && bulkpar_part_belongs(rte->relid, lfirst_oid(lc))))
			continue;
		search->reach.reads_changed = lfirst_oid(lc);
		search->reach.by_key = false;
	}
}

/*
 * What comes in with a table when the query is rewritten: the query of a view,
 * and the policies of row level security, whether or not they are for the role.
 * That is looked at once, however many ways lead to it.
 */
static void
look_inside(Oid relid, Search *search)
{
	Relation	rel = table_open(relid, AccessShareLock);
	bool		deep = search->deep;
	ListCell   *lc;

	CHECK_FOR_INTERRUPTS();
	check_stack_depth();
	search->deep = true;
	search->seen = lappend_oid(search->seen, relid);
	if (rel->rd_rel->relkind == RELKIND_VIEW)
		(void) look((Node *) get_view_query(rel), search);
	if (rel->rd_rel->relrowsecurity && rel->rd_rsdesc != NULL)
	{
		foreach(lc, rel->rd_rsdesc->policies)
			(void) look((Node *) ((RowSecurityPolicy *) lfirst(lc))->qual,
						search);
	}
	search->deep = deep;
	table_close(rel, NoLock);
}

static bool
look_at_function(Oid function, void *context)
{
	Search	   *search = context;
	char		volatility = func_volatile(function);
	bool		is_of_user = function >= FirstNormalObjectId;

	if (volatility == PROVOLATILE_VOLATILE ||
		(is_of_user && volatility == PROVOLATILE_STABLE))
		search->reach.is_mutable = true;
	if (is_of_user && volatility == PROVOLATILE_VOLATILE)
		search->reach.function = function;
	return false;
}
