/*-------------------------------------------------------------------------
 *
 * inserted.c
 *		The table into which a statement inserts.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/inserted.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/tlist.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "books/books.h"
#include "table/inserted.h"
#include "table/part.h"
#include "table/rules.h"
#include "table/unique.h"

static void check_relation(Relation rel);
static void check_conflicts(const BulkparDrive *drive, const Query *top,
							bool sees_batches);
static bool are_columns_unique(const BulkparDrive *drive, const Query *top);
static bool are_indexes_exact(Oid relid);
static Bitmapset *conflict_columns(const OnConflictExpr *conflict);

/*
 * Refuse to insert into, or merge into, a table for which that would not be right
 * in batches, and conflicts that would be found in one statement.  A statement
 * that sees batches may do what would come out otherwise.
 */
void
bulkpar_inserted_check(const BulkparDrive *drive, const Query *top,
					   bool sees_batches)
{
	Oid			relid = rt_fetch(drive->rti, drive->query->rtable)->relid;
	List	   *relids;
	ListCell   *lc;

	relids = find_all_inheritors(drive->inserted, NoLock, NULL);
	foreach(lc, relids)
	{
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_FOREIGN_TABLE)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("rows cannot be inserted into foreign table \"%s\" in batches",
							get_rel_name(lfirst_oid(lc))),
					 errdetail("What is changed on another server does not commit together with the progress of the job.")));
	}
	if (!sees_batches && OidIsValid(relid) &&
		(list_member_oid(relids, relid) ||
		 bulkpar_part_belongs(relid, drive->inserted)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the statement inserts rows into table \"%s\", which it goes through itself",
						get_rel_name(drive->inserted)),
				 errdetail("A batch would go through what earlier batches have inserted, if it comes before the largest key that there is when the job begins."),
				 errhint("Say sees_batches => true if new rows have larger keys, or if that does no harm.")));
	if (get_rel_relkind(drive->inserted) != RELKIND_FOREIGN_TABLE)
	{
		Relation	rel = table_open(drive->inserted, NoLock);

		check_relation(rel);
		table_close(rel, NoLock);
	}
	if (top->onConflict != NULL)
		check_conflicts(drive, top, sees_batches);
}

static void
check_relation(Relation rel)
{
	const char *name = RelationGetRelationName(rel);

	if (rel->rd_rel->relkind == RELKIND_VIEW)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("rows cannot be inserted into view \"%s\" in batches",
						name),
				 errhint("Insert them into its table.")));
	if (bulkpar_books_include(RelationGetRelid(rel)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" of extension bulkpar is not supported",
						name)));
	bulkpar_rules_refuse(rel, CMD_INSERT);
}

/*
 * One statement with ON CONFLICT DO UPDATE fails where two of its rows conflict
 * with each other.  In batches the later one would update the earlier, unless
 * what is unique in the one table is unique in the other.
 */
static void
check_conflicts(const BulkparDrive *drive, const Query *top,
				bool sees_batches)
{
	const OnConflictExpr *conflict = top->onConflict;

	if (checkExprHasSubLink((Node *) conflict))
		bulkpar_drive_refuse(drive, "a subquery in ON CONFLICT", -1);
	if (conflict->action == ONCONFLICT_UPDATE && !sees_batches &&
		!are_columns_unique(drive, top))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("rows of table \"%s\" might conflict with each other, which ON CONFLICT DO UPDATE refuses in one statement",
						get_rel_name(rt_fetch(drive->rti,
											  drive->query->rtable)->relid)),
				 errdetail("In batches the later row would update what the earlier one has inserted."),
				 errhint("Let the columns of the conflict be columns of that table that have a unique index there. Or say sees_batches => true, if a second update does no harm.")));
}

/*
 * Whether two rows of the driving table cannot conflict: some of what is inserted
 * into the columns of the conflict are columns of it that are unique.
 */
static bool
are_columns_unique(const BulkparDrive *drive, const Query *top)
{
	const RangeTblEntry *rte = rt_fetch(drive->rti, drive->query->rtable);
	Bitmapset  *conflicting = conflict_columns(top->onConflict);
	Bitmapset  *columns = NULL;
	ListCell   *lc;

	if (drive->command != BULKPAR_COMMAND_COPY || drive->multiplies ||
		!bulkpar_inserted_is_as_given(drive->inserted) ||
		!are_indexes_exact(drive->inserted))
		return false;
	foreach(lc, top->onConflict->onConflictSet)
	{
		if (bms_is_member(lfirst_node(TargetEntry, lc)->resno, conflicting))
			return false;
	}
	foreach(lc, top->targetList)
	{
		const TargetEntry *target = lfirst_node(TargetEntry, lc);
		const Var  *value = (const Var *) target->expr;
		Oid			collation = exprCollation((const Node *) value);

		if (!bms_is_member(target->resno, conflicting) || !IsA(value, Var) ||
			(OidIsValid(collation) && !get_collation_isdeterministic(collation)))
			continue;
		/* It is a column of the SELECT. */
		target = get_tle_by_resno(drive->query->targetList, value->varattno);
		value = (const Var *) target->expr;
		if (IsA(value, Var) && value->varno == drive->rti &&
			value->varlevelsup == 0 && value->varattno > 0)
			columns = bms_add_member(columns, value->varattno);
	}
	return bulkpar_unique_covers(rte->relid, rte->inh, columns);
}

/*
 * Whether the rows of a table are as an INSERT or UPDATE gives them: no trigger may
 * change the columns by which others find them.
 */
bool
bulkpar_inserted_is_as_given(Oid relid)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, AccessShareLock, NULL))
	{
		Relation	rel = table_open(lfirst_oid(lc), NoLock);
		const TriggerDesc *triggers = rel->trigdesc;
		bool		changed = triggers != NULL &&
			(triggers->trig_insert_before_row ||
			 triggers->trig_update_before_row);

		table_close(rel, NoLock);
		if (changed)
			return false;
	}
	return true;
}

/*
 * Whether what a unique index of a table takes for equal is the same: which of them
 * finds the conflicts is not known before the statement is planned.
 */
static bool
are_indexes_exact(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	bool		exact = true;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		for (int i = 0; i < index->rd_index->indnkeyatts; i++)
		{
			Oid			collation = index->rd_indcollation[i];

			if (index->rd_index->indisunique && OidIsValid(collation))
				exact &= get_collation_isdeterministic(collation);
		}
		index_close(index, NoLock);
	}
	table_close(rel, NoLock);
	return exact;
}

/* The columns of a table on which rows that are inserted may conflict. */
static Bitmapset *
conflict_columns(const OnConflictExpr *conflict)
{
	Bitmapset  *columns = NULL;
	ListCell   *lc;

	if (OidIsValid(conflict->constraint))
	{
		Relation	index =
			index_open(get_constraint_index(conflict->constraint),
					   AccessShareLock);

		for (int i = 0; i < index->rd_index->indnkeyatts; i++)
			columns = bms_add_member(columns,
									 index->rd_index->indkey.values[i]);
		index_close(index, NoLock);
	}
	foreach(lc, conflict->arbiterElems)
	{
		const Var  *column = lfirst(lc);

		if (IsA(column, InferenceElem))
			column = (const Var *) ((const InferenceElem *) column)->expr;
		if (IsA(column, Var))
			columns = bms_add_member(columns, column->varattno);
	}
	return columns;
}
