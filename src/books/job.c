/*-------------------------------------------------------------------------
 *
 * job.c
 *		A job's rows in bulkpar_job and bulkpar_part.
 *
 * Unless a function says otherwise it must be called in a transaction, throws
 * an ERROR when its statement fails, and leaves commit and rollback to its
 * caller.  Results are allocated in the current memory context.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/job.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "books/bookkeeping.h"
#include "books/job.h"

static void load_settings(const BulkparBracket *bracket, BulkparJob *job);
static void load_parts(const BulkparBracket *bracket, BulkparJob *job);
static void set_space(Datum *values, char *nulls, int first,
					  const BulkparJobSpace *space);

/* Store a job that request.c has described, and return its id. */
int64
bulkpar_job_insert(const char *request)
{
	static BulkparQuery insert = {
		.sql =
		"INSERT INTO @bulkpar_job (job_name, owner, session_role, target, key_index, "
		"only_target, "
		"deletes, column_names, statement, expressions, condition, "
		"from_item, skip_unchanged, batch_size, workers, stripes, on_error, max_errors, settings, status, created_at) "
		"SELECT r.job_name, r.owner, r.session_role, r.target, r.key_index, r.only_target, "
		"r.deletes, r.column_names, r.statement, r.expressions, r.condition, "
		"r.from_item, r.skip_unchanged, r.batch_size, r.workers, r.stripes, "
		"r.on_error, r.max_errors, r.settings, 'running', clock_timestamp() "
		"FROM jsonb_populate_record(NULL::@bulkpar_job, "
		"$1::jsonb) r RETURNING job_id",
		.nargs = 1,
		.argtypes = {TEXTOID}
	};
	static BulkparQuery insert_parts = {
		.sql =
		"INSERT INTO @bulkpar_part (job_id, part_no, relation, key_index, "
		"key_order) SELECT $2, p.part_no, (p.part->>'relation')::oid, "
		"(p.part->>'key_index')::oid, p.part->>'key_order' "
		"FROM jsonb_array_elements($1::jsonb->'parts') WITH ORDINALITY "
		"p(part, part_no)",
		.nargs = 2,
		.argtypes = {TEXTOID, INT8OID}
	};
	BulkparBracket bracket;
	Datum		values[2];
	int64		job_id;

	values[0] = CStringGetTextDatum(request);
	bulkpar_bookkeeping_enter(&bracket);
	if (bulkpar_bookkeeping_run(&insert, values, NULL) != 1)
		elog(ERROR, "bulkpar job was not stored");
	job_id = bulkpar_bookkeeping_int64(1);
	values[1] = Int64GetDatum(job_id);
	(void) bulkpar_bookkeeping_run(&insert_parts, values, NULL);
	bulkpar_bookkeeping_leave(&bracket);
	return job_id;
}

/* The unfinished job of a role with a name; 0 if there is none. */
int64
bulkpar_job_find(Oid owner, const char *name)
{
	static BulkparQuery find = {
		.read_only = true,
		.sql =
		"SELECT job_id FROM @bulkpar_job "
		"WHERE owner = $1 AND job_name = $2 AND status <> 'succeeded'",
		.nargs = 2,
		.argtypes = {OIDOID, TEXTOID}
	};
	BulkparBracket bracket;
	Datum		values[2];
	int64		job_id = 0;

	values[0] = ObjectIdGetDatum(owner);
	values[1] = CStringGetTextDatum(name);
	bulkpar_bookkeeping_enter(&bracket);
	if (bulkpar_bookkeeping_run(&find, values, NULL) > 0)
		job_id = bulkpar_bookkeeping_int64(1);
	bulkpar_bookkeeping_leave(&bracket);
	return job_id;
}

/* The owner of a job; InvalidOid if there is no such job. */
Oid
bulkpar_job_owner(int64 job_id)
{
	static BulkparQuery read = {
		.read_only = true,
		.sql = "SELECT owner::oid::int8 FROM @bulkpar_job WHERE job_id = $1",
		.nargs = 1,
		.argtypes = {INT8OID}
	};
	BulkparBracket bracket;
	Oid			owner = InvalidOid;

	if (bulkpar_bookkeeping_enter_for(&bracket, &read, job_id) == 1)
		owner = (Oid) bulkpar_bookkeeping_int64(1);
	bulkpar_bookkeeping_leave(&bracket);
	return owner;
}

/*
 * Make a job that has stopped run again, with what is changed.  False if it
 * has succeeded or is gone.  The caller holds the job's lock.
 */
bool
bulkpar_job_restart(int64 job_id, const BulkparJobChange *change)
{
	static BulkparQuery restart = {
		.sql =
		"UPDATE @bulkpar_job SET status = 'running', finished_at = NULL, "
		"runs = runs + 1, "
		"batch_size = coalesce(nullif($2, 0), batch_size), "
		"workers = coalesce(nullif($3, 0), workers), "
		"sqlstate = NULL, message = NULL, detail = NULL, hint = NULL, "
		"context = NULL WHERE job_id = $1 AND status <> 'succeeded'",
		.nargs = 3,
		.argtypes = {INT8OID, INT4OID, INT4OID}
	};
	BulkparBracket bracket;
	Datum		values[3];
	uint64		changed;

	values[0] = Int64GetDatum(job_id);
	values[1] = Int32GetDatum(change->batch_size);
	values[2] = Int32GetDatum(change->workers);
	bulkpar_bookkeeping_enter(&bracket);
	changed = bulkpar_bookkeeping_run(&restart, values, NULL);
	bulkpar_bookkeeping_leave(&bracket);
	return changed == 1;
}

/* Read a job. */
BulkparJob *
bulkpar_job_load(int64 job_id)
{
	static BulkparQuery load = {
		.read_only = true,
		.sql =
		"SELECT owner::oid::int8, target::oid::int8, only_target::int4::int8, "
		"batch_size::int8, workers::int8, "
		"(on_error = 'skip')::int4::int8, max_errors, "
		"(started_at IS NOT NULL)::int4::int8, "
		"coalesce(estimated_rows, 0), condition, job_name, "
		"runs::int8, column_names, expressions, "
		"coalesce(stripes, 0)::int8, stripes_chosen::int4::int8, "
		"xmin_holders, deletes::int4::int8, statement, from_item, "
		"skip_unchanged::int4::int8, session_role::oid::int8, "
		"coalesce(key_index, 0)::int8 "
		"FROM @bulkpar_job WHERE job_id = $1",
		.nargs = 1,
		.argtypes = {INT8OID}
	};
	BulkparJob *job = palloc0(sizeof(BulkparJob));
	BulkparBracket bracket;

	if (bulkpar_bookkeeping_enter_for(&bracket, &load, job_id) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("bulkpar job " INT64_FORMAT " does not exist", job_id)));
	job->job_id = job_id;
	job->owner = (Oid) bulkpar_bookkeeping_int64(1);
	job->target = (Oid) bulkpar_bookkeeping_int64(2);
	job->only = bulkpar_bookkeeping_int64(3) != 0;
	job->batch_size = (int) bulkpar_bookkeeping_int64(4);
	job->workers = (int) bulkpar_bookkeeping_int64(5);
	job->skip_errors = bulkpar_bookkeeping_int64(6) != 0;
	job->max_errors = bulkpar_bookkeeping_int64(7);
	job->prepared = bulkpar_bookkeeping_int64(8) != 0;
	job->estimated_rows = (double) bulkpar_bookkeeping_int64(9);
	job->condition = bulkpar_bookkeeping_text(&bracket, 10);
	job->name = bulkpar_bookkeeping_text(&bracket, 11);
	job->runs = (int) bulkpar_bookkeeping_int64(12);
	job->column_names = bulkpar_bookkeeping_strings(&bracket, 13,
													&job->ncolumns);
	job->expressions = bulkpar_bookkeeping_strings(&bracket, 14,
												   &job->nexpressions);
	job->stripes = (int) bulkpar_bookkeeping_int64(15);
	job->stripes_chosen = bulkpar_bookkeeping_int64(16) != 0;
	job->xmin_holders = bulkpar_bookkeeping_text(&bracket, 17);
	job->deletes = bulkpar_bookkeeping_int64(18) != 0;
	job->statement = bulkpar_bookkeeping_text(&bracket, 19);
	job->from_item = bulkpar_bookkeeping_text(&bracket, 20);
	job->skip_unchanged = bulkpar_bookkeeping_int64(21) != 0;
	job->session_role = (Oid) bulkpar_bookkeeping_int64(22);
	job->key_index = (Oid) bulkpar_bookkeeping_int64(23);
	load_settings(&bracket, job);
	load_parts(&bracket, job);
	bulkpar_bookkeeping_leave(&bracket);
	return job;
}

static void
load_settings(const BulkparBracket *bracket, BulkparJob *job)
{
	static BulkparQuery load = {
		.read_only = true,
		.sql =
		"SELECT s.value->>'name', s.value->>'value', "
		"(s.value->>'superuser')::bool::int4::int8, (s.value->>'role')::int8 "
		"FROM @bulkpar_job j, jsonb_array_elements(j.settings) "
		"WITH ORDINALITY s(value, number) "
		"WHERE j.job_id = $1 ORDER BY s.number",
		.nargs = 1,
		.argtypes = {INT8OID}
	};
	Datum		values[1];

	values[0] = Int64GetDatum(job->job_id);
	job->settings.count = (int) bulkpar_bookkeeping_run(&load, values, NULL);
	job->settings.items = MemoryContextAllocZero(bracket->caller_context,
												 sizeof(BulkparSetting) *
												 job->settings.count);
	for (int i = 0; i < job->settings.count; i++)
	{
		BulkparSetting *setting = &job->settings.items[i];

		bulkpar_bookkeeping_look_at(i);
		setting->name = bulkpar_bookkeeping_text(bracket, 1);
		setting->value = bulkpar_bookkeeping_text(bracket, 2);
		setting->superuser = bulkpar_bookkeeping_int64(3) != 0;
		setting->role = (Oid) bulkpar_bookkeeping_int64(4);
	}
}

static void
load_parts(const BulkparBracket *bracket, BulkparJob *job)
{
	static BulkparQuery load = {
		.read_only = true,
		.sql =
		"SELECT relation::oid::int8, key_index::oid::int8, key_order, "
		"gone::int4::int8, coalesce(estimated_rows, 0), end_bytes, end_key "
		"FROM @bulkpar_part WHERE job_id = $1 ORDER BY part_no",
		.nargs = 1,
		.argtypes = {INT8OID}
	};
	Datum		values[1];

	values[0] = Int64GetDatum(job->job_id);
	job->nparts = (int) bulkpar_bookkeeping_run(&load, values, NULL);
	job->parts = MemoryContextAllocZero(bracket->caller_context,
										sizeof(BulkparJobPart) * job->nparts);
	for (int i = 0; i < job->nparts; i++)
	{
		BulkparJobPart *part = &job->parts[i];

		bulkpar_bookkeeping_look_at(i);
		part->relid = (Oid) bulkpar_bookkeeping_int64(1);
		part->key_index = (Oid) bulkpar_bookkeeping_int64(2);
		part->key_order = bulkpar_bookkeeping_text(bracket, 3);
		part->gone = bulkpar_bookkeeping_int64(4) != 0;
		part->estimated_rows = (double) bulkpar_bookkeeping_int64(5);
		part->end_key = bulkpar_bookkeeping_key(bracket, 6);
	}
}

/*
 * Store what the coordinator has found out and chosen.  What was begun of
 * parts that are gone is forgotten.
 */
void
bulkpar_job_start(const BulkparJob *job)
{
	static BulkparQuery start = {
		.sql =
		"UPDATE @bulkpar_job SET estimated_rows = $2, "
		"workers = $3, stripes = $4, xmin_holders = $5, "
		"table_bytes_before = coalesce(table_bytes_before, $6), "
		"index_bytes_before = coalesce(index_bytes_before, $7), "
		"stripes_chosen = $8, planned_runs = runs, "
		"started_at = coalesce(started_at, clock_timestamp()) "
		"WHERE job_id = $1",
		.nargs = 8,
		.argtypes = {INT8OID, INT8OID, INT4OID, INT4OID, TEXTOID, INT8OID,
		INT8OID, BOOLOID}
	};
	static BulkparQuery start_part = {
		.sql =
		"UPDATE @bulkpar_part SET gone = $3, estimated_rows = $4, "
		"end_bytes = $5, end_key = $6 WHERE job_id = $1 AND part_no = $2",
		.nargs = 6,
		.argtypes = {INT8OID, INT4OID, BOOLOID, INT8OID, BYTEAOID,
		TEXTARRAYOID}
	};
	static BulkparQuery forget_gone = {
		.sql =
		"DELETE FROM @bulkpar_chunk c USING @bulkpar_part p "
		"WHERE c.job_id = $1 AND p.job_id = c.job_id "
		"AND p.part_no = c.part_no AND p.gone AND c.status <> 'succeeded'",
		.nargs = 1,
		.argtypes = {INT8OID}
	};
	BulkparBracket bracket;
	Datum		values[8];
	char		nulls[8] = {' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '};

	values[0] = Int64GetDatum(job->job_id);
	values[1] = Int64GetDatum((int64) job->estimated_rows);
	values[2] = Int32GetDatum(job->workers);
	values[3] = Int32GetDatum(job->stripes);
	bulkpar_bookkeeping_set_text(values, nulls, 4, job->xmin_holders);
	set_space(values, nulls, 5, &job->before);
	values[7] = BoolGetDatum(job->stripes_chosen);
	bulkpar_bookkeeping_enter(&bracket);
	(void) bulkpar_bookkeeping_run(&start, values, nulls);
	for (int i = 0; i < job->nparts; i++)
	{
		const BulkparJobPart *part = &job->parts[i];

		values[1] = Int32GetDatum(i + 1);
		values[2] = BoolGetDatum(part->gone);
		values[3] = Int64GetDatum((int64) part->estimated_rows);
		bulkpar_bookkeeping_set_key(values, nulls, 4, part->end_key);
		(void) bulkpar_bookkeeping_run(&start_part, values, nulls);
	}
	(void) bulkpar_bookkeeping_run(&forget_gone, values, NULL);
	bulkpar_bookkeeping_leave(&bracket);
}

/* Whether the current run of a job has been planned. */
bool
bulkpar_job_is_planned(int64 job_id)
{
	static BulkparQuery read = {
		.read_only = true,
		.sql =
		"SELECT 1::int8 FROM @bulkpar_job "
		"WHERE job_id = $1 AND planned_runs = runs",
		.nargs = 1,
		.argtypes = {INT8OID}
	};
	BulkparBracket bracket;
	bool		planned;

	planned = bulkpar_bookkeeping_enter_for(&bracket, &read, job_id) == 1;
	bulkpar_bookkeeping_leave(&bracket);
	return planned;
}

/* Whether a planned job has no rows to go through. */
bool
bulkpar_job_is_empty(const BulkparJob *job)
{
	for (int i = 0; i < job->nparts; i++)
	{
		if (!job->parts[i].gone && job->parts[i].end_key != NULL)
			return false;
	}
	return true;
}

/*
 * Record the error that ends a run of a job, or with 0 the current one, unless
 * there is one already: the first counts.  Returns whether it was recorded.
 */
bool
bulkpar_job_fail(int64 job_id, int runs, const ErrorData *error)
{
	static BulkparQuery fail = {
		.sql =
		"UPDATE @bulkpar_job SET sqlstate = $2, message = $3, detail = $4, "
		"hint = $5, context = $6 "
		"WHERE job_id = $1 AND status = 'running' AND sqlstate IS NULL "
		"AND (runs = $7 OR $7 = 0)",
		.nargs = 7,
		.argtypes = {INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
		INT4OID}
	};
	BulkparBracket bracket;
	Datum		values[7];
	char		nulls[7];
	uint64		changed;

	values[0] = Int64GetDatum(job_id);
	nulls[0] = ' ';
	bulkpar_bookkeeping_set_text(values, nulls, 1, unpack_sql_state(error->sqlerrcode));
	bulkpar_bookkeeping_set_text(values, nulls, 2, error->message);
	bulkpar_bookkeeping_set_text(values, nulls, 3, error->detail);
	bulkpar_bookkeeping_set_text(values, nulls, 4, error->hint);
	bulkpar_bookkeeping_set_text(values, nulls, 5, error->context);
	values[6] = Int32GetDatum(runs);
	nulls[6] = ' ';
	bulkpar_bookkeeping_enter(&bracket);
	changed = bulkpar_bookkeeping_run(&fail, values, nulls);
	bulkpar_bookkeeping_leave(&bracket);
	return changed == 1;
}

/*
 * End a running job with the given status, and keep what it has cost.  The
 * space that the table takes now may be unknown.
 */
void
bulkpar_job_end(int64 job_id, const char *status, const BulkparJobSpace *after)
{
	static BulkparQuery end = {
		.sql =
		"UPDATE @bulkpar_job SET status = $2, "
		"finished_at = clock_timestamp(), "
		"table_bytes_after = $3, index_bytes_after = $4, dead_rows = $5, "
		"(rows_hot, wal_bytes) = "
		"(SELECT coalesce(sum(c.rows_hot), 0), "
		"coalesce(sum(c.wal_bytes), 0) "
		"FROM @bulkpar_chunk c WHERE c.job_id = $1) "
		"WHERE job_id = $1 AND status = 'running'",
		.nargs = 5,
		.argtypes = {INT8OID, TEXTOID, INT8OID, INT8OID, INT8OID}
	};
	BulkparBracket bracket;
	Datum		values[5];
	char		nulls[5] = {' ', ' '};

	values[0] = Int64GetDatum(job_id);
	values[1] = CStringGetTextDatum(status);
	set_space(values, nulls, 2, after);
	values[4] = Int64GetDatum(after->dead_rows);
	nulls[4] = nulls[2];
	bulkpar_bookkeeping_enter(&bracket);
	if (bulkpar_bookkeeping_run(&end, values, nulls) != 1)
		elog(ERROR, "bulkpar job " INT64_FORMAT " is not running", job_id);
	bulkpar_bookkeeping_leave(&bracket);
}

/*
 * Cancel a job that has no coordinator, unless it has succeeded or is
 * cancelled already.
 */
void
bulkpar_job_abandon(int64 job_id)
{
	static BulkparQuery abandon = {
		.sql =
		"UPDATE @bulkpar_job SET status = 'cancelled', "
		"finished_at = clock_timestamp() "
		"WHERE job_id = $1 AND status NOT IN ('succeeded', 'cancelled')",
		.nargs = 1,
		.argtypes = {INT8OID}
	};
	BulkparBracket bracket;

	(void) bulkpar_bookkeeping_enter_for(&bracket, &abandon, job_id);
	bulkpar_bookkeeping_leave(&bracket);
}

/* Delete a job and all about it.  False if there is no such job. */
bool
bulkpar_job_delete(int64 job_id)
{
	static BulkparQuery delete = {
		.sql = "DELETE FROM @bulkpar_job WHERE job_id = $1",
		.nargs = 1,
		.argtypes = {INT8OID}
	};
	BulkparBracket bracket;
	uint64		deleted;

	deleted = bulkpar_bookkeeping_enter_for(&bracket, &delete, job_id);
	bulkpar_bookkeeping_leave(&bracket);
	return deleted == 1;
}

/*
 * The jobs that ended longer ago than age (an interval), of owners whose
 * privileges the role has.
 */
int64 *
bulkpar_job_older_than(Oid role, Datum age, int *count)
{
	static BulkparQuery find = {
		.read_only = true,
		.sql =
		"SELECT array(SELECT job_id::text FROM @bulkpar_job "
		"WHERE finished_at < clock_timestamp() - $2 "
		"AND pg_has_role($1, owner::oid, 'USAGE') ORDER BY job_id)",
		.nargs = 2,
		.argtypes = {OIDOID, INTERVALOID}
	};
	BulkparBracket bracket;
	Datum		values[2];
	char	  **texts;
	int64	   *job_ids;

	values[0] = ObjectIdGetDatum(role);
	values[1] = age;
	bulkpar_bookkeeping_enter(&bracket);
	(void) bulkpar_bookkeeping_run(&find, values, NULL);
	texts = bulkpar_bookkeeping_strings(&bracket, 1, count);
	bulkpar_bookkeeping_leave(&bracket);

	job_ids = palloc(sizeof(int64) * Max(*count, 1));
	for (int i = 0; i < *count; i++)
		job_ids[i] = strtoi64(texts[i], NULL, 10);
	return job_ids;
}

/* Two parameters from the first on: the space of the table and indexes. */
static void
set_space(Datum *values, char *nulls, int first, const BulkparJobSpace *space)
{
	values[first] = Int64GetDatum(space->table_bytes);
	values[first + 1] = Int64GetDatum(space->index_bytes);
	nulls[first] = nulls[first + 1] = space->known ? ' ' : 'n';
}
