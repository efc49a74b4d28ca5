/*-------------------------------------------------------------------------
 *
 * jobstatus.c
 *		How far a job is, and whether it is complete.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/jobstatus.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/memutils.h"

#include "books/bookkeeping.h"
#include "books/job.h"
#include "books/jobstatus.h"

static ErrorData *error_columns(const BulkparBracket *bracket, int first);

/*
 * Read the state of a job, and whether its own rows prove that it is
 * complete: those of each part follow each other from before the first key to
 * the end key without a gap, and each has succeeded.  NULL if there is no such
 * job.
 */
BulkparJobStatus *
bulkpar_jobstatus_read(int64 job_id)
{
	static BulkparQuery read = {
		.read_only = true,
		.sql =
		"SELECT j.status, c.rows_done, c.rows_updated, c.rows_failed, "
		"c.batches, "
		"coalesce(j.estimated_rows, 0), "
		"(extract(epoch FROM clock_timestamp() - "
		"coalesce(j.started_at, j.created_at)) * 1000)::int8, "
		"(j.started_at IS NOT NULL AND NOT EXISTS (SELECT FROM "
		"@bulkpar_part p LEFT JOIN LATERAL ("
		"SELECT bool_and(k.status = 'succeeded' AND k.last_bytes = k.hi_bytes "
		"AND k.lo_bytes IS NOT DISTINCT FROM k.previous_hi) AS complete, "
		"(array_agg(k.hi_bytes) FILTER (WHERE k.is_last))[1] AS last_hi "
		"FROM (SELECT i.*, lag(i.hi_bytes) OVER w AS previous_hi, "
		"lead(i.chunk_no) OVER w IS NULL AS is_last "
		"FROM @bulkpar_chunk i WHERE i.job_id = p.job_id "
		"AND i.part_no = p.part_no "
		"WINDOW w AS (ORDER BY i.chunk_no)) k) d ON true "
		"WHERE p.job_id = j.job_id AND NOT p.gone AND NOT "
		"coalesce(CASE WHEN p.end_bytes IS NULL THEN d.complete IS NULL "
		"ELSE d.complete AND d.last_hi = p.end_bytes END, false)))::int4::int8, "
		"j.sqlstate, j.message, j.detail, j.hint, j.context, "
		"c.rows_hot, c.wal_bytes, j.table_bytes_before, "
		"j.index_bytes_before, j.table_bytes_after, j.index_bytes_after, "
		"c.rows_unchanged, j.deletes::int4::int8 "
		"FROM @bulkpar_job j CROSS JOIN LATERAL ("
		"SELECT "
		"coalesce(sum(k.rows_done), 0)::int8 AS rows_done, "
		"coalesce(sum(k.rows_updated), 0)::int8 AS rows_updated, "
		"coalesce(sum(k.rows_failed), 0)::int8 AS rows_failed, "
		"coalesce(sum(k.rows_unchanged), 0)::int8 AS rows_unchanged, "
		"coalesce(sum(k.batches), 0)::int8 AS batches, "
		"coalesce(sum(k.rows_hot), 0)::int8 AS rows_hot, "
		"coalesce(sum(k.wal_bytes), 0)::int8 AS wal_bytes "
		"FROM @bulkpar_chunk k WHERE k.job_id = j.job_id) c "
		"WHERE j.job_id = $1",
		.nargs = 1,
		.argtypes = {INT8OID}
	};
	BulkparJobStatus *status = NULL;
	BulkparBracket bracket;

	if (bulkpar_bookkeeping_enter_for(&bracket, &read, job_id) == 1)
	{
		status = MemoryContextAllocZero(bracket.caller_context,
										sizeof(BulkparJobStatus));
		status->status = bulkpar_bookkeeping_text(&bracket, 1);
		status->rows_done = bulkpar_bookkeeping_int64(2);
		status->rows_updated = bulkpar_bookkeeping_int64(3);
		status->rows_failed = bulkpar_bookkeeping_int64(4);
		status->batches = bulkpar_bookkeeping_int64(5);
		status->estimated_rows = bulkpar_bookkeeping_int64(6);
		status->seconds = bulkpar_bookkeeping_int64(7) / 1000.0;
		status->complete = bulkpar_bookkeeping_int64(8) != 0;
		status->error = error_columns(&bracket, 9);
		status->rows_hot = bulkpar_bookkeeping_int64(14);
		status->wal_bytes = bulkpar_bookkeeping_int64(15);
		status->before.table_bytes = bulkpar_bookkeeping_int64(16);
		status->before.index_bytes = bulkpar_bookkeeping_int64(17);
		status->after.table_bytes = bulkpar_bookkeeping_int64(18);
		status->after.index_bytes = bulkpar_bookkeeping_int64(19);
		status->rows_unchanged = bulkpar_bookkeeping_int64(20);
		status->deletes = bulkpar_bookkeeping_int64(21) != 0;
	}
	bulkpar_bookkeeping_leave(&bracket);
	return status;
}

/* The error in the five columns from the first on; NULL if there is none. */
static ErrorData *
error_columns(const BulkparBracket *bracket, int first)
{
	char	   *sqlstate = bulkpar_bookkeeping_text(bracket, first);
	ErrorData  *error;

	if (sqlstate == NULL)
		return NULL;
	error = MemoryContextAllocZero(bracket->caller_context, sizeof(ErrorData));
	error->elevel = ERROR;
	error->sqlerrcode = MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2],
									  sqlstate[3], sqlstate[4]);
	error->message = bulkpar_bookkeeping_text(bracket, first + 1);
	error->detail = bulkpar_bookkeeping_text(bracket, first + 2);
	error->hint = bulkpar_bookkeeping_text(bracket, first + 3);
	error->context = bulkpar_bookkeeping_text(bracket, first + 4);
	return error;
}
