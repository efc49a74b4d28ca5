/*-------------------------------------------------------------------------
 *
 * cascade.c
 *		Where the actions of foreign keys lead.
 *
 * A row that a batch deletes may let foreign keys delete or change rows that later
 * batches are to come to: a move would then not find them, and a merge would find
 * others.
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
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "table/cascade.h"
#include "table/part.h"

static List *read_foreign_keys(void);
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
			const FormData_pg_constraint *key = lfirst(lc);

			if (key->confrelid != relid ||
				!(acts(key->confdeltype) ||
				  (!is_first && acts(key->confupdtype))))
				continue;
			if (is_of(key->conrelid, to))
				return true;
			reached = list_append_unique_oid(reached, key->conrelid);
		}
	}
	return false;
}

/* All foreign keys of the database. */
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
		FormData_pg_constraint *copy = palloc(sizeof(FormData_pg_constraint));

		memcpy(copy, GETSTRUCT(tuple), sizeof(FormData_pg_constraint));
		keys = lappend(keys, copy);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return keys;
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
