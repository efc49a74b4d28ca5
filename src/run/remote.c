/*-------------------------------------------------------------------------
 *
 * remote.c
 *		What is asked of bulkpar on another server, and what it answers.
 *
 * That are its SQL functions and views, as anybody calls them there.  All that
 * comes from the user, or from the server, is a literal or a quoted name in
 * these texts.  Each call has all of its arguments with their types, so that no
 * other function of the same name fits better.
 *
 * A job there has a name that is its own, and runs once: whoever asks for it
 * starts it, waits for it, goes on with it or finds that it has succeeded.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/remote.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"

#include "books/books.h"
#include "run/remote.h"
#include "session/error.h"
#include "session/extension.h"
#include "table/foreign.h"
#include "table/retarget.h"

/* More than a table can have; what is said of more is no number of rows. */
#define MAX_ROWS INT64CONST(1000000000000000)

/* How many rows that it has skipped are fetched from a node. */
#define MAX_ERRORS 1000

/* And characters of each text of their errors, ... */
#define MAX_TEXT "10000"

/* ... and of the key of each, so that it is not cut as other texts are. */
#define MAX_KEY 2000

/* The statement that is prepared there. */
#define STATUS "bulkpar_status"

/* What a call on a job returns, so far as it is read. */
#define RESULT \
	"SELECT r.job_id::pg_catalog.text, r.status, " \
	"r.rows_changed::pg_catalog.text, r.rows_failed::pg_catalog.text, " \
	"r.rows_unchanged::pg_catalog.text, r.batches::pg_catalog.text FROM "

/* How long the end of a job is waited for there, in milliseconds. */
#define WAIT 200

/* What a value means depends on these. */
static const char *const settings[] = {
	"TimeZone",
	"DateStyle",
	"IntervalStyle",
	"extra_float_digits",
	"bytea_output",
	"standard_conforming_strings",
	"array_nulls",
	"transform_null_equals",
};

static char *session_name(const BulkparNode *node);
static void send_setting(StringInfo buf, const char *name);
static void add_text(StringInfo buf, const char *name, const char *value);
static void add_texts(StringInfo buf, const char *name,
					  char **values, char **instead, int count,
					  const char *type);
static void add_what(StringInfo buf, const BulkparJob *job,
					 const BulkparNode *node, const char *target_type);
static void add_call(StringInfo buf, const BulkparJob *job,
					 const BulkparNode *node, const char *target_type);
static int64 read_number(const BulkparNode *node, const char *text);
static void read_result(const BulkparNode *node, char **values,
						BulkparNodeReport *report);
static ErrorData *read_error(char **values);
static void refuse_answer(const BulkparNode *node, const char *text);

/*
 * What is sent first: settings, and the question for schema and version.  The
 * nodes of Citus have the same schemas, so names are looked for in the same.
 */
char *
bulkpar_remote_prepare(const BulkparNode *node)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "SELECT n.nspname::pg_catalog.text, e.extversion FROM (SELECT "
						   "pg_catalog.set_config('client_min_messages', 'error', false), "
						   "pg_catalog.set_config('application_name', '" BULKPAR_FOREIGN_CALLER "', false), "
						   "pg_catalog.set_config('bulkpar.report', 'off', false)");
	for (int i = 0; i < (int) lengthof(settings); i++)
		send_setting(&buf, settings[i]);
	if (node->citus_node != 0)
		send_setting(&buf, "search_path");
	appendStringInfoString(&buf, " OFFSET 0) s LEFT JOIN "
						   "(pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n "
						   "ON n.oid OPERATOR(pg_catalog.=) e.extnamespace "
						   "AND e.extname OPERATOR(pg_catalog.=) 'bulkpar') ON s IS NOT NULL");
	return buf.data;
}

/* Let a setting be there what it is here. */
static void
send_setting(StringInfo buf, const char *name)
{
	appendStringInfo(buf, ", pg_catalog.set_config('%s', %s, false)", name,
					 quote_literal_cstr(GetConfigOption(name, false, false)));
}

/*
 * The schema of the extension there, in SQL.  An error if it is not the one that
 * we are.
 */
char *
bulkpar_remote_prepared(const BulkparDblinkResult *result)
{
	char	   *here = bulkpar_extension_version(bulkpar_books_extension());

	if (result->nrows != 1 || result->values[0] == NULL ||
		result->values[1] == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"bulkpar\" is not installed there"),
				 errhint("Use CREATE EXTENSION bulkpar in the database that the server names.")));
	if (strcmp(here, result->values[1]) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"bulkpar\" has version \"%s\" there, and \"%s\" here",
						result->values[1], here),
				 errhint("Use ALTER EXTENSION bulkpar UPDATE where it is older.")));
	return pstrdup(quote_identifier(result->values[0]));
}

/*
 * What our session is called there, before it asks for a job: as long as there is one
 * of that name, what it was sent may yet begin, though nobody hears its answer.
 */
char *
bulkpar_remote_name_session(const BulkparNode *node)
{
	return psprintf("SELECT pg_catalog.set_config('application_name', %s, false)",
					quote_literal_cstr(session_name(node)));
}

/* Ask how many others are called so, or end these, and count them. */
char *
bulkpar_remote_others(const BulkparNode *node, bool end)
{
	return psprintf("SELECT pg_catalog.count(%s)::pg_catalog.text "
					"FROM pg_catalog.pg_stat_activity a "
					"WHERE a.application_name OPERATOR(pg_catalog.=) %s "
					"AND a.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid() "
					"AND a.usename OPERATOR(pg_catalog.=) session_user",
					end ? "pg_catalog.pg_terminate_backend(a.pid)" : "a.pid",
					quote_literal_cstr(session_name(node)));
}

/* Whether there were none. */
bool
bulkpar_remote_is_alone(const BulkparNode *node,
						const BulkparDblinkResult *result)
{
	if (result->nrows != 1 || result->values[0] == NULL)
		refuse_answer(node, NULL);
	return read_number(node, result->values[0]) == 0;
}

/* The name has the uuid of the job, which nobody else knows. */
static char *
session_name(const BulkparNode *node)
{
	return psprintf(BULKPAR_FOREIGN_CALLER " %s", strchr(node->name, ' ') + 1);
}

/*
 * The call by which is asked what a job would do, or no more than whether it can
 * be done, which is an error if it cannot.
 */
char *
bulkpar_remote_explain_call(const BulkparJob *job, const BulkparNode *node,
							bool check_only)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "bulkpar_explain(");
	add_call(&buf, job, node, "text");
	add_text(&buf, "job_name", NULL);
	appendStringInfo(&buf, ", once => false, sample => %s)",
					 check_only ? "NULL::pg_catalog.bool" : "false");
	return buf.data;
}

/* Ask that, where the schema of the extension is known. */
char *
bulkpar_remote_explain(const char *schema, const char *call)
{
	return psprintf("SELECT l::pg_catalog.text FROM %s.%s l", schema, call);
}

/* Start, join or resume the job, unless it has succeeded. */
char *
bulkpar_remote_start(const BulkparJob *job, const BulkparNode *node,
					 const char *schema)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, RESULT "%s.%s(", schema,
					 job->statement != NULL ? "bulkpar_execute" :
					 bulkpar_command_deletes(job->command) ?
					 "bulkpar_delete" : "bulkpar_update");
	add_call(&buf, job, node, "regclass");
	add_text(&buf, "job_name", node->name);
	appendStringInfoString(&buf, ", once => true) r");
	return buf.data;
}

/* Resume the job with the settings that it has. */
char *
bulkpar_remote_resume(const BulkparJob *job, const BulkparNode *node,
					  const char *schema)
{
	return psprintf(RESULT "%s.bulkpar_resume("
					"%s::pg_catalog.text, %s::pg_catalog.int4, %d, false) r",
					schema, quote_literal_cstr(node->name),
					node->workers == 0 ? "NULL" :
					psprintf("%d", node->workers), job->batch_size);
}

/*
 * Ask what has become of the job, and wait for its end, but not for long.  That is
 * all that is asked of one that ends soon: it takes a tenth of the time in which
 * the question below is prepared.
 */
char *
bulkpar_remote_wait(const BulkparNode *node, const char *schema, bool ended)
{
	return psprintf(RESULT "%s.bulkpar_wait(%s::pg_catalog.text, "
					"'%d ms'::pg_catalog.interval) r",
					schema, quote_literal_cstr(node->name),
					ended ? 0 : WAIT);
}

/*
 * Prepare to ask how far the job is, which is asked often: to plan that anew takes
 * ten times as long as the answer.
 */
char *
bulkpar_remote_prepare_status(const BulkparNode *node, const char *schema)
{
	return psprintf("PREPARE " STATUS " AS SELECT j.job_id::pg_catalog.text, j.status::pg_catalog.text, "
					"p.rows_done::pg_catalog.text, p.rows_changed::pg_catalog.text, "
					"p.rows_failed::pg_catalog.text, p.rows_unchanged::pg_catalog.text, "
					"(SELECT pg_catalog.sum(c.batches) FROM %s.bulkpar_chunks c "
					"WHERE c.job_id OPERATOR(pg_catalog.=) j.job_id)::pg_catalog.text, "
					"j.estimated_rows::pg_catalog.text, "
					"p.rows_per_second::pg_catalog.text, "
					"j.sqlstate::pg_catalog.text, pg_catalog.left(j.message, " MAX_TEXT "), "
					"pg_catalog.left(j.detail, " MAX_TEXT "), pg_catalog.left(j.hint, " MAX_TEXT "), "
					"pg_catalog.left(j.context, " MAX_TEXT "), j.schema_name::pg_catalog.text, "
					"j.table_name::pg_catalog.text, j.column_name::pg_catalog.text, "
					"j.datatype_name::pg_catalog.text, "
					"j.constraint_name::pg_catalog.text "
					"FROM %s.bulkpar_jobs j JOIN %s.bulkpar_progress p "
					"ON p.job_id OPERATOR(pg_catalog.=) j.job_id "
					"WHERE j.job_name OPERATOR(pg_catalog.=) %s "
					"AND j.owner::pg_catalog.oid OPERATOR(pg_catalog.=) "
					"(SELECT r.oid FROM pg_catalog.pg_roles r "
					"WHERE r.rolname OPERATOR(pg_catalog.=) current_user) "
					"ORDER BY j.job_id DESC LIMIT 1",
					schema, schema, schema, quote_literal_cstr(node->name));
}

char *
bulkpar_remote_status(void)
{
	return "EXECUTE " STATUS;
}

/*
 * Read what was answered to that, or returned by a call, in the current memory
 * context.  False if there is no such job.  An error if it is no answer.
 */
bool
bulkpar_remote_report(const BulkparNode *node,
					  const BulkparDblinkResult *result,
					  BulkparNodeReport *report)
{
	static const char *const states[] = {
		BULKPAR_NODE_RUNNING, "paused", BULKPAR_NODE_SUCCEEDED, "failed",
		"cancelled", BULKPAR_NODE_INTERRUPTED
	};
	char	  **values = result->values;

	memset(report, 0, sizeof(BulkparNodeReport));
	if (result->nrows == 0)
		return false;
	for (int i = 0; i < (int) lengthof(states); i++)
	{
		if (values[1] != NULL && strcmp(values[1], states[i]) == 0)
			report->status = states[i];
	}
	if (report->status == NULL || values[0] == NULL)
		refuse_answer(node, values[1]);
	report->remote_job_id = read_number(node, values[0]);
	if (result->ncolumns == BULKPAR_REMOTE_RESULT_COLUMNS)
	{
		if (strcmp(report->status, BULKPAR_NODE_SUCCEEDED) == 0)
			read_result(node, values, report);
		return true;
	}
	report->counted = true;
	report->rows_done = read_number(node, values[2]);
	report->rows_changed = read_number(node, values[3]);
	report->rows_failed = read_number(node, values[4]);
	report->rows_unchanged = read_number(node, values[5]);
	report->batches = read_number(node, values[6]);
	report->estimated_rows = read_number(node, values[7]);
	report->rows_per_second = read_number(node, values[8]);
	if (strcmp(report->status, "failed") == 0)
		report->error = read_error(&values[9]);
	return true;
}

/*
 * Read what a call has returned of a job that has succeeded.  It does not say of
 * how many rows nothing was left, so these are left out.
 */
static void
read_result(const BulkparNode *node, char **values, BulkparNodeReport *report)
{
	report->counted = true;
	report->rows_changed = read_number(node, values[2]);
	report->rows_failed = read_number(node, values[3]);
	report->rows_unchanged = read_number(node, values[4]);
	report->batches = read_number(node, values[5]);
	report->rows_done = report->estimated_rows = report->rows_changed +
		report->rows_failed + report->rows_unchanged;
}

/* Ask for the rows that it has skipped, or the first of them. */
char *
bulkpar_remote_errors(const BulkparNode *node, const char *schema)
{
	return psprintf("SELECT e.chunk_no::pg_catalog.text, ARRAY(SELECT "
					"pg_catalog.left(u.k, %d OPERATOR(pg_catalog./) pg_catalog.cardinality(e.key)) "
					"FROM pg_catalog.unnest(e.key) WITH ORDINALITY u(k, o) "
					"ORDER BY u.o)::pg_catalog.text, "
					"e.sqlstate::pg_catalog.text, pg_catalog.left(e.message, " MAX_TEXT "), "
					"pg_catalog.left(e.detail, " MAX_TEXT "), pg_catalog.left(e.hint, " MAX_TEXT "), "
					"pg_catalog.left(e.context, " MAX_TEXT "), e.schema_name::pg_catalog.text, "
					"e.table_name::pg_catalog.text, e.column_name::pg_catalog.text, "
					"e.datatype_name::pg_catalog.text, "
					"e.constraint_name::pg_catalog.text "
					"FROM %s.bulkpar_errors e "
					"WHERE e.job_id OPERATOR(pg_catalog.=) " INT64_FORMAT
					"::pg_catalog.int8 ORDER BY e.failed_at LIMIT %d",
					MAX_KEY, schema, node->remote_job_id, MAX_ERRORS);
}

/* Read what was answered to that, in the current memory context. */
BulkparNodeError *
bulkpar_remote_skipped(const BulkparNode *node,
					   const BulkparDblinkResult *result)
{
	BulkparNodeError *errors = palloc0(sizeof(BulkparNodeError) *
									   Max(result->nrows, 1));

	for (int i = 0; i < result->nrows; i++)
	{
		char	  **values = &result->values[i * result->ncolumns];

		errors[i].chunk_no = read_number(node, values[0]);
		if (values[1] == NULL)
			refuse_answer(node, values[1]);
		errors[i].key =
			DatumGetArrayTypeP(OidInputFunctionCall(F_ARRAY_IN, values[1],
													TEXTOID, -1));
		errors[i].error = read_error(&values[2]);
		bulkpar_remote_name(errors[i].error, node);
	}
	return errors;
}

/* Pause or cancel the job, if it runs. */
char *
bulkpar_remote_stop(const BulkparNode *node, const char *schema, bool cancel)
{
	return psprintf("SELECT r.status::pg_catalog.text FROM %s.%s(%s::pg_catalog.text) r",
					schema, cancel ? "bulkpar_cancel" : "bulkpar_pause",
					quote_literal_cstr(node->name));
}

/* Let the context of an error say which node it is of, and not how we got it. */
void
bulkpar_remote_name(ErrorData *error, const BulkparNode *node)
{
	char	   *name = psprintf("node \"%s\"", node->server_name);
	char	   *context = error->context == NULL ? NULL :
		pstrdup(error->context);
	char	   *mark = context == NULL ? NULL :
		strstr(context, BULKPAR_DBLINK_MARK);

	if (mark != NULL)
	{
		while (mark > context && *mark != '\n')
			mark--;
		*mark = '\0';
	}
	error->context = context == NULL || context[0] == '\0' ? name :
		psprintf("%s\n%s", context, name);
}

static void
add_text(StringInfo buf, const char *name, const char *value)
{
	appendStringInfo(buf, ", %s => %s::pg_catalog.text", name,
					 value == NULL ? "NULL" : quote_literal_cstr(value));
}

/* A list; where there is something instead of them, that. */
static void
add_texts(StringInfo buf, const char *name, char **values, char **instead,
		  int count, const char *type)
{
	appendStringInfo(buf, "%s%s => ARRAY[",
					 buf->data[buf->len - 1] == '(' ? "" : ", ", name);
	for (int i = 0; i < count; i++)
		appendStringInfo(buf, "%s%s", i > 0 ? ", " : "",
						 quote_literal_cstr(instead != NULL ? instead[i] :
											values[i]));
	appendStringInfo(buf, "]::pg_catalog.%s[]", type);
}

/* The table or tables, columns, expressions and condition. */
static void
add_what(StringInfo buf, const BulkparJob *job, const BulkparNode *node,
		 const char *target_type)
{
	if (node->nremote == 1)
		appendStringInfo(buf, "target => %s::pg_catalog.%s",
						 quote_literal_cstr(node->remote[0]), target_type);
	else
		add_texts(buf, "targets", node->remote, NULL, node->nremote,
				  "regclass");
	if (!bulkpar_command_deletes(job->command))
	{
		add_texts(buf, "column_name", job->column_names,
				  job->column_targets, job->ncolumns, "text");
		add_texts(buf, "expression", job->expressions, NULL,
				  job->nexpressions, "text");
	}
	add_text(buf, "condition", job->condition);
}

/* The arguments of a call, but for the name and what follows it. */
static void
add_call(StringInfo buf, const BulkparJob *job, const BulkparNode *node,
		 const char *target_type)
{
	bool		whole = job->statement != NULL;
	bool		deletes = !whole && bulkpar_command_deletes(job->command);

	if (whole)
	{
		char	   *statement = bulkpar_retarget_statement(job->statement,
														   node->remote[0]);

		appendStringInfo(buf, "statement => %s::pg_catalog.text",
						 quote_literal_cstr(statement));
	}
	else
		add_what(buf, job, node, target_type);
	appendStringInfo(buf, ", batch_size => %d, workers => ", job->batch_size);
	if (node->workers == 0)
		appendStringInfoString(buf, "NULL::pg_catalog.int4");
	else
		appendStringInfo(buf, "%d", node->workers);
	appendStringInfo(buf, ", wait => false, max_errors => " INT64_FORMAT
					 "::pg_catalog.int8, key_index => NULL::pg_catalog.regclass, "
					 "sees_batches => false", job->max_errors);
	add_text(buf, "on_error", job->skip_errors ? "skip" : "stop");
	if (!whole)
		add_text(buf, deletes ? "using_item" : "from_item", NULL);
	else
		appendStringInfoString(buf, ", driving_table => NULL::pg_catalog.regclass");
	if (!deletes)
		appendStringInfo(buf, ", stripes => NULL::pg_catalog.int4, "
						 "skip_unchanged => %s",
						 job->skip_unchanged ? "true" : "false");
}

/* A number that may be null; an error if it is none. */
static int64
read_number(const BulkparNode *node, const char *text)
{
	char	   *end;
	int64		number;

	if (text == NULL)
		return 0;
	errno = 0;
	number = strtoi64(text, &end, 10);
	if (errno != 0 || *end != '\0' || end == text || number < 0 ||
		number > MAX_ROWS)
		refuse_answer(node, text);
	return number;
}

/* The error of a job, from its columns. */
static ErrorData *
read_error(char **values)
{
	ErrorData  *error = palloc0(sizeof(ErrorData));
	const char *state = values[0];
	int			i = 1;

	error->elevel = ERROR;
	error->sqlerrcode = ERRCODE_INTERNAL_ERROR;
	if (state != NULL && strlen(state) == 5 && strcmp(state, "00000") != 0 &&
		strspn(state, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5)
		error->sqlerrcode = MAKE_SQLSTATE(state[0], state[1], state[2],
										  state[3], state[4]);
#define READ(name) \
	error->name = values[i++];
	BULKPAR_ERROR_TEXTS(READ);
#undef READ
	if (error->message == NULL)
		error->message = "the job there has failed without a message";
	return error;
}

static void
refuse_answer(const BulkparNode *node, const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("node \"%s\" has answered what is no answer",
					node->server_name),
			 errdetail_internal("%s", text == NULL ? "null" :
								psprintf("\"%s\"", text))));
}
