/*-------------------------------------------------------------------------
 *
 * actions.c
 *		What foreign keys would do to a job.
 *
 * Where a job changes or deletes a row, the actions of foreign keys may change
 * others.  When these are in the way of the job, with a new key or as rows of
 * another of its tables, it depends on the order of its batches what they are when
 * it comes to them, and whether it does.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/actions.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "books/bookkeeping.h"
#include "call/actions.h"
#include "table/part.h"

/*
 * Rows that are deleted let rows be deleted, or changed; and rows that are changed
 * let rows be changed, if these refer to what is.  That more rows of the tables are
 * deleted does no harm: they would be gone in any order.
 */
#define FIND \
	"WITH RECURSIVE part AS (" \
	" SELECT * FROM unnest($1, $2, $3) p(relid, root, key_index)), " \
	"reached AS (" \
	" SELECT p.root, f.conrelid, f.conkey, f.conname, $5 OR confdeltype <> 'c' AS changed" \
	" FROM part p JOIN pg_constraint f ON f.confrelid = p.relid" \
	" WHERE contype = 'f' AND CASE WHEN $5 THEN confupdtype IN ('c', 'n', 'd')" \
	"  AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = confrelid" \
	"   AND attnum = ANY (confkey) AND attname = ANY ($4))" \
	"  ELSE confdeltype IN ('c', 'n', 'd') END" \
	" UNION" \
	" SELECT r.root, f.conrelid, f.conkey, f.conname, r.changed OR confdeltype <> 'c'" \
	" FROM reached r JOIN pg_constraint f ON f.confrelid = r.conrelid" \
	" WHERE contype = 'f' AND CASE WHEN r.changed THEN confupdtype IN ('c', 'n', 'd')" \
	"  AND f.confkey && r.conkey" \
	"  ELSE confdeltype IN ('c', 'n', 'd') END) " \
	"SELECT conname::text, p.relid, p.root <> r.root " \
	"FROM reached r JOIN part p ON p.relid = r.conrelid " \
	"WHERE changed AND (p.root <> r.root OR EXISTS (SELECT FROM pg_index" \
	" WHERE indexrelid = key_index AND indkey::int2[] && conkey)) " \
	"ORDER BY 1, 2 LIMIT 1"

static Datum oids(const BulkparJob *job, Size offset);
static Datum names(const BulkparJob *job);
static void refuse_action(const char *constraint, Oid relid, bool other);

/*
 * An error if a foreign key changes rows that a job has yet to come to, so that it
 * might miss them or change them twice.  The parts of the job and their keys must
 * be known.
 */
void
bulkpar_actions_check(const BulkparJob *job)
{
	Oid			argtypes[] = {OIDARRAYOID, OIDARRAYOID, OIDARRAYOID,
	TEXTARRAYOID, BOOLOID};
	Datum		values[lengthof(argtypes)];
	int			nestlevel;

	if (job->nparts == 0 || (!bulkpar_command_deletes(job->command) &&
							 !bulkpar_command_updates(job->command)))
		return;
	values[0] = oids(job, offsetof(BulkparJobPart, relid));
	values[1] = oids(job, offsetof(BulkparJobPart, target));
	values[2] = oids(job, offsetof(BulkparJobPart, key_index));
	values[3] = names(job);
	values[4] = BoolGetDatum(!bulkpar_command_deletes(job->command));

	nestlevel = bulkpar_bookkeeping_safe_path();
	SPI_connect();
	if (SPI_execute_with_args(FIND, lengthof(argtypes), argtypes, values, NULL,
							  true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the foreign keys");
	if (SPI_processed > 0)
	{
		HeapTuple	row = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		refuse_action(SPI_getvalue(row, desc, 1),
					  DatumGetObjectId(SPI_getbinval(row, desc, 2, &isnull)),
					  DatumGetBool(SPI_getbinval(row, desc, 3, &isnull)));
	}
	SPI_finish();
	AtEOXact_GUC(true, nestlevel);
}

/* A field of each part, as an array. */
static Datum
oids(const BulkparJob *job, Size offset)
{
	Datum	   *elements = palloc(sizeof(Datum) * job->nparts);

	for (int i = 0; i < job->nparts; i++)
		elements[i] = ObjectIdGetDatum(*(const Oid *)
									   ((const char *) &job->parts[i] + offset));
	return PointerGetDatum(construct_array(elements, job->nparts, OIDOID,
										   sizeof(Oid), true, TYPALIGN_INT));
}

/* The columns that are set. */
static Datum
names(const BulkparJob *job)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(job->ncolumns, 1));

	for (int i = 0; i < job->ncolumns; i++)
		elements[i] = CStringGetTextDatum(job->column_names[i]);
	return PointerGetDatum(construct_array(elements, job->ncolumns, TEXTOID, -1,
										   false, TYPALIGN_INT));
}

static void
refuse_action(const char *constraint, Oid relid, bool other)
{
	char	   *table = bulkpar_part_name(relid);

	if (other)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("foreign key \"%s\" changes rows of table %s where the job changes others",
						constraint, table),
				 errdetail("Both tables are in the job, and nobody could say which of the changes comes first."),
				 errhint("Call the function for each table, one after the other.")));
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("foreign key \"%s\" changes the key of table %s that the job follows",
					constraint, table),
			 errhint("Name another unique index by the argument \"%s\", whose columns the job leaves alone.",
					 "key_index")));
}
