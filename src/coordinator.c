/*-------------------------------------------------------------------------
 *
 * coordinator.c
 *		The process that runs a job.
 *
 * The caller of a job cannot store it itself: the workers would not see it
 * before the caller commits.  So it launches a coordinator, hands it the
 * request in a DSM segment and waits.  The coordinator stores the job,
 * launches the workers, replaces those that die, and ends the job: with
 * success only when the job's own rows prove it.
 *
 * As long as it lives it holds a lock on the job (see bookkeeping.c).  When
 * it is terminated it takes the workers with it; what is left in the tables
 * is a job that can be resumed.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/coordinator.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "optimizer/plancat.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "bookkeeping.h"
#include "bulkpar.h"
#include "chunk.h"
#include "compat.h"
#include "coordinator.h"
#include "ledger.h"
#include "settings.h"
#include "slots.h"
#include "target.h"
#include "worker.h"

/* How many workers of a job may die before it fails. */
#define MAX_DEATHS 5

/* How long to wait for workers that were terminated, in milliseconds. */
#define STOP_TIMEOUT 10000

typedef struct WorkerSlot
{
	BackgroundWorkerHandle *handle; /* NULL for none */
	int			number;			/* of the worker in its job */
	int			slot;			/* under the cap on all workers */
} WorkerSlot;

typedef struct Coordinator
{
	BulkparCall *call;
	int64		job_id;
	BulkparJob *job;
	int			launched;		/* workers, also those that have ended */
	int			deaths;
	WorkerSlot *workers;		/* as many as the job asks for */
} Coordinator;

/* Set by SIGUSR2, when the job is to be paused. */
static volatile sig_atomic_t pause_requested = false;

static void store_job(Coordinator *coordinator);
static void resume_job(Coordinator *coordinator);
static void lock_job(int64 job_id);
static void handle_pause(SIGNAL_ARGS);
static void run_job(Coordinator *coordinator);
static void prepare_job(Coordinator *coordinator);
static void find_end(BulkparJob *job, BulkparTarget *target);
static int	count_workers(const BulkparJob *job, BulkparTarget *target);
static void launch_workers(Coordinator *coordinator);
static bool launch_worker(Coordinator *coordinator, int slot);
static void drop_worker(WorkerSlot *worker);
static void watch_workers(Coordinator *coordinator);
static int	reap_workers(Coordinator *coordinator);
static void count_death(Coordinator *coordinator);
static void raise_no_slot(int64 job_id);
static void stop_workers(Coordinator *coordinator);
static void stop_workers_at_exit(int code, Datum arg);
static void end_job(Coordinator *coordinator, const ErrorData *error);
static BulkparStatus *read_status(int64 job_id);

/*
 * Make the segment through which a coordinator gets its work: a new job as
 * JSON, or, filled in by our caller, one to resume.  It belongs to the current
 * resource owner; the coordinator keeps it as long as it needs it.
 */
BulkparCall *
bulkpar_coordinator_prepare(Oid owner, const char *request,
							dsm_segment **segment)
{
	BulkparCall *call;
	BulkparIdentity identity;
	Size		size = strlen(request) + 1;

	bulkpar_identity_choose(&identity, owner);
	*segment = dsm_create(add_size(offsetof(BulkparCall, request), size), 0);
	call = dsm_segment_address(*segment);
	memset(call, 0, offsetof(BulkparCall, request));
	call->identity = identity;
	call->schema = bulkpar_bookkeeping_schema();
	call->caller = MyProc;
	pg_atomic_init_u32(&call->cancelled, 0);
	pg_atomic_init_u64(&call->job_id, 0);
	pg_atomic_init_u32(&call->workers_wanted, 0);
	pg_atomic_init_u32(&call->workers_started, 0);
	pg_atomic_init_u64(&call->rows_updated, 0);
	pg_atomic_init_u64(&call->batches, 0);
	memcpy(call->request, request, size);
	return call;
}

/* Launch the coordinator for a prepared segment. */
BackgroundWorkerHandle *
bulkpar_coordinator_launch(dsm_segment *segment)
{
	BackgroundWorker worker = {0};
	BackgroundWorkerHandle *handle;

	strlcpy(worker.bgw_name, "bulkpar coordinator", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "bulkpar coordinator", BGW_MAXLEN);
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, BULKPAR_LIBRARY,
			sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "bulkpar_coordinator_main",
			sizeof(worker.bgw_function_name));
	worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
	worker.bgw_notify_pid = MyProcPid;

	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not register a background worker for the job"),
				 errdetail("All background worker slots are in use."),
				 errhint("You may need to increase \"max_worker_processes\"; a job needs at least two slots.")));
	return handle;
}

/*
 * Cancel the job and wait until its coordinator has ended.  Then nothing of
 * it commits any more.  Does not throw, and can be called in an exit callback.
 */
void
bulkpar_coordinator_cancel(BulkparCall *call, BackgroundWorkerHandle *handle)
{
	pid_t		pid;
	BgwHandleStatus status;

	pg_atomic_write_u32(&call->cancelled, 1);
	while ((status = GetBackgroundWorkerPid(handle, &pid)) != BGWH_STOPPED &&
		   status != BGWH_POSTMASTER_DIED)
	{
		if (call->coordinator != NULL)
			SetLatch(&call->coordinator->procLatch);
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 100, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		if (ProcSignalBarrierPending)
			ProcessProcSignalBarrier();
	}
}

void
bulkpar_coordinator_main(Datum main_arg)
{
	Coordinator *coordinator;
	dsm_segment *segment;
	char	   *synchronous;
	ErrorData  *volatile error = NULL;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGUSR2, handle_pause);
	BackgroundWorkerUnblockSignals();

	CurrentResourceOwner = ResourceOwnerCreate(NULL, "bulkpar coordinator");
	segment = dsm_attach(DatumGetUInt32(main_arg));
	if (segment == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("could not map the dynamic shared memory segment of a bulkpar call")));
	dsm_pin_mapping(segment);
	coordinator = MemoryContextAllocZero(TopMemoryContext,
										 sizeof(Coordinator));
	coordinator->call = dsm_segment_address(segment);

	bulkpar_identity_assume(&coordinator->call->identity);
	before_shmem_exit(stop_workers_at_exit, PointerGetDatum(coordinator));
	bulkpar_bookkeeping_attach(coordinator->call->schema);
	MemoryContextSwitchTo(TopMemoryContext);
	synchronous = pstrdup(GetConfigOption("synchronous_commit", false, false));
	bulkpar_settings_start_process();
	SetConfigOption("application_name", MyBgworkerEntry->bgw_name,
					PGC_USERSET, PGC_S_OVERRIDE);
	coordinator->call->coordinator = MyProc;

	PG_TRY();
	{
		if (coordinator->call->resumed != 0)
			resume_job(coordinator);
		else
			store_job(coordinator);
		run_job(coordinator);
	}
	PG_CATCH();
	{
		HOLD_CANCEL_INTERRUPTS();
		MemoryContextSwitchTo(TopMemoryContext);
		error = CopyErrorData();
		FlushErrorState();
		AbortOutOfAnyTransaction();
		stop_workers(coordinator);
	}
	PG_END_TRY();
	HOLD_CANCEL_INTERRUPTS();

	/*
	 * The batches have committed asynchronously.  This commit is an ordinary
	 * one, and its flush covers them.
	 */
	SetConfigOption("synchronous_commit", synchronous,
					PGC_USERSET, PGC_S_OVERRIDE);
	if (coordinator->job_id != 0)
		end_job(coordinator, error);
	else
	{
		coordinator->call->sqlstate = error->sqlerrcode;
		strlcpy(coordinator->call->message, error->message,
				sizeof(coordinator->call->message));
	}
}

/* Store the job, and take the lock that says that it is alive. */
static void
store_job(Coordinator *coordinator)
{
	int64		job_id;

	bulkpar_settings_start_transaction();
	job_id = bulkpar_job_insert(coordinator->call->request);
	lock_job(job_id);
	CommitTransactionCommand();
	coordinator->job_id = job_id;
	pg_atomic_write_u64(&coordinator->call->job_id, job_id);
}

/* Take over a job that has stopped. */
static void
resume_job(Coordinator *coordinator)
{
	int64		job_id = coordinator->call->resumed;

	bulkpar_settings_start_transaction();
	lock_job(job_id);
	if (!bulkpar_job_restart(job_id, &coordinator->call->change))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("bulkpar job " INT64_FORMAT " has already succeeded",
						job_id)));
	(void) bulkpar_ledger_release(job_id, 0);
	CommitTransactionCommand();
	coordinator->job_id = job_id;
	pg_atomic_write_u64(&coordinator->call->job_id, job_id);
}

static void
lock_job(int64 job_id)
{
	if (!bulkpar_job_lock(job_id))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("bulkpar job " INT64_FORMAT " is already running",
						job_id)));
}

/* SIGUSR2 */
static void
handle_pause(SIGNAL_ARGS)
{
	int			save_errno = errno;

	pause_requested = true;
	SetLatch(MyLatch);
	errno = save_errno;
}

static void
run_job(Coordinator *coordinator)
{
	prepare_job(coordinator);
	if (coordinator->job->end_key == NULL)
		return;
	launch_workers(coordinator);
	watch_workers(coordinator);
}

/* Find out where the job ends and how many workers it can use. */
static void
prepare_job(Coordinator *coordinator)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext,
												  "bulkpar job",
												  ALLOCSET_SMALL_SIZES);
	BulkparTarget *target = bulkpar_target_create();
	BulkparJob *job;
	Size		slots;

	bulkpar_settings_start_transaction();
	MemoryContextSwitchTo(context);
	job = coordinator->job = bulkpar_job_load(coordinator->job_id);
	bulkpar_settings_adopt(job);
	bulkpar_target_lock(target, job, AccessShareLock);
	if (!job->prepared)
		find_end(job, target);
	if (job->end_key != NULL)
		job->workers = count_workers(job, target);
	bulkpar_job_start(job);
	CommitTransactionCommand();

	slots = mul_size(job->workers, sizeof(WorkerSlot));
	coordinator->workers = MemoryContextAllocZero(context, slots);
	MemoryContextSwitchTo(TopMemoryContext);
}

/*
 * Read the largest key, and estimate the number of rows: the counter of live
 * rows is better than the planner's estimate, which takes bloat for rows.
 */
static void
find_end(BulkparJob *job, BulkparTarget *target)
{
	MemoryContext context = CurrentMemoryContext;
	Relation	rel = table_open(job->target, NoLock);
	BlockNumber pages;
	double		allvisfrac;
	char	   *sql = bulkpar_statement_end_key(rel, target->key);

	job->estimated_rows = bulkpar_compat_live_tuples(job->target);
	if (job->estimated_rows <= 0)
		estimate_rel_size(rel, NULL, &pages, &job->estimated_rows,
						  &allvisfrac);
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_execute(sql, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the largest key");
	if (SPI_processed > 0)
	{
		Datum		values[INDEX_MAX_KEYS];
		bool		isnull;

		for (int i = 0; i < target->key->ncolumns; i++)
			values[i] = SPI_getbinval(SPI_tuptable->vals[0],
									  SPI_tuptable->tupdesc, i + 1, &isnull);
		MemoryContextSwitchTo(context);
		job->end_key = bulkpar_key_to_text(target->key, values);
	}
	PopActiveSnapshot();
	SPI_finish();
	table_close(rel, NoLock);
}

/* As many workers as the job asks for, but not more than it has batches. */
static int
count_workers(const BulkparJob *job, BulkparTarget *target)
{
	BulkparBounds bounds;

	bulkpar_chunk_collect(target, NULL,
						  bulkpar_key_from_text(target->key, job->end_key),
						  job->batch_size, job->workers, &bounds);
	return bounds.nbatches;
}

/* Launch the workers, or as many as there are slots for. */
static void
launch_workers(Coordinator *coordinator)
{
	BulkparCall *call = coordinator->call;
	char		activity[80];
	int			started = 0;

	while (started < coordinator->job->workers &&
		   launch_worker(coordinator, started))
		started++;
	if (started == 0)
		raise_no_slot(coordinator->job_id);

	pg_atomic_write_u32(&call->workers_wanted, coordinator->job->workers);
	pg_atomic_write_u32(&call->workers_started, started);
	SetLatch(&call->caller->procLatch);
	snprintf(activity, sizeof(activity),
			 "bulkpar job " INT64_FORMAT ": %d workers",
			 coordinator->job_id, started);
	pgstat_report_activity(STATE_RUNNING, activity);
}

static bool
launch_worker(Coordinator *coordinator, int slot)
{
	WorkerSlot *worker = &coordinator->workers[slot];
	int			number = coordinator->launched + 1;

	if (!bulkpar_slots_acquire(&worker->slot))
		return false;
	if (!bulkpar_worker_launch(&coordinator->call->identity, coordinator->job,
							   number, &worker->handle))
	{
		bulkpar_slots_release(worker->slot);
		worker->handle = NULL;
		return false;
	}
	coordinator->launched = number;
	worker->number = number;
	return true;
}

/* Forget a worker that has ended. */
static void
drop_worker(WorkerSlot *worker)
{
	pfree(worker->handle);
	worker->handle = NULL;
	bulkpar_slots_release(worker->slot);
}

/*
 * Wait until all workers have ended and the job is complete.  The first error
 * that a worker has recorded is thrown.
 */
static void
watch_workers(Coordinator *coordinator)
{
	for (;;)
	{
		int			running = reap_workers(coordinator);

		if (running == 0)
		{
			if (read_status(coordinator->job_id)->complete)
				return;
			count_death(coordinator);
			if (!launch_worker(coordinator, 0))
				raise_no_slot(coordinator->job_id);
		}

		if (pg_atomic_read_u32(&coordinator->call->cancelled) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_QUERY_CANCELED),
					 errmsg("canceling job at the request of its caller")));
		if (pause_requested)
			ereport(ERROR,
					(errcode(ERRCODE_QUERY_CANCELED),
					 errmsg("pausing job at the request of a user")));

		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 1000, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
	}
}

/*
 * See which workers have ended, and return how many have not.  One that has
 * left a chunk unfinished has died and is replaced.
 */
static int
reap_workers(Coordinator *coordinator)
{
	int			running = 0;

	for (int slot = 0; slot < coordinator->job->workers; slot++)
	{
		WorkerSlot *worker = &coordinator->workers[slot];
		BulkparStatus *status;
		int64		left;
		pid_t		pid;

		if (worker->handle == NULL)
			continue;
		if (GetBackgroundWorkerPid(worker->handle, &pid) != BGWH_STOPPED)
		{
			running++;
			continue;
		}
		drop_worker(worker);

		status = read_status(coordinator->job_id);
		if (status->error != NULL)
			ThrowErrorData(status->error);

		bulkpar_settings_start_transaction();
		left = bulkpar_ledger_release(coordinator->job_id, worker->number);
		CommitTransactionCommand();
		if (left > 0)
		{
			count_death(coordinator);
			if (launch_worker(coordinator, slot))
				running++;
		}
	}
	return running;
}

/* Another worker has died; too many are an error. */
static void
count_death(Coordinator *coordinator)
{
	if (++coordinator->deaths > MAX_DEATHS)
		ereport(ERROR,
				(errcode(ERRCODE_OPERATOR_INTERVENTION),
				 errmsg("workers of bulkpar job " INT64_FORMAT
						" ended unexpectedly", coordinator->job_id),
				 errdetail("%d workers ended without finishing their work.",
						   coordinator->deaths),
				 errhint("The server log may say why.")));
}

static void
raise_no_slot(int64 job_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
			 errmsg("could not register a background worker for job "
					INT64_FORMAT, job_id),
			 errdetail("All background worker slots are in use."),
			 errhint("You may need to increase \"max_worker_processes\"%s; a job needs at least two slots.",
					 bulkpar_max_workers > 0 ?
					 " or \"bulkpar.max_workers\"" : "")));
}

/*
 * Terminate the workers and wait until they have ended.  One that does not
 * end in time (somebody has stopped the process) cannot commit any more once
 * its chunk is released.
 */
static void
stop_workers(Coordinator *coordinator)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													   STOP_TIMEOUT);
	pid_t		pid;

	if (coordinator->workers == NULL)
		return;
	for (int slot = 0; slot < coordinator->job->workers; slot++)
	{
		if (coordinator->workers[slot].handle != NULL)
			TerminateBackgroundWorker(coordinator->workers[slot].handle);
	}
	for (int slot = 0; slot < coordinator->job->workers; slot++)
	{
		WorkerSlot *worker = &coordinator->workers[slot];

		if (worker->handle == NULL)
			continue;
		while (GetBackgroundWorkerPid(worker->handle, &pid) == BGWH_STARTED &&
			   GetCurrentTimestamp() < deadline)
		{
			(void) WaitLatch(MyLatch,
							 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
							 100, PG_WAIT_EXTENSION);
			ResetLatch(MyLatch);
			if (ProcSignalBarrierPending)
				ProcessProcSignalBarrier();
		}
		drop_worker(worker);
	}
}

static void
stop_workers_at_exit(int code, Datum arg)
{
	stop_workers((Coordinator *) DatumGetPointer(arg));
}

/*
 * End the job: with the error, or else with success, which must be proven.
 * All workers have ended.
 */
static void
end_job(Coordinator *coordinator, const ErrorData *error)
{
	BulkparCall *call = coordinator->call;
	int64		job_id = coordinator->job_id;
	const char *outcome = "failed";
	BulkparStatus *status;

	bulkpar_settings_start_transaction();
	(void) bulkpar_ledger_release(job_id, 0);
	status = bulkpar_job_status(job_id);
	if (error == NULL && !status->complete)
		elog(ERROR, "bulkpar job " INT64_FORMAT " ended before it was complete",
			 job_id);
	if (error == NULL)
		outcome = "succeeded";
	else if (error->sqlerrcode == ERRCODE_QUERY_CANCELED &&
			 status->error == NULL)
		outcome = pause_requested ? "paused" : "cancelled";
	else
		(void) bulkpar_job_fail(job_id, error);
	bulkpar_job_end(job_id, outcome);
	pg_atomic_write_u64(&call->rows_updated, status->rows_updated);
	pg_atomic_write_u64(&call->batches, status->batches);
	CommitTransactionCommand();
}

/* The status of the job, in a transaction of its own, until the next one. */
static BulkparStatus *
read_status(int64 job_id)
{
	static MemoryContext context = NULL;
	BulkparStatus *status;

	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "bulkpar status",
										ALLOCSET_SMALL_SIZES);
	MemoryContextReset(context);
	bulkpar_settings_start_transaction();
	MemoryContextSwitchTo(context);
	status = bulkpar_job_status(job_id);
	CommitTransactionCommand();
	if (status == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("bulkpar job " INT64_FORMAT " no longer exists",
						job_id)));
	return status;
}
