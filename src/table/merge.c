/*-------------------------------------------------------------------------
 *
 * merge.c
 *		MERGE, driven by its source.
 *
 * A table becomes a subquery that selects from it, so that the range of a batch
 * can be the condition of that: in the condition of the join it would make rows
 * beyond it rows that have no match.  A source that is a subquery already has its
 * driving table in its FROM list.
 *
 * One statement merges all rows as they meet the target in one snapshot, and
 * fails where two of them change the same row.  In batches a row would meet what
 * another one has inserted or changed before; so it must be told from the join
 * and the subquery that no two rows of the driving table can meet the same row.
 * What a subquery makes of one row of that table is in one batch, as it is in one
 * statement.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/merge.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/tlist.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "table/cascade.h"
#include "table/inserted.h"
#include "table/merge.h"
#include "table/part.h"
#include "table/unique.h"
#include "table/values.h"

/* A column of the source that the join says is equal to one of the target. */
typedef struct Pair
{
	AttrNumber	source;
	AttrNumber	target;
} Pair;

static int	find_source(const BulkparDrive *drive, const Query *top);
static void take_source(BulkparDrive *drive, Query *top, int source,
						Oid relid);
static void check_parts(const BulkparDrive *drive, const Query *top,
						int source);
static Oid	deletes_further(const BulkparDrive *drive, const Query *top,
							Oid target);
static bool has_dropped_column(Oid relid);
static bool find_row_test(Node *node, void *context);
static bool find_system_column(Node *node, void *context);
static bool meet_apart(const BulkparDrive *drive, const Query *top,
					   int source);
static Bitmapset *driving_columns(const BulkparDrive *drive, List *pairs);
static List *find_pairs(const Query *top, int source);
static Pair *find_pair(Node *clause, int target, int source);
static bool keeps_pairs(const MergeAction *action, List *pairs, int source,
						Oid target);
static bool sets_column(Oid relid, AttrNumber attnum, const List *assigned);
static Query *select_source(Query *top, int source);

/*
 * Find the source of a MERGE, which drives it or has the table that does, and make
 * it a subquery.  Otherwise as bulkpar_drive_find.
 */
void
bulkpar_merge_find(BulkparDrive *drive, Query *top, Oid relid,
				   bool sees_batches)
{
	int			source = find_source(drive, top);
	Oid			target = rt_fetch(top->resultRelation, top->rtable)->relid;
	Oid			further;

	check_parts(drive, top, source);
	take_source(drive, top, source, relid);
	relid = rt_fetch(drive->rti, drive->query->rtable)->relid;
	if (bulkpar_part_overlaps(relid, target))
		bulkpar_drive_refuse(drive, "MERGE of a table into itself", -1);
	further = sees_batches ? InvalidOid : deletes_further(drive, top, target);
	if (OidIsValid(further))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a foreign key deletes or changes rows of tables \"%s\" or \"%s\" where the MERGE deletes one",
						get_rel_name(further), get_rel_name(target)),
				 errdetail("Later batches would not meet these."),
				 errhint("Say sees_batches => true, if that does no harm.")));
	if (!sees_batches && !meet_apart(drive, top, source))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("rows of table \"%s\" might meet the same row of table \"%s\"",
						get_rel_name(relid), get_rel_name(target)),
				 errdetail("In batches the later row would meet what the earlier one has inserted or changed."),
				 errhint("Let the join compare columns of \"%s\" that have a unique index and are NOT NULL with columns of \"%s\", insert these as they are, and do not update them. Or say sees_batches => true, if that does no harm.",
						 get_rel_name(relid), get_rel_name(target))));
	drive->command = BULKPAR_COMMAND_MERGE;
	drive->merge = top;
	drive->inserted = target;
	drive->changed = list_make1_oid(target);
	drive->multiplies = true;
	bulkpar_inserted_check(drive, top, true);
}

/*
 * A table of the source of which foreign keys delete or change rows where some of
 * the target are deleted; the first one for the target itself, or InvalidOid.
 */
static Oid
deletes_further(const BulkparDrive *drive, const Query *top, Oid target)
{
	bool		deletes = false;
	ListCell   *lc;

	foreach(lc, top->mergeActionList)
		deletes |= lfirst_node(MergeAction, lc)->commandType == CMD_DELETE;
	foreach(lc, deletes ? drive->query->rtable : NIL)
	{
		const RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		if (rte->rtekind == RTE_RELATION &&
			(bulkpar_cascade_leads(target, target) ||
			 bulkpar_cascade_leads(target, rte->relid)))
			return rte->relid;
	}
	return InvalidOid;
}

/* The number of the source, which must be a table or a subquery. */
static int
find_source(const BulkparDrive *drive, const Query *top)
{
	Node	   *source = linitial(top->jointree->fromlist);
	int			rti = IsA(source, RangeTblRef) ?
		((RangeTblRef *) source)->rtindex : 0;
	const RangeTblEntry *rte = rti > 0 ? rt_fetch(rti, top->rtable) : NULL;

	if (rte == NULL || (rte->rtekind != RTE_RELATION &&
						rte->rtekind != RTE_SUBQUERY) ||
		rte->relkind == RELKIND_VIEW)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the source of a MERGE that is run in batches must be a table or a subquery"),
				 rte != NULL ? 0 :
				 errhint("Put the join into a subquery, such as USING (SELECT ... FROM ... JOIN ...) AS s.")));
	if (rte->tablesample != NULL)
		bulkpar_drive_refuse(drive, "TABLESAMPLE of the driving table", -1);
	return rti;
}

/* Let the source be a subquery that is driven, by the table of the OID if valid. */
static void
take_source(BulkparDrive *drive, Query *top, int source, Oid relid)
{
	const RangeTblEntry *rte = rt_fetch(source, top->rtable);

	if (rte->rtekind == RTE_SUBQUERY)
	{
		drive->query = rte->subquery;
		bulkpar_drive_find_in_select(drive, relid);
		return;
	}
	drive->query = select_source(top, source);
	drive->rti = 1;
}

/* What a MERGE must not have. */
static void
check_parts(const BulkparDrive *drive, const Query *top, int source)
{
	Node	   *condition = BULKPAR_COMPAT_MERGE_CONDITION(top);
	ListCell   *lc;

	if (top->returningList != NIL)
		bulkpar_drive_refuse(drive, "RETURNING",
							 exprLocation((Node *) top->returningList));
	if (top->cteList != NIL)
		bulkpar_drive_refuse(drive, "WITH of MERGE",
							 exprLocation((Node *) top->cteList));
	if (top->hasSubLinks)
		bulkpar_drive_refuse(drive, "a subquery in MERGE", -1);
	foreach(lc, top->mergeActionList)
	{
		if (bulkpar_compat_merges_unmatched_target(lfirst_node(MergeAction, lc)))
			bulkpar_drive_refuse(drive, "WHEN NOT MATCHED BY SOURCE", -1);
	}
	if (find_system_column((Node *) top->mergeActionList, &source) ||
		find_system_column(condition, &source))
		bulkpar_drive_refuse(drive, "a system column of the source of MERGE",
							 -1);
	if (rt_fetch(source, top->rtable)->rtekind == RTE_RELATION &&
		has_dropped_column(rt_fetch(source, top->rtable)->relid) &&
		(find_row_test((Node *) top->mergeActionList, &source) ||
		 find_row_test(condition, &source)))
		bulkpar_drive_refuse(drive, "a test for nulls of the row of a source of MERGE that has lost a column",
							 -1);
}

/*
 * Whether a table has had more columns: a row of the subquery that it becomes has
 * nulls for these.
 */
static bool
has_dropped_column(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	TupleDesc	desc = RelationGetDescr(rel);
	bool		found = false;

	for (int i = 0; i < desc->natts; i++)
		found |= TupleDescAttr(desc, i)->attisdropped;
	table_close(rel, NoLock);
	return found;
}

/* Whether a table's row as a whole is tested for nulls. */
static bool
find_row_test(Node *node, void *context)
{
	const Var  *row;

	if (node == NULL)
		return false;
	if (!IsA(node, NullTest))
		return expression_tree_walker(node, find_row_test, context);
	row = (const Var *) ((NullTest *) node)->arg;
	return IsA(row, Var) ?
		row->varno == *(const int *) context && row->varattno == 0 :
		find_row_test((Node *) row, context);
}

/* Whether there is a system column of a table. */
static bool
find_system_column(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
		return ((Var *) node)->varno == *(const int *) context &&
			((Var *) node)->varattno < 0;
	return expression_tree_walker(node, find_system_column, context);
}

/*
 * Whether no row of the target can be met by two rows of the driving table, also
 * not one that is inserted or changed for one of them.
 */
static bool
meet_apart(const BulkparDrive *drive, const Query *top, int source)
{
	const RangeTblEntry *rte = rt_fetch(drive->rti, drive->query->rtable);
	Oid			target = rt_fetch(top->resultRelation, top->rtable)->relid;
	List	   *pairs = find_pairs(top, source);
	ListCell   *lc;

	if (!bulkpar_unique_covers(rte->relid, rte->inh,
							   driving_columns(drive, pairs)) ||
		!bulkpar_inserted_is_as_given(target))
		return false;
	foreach(lc, top->mergeActionList)
	{
		if (!keeps_pairs(lfirst_node(MergeAction, lc), pairs, source, target))
			return false;
	}
	return true;
}

/* Those of the driving table that are compared by the join as they are. */
static Bitmapset *
driving_columns(const BulkparDrive *drive, List *pairs)
{
	Bitmapset  *columns = NULL;
	ListCell   *lc;

	foreach(lc, pairs)
	{
		const Pair *pair = lfirst(lc);
		const TargetEntry *entry = get_tle_by_resno(drive->query->targetList,
													pair->source);
		const Var  *value = (const Var *) entry->expr;

		if (IsA(value, Var) && value->varno == drive->rti &&
			value->varlevelsup == 0 && value->varattno > 0)
			columns = bms_add_member(columns, value->varattno);
	}
	return columns;
}

/* The columns that the join compares. */
static List *
find_pairs(const Query *top, int source)
{
	Node	   *condition = BULKPAR_COMPAT_MERGE_CONDITION(top);
	List	   *pairs = NIL;
	ListCell   *lc;

	foreach(lc, make_ands_implicit((Expr *) condition))
	{
		Pair	   *pair = find_pair(lfirst(lc), top->resultRelation, source);

		if (pair != NULL)
			pairs = lappend(pairs, pair);
	}
	return pairs;
}

/* Those of one condition; NULL for none. */
static Pair *
find_pair(Node *clause, int target, int source)
{
	OpExpr	   *op = (OpExpr *) clause;
	Var		   *a;
	Var		   *b;
	Pair	   *pair;

	/* The analysis makes an AND of more than two conditions flat. */
	if (!IsA(clause, OpExpr) || list_length(op->args) != 2 ||
		!IsA(linitial(op->args), Var) || !IsA(lsecond(op->args), Var) ||
		(OidIsValid(op->inputcollid) &&
		 !get_collation_isdeterministic(op->inputcollid)))
		return NULL;
	a = linitial_node(Var, op->args);
	b = lsecond_node(Var, op->args);
	if (a->varno == source)
	{
		Var		   *other = a;

		a = b;
		b = other;
	}
	if (a->varno != target || b->varno != source || a->varattno <= 0 ||
		b->varattno <= 0 || a->vartype != b->vartype ||
		!op_mergejoinable(op->opno, a->vartype))
		return NULL;
	pair = palloc(sizeof(Pair));
	pair->source = b->varattno;
	pair->target = a->varattno;
	return pair;
}

/* Whether what an action leaves in the target is met by no row but its own. */
static bool
keeps_pairs(const MergeAction *action, List *pairs, int source, Oid target)
{
	ListCell   *lc;

	foreach(lc, pairs)
	{
		const Pair *pair = lfirst(lc);
		const TargetEntry *entry = get_tle_by_resno(action->targetList,
													pair->target);
		const Var  *value = entry == NULL ? NULL : (const Var *) entry->expr;

		if (action->commandType == CMD_UPDATE &&
			sets_column(target, pair->target, action->targetList))
			return false;
		if (action->commandType == CMD_INSERT &&
			(value == NULL || !IsA(value, Var) || value->varno != source ||
			 value->varattno != pair->source))
			return false;
	}
	return true;
}

/*
 * Whether a column of a table is among those that are assigned, or is generated from
 * one of them, in that table or in a part of it.
 */
static bool
sets_column(Oid relid, AttrNumber attnum, const List *assigned)
{
	bool		sets = get_tle_by_resno((List *) assigned, attnum) != NULL;
	ListCell   *part;
	ListCell   *lc;

	foreach(part, find_all_inheritors(relid, AccessShareLock, NULL))
	{
		Oid			part_relid = lfirst_oid(part);
		Relation	rel = table_open(part_relid, NoLock);
		Bitmapset  *columns = NULL;

		foreach(lc, assigned)
			columns = bms_add_member(columns,
									 bulkpar_part_column(relid,
														 lfirst_node(TargetEntry, lc)->resno,
														 part_relid));
		sets |= bulkpar_values_generate(rel,
										bulkpar_part_column(relid, attnum,
															part_relid),
										columns);
		table_close(rel, NoLock);
	}
	return sets;
}

/*
 * Put SELECT ... FROM the source in its place, whose columns have the numbers that
 * they have in the table.
 */
static Query *
select_source(Query *top, int source)
{
	RangeTblEntry *rte = rt_fetch(source, top->rtable);
	RangeTblEntry *own = copyObject(rte);
	RangeTblRef *reference = makeNode(RangeTblRef);
	Query	   *query = makeNode(Query);
	AttrNumber	number = 0;
	ListCell   *lc;

	query->commandType = CMD_SELECT;
	query->querySource = QSRC_ORIGINAL;
	query->canSetTag = true;
	query->rtable = list_make1(own);
	bulkpar_compat_take_permissions(top, query, own);
	reference->rtindex = 1;
	query->jointree = makeFromExpr(list_make1(reference), NULL);
	foreach(lc, rte->eref->colnames)
	{
		Oid			type = get_atttype(rte->relid, ++number);
		int32		typmod;
		Oid			collation;
		Node	   *value;

		if (OidIsValid(type))
		{
			get_atttypetypmodcoll(rte->relid, number, &type, &typmod,
								  &collation);
			value = (Node *) makeVar(1, number, type, typmod, collation, 0);
		}
		else
			value = (Node *) makeNullConst(INT4OID, -1, InvalidOid);
		bulkpar_values_add(&query->targetList, value, strVal(lfirst(lc)));
	}
	rte->rtekind = RTE_SUBQUERY;
	rte->subquery = query;
	rte->relid = InvalidOid;
	rte->relkind = '\0';
	rte->rellockmode = NoLock;
	rte->inh = false;
	bulkpar_compat_no_permissions(rte);
	return query;
}
