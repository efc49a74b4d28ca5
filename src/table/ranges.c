/*-------------------------------------------------------------------------
 *
 * ranges.c
 *		The range of a batch in the tables that are joined to its key.
 *
 * The planner does not conclude that what is equal to the key has its range, too,
 * and would read the other table whole for each batch.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/ranges.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"

#include "table/joined.h"
#include "table/keyquery.h"
#include "table/ranges.h"

/* What is joined to the key of the target, in its query or below it. */
typedef struct Joining
{
	const BulkparKey *key;
	BulkparKeyShape shape;
	int			target;
	AttrNumber	attnum;			/* of the key in it */
	Index		level;			/* how far below it is looked */
} Joining;

static List *ranges_of_joined(const Joining *joining, const Query *query);
static bool has_index(const RangeTblEntry *rte, const Var *column);
static bool restrict_exists(Node *node, void *context);
static Var *joined_column(const Joining *joining, Node *clause);

/*
 * Where the condition of a query says that a column of another table is equal to the
 * key of the target, which has that number, the same range holds for it: add it to
 * each EXISTS in the condition, and return those of the query itself.
 */
List *
bulkpar_ranges_add(const BulkparKey *key, const BulkparKeyShape *shape,
				   Query *query, int target, AttrNumber attnum)
{
	Joining		joining = {
		.key = key,
		.shape = *shape,
		.target = target,
		.attnum = attnum
	};

	if (key->ncolumns != 1)
		return NIL;
	joining.shape.striped = joining.shape.placed = false;
	(void) restrict_exists(query->jointree->quals, &joining);
	return ranges_of_joined(&joining, query);
}

/* The ranges of the columns that a query says are equal to the key. */
static List *
ranges_of_joined(const Joining *joining, const Query *query)
{
	List	   *conditions = NIL;
	ListCell   *lc;

	foreach(lc, make_ands_implicit((Expr *) query->jointree->quals))
	{
		Var		   *joined = joined_column(joining, lfirst(lc));
		const RangeTblEntry *rte = joined == NULL ? NULL :
			rt_fetch(joined->varno, query->rtable);
		Node	   *range;

		if (rte == NULL || rte->rtekind == RTE_JOIN ||
			(joining->shape.listed && has_index(rte, joined)))
			continue;
		range = bulkpar_keyquery_condition(joining->key, &joining->shape,
										   list_make1(joined));
		conditions = lappend(conditions, range);
	}
	return conditions;
}

/*
 * Whether each of some values of a column is found by an index without being told of
 * the others.  A list of them would be looked up there before the join, where the
 * join looks up what is remembered, see recall.c.
 */
static bool
has_index(const RangeTblEntry *rte, const Var *column)
{
	return rte->rtekind == RTE_RELATION &&
		bulkpar_joined_has_index(rte->relid,
								 bms_make_singleton(column->varattno));
}

/*
 * Add these ranges to EXISTS, wherever it is in a condition: what it says about
 * other rows is of no account.
 */
static bool
restrict_exists(Node *node, void *context)
{
	Joining		joining = *(const Joining *) context;

	if (node == NULL)
		return false;
	if (IsA(node, SubLink) &&
		((SubLink *) node)->subLinkType == EXISTS_SUBLINK)
	{
		Query	   *query = (Query *) ((SubLink *) node)->subselect;
		List	   *ranges;

		joining.level = 1;
		ranges = ranges_of_joined(&joining, query);
		if (ranges != NIL)
			query->jointree->quals =
				make_and_qual((Node *) make_ands_explicit(ranges),
							  query->jointree->quals);
		return false;
	}
	return expression_tree_walker(node, restrict_exists, context);
}

/* The column that a condition says is equal to the key; NULL if it does not. */
static Var *
joined_column(const Joining *joining, Node *clause)
{
	const BulkparKeyColumn *column = &joining->key->columns[0];
	OpExpr	   *op = (OpExpr *) clause;
	Var		   *a;
	Var		   *b;

	if (!IsA(clause, OpExpr) || list_length(op->args) != 2 ||
		get_op_opfamily_strategy(op->opno, column->opfamily) !=
		BTEqualStrategyNumber ||
		op->inputcollid != column->collation ||
		!IsA(linitial(op->args), Var) || !IsA(lsecond(op->args), Var))
		return NULL;
	a = linitial_node(Var, op->args);
	b = lsecond_node(Var, op->args);
	if (b->varlevelsup == joining->level && b->varno == joining->target &&
		b->varattno == joining->attnum)
	{
		Var		   *other = a;

		a = b;
		b = other;
	}
	if (a->varlevelsup != joining->level || a->varno != joining->target ||
		a->varattno != joining->attnum || b->varlevelsup != 0 ||
		(joining->level == 0 && b->varno == joining->target) ||
		b->varattno <= 0 || b->vartype != a->vartype)
		return NULL;
	return b;
}
