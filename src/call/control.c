/*-------------------------------------------------------------------------
 *
 * control.c
 *		The SQL functions that wait for, stop and forget a job.
 *
 * A job is stopped by a signal to its coordinator: the calling transaction
 * could not tell it through the tables before it has committed.  Which
 * process that is says the lock that the coordinator holds.
 *
 * Each function can be called by a role that may act as the owner of the job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/control.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "books/books.h"
#include "books/joblist.h"
#include "books/joblock.h"
#include "books/jobstate.h"
#include "books/jobstatus.h"
#include "books/ledger.h"
#include "books/node.h"
#include "call/lookup.h"
#include "call/result.h"
#include "call/wait.h"
#include "run/handover.h"
#include "session/subxact.h"

static Datum stop(FunctionCallInfo fcinfo, int signal, BulkparJobState state);
static bool signal_and_wait(FunctionCallInfo fcinfo, int64 job_id, int signal,
							TimestampTz deadline);
static TimestampTz deadline_of(FunctionCallInfo fcinfo);
static void begin_control(FunctionCallInfo fcinfo);
static int64 forget(int64 job_id);

PG_FUNCTION_INFO_V1(bulkpar_wait);
PG_FUNCTION_INFO_V1(bulkpar_await);
PG_FUNCTION_INFO_V1(bulkpar_pause);
PG_FUNCTION_INFO_V1(bulkpar_cancel);
PG_FUNCTION_INFO_V1(bulkpar_forget_job);
PG_FUNCTION_INFO_V1(bulkpar_forget_age);

/* bulkpar_wait(job, timeout) */
Datum
bulkpar_wait(PG_FUNCTION_ARGS)
{
	TimestampTz deadline = deadline_of(fcinfo);
	int64		job_id;

	begin_control(fcinfo);
	job_id = bulkpar_lookup_argument(fcinfo);
	bulkpar_wait_for_job(fcinfo, job_id, deadline);
	return bulkpar_result_form(fcinfo, job_id, bulkpar_result_check(job_id),
							   bulkpar_lookup_job(job_id)->workers);
}

/*
 * CALL bulkpar_await(job_id, timeout): where the procedure is called so that
 * it may commit, it does, and so waits without a snapshot also within another
 * procedure.
 */
Datum
bulkpar_await(PG_FUNCTION_ARGS)
{
	CallContext *context = (CallContext *) fcinfo->context;
	TimestampTz deadline = deadline_of(fcinfo);
	int64		job_id;

	begin_control(fcinfo);
	job_id = bulkpar_lookup_argument(fcinfo);
	if (context != NULL && IsA(context, CallContext) && !context->atomic)
	{
		SPI_connect_ext(SPI_OPT_NONATOMIC);
		SPI_commit();
		SPI_finish();
		begin_control(fcinfo);
		bulkpar_lookup_check_owner(job_id);
	}
	bulkpar_wait_for_job(fcinfo, job_id, deadline);
	(void) bulkpar_result_check(job_id);
	PG_RETURN_VOID();
}

/* bulkpar_pause(job_id) */
Datum
bulkpar_pause(PG_FUNCTION_ARGS)
{
	return stop(fcinfo, SIGUSR2, BULKPAR_JOBSTATE_PAUSED);
}

/* bulkpar_cancel(job_id) */
Datum
bulkpar_cancel(PG_FUNCTION_ARGS)
{
	return stop(fcinfo, SIGINT, BULKPAR_JOBSTATE_CANCELLED);
}

/* bulkpar_forget(job_id) */
Datum
bulkpar_forget_job(PG_FUNCTION_ARGS)
{
	int64		job_id;

	begin_control(fcinfo);
	job_id = bulkpar_lookup_argument(fcinfo);
	PG_RETURN_INT64(forget(job_id));
}

/* bulkpar_forget(age) */
Datum
bulkpar_forget_age(PG_FUNCTION_ARGS)
{
	int64	   *job_ids;
	int			count;
	int64		forgotten = 0;

	begin_control(fcinfo);
	job_ids = bulkpar_joblist_older_than(GetUserId(), PG_GETARG_INTERVAL_P(0),
										 &count);
	for (int i = 0; i < count; i++)
		forgotten += forget(job_ids[i]);
	PG_RETURN_INT64(forgotten);
}

/*
 * Stop a job, and return when nothing of it commits any more.  One without a
 * coordinator stops with the commit of this transaction; it is said then if it may
 * be at work on other servers, which only a coordinator could tell to stop.
 */
static Datum
stop(FunctionCallInfo fcinfo, int signal, BulkparJobState state)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													   BULKPAR_CANCEL_TIMEOUT);
	int64		job_id;
	bool		was_alive;
	BulkparJobStatus *now;
	const char *name;

	begin_control(fcinfo);
	PreventCommandDuringRecovery("bulkpar job control");
	job_id = bulkpar_lookup_argument(fcinfo);

	was_alive = signal_and_wait(fcinfo, job_id, signal, deadline);
	if (was_alive && bulkpar_joblock_is_held(job_id))
		(void) signal_and_wait(fcinfo, job_id, SIGTERM, DT_NOEND);

	now = bulkpar_result_status(job_id);
	if (now->state == BULKPAR_JOBSTATE_RUNNING ||
		(!was_alive && state == BULKPAR_JOBSTATE_CANCELLED))
	{
		(void) bulkpar_ledger_release(job_id, 0);
		bulkpar_jobstate_leave(job_id, state);
		now = bulkpar_result_status(job_id);
	}
	bulkpar_result_warn(job_id);
	name = bulkpar_jobstate_name(now->state);
	if (now->state != state)
		ereport(NOTICE,
				(errmsg("bulkpar job " INT64_FORMAT " has already %s", job_id,
						now->state == BULKPAR_JOBSTATE_CANCELLED ?
						"been cancelled" : name)));
	return bulkpar_result_form(fcinfo, job_id, now, 0);
}

/*
 * Send a signal to the coordinator of a job and wait until that has ended, but
 * not after the deadline.  False if there was none.
 */
static bool
signal_and_wait(FunctionCallInfo fcinfo, int64 job_id, int signal,
				TimestampTz deadline)
{
	int			pid = bulkpar_lookup_coordinator(job_id);

	if (pid == 0)
		return false;
	if (kill(pid, signal) != 0 && errno != ESRCH)
		ereport(ERROR,
				(errmsg("could not send a signal to process %d: %m",
						pid)));
	bulkpar_wait_for_job(fcinfo, job_id, deadline);
	return true;
}

/* The deadline that the second argument, a timeout, means. */
static TimestampTz
deadline_of(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(1))
		return DT_NOEND;
	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												   TimestampTzGetDatum(GetCurrentTimestamp()),
												   PG_GETARG_DATUM(1)));
}

/*
 * The job is one of the extension as it is now, also after a wait.  It is
 * controlled by locks and signals, for which parallel workers are not.
 */
static void
begin_control(FunctionCallInfo fcinfo)
{
	bulkpar_books_pin_for_transaction();
	PreventCommandIfParallelMode(psprintf("%s()",
										  get_func_name(fcinfo->flinfo->fn_oid)));
}

/* What may be at work without us must stay known. */
static int64
forget(int64 job_id)
{
	char	   *names;

	if (bulkpar_joblock_is_held(job_id))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("bulkpar job " INT64_FORMAT " is running", job_id),
				 errhint("Cancel it first.")));
	names = bulkpar_node_at_work(job_id);
	if (names != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("bulkpar job " INT64_FORMAT " may be at work on other servers",
						job_id),
				 errdetail("It was not stopped on these: %s.", names),
				 errhint("Use bulkpar_resume(" INT64_FORMAT
						 ") and then bulkpar_cancel(" INT64_FORMAT
						 "). A server that is gone for good is forgotten with DROP SERVER.",
						 job_id, job_id)));
	return bulkpar_joblist_delete(job_id) ? 1 : 0;
}
