/*-------------------------------------------------------------------------
 *
 * launch.c
 *		Registering the processes of bulkpar.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/launch.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/procsignal.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "books/books.h"
#include "bulkpar.h"
#include "run/launch.h"
#include "session/process.h"

/* How often a process that ends is looked at, in milliseconds. */
#define POLL_INTERVAL 100

/*
 * Register a background worker, which wakes this process when it starts and
 * ends.  NULL if no slot is free; else the handle is allocated in the current
 * memory context.
 */
BackgroundWorkerHandle *
bulkpar_launch_process(const BulkparLaunch *launch, const char *name)
{
	BackgroundWorker worker = {0};
	BackgroundWorkerHandle *handle;

	strlcpy(worker.bgw_name, name, BGW_MAXLEN);
	strlcpy(worker.bgw_type, launch->type, BGW_MAXLEN);
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, BULKPAR_LIBRARY,
			sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, launch->function,
			sizeof(worker.bgw_function_name));
	worker.bgw_main_arg = launch->main_arg;
	Assert(launch->extra_size <= BGW_EXTRALEN);
	if (launch->extra != NULL)
		memcpy(worker.bgw_extra, launch->extra, launch->extra_size);
	worker.bgw_notify_pid = MyProcPid;
	return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : NULL;
}

/*
 * The same within the limits, for a slot without a process; the role is that which
 * it logs in as, and the handle is allocated in the memory context.  Returns what
 * kept us from it.
 */
BulkparShortage
bulkpar_launch_in_slot(BulkparSlot *slot, MemoryContext context,
					   const BulkparLaunch *launch, const char *name, Oid login)
{
	BulkparShortage shortage = bulkpar_quota_acquire(login, &slot->quota);
	MemoryContext oldcontext;

	Assert(slot->handle == NULL);
	if (shortage != BULKPAR_SHORTAGE_NONE)
		return shortage;
	oldcontext = MemoryContextSwitchTo(context);
	slot->handle = bulkpar_launch_process(launch, name);
	MemoryContextSwitchTo(oldcontext);
	if (slot->handle != NULL)
		return BULKPAR_SHORTAGE_NONE;
	bulkpar_quota_release(&slot->quota);
	return BULKPAR_SHORTAGE_SERVER;
}

/*
 * Give back what the process takes if it has ended, or does so until the deadline.
 * Returns whether there is none.  Does not throw.
 */
bool
bulkpar_launch_empty_slot(BulkparSlot *slot, TimestampTz deadline)
{
	if (slot->handle == NULL)
		return true;
	if (!bulkpar_launch_await_end(slot->handle, deadline))
		return false;
	pfree(slot->handle);
	slot->handle = NULL;
	bulkpar_quota_release(&slot->quota);
	return true;
}

/*
 * Begin as a process beside the workers, with that identity and under the name
 * that it was launched with.  Returns what its coordinator shares with it, for as
 * long as it lives; NULL if that is gone.
 */
void *
bulkpar_launch_begin(const BulkparIdentity *identity, dsm_handle handle)
{
	dsm_segment *segment = dsm_attach(handle);

	if (segment == NULL)
		return NULL;
	dsm_pin_mapping(segment);
	bulkpar_books_pin(identity->job_table);
	bulkpar_identity_assume(identity);
	SetConfigOption("application_name", MyBgworkerEntry->bgw_name,
					PGC_USERSET, PGC_S_OVERRIDE);
	bulkpar_process_start();
	return dsm_segment_address(segment);
}

/*
 * Wake the process that has launched this one, before the end of this one
 * does: that may take long, as the shared buffers it has used are unmapped.
 */
void
bulkpar_launch_wake_launcher(void)
{
	PGPROC	   *launcher = BackendPidGetProc(MyBgworkerEntry->bgw_notify_pid);

	if (launcher != NULL)
		SetLatch(&launcher->procLatch);
}

/* Throw the error of a job that gets no process at all. */
void
bulkpar_launch_raise_no_slot(BulkparShortage shortage)
{
	ereport(ERROR,
			(errcode(shortage == BULKPAR_SHORTAGE_ROLE ?
					 ERRCODE_TOO_MANY_CONNECTIONS :
					 ERRCODE_INSUFFICIENT_RESOURCES),
			 errmsg("could not register a background worker for the job"),
			 bulkpar_quota_errdetail(shortage),
			 bulkpar_quota_errhint(shortage)));
}

/*
 * Wait until a process has ended, but not after the deadline; returns whether
 * it has.  Does not throw, and can be called in an exit callback.
 */
bool
bulkpar_launch_await_end(BackgroundWorkerHandle *handle, TimestampTz deadline)
{
	for (;;)
	{
		pid_t		pid;
		BgwHandleStatus status = GetBackgroundWorkerPid(handle, &pid);

		if (status == BGWH_STOPPED || status == BGWH_POSTMASTER_DIED)
			return true;
		if (GetCurrentTimestamp() >= deadline)
			return false;
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 POLL_INTERVAL, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		if (ProcSignalBarrierPending)
			ProcessProcSignalBarrier();
	}
}
