/*-------------------------------------------------------------------------
 *
 * unchanged.c
 *		Leaving out rows whose values would stay the same.
 *
 * The condition that does it compares the columns with the expressions as the
 * UPDATE would assign them, so these are evaluated twice for a row that is
 * written.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/unchanged.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_func.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "bookkeeping.h"
#include "unchanged.h"

int64		bulkpar_unchanged_rows = 0;

static Node *new_value(const TargetEntry *entry, Relation rel);
static Node *distinct(Node *old, Node *new);
static Expr *row_of(Node *value);
static bool find_multi_assignment(Node *node, void *context);

PG_FUNCTION_INFO_V1(bulkpar_changed);

/* bulkpar_changed(boolean): what it is called with, but counts the false. */
Datum
bulkpar_changed(PG_FUNCTION_ARGS)
{
	bool		changed = PG_GETARG_BOOL(0);

	if (!changed)
		bulkpar_unchanged_rows++;
	PG_RETURN_BOOL(changed);
}

/* The condition that an UPDATE changes a row. */
Node *
bulkpar_unchanged_condition(const Query *query)
{
	RangeTblEntry *rte = rt_fetch(query->resultRelation, query->rtable);
	Relation	rel = table_open(rte->relid, NoLock);
	Oid			argtypes[] = {BOOLOID};
	List	   *distincts = NIL;
	Oid			function;
	ListCell   *lc;

	foreach(lc, query->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel),
											   entry->resno - 1);
		Var		   *old = makeVar(query->resultRelation, entry->resno,
								  attr->atttypid, attr->atttypmod,
								  attr->attcollation, 0);

		distincts = lappend(distincts, distinct((Node *) old,
												new_value(entry, rel)));
	}
	table_close(rel, NoLock);

	function = LookupFuncName(list_make2(makeString(get_namespace_name(bulkpar_bookkeeping_schema())),
										 makeString("bulkpar_changed")),
							  1, argtypes, false);
	return (Node *) makeFuncExpr(function, BOOLOID,
								 list_make1(make_orclause(distincts)),
								 InvalidOid, InvalidOid,
								 COERCE_EXPLICIT_CALL);
}

/* What an entry of the target list assigns. */
static Node *
new_value(const TargetEntry *entry, Relation rel)
{
	Node	   *value = (Node *) entry->expr;

	if (find_multi_assignment(value, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("\"skip_unchanged\" is not supported with several columns set from one subquery")));
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

/*
 * Whether two values of a type are distinct.  Types without equality are
 * compared byte by byte, as rows are by the operator *<>.
 */
static Node *
distinct(Node *old, Node *new)
{
	TypeCacheEntry *type = lookup_type_cache(exprType(old), TYPECACHE_EQ_OPR);
	Expr	   *result;

	if (OidIsValid(type->eq_opr))
	{
		result = make_opclause(type->eq_opr, BOOLOID, false, (Expr *) old,
							   (Expr *) new, InvalidOid, exprCollation(old));
		NodeSetTag(result, T_DistinctExpr);
		return (Node *) result;
	}
	return (Node *) make_opclause(OpernameGetOprid(list_make2(makeString("pg_catalog"),
															  makeString("*<>")),
												   RECORDOID, RECORDOID),
								  BOOLOID, false, row_of(old), row_of(new),
								  InvalidOid, InvalidOid);
}

static Expr *
row_of(Node *value)
{
	RowExpr    *row = makeNode(RowExpr);

	row->args = list_make1(value);
	row->row_typeid = RECORDOID;
	row->row_format = COERCE_EXPLICIT_CALL;
	row->colnames = list_make1(makeString(pstrdup("f1")));
	row->location = -1;
	return (Expr *) row;
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
