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
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"

#include "table/acting.h"
#include "table/part.h"

/* A search for columns of a table. */
typedef struct Reading
{
	List	   *queries;		/* that we are in, the innermost first; of the
								 * last one is ... */
	int			rti;			/* ... this table */
	Bitmapset  *columns;
	bool		moves;			/* to other partitions */
	AttrNumber	found;			/* one of them, or a system column, ... */
	int			location;		/* ... and where */
} Reading;

static List *keys_of_merge(const BulkparDrive *drive);
static Bitmapset *columns_in(Oid from, const Bitmapset *columns, Oid to);
static bool reads_column(Node *node, void *context);
static bool reads_by_var(Reading *reading, const Var *var);
static bool reads_of_join(Reading *reading, const Var *var,
						  const RangeTblEntry *join);

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
		.queries = list_make1(unconstify(Query *, query)),
		.rti = rti,
		.moves = rte->relkind == RELKIND_PARTITIONED_TABLE
	};

	if (!key->updates || !bulkpar_part_overlaps(key->relid, rte->relid))
		return 0;
	reading.columns = columns_in(key->relid, key->touched, rte->relid);
	(void) query_tree_walker(unconstify(Query *, query), reads_column, &reading,
							 QTW_IGNORE_JOINALIASES);
	*location = reading.location;
	return reading.found;
}

/*
 * The columns of a table that a foreign key changes, of that or a part of it, without
 * those that triggers change for it.
 */
Bitmapset *
bulkpar_acting_columns(const BulkparForeignKey *key, Oid relid)
{
	return columns_in(key->relid, key->changed, relid);
}

static Bitmapset *
columns_in(Oid from, const Bitmapset *columns, Oid to)
{
	Bitmapset  *result = NULL;
	int			attnum = -1;

	while ((attnum = bms_next_member(columns, attnum)) >= 0)
	{
		AttrNumber	number = bulkpar_part_column(from, attnum, to);

		if (number > 0)
			result = bms_add_member(result, number);
	}
	return result;
}

static bool
reads_column(Node *node, void *context)
{
	Reading    *reading = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		bool		reads;

		reading->queries = lcons(node, reading->queries);
		reads = query_tree_walker((Query *) node, reads_column, context,
								  QTW_IGNORE_JOINALIASES);
		reading->queries = list_delete_first(reading->queries);
		return reads;
	}
	if (IsA(node, Var))
		return reads_by_var(reading, (Var *) node);
	return expression_tree_walker(node, reads_column, context);
}

/* A new version of a row has another place and other transactions. */
static bool
reads_by_var(Reading *reading, const Var *var)
{
	int			above = list_length(reading->queries) - 1 - (int) var->varlevelsup;
	const Query *query = above < 0 ? NULL :
		list_nth(reading->queries, var->varlevelsup);
	const RangeTblEntry *rte = query == NULL ? NULL :
		rt_fetch(var->varno, query->rtable);

	if (rte != NULL && rte->rtekind == RTE_JOIN)
		return reads_of_join(reading, var, rte);
	if (above != 0 || var->varno != reading->rti)
		return false;
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

/* What is behind a column of a join, or all of it. */
static bool
reads_of_join(Reading *reading, const Var *var, const RangeTblEntry *join)
{
	List	   *queries = reading->queries;
	bool		reads;

	reading->queries = list_copy_tail(queries, var->varlevelsup);
	reads = reads_column(var->varattno == 0 ? (Node *) join->joinaliasvars :
						 list_nth(join->joinaliasvars, var->varattno - 1),
						 reading);
	reading->queries = queries;
	return reads;
}

/* An expression of a policy is as the condition of a query of its table alone. */
Query *
bulkpar_acting_query_of_policy(RangeTblEntry *rte, Expr *qual)
{
	Query	   *query = makeNode(Query);

	query->commandType = CMD_SELECT;
	query->rtable = list_make1(rte);
	query->jointree = makeFromExpr(NIL, (Node *) qual);
	return query;
}
