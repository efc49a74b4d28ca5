/*-------------------------------------------------------------------------
 *
 * throttle.c
 *		What keeps a job from going on.
 *
 * The reason is kept with the chunk that it keeps, until a batch of that gets
 * on, or with the job while its worker has no chunk: when it plans the job or
 * claims.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/throttle.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"

#include "books/argument.h"
#include "books/bookkeeping.h"
#include "books/column.h"
#include "books/throttle.h"
#include "session/process.h"

/* What is kept of a reason, or of none. */
#define NOTE_REASON \
	"throttled_by = $throttled_by, " \
	"throttled_since = CASE WHEN $throttled_by IS NOT NULL " \
	"THEN coalesce(throttled_since, clock_timestamp()) END, " \
	"throttled_at = CASE WHEN $throttled_by IS NOT NULL " \
	"THEN clock_timestamp() END"

/*
 * Note what keeps a chunk, or with NULL for it the job, from going on, or with
 * NULL for the reason that nothing does.  In a transaction of its own.
 */
void
bulkpar_throttle_note(int64 job_id, const BulkparLedgerChunk *chunk,
					  const char *reason)
{
	static BulkparQuery note_chunk = {
		.sql =
		"UPDATE @bulkpar_chunk SET " NOTE_REASON BULKPAR_LEDGER_IF_OURS
	};
	static BulkparQuery note_job = {
		.sql =
		"UPDATE @bulkpar_job SET " NOTE_REASON " WHERE job_id = $job_id"
	};
	MemoryContext context = CurrentMemoryContext;
	BulkparBookkeeping books;

	bulkpar_process_start_transaction();
	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_argument_text(&books, "throttled_by", reason);
	if (chunk != NULL)
		bulkpar_ledger_argument_chunk(&books, chunk);
	(void) bulkpar_bookkeeping_run(&books,
								   chunk != NULL ? &note_chunk : &note_job);
	bulkpar_bookkeeping_leave(&books);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
}

/*
 * Free a chunk, if it is still ours, which cannot go on now: whoever claims it,
 * when there is nothing else to do, tries it again after the pause, in
 * milliseconds.  False if it was taken over.
 */
bool
bulkpar_throttle_set_back(int64 job_id, const BulkparLedgerChunk *chunk,
						  const char *reason, int pause, const char *messages)
{
	static BulkparQuery set_back = {
		.sql =
		"UPDATE @bulkpar_chunk SET " BULKPAR_LEDGER_FREE ", " NOTE_REASON ", "
		"throttled_until = clock_timestamp() "
		"+ $pause::float8 * '1 millisecond'::interval, "
		BULKPAR_LEDGER_ADD_MESSAGES BULKPAR_LEDGER_IF_OURS
	};
	BulkparBookkeeping books;
	uint64		changed;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_ledger_argument_chunk(&books, chunk);
	bulkpar_argument_text(&books, "throttled_by", reason);
	bulkpar_argument_int32(&books, "pause", pause);
	bulkpar_argument_text(&books, "messages", messages);
	changed = bulkpar_bookkeeping_run(&books, &set_back);
	bulkpar_bookkeeping_leave(&books);
	return changed == 1;
}

/*
 * What has kept a job longest, or some rows of it, and for how long, in the
 * current memory context; NULL if nothing does.  Must be called in a
 * transaction.
 */
char *
bulkpar_throttle_read(int64 job_id, int64 *seconds)
{
	static BulkparQuery read = {
		.read_only = true,
		.sql =
		"SELECT t.throttled_by, extract(epoch FROM clock_timestamp() "
		"- t.throttled_since)::int8 AS seconds FROM ("
		"SELECT j.throttled_by, j.throttled_since FROM @bulkpar_job j "
		"WHERE j.job_id = $job_id UNION ALL "
		"SELECT c.throttled_by, c.throttled_since FROM @bulkpar_chunk c "
		"WHERE c.job_id = $job_id AND c.status = 'running') t "
		"WHERE t.throttled_by IS NOT NULL "
		"ORDER BY t.throttled_since LIMIT 1"
	};
	BulkparBookkeeping books;
	char	   *reason = NULL;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	if (bulkpar_bookkeeping_run(&books, &read) > 0)
	{
		reason = bulkpar_column_text(&books, "throttled_by");
		*seconds = bulkpar_column_int64(&books, "seconds");
	}
	bulkpar_bookkeeping_leave(&books);
	return reason;
}
