/*-------------------------------------------------------------------------
 *
 * jobstate.c
 *		The states of a job, and how it gets from one into another.
 *
 * Unless a function says otherwise it must be called in a transaction, throws
 * an ERROR when its statement fails, and leaves commit and rollback to its
 * caller.  Results are allocated in the current memory context.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/jobstate.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "books/alteration.h"
#include "books/argument.h"
#include "books/bookkeeping.h"
#include "books/column.h"
#include "books/jobstate.h"

/* A set of states. */
#define STATE(state) (1 << BULKPAR_JOBSTATE_##state)

/*
 * What user code has said in the chunks of a job: the first ten texts with how
 * often they came, and how often others did.
 */
#define SUM_OF_MESSAGES \
	"SELECT jsonb_agg(jsonb_build_object('severity', s.severity, " \
	"'message', s.message, 'count', s.count) ORDER BY s.place) FROM " \
	"(SELECT least(t.place, 11) AS place, " \
	"CASE WHEN least(t.place, 11) < 11 THEN min(t.severity) END AS severity, " \
	"CASE WHEN least(t.place, 11) < 11 THEN min(t.message) END AS message, " \
	"sum(t.count)::bigint AS count FROM " \
	"(SELECT m.severity, m.message, sum(m.count) AS count, " \
	"CASE WHEN m.message IS NULL THEN 11 ELSE row_number() OVER " \
	"(ORDER BY m.message IS NULL, min(c.chunk_no), m.message) END AS place " \
	"FROM @bulkpar_chunk c, jsonb_to_recordset(c.messages) " \
	"m(severity text, message text, count bigint) " \
	"WHERE c.job_id = $job_id GROUP BY m.severity, m.message) t " \
	"GROUP BY least(t.place, 11)) s"

/* As bulkpar_job.status has them, in the order of BulkparJobState. */
static const char *const names[] = {
	"running", "paused", "succeeded", "failed", "cancelled"
};

StaticAssertDecl(lengthof(names) == BULKPAR_JOBSTATE_CANCELLED + 1,
				 "each state has a name");

static bool change(BulkparBookkeeping *books, int from, BulkparJobState to,
				   bool alive);

/* What the tables and people call a state.  Needs no transaction. */
const char *
bulkpar_jobstate_name(BulkparJobState state)
{
	return names[state];
}

/* The state of that name.  Needs no transaction. */
BulkparJobState
bulkpar_jobstate_of(const char *name)
{
	for (int i = 0; i < (int) lengthof(names); i++)
	{
		if (strcmp(names[i], name) == 0)
			return i;
	}
	elog(ERROR, "there is no job status \"%s\"", name);
}

/*
 * Make a job that has stopped run again, with what is changed, and with these
 * settings (see bulkpar_jobjson_write_settings) instead of those of their names.
 * False if it has succeeded or is gone.  The caller holds the job's lock.
 */
bool
bulkpar_jobstate_restart(int64 job_id, const BulkparJobChange *changes,
						 const char *settings)
{
	static BulkparQuery restart = {
		.sql =
		"UPDATE @bulkpar_job SET runs = runs + 1, "
		"batch_size = coalesce(nullif($batch_size, 0), batch_size), "
		"workers = coalesce(nullif($workers, 0), workers), "
		"messages = NULL, throttled_by = NULL, throttled_since = NULL, "
		"throttled_at = NULL, "
		"stripes = coalesce(nullif($stripes, 0), stripes), "
		"stripes_chosen = stripes_chosen AND $stripes = 0, "
		"on_error = coalesce($on_error, on_error), "
		"max_errors = coalesce($max_errors, max_errors), "
		"settings = (SELECT coalesce(jsonb_agg(s.value), '[]') FROM ("
		"SELECT o.value FROM jsonb_array_elements(settings) o "
		"WHERE NOT EXISTS (SELECT FROM "
		"jsonb_array_elements($settings::jsonb) n "
		"WHERE n.value ->> 'name' = o.value ->> 'name') UNION ALL "
		"SELECT n.value FROM jsonb_array_elements($settings::jsonb) n) s), "
		"(" BULKPAR_ERROR_COLUMNS ") = (" BULKPAR_ERROR_VALUES ") "
		"WHERE job_id = $job_id"
	};
	BulkparBookkeeping books;
	bool		changed;

	bulkpar_alteration_settle(job_id);
	bulkpar_bookkeeping_enter_job(&books, job_id);
	changed = change(&books, STATE(RUNNING) | STATE(PAUSED) | STATE(FAILED) |
					 STATE(CANCELLED), BULKPAR_JOBSTATE_RUNNING, false);
	if (changed)
	{
		bulkpar_argument_int32(&books, "batch_size", changes->batch_size);
		bulkpar_argument_int32(&books, "workers", changes->workers);
		bulkpar_argument_int32(&books, "stripes", changes->stripes);
		bulkpar_argument_text(&books, "on_error", !changes->errors ? NULL :
							  changes->skip_errors ? "skip" : "stop");
		bulkpar_argument_int64_if(&books, changes->errors, "max_errors",
								  changes->max_errors);
		bulkpar_argument_text(&books, "settings", settings);
		bulkpar_argument_error(&books, NULL);
		(void) bulkpar_bookkeeping_run(&books, &restart);
	}
	bulkpar_bookkeeping_leave(&books);
	return changed;
}

/*
 * Record the error that ends a run of a job, or with 0 the current one, unless
 * there is one already: the first counts.  No worker claims anything from then
 * on, and the coordinator lets the job end.  Returns whether it was recorded.
 */
bool
bulkpar_jobstate_fail(int64 job_id, int runs, const ErrorData *error)
{
	static BulkparQuery fail = {
		.sql =
		"UPDATE @bulkpar_job SET "
		"(" BULKPAR_ERROR_COLUMNS ") = (" BULKPAR_ERROR_VALUES ") "
		"WHERE job_id = $job_id AND status = 'running' AND sqlstate IS NULL "
		"AND (runs = $runs OR $runs = 0)"
	};
	BulkparBookkeeping books;
	uint64		changed;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_argument_int32(&books, "runs", runs);
	bulkpar_argument_error(&books, error);
	changed = bulkpar_bookkeeping_run(&books, &fail);
	bulkpar_bookkeeping_leave(&books);
	return changed == 1;
}

/*
 * End a running job in the given state, and keep what it has cost.  The space
 * that the table takes now may be unknown.  The caller holds the job's lock,
 * and nothing of the job commits any more.
 */
void
bulkpar_jobstate_end(int64 job_id, BulkparJobState state,
					 const BulkparJobSpace *after)
{
	static BulkparQuery end = {
		.sql =
		"UPDATE @bulkpar_job SET table_bytes_after = $table_bytes, "
		"index_bytes_after = $index_bytes, dead_rows = $dead_rows, "
		"(rows_hot, wal_bytes) = "
		"(SELECT coalesce(sum(c.rows_hot), 0), "
		"coalesce(sum(c.wal_bytes), 0) "
		"FROM @bulkpar_chunk c WHERE c.job_id = $job_id) "
		"WHERE job_id = $job_id "
		"RETURNING EXISTS (SELECT FROM @bulkpar_chunk c "
		"WHERE c.job_id = $job_id AND c.messages IS NOT NULL) AS has_messages"
	};
	static BulkparQuery sum_messages = {
		.sql =
		"UPDATE @bulkpar_job SET messages = coalesce(messages, '[]') "
		"|| (" SUM_OF_MESSAGES ") "
		"WHERE job_id = $job_id"
	};
	BulkparBookkeeping books;

	bulkpar_alteration_settle(job_id);
	bulkpar_bookkeeping_enter_job(&books, job_id);
	if (!change(&books, STATE(RUNNING), state, true))
		elog(ERROR, "bulkpar job " INT64_FORMAT " is not running", job_id);
	bulkpar_argument_int64_if(&books, after->known, "table_bytes",
							  after->table_bytes);
	bulkpar_argument_int64_if(&books, after->known, "index_bytes",
							  after->index_bytes);
	bulkpar_argument_int64_if(&books, after->known, "dead_rows",
							  after->dead_rows);
	(void) bulkpar_bookkeeping_run(&books, &end);
	if (bulkpar_column_bool(&books, "has_messages"))
		(void) bulkpar_bookkeeping_run(&books, &sum_messages);
	bulkpar_bookkeeping_leave(&books);
}

/*
 * Pause a job that has no coordinator, if it was running, or cancel one, unless
 * it has succeeded or is cancelled already.
 */
void
bulkpar_jobstate_leave(int64 job_id, BulkparJobState state)
{
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	(void) change(&books, state == BULKPAR_JOBSTATE_PAUSED ? STATE(RUNNING) :
				  STATE(RUNNING) | STATE(PAUSED) | STATE(FAILED),
				  state, false);
	bulkpar_bookkeeping_leave(&books);
}

/*
 * Bring a job from one of the states of a set into another.  False, and nothing
 * is changed, if it is in none of them.  All changes of a job's state are made
 * here:
 *
 *	from		to			by
 *	-			running		its first coordinator, bulkpar_job_insert
 *	running		paused		the coordinator, when it was told to
 *	running		cancelled	the same
 *	running		failed		the coordinator, with the error that it or a worker
 *							has recorded before
 *	running		succeeded	the coordinator, when the chunks prove it
 *	paused, failed, cancelled, running
 *				running		another coordinator, that has the job's lock; so if
 *							it was running, its coordinator is gone
 *	paused, failed, running
 *				cancelled	a session, when there is no coordinator
 *	running		paused		the same
 *
 * The coordinator that has the job's lock makes all of them but the last two.  A job
 * that has succeeded stays so; each may be forgotten while no coordinator has
 * it.
 *
 * A chunk changes its state in ledger.c:
 *
 *	-			running		a worker that claims it (worker is set), or that
 *							lists the rows of a job (worker is null)
 *	running		succeeded	its worker, with its last batch
 *	running		failed		its worker, by an error, which ends it; worker is
 *							null from then on
 *	running		running		the coordinator sets worker to null when the worker
 *							has died, or the job ends or is resumed, and a worker
 *							that leaves its chunk to others; any worker sets it
 *							that takes the chunk over.  All raise epoch, so that
 *							the one before cannot commit anything of it.
 *	failed		running		a worker of a later run that takes it over
 *
 * A run that ends here, or with its last batch if its coordinator is not alive,
 * is added to the time at work.
 */
static bool
change(BulkparBookkeeping *books, int from, BulkparJobState to, bool alive)
{
	static BulkparQuery update = {
		.sql =
		"UPDATE @bulkpar_job SET status = $to, "
		"time_before = time_before + greatest('0', "
		"CASE WHEN $alive THEN clock_timestamp() ELSE "
		"(SELECT max(c.progressed_at) FROM @bulkpar_chunk c "
		"WHERE c.job_id = $job_id) END - running_since), "
		"running_since = CASE WHEN $to = 'running' THEN clock_timestamp() END, "
		"finished_at = CASE WHEN $to <> 'running' THEN clock_timestamp() END "
		"WHERE job_id = $job_id AND status = ANY ($from)"
	};
	Datum		states[lengthof(names)];
	int			nstates = 0;

	Assert((from & STATE(SUCCEEDED)) == 0);
	for (int i = 0; i < (int) lengthof(names); i++)
	{
		if ((from & (1 << i)) != 0)
			states[nstates++] = CStringGetTextDatum(names[i]);
	}
	bulkpar_argument_texts(books, "from",
						   construct_array(states, nstates, TEXTOID, -1,
										   false, TYPALIGN_INT));
	bulkpar_argument_text(books, "to", names[to]);
	bulkpar_argument_bool(books, "alive", alive);
	return bulkpar_bookkeeping_run(books, &update) == 1;
}
