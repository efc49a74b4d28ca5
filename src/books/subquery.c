/*-------------------------------------------------------------------------
 *
 * subquery.c
 *		The subqueries of a job that were evaluated once.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/subquery.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/lmgr.h"

#include "books/argument.h"
#include "books/bookkeeping.h"
#include "books/column.h"
#include "books/kept.h"
#include "books/subquery.h"

static void drop_result(Oid relid);

/*
 * Note the result of another subquery, in the current memory context, and of a
 * job that is stored also in its books.
 */
void
bulkpar_subquery_add(int64 job_id, BulkparSubqueries *subqueries,
					 const BulkparSubquery *subquery)
{
	static BulkparQuery insert = {
		.sql =
		"INSERT INTO @bulkpar_subquery (job_id, number, relation, rows, "
		"has_nulls, choice) VALUES ($job_id, $number, $relation, $rows, "
		"$has_nulls, $choice)"
	};
	Size		size = sizeof(BulkparSubquery) * (subqueries->count + 1);

	subqueries->items = subqueries->items == NULL ? palloc(size) :
		repalloc(subqueries->items, size);
	subqueries->items[subqueries->count++] = *subquery;
	if (job_id != 0)
	{
		BulkparBookkeeping books;

		bulkpar_bookkeeping_enter_job(&books, job_id);
		bulkpar_argument_int32(&books, "number", subqueries->count);
		bulkpar_argument_oid(&books, "relation", subquery->relid);
		bulkpar_argument_int64(&books, "rows", subquery->rows);
		bulkpar_argument_bool(&books, "has_nulls", subquery->has_nulls);
		bulkpar_argument_int32(&books, "choice", subquery->choice);
		(void) bulkpar_bookkeeping_run(&books, &insert);
		bulkpar_bookkeeping_leave(&books);
	}
}

/* Read those of a job. */
void
bulkpar_subquery_load(int64 job_id, BulkparSubqueries *subqueries)
{
	static BulkparQuery read = {
		.read_only = true,
		.sql =
		"SELECT relation, rows, has_nulls, choice FROM @bulkpar_subquery "
		"WHERE job_id = $job_id ORDER BY number"
	};
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	subqueries->count = (int) bulkpar_bookkeeping_run(&books, &read);
	if (subqueries->count > 0)
		subqueries->items = MemoryContextAlloc(books.caller_context,
											   sizeof(BulkparSubquery) *
											   subqueries->count);
	for (int i = 0; i < subqueries->count; i++)
	{
		BulkparSubquery *subquery = &subqueries->items[i];

		bulkpar_bookkeeping_look_at(&books, i);
		subquery->relid = bulkpar_column_oid(&books, "relation");
		subquery->rows = bulkpar_column_int64(&books, "rows");
		subquery->has_nulls = bulkpar_column_bool(&books, "has_nulls");
		subquery->choice = bulkpar_column_int32(&books, "choice");
	}
	bulkpar_bookkeeping_leave(&books);
}

/*
 * Drop what the subqueries of a job returned, also if that means to wait for
 * somebody who reads it.
 */
void
bulkpar_subquery_drop(int64 job_id)
{
	BulkparSubqueries subqueries = {0};

	bulkpar_subquery_load(job_id, &subqueries);
	for (int i = 0; i < subqueries.count; i++)
	{
		LockRelationOid(subqueries.items[i].relid, AccessExclusiveLock);
		drop_result(subqueries.items[i].relid);
	}
}

/*
 * The same of all jobs that have succeeded, which need it no longer: the one
 * that has just ended, and those at whose end somebody read it.  What is read
 * now is left to the next job, or to who forgets its own.
 */
void
bulkpar_subquery_drop_unneeded(void)
{
	static BulkparQuery find = {
		.read_only = true,
		.sql =
		"SELECT relation FROM @bulkpar_subquery JOIN @bulkpar_job "
		"USING (job_id) WHERE status = 'succeeded'"
	};
	BulkparBookkeeping books;
	List	   *relids = NIL;
	ListCell   *lc;
	int			count;

	bulkpar_bookkeeping_enter(&books);
	count = (int) bulkpar_bookkeeping_run(&books, &find);
	for (int i = 0; i < count; i++)
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(books.caller_context);

		bulkpar_bookkeeping_look_at(&books, i);
		relids = lappend_oid(relids, bulkpar_column_oid(&books, "relation"));
		MemoryContextSwitchTo(oldcontext);
	}
	bulkpar_bookkeeping_leave(&books);
	foreach(lc, relids)
	{
		if (ConditionalLockRelationOid(lfirst_oid(lc), AccessExclusiveLock))
			drop_result(lfirst_oid(lc));
	}
}

/* Drop a table with a result, which is locked, and what is noted of it. */
static void
drop_result(Oid relid)
{
	static BulkparQuery forget = {
		.sql = "DELETE FROM @bulkpar_subquery WHERE relation = $relation"
	};
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter(&books);
	bulkpar_argument_oid(&books, "relation", relid);
	bulkpar_kept_drop(relid);
	(void) bulkpar_bookkeeping_run(&books, &forget);
	bulkpar_bookkeeping_leave(&books);
}
