/*-------------------------------------------------------------------------
 *
 * member.c
 *		Looking up keys in the result of a subquery.
 *
 * The planner reads the whole result of a subquery of NOT IN, since there might
 * be a null in it, for each batch.  We know whether there is one.  Where there
 * is none, and the other side is not null either, NOT IN is NOT EXISTS, for
 * which the planner can use the index of the result.  And where it is the key
 * that is looked up, only those of the batch matter.
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

static Node *simplify(Node *condition, const List *members);
static bool compares_columns(Node *test, const List *columns);
static Node *compared_value(Node *test);
static bool is_of_key(const BulkparMember *member, const BulkparKey *key);
static void make_exists(const BulkparMember *member);
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

			range.striped = false;
			query->jointree->quals =
				bulkpar_keyquery_condition(key, &range,
										   list_make1(column->expr));
		}
		make_exists(member);
	}
}

/*
 * Make of each NOT IN among the conditions of a query that is about one column
 * and has no null in its result a NOT EXISTS, and return the conditions.
 */
Node *
bulkpar_member_simplify(Node *conditions, const List *members)
{
	List	   *simplified = NIL;
	ListCell   *lc;

	foreach(lc, make_ands_implicit((Expr *) conditions))
	{
		Node	   *value = simplify(lfirst(lc), members);

		if (value != NULL)
		{
			NullTest   *test = makeNode(NullTest);

			test->arg = (Expr *) value;
			test->nulltesttype = IS_NOT_NULL;
			test->argisrow = false;
			test->location = -1;
			simplified = lappend(simplified, test);
		}
		simplified = lappend(simplified, lfirst(lc));
	}
	return simplified == NIL ? NULL : (Node *) make_ands_explicit(simplified);
}

/*
 * If a condition is such a NOT IN make it NOT EXISTS, and return what must not
 * be null for that.  NULL if it is none.
 */
static Node *
simplify(Node *condition, const List *members)
{
	ListCell   *lc;

	foreach(lc, is_notclause(condition) ? members : NIL)
	{
		const BulkparMember *member = lfirst(lc);
		Node	   *value;

		if (get_notclausearg(condition) != (Expr *) member->sublink ||
			member->sublink->subLinkType != ANY_SUBLINK ||
			member->result->rows == 0 || member->result->has_nulls)
			continue;
		value = compared_value(member->sublink->testexpr);
		if (value == NULL || type_is_rowtype(exprType(value)) ||
			contain_volatile_functions(value) || checkExprHasSubLink(value))
			continue;
		value = copyObject(value);
		make_exists(member);
		return value;
	}
	return NULL;
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
	value = compared_value(test);
	while (value != NULL && IsA(value, RelabelType))
		value = (Node *) ((RelabelType *) value)->arg;
	return value != NULL && list_member(columns, value);
}

/*
 * What a test says is equal to a column of the result; NULL if it says
 * something else.
 */
static Node *
compared_value(Node *test)
{
	OpExpr	   *op = (OpExpr *) test;

	if (test == NULL || !IsA(test, OpExpr) || list_length(op->args) != 2 ||
		!IsA(lsecond(op->args), Param) ||
		!op_mergejoinable(op->opno, exprType(linitial(op->args))))
		return NULL;
	return linitial(op->args);
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
static void
make_exists(const BulkparMember *member)
{
	SubLink    *sublink = member->sublink;
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
