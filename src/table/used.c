/*-------------------------------------------------------------------------
 *
 * used.c
 *		Which columns of a subquery are used.
 *
 * People write SELECT *, row_number() OVER ... to number the rows of a table.
 * What the statement does not look at need not be kept, and might not even fit
 * into a row of a table.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/used.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"

#include "table/used.h"

/* A search for the columns of an item of a query, or of a CTE. */
typedef struct Search
{
	int			rti;			/* of the item */
	int			natts;			/* of it, or of the CTE */
	const CommonTableExpr *cte;
	int			level;			/* of where we are, below the query */
	Bitmapset  *columns;		/* by their numbers */
} Search;

static bool find_used(Node *node, void *context);
static bool find_cte(Node *node, void *context);
static void find_cte_in(Search *search, const Query *query);

/* All columns of a subquery. */
Bitmapset *
bulkpar_used_all(const Query *subquery)
{
	int			count = list_length(subquery->targetList);

	return count == 0 ? NULL : bms_add_range(NULL, 1, count);
}

/*
 * The columns of an item of a query that are used in it, by their numbers.  All
 * those of a join that it is in are, since others can stand for them.
 */
Bitmapset *
bulkpar_used_of_item(const Query *query, int rti)
{
	Search		search = {
		.rti = rti,
		.natts = list_length(rt_fetch(rti, query->rtable)->eref->colnames)
	};

	(void) query_tree_walker((Query *) query, find_used, &search, 0);
	return search.columns;
}

/* The columns of a CTE of the statement that are used anywhere in it. */
Bitmapset *
bulkpar_used_of_cte(const Query *top, const CommonTableExpr *cte)
{
	Search		search = {
		.cte = cte,
		.natts = list_length(cte->ctecolnames)
	};

	find_cte_in(&search, top);
	(void) query_tree_walker((Query *) top, find_cte, &search, 0);
	return search.columns;
}

static bool
find_used(Node *node, void *context)
{
	Search	   *search = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		search->level++;
		(void) query_tree_walker((Query *) node, find_used, context, 0);
		search->level--;
		return false;
	}
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) node;

		if (var->varno != search->rti ||
			(int) var->varlevelsup != search->level)
			return false;
		if (var->varattno > 0)
			search->columns = bms_add_member(search->columns, var->varattno);
		else if (search->natts > 0)
			search->columns = bms_add_range(search->columns, 1, search->natts);
		return false;
	}
	return expression_tree_walker(node, find_used, context);
}

static bool
find_cte(Node *node, void *context)
{
	Search	   *search = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		search->level++;
		find_cte_in(search, (Query *) node);
		(void) query_tree_walker((Query *) node, find_cte, context, 0);
		search->level--;
		return false;
	}
	return expression_tree_walker(node, find_cte, context);
}

/* Add what a query uses of the CTE by the items of its FROM list that are it. */
static void
find_cte_in(Search *search, const Query *query)
{
	for (int rti = 1; rti <= list_length(query->rtable); rti++)
	{
		RangeTblEntry *rte = rt_fetch(rti, query->rtable);

		if (rte->rtekind == RTE_CTE &&
			(int) rte->ctelevelsup == search->level &&
			strcmp(rte->ctename, search->cte->ctename) == 0)
			search->columns = bms_add_members(search->columns,
											  bulkpar_used_of_item(query, rti));
	}
}
