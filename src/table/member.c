/*-------------------------------------------------------------------------
 *
 * member.c
 *		Looking up keys in the result of a subquery.
 *
 * Where it is the key of the batch that is looked up, only those keys matter, of
 * which the planner knows nothing in a subquery.  If there is no null in the
 * result, IN and EXISTS are the same.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/member.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteManip.h"
#include "utils/lsyscache.h"

#include "table/keyquery.h"
#include "table/member.h"

static bool compares_columns(Node *test, const List *columns);
static bool is_of_key(const BulkparMember *member, const BulkparKey *key);
static Node *put_columns(Node *node, void *context);

/*
 * Let a query look at no more of a result than it needs: the members are its IN
 * and NOT IN with such, the columns those of the key in it and the shape that
 * of the range that it is restricted to.
 */
void
bulkpar_member_restrict(const List *members, const BulkparKey *key,
						const BulkparKeyShape *shape, List *columns)
{
	ListCell   *lc;

	foreach(lc, members)
	{
		const BulkparMember *member = lfirst(lc);
		Query	   *query = (Query *) member->sublink->subselect;

		if (member->result->has_nulls ||
			!compares_columns(member->sublink->testexpr, columns))
			continue;
		if (is_of_key(member, key))
		{
			BulkparKeyShape range = *shape;
			TargetEntry *column = linitial_node(TargetEntry,
												query->targetList);

			range.striped = range.placed = false;
			query->jointree->quals =
				bulkpar_keyquery_condition(key, &range,
										   list_make1(column->expr));
		}
		bulkpar_member_make_exists(member->sublink);
	}
}

/* Whether the test of an IN compares columns of the key, and nothing else. */
static bool
compares_columns(Node *test, const List *columns)
{
	Node	   *value;
	ListCell   *lc;

	if (is_andclause(test))
	{
		foreach(lc, ((BoolExpr *) test)->args)
		{
			if (!compares_columns(lfirst(lc), columns))
				return false;
		}
		return true;
	}
	value = bulkpar_member_value(test);
	while (value != NULL && IsA(value, RelabelType))
		value = (Node *) ((RelabelType *) value)->arg;
	return value != NULL && list_member(columns, value);
}

/*
 * What the test of an IN says is equal to a column of its subquery, if that can
 * be said in another place as well; otherwise NULL.
 */
Node *
bulkpar_member_value(Node *test)
{
	OpExpr	   *op = (OpExpr *) test;
	Node	   *value;

	if (test == NULL || !IsA(test, OpExpr) || list_length(op->args) != 2 ||
		!IsA(lsecond(op->args), Param) ||
		!op_mergejoinable(op->opno, exprType(linitial(op->args))))
		return NULL;
	value = linitial(op->args);
	return type_is_rowtype(exprType(value)) || checkExprHasSubLink(value) ||
		contain_volatile_functions(value) ? NULL : value;
}

/*
 * Whether an IN compares the only column of the key with one of its type, as
 * the index does.
 */
static bool
is_of_key(const BulkparMember *member, const BulkparKey *key)
{
	OpExpr	   *op = (OpExpr *) member->sublink->testexpr;
	Query	   *query = (Query *) member->sublink->subselect;
	Node	   *column = (Node *) linitial_node(TargetEntry,
												query->targetList)->expr;

	return key->ncolumns == 1 && IsA(op, OpExpr) &&
		get_op_opfamily_strategy(op->opno, key->columns[0].opfamily) ==
		BTEqualStrategyNumber &&
		op->inputcollid == key->columns[0].collation &&
		IsA(linitial(op->args), Var) && IsA(column, Var) &&
		((Var *) column)->vartype == linitial_node(Var, op->args)->vartype;
}

/* Make EXISTS of IN. */
void
bulkpar_member_make_exists(SubLink *sublink)
{
	Query	   *query = (Query *) sublink->subselect;
	Node	   *test = copyObject(sublink->testexpr);

	IncrementVarSublevelsUp(test, 1, 0);
	test = put_columns(test, query);
	query->jointree->quals = make_and_qual(query->jointree->quals, test);
	sublink->subLinkType = EXISTS_SUBLINK;
	sublink->testexpr = NULL;
	sublink->operName = NIL;
}

/* Put the columns of a query in the places of the parameters for them. */
static Node *
put_columns(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_SUBLINK)
	{
		Query	   *query = context;
		int			number = ((Param *) node)->paramid;

		return copyObject((Node *) list_nth_node(TargetEntry,
												 query->targetList,
												 number - 1)->expr);
	}
	return expression_tree_mutator(node, put_columns, context);
}
