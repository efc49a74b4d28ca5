/*-------------------------------------------------------------------------
 *
 * alteration.c
 *		What is changed of a job after it was started.
 *
 * Whoever alters a job does not know how long its transaction will take, and the
 * workers lock the job's row for each chunk.  So an alteration is a row of its
 * own.  Where a job is read, it is read with what was altered; into its row that
 * goes when somebody has locked it anyway.
 *
 * Must be called in a transaction, throws an ERROR when a statement fails, and
 * leaves commit and rollback to its caller.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/alteration.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "books/alteration.h"
#include "books/argument.h"
#include "books/bookkeeping.h"
#include "books/column.h"
#include "books/jobstatus.h"

static void settle(int64 job_id, bool all, bool wait);

/*
 * Alter a job; false if it has succeeded.  An error if there is none, also where
 * another transaction is about to forget it, for which we wait.
 */
bool
bulkpar_alteration_insert(int64 job_id, const BulkparAlteration *alteration)
{
	static BulkparQuery insert = {
		.sql =
		"INSERT INTO @bulkpar_alteration "
		"(job_id, altered_at, workers, batch_size, settings) "
		"SELECT job_id, clock_timestamp(), nullif($workers, 0), "
		"nullif($batch_size, 0), $settings::jsonb "
		"FROM @bulkpar_job WHERE job_id = $job_id AND status <> 'succeeded' FOR KEY SHARE"
	};
	BulkparBookkeeping books;
	bool		inserted;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_argument_int32(&books, "workers", alteration->workers);
	bulkpar_argument_int32(&books, "batch_size", alteration->batch_size);
	bulkpar_argument_text(&books, "settings", alteration->settings);
	inserted = bulkpar_bookkeeping_run(&books, &insert) == 1;
	bulkpar_bookkeeping_leave(&books);
	if (!inserted)
		(void) bulkpar_jobstatus_require(job_id);
	return inserted;
}

/*
 * Whether a job was altered since the last such call, which is for its
 * coordinator; and whether the number of its workers was.
 */
bool
bulkpar_alteration_follow(int64 job_id, bool *workers)
{
	static BulkparQuery follow = {
		.sql =
		"WITH a AS (UPDATE @bulkpar_alteration SET followed = true "
		"WHERE job_id = $job_id AND NOT followed RETURNING workers) "
		"SELECT count(workers) > 0 AS workers FROM a HAVING count(*) > 0"
	};
	BulkparBookkeeping books;
	bool		altered;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	altered = bulkpar_bookkeeping_run(&books, &follow) > 0;
	*workers = altered && bulkpar_column_bool(&books, "workers");
	bulkpar_bookkeeping_leave(&books);
	return altered;
}

/*
 * Put what was altered into the job's row, where no coordinator is to follow it
 * any more, or not yet.
 */
void
bulkpar_alteration_settle(int64 job_id)
{
	settle(job_id, true, true);
}

/* The same with what the coordinator follows, if nobody else locks the row. */
void
bulkpar_alteration_settle_followed(int64 job_id)
{
	settle(job_id, false, false);
}

static void
settle(int64 job_id, bool all, bool wait)
{
	static BulkparQuery lock = {
		.sql =
		"SELECT " BULKPAR_ALTERATION_EXISTS " AS altered FROM @bulkpar_job "
		"WHERE job_id = $job_id FOR NO KEY UPDATE"
	};
	static BulkparQuery try_lock = {
		.sql =
		"SELECT " BULKPAR_ALTERATION_EXISTS " AS altered FROM @bulkpar_job "
		"WHERE job_id = $job_id FOR NO KEY UPDATE SKIP LOCKED"
	};
	static BulkparQuery update = {
		.sql =
		"WITH altered AS (DELETE FROM @bulkpar_alteration "
		"WHERE job_id = $job_id AND (followed OR $all) RETURNING *) "
		"UPDATE @bulkpar_job SET "
		"workers = " BULKPAR_ALTERATION_LAST("altered", "workers") ", "
		"batch_size = " BULKPAR_ALTERATION_LAST("altered", "batch_size") ", "
		"settings = (SELECT coalesce(jsonb_agg(l.value), '[]') FROM "
		"(SELECT s.value FROM " BULKPAR_ALTERATION_SETTINGS("altered") ") l) "
		"WHERE job_id = $job_id AND EXISTS (SELECT FROM altered)"
	};
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	if (bulkpar_bookkeeping_run(&books, wait ? &lock : &try_lock) == 1 &&
		bulkpar_column_bool(&books, "altered"))
	{
		bulkpar_argument_bool(&books, "all", all);
		(void) bulkpar_bookkeeping_run(&books, &update);
	}
	bulkpar_bookkeeping_leave(&books);
}
