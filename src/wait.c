/*-------------------------------------------------------------------------
 *
 * wait.c
 *		The caller waits for its job, without a snapshot where that can be.
 *
 * The statement that waits would hold back, with its snapshot, the removal of
 * all the dead rows that the job makes.  Where the statement is nothing but
 * the call, the snapshot is of no use to it, so it is given back before the
 * wait, and a new one is put in its place afterwards.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/wait.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/execdesc.h"
#include "miscadmin.h"
#include "nodes/plannodes.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/pquery.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "bookkeeping.h"
#include "bulkpar.h"
#include "subxact.h"
#include "wait.h"

/* A running call, for its cancellation at exit. */
typedef struct Wait
{
	BulkparCall *call;
	BackgroundWorkerHandle *handle;
	TimestampTz next_report;
	bool		slots_reported;
} Wait;

static void wait_for_end(Wait *wait);
static void report_slots(Wait *wait);
static void report_progress(Wait *wait);
static void show_progress(void *arg);
static long time_to_report(const Wait *wait);
static void rethrow_cancelled(BulkparCall *call, ErrorData *error);
static void cancel_at_exit(int code, Datum arg);
static bool give_back_snapshot(void);
static void take_snapshot(void);

/*
 * Wait until the job's coordinator has ended.  On a cancel, a timeout or the
 * end of this session the job is cancelled, and nothing of it commits any
 * more when this returns.
 */
void
bulkpar_wait_for_job(BulkparCall *call, BackgroundWorkerHandle *handle)
{
	MemoryContext context = CurrentMemoryContext;
	Wait		wait = {.call = call, .handle = handle};
	bool		given_back;

	wait.next_report = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												   bulkpar_progress_interval);
	before_shmem_exit(cancel_at_exit, PointerGetDatum(&wait));
	given_back = give_back_snapshot();
	PG_TRY();
	{
		wait_for_end(&wait);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		cancel_before_shmem_exit(cancel_at_exit, PointerGetDatum(&wait));
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		bulkpar_coordinator_cancel(call, handle);
		rethrow_cancelled(call, error);
	}
	PG_END_TRY();
	cancel_before_shmem_exit(cancel_at_exit, PointerGetDatum(&wait));
	if (given_back)
		take_snapshot();
}

static void
wait_for_end(Wait *wait)
{
	for (;;)
	{
		pid_t		pid;
		BgwHandleStatus status = GetBackgroundWorkerPid(wait->handle, &pid);

		report_slots(wait);
		if (status == BGWH_STOPPED)
			return;
		if (status == BGWH_POSTMASTER_DIED)
			ereport(FATAL,
					(errcode(ERRCODE_ADMIN_SHUTDOWN),
					 errmsg("postmaster exited while a bulkpar job was running")));

		report_progress(wait);
		InvalidateCatalogSnapshot();
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 time_to_report(wait), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Say so when the job got fewer workers than it asked for. */
static void
report_slots(Wait *wait)
{
	uint32		started = pg_atomic_read_u32(&wait->call->workers_started);
	uint32		wanted = pg_atomic_read_u32(&wait->call->workers_wanted);

	if (wait->slots_reported || started == 0)
		return;
	wait->slots_reported = true;
	if (started < wanted)
		ereport(NOTICE,
				(errmsg("bulkpar job " UINT64_FORMAT " runs with %u instead of %u workers",
						pg_atomic_read_u64(&wait->call->job_id),
						started, wanted),
				 errdetail("All background worker slots are in use."),
				 errhint("You may need to increase \"max_worker_processes\".")));
}

/* Show how far the job is, when it is time. */
static void
report_progress(Wait *wait)
{
	if (!bulkpar_report || bulkpar_progress_interval == 0 ||
		GetCurrentTimestamp() < wait->next_report)
		return;
	wait->next_report = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													bulkpar_progress_interval);
	bulkpar_subxact_run(show_progress, wait->call);
}

static void
show_progress(void *arg)
{
	BulkparCall *call = arg;
	int64		job_id = pg_atomic_read_u64(&call->job_id);
	BulkparStatus *status = bulkpar_bookkeeping_status(job_id);
	double		rate;
	double		estimated;

	if (status == NULL || status->rows_done == 0)
		return;
	rate = status->rows_done / Max(status->seconds, 0.001);
	estimated = Max(status->estimated_rows, status->rows_done);
	ereport(INFO,
			(errmsg("bulkpar job " INT64_FORMAT ": %.1f %%, " INT64_FORMAT
					" of about %.0f rows, %.0f rows/s, about %.0f s left",
					job_id, Min(99.9, 100 * status->rows_done / estimated),
					status->rows_done, estimated, rate,
					(estimated - status->rows_done) / rate)));
}

/* Milliseconds until the next report, or until it is time to look around. */
static long
time_to_report(const Wait *wait)
{
	long		left = 1000;

	if (bulkpar_report && bulkpar_progress_interval > 0)
		left = Min(left, TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
														 wait->next_report));
	return Max(left, 1);
}

/* Throw the error that ended the wait, with what has become of the job. */
static void
rethrow_cancelled(BulkparCall *call, ErrorData *error)
{
	int64		job_id = pg_atomic_read_u64(&call->job_id);

	if (job_id != 0 && error->detail == NULL)
		error->detail = psprintf("Job " INT64_FORMAT " is cancelled; " UINT64_FORMAT
								 " rows in " UINT64_FORMAT
								 " batches are updated and stay so.",
								 job_id,
								 pg_atomic_read_u64(&call->rows_updated),
								 pg_atomic_read_u64(&call->batches));
	ReThrowError(error);
}

static void
cancel_at_exit(int code, Datum arg)
{
	Wait	   *wait = (Wait *) DatumGetPointer(arg);

	bulkpar_coordinator_cancel(wait->call, wait->handle);
}

/*
 * Give the snapshot of the running statement back, if the statement is
 * nothing but a call without any scan, and nobody else uses the snapshot.
 * Returns whether it did.
 */
static bool
give_back_snapshot(void)
{
	QueryDesc  *desc;
	Plan	   *plan;
	Snapshot	snapshot;

	if (IsolationUsesXactSnapshot() || ActivePortal == NULL ||
		ActivePortal->strategy != PORTAL_ONE_SELECT ||
		ActivePortal->queryDesc == NULL)
		return false;
	desc = ActivePortal->queryDesc;
	plan = desc->plannedstmt->planTree;
	snapshot = desc->snapshot;

	if (desc->plannedstmt->commandType != CMD_SELECT ||
		desc->plannedstmt->subplans != NIL ||
		!(IsA(plan, Result) || IsA(plan, FunctionScan)) ||
		plan->lefttree != NULL)
		return false;
	if (!ActiveSnapshotSet() || GetActiveSnapshot() != snapshot ||
		desc->estate->es_snapshot != snapshot ||
		desc->estate->es_crosscheck_snapshot != InvalidSnapshot ||
		snapshot->active_count != 1 || snapshot->regd_count != 2)
		return false;

	PopActiveSnapshot();
	UnregisterSnapshotFromOwner(snapshot, ActivePortal->resowner);
	UnregisterSnapshotFromOwner(snapshot, ActivePortal->resowner);
	desc->snapshot = InvalidSnapshot;
	desc->estate->es_snapshot = InvalidSnapshot;
	return true;
}

/* Put a new snapshot where give_back_snapshot has taken one away. */
static void
take_snapshot(void)
{
	QueryDesc  *desc = ActivePortal->queryDesc;

	desc->snapshot = RegisterSnapshotOnOwner(GetLatestSnapshot(),
											 ActivePortal->resowner);
	desc->estate->es_snapshot = RegisterSnapshotOnOwner(desc->snapshot,
														ActivePortal->resowner);
	PushActiveSnapshot(desc->snapshot);
}
