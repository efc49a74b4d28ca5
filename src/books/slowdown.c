/*-------------------------------------------------------------------------
 *
 * slowdown.c
 *		What has slowed a job down, and for how long.
 *
 * Written by the coordinator when that changes, and else every few seconds, and
 * never to the row of the job, which the workers lock for each chunk: but for
 * what is left out of its time, when its window opens.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/slowdown.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "datatype/timestamp.h"

#include "books/argument.h"
#include "books/bookkeeping.h"
#include "books/slowdown.h"

/* Note one reason of a job, in the transaction that is at hand. */
void
bulkpar_slowdown_note(int64 job_id, const BulkparSlowdown *slowdown)
{
	static BulkparQuery note = {
		.sql =
		"INSERT INTO @bulkpar_throttle AS t "
		"(job_id, reason, message, since, lost, work_share) "
		"SELECT job_id, $reason, $message, CASE WHEN $message IS NOT NULL "
		"THEN clock_timestamp() - $since END, $lost, $share / 1000.0 "
		"FROM @bulkpar_job WHERE job_id = $job_id "
		"ON CONFLICT (job_id, reason) DO UPDATE SET "
		"message = excluded.message, since = excluded.since, "
		"lost = t.lost + excluded.lost, work_share = excluded.work_share"
	};
	Interval	since = {.time = slowdown->since};
	Interval	lost = {.time = slowdown->time};
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_argument_text(&books, "reason", slowdown->reason);
	bulkpar_argument_text(&books, "message", slowdown->message);
	bulkpar_argument_interval(&books, "since", &since);
	bulkpar_argument_interval(&books, "lost", &lost);
	bulkpar_argument_int32(&books, "share", (int32) (slowdown->share * 1000));
	(void) bulkpar_bookkeeping_run(&books, &note);
	bulkpar_bookkeeping_leave(&books);
}

/*
 * Let so many microseconds of the present run not count as work, in the
 * transaction that is at hand.
 */
void
bulkpar_slowdown_leave_out(int64 job_id, int64 time)
{
	static BulkparQuery leave_out = {
		.sql =
		"UPDATE @bulkpar_job SET running_since = running_since + $time "
		"WHERE job_id = $job_id"
	};
	Interval	interval = {.time = time};
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_argument_interval(&books, "time", &interval);
	(void) bulkpar_bookkeeping_run(&books, &leave_out);
	bulkpar_bookkeeping_leave(&books);
}
