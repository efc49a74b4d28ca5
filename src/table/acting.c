/*-------------------------------------------------------------------------
 *
 * acting.c
 *		The foreign keys that act for a statement, and who reads what they change.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/acting.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/pg_class.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"

#include "table/acting.h"
#include "table/part.h"

/* A search for columns of a table. */
typedef struct Reading
{
	int			level;			/* below its query */
	int			rti;
	Bitmapset  *columns;
	bool		moves;			/* to other partitions */
	AttrNumber	found;			/* one of them, or a system column, ... */
	int			location;		/* ... and where */
} Reading;

static List *keys_of_merge(const BulkparDrive *drive);
static bool reads_column(Node *node, void *context);

/* The foreign keys whose actions change rows because of a statement. */
List *
bulkpar_acting_keys(const BulkparDrive *drive)
{
	const Query *query = drive->query;
	Oid			relid = rt_fetch(drive->rti, query->rtable)->relid;
	List	   *keys = NIL;
	List	   *columns = NIL;

	if (drive->merge != NULL)
		return keys_of_merge(drive);
	if (drive->overwritten != NIL)
		keys = bulkpar_cascade_find(list_make1_oid(drive->inserted), false,
									true, drive->overwritten);
	if (query->commandType != CMD_DELETE && query->commandType != CMD_UPDATE)
		return keys;
	if (query->commandType == CMD_UPDATE)
		columns = bulkpar_drive_assigned(relid, query->targetList);
	return list_concat(keys,
					   bulkpar_cascade_find(drive->rest == NULL ?
											drive->changed :
											list_make1_oid(relid),
											query->commandType == CMD_DELETE,
											query->commandType == CMD_UPDATE,
											columns));
}

static List *
keys_of_merge(const BulkparDrive *drive)
{
	bool		deletes = false;
	List	   *columns = NIL;
	ListCell   *lc;

	foreach(lc, drive->merge->mergeActionList)
	{
		const MergeAction *action = lfirst_node(MergeAction, lc);

		deletes |= action->commandType == CMD_DELETE;
		if (action->commandType == CMD_UPDATE)
			columns = list_concat(columns,
								  bulkpar_drive_assigned(drive->inserted,
														 action->targetList));
	}
	return bulkpar_cascade_find(drive->changed, deletes, columns != NIL,
								columns);
}

/*
 * A column of its own table that a query reads and foreign keys change, with where it
 * does, or 0: a later batch would not find there what one statement does.
 */
AttrNumber
bulkpar_acting_find_read(const Query *query, int rti, const List *keys,
						 int *location)
{
	ListCell   *lc;

	foreach(lc, keys)
	{
		AttrNumber	attnum = bulkpar_acting_find_read_of(query, rti, lfirst(lc), location);

		if (attnum != 0)
			return attnum;
	}
	return 0;
}

/* The same of one foreign key, and of any table of the query. */
AttrNumber
bulkpar_acting_find_read_of(const Query *query, int rti, const BulkparForeignKey *key,
							int *location)
{
	const RangeTblEntry *rte = rt_fetch(rti, query->rtable);
	Reading		reading = {
		.rti = rti,
		.moves = rte->relkind == RELKIND_PARTITIONED_TABLE
	};

	if (!key->updates || !bulkpar_part_overlaps(key->relid, rte->relid))
		return 0;
	reading.columns = bulkpar_acting_columns(key, rte->relid);
	(void) query_tree_walker(unconstify(Query *, query), reads_column, &reading,
							 0);
	*location = reading.location;
	return reading.found;
}

/* The columns of a table that a foreign key changes, of that or a part of it. */
Bitmapset *
bulkpar_acting_columns(const BulkparForeignKey *key, Oid relid)
{
	Bitmapset  *columns = NULL;
	int			attnum = -1;

	while ((attnum = bms_next_member(key->changed, attnum)) >= 0)
	{
		AttrNumber	number = bulkpar_acting_column(key->relid, attnum, relid);

		if (number > 0)
			columns = bms_add_member(columns, number);
	}
	return columns;
}

/* A new version of a row has another place and other transactions. */
static bool
reads_column(Node *node, void *context)
{
	Reading    *reading = context;
	const Var  *var = (const Var *) node;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		bool		reads;

		reading->level++;
		reads = query_tree_walker((Query *) node, reads_column, context, 0);
		reading->level--;
		return reads;
	}
	if (IsA(node, Var) && (int) var->varlevelsup == reading->level &&
		var->varno == reading->rti)
	{
		if (var->varattno < 0 &&
			(reading->moves || var->varattno != TableOidAttributeNumber))
			reading->found = var->varattno;
		else if (var->varattno == 0 && reading->columns != NULL)
			reading->found = bms_next_member(reading->columns, -1);
		else if (var->varattno > 0 &&
				 bms_is_member(var->varattno, reading->columns))
			reading->found = var->varattno;
		reading->location = var->location;
		return reading->found != 0;
	}
	return expression_tree_walker(node, reads_column, context);
}

/*
 * The number that a column of a table has in a part of that, or the other way;
 * InvalidAttrNumber if it has none there.
 */
AttrNumber
bulkpar_acting_column(Oid from, AttrNumber attnum, Oid to)
{
	char	   *name;

	if (from == to)
		return attnum;
	name = get_attname(from, attnum, true);
	return name == NULL ? InvalidAttrNumber : get_attnum(to, name);
}
