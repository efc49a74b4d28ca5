/*-------------------------------------------------------------------------
 *
 * cascade.c
 *		Where the actions of foreign keys lead.
 *
 * A row that a batch deletes may let foreign keys delete or change rows that later
 * batches are to come to: a move would then not find them, and a merge would find
 * others.  Or rows of another table, which the statement reads.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/cascade.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "table/assigned.h"
#include "table/cascade.h"
#include "table/part.h"
#include "table/touched.h"
#include "table/values.h"

/* A table that actions have reached. */
typedef struct Reached
{
	Oid			relid;
	bool		deleted;		/* rows of it may be */
	bool		updated;		/* columns of it may be, ... */
	Bitmapset  *columns;		/* ... these */
	bool		moved;			/* to another partition */
	bool		followed;		/* what that leads to is known */
} Reached;

static Bitmapset *columns_of(Oid relid, const List *names);
static int	count_columns(Oid relid);
static Bitmapset *add_touched(Oid relid, Bitmapset *columns);
static Bitmapset *find_touched(Oid relid, Bitmapset *columns);
static Bitmapset *add_generated(Oid relid, Bitmapset *columns);
static const Reached *next_reached(List *reached);
static void follow_key(BulkparForeignKey *key, const Reached *from,
					   List **reached);
static Bitmapset *columns_set(const BulkparForeignKey *key, char action,
							  const Bitmapset *set);
static bool refers_to_any(const BulkparForeignKey *key, const Reached *from);
static bool moves_rows(Oid relid, const Bitmapset *columns);
static bool refers_to_nullable(const BulkparForeignKey *key);
static bool is_not_null(Oid relid, AttrNumber attnum);
static void reach(List **reached, const Reached *what);
static void find_first(const List *foreign_keys, const List *tables, bool deletes, bool updates,
					   const List *columns, List **reached);
static bool is_part_of(const BulkparForeignKey *key, Oid target);

/*
 * Whether a row that is deleted from one table may let the action of a foreign key
 * delete or change rows of another, or other rows of the same, also by way of
 * further tables.  Of what changes there it is not asked which columns do.
 */
bool
bulkpar_cascade_leads(Oid from, Oid to)
{
	List	   *first = find_all_inheritors(from, NoLock, NULL);
	List	   *reached = list_copy(first);
	const List *foreign_keys = bulkpar_foreignkey_list();

	/* The list grows while it is gone through. */
	for (int i = 0; i < list_length(reached); i++)
	{
		Oid			relid = list_nth_oid(reached, i);
		bool		is_first = i < list_length(first);
		ListCell   *lc;

		CHECK_FOR_INTERRUPTS();
		foreach(lc, foreign_keys)
		{
			const BulkparForeignKey *key = lfirst(lc);

			if (key->referenced != relid ||
				!(bulkpar_foreignkey_acts(key->on_delete) ||
				  (!is_first && bulkpar_foreignkey_acts(key->on_update))))
				continue;
			if (bulkpar_part_overlaps(key->relid, to))
				return true;
			reached = list_append_unique_oid(reached, key->relid);
		}
	}
	return false;
}

/*
 * The foreign keys whose actions change or delete rows where a statement deletes
 * rows of some tables, or updates the columns of these names, without names any, also
 * by way of further tables.
 */
List *
bulkpar_cascade_find(const List *tables, bool deletes, bool updates,
					 const List *columns)
{
	List	   *keys = NIL;
	List	   *reached = NIL;
	List	   *acting = NIL;
	const List *foreign_keys = bulkpar_foreignkey_list();
	const Reached *from;
	ListCell   *lc;

	find_first(foreign_keys, tables, deletes, updates, columns, &reached);
	foreach(lc, reached != NIL ? foreign_keys : NIL)
		keys = lappend(keys, memcpy(palloc(sizeof(BulkparForeignKey)),
									lfirst(lc), sizeof(BulkparForeignKey)));
	while ((from = next_reached(reached)) != NULL)
	{
		bool		has_parts = get_rel_relkind(from->relid) == RELKIND_PARTITIONED_TABLE;

		CHECK_FOR_INTERRUPTS();
		foreach(lc, keys)
		{
			BulkparForeignKey *key = lfirst(lc);

			if (key->referenced == from->relid ||
				(has_parts && is_part_of(key, from->relid)))
				follow_key(key, from, &reached);
		}
	}
	foreach(lc, keys)
	{
		BulkparForeignKey *key = lfirst(lc);

		/* It may be gone meanwhile, for whose table we have waited. */
		if (key->acts && SearchSysCacheExists1(CONSTROID,
											   ObjectIdGetDatum(key->constraint)))
			acting = lappend(acting, key);
	}
	return acting;
}

/* The same where a job does what it does to its targets, to some of these. */
List *
bulkpar_cascade_find_of_job(const BulkparJob *job, const List *tables)
{
	bool		deletes = bulkpar_command_deletes(job->command);
	bool		updates = bulkpar_command_updates(job->command);
	List	   *columns = NIL;

	for (int i = 0; i < job->ncolumns; i++)
		columns = lappend(columns, makeString(job->column_names[i]));
	return bulkpar_cascade_find(tables, deletes, updates, columns);
}

/* What the statement does itself, to tables that foreign keys refer to. */
static void
find_first(const List *foreign_keys, const List *tables, bool deletes,
		   bool updates, const List *columns, List **reached)
{
	ListCell   *lc;
	ListCell   *table;

	foreach(lc, foreign_keys)
	{
		const BulkparForeignKey *key = lfirst(lc);
		Reached		first = {
			.relid = key->referenced,
			.deleted = deletes,
			.updated = updates
		};

		foreach(table, tables)
		{
			if (!is_part_of(key, lfirst_oid(table)))
				continue;
			if (updates)
				first.columns = add_touched(key->referenced,
											columns_of(key->referenced,
													   columns));
			reach(reached, &first);
		}
	}
}

/*
 * Whether a foreign key refers to the target, or to a part of it and not just because
 * it refers to the target.  Fast where it does not: a statement is prepared often.
 */
static bool
is_part_of(const BulkparForeignKey *key, Oid target)
{
	return key->referenced == target ||
		(!key->is_part && has_subclass(target) &&
		 (get_rel_relkind(target) != RELKIND_PARTITIONED_TABLE ||
		  get_rel_relispartition(key->referenced)) &&
		 bulkpar_part_belongs(target, key->referenced));
}

static Bitmapset *
columns_of(Oid relid, const List *names)
{
	Bitmapset  *columns = NULL;
	ListCell   *lc;

	if (names == NIL)
		return bms_add_range(columns, 1, count_columns(relid));
	foreach(lc, names)
	{
		AttrNumber	attnum = get_attnum(relid, strVal(lfirst(lc)));

		if (attnum > 0)
			columns = bms_add_member(columns, attnum);
	}
	return add_generated(relid, columns);
}

static int
count_columns(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	int			count = 0;

	if (HeapTupleIsValid(tuple))
	{
		count = ((Form_pg_class) GETSTRUCT(tuple))->relnatts;
		ReleaseSysCache(tuple);
	}
	return count;
}

/* Add the columns of a table that triggers change where these are set. */
static Bitmapset *
add_touched(Oid relid, Bitmapset *columns)
{
	Bitmapset  *touched = find_touched(relid, columns);

	return touched == NULL ? columns :
		add_generated(relid, bms_union(columns, touched));
}

static Bitmapset *
find_touched(Oid relid, Bitmapset *columns)
{
	Relation	rel = columns == NULL ? NULL :
		try_relation_open(relid, AccessShareLock);
	Bitmapset  *touched;

	if (rel == NULL)
		return NULL;
	touched = bulkpar_touched_find(rel, columns);
	relation_close(rel, NoLock);
	return touched;
}

/* Add the columns of a table that are generated from these, if it is still there. */
static Bitmapset *
add_generated(Oid relid, Bitmapset *columns)
{
	Relation	rel = columns == NULL ? NULL :
		try_relation_open(relid, AccessShareLock);

	if (rel == NULL)
		return columns;
	for (int i = 1; i <= RelationGetNumberOfAttributes(rel); i++)
	{
		if (bulkpar_values_generate(rel, i, columns))
			columns = bms_add_member(columns, i);
	}
	relation_close(rel, NoLock);
	return columns;
}

/* A table of which is not known yet what leads on from it, or NULL. */
static const Reached *
next_reached(List *reached)
{
	ListCell   *lc;

	foreach(lc, reached)
	{
		Reached    *next = lfirst(lc);

		if (next->followed)
			continue;
		next->followed = true;
		return next;
	}
	return NULL;
}

/*
 * Note what a foreign key does to its table where the one that it refers to, or of
 * which that is a part, was reached so.
 */
static void
follow_key(BulkparForeignKey *key, const Reached *from, List **reached)
{
	bool		is_part = from->relid != key->referenced;
	bool		by_delete;
	bool		by_update;
	Reached		what = {.relid = key->relid};

	by_delete = (from->deleted || (is_part && from->moved)) &&
		bulkpar_foreignkey_acts(key->on_delete);
	by_update = from->updated && bulkpar_foreignkey_acts(key->on_update) &&
		refers_to_any(key, from);
	if (!(by_delete || by_update))
		return;
	key->nulls |= (by_delete && key->on_delete == FKCONSTR_ACTION_SETNULL) ||
		(by_update && (key->on_update == FKCONSTR_ACTION_SETNULL ||
					   (key->on_update == FKCONSTR_ACTION_CASCADE &&
						refers_to_nullable(key))));
	key->defaults |=
		(by_delete && key->on_delete == FKCONSTR_ACTION_SETDEFAULT) ||
		(by_update && key->on_update == FKCONSTR_ACTION_SETDEFAULT);
	what.deleted = by_delete && key->on_delete == FKCONSTR_ACTION_CASCADE;
	if (by_delete && !what.deleted)
		what.columns = columns_set(key, key->on_delete, key->set);
	if (by_update)
		what.columns = bms_union(what.columns,
								 columns_set(key, key->on_update, NULL));
	what.updated = what.columns != NULL;
	what.columns = add_generated(key->relid, what.columns);
	key->acts |= what.deleted || what.updated;
	key->by_delete |= by_delete;
	key->by_update |= by_update;
	key->deletes |= what.deleted;
	key->updates |= what.updated;
	key->changed = bms_union(key->changed, what.columns);
	what.columns = add_touched(key->relid, what.columns);
	what.moved = moves_rows(key->relid, what.columns);
	key->touched = bms_union(key->touched, what.columns);
	reach(reached, &what);
}

/*
 * The columns that an action sets, of the set, or all if that is NULL.  SET NULL of
 * one that is NOT NULL is an error, if no trigger sees to it.
 */
static Bitmapset *
columns_set(const BulkparForeignKey *key, char action, const Bitmapset *set)
{
	Bitmapset  *columns = NULL;

	for (int i = 0; i < key->ncolumns; i++)
	{
		if ((set == NULL || bms_is_member(key->columns[i], set)) &&
			!(action == FKCONSTR_ACTION_SETNULL &&
			  is_not_null(key->relid, key->columns[i]) &&
			  !bms_is_member(key->columns[i],
							 find_touched(key->relid,
										  bms_make_singleton(key->columns[i])))))
			columns = bms_add_member(columns, key->columns[i]);
	}
	return columns;
}

/* Whether a foreign key refers to columns that are updated. */
static bool
refers_to_any(const BulkparForeignKey *key, const Reached *from)
{
	for (int i = 0; i < key->ncolumns; i++)
	{
		AttrNumber	attnum = bulkpar_part_column(key->referenced,
												 key->references[i],
												 from->relid);

		if (attnum > 0 && bms_is_member(attnum, from->columns))
			return true;
	}
	return false;
}

/* Whether rows with other values in these columns go to other partitions. */
static bool
moves_rows(Oid relid, const Bitmapset *columns)
{
	return columns != NULL &&
		get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE &&
		OidIsValid(bulkpar_assigned_find_partitioned(find_all_inheritors(relid, AccessShareLock, NULL),
													 relid, columns));
}

/* Whether what a foreign key refers to can be set to null. */
static bool
refers_to_nullable(const BulkparForeignKey *key)
{
	for (int i = 0; i < key->ncolumns; i++)
	{
		if (!is_not_null(key->referenced, key->references[i]))
			return true;
	}
	return false;
}

static bool
is_not_null(Oid relid, AttrNumber attnum)
{
	HeapTuple	tuple = SearchSysCacheAttNum(relid, attnum);
	bool		result = false;

	if (HeapTupleIsValid(tuple))
	{
		result = ((Form_pg_attribute) GETSTRUCT(tuple))->attnotnull;
		ReleaseSysCache(tuple);
	}
	return result;
}

/* Add what has reached a table to a list. */
static void
reach(List **reached, const Reached *what)
{
	ListCell   *lc;

	foreach(lc, *reached)
	{
		Reached    *known = lfirst(lc);

		if (known->relid != what->relid)
			continue;
		if ((known->deleted || !what->deleted) &&
			(known->updated || !what->updated) &&
			(known->moved || !what->moved) &&
			bms_is_subset(what->columns, known->columns))
			return;
		known->deleted |= what->deleted;
		known->updated |= what->updated;
		known->moved |= what->moved;
		known->columns = bms_union(known->columns, what->columns);
		known->followed = false;
		return;
	}
	*reached = lappend(*reached, memcpy(palloc(sizeof(Reached)), what,
										sizeof(Reached)));
}
