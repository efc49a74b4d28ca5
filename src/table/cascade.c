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

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "table/cascade.h"
#include "table/part.h"

/* A table that actions have reached. */
typedef struct Reached
{
	Oid			relid;
	bool		deleted;		/* rows of it may be */
	bool		updated;		/* columns of it may be, ... */
	Bitmapset  *columns;		/* ... these */
} Reached;

static Bitmapset *columns_of(Oid relid, const List *names);
static bool follow_key(BulkparForeignKey *key, const Reached *from,
					   List **reached);
static bool reach(List **reached, const Reached *what);
static List *read_foreign_keys(void);
static BulkparForeignKey *read_foreign_key(Relation rel, HeapTuple tuple);
static int	read_numbers(Relation rel, HeapTuple tuple, AttrNumber attribute,
						 Oid type, Datum **values);
static bool acts(char action);
static bool is_of(Oid relid, Oid target);

/*
 * Whether a row that is deleted from one table may let the action of a foreign key
 * delete or change rows of another, or other rows of the same, also by way of
 * further tables.  Of what changes there it is not asked which columns do.
 */
bool
bulkpar_cascade_leads(Oid from, Oid to)
{
	List	   *keys = read_foreign_keys();
	List	   *first = find_all_inheritors(from, NoLock, NULL);
	List	   *reached = list_copy(first);

	/* The list grows while it is gone through. */
	for (int i = 0; i < list_length(reached); i++)
	{
		Oid			relid = list_nth_oid(reached, i);
		bool		is_first = i < list_length(first);
		ListCell   *lc;

		foreach(lc, keys)
		{
			const BulkparForeignKey *key = lfirst(lc);

			if (key->referenced != relid ||
				!(acts(key->on_delete) ||
				  (!is_first && acts(key->on_update))))
				continue;
			if (is_of(key->relid, to))
				return true;
			reached = list_append_unique_oid(reached, key->relid);
		}
	}
	return false;
}

/*
 * The foreign keys whose actions change or delete rows where a statement deletes
 * rows of some tables, or updates the columns of these names, also by way of further
 * tables.
 */
List *
bulkpar_cascade_find(const List *tables, bool deletes, const List *columns)
{
	List	   *keys = read_foreign_keys();
	List	   *reached = NIL;
	List	   *acting = NIL;
	bool		more = keys != NIL;
	ListCell   *lc;

	foreach(lc, more ? tables : NIL)
	{
		List	   *parts = find_all_inheritors(lfirst_oid(lc), NoLock, NULL);
		ListCell   *part;

		foreach(part, parts)
		{
			Reached		first = {
				.relid = lfirst_oid(part),
				.deleted = deletes,
				.updated = !deletes,
				.columns = columns_of(lfirst_oid(part), columns)
			};

			(void) reach(&reached, &first);
		}
	}
	while (more)
	{
		more = false;
		foreach(lc, keys)
		{
			/* The list grows while it is gone through. */
			for (int i = 0; i < list_length(reached); i++)
				more |= follow_key(lfirst(lc), list_nth(reached, i), &reached);
		}
	}
	foreach(lc, keys)
	{
		if (((BulkparForeignKey *) lfirst(lc))->acts)
			acting = lappend(acting, lfirst(lc));
	}
	return acting;
}

/* Whether a foreign key is of a table, or what it refers to is, or parts of them. */
bool
bulkpar_cascade_is_of(const BulkparForeignKey *key, Oid relid, bool refers)
{
	return is_of(refers ? key->referenced : key->relid, relid);
}

static Bitmapset *
columns_of(Oid relid, const List *names)
{
	Bitmapset  *columns = NULL;
	ListCell   *lc;

	foreach(lc, names)
	{
		AttrNumber	attnum = get_attnum(relid, lfirst(lc));

		if (attnum > 0)
			columns = bms_add_member(columns, attnum);
	}
	return columns;
}

/*
 * Note what a foreign key does to its table where the one that it refers to was
 * reached so.  Whether that is new.
 */
static bool
follow_key(BulkparForeignKey *key, const Reached *from, List **reached)
{
	bool		by_delete = from->deleted && acts(key->on_delete);
	bool		by_update = from->updated && acts(key->on_update);
	Reached		what = {.relid = key->relid};

	for (int i = 0; by_update && i < key->ncolumns; i++)
	{
		if (bms_is_member(key->references[i], from->columns))
			break;
		by_update = i < key->ncolumns - 1;
	}
	if (from->relid != key->referenced || !(by_delete || by_update))
		return false;
	key->acts = true;
	key->nulls |= (by_delete && key->on_delete == FKCONSTR_ACTION_SETNULL) ||
		(by_update && key->on_update == FKCONSTR_ACTION_SETNULL);
	key->defaults |=
		(by_delete && key->on_delete == FKCONSTR_ACTION_SETDEFAULT) ||
		(by_update && key->on_update == FKCONSTR_ACTION_SETDEFAULT);
	what.deleted = by_delete && key->on_delete == FKCONSTR_ACTION_CASCADE;
	what.updated = by_update || key->nulls || key->defaults;
	for (int i = 0; what.updated && i < key->ncolumns; i++)
		what.columns = bms_add_member(what.columns, key->columns[i]);
	return reach(reached, &what);
}

/* Add what has reached a table to a list.  Whether that is new. */
static bool
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
			bms_is_subset(what->columns, known->columns))
			return false;
		known->deleted |= what->deleted;
		known->updated |= what->updated;
		known->columns = bms_union(known->columns, what->columns);
		return true;
	}
	*reached = lappend(*reached, memcpy(palloc(sizeof(Reached)), what,
										sizeof(Reached)));
	return true;
}

/* All foreign keys of the database that have actions. */
static List *
read_foreign_keys(void)
{
	Relation	rel = table_open(ConstraintRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *keys = NIL;

	ScanKeyInit(&key, Anum_pg_constraint_contype, BTEqualStrategyNumber,
				F_CHAREQ, CharGetDatum(CONSTRAINT_FOREIGN));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);

		if (acts(form->confdeltype) || acts(form->confupdtype))
			keys = lappend(keys, read_foreign_key(rel, tuple));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return keys;
}

static BulkparForeignKey *
read_foreign_key(Relation rel, HeapTuple tuple)
{
	Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);
	BulkparForeignKey *key = palloc0(sizeof(BulkparForeignKey));
	Datum	   *columns;
	Datum	   *references;
	Datum	   *operators;

	key->relid = form->conrelid;
	key->referenced = form->confrelid;
	key->on_delete = form->confdeltype;
	key->on_update = form->confupdtype;
	key->ncolumns = read_numbers(rel, tuple, Anum_pg_constraint_conkey, INT2OID,
								 &columns);
	if (read_numbers(rel, tuple, Anum_pg_constraint_confkey, INT2OID,
					 &references) != key->ncolumns ||
		read_numbers(rel, tuple, Anum_pg_constraint_conpfeqop, OIDOID,
					 &operators) != key->ncolumns)
		elog(ERROR, "foreign key %u has other columns than it refers to",
			 form->oid);
	for (int i = 0; i < key->ncolumns; i++)
	{
		key->columns[i] = DatumGetInt16(columns[i]);
		key->references[i] = DatumGetInt16(references[i]);
		key->operators[i] = DatumGetObjectId(operators[i]);
	}
	return key;
}

static int
read_numbers(Relation rel, HeapTuple tuple, AttrNumber attribute, Oid type,
			 Datum **values)
{
	bool		isnull;
	Datum		array = heap_getattr(tuple, attribute, RelationGetDescr(rel),
									 &isnull);
	int			count = 0;

	if (!isnull)
		deconstruct_array(DatumGetArrayTypeP(array), type,
						  type == OIDOID ? sizeof(Oid) : sizeof(int16), true,
						  type == OIDOID ? TYPALIGN_INT : TYPALIGN_SHORT,
						  values, NULL, &count);
	return count;
}

/* Whether an action of a foreign key changes or deletes rows. */
static bool
acts(char action)
{
	return action == FKCONSTR_ACTION_CASCADE ||
		action == FKCONSTR_ACTION_SETNULL ||
		action == FKCONSTR_ACTION_SETDEFAULT;
}

/* Whether a table is the target, one of its parts, or has it as a part. */
static bool
is_of(Oid relid, Oid target)
{
	return relid == target || bulkpar_part_belongs(target, relid) ||
		bulkpar_part_belongs(relid, target);
}
