/*-------------------------------------------------------------------------
 *
 * assigned.c
 *		The columns that a job must not set.
 *
 * A row whose key changes, or that moves to another partition, may be found
 * again further on, and be changed twice.  That is looked at before a job starts,
 * and again whenever its statement is analyzed: a column may have been renamed
 * meanwhile.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/assigned.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/partition.h"
#include "utils/lsyscache.h"

#include "table/assigned.h"
#include "table/part.h"
#include "table/values.h"

static bool is_partition_key(Oid relid, AttrNumber attnum);
static bool generates(const BulkparKey *key, int i, AttrNumber attnum);

/* A column of that name must not be one of the key, nor make one of it. */
void
bulkpar_assigned_check_key(const BulkparKey *key, const char *name)
{
	AttrNumber	attnum = get_attnum(key->relid, name);

	if (bulkpar_key_has_column(key, attnum))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot update key column \"%s\" of table \"%s\" in batches",
						name, get_rel_name(key->relid)),
				 errdetail("The job follows the order of index \"%s\".",
						   get_rel_name(key->index))));
	for (int i = 0; i < key->ncolumns; i++)
	{
		if (generates(key, i, attnum))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot update column \"%s\" of table \"%s\" in batches because key column \"%s\" is generated from it",
							name, get_rel_name(key->relid),
							get_attname(key->relid, key->columns[i].attnum,
										false)),
					 errdetail("The job follows the order of index \"%s\".",
							   get_rel_name(key->index))));
	}
}

/* Whether a column of the key is generated from another column. */
static bool
generates(const BulkparKey *key, int i, AttrNumber attnum)
{
	Relation	rel = table_open(key->relid, NoLock);
	bool		result = attnum > 0 &&
		bulkpar_values_generate(rel, key->columns[i].attnum,
								bms_make_singleton(attnum));

	table_close(rel, NoLock);
	return result;
}

/* Nor may it be in the key by which a table is partitioned. */
void
bulkpar_assigned_check_partition_key(Oid relid, const char *name)
{
	if (is_partition_key(relid, get_attnum(relid, name)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot update column \"%s\" in batches because it is in the partition key of table \"%s\"",
						name, get_rel_name(relid)),
				 errdetail("A row that moves to another partition might be updated twice.")));
}

/*
 * The first of some tables that is partitioned by one of these columns of a table, of
 * which they are parts, or it is of them; InvalidOid if there is none.
 */
Oid
bulkpar_assigned_find_partitioned(const List *tables, Oid relid,
								  const Bitmapset *columns)
{
	ListCell   *lc;

	foreach(lc, tables)
	{
		Oid			table = lfirst_oid(lc);
		int			attnum = -1;

		if (get_rel_relkind(table) != RELKIND_PARTITIONED_TABLE)
			continue;
		while ((attnum = bms_next_member(columns, attnum)) >= 0)
		{
			if (is_partition_key(table, bulkpar_part_column(relid, attnum, table)))
				return table;
		}
	}
	return InvalidOid;
}

/* Whether a table is partitioned by a column, if that is one.  It stays locked. */
static bool
is_partition_key(Oid relid, AttrNumber attnum)
{
	Relation	rel;
	bool		in_expression;
	bool		result;

	if (attnum == InvalidAttrNumber ||
		get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		return false;
	rel = table_open(relid, AccessShareLock);
	result = has_partition_attrs(rel,
								 bms_make_singleton(attnum - FirstLowInvalidHeapAttributeNumber),
								 &in_expression);
	table_close(rel, NoLock);
	return result;
}

/*
 * The same for all columns that the query of an UPDATE of the target sets.  The
 * part, whose key that is, and all tables between are locked.
 */
void
bulkpar_assigned_check_query(const Query *query, Oid target, Oid part,
							 const BulkparKey *key)
{
	List	   *ancestors = get_rel_relispartition(part) ?
		get_partition_ancestors(part) : NIL;
	ListCell   *lc;

	foreach(lc, query->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);
		char	   *name;
		ListCell   *ancestor;

		/* Such is a subquery that sets several columns, which have their own. */
		if (entry->resjunk)
			continue;
		name = get_attname(target, entry->resno, false);
		bulkpar_assigned_check_key(key, name);
		foreach(ancestor, part == target ? NIL : ancestors)
		{
			bulkpar_assigned_check_partition_key(lfirst_oid(ancestor), name);
			if (lfirst_oid(ancestor) == target)
				break;
		}
	}
}
