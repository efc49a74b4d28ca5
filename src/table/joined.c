/*-------------------------------------------------------------------------
 *
 * joined.c
 *		By which columns the rows of a result will be looked up.
 *
 * A batch should not read a large result whole.  Those columns of it get an
 * index that the statement says are equal to something; where that is not to be
 * seen, the first few.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/joined.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "table/extract.h"
#include "table/joined.h"

/* As many columns get an index at the most. */
#define MAX_INDEXES 4

/* A search for the columns of an item of a query that are compared. */
typedef struct Search
{
	int			rti;
	bool		constants;		/* also if they are compared with those */
	int			level;			/* of where we are, below the query */
	Bitmapset  *columns;		/* by their numbers in the item */
} Search;

static bool find_comparison(Node *node, void *context);
static void note_column(Search *search, Node *node, const Node *other);

/* The first columns of an extracted subquery that are not just nulls. */
Bitmapset *
bulkpar_joined_all(const Query *own)
{
	Bitmapset  *columns = NULL;
	ListCell   *lc;

	foreach(lc, own->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);

		if (!IsA(entry->expr, Const) &&
			bms_num_members(columns) < MAX_INDEXES)
			columns = bms_add_member(columns, entry->resno);
	}
	return columns;
}

/*
 * The columns of an item of a query that are compared with others, or also with
 * constants, by their numbers in the item.
 */
Bitmapset *
bulkpar_joined_columns(const Query *query, int rti, bool constants)
{
	Search		search = {.rti = rti, .constants = constants};

	(void) query_tree_walker((Query *) query, find_comparison, &search,
							 QTW_IGNORE_CTE_SUBQUERIES);
	return search.columns;
}

/*
 * The columns by which an item of a query is joined, by their numbers in what
 * was extracted of it.
 */
Bitmapset *
bulkpar_joined_item(const Query *query, int rti, const Query *own)
{
	RangeTblEntry *rte = rt_fetch(rti, query->rtable);
	Bitmapset  *compared = bulkpar_joined_columns(query, rti, true);
	Bitmapset  *columns = NULL;
	int			number = 0;
	ListCell   *lc;

	if (compared == NULL)
		return bulkpar_joined_all(own);
	if (rte->rtekind != RTE_RELATION)
		return compared;
	foreach(lc, bulkpar_extract_used_columns(query, rti))
	{
		number++;
		if (lfirst_int(lc) > 0 && bms_is_member(lfirst_int(lc), compared))
			columns = bms_add_member(columns, number);
	}
	return columns;
}

/* The columns by which a CTE of the statement is joined. */
Bitmapset *
bulkpar_joined_cte(const Query *top, const CommonTableExpr *cte,
				   const Query *own)
{
	Bitmapset  *columns = NULL;
	int			references = 0;

	for (int rti = 1; rti <= list_length(top->rtable); rti++)
	{
		RangeTblEntry *rte = rt_fetch(rti, top->rtable);

		if (rte->rtekind != RTE_CTE || rte->ctelevelsup != 0 ||
			strcmp(rte->ctename, cte->ctename) != 0)
			continue;
		references++;
		columns = bms_add_members(columns,
								  bulkpar_joined_item(top, rti, own));
	}
	return references == cte->cterefcount ? columns : bulkpar_joined_all(own);
}

/* Whether an index of a table, which is locked, finds rows by one of the columns. */
bool
bulkpar_joined_has_index(Oid relid, const Bitmapset *columns)
{
	Relation	rel = table_open(relid, NoLock);
	bool		found = false;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		found |= index->rd_index->indisvalid &&
			(index->rd_rel->relam == BTREE_AM_OID ||
			 index->rd_rel->relam == HASH_AM_OID) &&
			heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL) &&
			bms_is_member(index->rd_index->indkey.values[0], columns);
		index_close(index, NoLock);
	}
	table_close(rel, NoLock);
	return found;
}

static bool
find_comparison(Node *node, void *context)
{
	Search	   *search = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		search->level++;
		(void) query_tree_walker((Query *) node, find_comparison, context, 0);
		search->level--;
		return false;
	}
	if (IsA(node, OpExpr) && list_length(((OpExpr *) node)->args) == 2)
	{
		OpExpr	   *op = (OpExpr *) node;
		Node	   *left = linitial(op->args);

		if (op_mergejoinable(op->opno, exprType(left)))
		{
			note_column(search, left, lsecond(op->args));
			note_column(search, lsecond(op->args), left);
		}
	}
	return expression_tree_walker(node, find_comparison, context);
}

/* Note a side of a comparison, if it is a column of the item. */
static void
note_column(Search *search, Node *node, const Node *other)
{
	Var		   *var;

	if (!search->constants && (IsA(other, Const) || IsA(other, Param)))
		return;
	while (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	var = (Var *) node;
	if (IsA(node, Var) && var->varno == search->rti &&
		(int) var->varlevelsup == search->level && var->varattno > 0)
		search->columns = bms_add_member(search->columns, var->varattno);
}
