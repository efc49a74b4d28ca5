/*-------------------------------------------------------------------------
 *
 * values.c
 *		The values of a row before and after an UPDATE, as expressions.
 *
 * All take the query as the analysis leaves it, before defaults are put in.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/values.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/tlist.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "table/values.h"

static Node *assigned_value(const TargetEntry *entry, Relation rel);
static TargetEntry *find_entry(List *entries, AttrNumber attnum);
static Node *assign_after(Node *later, Node *earlier);
static Node *value_after(const Query *query, Oid relid, AttrNumber attnum,
						 Node *old);
static bool find_multi_assignment(Node *node, void *context);

/* A column of a table of a query; it needs SELECT on it. */
Var *
bulkpar_values_column(ParseState *pstate, const Query *query, int rti,
					  AttrNumber attnum)
{
	RangeTblEntry *rte = rt_fetch(rti, query->rtable);
	Oid			type;
	int32		typmod;
	Oid			collation;
	Var		   *column;

	get_atttypetypmodcoll(rte->relid, attnum, &type, &typmod, &collation);
	column = makeVar(rti, attnum, type, typmod, collation, 0);
	markVarForSelectPriv(pstate, column);
	return column;
}

/* The same, of the table that the query changes. */
Var *
bulkpar_values_old(ParseState *pstate, const Query *query, AttrNumber attnum)
{
	return bulkpar_values_column(pstate, query, query->resultRelation, attnum);
}

/* Whether a column is generated from any of others, which are given by their numbers. */
bool
bulkpar_values_generate(Relation rel, AttrNumber generated,
						const Bitmapset *sources)
{
	Bitmapset  *used = NULL;
	int			source = -1;

	if (TupleDescAttr(RelationGetDescr(rel),
					  generated - 1)->attgenerated == '\0')
		return false;
	/* It is asked of each of many columns. */
	CHECK_FOR_INTERRUPTS();
	pull_varattnos(build_column_default(rel, generated), 1, &used);
	while ((source = bms_next_member(sources, source)) >= 0)
	{
		if (bms_is_member(source - FirstLowInvalidHeapAttributeNumber, used))
			return true;
	}
	return false;
}

/*
 * The columns that an UPDATE sets, as entries of a target list, each with its
 * new value; NULL for one of several columns that are set from one subquery,
 * which is no expression of its own.
 */
List *
bulkpar_values_new(const Query *query, Relation rel)
{
	List	   *entries = NIL;
	ListCell   *lc;

	foreach(lc, query->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);
		TargetEntry *earlier = find_entry(entries, entry->resno);
		Node	   *value;

		if (entry->resjunk)
			continue;
		value = assigned_value(entry, rel);
		if (earlier == NULL)
			entries = lappend(entries,
							  makeTargetEntry((Expr *) value, entry->resno,
											  entry->resname, false));
		else
			earlier->expr = (Expr *) assign_after(value,
												  (Node *) earlier->expr);
	}
	return entries;
}

/* What an entry of the target list assigns; NULL as above. */
static Node *
assigned_value(const TargetEntry *entry, Relation rel)
{
	Node	   *value = (Node *) entry->expr;

	if (find_multi_assignment(value, NULL))
		return NULL;
	if (!IsA(value, SetToDefault))
		return copyObject(value);
	value = build_column_default(rel, entry->resno);
	if (value == NULL)
	{
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel),
											   entry->resno - 1);

		value = (Node *) makeNullConst(attr->atttypid, attr->atttypmod,
									   attr->attcollation);
	}
	return value;
}

static TargetEntry *
find_entry(List *entries, AttrNumber attnum)
{
	ListCell   *lc;

	foreach(lc, entries)
	{
		if (lfirst_node(TargetEntry, lc)->resno == attnum)
			return lfirst(lc);
	}
	return NULL;
}

/*
 * What two assignments to parts of one column come to: the later one changes
 * what the earlier one has made of the column.  NULL if either is no expression.
 * Of assignments to the whole column, which the rewriter will refuse, the later
 * one counts.
 */
static Node *
assign_after(Node *later, Node *earlier)
{
	Node	   *part = later;

	if (later == NULL || earlier == NULL)
		return NULL;
	if (IsA(part, CoerceToDomain))
		part = (Node *) ((CoerceToDomain *) part)->arg;
	if (IsA(part, FieldStore))
		((FieldStore *) part)->arg = (Expr *) earlier;
	else if (IsA(part, SubscriptingRef) &&
			 ((SubscriptingRef *) part)->refassgnexpr != NULL)
		((SubscriptingRef *) part)->refexpr = (Expr *) earlier;
	return later;
}

/* Append an expression to a list of targets. */
void
bulkpar_values_add(List **targets, Node *value, char *name)
{
	*targets = lappend(*targets,
					   makeTargetEntry((Expr *) value,
									   list_length(*targets) + 1, name,
									   false));
}

/*
 * The old and the new value of each column that an UPDATE sets, as more
 * targets after the first ones; without columns that are set from a subquery
 * that sets several.
 */
void
bulkpar_values_show(ParseState *pstate, const Query *query, List **targets)
{
	RangeTblEntry *rte;
	Relation	rel;
	ListCell   *lc;

	if (query->commandType != CMD_UPDATE)
		return;
	rte = rt_fetch(query->resultRelation, query->rtable);
	rel = table_open(rte->relid, NoLock);
	foreach(lc, bulkpar_values_new(query, rel))
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);
		char	   *name;

		if (entry->expr == NULL)
			continue;
		name = get_attname(rte->relid, entry->resno, false);
		bulkpar_values_add(targets, (Node *)
						   bulkpar_values_old(pstate, query, entry->resno),
						   psprintf("old %s", name));
		bulkpar_values_add(targets, (Node *) entry->expr,
						   psprintf("new %s", name));
	}
	table_close(rel, NoLock);
}

/*
 * Columns as an UPDATE will leave them, by their numbers less
 * FirstLowInvalidHeapAttributeNumber, as more targets after the first ones;
 * without those that are among these.
 */
void
bulkpar_values_after(ParseState *pstate, const Query *query,
					 const Bitmapset *columns, List **targets)
{
	RangeTblEntry *rte = query->resultRelation > 0 ?
		rt_fetch(query->resultRelation, query->rtable) : NULL;
	int			column = -1;

	while ((column = bms_next_member(columns, column)) >= 0)
	{
		AttrNumber	attnum = column + FirstLowInvalidHeapAttributeNumber;
		Node	   *value = (Node *) bulkpar_values_old(pstate, query, attnum);

		if (tlist_member((Expr *) value, *targets) == NULL)
			bulkpar_values_add(targets,
							   value_after(query, rte->relid, attnum, value),
							   get_attname(rte->relid, attnum, false));
	}
}

/* What an UPDATE makes of a column, which may be its old value. */
static Node *
value_after(const Query *query, Oid relid, AttrNumber attnum, Node *old)
{
	Relation	rel = table_open(relid, NoLock);
	TargetEntry *entry = find_entry(bulkpar_values_new(query, rel), attnum);

	table_close(rel, NoLock);
	if (entry == NULL)
		return old;
	if (entry->expr == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("new values of column \"%s\" cannot be looked at",
						get_attname(relid, attnum, false))));
	return (Node *) entry->expr;
}

/* Whether a value comes from SET (...) = (SELECT ...). */
static bool
find_multi_assignment(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_MULTIEXPR)
		return true;
	return expression_tree_walker(node, find_multi_assignment, context);
}
