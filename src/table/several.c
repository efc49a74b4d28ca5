/*-------------------------------------------------------------------------
 *
 * several.c
 *		Several small parts of a target in one statement.
 *
 * A statement on a part costs about a millisecond before it has changed a row:
 * it is analyzed and planned for this part alone.  Where parts have fewer rows
 * than a batch, one statement changes all rows of several.  It needs no range,
 * so it reaches each part by whatever path is best.
 *
 * That is not done where the statement reads other tables: the keys of a batch
 * tell which of their rows it needs, and here are no keys.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/several.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/lmgr.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "table/part.h"
#include "table/several.h"
#include "table/shard.h"

static const BulkparKey no_key;
static const BulkparKeyShape all_rows;

static void guard_shards(const BulkparJob *job,
						 const BulkparSeveralPart *parts, int nparts);
static bool all_belong(const BulkparTarget *target, const BulkparJob *job,
					   const BulkparSeveralPart *parts, int nparts);
static int64 count_rows(BulkparTarget *target, const BulkparJob *job,
						List *relids, BulkparSeveralPart *parts, int nparts);
static int64 count_part(Oid relid, int64 limit);
static int64 select_rows(BulkparTarget *target, const BulkparJob *job,
						 List *relids, BulkparSeveralPart *parts, int nparts);
static int64 change_rows(BulkparTarget *target, const BulkparJob *job,
						 List *relids, BulkparSeveralPart *parts, int nparts);
static void note_deleted(const BulkparJob *job, BulkparSeveralPart *parts,
						 int nparts, int sign);
static BulkparSeveralPart *part_of_row(const BulkparJob *job,
									   BulkparSeveralPart *parts, int nparts,
									   uint64 row);

/*
 * Whether the statement of a job can be run on several parts at once: an UPDATE
 * or DELETE.  SPI must not be connected, and the target must be locked.
 */
bool
bulkpar_several_is_possible(BulkparTarget *target, const BulkparJob *job)
{
	BulkparKeyShape shape;
	BulkparStatement *statement;

	if (!bulkpar_command_is_plain(job->command) || job->skip_unchanged || job->from_item != NULL ||
		job->subqueries.count > 0 ||
		(job->stripes > 1 && !job->stripes_chosen))
		return false;
	if (!target->looked_alone)
	{
		shape = bulkpar_key_usual_shape(target->key);
		statement = bulkpar_statement_batch(job, target->relid, target->part, target->key,
											&shape);
		SPI_connect();
		bulkpar_statement_prepare(statement);
		target->alone =
			list_length(bulkpar_statement_relations(statement)) == 1;
		bulkpar_statement_forget(statement);
		SPI_finish();
		target->looked_alone = true;
	}
	return target->alone;
}

/*
 * Lock the target and the parts to the end of the transaction, to change rows.
 * False if one of them is no longer a part: then it must not be looked at, for it
 * may be anybody's table now.
 */
bool
bulkpar_several_lock(BulkparTarget *target, const BulkparJob *job,
					 const BulkparSeveralPart *parts, int nparts)
{
	bulkpar_target_lock(target, job, parts[0].number, RowExclusiveLock);
	for (int i = 1; i < nparts; i++)
		LockRelationOid(job->parts[parts[i].number].relid, RowExclusiveLock);
	guard_shards(job, parts, nparts);
	return all_belong(target, job, parts, nparts);
}

/*
 * Update all rows of the parts, as the active snapshot sees them, and say how
 * many each has.  False if they are more than a batch may have, if some were
 * left as they were by a statement that should change all, if it is not known how
 * many were changed in each, or if a part has begun to be detached, which our lock
 * does not prevent, so that its rows were not found: then the transaction must not
 * commit.  SPI must be connected and the parts locked.
 */
bool
bulkpar_several_update(BulkparTarget *target, const BulkparJob *job,
					   BulkparSeveralPart *parts, int nparts)
{
	List	   *relids = NIL;
	int64		rows;
	int64		changed;
	int64		noted = 0;

	for (int i = 0; i < nparts; i++)
	{
		Oid			relid = job->parts[parts[i].number].relid;

		relids = lappend_oid(relids, relid);
		parts[i].rows_hot = -bulkpar_compat_hot_updates(relid);
	}
	rows = count_rows(target, job, relids, parts, nparts);
	if (rows > job->batch_size)
		return false;
	changed = change_rows(target, job, relids, parts, nparts);
	for (int i = 0; i < nparts; i++)
	{
		Oid			relid = job->parts[parts[i].number].relid;

		noted += parts[i].rows_changed;
		parts[i].rows_hot += bulkpar_compat_hot_updates(relid);
		/* A trigger may have updated rows of the table as well. */
		parts[i].rows_hot = Min(parts[i].rows_hot, parts[i].rows_changed);
	}
	return changed == noted && changed <= job->batch_size &&
		!(target->whole && changed < rows) &&
		all_belong(target, job, parts, nparts);
}

/* See bulkpar_shard_settle. */
void
bulkpar_several_settle(const BulkparJob *job, const BulkparSeveralPart *parts,
					   int nparts)
{
	for (int i = 0; i < nparts; i++)
	{
		const BulkparJobPart *part = &job->parts[parts[i].number];

		if (part->shard != 0)
			bulkpar_shard_settle(part->relid);
	}
}

/* Keep those of the parts that are shards of Citus where they are. */
static void
guard_shards(const BulkparJob *job, const BulkparSeveralPart *parts,
			 int nparts)
{
	int64	   *shards = palloc(sizeof(int64) * nparts);
	int			count = 0;

	for (int i = 0; i < nparts; i++)
	{
		int64		shard = job->parts[parts[i].number].shard;

		if (shard != 0)
			shards[count++] = shard;
	}
	if (count > 0)
		bulkpar_shard_guard(shards, count);
	pfree(shards);
}

/* Whether all of them, which are of one target, are parts of that now. */
static bool
all_belong(const BulkparTarget *target, const BulkparJob *job,
		   const BulkparSeveralPart *parts, int nparts)
{
	for (int i = 0; i < nparts; i++)
	{
		if (!bulkpar_part_belongs(target->relid,
								  job->parts[parts[i].number].relid))
			return false;
	}
	return true;
}

/*
 * Count the rows of each part, up to one more than a batch may have.  To plan a
 * statement for some parts takes longer than to read the few rows that they have.
 */
static int64
count_rows(BulkparTarget *target, const BulkparJob *job, List *relids,
		   BulkparSeveralPart *parts, int nparts)
{
	int64		limit = (int64) job->batch_size + 1;
	int64		rows = 0;

	if (!bulkpar_part_may_read_all(target->relid))
		return select_rows(target, job, relids, parts, nparts);
	for (int i = 0; i < nparts && rows < limit; i++)
	{
		parts[i].rows = count_part(job->parts[parts[i].number].relid,
								   limit - rows);
		rows += parts[i].rows;
	}
	return rows;
}

/* Count the rows of a table that the active snapshot sees, up to a limit. */
static int64
count_part(Oid relid, int64 limit)
{
	Relation	rel = table_open(relid, NoLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false,
										  GetActiveSnapshot(), 0, NULL);
	int64		rows = 0;

	while (rows < limit && systable_getnext(scan) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		rows++;
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return rows;
}

/* The same by a statement, which sees what the user may. */
static int64
select_rows(BulkparTarget *target, const BulkparJob *job, List *relids,
			BulkparSeveralPart *parts, int nparts)
{
	BulkparStatement *statement =
		bulkpar_statement_collect(target->relid, InvalidOid, &no_key,
								  &all_rows);
	Datum		values[1];
	int64		rows;

	values[0] = Int64GetDatum((int64) job->batch_size + 1);
	statement->hooks.condition.parts = relids;
	bulkpar_statement_prepare(statement);
	if (SPI_execute_snapshot(statement->plan, values, NULL,
							 GetActiveSnapshot(), InvalidSnapshot, true,
							 false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not count the rows of several parts");
	rows = (int64) SPI_processed;
	for (uint64 i = 0; i < SPI_processed; i++)
		part_of_row(job, parts, nparts, i)->rows++;
	SPI_freetuptable(SPI_tuptable);
	bulkpar_statement_forget(statement);
	return rows;
}

/*
 * Run the statement of the job, and note what it has changed in each part.  A row
 * that is deleted and returned is read once more, which takes a tenth of the time
 * of a batch.  So where the server counts what is deleted from a table we take it
 * from there; user code may have deleted other rows, but then it is too much.
 */
static int64
change_rows(BulkparTarget *target, const BulkparJob *job, List *relids,
			BulkparSeveralPart *parts, int nparts)
{
	BulkparStatement *statement =
		bulkpar_statement_batch(job, target->relid, target->part, &no_key, &all_rows);
	bool		silent = job->command == BULKPAR_COMMAND_DELETE &&
		pgstat_track_counts;
	int64		changed;
	int			result;

	statement->hooks.condition.parts = relids;
	statement->hooks.condition.silent = silent;
	bulkpar_statement_prepare(statement);
	bulkpar_statement_verify(statement);
	target->whole = statement->hooks.condition.whole;
	if (silent)
		note_deleted(job, parts, nparts, -1);
	result = SPI_execute_snapshot(statement->plan, NULL, NULL,
								  GetActiveSnapshot(), InvalidSnapshot, false,
								  true, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_snapshot failed: %s",
			 SPI_result_code_string(result));
	changed = (int64) SPI_processed;
	if (silent)
		note_deleted(job, parts, nparts, 1);
	else
	{
		for (uint64 i = 0; i < SPI_processed; i++)
			part_of_row(job, parts, nparts, i)->rows_changed++;
	}
	SPI_freetuptable(SPI_tuptable);
	bulkpar_statement_forget(statement);
	return changed;
}

/* Add what this process has deleted from each part so far, or take it off. */
static void
note_deleted(const BulkparJob *job, BulkparSeveralPart *parts, int nparts,
			 int sign)
{
	for (int i = 0; i < nparts; i++)
		parts[i].rows_changed += sign *
			bulkpar_compat_deleted_rows(job->parts[parts[i].number].relid);
}

/*
 * The part of a row that the last statement has returned.  A trigger may have
 * moved it to a part that is not one of ours; then it is noted with the first.
 */
static BulkparSeveralPart *
part_of_row(const BulkparJob *job, BulkparSeveralPart *parts, int nparts,
			uint64 row)
{
	bool		isnull;
	Oid			relid =
		DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[row],
									   SPI_tuptable->tupdesc, 1, &isnull));

	for (int i = 0; i < nparts; i++)
	{
		if (job->parts[parts[i].number].relid == relid)
			return &parts[i];
	}
	return &parts[0];
}
