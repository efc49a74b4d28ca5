/*-------------------------------------------------------------------------
 *
 * exists.c
 *		IN and NOT IN by an index of their subquery.
 *
 * The planner knows no way but to read the whole list of a NOT IN, or of an IN
 * below OR, whether or not there is an index; each batch would.  With EXISTS it
 * can look up what the batch needs.  That is the same in a condition, which
 * holds if it is true and not if it is null:
 *
 * x IN (list) is true if there is an equal value.  x NOT IN (list) is true if
 * there is none, and x is not null or the list is empty, and no null is in it.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/exists.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"

#include "table/exists.h"
#include "table/joined.h"
#include "table/member.h"
#include "table/reach.h"

static bool contains(const Node *condition, const SubLink *sublink);
static bool can_convert(const SubLink *sublink);
static Node *not_in(const SubLink *sublink);
static Node *not_exists(const SubLink *sublink, bool of_nulls);
static Node *null_test(Node *value, NullTestType type);

/*
 * Whether a batch finds by an index what it needs of an IN or NOT IN, whose
 * subquery does not depend on the row: it is one of the conditions of the query.
 */
bool
bulkpar_exists_can_look_up(const Query *query, const SubLink *sublink)
{
	return contains(query->jointree->quals, sublink) && can_convert(sublink);
}

/* Whether a sublink or its contrary is among conditions, below AND and OR. */
static bool
contains(const Node *condition, const SubLink *sublink)
{
	ListCell   *lc;

	if (is_notclause(condition))
		condition = (const Node *) get_notclausearg(condition);
	else if (is_andclause(condition) || is_orclause(condition))
	{
		foreach(lc, ((const BoolExpr *) condition)->args)
		{
			if (contains(lfirst(lc), sublink))
				return true;
		}
	}
	return condition == (const Node *) sublink;
}

/* Make of each such IN and NOT IN in a condition EXISTS, and return that. */
Node *
bulkpar_exists_convert(Node *condition)
{
	bool		negated = is_notclause(condition);
	SubLink    *sublink = negated ?
		(SubLink *) get_notclausearg(condition) : (SubLink *) condition;
	ListCell   *lc;

	if (is_andclause(condition) || is_orclause(condition))
	{
		foreach(lc, ((BoolExpr *) condition)->args)
			lfirst(lc) = bulkpar_exists_convert(lfirst(lc));
	}
	else if (sublink != NULL && IsA(sublink, SubLink) && can_convert(sublink))
	{
		if (negated)
			return not_in(sublink);
		bulkpar_member_make_exists(sublink);
	}
	return condition;
}

/* Whether it is the same as EXISTS of a list with an index. */
static bool
can_convert(const SubLink *sublink)
{
	const Query *list = (const Query *) sublink->subselect;
	const RangeTblEntry *rte;
	AttrNumber	attnum;

	if (sublink->subLinkType != ANY_SUBLINK ||
		list->setOperations != NULL || list->cteList != NIL ||
		list->hasAggs || list->hasWindowFuncs || list->hasTargetSRFs ||
		list->groupClause != NIL || list->groupingSets != NIL ||
		list->havingQual != NULL || list->distinctClause != NIL ||
		list->limitCount != NULL || list->limitOffset != NULL ||
		list_length(list->targetList) != 1 ||
		bulkpar_member_value(sublink->testexpr) == NULL ||
		!bulkpar_reach_is_closed((Node *) list, 1) ||
		contain_volatile_functions((Node *) list))
		return false;
	rte = bulkpar_exists_column(list, &attnum);
	return rte != NULL &&
		bulkpar_joined_has_index(rte->relid, bms_make_singleton(attnum));
}

/*
 * The table of which the first column of a list is one, with its number; NULL if
 * it is something else.
 */
const RangeTblEntry *
bulkpar_exists_column(const Query *list, AttrNumber *attnum)
{
	const Node *value = (const Node *)
		linitial_node(TargetEntry, list->targetList)->expr;
	const Var  *column;
	const RangeTblEntry *rte;

	while (IsA(value, RelabelType))
		value = (const Node *) ((const RelabelType *) value)->arg;
	column = (const Var *) value;
	if (!IsA(column, Var) || column->varlevelsup != 0 || column->varattno <= 0)
		return NULL;
	*attnum = column->varattno;
	rte = rt_fetch(column->varno, list->rtable);
	return rte->rtekind == RTE_RELATION && rte->relkind != RELKIND_VIEW ?
		rte : NULL;
}

/* What is true if a NOT IN is. */
static Node *
not_in(const SubLink *sublink)
{
	Node	   *value = copyObject(bulkpar_member_value(sublink->testexpr));
	SubLink    *match = copyObject((SubLink *) sublink);

	bulkpar_member_make_exists(match);
	return (Node *)
		make_andclause(list_make3(make_notclause((Expr *) match),
								  make_orclause(list_make2(null_test(value, IS_NOT_NULL),
														   not_exists(sublink, false))),
								  not_exists(sublink, true)));
}

/* Whether the list is empty, or no null is in it. */
static Node *
not_exists(const SubLink *sublink, bool of_nulls)
{
	SubLink    *copy = copyObject((SubLink *) sublink);
	Query	   *list = (Query *) copy->subselect;
	Node	   *column = (Node *) linitial_node(TargetEntry,
												list->targetList)->expr;

	copy->subLinkType = EXISTS_SUBLINK;
	copy->testexpr = NULL;
	copy->operName = NIL;
	if (of_nulls)
		list->jointree->quals =
			make_and_qual(list->jointree->quals,
						  null_test(copyObject(column), IS_NULL));
	return (Node *) make_notclause((Expr *) copy);
}

static Node *
null_test(Node *value, NullTestType type)
{
	NullTest   *test = makeNode(NullTest);

	test->arg = (Expr *) value;
	test->nulltesttype = type;
	test->argisrow = false;
	test->location = -1;
	return (Node *) test;
}
