/*-------------------------------------------------------------------------
 *
 * partbounds.c
 *		What the bounds of partitions say of their rows.
 *
 * A statement on some parts of its target is given what holds for all rows of
 * these, so that the planner, who would otherwise open and plan all partitions,
 * need not.  It takes nothing away: what does not help is left out.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/partbounds.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/partition.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "rewrite/rewriteManip.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/typcache.h"

#include "table/partbounds.h"

static List *conditions_of(Oid target, Oid part);
static bool can_prune(const Node *clause);
static List *widen(const List *conditions, const List *others);
static Node *weaker(Node *clause, const List *others);
static bool same_but_for_value(const Node *a, const Node *b);

/*
 * What holds for all rows of some parts, in the columns of the target as the
 * first table of a query; NULL for nothing.  All must be locked.
 *
 * For ranges that is one range around all of them, and not that a row is in one
 * of them, which the planner would compare with each again and again.
 */
Node *
bulkpar_partbounds_condition(Oid target, const List *parts)
{
	List	   *conditions = conditions_of(target, linitial_oid(parts));
	ListCell   *lc;

	for_each_from(lc, parts, 1)
	{
		if (conditions == NIL)
			break;
		conditions = widen(conditions, conditions_of(target, lfirst_oid(lc)));
	}
	return conditions == NIL ? NULL : (Node *) make_ands_explicit(conditions);
}

/* The same of one part, as a list. */
static List *
conditions_of(Oid target, Oid part)
{
	List	   *conditions = NIL;
	Relation	target_rel;
	Relation	part_rel;
	ListCell   *lc;

	if (part == target || !get_rel_relispartition(part))
		return NIL;
	foreach(lc, make_ands_implicit(get_partition_qual_relid(part)))
	{
		if (can_prune(lfirst(lc)))
			conditions = lappend(conditions, lfirst(lc));
	}
	target_rel = table_open(target, NoLock);
	part_rel = table_open(part, NoLock);
	conditions = map_partition_varattnos(conditions, 1, target_rel, part_rel);
	table_close(part_rel, NoLock);
	table_close(target_rel, NoLock);
	return conditions;
}

/*
 * Whether the planner can compare a condition with others, so that it is worth
 * being evaluated for each row: not one on a hash, nor that of the default
 * partition, which is that no other one fits.
 */
static bool
can_prune(const Node *clause)
{
	return !(IsA(clause, FuncExpr) &&
			 ((const FuncExpr *) clause)->funcid ==
			 F_SATISFIES_HASH_PARTITION) &&
		!(IsA(clause, BoolExpr) &&
		  ((const BoolExpr *) clause)->boolop == NOT_EXPR);
}

/* Of two lists of conditions, what holds where all of either do. */
static List *
widen(const List *conditions, const List *others)
{
	List	   *wider = NIL;
	ListCell   *lc;

	foreach(lc, conditions)
	{
		Node	   *clause = list_member(others, lfirst(lc)) ? lfirst(lc) :
			weaker(lfirst(lc), others);

		if (clause != NULL)
			wider = lappend(wider, clause);
	}
	return wider;
}

/*
 * Of a bound and one of the same kind, the one that holds where either does; NULL
 * if there is none.
 */
static Node *
weaker(Node *clause, const List *others)
{
	ListCell   *lc;

	foreach(lc, others)
	{
		const OpExpr *op = (const OpExpr *) clause;
		Const	   *value;
		Const	   *other;

		if (!same_but_for_value(clause, lfirst(lc)))
			continue;
		value = lsecond_node(Const, op->args);
		other = lsecond_node(Const, ((const OpExpr *) lfirst(lc))->args);
		/* What is less than the lower of two bounds is less than both. */
		return DatumGetBool(OidFunctionCall2Coll(get_opcode(op->opno),
												 op->inputcollid,
												 value->constvalue,
												 other->constvalue)) ?
			lfirst(lc) : clause;
	}
	return NULL;
}

/* Whether two conditions are lower, or upper, bounds of the same column. */
static bool
same_but_for_value(const Node *a, const Node *b)
{
	const OpExpr *first = (const OpExpr *) a;
	const OpExpr *second = (const OpExpr *) b;
	Const	   *value;
	Const	   *other;
	Oid			family;
	int			strategy;

	if (!IsA(a, OpExpr) || !IsA(b, OpExpr) ||
		first->opno != second->opno ||
		first->inputcollid != second->inputcollid ||
		list_length(first->args) != 2 ||
		!equal(linitial(first->args), linitial(second->args)) ||
		!IsA(lsecond(first->args), Const) ||
		!IsA(lsecond(second->args), Const))
		return false;
	value = lsecond_node(Const, first->args);
	other = lsecond_node(Const, second->args);
	if (value->constisnull || other->constisnull ||
		value->consttype != other->consttype ||
		exprType(linitial(first->args)) != value->consttype)
		return false;
	family = lookup_type_cache(value->consttype,
							   TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	strategy = OidIsValid(family) ?
		get_op_opfamily_strategy(first->opno, family) : InvalidStrategy;
	return strategy != InvalidStrategy && strategy != BTEqualStrategyNumber;
}
