/*-------------------------------------------------------------------------
 *
 * alter.c
 *		The SQL function that changes how a job goes on.
 *
 * What it changes is seen by the job when the calling transaction has committed,
 * and not before, as of any other statement.  Then its coordinator is woken, who
 * would look now and then anyway.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/alter.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "books/alteration.h"
#include "books/books.h"
#include "books/job.h"
#include "books/jobjson.h"
#include "books/joblock.h"
#include "bulkpar.h"
#include "call/lookup.h"
#include "call/request.h"
#include "call/result.h"
#include "run/ask.h"

/* The coordinators to wake, in the memory of the transaction. */
static List *coordinators = NIL;

static void read_settings(Jsonb *json, BulkparSettings *settings);
static char *value_of(const JsonbValue *value, const char *name);
static void wake_at_commit(int64 job_id);
static void wake(XactEvent event, void *arg);
static void report(const BulkparJob *before, const BulkparJob *after,
				   const BulkparSettings *settings);
static void append_change(StringInfo buf, const char *name, int before,
						  int after);
static void append_setting(StringInfo buf, const BulkparSetting *setting,
						   const BulkparSettings *before);

PG_FUNCTION_INFO_V1(bulkpar_alter);

/* bulkpar_alter(job, workers, batch_size, settings) */
Datum
bulkpar_alter(PG_FUNCTION_ARGS)
{
	BulkparJobChange change;
	BulkparAlteration alteration;
	BulkparSettings settings = {0};
	BulkparJob *before;
	BulkparJob *after;
	int64		job_id;

	bulkpar_books_pin_for_transaction();
	PreventCommandDuringRecovery("bulkpar_alter()");
	PreventCommandIfReadOnly("bulkpar_alter()");
	PreventCommandIfParallelMode("bulkpar_alter()");
	job_id = bulkpar_lookup_argument(fcinfo);
	bulkpar_request_read_change(fcinfo, &change);
	alteration.workers = change.workers;
	alteration.batch_size = change.batch_size;
	if (!PG_ARGISNULL(3))
		read_settings(PG_GETARG_JSONB_P(3), &settings);
	alteration.settings = settings.count == 0 ? NULL :
		bulkpar_jobjson_write_settings(&settings);

	before = bulkpar_lookup_job(job_id);
	bulkpar_ask_check(&settings, before->owner);
	if (!bulkpar_alteration_insert(job_id, &alteration))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("bulkpar job " INT64_FORMAT " has already succeeded",
						job_id)));
	wake_at_commit(job_id);
	after = bulkpar_lookup_job(job_id);
	report(before, after, &settings);
	return bulkpar_result_form(fcinfo, job_id, bulkpar_result_status(job_id),
							   after->workers);
}

/* The settings in an object, each with its name and value, or null. */
static void
read_settings(Jsonb *json, BulkparSettings *settings)
{
	JsonbIterator *iterator = JsonbIteratorInit(&json->root);
	JsonbIteratorToken token;
	JsonbValue	key;
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be a JSON object", "settings"),
				 errhint("Write settings => '{\"nice\": 1}', for example.")));
	settings->items = palloc(sizeof(BulkparSetting) * JB_ROOT_COUNT(json));
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		char	   *given;
		const char *name;

		if (token != WJB_KEY)
			continue;
		given = pnstrdup(key.val.string.val, key.val.string.len);
		(void) JsonbIteratorNext(&iterator, &value, true);
		name = bulkpar_settings_limit(given);
		if (name == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"%s\" is no setting that a job can be altered by",
							given),
					 errhint("There are: %s.", bulkpar_settings_list_limits())));
		bulkpar_settings_add(settings, name, value_of(&value, name));
	}
}

/* The value of a setting as SET takes it; NULL for null. */
static char *
value_of(const JsonbValue *value, const char *name)
{
	switch (value->type)
	{
		case jbvNull:
			return NULL;
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value->val.numeric)));
		case jbvBool:
			return pstrdup(value->val.boolean ? "on" : "off");
		default:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the value of \"%s\" must be a string, a number, a boolean or null",
							name)));
	}
}

static void
wake_at_commit(int64 job_id)
{
	static bool registered = false;
	int			pid = bulkpar_lookup_coordinator(job_id);
	MemoryContext oldcontext;

	if (pid == 0)
		return;
	if (!registered)
		RegisterXactCallback(wake, NULL);
	registered = true;
	oldcontext = MemoryContextSwitchTo(TopTransactionContext);
	coordinators = list_append_unique_int(coordinators, pid);
	MemoryContextSwitchTo(oldcontext);
}

/* Transaction callback; a process that has taken the pid meanwhile does not mind. */
static void
wake(XactEvent event, void *arg)
{
	ListCell   *lc;

	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		event != XACT_EVENT_PREPARE)
		return;
	foreach(lc, event == XACT_EVENT_COMMIT ? coordinators : NIL)
	{
		PGPROC	   *proc = BackendPidGetProc(lfirst_int(lc));

		if (proc != NULL)
			SetLatch(&proc->procLatch);
	}
	coordinators = NIL;
}

/* Say what is otherwise from now on. */
static void
report(const BulkparJob *before, const BulkparJob *after,
	   const BulkparSettings *settings)
{
	StringInfoData changes;
	bool		alive = bulkpar_joblock_is_held(after->job_id);

	if (!bulkpar_report)
		return;
	initStringInfo(&changes);
	append_change(&changes, "workers", before->workers, after->workers);
	append_change(&changes, "batch_size", before->batch_size,
				  after->batch_size);
	for (int i = 0; i < settings->count; i++)
		append_setting(&changes, &settings->items[i], &before->settings);
	if (changes.len == 0)
		appendStringInfoString(&changes, "all as before");
	ereport(INFO,
			(errmsg("bulkpar job " INT64_FORMAT " goes on with %s",
					after->job_id, changes.data),
			 alive && IsTransactionBlock() ?
			 errdetail("That is when the transaction has committed.") : 0,
			 alive ? 0 :
			 errhint("SELECT bulkpar_resume(" INT64_FORMAT
					 ") goes on with the job.", after->job_id)));
}

static void
append_change(StringInfo buf, const char *name, int before, int after)
{
	if (before != after)
		appendStringInfo(buf, "%s%s %d instead of %d",
						 buf->len > 0 ? ", " : "", name, after, before);
}

static void
append_setting(StringInfo buf, const BulkparSetting *setting,
			   const BulkparSettings *before)
{
	const char *old = bulkpar_settings_value(before, setting->name);

	if (old == NULL ? setting->value == NULL :
		setting->value != NULL && strcmp(old, setting->value) == 0)
		return;
	appendStringInfo(buf, "%s%s %s", buf->len > 0 ? ", " : "", setting->name,
					 setting->value == NULL ? "as configured" : setting->value);
	if (old != NULL)
		appendStringInfo(buf, " instead of %s", old);
}
