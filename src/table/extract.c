/*-------------------------------------------------------------------------
 *
 * extract.c
 *		A subquery as a statement of its own.
 *
 * The statement has the CTEs of the one that the subquery is from, as these are
 * when it is extracted.  It must depend on nothing else, see reach.c.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/extract.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "table/extract.h"
#include "table/values.h"

static bool uses_whole_row(const Bitmapset *columns);
static Query *select_from(const Query *top, RangeTblEntry *rte);
static void add_if_used(Query *query, const Bitmapset *used, Var *column,
						char *name);
static Var *make_column(const RangeTblEntry *rte, AttrNumber attnum);

/* Whether a sublink returns one value, whatever rows its subquery has. */
bool
bulkpar_extract_is_scalar(const SubLink *sublink)
{
	return sublink->subLinkType == EXPR_SUBLINK ||
		sublink->subLinkType == EXISTS_SUBLINK ||
		sublink->subLinkType == ARRAY_SUBLINK;
}

/*
 * SELECT (...): the value of such a sublink, of a query that is so many levels
 * below the statement.
 */
Query *
bulkpar_extract_scalar(const Query *top, const SubLink *sublink, int level)
{
	Query	   *query = select_from(top, NULL);
	SubLink    *copy = copyObject((SubLink *) sublink);

	IncrementVarSublevelsUp(copy->subselect, -level, 1);
	bulkpar_values_add(&query->targetList, (Node *) copy, "value");
	query->hasSubLinks = true;
	return query;
}

/*
 * SELECT * FROM (...): the rows of a subquery of a query that is so many levels
 * below the statement, with nulls for the columns that are not used.
 */
Query *
bulkpar_extract_subquery(const Query *top, const Query *subquery, int level,
						 const Bitmapset *used)
{
	RangeTblEntry *rte = makeNode(RangeTblEntry);
	Query	   *query;
	ListCell   *lc;

	rte->rtekind = RTE_SUBQUERY;
	rte->subquery = copyObject((Query *) subquery);
	IncrementVarSublevelsUp((Node *) rte->subquery, -level, 1);
	rte->eref = makeAlias("subquery", NIL);
	query = select_from(top, rte);
	foreach(lc, subquery->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);
		char	   *name = entry->resname == NULL ? "?column?" :
			entry->resname;

		if (entry->resjunk)
			continue;
		rte->eref->colnames = lappend(rte->eref->colnames,
									  makeString(pstrdup(name)));
		add_if_used(query, used, makeVarFromTargetEntry(1, entry), name);
	}
	return query;
}

/* SELECT * FROM cte: the same of a CTE of the statement. */
Query *
bulkpar_extract_cte(const Query *top, const CommonTableExpr *cte,
					const Bitmapset *used)
{
	RangeTblEntry *rte = makeNode(RangeTblEntry);
	Query	   *query;
	List	   *columns;
	ListCell   *name;
	ListCell   *column;

	rte->rtekind = RTE_CTE;
	rte->ctename = pstrdup(cte->ctename);
	rte->coltypes = cte->ctecoltypes;
	rte->coltypmods = cte->ctecoltypmods;
	rte->colcollations = cte->ctecolcollations;
	rte->eref = makeAlias(cte->ctename, copyObject(cte->ctecolnames));
	query = select_from(top, rte);
	columns = bulkpar_compat_columns(rte, false);
	forboth(name, cte->ctecolnames, column, columns)
		add_if_used(query, used, lfirst_node(Var, column),
					strVal(lfirst(name)));
	return query;
}

/*
 * SELECT ... FROM item: the rows of an item of the FROM list of the statement,
 * or of a query in it if the item is a table; of a table just the columns that
 * are used.
 */
Query *
bulkpar_extract_item(const Query *top, const Query *query, int rti)
{
	RangeTblEntry *rte = copyObject(rt_fetch(rti, query->rtable));
	Query	   *own;
	List	   *columns = NIL;
	ListCell   *lc;

	if (rte->rtekind == RTE_RELATION)
	{
		foreach(lc, bulkpar_extract_used_columns(query, rti))
			columns = lappend(columns, make_column(rte, lfirst_int(lc)));
	}
	else
		columns = bulkpar_compat_columns(rte, true);
	own = select_from(top, rte);
	bulkpar_compat_take_permissions(query, own, rte);
	own->hasSubLinks = query->hasSubLinks;
	foreach(lc, columns)
		bulkpar_values_add(&own->targetList, lfirst(lc), "value");
	return own;
}

/*
 * The numbers of the columns of a table in a query that are used: all where a
 * whole row is.
 */
List *
bulkpar_extract_used_columns(const Query *query, int rti)
{
	RangeTblEntry *rte = rt_fetch(rti, query->rtable);
	Bitmapset  *used = bulkpar_compat_selected_columns(query, rte);
	bool		whole = uses_whole_row(used);
	int			natts = list_length(rte->eref->colnames);
	List	   *columns = NIL;

	for (AttrNumber i = FirstLowInvalidHeapAttributeNumber + 1; i <= natts; i++)
	{
		if (i == InvalidAttrNumber ||
			(i > 0 && get_atttype(rte->relid, i) == InvalidOid))
			continue;
		if (bms_is_member(i - FirstLowInvalidHeapAttributeNumber, used) ||
			(i > 0 && whole))
			columns = lappend_int(columns, i);
	}
	return columns;
}

/* Whether more of a table in a query is used than its columns by themselves. */
bool
bulkpar_extract_uses_row(const Query *query, int rti)
{
	List	   *columns = bulkpar_extract_used_columns(query, rti);

	return columns == NIL || linitial_int(columns) <= 0 ||
		uses_whole_row(bulkpar_compat_selected_columns(query,
													   rt_fetch(rti, query->rtable)));
}

static bool
uses_whole_row(const Bitmapset *columns)
{
	return bms_is_member(InvalidAttrNumber - FirstLowInvalidHeapAttributeNumber,
						 columns);
}

/* A SELECT from one item, or from none, still without columns. */
static Query *
select_from(const Query *top, RangeTblEntry *rte)
{
	Query	   *query = makeNode(Query);
	RangeTblRef *reference = makeNode(RangeTblRef);

	query->commandType = CMD_SELECT;
	query->querySource = QSRC_ORIGINAL;
	query->canSetTag = true;
	query->cteList = copyObject(top->cteList);
	query->hasRecursive = top->hasRecursive;
	query->jointree = makeFromExpr(NIL, NULL);
	if (rte != NULL)
	{
		rte->lateral = false;
		rte->inFromCl = true;
		reference->rtindex = 1;
		query->rtable = list_make1(rte);
		query->jointree->fromlist = list_make1(reference);
	}
	return query;
}

/* Add a column of the item that a query selects from, or a null for it. */
static void
add_if_used(Query *query, const Bitmapset *used, Var *column, char *name)
{
	Node	   *value = bms_is_member(column->varattno, used) ?
		(Node *) column :
		(Node *) makeNullConst(INT4OID, -1, InvalidOid);

	bulkpar_values_add(&query->targetList, value, name);
}

static Var *
make_column(const RangeTblEntry *rte, AttrNumber attnum)
{
	Oid			type;
	int32		typmod;
	Oid			collation;

	get_atttypetypmodcoll(rte->relid, attnum, &type, &typmod, &collation);
	return makeVar(1, attnum, type, typmod, collation, 0);
}
