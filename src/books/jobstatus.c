/*-------------------------------------------------------------------------
 *
 * jobstatus.c
 *		How far a job is, and whether it is complete.
 *
 * The sums are made of the chunks each time, for no batch updates the row of its
 * job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/jobstatus.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "books/argument.h"
#include "books/bookkeeping.h"
#include "books/column.h"
#include "books/job.h"
#include "books/jobstatus.h"

/*
 * How fast a job has been in the last minute of its present run: the rows of
 * the chunks that were worked at then, in proportion of the time.  The view
 * bulkpar_progress has the same.
 */
#define RATE \
	"(SELECT coalesce(sum((k.rows_done - k.rows_at_claim) * " \
	"greatest(extract(epoch FROM k.until - " \
	"greatest(k.claimed_at, k.since)), 0) / " \
	"greatest(extract(epoch FROM k.until - k.claimed_at), 0.001)), 0) / " \
	"greatest(extract(epoch FROM clock_timestamp() - max(k.since)), 0.001) " \
	"* 3600 FROM (SELECT i.rows_done, i.rows_at_claim, i.claimed_at, " \
	"CASE WHEN i.worker IS NOT NULL AND i.finished_at IS NULL " \
	"THEN clock_timestamp() ELSE i.progressed_at END AS until, " \
	"greatest(clock_timestamp() - interval '1 minute', " \
	"min(i.claimed_at) FILTER (WHERE i.claimed_at >= j.running_since) " \
	"OVER ()) AS since FROM @bulkpar_chunk i " \
	"WHERE i.job_id = j.job_id) k)::int8"

/*
 * Whether the chunks of each part follow each other from before the first key to
 * the end key without a gap, and each has succeeded.  They are grouped by their
 * parts before these are looked up, so that no plan, however old it is and small
 * the tables were, reads all chunks for each part.  A part that is complete
 * counts as 1, one that is gone as 0, any other as -1: so the sum is the number of
 * parts with an end key only if all of these are complete, and no other has chunks.
 */
#define COMPLETE \
	"(j.started_at IS NOT NULL AND (SELECT " \
	"coalesce(sum(d.parts), 0) = " \
	"(SELECT count(*) FROM @bulkpar_part p WHERE p.job_id = j.job_id " \
	"AND NOT p.gone AND p.end_bytes IS NOT NULL) " \
	"FROM (SELECT coalesce((SELECT CASE WHEN p.gone THEN 0 " \
	"WHEN g.complete AND g.last_hi = p.end_bytes THEN 1 END " \
	"FROM @bulkpar_part p WHERE p.job_id = j.job_id " \
	"AND p.part_no = g.part_no), -1) AS parts " \
	"FROM (SELECT k.part_no, " \
	"bool_and(k.status = 'succeeded' AND k.last_bytes = k.hi_bytes " \
	"AND k.lo_bytes IS NOT DISTINCT FROM k.previous_hi) AS complete, " \
	"(array_agg(k.hi_bytes) FILTER (WHERE k.is_last))[1] AS last_hi " \
	"FROM (SELECT i.part_no, i.status, i.lo_bytes, i.hi_bytes, i.last_bytes, " \
	"lag(i.hi_bytes) OVER w AS previous_hi, " \
	"lead(i.chunk_no) OVER w IS NULL AS is_last " \
	"FROM @bulkpar_chunk i WHERE i.job_id = j.job_id " \
	"WINDOW w AS (PARTITION BY i.part_no ORDER BY i.chunk_no)) k " \
	"GROUP BY k.part_no) g) d))"

/* What slows a job down now, and how much time it has lost by what. */
#define THROTTLED \
	"SELECT nullif(concat_ws(', ', " \
	"string_agg(i.message, ', ' ORDER BY i.reason) " \
	"FILTER (WHERE i.reason <> ''), " \
	"(SELECT string_agg(DISTINCT k.throttled_by, ', ' " \
	"ORDER BY k.throttled_by) FROM @bulkpar_chunk k " \
	"WHERE k.job_id = j.job_id AND k.status = 'running')), '') " \
	"AS throttled_by, " \
	"coalesce(sum(extract(epoch FROM i.lost) * 1000000) " \
	"FILTER (WHERE i.reason = ''), 0)::int8 AS throttled_time, " \
	"string_agg(concat(i.reason, ' ', " \
	"round(extract(epoch FROM i.lost), 1), ' s'), ', ' " \
	"ORDER BY i.lost DESC, i.reason) " \
	"FILTER (WHERE i.reason <> '') AS throttled_for " \
	"FROM @bulkpar_throttle i WHERE i.job_id = j.job_id"

static void read_status(const BulkparBookkeeping *books,
						BulkparJobStatus *status);

/*
 * Read the state of a job.  NULL if there is no such job.  What is longer to
 * plan or to find out the functions below add, for those who want to know: a
 * process of a job that is small plans each statement to run it once.
 *
 * Must be called in a transaction, and takes no lock on the job: what it says
 * is what is committed, or ours.  The result is allocated in the current memory
 * context.  So do the others.
 */
BulkparJobStatus *
bulkpar_jobstatus_read(int64 job_id)
{
	static BulkparQuery read = {
		.read_only = true,
		.sql =
		"SELECT j.status, j.command, j.estimated_rows, "
		"j.planned_runs = j.runs AS planned, "
		"j.messages IS NOT NULL AS has_messages, "
		"j.table_bytes_before, j.index_bytes_before, "
		"j.table_bytes_after, j.index_bytes_after, "
		BULKPAR_ERROR_COLUMNS ", "
		"c.rows_done, c.rows_changed, c.rows_failed, c.rows_unchanged, "
		"c.batches, c.rows_hot, c.wal_bytes, "
		"(extract(epoch FROM j.time_before + greatest('0', "
		"clock_timestamp() - j.running_since)) * 1000000)::int8 AS at_work "
		"FROM @bulkpar_job j CROSS JOIN LATERAL ("
		"SELECT "
		"coalesce(sum(k.rows_done), 0)::int8 AS rows_done, "
		"coalesce(sum(k.rows_changed), 0)::int8 AS rows_changed, "
		"coalesce(sum(k.rows_failed), 0)::int8 AS rows_failed, "
		"coalesce(sum(k.rows_unchanged), 0)::int8 AS rows_unchanged, "
		"coalesce(sum(k.batches), 0)::int8 AS batches, "
		"coalesce(sum(k.rows_hot), 0)::int8 AS rows_hot, "
		"coalesce(sum(k.wal_bytes), 0)::int8 AS wal_bytes "
		"FROM @bulkpar_chunk k WHERE k.job_id = j.job_id) c "
		"WHERE j.job_id = $job_id"
	};
	BulkparJobStatus *status = NULL;
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	if (bulkpar_bookkeeping_run(&books, &read) == 1)
	{
		status = MemoryContextAllocZero(books.caller_context,
										sizeof(BulkparJobStatus));
		read_status(&books, status);
	}
	bulkpar_bookkeeping_leave(&books);
	return status;
}

/* The same of a job that has been there. */
BulkparJobStatus *
bulkpar_jobstatus_require(int64 job_id)
{
	BulkparJobStatus *status = bulkpar_jobstatus_read(job_id);

	if (status == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("bulkpar job " INT64_FORMAT " no longer exists",
						job_id)));
	return status;
}

/* Read what the statement above returns. */
static void
read_status(const BulkparBookkeeping *books, BulkparJobStatus *status)
{
	status->state =
		bulkpar_jobstate_of(bulkpar_column_text(books, "status"));
	status->planned = bulkpar_column_bool(books, "planned");
	status->has_messages = bulkpar_column_bool(books, "has_messages");
	status->command =
		bulkpar_command_of(bulkpar_column_text(books, "command"));
	status->estimated_rows = bulkpar_column_int64(books, "estimated_rows");
	status->before.table_bytes =
		bulkpar_column_int64(books, "table_bytes_before");
	status->before.index_bytes =
		bulkpar_column_int64(books, "index_bytes_before");
	status->after.table_bytes =
		bulkpar_column_int64(books, "table_bytes_after");
	status->after.index_bytes =
		bulkpar_column_int64(books, "index_bytes_after");
	status->error = bulkpar_column_error(books);
	status->rows_done = bulkpar_column_int64(books, "rows_done");
	status->rows_changed = bulkpar_column_int64(books, "rows_changed");
	status->rows_failed = bulkpar_column_int64(books, "rows_failed");
	status->rows_unchanged = bulkpar_column_int64(books, "rows_unchanged");
	status->batches = bulkpar_column_int64(books, "batches");
	status->rows_hot = bulkpar_column_int64(books, "rows_hot");
	status->wal_bytes = bulkpar_column_int64(books, "wal_bytes");
	status->time_at_work = bulkpar_column_int64(books, "at_work");
}

/*
 * Add what the nodes of a job have done, as far as it was heard, to what was done
 * here.  Returns how many rows they do in a second.
 */
double
bulkpar_jobstatus_add_nodes(int64 job_id, BulkparJobStatus *status)
{
	static BulkparQuery sum = {
		.read_only = true,
		.sql =
		"SELECT coalesce(sum(rows_done), 0)::int8 AS rows_done, "
		"coalesce(sum(rows_changed), 0)::int8 AS rows_changed, "
		"coalesce(sum(rows_failed), 0)::int8 AS rows_failed, "
		"coalesce(sum(rows_unchanged), 0)::int8 AS rows_unchanged, "
		"coalesce(sum(batches), 0)::int8 AS batches, "
		"coalesce(sum(estimated_rows), 0)::int8 AS estimated_rows, "
		"coalesce(sum(rows_per_second) FILTER (WHERE status = 'running'), "
		"0)::int8 AS rows_per_second "
		"FROM @bulkpar_node WHERE job_id = $job_id"
	};
	BulkparBookkeeping books;
	double		rate;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	if (bulkpar_bookkeeping_run(&books, &sum) != 1)
		elog(ERROR, "could not sum up the nodes of a bulkpar job");
	status->rows_done += bulkpar_column_int64(&books, "rows_done");
	status->rows_changed += bulkpar_column_int64(&books, "rows_changed");
	status->rows_failed += bulkpar_column_int64(&books, "rows_failed");
	status->rows_unchanged += bulkpar_column_int64(&books, "rows_unchanged");
	status->batches += bulkpar_column_int64(&books, "batches");
	status->estimated_rows += bulkpar_column_int64(&books, "estimated_rows");
	rate = bulkpar_column_int64(&books, "rows_per_second");
	bulkpar_bookkeeping_leave(&books);
	return rate;
}

/* Add what slows a job down, which is there, and what has. */
void
bulkpar_jobstatus_read_throttle(int64 job_id, BulkparJobStatus *status)
{
	static BulkparQuery read = {
		.read_only = true,
		.sql =
		"SELECT t.throttled_by, t.throttled_time, t.throttled_for "
		"FROM @bulkpar_job j CROSS JOIN LATERAL (" THROTTLED ") t "
		"WHERE j.job_id = $job_id"
	};
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	if (bulkpar_bookkeeping_run(&books, &read) == 1)
	{
		status->throttled_by = bulkpar_column_text(&books, "throttled_by");
		status->throttled_time = bulkpar_column_int64(&books,
													  "throttled_time");
		status->throttled_for = bulkpar_column_text(&books, "throttled_for");
	}
	bulkpar_bookkeeping_leave(&books);
}

/* The rows per second of a job in the last minute, if it runs. */
double
bulkpar_jobstatus_rate(int64 job_id)
{
	static BulkparQuery read = {
		.read_only = true,
		.sql =
		"SELECT " RATE " AS rows_per_hour "
		"FROM @bulkpar_job j WHERE j.job_id = $job_id"
	};
	BulkparBookkeeping books;
	double		rate = 0;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	if (bulkpar_bookkeeping_run(&books, &read) == 1)
		rate = bulkpar_column_int64(&books, "rows_per_hour") / 3600.0;
	bulkpar_bookkeeping_leave(&books);
	return rate;
}

/*
 * Whether the own rows of a job prove that it is complete: those of each part
 * follow each other from before the first key to the end key without a gap, and
 * each has succeeded.
 */
bool
bulkpar_jobstatus_is_complete(int64 job_id)
{
	static BulkparQuery prove = {
		.read_only = true,
		.sql =
		"SELECT " COMPLETE " AS complete "
		"FROM @bulkpar_job j WHERE j.job_id = $job_id"
	};
	BulkparBookkeeping books;
	bool		complete;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	complete = bulkpar_bookkeeping_run(&books, &prove) == 1 &&
		bulkpar_column_bool(&books, "complete");
	bulkpar_bookkeeping_leave(&books);
	return complete;
}
