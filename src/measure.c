/*-------------------------------------------------------------------------
 *
 * measure.c
 *		The space that a table takes, and who keeps it from being reused.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/measure.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "bookkeeping.h"
#include "compat.h"
#include "measure.h"

/*
 * Measure a table and add it to the sum, unless somebody has it locked or it
 * does not exist.  Must be called in a transaction, to whose end the table
 * stays locked.
 */
void
bulkpar_measure_space(Oid relid, BulkparSpace *space)
{
	Datum		rel = ObjectIdGetDatum(relid);

	if (!ConditionalLockRelationOid(relid, AccessShareLock) ||
		get_rel_name(relid) == NULL)
		return;
	space->known = true;
	space->table_bytes += DatumGetInt64(DirectFunctionCall1(pg_table_size, rel));
	space->index_bytes += DatumGetInt64(DirectFunctionCall1(pg_indexes_size,
														   rel));
	space->dead_rows += bulkpar_compat_dead_tuples(relid);
}

/*
 * Who holds back the removal of dead rows, as text; NULL if nobody does.  The
 * session with that pid counts even if it has just begun; 0 for none.
 */
char *
bulkpar_measure_xmin_holders(int pid)
{
	static BulkparQuery find = {
		.read_only = true,
		.sql = "SELECT @bulkpar_xmin_holders($1)",
		.nargs = 1,
		.argtypes = {INT4OID}
	};
	BulkparBracket bracket;
	Datum		values[1];
	char	   *holders;

	values[0] = Int32GetDatum(pid);
	bulkpar_bookkeeping_enter(&bracket);
	(void) bulkpar_bookkeeping_run(&find, values, NULL);
	holders = bulkpar_bookkeeping_text(&bracket, 1);
	bulkpar_bookkeeping_leave(&bracket);
	return holders;
}
