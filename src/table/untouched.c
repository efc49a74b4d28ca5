/*-------------------------------------------------------------------------
 *
 * untouched.c
 *		Rows that a batch should have changed, and did not.
 *
 * A statement without a condition changes all rows of its batch.  Some that
 * were counted may be gone, for others delete rows, or give them other keys.
 * But where a row is as it was, something has kept the statement from it: that
 * must be seen, for the job would say that the row is done.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/untouched.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "executor/spi.h"
#include "storage/itemptr.h"
#include "utils/hsearch.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "table/keyvalue.h"
#include "table/statement.h"
#include "table/untouched.h"

static bool may_leave_rows(const BulkparTarget *target, bool deletes);
static int64 count_untouched(const BulkparTarget *target, const Datum *lo,
							 const Datum *hi, const BulkparStripe *stripe);
static int64 find_places(BulkparStatement *statement,
						 const BulkparKeyPiece *piece, Snapshot snapshot,
						 HTAB *places, HASHACTION action);

/*
 * Throw an error if there are rows of a stripe in (lo, hi] that the statement
 * of the job, which has no condition, has left as the active snapshot sees
 * them, more than those that it was to leave unchanged.  Nothing is wrong if a
 * trigger or row level security may have left them out.  SPI must be connected
 * and the target locked.
 */
void
bulkpar_untouched_refuse(BulkparTarget *target, const BulkparJob *job,
						 const Datum *lo, const Datum *hi,
						 const BulkparStripe *stripe, int64 unchanged)
{
	int64		left;

	if (may_leave_rows(target, job->command == BULKPAR_COMMAND_DELETE))
		return;
	left = count_untouched(target, lo, hi, stripe) - unchanged;
	if (left > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a batch has left " INT64_FORMAT
						" of its rows as they were", left),
				 errdetail("The statement has no condition, and neither a trigger nor row level security has left them out."),
				 errhint("Another extension may have planned the statement its own way.")));
}

/*
 * Whether rows may be left alone by right: by a trigger of the user, or since
 * row level security hides them from the statement.
 */
static bool
may_leave_rows(const BulkparTarget *target, bool deletes)
{
	Relation	part = table_open(target->part, NoLock);
	const TriggerDesc *triggers = part->trigdesc;
	bool		may = triggers != NULL &&
		(deletes ? triggers->trig_delete_before_row :
		 triggers->trig_update_before_row);

	table_close(part, NoLock);
	return may || check_enable_rls(target->relid, InvalidOid,
								   true) == RLS_ENABLED;
}

/*
 * How many rows of a stripe in (lo, hi] are still as the active snapshot sees
 * them: neither this transaction nor another one has changed them since.
 */
static int64
count_untouched(const BulkparTarget *target, const Datum *lo, const Datum *hi,
				const BulkparStripe *stripe)
{
	HASHCTL		control = {
		.keysize = sizeof(ItemPointerData),
		.entrysize = sizeof(ItemPointerData),
		.hcxt = CurrentMemoryContext
	};
	HTAB	   *places = hash_create("bulkpar versions", 1024, &control,
									 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	BulkparKeyPiece pieces[BULKPAR_KEY_MAX_PIECES];
	int			npieces = bulkpar_keyvalue_cut(target->key, lo, hi, stripe,
											   pieces);
	Snapshot	now;
	int64		count = 0;

	CommandCounterIncrement();
	now = RegisterSnapshot(GetLatestSnapshot());
	for (int i = 0; i < npieces; i++)
	{
		BulkparStatement *statement =
			bulkpar_statement_versions(target->relid, target->part,
									   target->key, &pieces[i].shape);

		bulkpar_statement_prepare(statement);
		(void) find_places(statement, &pieces[i], now, places, HASH_ENTER);
		count += find_places(statement, &pieces[i], GetActiveSnapshot(),
							 places, HASH_FIND);
		bulkpar_statement_forget(statement);
	}
	UnregisterSnapshot(now);
	hash_destroy(places);
	return count;
}

/*
 * Put the places where a snapshot sees the rows of a piece into a hash table,
 * or look for them in it; returns how many are there.
 */
static int64
find_places(BulkparStatement *statement, const BulkparKeyPiece *piece,
			Snapshot snapshot, HTAB *places, HASHACTION action)
{
	Datum		values[BULKPAR_KEY_MAX_VALUES + 1];
	int64		count = 0;

	memcpy(values, piece->values, sizeof(Datum) * piece->nvalues);
	values[statement->nargs - 1] = Int64GetDatum(PG_INT64_MAX);
	if (SPI_execute_snapshot(statement->plan, values, NULL, snapshot,
							 InvalidSnapshot, true, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look at the rows of a batch");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		place = SPI_getbinval(SPI_tuptable->vals[i],
										  SPI_tuptable->tupdesc, 1, &isnull);

		if (hash_search(places, DatumGetPointer(place), action, NULL) != NULL)
			count++;
	}
	SPI_freetuptable(SPI_tuptable);
	return count;
}
