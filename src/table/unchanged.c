/*-------------------------------------------------------------------------
 *
 * unchanged.c
 *		Leaving out rows whose values would stay the same.
 *
 * The condition that does it compares the columns with the values that the
 * UPDATE would assign, byte by byte, so that a change between values that are
 * equal by their type is not lost.  The expressions are evaluated twice for a
 * row that is written.
 *
 * It must be looked at last, only for rows that the UPDATE would write: so it
 * refers to all tables of the FROM list, and to what the other conditions have
 * in subqueries, and hooks.c lets the planner put it behind these.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/unchanged.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "storage/itemptr.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"

#include "books/books.h"
#include "compat.h"
#include "table/unchanged.h"
#include "table/values.h"

/* A row of the target that bulkpar_changed() was called for. */
typedef struct RowSeen
{
	ItemPointerData row;
	bool		changed;
} RowSeen;

static HTAB *rows_seen = NULL;

static void forget_rows(void *arg);
static Oid	changed_function(void);
static Expr *row_of(List *values);
static List *other_tables(ParseState *pstate, const Query *query);
static Node *with_subqueries(Query *query, Expr *changed);
static List *conditions_with_subqueries(Node *quals);
static bool find_sublink(Node *node, void *context);
static bool find_changed(Node *node, void *context);

PG_FUNCTION_INFO_V1(bulkpar_changed);

/*
 * bulkpar_changed(changed, row, ...): its first argument, but remembers which
 * rows it was true for.
 */
Datum
bulkpar_changed(PG_FUNCTION_ARGS)
{
	bool		changed = !PG_ARGISNULL(0) && PG_GETARG_BOOL(0);

	if (rows_seen != NULL && !PG_ARGISNULL(1))
	{
		bool		found;
		RowSeen    *row = hash_search(rows_seen, PG_GETARG_POINTER(1),
									  HASH_ENTER, &found);

		row->changed = changed || (found && row->changed);
	}
	PG_RETURN_BOOL(changed);
}

/* Begin to count; the memory comes from the current memory context. */
void
bulkpar_unchanged_start(void)
{
	HASHCTL		control = {
		.keysize = sizeof(ItemPointerData),
		.entrysize = sizeof(RowSeen),
		.hcxt = CurrentMemoryContext
	};
	MemoryContextCallback *callback;

	rows_seen = hash_create("bulkpar rows", 1024, &control,
							HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	callback = palloc0(sizeof(MemoryContextCallback));
	callback->func = forget_rows;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
}

/* The rows that would stay the same since then, in whatever way they match. */
int64
bulkpar_unchanged_count(void)
{
	HASH_SEQ_STATUS scan;
	RowSeen    *row;
	int64		count = 0;

	Assert(rows_seen != NULL);
	hash_seq_init(&scan, rows_seen);
	while ((row = hash_seq_search(&scan)) != NULL)
		count += row->changed ? 0 : 1;
	rows_seen = NULL;
	return count;
}

/* The condition that an UPDATE changes a row. */
Node *
bulkpar_unchanged_condition(ParseState *pstate, Query *query)
{
	RangeTblEntry *rte = rt_fetch(query->resultRelation, query->rtable);
	Relation	rel = table_open(rte->relid, NoLock);
	List	   *old_values = NIL;
	List	   *new_values = NIL;
	List	   *differs = list_make2(makeString("pg_catalog"),
									 makeString("*<>"));
	Var		   *row = makeVar(query->resultRelation,
							  SelfItemPointerAttributeNumber, TIDOID, -1,
							  InvalidOid, 0);
	Expr	   *differ;
	ListCell   *lc;

	foreach(lc, bulkpar_values_new(query, rel))
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);

		if (entry->expr == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("\"skip_unchanged\" is not supported with several columns set from one subquery")));
		old_values = lappend(old_values,
							 bulkpar_values_old(pstate, query, entry->resno));
		new_values = lappend(new_values, entry->expr);
	}
	table_close(rel, NoLock);

	/* Nobody can put another operator of that name into pg_catalog. */
	differ = make_opclause(OpernameGetOprid(differs, RECORDOID, RECORDOID),
						   BOOLOID, false, row_of(old_values),
						   row_of(new_values), InvalidOid, InvalidOid);
	return with_subqueries(query, (Expr *)
						   makeFuncExpr(changed_function(), BOOLOID,
										lcons(differ,
											  lcons(row, other_tables(pstate, query))),
										InvalidOid, InvalidOid,
										COERCE_EXPLICIT_CALL));
}

/* Whether a clause is that condition, as the planner has left it. */
bool
bulkpar_unchanged_is(Node *clause)
{
	Oid			function = changed_function();

	return find_changed(clause, &function);
}

static void
forget_rows(void *arg)
{
	rows_seen = NULL;
}

static Oid
changed_function(void)
{
	Oid			argtypes[] = {BOOLOID, TIDOID, ANYOID};

	return bulkpar_books_function("bulkpar_changed", lengthof(argtypes),
								  argtypes);
}

static Expr *
row_of(List *values)
{
	RowExpr    *row = makeNode(RowExpr);

	row->args = values;
	row->row_typeid = RECORDOID;
	row->row_format = COERCE_EXPLICIT_CALL;
	for (int i = 0; i < list_length(values); i++)
		row->colnames = lappend(row->colnames,
								makeString(psprintf("f%d", i + 1)));
	row->location = -1;
	return (Expr *) row;
}

/*
 * References to all tables of the FROM list, or one constant: a variadic
 * argument cannot be left out.
 */
static List *
other_tables(ParseState *pstate, const Query *query)
{
	List	   *references = NIL;
	int			rti = 0;
	ListCell   *lc;

	foreach(lc, query->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);
		Var		   *reference;

		rti++;
		if (rti == query->resultRelation || rte->rtekind == RTE_JOIN ||
			rte->rtekind == RTE_RESULT)
			continue;
		if (rte->rtekind == RTE_RELATION && rte->relkind == RELKIND_RELATION)
			reference = makeVar(rti, SelfItemPointerAttributeNumber, TIDOID,
								-1, InvalidOid, 0);
		else
			reference = makeWholeRowVar(rte, rti, 0, false);
		references = lappend(references,
							 bulkpar_compat_mark_nullable(pstate, reference));
	}
	if (references == NIL)
		references = list_make1(makeBoolConst(true, false));
	return references;
}

/*
 * CASE WHEN what the condition has in subqueries THEN changed ELSE false END:
 * the planner may join these after it has looked at the conditions.
 */
static Node *
with_subqueries(Query *query, Expr *changed)
{
	List	   *subqueries =
		conditions_with_subqueries(query->jointree->quals);
	CaseExpr   *result;
	CaseWhen   *when;

	if (subqueries == NIL)
		return (Node *) changed;

	when = makeNode(CaseWhen);
	when->expr = make_ands_explicit(subqueries);
	when->result = changed;
	when->location = -1;
	result = makeNode(CaseExpr);
	result->casetype = BOOLOID;
	result->args = list_make1(when);
	result->defresult = (Expr *) makeBoolConst(false, false);
	result->location = -1;
	return (Node *) result;
}

/* Copies of those of the conditions of a query that have a subquery. */
static List *
conditions_with_subqueries(Node *quals)
{
	List	   *result = NIL;
	ListCell   *lc;

	if (!is_andclause(quals))
		return find_sublink(quals, NULL) ? list_make1(copyObject(quals)) : NIL;
	foreach(lc, ((BoolExpr *) quals)->args)
		result = list_concat(result, conditions_with_subqueries(lfirst(lc)));
	return result;
}

static bool
find_sublink(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubLink))
		return true;
	return expression_tree_walker(node, find_sublink, context);
}

static bool
find_changed(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, FuncExpr) &&
		((FuncExpr *) node)->funcid == *(Oid *) context)
		return true;
	return expression_tree_walker(node, find_changed, context);
}
