/*-------------------------------------------------------------------------
 *
 * coordinator.c
 *		The process that runs a job.
 *
 * The caller of a job cannot store it itself: the workers would not see it
 * before the caller commits.  So it launches a coordinator, hands it the
 * request in a DSM segment and waits.  The coordinator stores the job, has
 * it done, see watch.c, and ends it: with success only when the job's own rows
 * prove it.
 *
 * As long as the job runs it holds a lock on it (see joblock.c).  When it is
 * terminated it takes the workers with it; what is left in the tables is a job
 * that can be resumed.  It never ends before its workers do, for it holds what
 * they take of the limits (see quota.c).
 *
 * No code of a user runs here: not the job's statement, not its settings, not
 * even a look at the rows of its table.  So nothing can release that lock,
 * swallow a cancel, or keep this process from what it is there for.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/coordinator.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "books/books.h"
#include "books/joblock.h"
#include "bulkpar.h"
#include "run/beginning.h"
#include "run/coordinator.h"
#include "run/ending.h"
#include "run/launch.h"
#include "run/watch.h"
#include "session/process.h"

static void note_end(const BulkparCoordinator *coordinator);
static void take_slot(const BulkparCoordinator *coordinator);
static void prepare_crew(BulkparCoordinator *coordinator);
static void await_nodes(BulkparCoordinator *coordinator);
static bool can_begin_at_once(const BulkparCall *call);
static void handle_cancel(SIGNAL_ARGS);
static void handle_pause(SIGNAL_ARGS);
static void stop_workers(BulkparCoordinator *coordinator);
static void outlast_workers(BulkparCoordinator *coordinator);
static void stop_at_exit(int code, Datum arg);
static void commit_durably(const char *synchronous, bool success);

/*
 * The main function of a coordinator.  The segment whose handle main_arg is
 * says which job it is to store or to take over, and as which role.  It returns
 * when the job and all its workers have ended.
 *
 * SIGINT cancels the job and SIGUSR2 pauses it, until it is about to be ended
 * anyway.  SIGTERM ends the process and its workers with it, and leaves a job
 * that can be resumed.
 *
 * An error before there is a job is told to the caller through the segment, a
 * later one is recorded in the job.  One is thrown, and just logged, only where
 * neither can be: without a segment or a connection, or if the job's rows are
 * gone.
 */
void
bulkpar_coordinator_main(Datum main_arg)
{
	BulkparCoordinator *coordinator;
	dsm_segment *segment;
	ErrorData  *volatile error = NULL;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGINT, handle_cancel);
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
										 sizeof(BulkparCoordinator));
	coordinator->call = dsm_segment_address(segment);

	bulkpar_books_pin(coordinator->call->identity.job_table);
	bulkpar_identity_assume(&coordinator->call->identity);
	before_shmem_exit(stop_at_exit, PointerGetDatum(coordinator));
	MemoryContextSwitchTo(TopMemoryContext);
	coordinator->synchronous =
		pstrdup(GetConfigOption("synchronous_commit", false, false));
	SetConfigOption("application_name", MyBgworkerEntry->bgw_name,
					PGC_USERSET, PGC_S_OVERRIDE);

	/* What limits the role's own sessions does not limit the bookkeeping. */
	bulkpar_process_start();

	PG_TRY();
	{
		take_slot(coordinator);
		prepare_crew(coordinator);
		if (coordinator->nodes != NULL)
			await_nodes(coordinator);
		coordinator->job_id = bulkpar_beginning_store(coordinator->call,
													  &coordinator->stored_at);
		bulkpar_watch_run(coordinator);
	}
	PG_CATCH();
	{
		HOLD_CANCEL_INTERRUPTS();
		error = bulkpar_error_catch(TopMemoryContext);
		if (coordinator->nodes != NULL)
			bulkpar_nodes_ask_to_stop(coordinator->nodes,
									  error->sqlerrcode == ERRCODE_QUERY_CANCELED &&
									  !bulkpar_watch_is_pause_requested());
		stop_workers(coordinator);
		if (coordinator->nodes != NULL)
			bulkpar_nodes_stop(coordinator->nodes,
							   coordinator->call->unreached,
							   sizeof(coordinator->call->unreached));
	}
	PG_END_TRY();
	HOLD_CANCEL_INTERRUPTS();

	if (coordinator->governor != NULL)
		note_end(coordinator);
	commit_durably(coordinator->synchronous, error == NULL);
	if (coordinator->job_id != 0)
	{
		bulkpar_ending_store(coordinator->call, coordinator->job_id,
							 coordinator->job, error,
							 bulkpar_watch_is_pause_requested());
		outlast_workers(coordinator);
		bulkpar_ending_clean_up(coordinator->call);
	}
	else
		bulkpar_error_share(&coordinator->call->error, error);
}

/*
 * Note what has slowed down the job, which is about to be ended.  Where that fails
 * it may be what the job has failed with, and must not keep it from its end.
 */
static void
note_end(const BulkparCoordinator *coordinator)
{
	PG_TRY();
	{
		bulkpar_governor_note(coordinator->governor, true);
	}
	PG_CATCH();
	{
		bulkpar_error_log_caught();
	}
	PG_END_TRY();
}

/* This process counts as the workers do. */
static void
take_slot(const BulkparCoordinator *coordinator)
{
	BulkparQuota slot;
	BulkparShortage shortage =
		bulkpar_quota_acquire(coordinator->call->identity.login, &slot);

	if (shortage != BULKPAR_SHORTAGE_NONE)
		bulkpar_launch_raise_no_slot(shortage);
}

/*
 * Have a crew, and launch the first worker of it if that will have something to do
 * at once: to start a process takes as long as to store the job.  Otherwise what
 * the planner has said of the rows may be outdated by then.  What talks to other
 * servers asks them first.
 */
static void
prepare_crew(BulkparCoordinator *coordinator)
{
	const BulkparCall *call = coordinator->call;
	MemoryContext oldcontext = MemoryContextSwitchTo(TopMemoryContext);

	coordinator->pace = bulkpar_pace_create();
	coordinator->crew = bulkpar_crew_create(&call->identity,
											call->snapshot_holder,
											can_begin_at_once(call) ?
											&call->expected : NULL,
											coordinator->pace);
	MemoryContextSwitchTo(oldcontext);
	if (call->nodes && call->resumed == 0)
		bulkpar_watch_launch_nodes(coordinator);
	if (call->parts && can_begin_at_once(call))
		bulkpar_crew_launch_early(coordinator->crew);
}

/*
 * A new job is stored when all its nodes agree.  What has asked them goes on with
 * it, unless that may be hours later.
 */
static void
await_nodes(BulkparCoordinator *coordinator)
{
	bulkpar_beginning_prepare();
	bulkpar_nodes_await_verdict(coordinator->nodes);
	if (can_begin_at_once(coordinator->call))
		return;
	bulkpar_nodes_outlast(coordinator->nodes);
	coordinator->nodes = NULL;
}

/*
 * Whether neither the job nor the configuration has hours to wait for, or a query
 * that takes a slot before the workers do.
 */
static bool
can_begin_at_once(const BulkparCall *call)
{
	return call->eager && bulkpar_time_window[0] == '\0' &&
		bulkpar_throttle_query[0] == '\0';
}

/* SIGINT: as in a session, but nobody can forget it. */
static void
handle_cancel(SIGNAL_ARGS)
{
	bulkpar_watch_request_stop(false);
}

/* SIGUSR2: as a cancel, but the job is paused. */
static void
handle_pause(SIGNAL_ARGS)
{
	bulkpar_watch_request_stop(true);
}

static void
stop_workers(BulkparCoordinator *coordinator)
{
	if (coordinator->crew != NULL)
		bulkpar_crew_stop(coordinator->crew);
	if (coordinator->governor != NULL)
		(void) bulkpar_governor_stop(coordinator->governor);
}

/*
 * Wait until the workers have ended.  When one does not, the job is over all the
 * same: whoever waits for it is told, and it can be resumed.  But the worker
 * takes a slot as long as it lives, and if we ended, that would be free for
 * another.  So nothing ends this process then but the end of the worker.
 */
static void
outlast_workers(BulkparCoordinator *coordinator)
{
	BulkparCall *call = coordinator->call;
	bool		ended;

	if (coordinator->crew == NULL)
		return;
	if (coordinator->nodes != NULL)
		bulkpar_nodes_terminate(coordinator->nodes);
	ended = coordinator->governor == NULL ||
		bulkpar_governor_stop(coordinator->governor);
	ended = (coordinator->nodes == NULL ||
			 bulkpar_nodes_have_ended(coordinator->nodes)) && ended;
	if (bulkpar_crew_await_end(coordinator->crew) && ended)
		return;
	if (coordinator->job_id != 0)
		bulkpar_joblock_release();
	pg_write_barrier();
	call->over = true;
	SetLatch(&call->caller->procLatch);
	bulkpar_crew_outlast(coordinator->crew);
	if (coordinator->governor != NULL)
		bulkpar_governor_outlast(coordinator->governor);
	if (coordinator->nodes != NULL)
		bulkpar_nodes_outlast(coordinator->nodes);
}

/* Exit callback: nobody but the workers may hold locks for long. */
static void
stop_at_exit(int code, Datum arg)
{
	BulkparCoordinator *coordinator = (BulkparCoordinator *) DatumGetPointer(arg);

	if (coordinator->crew == NULL)
		return;
	AbortOutOfAnyTransaction();
	stop_workers(coordinator);
	outlast_workers(coordinator);
}

/*
 * The batches have committed asynchronously.  The commit that is to come is an
 * ordinary one, and its flush covers them.  But a job that is stopped because a
 * synchronous standby is gone must not wait for it: only success does.
 */
static void
commit_durably(const char *synchronous, bool success)
{
	if (!success && strcmp(synchronous, "off") != 0)
		synchronous = "local";
	SetConfigOption("synchronous_commit", synchronous,
					PGC_USERSET, PGC_S_OVERRIDE);
}
