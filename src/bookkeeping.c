/*-------------------------------------------------------------------------
 *
 * bookkeeping.c
 *		All SQL on bulkpar_job and bulkpar_chunk.
 *
 * Each function runs its statement as the owner of the tables, for the role
 * whose job it is has no rights on them.  It changes to that owner only
 * around the statement and never lets it reach a COMMIT, where deferred
 * triggers of the user would run.  There the search_path is one that nobody
 * else can put objects into, our tables are qualified, and all values are
 * parameters.
 *
 * Unless a function says otherwise it must be called in a transaction, throws
 * an ERROR when the statement fails, and leaves commit and rollback to its
 * caller.  Results are allocated in the current memory context.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/bookkeeping.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "bookkeeping.h"
#include "compat.h"

#define MAX_ARGS 8

/*
 * A statement, prepared when it is first run.  In the text, @ stands for our
 * schema and a dot.
 */
typedef struct Statement
{
	const char *sql;
	int			nargs;
	Oid			argtypes[MAX_ARGS];
	SPIPlanPtr	plan;
	struct Statement *next;		/* in the list of the prepared ones */
} Statement;

/* What enter() changes and leave() puts back. */
typedef struct Bracket
{
	MemoryContext caller_context;
	Oid			userid;
	int			sec_context;
	int			nestlevel;
} Bracket;

static Oid	schema = InvalidOid;
static Statement *prepared = NULL;

static void enter(Bracket *bracket);
static void leave(const Bracket *bracket);
static uint64 run(Statement *statement, const Datum *values,
				  const char *nulls);
static char *expand(const char *sql);
static Datum column(int number, bool *isnull);
static int64 int64_column(int number);
static char *text_column(const Bracket *bracket, int number);
static ArrayType *array_column(const Bracket *bracket, int number);
static char **strings_column(const Bracket *bracket, int number, int *count);
static void set_text(Datum *values, char *nulls, int i, const char *text);
static ErrorData *error_columns(const Bracket *bracket, int first);
static void job_locktag(LOCKTAG *tag, int64 job_id);

/* Say in which schema the extension is, before anything else. */
void
bulkpar_bookkeeping_attach(Oid new_schema)
{
	while (prepared != NULL && schema != new_schema)
	{
		SPI_freeplan(prepared->plan);
		prepared->plan = NULL;
		prepared = prepared->next;
	}
	schema = new_schema;
}

Oid
bulkpar_bookkeeping_schema(void)
{
	return schema;
}

/* Store a job that request.c has described, and return its id. */
int64
bulkpar_bookkeeping_insert_job(const char *request)
{
	static Statement insert = {
		.sql =
		"INSERT INTO @bulkpar_job (owner, target, key_index, column_names, "
		"expressions, condition, batch_size, workers, settings, status, "
		"created_at) "
		"SELECT r.owner, r.target, r.key_index, r.column_names, "
		"r.expressions, r.condition, r.batch_size, r.workers, r.settings, "
		"'running', clock_timestamp() "
		"FROM jsonb_populate_record(NULL::@bulkpar_job, "
		"$1::jsonb) r RETURNING job_id",
		.nargs = 1,
		.argtypes = {TEXTOID}
	};
	Bracket		bracket;
	Datum		values[1];
	int64		job_id;

	values[0] = CStringGetTextDatum(request);
	enter(&bracket);
	if (run(&insert, values, NULL) != 1)
		elog(ERROR, "bulkpar job was not stored");
	job_id = int64_column(1);
	leave(&bracket);
	return job_id;
}

/* Read a job. */
BulkparJob *
bulkpar_bookkeeping_load_job(int64 job_id)
{
	static Statement load = {
		.sql =
		"SELECT target::oid::int8, "
		"key_index::oid::int8, "
		"batch_size::int8, workers::int8, "
		"coalesce(estimated_rows, 0), condition, "
		"end_key, column_names, expressions, "
		"array(SELECT s.key FROM jsonb_each_text(settings) s), "
		"array(SELECT s.value FROM jsonb_each_text(settings) s) "
		"FROM @bulkpar_job WHERE job_id = $1",
		.nargs = 1,
		.argtypes = {INT8OID}
	};
	BulkparJob *job = palloc0(sizeof(BulkparJob));
	Bracket		bracket;
	Datum		values[1];

	values[0] = Int64GetDatum(job_id);
	enter(&bracket);
	if (run(&load, values, NULL) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("bulkpar job " INT64_FORMAT " does not exist", job_id)));
	job->job_id = job_id;
	job->target = (Oid) int64_column(1);
	job->key_index = (Oid) int64_column(2);
	job->batch_size = (int) int64_column(3);
	job->workers = (int) int64_column(4);
	job->estimated_rows = (double) int64_column(5);
	job->condition = text_column(&bracket, 6);
	job->end_key = array_column(&bracket, 7);
	job->column_names = strings_column(&bracket, 8, &job->ncolumns);
	job->expressions = strings_column(&bracket, 9, &job->ncolumns);
	job->setting_names = strings_column(&bracket, 10, &job->nsettings);
	job->setting_values = strings_column(&bracket, 11, &job->nsettings);
	leave(&bracket);
	return job;
}

/* Store what the coordinator has found out: end, size and workers. */
void
bulkpar_bookkeeping_start_job(const BulkparJob *job)
{
	static Statement start = {
		.sql =
		"UPDATE @bulkpar_job SET end_key = $2, estimated_rows = $3, "
		"workers = $4, started_at = clock_timestamp() "
		"WHERE job_id = $1",
		.nargs = 4,
		.argtypes = {INT8OID, TEXTARRAYOID, INT8OID, INT4OID}
	};
	Bracket		bracket;
	Datum		values[4];
	char		nulls[4] = {' ', ' ', ' ', ' '};

	values[0] = Int64GetDatum(job->job_id);
	values[1] = PointerGetDatum(job->end_key);
	if (job->end_key == NULL)
		nulls[1] = 'n';
	values[2] = Int64GetDatum((int64) job->estimated_rows);
	values[3] = Int32GetDatum(job->workers);
	enter(&bracket);
	(void) run(&start, values, nulls);
	leave(&bracket);
}

/*
 * Record the error that ends a job, unless there is one already: the first
 * counts.  Returns whether it was recorded.
 */
bool
bulkpar_bookkeeping_fail_job(int64 job_id, const ErrorData *error)
{
	static Statement fail = {
		.sql =
		"UPDATE @bulkpar_job SET sqlstate = $2, message = $3, detail = $4, "
		"hint = $5, context = $6 "
		"WHERE job_id = $1 AND status = 'running' AND sqlstate IS NULL",
		.nargs = 6,
		.argtypes = {INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID}
	};
	Bracket		bracket;
	Datum		values[6];
	char		nulls[6];
	uint64		changed;

	values[0] = Int64GetDatum(job_id);
	nulls[0] = ' ';
	set_text(values, nulls, 1, unpack_sql_state(error->sqlerrcode));
	set_text(values, nulls, 2, error->message);
	set_text(values, nulls, 3, error->detail);
	set_text(values, nulls, 4, error->hint);
	set_text(values, nulls, 5, error->context);
	enter(&bracket);
	changed = run(&fail, values, nulls);
	leave(&bracket);
	return changed == 1;
}

/* End a running job with the given status. */
void
bulkpar_bookkeeping_end_job(int64 job_id, const char *status)
{
	static Statement end = {
		.sql =
		"UPDATE @bulkpar_job SET status = $2, "
		"finished_at = clock_timestamp() "
		"WHERE job_id = $1 AND status = 'running'",
		.nargs = 2,
		.argtypes = {INT8OID, TEXTOID}
	};
	Bracket		bracket;
	Datum		values[2];

	values[0] = Int64GetDatum(job_id);
	values[1] = CStringGetTextDatum(status);
	enter(&bracket);
	if (run(&end, values, NULL) != 1)
		elog(ERROR, "bulkpar job " INT64_FORMAT " is not running", job_id);
	leave(&bracket);
}

/*
 * Read the state of a job, and whether its own rows prove that it is
 * complete: the chunks follow each other from before the first key to the
 * end key without a gap, and each has succeeded.  NULL if there is no such
 * job.
 */
BulkparStatus *
bulkpar_bookkeeping_status(int64 job_id)
{
	static Statement read = {
		.sql =
		"SELECT j.status, c.rows_done, c.rows_updated, c.batches, "
		"coalesce(j.estimated_rows, 0), "
		"(extract(epoch FROM clock_timestamp() - "
		"coalesce(j.started_at, j.created_at)) * 1000)::int8, "
		"(CASE WHEN j.started_at IS NULL THEN false "
		"WHEN j.end_key IS NULL THEN c.chunks = 0 "
		"ELSE c.complete AND c.last_hi = j.end_key END)::int4"
		"::int8, "
		"j.sqlstate, j.message, j.detail, j.hint, j.context "
		"FROM @bulkpar_job j CROSS JOIN LATERAL ("
		"SELECT count(*) AS chunks, "
		"coalesce(sum(k.rows_done), 0)::int8 AS rows_done, "
		"coalesce(sum(k.rows_updated), 0)::int8 AS rows_updated, "
		"coalesce(sum(k.batches), 0)::int8 AS batches, "
		"coalesce(bool_and(k.status = 'succeeded' "
		"AND k.last_key = k.hi AND k.lo IS NOT DISTINCT FROM k.previous_hi), "
		"false) AS complete, "
		"(max(k.last_hi) FILTER (WHERE k.is_last)) AS last_hi "
		"FROM (SELECT i.*, "
		"lag(i.hi) OVER w AS previous_hi, i.hi AS last_hi, "
		"lead(i.chunk_no) OVER w IS NULL AS is_last "
		"FROM @bulkpar_chunk i WHERE i.job_id = j.job_id "
		"WINDOW w AS (ORDER BY i.chunk_no)) k) c "
		"WHERE j.job_id = $1",
		.nargs = 1,
		.argtypes = {INT8OID}
	};
	BulkparStatus *status = NULL;
	Bracket		bracket;
	Datum		values[1];

	values[0] = Int64GetDatum(job_id);
	enter(&bracket);
	if (run(&read, values, NULL) == 1)
	{
		status = MemoryContextAllocZero(bracket.caller_context,
										sizeof(BulkparStatus));
		status->status = text_column(&bracket, 1);
		status->rows_done = int64_column(2);
		status->rows_updated = int64_column(3);
		status->batches = int64_column(4);
		status->estimated_rows = int64_column(5);
		status->seconds = int64_column(6) / 1000.0;
		status->complete = int64_column(7) != 0;
		status->error = error_columns(&bracket, 8);
	}
	leave(&bracket);
	return status;
}

/*
 * Look for a chunk to do, and lock the job so that no other worker gets the
 * same.  A chunk that was left is taken over with a new epoch; where a new
 * one begins is returned for bulkpar_bookkeeping_insert_chunk.
 */
BulkparClaim
bulkpar_bookkeeping_claim(int64 job_id, int worker, BulkparChunk *chunk)
{
	static Statement lock = {
		.sql =
		"SELECT 1::int8 FROM @bulkpar_job WHERE job_id = $1 "
		"AND status = 'running' AND sqlstate IS NULL FOR NO KEY UPDATE",
		.nargs = 1,
		.argtypes = {INT8OID}
	};
	static Statement take_over = {
		.sql =
		"UPDATE @bulkpar_chunk SET status = 'running', worker = $2, "
		"worker_pid = $3, epoch = epoch + 1, attempts = attempts + 1, "
		"sqlstate = NULL, message = NULL WHERE job_id = $1 AND chunk_no = "
		"(SELECT chunk_no FROM @bulkpar_chunk WHERE job_id = $1 "
		"AND status <> 'succeeded' AND worker IS NULL "
		"ORDER BY chunk_no LIMIT 1) "
		"RETURNING chunk_no, epoch, rows_before, coalesce(last_key, lo), hi",
		.nargs = 3,
		.argtypes = {INT8OID, INT4OID, INT4OID}
	};
	static Statement last = {
		.sql =
		"SELECT chunk_no, rows_before + rows_found, hi "
		"FROM @bulkpar_chunk WHERE job_id = $1 "
		"ORDER BY chunk_no DESC LIMIT 1",
		.nargs = 1,
		.argtypes = {INT8OID}
	};
	BulkparClaim claim;
	Bracket		bracket;
	Datum		values[3];

	memset(chunk, 0, sizeof(BulkparChunk));
	values[0] = Int64GetDatum(job_id);
	values[1] = Int32GetDatum(worker);
	values[2] = Int32GetDatum(MyProcPid);
	enter(&bracket);
	if (run(&lock, values, NULL) == 0)
		claim = BULKPAR_CLAIM_NOTHING;
	else if (run(&take_over, values, NULL) == 1)
	{
		claim = BULKPAR_CLAIM_LEFT;
		chunk->chunk_no = int64_column(1);
		chunk->epoch = int64_column(2);
		chunk->rows_before = int64_column(3);
		chunk->done = array_column(&bracket, 4);
		chunk->hi = array_column(&bracket, 5);
	}
	else
	{
		claim = BULKPAR_CLAIM_NEW;
		chunk->chunk_no = 1;
		chunk->epoch = 1;
		if (run(&last, values, NULL) == 1)
		{
			chunk->chunk_no = int64_column(1) + 1;
			chunk->rows_before = int64_column(2);
			chunk->done = array_column(&bracket, 3);
		}
	}
	leave(&bracket);
	return claim;
}

/*
 * Insert a claimed new chunk.  The job is still locked by the claim in the
 * same transaction.
 */
void
bulkpar_bookkeeping_insert_chunk(int64 job_id, int worker,
								 const BulkparChunk *chunk, int64 rows_found)
{
	static Statement insert = {
		.sql =
		"INSERT INTO @bulkpar_chunk (job_id, chunk_no, lo, hi, rows_before, "
		"rows_found, status, worker, worker_pid, started_at) "
		"VALUES ($1, $2, $3, $4, $5, $6, 'running', $7, $8, clock_timestamp())",
		.nargs = 8,
		.argtypes = {INT8OID, INT8OID, TEXTARRAYOID, TEXTARRAYOID, INT8OID, INT8OID,
		INT4OID, INT4OID}
	};
	Bracket		bracket;
	Datum		values[8];
	char		nulls[8] = {' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '};

	values[0] = Int64GetDatum(job_id);
	values[1] = Int64GetDatum(chunk->chunk_no);
	values[2] = PointerGetDatum(chunk->done);
	if (chunk->done == NULL)
		nulls[2] = 'n';
	values[3] = PointerGetDatum(chunk->hi);
	values[4] = Int64GetDatum(chunk->rows_before);
	values[5] = Int64GetDatum(rows_found);
	values[6] = Int32GetDatum(worker);
	values[7] = Int32GetDatum(MyProcPid);
	enter(&bracket);
	(void) run(&insert, values, nulls);
	leave(&bracket);
}

/*
 * Advance a chunk by the batch that this transaction has done.  False means
 * that another worker has taken the chunk over: the transaction must not
 * commit.
 */
bool
bulkpar_bookkeeping_advance_chunk(int64 job_id, const BulkparChunk *chunk,
								  const BulkparAdvance *advance)
{
	static Statement update = {
		.sql =
		"UPDATE @bulkpar_chunk SET last_key = $4, "
		"rows_done = rows_done + $5, "
		"rows_updated = rows_updated + $6, "
		"batches = batches + 1, "
		"status = CASE WHEN $7 THEN 'succeeded' ELSE status END, "
		"finished_at = CASE WHEN $7 THEN clock_timestamp() END "
		"WHERE job_id = $1 AND chunk_no = $2 AND epoch = $3 "
		"AND status = 'running'",
		.nargs = 7,
		.argtypes = {INT8OID, INT8OID, INT8OID, TEXTARRAYOID, INT8OID, INT8OID, BOOLOID}
	};
	Bracket		bracket;
	Datum		values[7];
	uint64		changed;

	values[0] = Int64GetDatum(job_id);
	values[1] = Int64GetDatum(chunk->chunk_no);
	values[2] = Int64GetDatum(chunk->epoch);
	values[3] = PointerGetDatum(advance->last_key);
	values[4] = Int64GetDatum(advance->rows_done);
	values[5] = Int64GetDatum(advance->rows_updated);
	values[6] = BoolGetDatum(advance->finished);
	enter(&bracket);
	changed = run(&update, values, NULL);
	leave(&bracket);
	return changed == 1;
}

/* Record the error of a chunk that is still ours. */
void
bulkpar_bookkeeping_fail_chunk(int64 job_id, const BulkparChunk *chunk,
							   const ErrorData *error)
{
	static Statement fail = {
		.sql =
		"UPDATE @bulkpar_chunk SET status = 'failed', worker = NULL, "
		"sqlstate = $4, message = $5 "
		"WHERE job_id = $1 AND chunk_no = $2 AND epoch = $3",
		.nargs = 5,
		.argtypes = {INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID}
	};
	Bracket		bracket;
	Datum		values[5];
	char		nulls[5] = {' ', ' ', ' ', ' ', ' '};

	values[0] = Int64GetDatum(job_id);
	values[1] = Int64GetDatum(chunk->chunk_no);
	values[2] = Int64GetDatum(chunk->epoch);
	set_text(values, nulls, 3, unpack_sql_state(error->sqlerrcode));
	set_text(values, nulls, 4, error->message);
	enter(&bracket);
	(void) run(&fail, values, nulls);
	leave(&bracket);
}

/*
 * Free the chunks of a worker that has ended without finishing them, or with
 * 0 for worker those of all, so that another can claim them.  Returns how
 * many there were.
 */
int64
bulkpar_bookkeeping_release_chunks(int64 job_id, int worker)
{
	static Statement release = {
		.sql =
		"UPDATE @bulkpar_chunk SET worker = NULL, worker_pid = NULL, "
		"epoch = epoch + 1 WHERE job_id = $1 AND status = 'running' "
		"AND worker IS NOT NULL AND (worker = $2 OR $2 = 0)",
		.nargs = 2,
		.argtypes = {INT8OID, INT4OID}
	};
	Bracket		bracket;
	Datum		values[2];
	uint64		changed;

	values[0] = Int64GetDatum(job_id);
	values[1] = Int32GetDatum(worker);
	enter(&bracket);
	changed = run(&release, values, NULL);
	leave(&bracket);
	return (int64) changed;
}

/*
 * Take the lock that says that a job's coordinator is alive.  It is held
 * until the process ends.  False if another process holds it.
 */
bool
bulkpar_bookkeeping_lock_job(int64 job_id)
{
	LOCKTAG		tag;

	job_locktag(&tag, job_id);
	return LockAcquire(&tag, ExclusiveLock, true, true) !=
		LOCKACQUIRE_NOT_AVAIL;
}

/* Whether some process holds that lock. */
bool
bulkpar_bookkeeping_job_is_alive(int64 job_id)
{
	LOCKTAG		tag;

	job_locktag(&tag, job_id);
	if (LockAcquire(&tag, ShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	LockRelease(&tag, ShareLock, false);
	return false;
}

/*
 * Become the owner of the tables, with a search_path that nobody can write
 * to, connect SPI and take a snapshot.  An error undoes it with the (sub)transaction.
 */
static void
enter(Bracket *bracket)
{
	Oid			relid = get_relname_relid("bulkpar_job", schema);
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the tables of extension \"bulkpar\" do not exist"),
				 errhint("The extension was dropped while a job was running.")));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);

	bracket->caller_context = CurrentMemoryContext;
	GetUserIdAndSecContext(&bracket->userid, &bracket->sec_context);
	SetUserIdAndSecContext(owner, bracket->sec_context |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
	bracket->nestlevel = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
}

static void
leave(const Bracket *bracket)
{
	PopActiveSnapshot();
	SPI_finish();
	AtEOXact_GUC(true, bracket->nestlevel);
	SetUserIdAndSecContext(bracket->userid, bracket->sec_context);
}

/* Run a statement; returns the number of rows. */
static uint64
run(Statement *statement, const Datum *values, const char *nulls)
{
	int			result;

	if (statement->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(expand(statement->sql),
									   statement->nargs, statement->argtypes);

		if (plan == NULL)
			elog(ERROR, "SPI_prepare failed: %s",
				 SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		statement->plan = plan;
		statement->next = prepared;
		prepared = statement;
	}
	result = SPI_execute_plan(statement->plan, (Datum *) values, nulls,
							  false, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s",
			 SPI_result_code_string(result));
	return SPI_processed;
}

/* Replace each @ by the schema's name and a dot. */
static char *
expand(const char *sql)
{
	const char *prefix = quote_identifier(get_namespace_name(schema));
	StringInfoData buf;

	initStringInfo(&buf);
	for (; *sql != '\0'; sql++)
	{
		if (*sql == '@')
			appendStringInfo(&buf, "%s.", prefix);
		else
			appendStringInfoChar(&buf, *sql);
	}
	return buf.data;
}

/* A column of the first row of the result. */
static Datum
column(int number, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
						 number, isnull);
}

static int64
int64_column(int number)
{
	bool		isnull;

	return DatumGetInt64(column(number, &isnull));
}

/* The text, copied for the caller of the function; NULL for null. */
static char *
text_column(const Bracket *bracket, int number)
{
	bool		isnull;
	Datum		value = column(number, &isnull);

	if (isnull)
		return NULL;
	return MemoryContextStrdup(bracket->caller_context,
							   TextDatumGetCString(value));
}

static ArrayType *
array_column(const Bracket *bracket, int number)
{
	bool		isnull;
	Datum		value = column(number, &isnull);
	MemoryContext oldcontext;
	ArrayType  *copy;

	if (isnull)
		return NULL;
	oldcontext = MemoryContextSwitchTo(bracket->caller_context);
	copy = DatumGetArrayTypePCopy(value);
	MemoryContextSwitchTo(oldcontext);
	return copy;
}

static char **
strings_column(const Bracket *bracket, int number, int *count)
{
	bool		isnull;
	Datum		value = column(number, &isnull);
	MemoryContext oldcontext;
	Datum	   *elements;
	char	  **strings;

	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false,
					  TYPALIGN_INT, &elements, NULL, count);
	oldcontext = MemoryContextSwitchTo(bracket->caller_context);
	strings = palloc(sizeof(char *) * *count);
	for (int i = 0; i < *count; i++)
		strings[i] = TextDatumGetCString(elements[i]);
	MemoryContextSwitchTo(oldcontext);
	return strings;
}

static void
set_text(Datum *values, char *nulls, int i, const char *text)
{
	nulls[i] = text == NULL ? 'n' : ' ';
	values[i] = text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

/* The error in the five columns from the first on; NULL if there is none. */
static ErrorData *
error_columns(const Bracket *bracket, int first)
{
	char	   *sqlstate = text_column(bracket, first);
	ErrorData  *error;

	if (sqlstate == NULL)
		return NULL;
	error = MemoryContextAllocZero(bracket->caller_context, sizeof(ErrorData));
	error->elevel = ERROR;
	error->sqlerrcode = MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2],
									  sqlstate[3], sqlstate[4]);
	error->message = text_column(bracket, first + 1);
	error->detail = text_column(bracket, first + 2);
	error->hint = text_column(bracket, first + 3);
	error->context = text_column(bracket, first + 4);
	return error;
}

/*
 * The lock is a user lock, which a rollback does not release but the end of
 * the process does.  pg_locks shows it as a userlock on bulkpar_job and the
 * job's id; it cannot be confused with an advisory lock.
 */
static void
job_locktag(LOCKTAG *tag, int64 job_id)
{
	tag->locktag_field1 = MyDatabaseId;
	tag->locktag_field2 = get_relname_relid("bulkpar_job", schema);
	tag->locktag_field3 = (uint32) job_id;
	tag->locktag_field4 = (uint16) (job_id >> 32);
	tag->locktag_type = LOCKTAG_USERLOCK;
	tag->locktag_lockmethodid = USER_LOCKMETHOD;
}
