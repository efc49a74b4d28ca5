/*-------------------------------------------------------------------------
 *
 * ending.c
 *		How the coordinator ends a job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/ending.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/lsyscache.h"

#include "books/jobstate.h"
#include "books/jobstatus.h"
#include "books/ledger.h"
#include "books/subquery.h"
#include "run/ending.h"
#include "session/error.h"
#include "session/process.h"
#include "table/measure.h"

static void measure(const BulkparJob *job, BulkparJobSpace *space);
static void report_failure(int64 job_id, const BulkparJob *job,
						   const ErrorData *error);

/*
 * Plan what the end of a job will ask, and read what the catalogs say of its
 * tables: its first worker is at work, and we have nothing else to do.  There is
 * no job of the number 0.
 */
void
bulkpar_ending_prepare(const BulkparJob *job)
{
	BulkparJobSpace now = {0};

	bulkpar_process_start_transaction();
	(void) bulkpar_ledger_release(0, 0);
	(void) bulkpar_jobstatus_read(0);
	(void) bulkpar_jobstatus_is_complete(0);
	measure(job, &now);
	CommitTransactionCommand();
}

/*
 * End a job in a transaction of its own: with the error, or else with success,
 * which must be proven.  The workers have ended, or have nothing left to do.  The
 * job is NULL if it was not read before the error; paused is whether a cancel is
 * a pause.
 */
void
bulkpar_ending_store(BulkparCall *call, int64 job_id, const BulkparJob *job,
					 const ErrorData *error, bool paused)
{
	BulkparJobState outcome = BULKPAR_JOBSTATE_FAILED;
	BulkparJobStatus *status;
	BulkparJobSpace after = {0};

	bulkpar_process_start_transaction();
	(void) bulkpar_ledger_release(job_id, 0);
	status = bulkpar_jobstatus_require(job_id);
	if (error == NULL && (!bulkpar_jobstatus_is_complete(job_id) ||
						  (call->nodes && !bulkpar_node_are_complete(job_id))))
		elog(ERROR, "bulkpar job " INT64_FORMAT " ended before it was complete",
			 job_id);
	if (error == NULL)
		outcome = BULKPAR_JOBSTATE_SUCCEEDED;
	else if (error->sqlerrcode == ERRCODE_QUERY_CANCELED &&
			 status->error == NULL)
		outcome = paused ? BULKPAR_JOBSTATE_PAUSED :
			BULKPAR_JOBSTATE_CANCELLED;
	else
		(void) bulkpar_jobstate_fail(job_id, 0, error);
	if (job != NULL)
		measure(job, &after);
	bulkpar_jobstate_end(job_id, outcome, &after);
	if (call->nodes)
		(void) bulkpar_jobstatus_add_nodes(job_id, status);
	pg_atomic_write_u64(&call->rows_changed, status->rows_changed);
	pg_atomic_write_u64(&call->batches, status->batches);
	if (outcome == BULKPAR_JOBSTATE_FAILED)
		report_failure(job_id, job,
					   status->error != NULL ? status->error : error);
	CommitTransactionCommand();
	pg_atomic_write_u64(&call->job_id, job_id);
	call->succeeded = error == NULL;
	call->ended = true;
}

/*
 * A job that has succeeded needs the results of its subqueries no longer.  What
 * cannot be dropped now goes at the end of another job.
 */
void
bulkpar_ending_clean_up(const BulkparCall *call)
{
	if (!call->succeeded)
		return;
	PG_TRY();
	{
		bulkpar_process_start_transaction();
		bulkpar_subquery_drop_unneeded();
		CommitTransactionCommand();
	}
	PG_CATCH();
	{
		bulkpar_error_log_caught();
	}
	PG_END_TRY();
}

/* The space that the tables of a job take. */
static void
measure(const BulkparJob *job, BulkparJobSpace *space)
{
	for (int i = 0; i < job->nparts; i++)
		bulkpar_measure_space(job->parts[i].relid, space);
}

/* One line in the server log for a job that has failed, whoever waits for it. */
static void
report_failure(int64 job_id, const BulkparJob *job, const ErrorData *error)
{
	const char *table = job == NULL ? NULL : get_rel_name(job->target);
	char	   *name = psprintf("bulkpar job " INT64_FORMAT "%s", job_id,
								table == NULL ? "" :
								psprintf(" on table \"%s\"%s", table,
										 job->ntargets == 0 ? "" :
										 psprintf(" and %d more",
												  job->ntargets - 1)));

	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("%s has failed with SQLSTATE %s: %s", name,
					unpack_sql_state(error->sqlerrcode), error->message),
			 error->detail == NULL ? 0 :
			 errdetail_internal("%s", error->detail),
			 error->context == NULL ? 0 :
			 errcontext("%s", error->context),
			 errhidestmt(true)));
}
