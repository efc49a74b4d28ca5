/*-------------------------------------------------------------------------
 *
 * substitute.c
 *		The result of a subquery in its place.
 *
 * A query that selects from the table with the result takes the place of the
 * subquery.  It reads with the rights of the owner of the table, for nobody else
 * has any; whether the user may read what is in it was seen when the subquery
 * was evaluated.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/substitute.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "books/kept.h"
#include "compat.h"
#include "table/extract.h"
#include "table/substitute.h"
#include "table/values.h"

/* A column of an item that has another number than it had. */
typedef struct Renumbering
{
	int			rti;
	int			level;
	AttrNumber	from;
	AttrNumber	to;
} Renumbering;

static Query *select_result(const BulkparJob *job,
							const BulkparSubquery *result, List *targets);
static Node *result_column(const BulkparJob *job, Relation rel, int number,
						   const TargetEntry *target);
static List *place_columns(Query *query, int rti, List *targets);
static Node *null_column(Oid relid, AttrNumber attnum);
static Node *whole_row(const RangeTblEntry *rte, const List *columns);
static void add_column(Query *query, int rti, List **placed, AttrNumber attnum,
					   Node *value);
static bool renumber(Node *node, void *context);

/* Let a sublink have the result whose columns are those targets. */
void
bulkpar_substitute_sublink(const BulkparJob *job,
						   const BulkparSubquery *result, List *targets,
						   SubLink *sublink)
{
	if (bulkpar_extract_is_scalar(sublink))
		sublink->subLinkType = EXPR_SUBLINK;
	sublink->subselect = (Node *) select_result(job, result, targets);
}

/* The same of a CTE, which the planner then treats like a subquery. */
void
bulkpar_substitute_cte(const BulkparJob *job, const BulkparSubquery *result,
					   List *targets, CommonTableExpr *cte)
{
	cte->ctequery = (Node *) select_result(job, result, targets);
	cte->ctematerialized = CTEMaterializeNever;
	cte->cterecursive = false;
	cte->search_clause = NULL;
	cte->cycle_clause = NULL;
}

/* The same of an item of a FROM list. */
void
bulkpar_substitute_item(const BulkparJob *job, const BulkparSubquery *result,
						List *targets, Query *query, int rti)
{
	RangeTblEntry *rte = rt_fetch(rti, query->rtable);
	Query	   *subquery = select_result(job, result, targets);

	if (rte->rtekind == RTE_RELATION)
		subquery->targetList = place_columns(query, rti,
											 subquery->targetList);
	rte->rtekind = RTE_SUBQUERY;
	rte->subquery = subquery;
	rte->relid = InvalidOid;
	rte->relkind = '\0';
	rte->rellockmode = NoLock;
	rte->tablesample = NULL;
	rte->functions = NIL;
	rte->funcordinality = false;
	rte->tablefunc = NULL;
	rte->values_lists = NIL;
	rte->coltypes = rte->coltypmods = rte->colcollations = NIL;
	rte->lateral = false;
	rte->inh = false;
	bulkpar_compat_no_permissions(rte);
}

/* SELECT ... FROM the table with a result, whose columns are those targets. */
static Query *
select_result(const BulkparJob *job, const BulkparSubquery *result,
			  List *targets)
{
	Relation	rel = bulkpar_kept_open(job->job_id, result);
	RangeTblEntry *rte = makeNode(RangeTblEntry);
	RangeTblRef *reference = makeNode(RangeTblRef);
	Query	   *query = makeNode(Query);
	ListCell   *lc;

	rte->rtekind = RTE_RELATION;
	rte->relid = result->relid;
	rte->relkind = RELKIND_RELATION;
	rte->rellockmode = AccessShareLock;
	rte->inFromCl = true;
	rte->eref = makeAlias(RelationGetRelationName(rel), NIL);
	query->commandType = CMD_SELECT;
	query->querySource = QSRC_ORIGINAL;
	query->canSetTag = true;
	query->rtable = list_make1(rte);
	bulkpar_compat_read_as(query, rte, rel->rd_rel->relowner);
	reference->rtindex = 1;
	query->jointree = makeFromExpr(list_make1(reference), NULL);

	if (RelationGetNumberOfAttributes(rel) != list_length(targets))
		bulkpar_substitute_raise_changed(job);
	foreach(lc, targets)
	{
		TargetEntry *target = lfirst_node(TargetEntry, lc);

		rte->eref->colnames = lappend(rte->eref->colnames,
									  makeString(psprintf("c%d", target->resno)));
		bulkpar_values_add(&query->targetList,
						   result_column(job, rel, target->resno, target),
						   target->resname);
	}
	table_close(rel, NoLock);
	return query;
}

/* A column of the table, as of the type of the target. */
static Node *
result_column(const BulkparJob *job, Relation rel, int number,
			  const TargetEntry *target)
{
	Form_pg_attribute column = TupleDescAttr(RelationGetDescr(rel),
											 number - 1);
	Oid			type = exprType((Node *) target->expr);
	Var		   *var = makeVar(1, number, column->atttypid, column->atttypmod,
							  column->attcollation, 0);

	if (column->attisdropped || column->atttypid != getBaseType(type))
		bulkpar_substitute_raise_changed(job);
	if (column->atttypid == type)
		return (Node *) var;
	return (Node *) makeRelabelType((Expr *) var, type,
									exprTypmod((Node *) target->expr),
									column->attcollation,
									COERCE_IMPLICIT_CAST);
}

/*
 * The columns of a subquery that takes the place of a table: those that are
 * used have the numbers that they had, but for system columns, which come
 * after them.  Where there are such the whole row is a column as well, for what
 * had it by the number of none would get these with it.
 */
static List *
place_columns(Query *query, int rti, List *targets)
{
	RangeTblEntry *rte = rt_fetch(rti, query->rtable);
	List	   *used = bulkpar_extract_used_columns(query, rti);
	int			natts = list_length(rte->eref->colnames);
	List	   *placed = NIL;
	Node	   *row;
	ListCell   *lc;

	for (AttrNumber i = 1; i <= natts; i++)
	{
		int			place = list_member_int(used, i) ? 0 : -1;
		Node	   *value;

		for (; place >= 0 && list_nth_int(used, place) != i; place++)
			;
		value = place < 0 ? null_column(rte->relid, i) :
			(Node *) list_nth_node(TargetEntry, targets, place)->expr;
		bulkpar_values_add(&placed, value,
						   strVal(list_nth(rte->eref->colnames, i - 1)));
	}
	if (used == NIL || linitial_int(used) > 0)
		return placed;
	row = whole_row(rte, placed);
	foreach(lc, used)
	{
		TargetEntry *target = list_nth_node(TargetEntry, targets,
											foreach_current_index(lc));

		if (lfirst_int(lc) > 0)
			break;
		add_column(query, rti, &placed, lfirst_int(lc), (Node *) target->expr);
	}
	add_column(query, rti, &placed, InvalidAttrNumber, row);
	return placed;
}

/* In the place of a column that is not used, or dropped. */
static Node *
null_column(Oid relid, AttrNumber attnum)
{
	Oid			type = get_atttype(relid, attnum);
	int32		typmod = -1;
	Oid			collation = InvalidOid;

	if (OidIsValid(type))
		get_atttypetypmodcoll(relid, attnum, &type, &typmod, &collation);
	else
		type = INT4OID;
	return (Node *) makeNullConst(type, typmod, collation);
}

/* The row of a table, of all of its columns. */
static Node *
whole_row(const RangeTblEntry *rte, const List *columns)
{
	RowExpr    *row = makeNode(RowExpr);
	ListCell   *lc;

	foreach(lc, columns)
		row->args = lappend(row->args,
							copyObject(lfirst_node(TargetEntry, lc)->expr));
	row->row_typeid = get_rel_type_id(rte->relid);
	row->row_format = COERCE_IMPLICIT_CAST;
	row->colnames = copyObject(rte->eref->colnames);
	row->location = -1;
	return (Node *) row;
}

/* Append what was the column of that number of an item to its columns. */
static void
add_column(Query *query, int rti, List **placed, AttrNumber attnum,
		   Node *value)
{
	RangeTblEntry *rte = rt_fetch(rti, query->rtable);
	Renumbering renumbering = {.rti = rti, .from = attnum};

	bulkpar_values_add(placed, value, "system");
	rte->eref->colnames = lappend(rte->eref->colnames, makeString("system"));
	renumbering.to = list_length(*placed);
	(void) query_tree_walker(query, renumber, &renumbering, 0);
}

static bool
renumber(Node *node, void *context)
{
	Renumbering *renumbering = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		renumbering->level++;
		(void) query_tree_walker((Query *) node, renumber, context, 0);
		renumbering->level--;
		return false;
	}
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) node;

		if (var->varno == renumbering->rti &&
			(int) var->varlevelsup == renumbering->level &&
			var->varattno == renumbering->from)
			var->varattno = var->varattnosyn = renumbering->to;
		return false;
	}
	return expression_tree_walker(node, renumber, context);
}

/* The statement has not the subqueries that it had when the job began. */
void
bulkpar_substitute_raise_changed(const BulkparJob *job)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the statement of bulkpar job " INT64_FORMAT " has changed its meaning",
					job->job_id),
			 errdetail("Its subqueries do not return what they did when the job began."),
			 errhint("A table, view or function that it names may have been replaced. Start another job.")));
}
