/*-------------------------------------------------------------------------
 *
 * member.c
 *		Looking up keys in the result of a subquery.
 *
 * Where it is the key of the batch that is looked up, only those keys matter.  If
 * there is no null in the result, IN and EXISTS are the same, and the range of the
 * batch can be put into that.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/member.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteManip.h"
#include "utils/lsyscache.h"

#include "table/member.h"

static bool compares_columns(Node *test, const List *columns);
static Node *put_columns(Node *node, void *context);

/*
 * Let a query look up in a result what it needs: the members are its IN and NOT IN
 * with such, and the columns those of the key in it.
 */
void
bulkpar_member_look_up(const List *members, List *columns)
{
	ListCell   *lc;

	foreach(lc, members)
	{
		const BulkparMember *member = lfirst(lc);

		if (!member->result->has_nulls &&
			compares_columns(member->sublink->testexpr, columns))
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
