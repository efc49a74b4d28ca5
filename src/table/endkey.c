/*-------------------------------------------------------------------------
 *
 * endkey.c
 *		The largest key of a part, where a job ends.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/endkey.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "executor/spi.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "table/endkey.h"
#include "table/keyvalue.h"
#include "table/part.h"

static Datum *read_end_key(const BulkparTarget *target);
static Datum *select_end_key(BulkparTarget *target);

/*
 * The largest key, in the current memory context; NULL if there is none.  SPI
 * must not be connected, there must be an active snapshot, and the target must
 * be locked.
 */
Datum *
bulkpar_endkey_read(BulkparTarget *target)
{
	return bulkpar_part_may_read_all(target->relid) ?
		read_end_key(target) : select_end_key(target);
}

/*
 * Read the last entry of the key index.  A statement takes 0.1 ms for it, nearly
 * all to be planned, which counts with 1,100 parts.
 */
static Datum *
read_end_key(const BulkparTarget *target)
{
	const BulkparKey *key = target->key;
	Relation	rel = table_open(target->part, NoLock);
	Relation	index = index_open(key->index, AccessShareLock);
	SysScanDesc scan = systable_beginscan_ordered(rel, index,
												  GetActiveSnapshot(),
												  0, NULL);
	HeapTuple	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	Datum	   *end = NULL;
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	for (int i = 0; tuple != NULL && i < key->ncolumns; i++)
		values[i] = heap_getattr(tuple, key->columns[i].attnum,
								 RelationGetDescr(rel), &nulls[i]);
	if (tuple != NULL)
	{
		bulkpar_keyvalue_require(key, nulls);
		end = bulkpar_keyvalue_copy(key, values);
	}
	systable_endscan_ordered(scan);
	index_close(index, NoLock);
	table_close(rel, NoLock);
	return end;
}

/* The same by a statement, which sees what the user may. */
static Datum *
select_end_key(BulkparTarget *target)
{
	MemoryContext context = CurrentMemoryContext;
	BulkparStatement *statement = bulkpar_statement_end_key(target->relid,
															target->part,
															target->key);
	Datum	   *end = NULL;
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	SPI_connect();
	bulkpar_statement_prepare(statement);
	if (SPI_execute_plan(statement->plan, NULL, NULL, false,
						 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the largest key");
	if (SPI_processed > 0)
	{
		for (int i = 0; i < target->key->ncolumns; i++)
			values[i] = SPI_getbinval(SPI_tuptable->vals[0],
									  SPI_tuptable->tupdesc, i + 1, &nulls[i]);
		bulkpar_keyvalue_require(target->key, nulls);
		MemoryContextSwitchTo(context);
		end = bulkpar_keyvalue_copy(target->key, values);
	}
	bulkpar_statement_forget(statement);
	SPI_finish();
	return end;
}
