/*-------------------------------------------------------------------------
 *
 * job.c
 *		What a job is to do, and how: its rows in bulkpar_job and bulkpar_part.
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
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"

#include "books/alteration.h"
#include "books/argument.h"
#include "books/bookkeeping.h"
#include "books/column.h"
#include "books/job.h"

/* The columns of bulkpar_job that say what is to be done. */
#define REQUESTED \
	"job_name, owner, session_role, target, targets, key_index, only_target, " \
	"inserted, command, column_names, column_targets, statement, expressions, " \
	"condition, from_item, names, " \
	"skip_unchanged, sees_batches, batch_size, workers, stripes, on_error, max_errors, " \
	"settings"

/* A setting, of the items that s has. */
#define SETTING \
	"s.value->>'name' AS name, s.value->>'value' AS value, " \
	"(s.value->>'superuser')::bool AS superuser, " \
	"(s.value->>'role')::oid AS role"

static void refuse_name(BulkparBookkeeping *books);
static void refuse_repeated(BulkparBookkeeping *books);
static void load_altered(BulkparBookkeeping *books, BulkparJob *job);
static void load_settings(BulkparBookkeeping *books,
						  BulkparSettings *settings, bool altered);
static void load_parts(BulkparBookkeeping *books, BulkparJob *job);
static void start_parts(BulkparBookkeeping *books, const BulkparJob *job);
static Datum text_of_array(ArrayType *array);

/* How a job is stored. */
static BulkparQuery draw_number = {
	.sql =
	"UPDATE @bulkpar_counter SET last_job_id = last_job_id + 1 "
	"RETURNING last_job_id"
};

static BulkparQuery insert_job = {
	.sql =
	"INSERT INTO @bulkpar_job (job_id, " REQUESTED ", status, created_at, "
	"running_since) SELECT $job_id, " REQUESTED ", 'running', t, t "
	"FROM clock_timestamp() t, jsonb_populate_record(NULL::@bulkpar_job, $request::jsonb) "
	"ON CONFLICT (owner, job_name) WHERE status <> 'succeeded' DO NOTHING"
};

static BulkparQuery insert_parts = {
	.sql =
	"INSERT INTO @bulkpar_part (job_id, part_no, target, relation, "
	"key_index, key_order, shard) SELECT $job_id, p.part_no, "
	"(p.part->>'target')::oid, (p.part->>'relation')::oid, "
	"(p.part->>'key_index')::oid, p.part->>'key_order', "
	"(p.part->>'shard')::bigint "
	"FROM jsonb_array_elements($request::jsonb->'parts') "
	"WITH ORDINALITY p(part, part_no)"
};

static BulkparQuery insert_nodes = {
	.sql =
	"INSERT INTO @bulkpar_node (job_id, node_no, server, citus_node, "
	"server_name, relations, remote, origin, workers) "
	"SELECT $job_id, n.node_no, r.server, r.citus_node, r.server_name, "
	"r.relations, r.remote, gen_random_uuid(), r.workers "
	"FROM jsonb_array_elements($request::jsonb->'nodes') "
	"WITH ORDINALITY n(node, node_no), "
	"jsonb_populate_record(NULL::@bulkpar_node, n.node) r"
};

/* Plan how a job is stored, while nobody waits for that.  In a transaction. */
void
bulkpar_job_prepare_insert(void)
{
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter(&books);
	bulkpar_argument_text(&books, "request", NULL);
	bulkpar_argument_int64(&books, "job_id", 0);
	bulkpar_bookkeeping_plan(&books, &draw_number);
	bulkpar_bookkeeping_plan(&books, &insert_job);
	bulkpar_bookkeeping_plan(&books, &insert_parts);
	bulkpar_bookkeeping_plan(&books, &insert_nodes);
	bulkpar_bookkeeping_leave(&books);
}

/*
 * An id for a job.  The next one waits until this transaction ends, so it should end
 * at once.
 */
int64
bulkpar_job_draw_number(void)
{
	BulkparBookkeeping books;
	int64		number;

	bulkpar_bookkeeping_enter(&books);
	if (bulkpar_bookkeeping_run(&books, &draw_number) != 1)
		elog(ERROR, "bulkpar jobs have no counter");
	number = bulkpar_column_int64(&books, "last_job_id");
	bulkpar_bookkeeping_leave(&books);
	return number;
}

/*
 * Store a job of that id that bulkpar_job_serialize has described, and its nodes, if
 * it has some, each with a name for the job there.  An error if its owner has an
 * unfinished one of its name, or, if it is to run once, one that has succeeded.  Waits
 * for a transaction that has removed one, and to parse a long statement takes long.
 */
void
bulkpar_job_insert(int64 job_id, const char *request, bool nodes, bool once)
{
	BulkparBookkeeping books;
	bool		stored;

	bulkpar_bookkeeping_enter(&books);
	bulkpar_argument_int64(&books, "job_id", job_id);
	bulkpar_argument_text(&books, "request", request);
	stored = bulkpar_bookkeeping_run(&books, &insert_job) == 1;
	if (!stored)
	{
		/* One that is no longer unfinished does not keep us from it. */
		refuse_name(&books);
		stored = bulkpar_bookkeeping_run(&books, &insert_job) == 1;
	}
	if (!stored)
		elog(ERROR, "bulkpar job was not stored");
	if (once)
		refuse_repeated(&books);
	(void) bulkpar_bookkeeping_run(&books, &insert_parts);
	if (nodes)
		(void) bulkpar_bookkeeping_run(&books, &insert_nodes);
	bulkpar_bookkeeping_leave(&books);
}

/* An error if there is an unfinished job of the name that is requested. */
static void
refuse_name(BulkparBookkeeping *books)
{
	static BulkparQuery find = {
		.sql =
		"SELECT j.job_id, j.job_name FROM @bulkpar_job j, "
		"jsonb_populate_record(NULL::@bulkpar_job, $request::jsonb) r "
		"WHERE j.owner = r.owner AND j.job_name = r.job_name "
		"AND j.status <> 'succeeded'"
	};

	if (bulkpar_bookkeeping_run(books, &find) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("bulkpar job " INT64_FORMAT " of the name \"%s\" has just been started by another call",
						bulkpar_column_int64(books, "job_id"),
						bulkpar_column_text(books, "job_name")),
				 errhint("Call the function again to wait for it.")));
}

/*
 * An error if a job of the same name has succeeded.  Ours is stored already: no
 * other call can make one of the name before we are done, and what others have
 * done we see.
 */
static void
refuse_repeated(BulkparBookkeeping *books)
{
	static BulkparQuery find = {
		.sql =
		"SELECT j.job_id, j.job_name FROM @bulkpar_job j, "
		"jsonb_populate_record(NULL::@bulkpar_job, $request::jsonb) r "
		"WHERE j.owner = r.owner AND j.job_name = r.job_name "
		"AND j.status = 'succeeded' ORDER BY j.job_id DESC LIMIT 1"
	};

	if (bulkpar_bookkeeping_run(books, &find) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("bulkpar job " INT64_FORMAT " of the name \"%s\" has just succeeded",
						bulkpar_column_int64(books, "job_id"),
						bulkpar_column_text(books, "job_name")),
				 errhint("Call the function again for its result.")));
}

/* How a job is read. */
static BulkparQuery select_job = {
	.read_only = true,
	.sql =
	"SELECT " REQUESTED ", runs, started_at, estimated_rows, "
	"stripes_chosen, xmin_holders, to_char(created_at AT TIME ZONE 'UTC', "
	"'YYYY-MM-DD HH24:MI:SS.US') || '+00' AS created_at, "
	BULKPAR_ALTERATION_EXISTS " AS altered "
	"FROM @bulkpar_job WHERE job_id = $job_id"
};

static BulkparQuery select_settings = {
	.read_only = true,
	.sql =
	"SELECT " SETTING " FROM @bulkpar_job j, "
	"jsonb_array_elements(j.settings) WITH ORDINALITY s(value, number) "
	"WHERE j.job_id = $job_id ORDER BY s.number"
};

static BulkparQuery select_parts = {
	.read_only = true,
	.sql =
	"SELECT target, relation, key_index, key_order, "
	"coalesce(shard, 0) AS shard, gone, estimated_rows, end_bytes, end_key "
	"FROM @bulkpar_part WHERE job_id = $job_id ORDER BY part_no"
};

/* Plan how a job is read, while it is yet to be stored.  In a transaction. */
void
bulkpar_job_prepare_load(void)
{
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter_job(&books, 0);
	bulkpar_bookkeeping_plan(&books, &select_job);
	bulkpar_bookkeeping_plan(&books, &select_settings);
	bulkpar_bookkeeping_plan(&books, &select_parts);
	bulkpar_bookkeeping_leave(&books);
}

/* Read a job, which must exist, as it is altered. */
BulkparJob *
bulkpar_job_load(int64 job_id)
{
	BulkparJob *job = palloc0(sizeof(BulkparJob));
	BulkparBookkeeping books;
	bool		altered;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	if (bulkpar_bookkeeping_run(&books, &select_job) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("bulkpar job " INT64_FORMAT " does not exist", job_id)));
	altered = bulkpar_column_bool(&books, "altered");
	job->job_id = job_id;
	job->name = bulkpar_column_text(&books, "job_name");
	job->owner = bulkpar_column_oid(&books, "owner");
	job->session_role = bulkpar_column_oid(&books, "session_role");
	job->target = bulkpar_column_oid(&books, "target");
	job->targets = bulkpar_column_oids(&books, "targets", &job->ntargets);
	job->key_index = bulkpar_column_oid(&books, "key_index");
	job->inserted = bulkpar_column_oid(&books, "inserted");
	job->only = bulkpar_column_bool(&books, "only_target");
	job->command =
		bulkpar_command_of(bulkpar_column_text(&books, "command"));
	job->column_names = bulkpar_column_texts(&books, "column_names",
											 &job->ncolumns);
	if (!bulkpar_column_is_null(&books, "column_targets"))
		job->column_targets = bulkpar_column_texts(&books, "column_targets",
												   &job->ncolumns);
	job->statement = bulkpar_column_text(&books, "statement");
	job->expressions = bulkpar_column_texts(&books, "expressions",
											&job->nexpressions);
	job->condition = bulkpar_column_text(&books, "condition");
	job->from_item = bulkpar_column_text(&books, "from_item");
	if (!bulkpar_column_is_null(&books, "names"))
		job->names = bulkpar_column_texts(&books, "names", &job->nnames);
	job->skip_unchanged = bulkpar_column_bool(&books, "skip_unchanged");
	job->sees_batches = bulkpar_column_bool(&books, "sees_batches");
	job->batch_size = bulkpar_column_int32(&books, "batch_size");
	job->workers = bulkpar_column_int32(&books, "workers");
	job->stripes = bulkpar_column_int32(&books, "stripes");
	job->skip_errors = strcmp(bulkpar_column_text(&books, "on_error"),
							  "skip") == 0;
	job->max_errors = bulkpar_column_int64(&books, "max_errors");
	job->created_at = bulkpar_column_text(&books, "created_at");
	job->runs = bulkpar_column_int32(&books, "runs");
	job->prepared = !bulkpar_column_is_null(&books, "started_at");
	job->estimated_rows = bulkpar_column_int64(&books, "estimated_rows");
	job->stripes_chosen = bulkpar_column_bool(&books, "stripes_chosen");
	job->xmin_holders = bulkpar_column_text(&books, "xmin_holders");
	if (altered)
		load_altered(&books, job);
	load_settings(&books, &job->settings, altered);
	load_parts(&books, job);
	bulkpar_bookkeeping_leave(&books);
	bulkpar_subquery_load(job_id, &job->subqueries);
	job->subqueries.evaluated = job->prepared;
	return job;
}

/* The numbers of a job that was altered. */
static void
load_altered(BulkparBookkeeping *books, BulkparJob *job)
{
	static BulkparQuery load = {
		.read_only = true,
		.sql =
		"SELECT " BULKPAR_ALTERATION_LAST("@bulkpar_alteration", "workers")
		" AS workers, "
		BULKPAR_ALTERATION_LAST("@bulkpar_alteration", "batch_size")
		" AS batch_size FROM @bulkpar_job WHERE job_id = $job_id"
	};

	if (bulkpar_bookkeeping_run(books, &load) != 1)
		return;
	job->workers = bulkpar_column_int32(books, "workers");
	job->batch_size = bulkpar_column_int32(books, "batch_size");
}

static void
load_settings(BulkparBookkeeping *books, BulkparSettings *settings,
			  bool altered)
{
	static BulkparQuery load_as_altered = {
		.read_only = true,
		.sql =
		"SELECT " SETTING " FROM "
		BULKPAR_ALTERATION_SETTINGS("@bulkpar_alteration")
	};

	settings->count = (int) bulkpar_bookkeeping_run(books, altered ?
													&load_as_altered :
													&select_settings);
	settings->items = MemoryContextAllocZero(books->caller_context,
											 sizeof(BulkparSetting) *
											 settings->count);
	for (int i = 0; i < settings->count; i++)
	{
		BulkparSetting *setting = &settings->items[i];

		bulkpar_bookkeeping_look_at(books, i);
		setting->name = bulkpar_column_text(books, "name");
		setting->value = bulkpar_column_text(books, "value");
		setting->superuser = bulkpar_column_bool(books, "superuser");
		setting->role = bulkpar_column_oid(books, "role");
	}
}

static void
load_parts(BulkparBookkeeping *books, BulkparJob *job)
{
	job->nparts = (int) bulkpar_bookkeeping_run(books, &select_parts);
	job->parts = MemoryContextAllocZero(books->caller_context,
										sizeof(BulkparJobPart) * job->nparts);
	for (int i = 0; i < job->nparts; i++)
	{
		BulkparJobPart *part = &job->parts[i];

		bulkpar_bookkeeping_look_at(books, i);
		part->target = bulkpar_column_oid(books, "target");
		part->relid = bulkpar_column_oid(books, "relation");
		part->key_index = bulkpar_column_oid(books, "key_index");
		part->key_order = bulkpar_column_text(books, "key_order");
		part->shard = bulkpar_column_int64(books, "shard");
		part->gone = bulkpar_column_bool(books, "gone");
		part->estimated_rows = bulkpar_column_int64(books, "estimated_rows");
		part->end_key = bulkpar_column_key(books, "end_bytes", "end_key");
	}
}

/*
 * Store what the first worker has found out and chosen.  What was begun of
 * parts that are gone is forgotten.
 */
void
bulkpar_job_start(const BulkparJob *job)
{
	static BulkparQuery start = {
		.sql =
		"UPDATE @bulkpar_job SET estimated_rows = $estimated_rows, "
		"workers = $workers, stripes = $stripes, "
		"stripes_chosen = $stripes_chosen, xmin_holders = $xmin_holders, "
		"table_bytes_before = coalesce(table_bytes_before, $table_bytes), "
		"index_bytes_before = coalesce(index_bytes_before, $index_bytes), "
		"planned_runs = runs, "
		"started_at = coalesce(started_at, clock_timestamp()) "
		"WHERE job_id = $job_id"
	};
	static BulkparQuery forget_gone = {
		.sql =
		"DELETE FROM @bulkpar_chunk c USING @bulkpar_part p "
		"WHERE c.job_id = $job_id AND p.job_id = c.job_id "
		"AND p.part_no = c.part_no AND p.gone AND c.status <> 'succeeded'"
	};
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter_job(&books, job->job_id);
	bulkpar_argument_int64(&books, "estimated_rows", job->estimated_rows);
	bulkpar_argument_int32(&books, "workers", job->workers);
	bulkpar_argument_int32(&books, "stripes", job->stripes);
	bulkpar_argument_bool(&books, "stripes_chosen", job->stripes_chosen);
	bulkpar_argument_text(&books, "xmin_holders", job->xmin_holders);
	bulkpar_argument_int64_if(&books, job->before.known, "table_bytes",
							  job->before.table_bytes);
	bulkpar_argument_int64_if(&books, job->before.known, "index_bytes",
							  job->before.index_bytes);
	(void) bulkpar_bookkeeping_run(&books, &start);
	if (job->nparts > 0)
		start_parts(&books, job);
	(void) bulkpar_bookkeeping_run(&books, &forget_gone);
	bulkpar_bookkeeping_leave(&books);
}

/*
 * The same of its parts, in one statement: there may be hundreds.  The text of a
 * key is an array, of which there are no arrays.
 */
static void
start_parts(BulkparBookkeeping *books, const BulkparJob *job)
{
	static BulkparQuery start = {
		.sql =
		"UPDATE @bulkpar_part p SET gone = s.gone, "
		"estimated_rows = s.estimated_rows, end_bytes = s.end_bytes, "
		"end_key = s.end_key::text[] FROM unnest($gone, $part_rows, "
		"$end_bytes, $end_keys) WITH ORDINALITY "
		"s(gone, estimated_rows, end_bytes, end_key, part_no) "
		"WHERE p.job_id = $job_id AND p.part_no = s.part_no::int4"
	};
	int			count = job->nparts;
	Datum	   *values = palloc(sizeof(Datum) * count);
	bool	   *nulls = palloc0(sizeof(bool) * count);

	for (int i = 0; i < count; i++)
		values[i] = BoolGetDatum(job->parts[i].gone);
	bulkpar_argument_array(books, "gone", BOOLOID, values, nulls, count);
	for (int i = 0; i < count; i++)
		values[i] = Int64GetDatum((int64) job->parts[i].estimated_rows);
	bulkpar_argument_array(books, "part_rows", INT8OID, values, nulls, count);
	for (int i = 0; i < count; i++)
	{
		nulls[i] = job->parts[i].end_key == NULL;
		values[i] = nulls[i] ? (Datum) 0 :
			PointerGetDatum(job->parts[i].end_key->bytes);
	}
	bulkpar_argument_array(books, "end_bytes", BYTEAOID, values, nulls, count);
	for (int i = 0; i < count; i++)
		values[i] = nulls[i] ? (Datum) 0 :
			text_of_array(job->parts[i].end_key->text);
	bulkpar_argument_array(books, "end_keys", TEXTOID, values, nulls, count);
	(void) bulkpar_bookkeeping_run(books, &start);
}

/* An array of texts as one text. */
static Datum
text_of_array(ArrayType *array)
{
	return CStringGetTextDatum(OidOutputFunctionCall(F_ARRAY_OUT,
													 PointerGetDatum(array)));
}

/* Whether the current run of a job has been planned. */
bool
bulkpar_job_is_planned(int64 job_id)
{
	static BulkparQuery read = {
		.read_only = true,
		.sql =
		"SELECT FROM @bulkpar_job "
		"WHERE job_id = $job_id AND planned_runs = runs"
	};
	BulkparBookkeeping books;
	bool		planned;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	planned = bulkpar_bookkeeping_run(&books, &read) == 1;
	bulkpar_bookkeeping_leave(&books);
	return planned;
}

/* Whether a planned job has no rows to go through.  Needs no transaction. */
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
 * Whether the statement on a target is about that table itself, no partition or
 * child: of several targets, if it is all that the job goes through of it.  Needs
 * no transaction.
 */
bool
bulkpar_job_is_only(const BulkparJob *job, Oid target)
{
	int			parts = 0;
	bool		itself = false;

	if (job->ntargets == 0)
		return job->only;
	for (int i = 0; i < job->nparts; i++)
	{
		if (job->parts[i].target != target)
			continue;
		parts++;
		itself |= job->parts[i].relid == target;
	}
	return parts == 1 && itself;
}

/* The targets of a job, also if it is just one.  Needs no transaction. */
Oid *
bulkpar_job_targets(const BulkparJob *job, int *count)
{
	*count = Max(job->ntargets, 1);
	return job->ntargets > 0 ? job->targets : unconstify(Oid *, &job->target);
}
