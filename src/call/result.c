/*-------------------------------------------------------------------------
 *
 * result.c
 *		What a caller gets to see of a job: a row, a message or an error.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/result.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "books/joblock.h"
#include "books/jobmessage.h"
#include "books/jobstatus.h"
#include "bulkpar.h"
#include "call/result.h"

static int	cost_detail(const BulkparJobStatus *status);
static char *size_text(int64 bytes);
static void raise_failure(int64 job_id, BulkparJobStatus *status);
static void show_messages(int64 job_id);

/*
 * The result of a call that has waited for a job: its row if the job has
 * succeeded, runs on or is paused, and else an error.
 */
Datum
bulkpar_result_of_wait(FunctionCallInfo fcinfo, int64 job_id, int workers)
{
	BulkparJobStatus *status = bulkpar_result_check(job_id);
	double		seconds = status->time_at_work / (double) USECS_PER_SEC;

	if (bulkpar_report && status->state == BULKPAR_JOBSTATE_SUCCEEDED)
		ereport(INFO,
				(errmsg("bulkpar job " INT64_FORMAT ": " INT64_FORMAT
						" %s %s in %.2f s (%.0f rows/s) by %d %s in "
						INT64_FORMAT " %s",
						job_id, status->rows_changed,
						status->rows_changed == 1 ? "row" : "rows",
						bulkpar_command_done(status->command), seconds,
						status->rows_changed / Max(seconds, 0.000001),
						workers, workers == 1 ? "worker" : "workers",
						status->batches,
						status->batches == 1 ? "batch" : "batches"),
				 cost_detail(status)));
	if (bulkpar_report && status->state != BULKPAR_JOBSTATE_RUNNING)
		bulkpar_jobstatus_read_throttle(job_id, status);
	if (bulkpar_report && status->state != BULKPAR_JOBSTATE_RUNNING &&
		status->throttled_time > status->time_at_work / 100)
		ereport(INFO,
				(errmsg("bulkpar job " INT64_FORMAT
						" was throttled %.0f %% of the time: %s", job_id,
						100.0 * status->throttled_time /
						Max(status->time_at_work, 1),
						status->throttled_for)));
	if (status->rows_failed > 0)
		ereport(NOTICE,
				(errmsg("bulkpar job " INT64_FORMAT " has skipped "
						INT64_FORMAT " %s with %s",
						job_id, status->rows_failed,
						status->rows_failed == 1 ? "row" : "rows",
						status->rows_failed == 1 ? "an error" : "errors"),
				 errhint("See SELECT * FROM bulkpar_errors WHERE job_id = "
						 INT64_FORMAT ".", job_id)));
	return bulkpar_result_form(fcinfo, job_id, status, workers);
}

/* Error detail: what the updates have cost, as far as it is known. */
static int
cost_detail(const BulkparJobStatus *status)
{
	if (status->rows_changed == 0 || status->before.table_bytes == 0 ||
		status->after.table_bytes == 0)
		return 0;
	if (status->command != BULKPAR_COMMAND_UPDATE)
		return errdetail("The batches have written %s of WAL.",
						 size_text(status->wal_bytes));
	return errdetail("%.0f %% of the updates were HOT. The table went from %s to %s, its indexes from %s to %s, with %s of WAL.",
					 100.0 * status->rows_hot / status->rows_changed,
					 size_text(status->before.table_bytes),
					 size_text(status->after.table_bytes),
					 size_text(status->before.index_bytes),
					 size_text(status->after.index_bytes),
					 size_text(status->wal_bytes));
}

static char *
size_text(int64 bytes)
{
	return TextDatumGetCString(DirectFunctionCall1(pg_size_pretty,
												   Int64GetDatum(bytes)));
}

/* Raise the error of a job that was stopped, or return its status. */
BulkparJobStatus *
bulkpar_result_check(int64 job_id)
{
	bool		alive = bulkpar_joblock_is_held(job_id);
	BulkparJobStatus *status = bulkpar_result_status(job_id);

	if (status->has_messages)
		show_messages(job_id);
	if (!alive && status->state != BULKPAR_JOBSTATE_SUCCEEDED)
		bulkpar_result_warn(job_id);
	if (status->state == BULKPAR_JOBSTATE_FAILED ||
		status->state == BULKPAR_JOBSTATE_CANCELLED ||
		(status->state == BULKPAR_JOBSTATE_RUNNING && !alive))
		raise_failure(job_id, status);
	return status;
}

/* Say so if a job that has stopped may go on on other servers. */
void
bulkpar_result_warn(int64 job_id)
{
	char	   *names = bulkpar_node_at_work(job_id);

	if (names != NULL)
		bulkpar_result_warn_of(job_id, names);
}

/* The same where the names of the servers are known. */
void
bulkpar_result_warn_of(int64 job_id, const char *names)
{
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("bulkpar job " INT64_FORMAT " may go on on other servers",
					job_id),
			 errdetail("It was not stopped on these: %s.", names),
			 errhint("Use bulkpar_resume(" INT64_FORMAT
					 ") and then bulkpar_cancel(" INT64_FORMAT
					 "), or bulkpar_cancel on these servers.",
					 job_id, job_id)));
}

/* Show what user code has said in the workers of a job, if that has ended. */
static void
show_messages(int64 job_id)
{
	int			count;
	BulkparJobMessage *messages = bulkpar_jobmessage_read(job_id, &count);

	for (int i = 0; i < count; i++)
	{
		const BulkparJobMessage *message = &messages[i];

		if (message->text == NULL)
			ereport(NOTICE,
					(errmsg("bulkpar job " INT64_FORMAT ": other messages ("
							INT64_FORMAT " times)", job_id, message->count)));
		else
			ereport(message->is_warning ? WARNING : NOTICE,
					(errmsg("bulkpar job " INT64_FORMAT ": %s (" INT64_FORMAT
							" %s)", job_id, message->text, message->count,
							message->count == 1 ? "time" : "times")));
	}
}

/* The result row of a job. */
Datum
bulkpar_result_form(FunctionCallInfo fcinfo, int64 job_id,
					const BulkparJobStatus *status, int workers)
{
	Interval	elapsed = {.time = status->time_at_work};
	TupleDesc	tupdesc;
	Datum		values[8];
	bool		nulls[8] = {0};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int64GetDatum(job_id);
	values[1] = CStringGetTextDatum(bulkpar_jobstate_name(status->state));
	values[2] = Int64GetDatum(status->rows_changed);
	values[3] = Int64GetDatum(status->batches);
	values[4] = Int32GetDatum(workers);
	values[5] = IntervalPGetDatum(&elapsed);
	values[6] = Int64GetDatum(status->rows_failed);
	values[7] = Int64GetDatum(status->rows_unchanged);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc),
											 values, nulls));
}

/* The status of a job that must exist, with what its nodes have done. */
BulkparJobStatus *
bulkpar_result_status(int64 job_id)
{
	BulkparJobStatus *status = bulkpar_jobstatus_read(job_id);

	if (status == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("bulkpar job " INT64_FORMAT " does not exist",
						job_id)));
	(void) bulkpar_jobstatus_add_nodes(job_id, status);
	return status;
}

/* Raise the error of a job that was stopped. */
static void
raise_failure(int64 job_id, BulkparJobStatus *status)
{
	char	   *resume = psprintf("SELECT bulkpar_resume(" INT64_FORMAT
								  ") goes on with the job.", job_id);

	if (status->error != NULL)
	{
		if (status->error->hint == NULL)
			status->error->hint = resume;
		ThrowErrorData(status->error);
	}
	if (status->state == BULKPAR_JOBSTATE_CANCELLED)
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("bulkpar job " INT64_FORMAT " was cancelled", job_id),
				 errdetail(INT64_FORMAT " rows in " INT64_FORMAT
						   " batches are %s and stay so.",
						   status->rows_changed, status->batches,
						   bulkpar_command_done(status->command)),
				 errhint("%s", resume)));
	ereport(ERROR,
			(errcode(ERRCODE_ADMIN_SHUTDOWN),
			 errmsg("bulkpar job " INT64_FORMAT " was interrupted", job_id),
			 errdetail("Its coordinator was terminated. " INT64_FORMAT
					   " rows in " INT64_FORMAT
					   " batches are %s and stay so.",
					   status->rows_changed, status->batches,
					   bulkpar_command_done(status->command)),
			 errhint("%s", resume)));
}
