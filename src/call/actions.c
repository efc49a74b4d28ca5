/*-------------------------------------------------------------------------
 *
 * actions.c
 *		What foreign keys would do to a job.
 *
 * Where a job changes or deletes a row, the actions of foreign keys may change
 * others.  When these are rows of another of its tables, it depends on the order of
 * its batches what they are when it comes to them.  For those of the same table see
 * ownread.c.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/actions.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/lsyscache.h"

#include "call/actions.h"
#include "table/cascade.h"
#include "table/part.h"

static void check_others(const BulkparJob *job, Oid target,
						 const BulkparForeignKey *key);

/*
 * An error if a foreign key changes rows of one table of a job for another one.  That
 * more of them are deleted does no harm: they would be gone in any order.
 */
void
bulkpar_actions_check(const BulkparJob *job)
{
	ListCell   *lc;

	for (int i = 0; i < job->ntargets; i++)
	{
		Oid			target = job->targets[i];

		/* One that is gone is told later. */
		foreach(lc, get_rel_relkind(target) == '\0' ? NIL :
				bulkpar_cascade_find_of_job(job, list_make1_oid(target)))
			check_others(job, target, lfirst(lc));
	}
}

static void
check_others(const BulkparJob *job, Oid target, const BulkparForeignKey *key)
{
	for (int i = 0; i < job->ntargets; i++)
	{
		Oid			other = job->targets[i];

		if (other != target && key->updates &&
			bulkpar_part_overlaps(key->relid, other))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("foreign key \"%s\" changes rows of table %s where the job changes others",
							get_constraint_name(key->constraint),
							bulkpar_part_name(other)),
					 errdetail("Both tables are in the job, and nobody could say which of the changes comes first."),
					 errhint("Call the function for each table, one after the other.")));
	}
}
