/*-------------------------------------------------------------------------
 *
 * ledger.c
 *		What is done of a job: the rows of bulkpar_chunk and bulkpar_error.
 *
 * Unless a function says otherwise it must be called in a transaction, throws
 * an ERROR when its statement fails, and leaves commit and rollback to its
 * caller.  Results are allocated in the current memory context.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/ledger.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "books/bookkeeping.h"
#include "books/ledger.h"

static bool lock_running(const BulkparJob *job);
static bool take_over(const BulkparJob *job, int worker, BulkparLedgerChunk *chunk,
					  BulkparBracket *bracket);
static void follow_last(const BulkparJob *job, BulkparLedgerChunk *chunk,
						BulkparLedgerTrend *trend, BulkparBracket *bracket);

/*
 * Look for a chunk to do, and lock the job so that no other worker gets the
 * same.  A chunk that was left is taken over with a new epoch; where a new
 * one begins is returned for bulkpar_ledger_insert, with the trend.
 */
BulkparLedgerWork
bulkpar_ledger_claim(const BulkparJob *job, int worker, BulkparLedgerChunk *chunk,
					 BulkparLedgerTrend *trend)
{
	BulkparLedgerWork claim = BULKPAR_LEDGER_NOTHING;
	BulkparBracket bracket;

	memset(chunk, 0, sizeof(BulkparLedgerChunk));
	memset(trend, 0, sizeof(BulkparLedgerTrend));
	bulkpar_bookkeeping_enter(&bracket);
	if (lock_running(job))
	{
		claim = BULKPAR_LEDGER_LEFT;
		if (!take_over(job, worker, chunk, &bracket))
		{
			claim = BULKPAR_LEDGER_NEW;
			follow_last(job, chunk, trend, &bracket);
		}
	}
	bulkpar_bookkeeping_leave(&bracket);
	return claim;
}

/*
 * Lock the job until the end of the transaction, so that no worker claims
 * anything of it and none of an earlier run plans it.  False if this run of it
 * has ended.
 */
bool
bulkpar_ledger_lock(const BulkparJob *job)
{
	BulkparBracket bracket;
	bool		running;

	bulkpar_bookkeeping_enter(&bracket);
	running = lock_running(job);
	bulkpar_bookkeeping_leave(&bracket);
	return running;
}

/*
 * Insert a new chunk, for the worker that has claimed it (the job is still
 * locked by the claim in the same transaction), or with 0 for one that is to
 * be claimed.
 */
void
bulkpar_ledger_insert(int64 job_id, int worker, const BulkparLedgerChunk *chunk)
{
	static BulkparQuery insert = {
		.sql =
		"INSERT INTO @bulkpar_chunk (job_id, chunk_no, lo_bytes, lo, "
		"hi_bytes, hi, rows_before, rows_found, stripes, keys, worker, "
		"attempts, worker_pid, part_no, status, started_at) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, nullif($11, 0), "
		"($11 > 0)::int4, $12, $13, 'running', clock_timestamp())",
		.nargs = 13,
		.argtypes = {INT8OID, INT8OID, BYTEAOID, TEXTARRAYOID, BYTEAOID,
			TEXTARRAYOID, INT8OID, INT8OID, INT4OID, BYTEAOID, INT4OID, INT4OID,
		INT4OID}
	};
	BulkparBracket bracket;
	Datum		values[13];
	char		nulls[13] = {' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ',
	' ', ' ', ' '};

	values[0] = Int64GetDatum(job_id);
	values[1] = Int64GetDatum(chunk->chunk_no);
	bulkpar_bookkeeping_set_key(values, nulls, 2, chunk->lo);
	bulkpar_bookkeeping_set_key(values, nulls, 4, chunk->hi);
	values[6] = Int64GetDatum(chunk->rows_before);
	values[7] = Int64GetDatum(chunk->rows_found);
	values[8] = Int32GetDatum(chunk->stripe.count);
	bulkpar_bookkeeping_set_bytes(values, nulls, 9, chunk->keys);
	values[10] = Int32GetDatum(worker);
	values[11] = Int32GetDatum(MyProcPid);
	if (worker == 0)
		nulls[11] = 'n';
	values[12] = Int32GetDatum(chunk->part + 1);
	bulkpar_bookkeeping_enter(&bracket);
	(void) bulkpar_bookkeeping_run(&insert, values, nulls);
	bulkpar_bookkeeping_leave(&bracket);
}

/*
 * Advance a chunk by the batch that this transaction has done.  False means
 * that another worker has taken the chunk over: the transaction must not
 * commit.
 */
bool
bulkpar_ledger_advance(int64 job_id, const BulkparLedgerChunk *chunk,
					   const BulkparLedgerAdvance *advance)
{
	static BulkparQuery update = {
		.sql =
		"UPDATE @bulkpar_chunk SET stripe = $4, last_bytes = $5, "
		"last_key = $6, "
		"rows_done = rows_done + $7, "
		"rows_updated = rows_updated + $8, "
		"rows_failed = rows_failed + $9, "
		"rows_unchanged = rows_unchanged + $10, "
		"rows_hot = rows_hot + $11, "
		"wal_bytes = wal_bytes + $12, "
		"retries = retries + $13, "
		"batches = batches + 1, "
		"status = CASE WHEN $14 THEN 'succeeded' ELSE status END, "
		"finished_at = CASE WHEN $14 THEN clock_timestamp() END "
		"WHERE job_id = $1 AND chunk_no = $2 AND epoch = $3 "
		"AND status = 'running'",
		.nargs = 14,
		.argtypes = {INT8OID, INT8OID, INT8OID, INT4OID, BYTEAOID,
			TEXTARRAYOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID,
		INT8OID, BOOLOID}
	};
	BulkparBracket bracket;
	Datum		values[14];
	char		nulls[14] = {' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ',
	' ', ' ', ' ', ' '};
	uint64		changed;

	values[0] = Int64GetDatum(job_id);
	values[1] = Int64GetDatum(chunk->chunk_no);
	values[2] = Int64GetDatum(chunk->epoch);
	values[3] = Int32GetDatum(advance->stripe);
	bulkpar_bookkeeping_set_key(values, nulls, 4, advance->last_key);
	values[6] = Int64GetDatum(advance->rows_done);
	values[7] = Int64GetDatum(advance->rows_updated);
	values[8] = Int64GetDatum(advance->rows_failed);
	values[9] = Int64GetDatum(advance->rows_unchanged);
	values[10] = Int64GetDatum(advance->rows_hot);
	values[11] = Int64GetDatum(advance->wal_bytes);
	values[12] = Int64GetDatum(advance->retries);
	values[13] = BoolGetDatum(advance->finished);
	bulkpar_bookkeeping_enter(&bracket);
	changed = bulkpar_bookkeeping_run(&update, values, nulls);
	bulkpar_bookkeeping_leave(&bracket);
	return changed == 1;
}

/* Record the error of a chunk that is still ours. */
void
bulkpar_ledger_fail(int64 job_id, const BulkparLedgerChunk *chunk,
					const ErrorData *error)
{
	static BulkparQuery fail = {
		.sql =
		"UPDATE @bulkpar_chunk SET status = 'failed', worker = NULL, "
		"sqlstate = $4, message = $5 "
		"WHERE job_id = $1 AND chunk_no = $2 AND epoch = $3",
		.nargs = 5,
		.argtypes = {INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID}
	};
	BulkparBracket bracket;
	Datum		values[5];
	char		nulls[5] = {' ', ' ', ' ', ' ', ' '};

	values[0] = Int64GetDatum(job_id);
	values[1] = Int64GetDatum(chunk->chunk_no);
	values[2] = Int64GetDatum(chunk->epoch);
	bulkpar_bookkeeping_set_text(values, nulls, 3, unpack_sql_state(error->sqlerrcode));
	bulkpar_bookkeeping_set_text(values, nulls, 4, error->message);
	bulkpar_bookkeeping_enter(&bracket);
	(void) bulkpar_bookkeeping_run(&fail, values, nulls);
	bulkpar_bookkeeping_leave(&bracket);
}

/*
 * Free the chunks of a worker that has ended without finishing them, or with
 * 0 for worker those of all, so that another can claim them.  Returns how
 * many there were.
 */
int64
bulkpar_ledger_release(int64 job_id, int worker)
{
	static BulkparQuery release = {
		.sql =
		"UPDATE @bulkpar_chunk SET worker = NULL, worker_pid = NULL, "
		"epoch = epoch + 1 WHERE job_id = $1 AND status = 'running' "
		"AND worker IS NOT NULL AND (worker = $2 OR $2 = 0)",
		.nargs = 2,
		.argtypes = {INT8OID, INT4OID}
	};
	BulkparBracket bracket;
	Datum		values[2];
	uint64		changed;

	values[0] = Int64GetDatum(job_id);
	values[1] = Int32GetDatum(worker);
	bulkpar_bookkeeping_enter(&bracket);
	changed = bulkpar_bookkeeping_run(&release, values, NULL);
	bulkpar_bookkeeping_leave(&bracket);
	return (int64) changed;
}

/*
 * Record the error of one row, with its key, and return how many rows of the
 * job have failed by now, as far as they are committed or ours.
 */
int64
bulkpar_ledger_record_error(int64 job_id, const BulkparLedgerChunk *chunk,
							ArrayType *key, const ErrorData *error)
{
	static BulkparQuery insert = {
		.sql =
		"INSERT INTO @bulkpar_error (job_id, chunk_no, key, sqlstate, message, "
		"detail, hint, context, failed_at) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp())",
		.nargs = 8,
		.argtypes = {INT8OID, INT8OID, TEXTARRAYOID, TEXTOID, TEXTOID,
		TEXTOID, TEXTOID, TEXTOID}
	};
	static BulkparQuery count = {
		.sql =
		"SELECT count(*) FROM @bulkpar_error WHERE job_id = $1",
		.nargs = 1,
		.argtypes = {INT8OID}
	};
	BulkparBracket bracket;
	Datum		values[8];
	char		nulls[8] = {' ', ' ', ' '};
	int64		failed;

	values[0] = Int64GetDatum(job_id);
	values[1] = Int64GetDatum(chunk->chunk_no);
	values[2] = PointerGetDatum(key);
	bulkpar_bookkeeping_set_text(values, nulls, 3,
								 unpack_sql_state(error->sqlerrcode));
	bulkpar_bookkeeping_set_text(values, nulls, 4, error->message);
	bulkpar_bookkeeping_set_text(values, nulls, 5, error->detail);
	bulkpar_bookkeeping_set_text(values, nulls, 6, error->hint);
	bulkpar_bookkeeping_set_text(values, nulls, 7, error->context);
	bulkpar_bookkeeping_enter(&bracket);
	(void) bulkpar_bookkeeping_run(&insert, values, nulls);
	(void) bulkpar_bookkeeping_run(&count, values, NULL);
	failed = bulkpar_bookkeeping_int64(1);
	bulkpar_bookkeeping_leave(&bracket);
	return failed;
}

/* Lock the job; false if it is not running any more. */
static bool
lock_running(const BulkparJob *job)
{
	static BulkparQuery lock = {
		.sql =
		"SELECT 1::int8 FROM @bulkpar_job WHERE job_id = $1 "
		"AND status = 'running' AND sqlstate IS NULL AND runs = $2 "
		"FOR NO KEY UPDATE",
		.nargs = 2,
		.argtypes = {INT8OID, INT4OID}
	};
	Datum		values[2];

	values[0] = Int64GetDatum(job->job_id);
	values[1] = Int32GetDatum(job->runs);
	return bulkpar_bookkeeping_run(&lock, values, NULL) == 1;
}

/* Take over a chunk that has no worker; false if there is none. */
static bool
take_over(const BulkparJob *job, int worker, BulkparLedgerChunk *chunk,
		  BulkparBracket *bracket)
{
	static BulkparQuery update = {
		.sql =
		"UPDATE @bulkpar_chunk SET status = 'running', worker = $2, "
		"worker_pid = $3, epoch = epoch + 1, attempts = attempts + 1, "
		"started_at = CASE WHEN attempts = 0 THEN clock_timestamp() "
		"ELSE started_at END, "
		"sqlstate = NULL, message = NULL WHERE job_id = $1 AND chunk_no = "
		"(SELECT chunk_no FROM @bulkpar_chunk WHERE job_id = $1 "
		"AND status <> 'succeeded' AND worker IS NULL "
		"ORDER BY chunk_no LIMIT 1) "
		"RETURNING chunk_no, epoch, rows_before, lo_bytes, lo, hi_bytes, hi, "
		"stripes::int8, stripe::int8, coalesce(last_bytes, lo_bytes), "
		"coalesce(last_key, lo), keys, part_no::int8",
		.nargs = 3,
		.argtypes = {INT8OID, INT4OID, INT4OID}
	};
	Datum		values[3];

	values[0] = Int64GetDatum(job->job_id);
	values[1] = Int32GetDatum(worker);
	values[2] = Int32GetDatum(MyProcPid);
	if (bulkpar_bookkeeping_run(&update, values, NULL) == 0)
		return false;
	chunk->chunk_no = bulkpar_bookkeeping_int64(1);
	chunk->epoch = bulkpar_bookkeeping_int64(2);
	chunk->rows_before = bulkpar_bookkeeping_int64(3);
	chunk->lo = bulkpar_bookkeeping_key(bracket, 4);
	chunk->hi = bulkpar_bookkeeping_key(bracket, 6);
	chunk->stripe.count = (int) bulkpar_bookkeeping_int64(8);
	chunk->stripe.number = (int) bulkpar_bookkeeping_int64(9);
	chunk->done = bulkpar_bookkeeping_key(bracket, 10);
	chunk->keys = bulkpar_bookkeeping_bytes(bracket, 12);
	chunk->part = (int) bulkpar_bookkeeping_int64(13) - 1;
	return true;
}

/* Let a new chunk begin where the last one ends. */
static void
follow_last(const BulkparJob *job, BulkparLedgerChunk *chunk, BulkparLedgerTrend *trend,
			BulkparBracket *bracket)
{
	static BulkparQuery select = {
		.sql =
		"SELECT chunk_no, rows_before + rows_found, hi_bytes, hi, rows_found, "
		"(sum(rows_done) OVER w)::int8, "
		"(sum(rows_updated + rows_failed) OVER w)::int8, part_no::int8 "
		"FROM (SELECT * FROM @bulkpar_chunk WHERE job_id = $1 "
		"ORDER BY chunk_no DESC LIMIT 8) c "
		"WINDOW w AS (ORDER BY chunk_no) "
		"ORDER BY chunk_no DESC LIMIT 1",
		.nargs = 1,
		.argtypes = {INT8OID}
	};
	Datum		values[1];

	values[0] = Int64GetDatum(job->job_id);
	chunk->chunk_no = 1;
	chunk->epoch = 1;
	if (bulkpar_bookkeeping_run(&select, values, NULL) == 0)
		return;
	chunk->chunk_no = bulkpar_bookkeeping_int64(1) + 1;
	chunk->rows_before = bulkpar_bookkeeping_int64(2);
	chunk->lo = chunk->done = bulkpar_bookkeeping_key(bracket, 3);
	trend->rows_found = bulkpar_bookkeeping_int64(5);
	trend->rows_done = bulkpar_bookkeeping_int64(6);
	trend->rows_matched = bulkpar_bookkeeping_int64(7);
	chunk->part = (int) bulkpar_bookkeeping_int64(8) - 1;
}
