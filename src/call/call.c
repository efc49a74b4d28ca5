/*-------------------------------------------------------------------------
 *
 * call.c
 *		The SQL functions that start or resume a job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/call.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "storage/dsm.h"
#include "tcop/utility.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "books/books.h"
#include "books/jobjson.h"
#include "books/joblist.h"
#include "books/joblock.h"
#include "bulkpar.h"
#include "call/check.h"
#include "call/join.h"
#include "call/lookup.h"
#include "call/nodecheck.h"
#include "call/request.h"
#include "call/result.h"
#include "call/snapshot.h"
#include "call/wait.h"
#include "run/ask.h"
#include "run/handover.h"
#include "session/error.h"
#include "session/settings.h"
#include "session/subxact.h"

/* The jobs that a call resumes, and the one that it is at. */
typedef struct InterruptedJobs
{
	int64	   *job_ids;
	int			count;
	int64		job_id;
	BulkparJob *job;			/* NULL if it is not to be resumed */
} InterruptedJobs;

/* The calls of a function in a list of expressions. */
typedef struct CallSearch
{
	Oid			function;
	List	   *locations;
} CallSearch;

static Datum start_job(FunctionCallInfo fcinfo, const BulkparJob *job,
					   bool wait);
static Datum join_job(FunctionCallInfo fcinfo, const BulkparJob *job,
					  int64 job_id, bool wait);
static bool resume_to_join(FunctionCallInfo fcinfo, const BulkparJob *job,
						   const BulkparJob *other, bool wait, int *workers);
static Datum resume_job(FunctionCallInfo fcinfo, const BulkparJob *job,
						const BulkparJobChange *change, bool wait);
static int64 run_coordinator(FunctionCallInfo fcinfo, BulkparCall *call,
							 dsm_segment *segment, bool wait, int *workers);
static Datum run_call(FunctionCallInfo fcinfo, BulkparCall *call,
					  dsm_segment *segment, bool wait);
static void raise_error(void *arg);
static BulkparCall *prepare_resume(const BulkparJob *job,
								   const BulkparJobChange *change,
								   dsm_segment **segment);
static void find_interrupted(void *arg);
static void look_at_interrupted(void *arg);
static void start_interrupted(FunctionCallInfo fcinfo, const BulkparJob *job,
							  ReturnSetInfo *results);
static void warn(int64 job_id, ErrorData *error);
static void check_place(FunctionCallInfo fcinfo);
static bool find_copied_call(Node *node, void *context);

PG_FUNCTION_INFO_V1(bulkpar_run);
PG_FUNCTION_INFO_V1(bulkpar_resume);
PG_FUNCTION_INFO_V1(bulkpar_resume_interrupted);
PG_FUNCTION_INFO_V1(bulkpar_support);

/* bulkpar_update(...), bulkpar_delete(...) and bulkpar_execute(...) */
Datum
bulkpar_run(PG_FUNCTION_ARGS)
{
	BulkparJob *job;
	bool		wait;

	check_place(fcinfo);
	job = bulkpar_request_read(fcinfo, &wait);
	bulkpar_check_job(job);

	if (job->name != NULL)
	{
		int64		job_id = bulkpar_lookup_name(job->owner, job->name,
												 job->once);

		if (job_id != 0)
			return join_job(fcinfo, job, job_id, wait);
	}
	return start_job(fcinfo, job, wait);
}

/* bulkpar_resume(job, workers, batch_size, wait) */
Datum
bulkpar_resume(PG_FUNCTION_ARGS)
{
	BulkparJobChange change;
	int64		job_id;
	bool		wait;

	check_place(fcinfo);
	job_id = bulkpar_lookup_argument(fcinfo);
	bulkpar_request_read_resume(fcinfo, &change, &wait);
	return resume_job(fcinfo, bulkpar_lookup_job(job_id), &change,
					  wait);
}

/*
 * bulkpar_resume_interrupted(): what cannot go on is said in a warning and does
 * not keep the rest from it.
 */
Datum
bulkpar_resume_interrupted(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *results = (ReturnSetInfo *) fcinfo->resultinfo;
	InterruptedJobs jobs = {0};

	check_place(fcinfo);
	InitMaterializedSRF(fcinfo, 0);
	bulkpar_subxact_run(find_interrupted, &jobs);
	for (int i = 0; i < jobs.count; i++)
	{
		ErrorData  *error;

		jobs.job_id = jobs.job_ids[i];
		jobs.job = NULL;
		error = bulkpar_subxact_try(look_at_interrupted, &jobs);
		if (error != NULL)
			warn(jobs.job_id, error);
		else if (jobs.job != NULL)
			start_interrupted(fcinfo, jobs.job, results);
	}
	return (Datum) 0;
}

static void
find_interrupted(void *arg)
{
	InterruptedJobs *jobs = arg;

	jobs->job_ids = bulkpar_joblist_running(GetUserId(), &jobs->count);
}

/* Read a job, if it is still to be resumed; an error if it cannot be. */
static void
look_at_interrupted(void *arg)
{
	InterruptedJobs *jobs = arg;
	BulkparJob *job;

	if (bulkpar_joblock_is_held(jobs->job_id))
		return;
	job = bulkpar_job_load(jobs->job_id);
	bulkpar_settings_check(&job->settings, job->job_id);
	jobs->job = job;
}

/* Start the coordinator of such a job, and put what it is now into the result. */
static void
start_interrupted(FunctionCallInfo fcinfo, const BulkparJob *job,
				  ReturnSetInfo *results)
{
	BulkparJobChange change = {0};
	dsm_segment *segment;
	BulkparCall *call = prepare_resume(job, &change, &segment);

	/* No longer: code of its owner runs before it has started, and may hang. */
	bulkpar_wait_for_call(fcinfo, call, bulkpar_handover_launch(segment),
						  BULKPAR_WAIT_UNTIL_OWNED);
	if (pg_atomic_read_u64(&call->job_id) == 0)
		warn(job->job_id, bulkpar_subxact_try(raise_error, call));
	else
	{
		Datum		result = bulkpar_result_form(fcinfo, job->job_id,
												 bulkpar_result_status(job->job_id),
												 job->workers);
		HeapTupleHeader row = DatumGetHeapTupleHeader(result);
		HeapTupleData tuple = {
			.t_len = HeapTupleHeaderGetDatumLength(row),
			.t_data = row
		};

		tuplestore_puttuple(results->setResult, &tuple);
	}
	dsm_detach(segment);
}

/* Say that a job cannot go on, unless that is because we are to stop. */
static void
warn(int64 job_id, ErrorData *error)
{
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
		ReThrowError(error);
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("could not resume bulkpar job " INT64_FORMAT ": %s",
					job_id, error->message),
			 error->detail == NULL ? 0 :
			 errdetail_internal("%s", error->detail),
			 error->hint == NULL ? 0 : errhint("%s", error->hint)));
}

/*
 * The planner asks this of the functions that run a job.  It refuses
 * SELECT (bulkpar_update(...)).*, which would run one for each column of the
 * result: the parser copies the call, and all copies have its location.
 */
Datum
bulkpar_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (IsA(request, SupportRequestSimplify))
	{
		SupportRequestSimplify *simplify = (SupportRequestSimplify *) request;
		CallSearch	search = {.function = simplify->fcall->funcid};

		if (simplify->root != NULL &&
			find_copied_call((Node *) simplify->root->parse->targetList,
							 &search))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("%s() would be called for each column of its result",
							get_func_name(search.function)),
					 errhint("Write SELECT * FROM %s(...).",
							 get_func_name(search.function))));
	}
	PG_RETURN_POINTER(NULL);
}

static Datum
start_job(FunctionCallInfo fcinfo, const BulkparJob *job, bool wait)
{
	dsm_segment *segment;
	BulkparCall *call;

	bulkpar_nodecheck_login(job);
	call = bulkpar_handover_prepare(job, bulkpar_jobjson_write(job), &segment);
	call->eager = bulkpar_time_window[0] == '\0' &&
		bulkpar_throttle_query[0] == '\0';
	return run_call(fcinfo, call, segment, wait);
}

/*
 * There is a job of the same name, of the same work or it is an error: wait for
 * it if it runs, or resume it, unless it has succeeded.  Another call of the name
 * may be faster, with either.
 */
static Datum
join_job(FunctionCallInfo fcinfo, const BulkparJob *job, int64 job_id,
		 bool wait)
{
	for (;;)
	{
		BulkparJob *other = bulkpar_lookup_job(job_id);
		bool		alive = bulkpar_joblock_is_held(job_id);
		const BulkparJobStatus *status = bulkpar_result_status(job_id);
		bool		succeeded = !alive &&
			status->state == BULKPAR_JOBSTATE_SUCCEEDED;
		int			workers = other->workers;

		bulkpar_join_check(job, other, succeeded);
		if (succeeded)
		{
			bulkpar_join_succeeded(job, other);
			return bulkpar_result_form(fcinfo, job_id, status, workers);
		}
		if (alive)
		{
			bulkpar_join_running(job, other);
			if (wait)
				bulkpar_wait_for_job(fcinfo, job_id, DT_NOEND);
		}
		else if (!resume_to_join(fcinfo, job, other, wait, &workers))
			continue;
		return bulkpar_result_of_wait(fcinfo, job_id, workers);
	}
}

/* Resume a job of the name of a call; false if it runs or has succeeded meanwhile. */
static bool
resume_to_join(FunctionCallInfo fcinfo, const BulkparJob *job,
			   const BulkparJob *other, bool wait, int *workers)
{
	BulkparJobChange change;
	dsm_segment *segment;
	BulkparCall *call;
	bool		resumed;

	bulkpar_join_resuming(job, other, &change);
	bulkpar_settings_check(&other->settings, other->job_id);
	call = prepare_resume(other, &change, &segment);
	resumed = run_coordinator(fcinfo, call, segment, wait, workers) != 0;
	if (!resumed && !bulkpar_joblock_is_held(other->job_id) &&
		bulkpar_result_status(other->job_id)->state != BULKPAR_JOBSTATE_SUCCEEDED)
		raise_error(call);
	dsm_detach(segment);
	return resumed;
}

/* Go on with a job, if it is safe for and before the current user. */
static Datum
resume_job(FunctionCallInfo fcinfo, const BulkparJob *job,
		   const BulkparJobChange *change, bool wait)
{
	dsm_segment *segment;
	BulkparCall *call;

	bulkpar_settings_check(&job->settings, job->job_id);
	call = prepare_resume(job, change, &segment);
	return run_call(fcinfo, call, segment, wait);
}

static BulkparCall *
prepare_resume(const BulkparJob *job, const BulkparJobChange *change,
			   dsm_segment **segment)
{
	BulkparSettings limits;
	BulkparCall *call;

	bulkpar_settings_collect_limits(&limits);
	bulkpar_ask_check(&limits, job->owner);
	call = bulkpar_handover_prepare(job,
									bulkpar_jobjson_write_settings(&limits),
									segment);
	call->resumed = job->job_id;
	call->nodes = true;
	call->change = *change;
	return call;
}

/* Launch the coordinator, and wait for the job's end or only its start. */
static Datum
run_call(FunctionCallInfo fcinfo, BulkparCall *call, dsm_segment *segment,
		 bool wait)
{
	int			workers;
	int64		job_id = run_coordinator(fcinfo, call, segment, wait, &workers);

	if (job_id == 0)
		raise_error(call);
	dsm_detach(segment);
	return bulkpar_result_of_wait(fcinfo, job_id, workers);
}

/* The same, without a result.  Returns the id of the job, or 0 if the call failed. */
static int64
run_coordinator(FunctionCallInfo fcinfo, BulkparCall *call, dsm_segment *segment,
				bool wait, int *workers)
{
	BackgroundWorkerHandle *handle;

	if (wait && !bulkpar_snapshot_is_free(fcinfo))
		call->snapshot_holder = MyProcPid;
	handle = bulkpar_handover_launch(segment);
	bulkpar_wait_for_call(fcinfo, call, handle, wait ?
						  BULKPAR_WAIT_UNTIL_ENDED :
						  BULKPAR_WAIT_UNTIL_STARTED);
	*workers = pg_atomic_read_u32(&call->workers_started);
	return pg_atomic_read_u64(&call->job_id);
}

/* Raise the error that has kept the coordinator from storing its job. */
static void
raise_error(void *arg)
{
	BulkparCall *call = arg;

	if (call->error.sqlstate != 0)
		bulkpar_error_raise(&call->error);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("could not start the coordinator of the job"),
			 errhint("The server log may say why.")));
}

/*
 * Check that the function is called where its job can work.  The workers
 * commit on their own, so the calling transaction must not have done anything
 * that they would have to see or to wait for.
 */
static void
check_place(FunctionCallInfo fcinfo)
{
	Oid			function = fcinfo->flinfo->fn_oid;
	char	   *name = psprintf("%s()", get_func_name(function));

	bulkpar_books_pin_for_transaction();
	PreventCommandDuringRecovery(name);
	PreventCommandIfReadOnly(name);
	PreventCommandIfParallelMode(name);

	if (IsSubTransaction())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s cannot run inside a subtransaction", name),
				 errdetail("Its batches commit on their own.")));
	if (IsTransactionBlock())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s cannot run inside a transaction block", name),
				 errhint("Its batches commit on their own. Send the call alone, for statements that are sent together are one transaction, and in a client library turn on autocommit.")));
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s cannot run in a transaction that has already changed data",
						name)));
	if (InSecurityRestrictedOperation())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot call %s within security-restricted operation",
						name)));
}

/* Whether two calls of the function stand at one place of the SQL text. */
static bool
find_copied_call(Node *node, void *context)
{
	CallSearch *search = context;

	if (node == NULL)
		return false;
	if (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcid == search->function)
	{
		int			location = ((FuncExpr *) node)->location;

		if (location >= 0 && list_member_int(search->locations, location))
			return true;
		search->locations = lappend_int(search->locations, location);
	}
	return expression_tree_walker(node, find_copied_call, context);
}
