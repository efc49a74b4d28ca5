/*-------------------------------------------------------------------------
 *
 * call.c
 *		The SQL functions: check where they are called, run, report.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "storage/dsm.h"
#include "tcop/pquery.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/portal.h"
#include "utils/timestamp.h"

#include "bookkeeping.h"
#include "bulkpar.h"
#include "coordinator.h"
#include "request.h"
#include "wait.h"

/* How often a function is called in a list of expressions. */
typedef struct CallCount
{
	Oid			function;
	int			calls;
} CallCount;

static Datum update(FunctionCallInfo fcinfo, bool several);
static void check_place(Oid function);
static void check_single_call(Oid function);
static bool count_calls(Node *node, void *context);
static Datum report(FunctionCallInfo fcinfo, int64 job_id, int workers,
					TimestampTz started);
static void raise_failure(int64 job_id, BulkparStatus *status);

PG_FUNCTION_INFO_V1(bulkpar_update_column);
PG_FUNCTION_INFO_V1(bulkpar_update_columns);

/* bulkpar_update(regclass, text, text, ...) */
Datum
bulkpar_update_column(PG_FUNCTION_ARGS)
{
	return update(fcinfo, false);
}

/* bulkpar_update(regclass, text[], text[], ...) */
Datum
bulkpar_update_columns(PG_FUNCTION_ARGS)
{
	return update(fcinfo, true);
}

static Datum
update(FunctionCallInfo fcinfo, bool several)
{
	TimestampTz started = GetCurrentTimestamp();
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	BulkparJob *job;
	BulkparCall *call;
	BackgroundWorkerHandle *handle;
	dsm_segment *segment;
	int64		job_id;
	int			workers;

	check_place(fcinfo->flinfo->fn_oid);
	bulkpar_bookkeeping_attach(schema);
	job = bulkpar_request_read(fcinfo, several);
	bulkpar_request_check(job);

	call = bulkpar_coordinator_launch(schema, bulkpar_request_serialize(job),
									  &segment, &handle);
	bulkpar_wait_for_job(call, handle);
	job_id = pg_atomic_read_u64(&call->job_id);
	workers = pg_atomic_read_u32(&call->workers_started);
	if (job_id == 0)
		ereport(ERROR,
				(errcode(call->sqlstate != 0 ? call->sqlstate :
						 ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("could not start the job"),
				 call->sqlstate != 0 ? errdetail_internal("%s", call->message) : 0,
				 errhint("The server log may say more.")));
	dsm_detach(segment);

	return report(fcinfo, job_id, workers, started);
}

/*
 * Check that the function is called where its job can work.  The workers
 * commit on their own, so the calling transaction must not have done anything
 * that they would have to see or to wait for.
 */
static void
check_place(Oid function)
{
	PreventCommandDuringRecovery("bulkpar_update()");
	PreventCommandIfReadOnly("bulkpar_update()");
	PreventCommandIfParallelMode("bulkpar_update()");

	if (IsTransactionBlock())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("bulkpar_update() cannot run inside a transaction block"),
				 errhint("Its batches commit on their own. In a client library, turn on autocommit.")));
	if (IsSubTransaction())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("bulkpar_update() cannot run inside a subtransaction")));
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("bulkpar_update() cannot run in a transaction that has already changed data")));
	if (InSecurityRestrictedOperation())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot call bulkpar_update() within security-restricted operation")));
	check_single_call(function);
}

/*
 * SELECT (bulkpar_update(...)).* would run a job for each column of the
 * result.
 */
static void
check_single_call(Oid function)
{
	CallCount	count = {.function = function};

	if (ActivePortal == NULL || ActivePortal->queryDesc == NULL)
		return;
	(void) count_calls((Node *) ActivePortal->queryDesc->plannedstmt->planTree->targetlist,
					   &count);
	if (count.calls > 1)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("bulkpar_update() is called %d times in one SELECT list",
						count.calls),
				 errhint("Write SELECT * FROM bulkpar_update(...).")));
}

static bool
count_calls(Node *node, void *context)
{
	CallCount  *count = context;

	if (node == NULL)
		return false;
	if (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcid == count->function)
		count->calls++;
	return expression_tree_walker(node, count_calls, context);
}

/* Return the result of a job that has ended, or raise its error. */
static Datum
report(FunctionCallInfo fcinfo, int64 job_id, int workers,
	   TimestampTz started)
{
	BulkparStatus *status = bulkpar_bookkeeping_status(job_id);
	TimestampTz ended = GetCurrentTimestamp();
	double		seconds = (ended - started) / 1000000.0;
	TupleDesc	tupdesc;
	Datum		values[6];
	bool		nulls[6] = {0};

	if (status == NULL || strcmp(status->status, "succeeded") != 0)
		raise_failure(job_id, status);

	if (bulkpar_report)
		ereport(INFO,
				(errmsg("bulkpar job " INT64_FORMAT ": " INT64_FORMAT
						" rows updated in %.2f s (%.0f rows/s) by %d workers in "
						INT64_FORMAT " batches",
						job_id, status->rows_updated, seconds,
						status->rows_updated / Max(seconds, 0.000001),
						workers, status->batches)));

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int64GetDatum(job_id);
	values[1] = CStringGetTextDatum(status->status);
	values[2] = Int64GetDatum(status->rows_updated);
	values[3] = Int64GetDatum(status->batches);
	values[4] = Int32GetDatum(workers);
	values[5] = DirectFunctionCall2(timestamp_mi, TimestampTzGetDatum(ended),
									TimestampTzGetDatum(started));
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc),
											 values, nulls));
}

/* Raise the error of a job that has not succeeded. */
static void
raise_failure(int64 job_id, BulkparStatus *status)
{
	if (status == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("bulkpar job " INT64_FORMAT " no longer exists",
						job_id)));

	if (status->error != NULL)
		ThrowErrorData(status->error);
	ereport(ERROR,
			(errcode(ERRCODE_ADMIN_SHUTDOWN),
			 errmsg("the coordinator of bulkpar job " INT64_FORMAT
					" was terminated", job_id),
			 errdetail(INT64_FORMAT " rows in " INT64_FORMAT
					   " batches are updated and stay so.",
					   status->rows_updated, status->batches)));
}
