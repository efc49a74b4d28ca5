/*-------------------------------------------------------------------------
 *
 * foreignkey.c
 *		The foreign keys of the database that have actions.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/foreignkey.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "compat.h"
#include "table/foreignkey.h"

/*
 * All foreign keys that have actions, as they were at some number of changes of such
 * a kind; and how many there have been by now.
 */
static List *foreign_keys = NIL;
static uint64 changes_read = 0;
static uint64 changes = 1;

static void note_change(Datum arg, int cache, uint32 hash);
static List *read_foreign_keys(MemoryContext context);
static BulkparForeignKey *read_foreign_key(Relation rel, HeapTuple tuple);
static int	read_numbers(Relation rel, HeapTuple tuple, AttrNumber attribute,
						 Oid type, Datum **values);

/*
 * All foreign keys of the database that have actions.  The list is good until this is
 * called again.
 */
const List *
bulkpar_foreignkey_list(void)
{
	static MemoryContext context = NULL;

	if (context == NULL)
	{
		context = AllocSetContextCreate(TopMemoryContext,
										"bulkpar foreign keys",
										ALLOCSET_SMALL_SIZES);
		CacheRegisterSyscacheCallback(CONSTROID, note_change, (Datum) 0);
	}
	while (changes_read != changes)
	{
		uint64		now = changes;

		MemoryContextReset(context);
		foreign_keys = read_foreign_keys(context);
		changes_read = now;
	}
	return foreign_keys;
}

static void
note_change(Datum arg, int cache, uint32 hash)
{
	changes++;
}

static List *
read_foreign_keys(MemoryContext context)
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
		MemoryContext oldcontext = MemoryContextSwitchTo(context);

		if (bulkpar_compat_is_enforced(form) &&
			(bulkpar_foreignkey_acts(form->confdeltype) ||
			 bulkpar_foreignkey_acts(form->confupdtype)))
			keys = lappend(keys, read_foreign_key(rel, tuple));
		MemoryContextSwitchTo(oldcontext);
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
	Datum	   *set;
	int			nset;

	key->constraint = form->oid;
	key->relid = form->conrelid;
	key->referenced = form->confrelid;
	key->is_part = OidIsValid(form->conparentid);
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
	nset = read_numbers(rel, tuple, Anum_pg_constraint_confdelsetcols, INT2OID,
						&set);
	for (int i = 0; i < nset; i++)
		key->set = bms_add_member(key->set, DatumGetInt16(set[i]));
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
bool
bulkpar_foreignkey_acts(char action)
{
	return action == FKCONSTR_ACTION_CASCADE ||
		action == FKCONSTR_ACTION_SETNULL ||
		action == FKCONSTR_ACTION_SETDEFAULT;
}
