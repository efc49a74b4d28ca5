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

#include "miscadmin.h"

#include "books/alteration.h"
#include "books/argument.h"
#include "books/bookkeeping.h"
#include "books/column.h"
#include "books/ledger.h"

static bool lock_running(BulkparBookkeeping *books, const BulkparJob *job);
static bool take_over(BulkparBookkeeping *books, int worker, bool throttled,
					  BulkparLedgerChunk *chunk);
static void follow_last(BulkparBookkeeping *books, BulkparLedgerChunk *chunk,
						BulkparLedgerTrend *trend);

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
	BulkparBookkeeping books;

	memset(chunk, 0, sizeof(BulkparLedgerChunk));
	memset(trend, 0, sizeof(BulkparLedgerTrend));
	bulkpar_bookkeeping_enter_job(&books, job->job_id);
	if (lock_running(&books, job))
	{
		claim = BULKPAR_LEDGER_LEFT;
		if (!take_over(&books, worker, false, chunk))
		{
			claim = BULKPAR_LEDGER_NEW;
			follow_last(&books, chunk, trend);
		}
	}
	bulkpar_bookkeeping_leave(&books);
	return claim;
}

/*
 * Take over the chunk that was set back, if there is one, which is to be tried
 * first.  In the transaction of a bulkpar_ledger_claim.
 */
bool
bulkpar_ledger_claim_throttled(const BulkparJob *job, int worker,
							   BulkparLedgerChunk *chunk)
{
	BulkparBookkeeping books;
	bool		taken;

	memset(chunk, 0, sizeof(BulkparLedgerChunk));
	bulkpar_bookkeeping_enter_job(&books, job->job_id);
	taken = take_over(&books, worker, true, chunk);
	bulkpar_bookkeeping_leave(&books);
	return taken;
}

/*
 * Lock the job until the end of the transaction, so that no worker claims
 * anything of it and none of an earlier run plans it.  False if this run of it
 * has ended.
 */
bool
bulkpar_ledger_lock(const BulkparJob *job)
{
	BulkparBookkeeping books;
	bool		running;

	bulkpar_bookkeeping_enter_job(&books, job->job_id);
	running = lock_running(&books, job);
	bulkpar_bookkeeping_leave(&books);
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
		"INSERT INTO @bulkpar_chunk (job_id, chunk_no, part_no, lo_bytes, lo, "
		"hi_bytes, hi, rows_before, rows_found, stripes, keys, status, "
		"worker, worker_pid, attempts, started_at, claimed_at) "
		"VALUES ($job_id, $chunk_no, $part_no, $lo_bytes, $lo, "
		"$hi_bytes, $hi, $rows_before, $rows_found, $stripes, $keys, 'running', "
		"nullif($worker, 0), CASE WHEN $worker > 0 THEN $worker_pid END, "
		"($worker > 0)::int4, clock_timestamp(), "
		"CASE WHEN $worker > 0 THEN clock_timestamp() END)"
	};
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_argument_int64(&books, "chunk_no", chunk->chunk_no);
	bulkpar_argument_int32(&books, "part_no", chunk->part + 1);
	bulkpar_argument_key(&books, "lo_bytes", "lo", chunk->lo);
	bulkpar_argument_key(&books, "hi_bytes", "hi", chunk->hi);
	bulkpar_argument_int64(&books, "rows_before", chunk->rows_before);
	bulkpar_argument_int64(&books, "rows_found", chunk->rows_found);
	bulkpar_argument_int32(&books, "stripes", chunk->stripe.count);
	bulkpar_argument_bytes(&books, "keys", chunk->keys);
	bulkpar_argument_int32(&books, "worker", worker);
	bulkpar_argument_int32(&books, "worker_pid", MyProcPid);
	(void) bulkpar_bookkeeping_run(&books, &insert);
	bulkpar_bookkeeping_leave(&books);
}

/*
 * The same for the new chunks of bundles: from that of the first on the whole of
 * each part that has rows, up to the last part.
 */
void
bulkpar_ledger_insert_bundle(int64 job_id, int worker,
							 const BulkparLedgerChunk *first, int last_part,
							 int nchunks)
{
	static BulkparQuery insert = {
		.sql =
		"INSERT INTO @bulkpar_chunk (job_id, chunk_no, part_no, hi_bytes, hi, "
		"rows_before, rows_found, stripes, status, worker, worker_pid, "
		"attempts, started_at, claimed_at) "
		"SELECT job_id, $chunk_no + row_number() OVER w - 1, part_no, "
		"end_bytes, end_key, "
		"$rows_before + (sum(estimated_rows) OVER w)::int8 - estimated_rows, "
		"estimated_rows, 1, 'running', $worker, $worker_pid, 1, "
		"clock_timestamp(), clock_timestamp() FROM @bulkpar_part "
		"WHERE job_id = $job_id AND part_no BETWEEN $part_no AND $last_part_no "
		"AND NOT gone AND end_bytes IS NOT NULL "
		"WINDOW w AS (ORDER BY part_no)"
	};
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_argument_int64(&books, "chunk_no", first->chunk_no);
	bulkpar_argument_int32(&books, "part_no", first->part + 1);
	bulkpar_argument_int32(&books, "last_part_no", last_part + 1);
	bulkpar_argument_int64(&books, "rows_before", first->rows_before);
	bulkpar_argument_int32(&books, "worker", worker);
	bulkpar_argument_int32(&books, "worker_pid", MyProcPid);
	if (bulkpar_bookkeeping_run(&books, &insert) != (uint64) nchunks)
		elog(ERROR, "the parts of bulkpar job " INT64_FORMAT " have changed",
			 job_id);
	bulkpar_bookkeeping_leave(&books);
}

/*
 * So many rows were found of a chunk that are yet to be done.  False if it was taken
 * over.
 */
bool
bulkpar_ledger_find(int64 job_id, const BulkparLedgerChunk *chunk, int64 rows)
{
	static BulkparQuery update = {
		.sql =
		"UPDATE @bulkpar_chunk SET rows_found = rows_done + $rows, "
		"progressed_at = clock_timestamp()"
		BULKPAR_LEDGER_IF_OURS
	};
	BulkparBookkeeping books;
	uint64		changed;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_ledger_argument_chunk(&books, chunk);
	bulkpar_argument_int64(&books, "rows", rows);
	changed = bulkpar_bookkeeping_run(&books, &update);
	bulkpar_bookkeeping_leave(&books);
	return changed == 1;
}

/*
 * Advance a chunk by the batch that this transaction has done, or as far as it
 * has found nothing to do.  False means that another worker has taken the chunk
 * over: the transaction must not commit.
 */
bool
bulkpar_ledger_advance(int64 job_id, const BulkparLedgerChunk *chunk,
					   const BulkparLedgerAdvance *advance)
{
	static BulkparQuery update = {
		.sql =
		"UPDATE @bulkpar_chunk SET stripe = $stripe, "
		"last_bytes = $last_bytes, last_key = $last_key, "
		"rows_done = rows_done + $rows_done, "
		"rows_changed = rows_changed + $rows_changed, "
		"rows_failed = rows_failed + $rows_failed, "
		"rows_unchanged = rows_unchanged + $rows_unchanged, "
		"rows_hot = rows_hot + $rows_hot, "
		"wal_bytes = wal_bytes + $wal_bytes, "
		"retries = retries + $retries, "
		"batches = batches + $batches, " BULKPAR_LEDGER_ADD_MESSAGES ", "
		"aside = $aside, "
		"throttled_by = CASE WHEN $aside IS NOT NULL "
		"THEN coalesce($throttled_by, throttled_by) END, "
		"throttled_since = CASE WHEN $aside IS NOT NULL "
		"THEN coalesce(throttled_since, clock_timestamp()) END, "
		"throttled_at = CASE WHEN $throttled_by IS NOT NULL "
		"THEN clock_timestamp() WHEN $aside IS NOT NULL THEN throttled_at END, "
		"throttled_until = CASE WHEN $aside IS NOT NULL "
		"THEN throttled_until END, "
		"progressed_at = clock_timestamp(), "
		"status = CASE WHEN $finished THEN 'succeeded' ELSE status END, "
		"finished_at = CASE WHEN $finished THEN clock_timestamp() END"
		BULKPAR_LEDGER_IF_OURS
	};
	BulkparBookkeeping books;
	uint64		changed;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_ledger_argument_chunk(&books, chunk);
	bulkpar_argument_int32(&books, "stripe", advance->stripe);
	bulkpar_argument_key(&books, "last_bytes", "last_key", advance->last_key);
	bulkpar_argument_int64(&books, "rows_done", advance->rows_done);
	bulkpar_argument_int64(&books, "rows_changed", advance->rows_changed);
	bulkpar_argument_int64(&books, "rows_failed", advance->rows_failed);
	bulkpar_argument_int64(&books, "rows_unchanged", advance->rows_unchanged);
	bulkpar_argument_int64(&books, "rows_hot", advance->rows_hot);
	bulkpar_argument_int64(&books, "wal_bytes", advance->wal_bytes);
	bulkpar_argument_int64(&books, "retries", advance->retries);
	bulkpar_argument_int64(&books, "batches", advance->batches);
	bulkpar_argument_bytes(&books, "aside", advance->aside);
	bulkpar_argument_text(&books, "throttled_by", advance->throttled_by);
	bulkpar_argument_bool(&books, "finished", advance->finished);
	bulkpar_argument_text(&books, "messages", advance->messages);
	changed = bulkpar_bookkeeping_run(&books, &update);
	bulkpar_bookkeeping_leave(&books);
	return changed == 1;
}

/*
 * Finish the chunks of a bundle, which this transaction has done in one batch; it
 * counts for the first of them.  Otherwise as above.
 */
bool
bulkpar_ledger_finish_bundle(int64 job_id, const BulkparLedgerChunk *first,
							 const BulkparLedgerBundle *bundle)
{
	static BulkparQuery update = {
		.sql =
		"UPDATE @bulkpar_chunk SET last_bytes = hi_bytes, last_key = hi, "
		"rows_found = ($rows_done)[chunk_no - $chunk_no + 1], "
		"rows_done = ($rows_done)[chunk_no - $chunk_no + 1], "
		"rows_changed = ($rows_changed)[chunk_no - $chunk_no + 1], "
		"rows_hot = ($rows_hot)[chunk_no - $chunk_no + 1], "
		"wal_bytes = CASE WHEN chunk_no = $chunk_no THEN $wal_bytes ELSE 0 END, "
		"messages = CASE WHEN chunk_no = $chunk_no THEN $messages::jsonb END, "
		"batches = (chunk_no = $chunk_no)::int4, "
		"progressed_at = clock_timestamp(), "
		"status = 'succeeded', finished_at = clock_timestamp() "
		"WHERE job_id = $job_id AND chunk_no BETWEEN $chunk_no "
		"AND $chunk_no + $nchunks - 1 AND epoch = $epoch "
		"AND status = 'running'"
	};
	BulkparBookkeeping books;
	uint64		changed;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_ledger_argument_chunk(&books, first);
	bulkpar_argument_int32(&books, "nchunks", bundle->nchunks);
	bulkpar_argument_int64s(&books, "rows_done", bundle->rows_done,
							bundle->nchunks);
	bulkpar_argument_int64s(&books, "rows_changed", bundle->rows_changed,
							bundle->nchunks);
	bulkpar_argument_int64s(&books, "rows_hot", bundle->rows_hot,
							bundle->nchunks);
	bulkpar_argument_int64(&books, "wal_bytes", bundle->wal_bytes);
	bulkpar_argument_text(&books, "messages", bundle->messages);
	changed = bulkpar_bookkeeping_run(&books, &update);
	bulkpar_bookkeeping_leave(&books);
	return changed == (uint64) bundle->nchunks;
}

/*
 * Free a chunk, or the chunks of a bundle so that each is claimed alone.  False
 * if they are no longer ours.  The messages are noted with the first.
 */
bool
bulkpar_ledger_give_back(int64 job_id, const BulkparLedgerChunk *first,
						 int nchunks, const char *messages)
{
	static BulkparQuery release = {
		.sql =
		"UPDATE @bulkpar_chunk SET " BULKPAR_LEDGER_FREE ", "
		"messages = CASE WHEN $messages IS NULL OR chunk_no > $chunk_no "
		"THEN messages "
		"ELSE coalesce(messages, '[]') || $messages::jsonb END "
		"WHERE job_id = $job_id AND chunk_no "
		"BETWEEN $chunk_no AND $chunk_no + $nchunks - 1 AND epoch = $epoch "
		"AND status = 'running'"
	};
	BulkparBookkeeping books;
	uint64		changed;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_ledger_argument_chunk(&books, first);
	bulkpar_argument_int32(&books, "nchunks", nchunks);
	bulkpar_argument_text(&books, "messages", messages);
	changed = bulkpar_bookkeeping_run(&books, &release);
	bulkpar_bookkeeping_leave(&books);
	return changed == (uint64) nchunks;
}

/* Record the error of a chunk that is still ours. */
void
bulkpar_ledger_fail(int64 job_id, const BulkparLedgerChunk *chunk,
					const ErrorData *error, const char *messages)
{
	static BulkparQuery fail = {
		.sql =
		"UPDATE @bulkpar_chunk SET status = 'failed', worker = NULL, "
		"(" BULKPAR_ERROR_COLUMNS ") = (" BULKPAR_ERROR_VALUES "), "
		BULKPAR_LEDGER_ADD_MESSAGES
		BULKPAR_LEDGER_IF_OURS
	};
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_ledger_argument_chunk(&books, chunk);
	bulkpar_argument_error(&books, error);
	bulkpar_argument_text(&books, "messages", messages);
	(void) bulkpar_bookkeeping_run(&books, &fail);
	bulkpar_bookkeeping_leave(&books);
}

/*
 * Free the chunks of a worker that has ended without finishing them, or with
 * 0 for worker those of all, so that another can claim them.  Returns how
 * many there were.  What kept the job of all from going on may be gone.
 */
int64
bulkpar_ledger_release(int64 job_id, int worker)
{
	static BulkparQuery release = {
		.sql =
		"UPDATE @bulkpar_chunk SET " BULKPAR_LEDGER_FREE " "
		"WHERE job_id = $job_id AND status = 'running' "
		"AND worker IS NOT NULL AND (worker = $worker OR $worker = 0)"
	};
	static BulkparQuery forget = {
		.sql =
		"UPDATE @bulkpar_chunk SET throttled_by = NULL, throttled_since = NULL, "
		"throttled_at = NULL, throttled_until = NULL "
		"WHERE job_id = $job_id AND status <> 'succeeded' "
		"AND (throttled_by IS NOT NULL OR throttled_until IS NOT NULL)"
	};
	BulkparBookkeeping books;
	uint64		changed;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_argument_int32(&books, "worker", worker);
	changed = bulkpar_bookkeeping_run(&books, &release);
	if (worker == 0)
		(void) bulkpar_bookkeeping_run(&books, &forget);
	bulkpar_bookkeeping_leave(&books);
	return (int64) changed;
}

/* How many workers have a chunk of the job, which is locked. */
int
bulkpar_ledger_count_workers(int64 job_id)
{
	static BulkparQuery count = {
		.sql =
		"SELECT count(DISTINCT worker)::int4 AS workers FROM @bulkpar_chunk "
		"WHERE job_id = $job_id AND status = 'running'"
	};
	BulkparBookkeeping books;
	int			workers;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	(void) bulkpar_bookkeeping_run(&books, &count);
	workers = bulkpar_column_int32(&books, "workers");
	bulkpar_bookkeeping_leave(&books);
	return workers;
}

/*
 * Free a chunk, if it is still ours, so that another worker goes on with it.  The
 * job, which is locked, has one worker less from now on.
 */
void
bulkpar_ledger_leave(int64 job_id, const BulkparLedgerChunk *chunk,
					 int64 retries, const char *messages)
{
	static BulkparQuery release = {
		.sql =
		"UPDATE @bulkpar_chunk SET " BULKPAR_LEDGER_FREE ", "
		"retries = retries + $retries, " BULKPAR_LEDGER_ADD_MESSAGES
		BULKPAR_LEDGER_IF_OURS
	};
	static BulkparQuery update = {
		.sql =
		"UPDATE @bulkpar_job SET workers = greatest(workers - 1, 1) "
		"WHERE job_id = $job_id"
	};
	BulkparBookkeeping books;

	bulkpar_alteration_settle_followed(job_id);
	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_ledger_argument_chunk(&books, chunk);
	bulkpar_argument_int64(&books, "retries", retries);
	bulkpar_argument_text(&books, "messages", messages);
	(void) bulkpar_bookkeeping_run(&books, &release);
	(void) bulkpar_bookkeeping_run(&books, &update);
	bulkpar_bookkeeping_leave(&books);
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
		"INSERT INTO @bulkpar_error (job_id, chunk_no, key, failed_at, "
		BULKPAR_ERROR_COLUMNS ") "
		"VALUES ($job_id, $chunk_no, $key, clock_timestamp(), "
		BULKPAR_ERROR_VALUES ")"
	};
	static BulkparQuery count = {
		.sql =
		"SELECT count(*) AS failed FROM @bulkpar_error "
		"WHERE job_id = $job_id AND node_no IS NULL"
	};
	BulkparBookkeeping books;
	int64		failed;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_argument_int64(&books, "chunk_no", chunk->chunk_no);
	bulkpar_argument_texts(&books, "key", key);
	bulkpar_argument_error(&books, error);
	(void) bulkpar_bookkeeping_run(&books, &insert);
	(void) bulkpar_bookkeeping_run(&books, &count);
	failed = bulkpar_column_int64(&books, "failed");
	bulkpar_bookkeeping_leave(&books);
	return failed;
}

/* The arguments of BULKPAR_LEDGER_IF_OURS. */
void
bulkpar_ledger_argument_chunk(BulkparBookkeeping *books,
							  const BulkparLedgerChunk *chunk)
{
	bulkpar_argument_int64(books, "chunk_no", chunk->chunk_no);
	bulkpar_argument_int64(books, "epoch", chunk->epoch);
}

/* Lock the job; false if it is not running any more. */
static bool
lock_running(BulkparBookkeeping *books, const BulkparJob *job)
{
	static BulkparQuery lock = {
		.sql =
		"SELECT FROM @bulkpar_job WHERE job_id = $job_id "
		"AND status = 'running' AND sqlstate IS NULL AND runs = $runs "
		"FOR NO KEY UPDATE"
	};

	bulkpar_argument_int32(books, "runs", job->runs);
	return bulkpar_bookkeeping_run(books, &lock) == 1;
}

/*
 * Take over a chunk that has no worker, of those that were set back or of the
 * others; false if there is none.
 */
static bool
take_over(BulkparBookkeeping *books, int worker, bool throttled,
		  BulkparLedgerChunk *chunk)
{
	static BulkparQuery update = {
		.sql =
		"UPDATE @bulkpar_chunk SET status = 'running', worker = $worker, "
		"worker_pid = $worker_pid, epoch = epoch + 1, "
		"attempts = attempts + (NOT $throttled)::int4, "
		"started_at = CASE WHEN attempts = 0 THEN clock_timestamp() "
		"ELSE started_at END, "
		"claimed_at = clock_timestamp(), rows_at_claim = rows_done, "
		"(" BULKPAR_ERROR_COLUMNS ") = (" BULKPAR_ERROR_VALUES ") "
		"WHERE job_id = $job_id AND chunk_no = "
		"(SELECT chunk_no FROM @bulkpar_chunk WHERE job_id = $job_id "
		"AND status <> 'succeeded' AND worker IS NULL "
		"AND (throttled_until IS NOT NULL) = $throttled "
		"ORDER BY throttled_until, chunk_no LIMIT 1) "
		"RETURNING chunk_no, epoch, part_no, rows_before, lo_bytes, lo, "
		"hi_bytes, hi, stripes, stripe, keys, aside, throttled_by, "
		"coalesce(extract(epoch FROM throttled_until - throttled_at) * 1000, "
		"0)::int4 AS pause, coalesce(extract(epoch FROM throttled_until "
		"- greatest(throttled_at, clock_timestamp())) * 1000, 0)::int4 "
		"AS left_of_pause, "
		"coalesce(last_bytes, lo_bytes) AS done_bytes, "
		"coalesce(last_key, lo) AS done"
	};

	bulkpar_argument_int32(books, "worker", worker);
	bulkpar_argument_int32(books, "worker_pid", MyProcPid);
	bulkpar_argument_bool(books, "throttled", throttled);
	bulkpar_argument_error(books, NULL);
	if (bulkpar_bookkeeping_run(books, &update) == 0)
		return false;
	chunk->chunk_no = bulkpar_column_int64(books, "chunk_no");
	chunk->epoch = bulkpar_column_int64(books, "epoch");
	chunk->part = bulkpar_column_int32(books, "part_no") - 1;
	chunk->rows_before = bulkpar_column_int64(books, "rows_before");
	chunk->lo = bulkpar_column_key(books, "lo_bytes", "lo");
	chunk->hi = bulkpar_column_key(books, "hi_bytes", "hi");
	chunk->stripe.count = bulkpar_column_int32(books, "stripes");
	chunk->stripe.number = bulkpar_column_int32(books, "stripe");
	chunk->keys = bulkpar_column_bytes(books, "keys");
	chunk->aside = bulkpar_column_bytes(books, "aside");
	chunk->throttled = throttled;
	chunk->throttled_by = bulkpar_column_text(books, "throttled_by");
	chunk->pause = bulkpar_column_int32(books, "pause");
	chunk->left = bulkpar_column_int32(books, "left_of_pause");
	chunk->done = bulkpar_column_key(books, "done_bytes", "done");
	return true;
}

/*
 * Let a new chunk begin where the last one ends.
 *
 * The trend is that of the last eight.  Measured on 1,000,000 rows of which one
 * in 1000 matches, with 1, 8 and 32 there are 386, 284 and 240 batches; where
 * matching rows come in patches it makes no difference.
 */
static void
follow_last(BulkparBookkeeping *books, BulkparLedgerChunk *chunk,
			BulkparLedgerTrend *trend)
{
	static BulkparQuery select = {
		.sql =
		"SELECT chunk_no, part_no, rows_before, rows_found, hi_bytes, hi, "
		"(sum(rows_done) OVER w)::int8 AS rows_done, "
		"(sum(rows_changed + rows_failed) OVER w)::int8 AS rows_matched "
		"FROM (SELECT chunk_no, part_no, rows_before, rows_found, hi_bytes, "
		"hi, rows_done, rows_changed, rows_failed FROM @bulkpar_chunk "
		"WHERE job_id = $job_id ORDER BY chunk_no DESC LIMIT 8) c "
		"WINDOW w AS (ORDER BY chunk_no) "
		"ORDER BY chunk_no DESC LIMIT 1"
	};

	chunk->chunk_no = 1;
	chunk->epoch = 1;
	if (bulkpar_bookkeeping_run(books, &select) == 0)
		return;
	trend->rows_found = bulkpar_column_int64(books, "rows_found");
	trend->rows_done = bulkpar_column_int64(books, "rows_done");
	trend->rows_matched = bulkpar_column_int64(books, "rows_matched");
	chunk->chunk_no = bulkpar_column_int64(books, "chunk_no") + 1;
	chunk->part = bulkpar_column_int32(books, "part_no") - 1;
	chunk->rows_before = bulkpar_column_int64(books, "rows_before") +
		trend->rows_found;
	chunk->lo = bulkpar_column_key(books, "hi_bytes", "hi");
	chunk->done = chunk->lo;
}
