/*-------------------------------------------------------------------------
 *
 * unique.c
 *		Whether columns of a table tell its rows apart.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/unique.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "utils/rel.h"

#include "compat.h"
#include "table/unique.h"

static bool tells_apart(Relation rel, Relation index,
						const Bitmapset *columns);

/*
 * Whether no two rows of a table, which is locked, have the same values in some
 * of its columns, none of which is null.  The index of a table with children says
 * nothing about the rows of these, if they are inherited.
 */
bool
bulkpar_unique_covers(Oid relid, bool inherited, const Bitmapset *columns)
{
	Relation	rel = table_open(relid, NoLock);
	bool		found = false;
	ListCell   *lc;

	if (!inherited || rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ||
		find_inheritance_children(relid, NoLock) == NIL)
	{
		foreach(lc, RelationGetIndexList(rel))
		{
			Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

			found |= tells_apart(rel, index, columns);
			index_close(index, NoLock);
		}
	}
	table_close(rel, NoLock);
	return found;
}

/* Whether a valid unique index has none but columns that are among these. */
static bool
tells_apart(Relation rel, Relation index, const Bitmapset *columns)
{
	const FormData_pg_index *form = index->rd_index;

	if (!form->indisunique || !form->indisvalid ||
		!heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL))
		return false;
	for (int i = 0; i < form->indnkeyatts; i++)
	{
		AttrNumber	attnum = form->indkey.values[i];

		if (attnum <= 0 || !bms_is_member(attnum, columns) ||
			!bulkpar_compat_is_not_null(RelationGetDescr(rel), attnum))
			return false;
	}
	return true;
}
