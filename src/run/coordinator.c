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
#include "access/xlog.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "replication/syncrep.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "books/alteration.h"
#include "books/books.h"
#include "books/joblock.h"
#include "bulkpar.h"
#include "run/beginning.h"
#include "run/coordinator.h"
#include "run/crew.h"
#include "run/ending.h"
#include "run/governor.h"
#include "run/handover.h"
#include "run/launch.h"
#include "run/nodes.h"
#include "run/pace.h"
#include "session/clip.h"
#include "session/process.h"

typedef struct Coordinator
{
	BulkparCall *call;
	char	   *synchronous;	/* synchronous_commit of the role */
	int64		job_id;
	XLogRecPtr	stored_at;		/* where the WAL has the job */
	BulkparJob *job;
	MemoryContext job_context;	/* of the job */
	BulkparPace *pace;
	BulkparCrew *crew;			/* NULL before it has a slot of its own */
	BulkparGovernor *governor;	/* NULL before there is a job */
	BulkparNodes *nodes;		/* NULL if it has none, or not yet */
	bool		planned;
	int			workers;		/* that there are to be, if that was altered */
	TimestampTz asked_at;		/* when it was last seen what was altered */
} Coordinator;

/* How often it looks whether the job was altered. */
#define ALTER_INTERVAL 300

/* Set by SIGINT and SIGUSR2; and by SIGUSR2, when the job is to be paused. */
static volatile sig_atomic_t stop_requested = false;
static volatile sig_atomic_t pause_requested = false;

static void note_end(const Coordinator *coordinator);
static void take_slot(const Coordinator *coordinator);
static void prepare_crew(Coordinator *coordinator);
static void await_nodes(Coordinator *coordinator);
static bool can_begin_at_once(const BulkparCall *call);
static void publish_job(const Coordinator *coordinator);
static void handle_cancel(SIGNAL_ARGS);
static void handle_pause(SIGNAL_ARGS);
static void request_stop(void);
static void run_job(Coordinator *coordinator);
static void plan_nothing(BulkparJob *job);
static bool has_nodes(const Coordinator *coordinator);
static void launch_nodes(Coordinator *coordinator);
static void await_window(Coordinator *coordinator);
static void wait_a_while(const Coordinator *coordinator, int *events);
static void load_job(Coordinator *coordinator);
static void follow_job(Coordinator *coordinator);
static bool is_planned(const Coordinator *coordinator);
static void launch_workers(Coordinator *coordinator);
static void tell_of_one(const Coordinator *coordinator);
static void watch_workers(Coordinator *coordinator);
static void look_around(Coordinator *coordinator);
static void make_room_to_ask(Coordinator *coordinator);
static void follow_alterations(Coordinator *coordinator, bool woken);
static void alter_crew(Coordinator *coordinator);
static void tell_alteration(Coordinator *coordinator);
static void show_workers(const Coordinator *coordinator, int workers);
static void stop_workers(Coordinator *coordinator);
static void outlast_workers(Coordinator *coordinator);
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
	Coordinator *coordinator;
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
										 sizeof(Coordinator));
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
		run_job(coordinator);
	}
	PG_CATCH();
	{
		HOLD_CANCEL_INTERRUPTS();
		error = bulkpar_error_catch(TopMemoryContext);
		if (coordinator->nodes != NULL)
			bulkpar_nodes_ask_to_stop(coordinator->nodes,
									  error->sqlerrcode == ERRCODE_QUERY_CANCELED &&
									  !pause_requested);
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
							 coordinator->job, error, pause_requested);
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
note_end(const Coordinator *coordinator)
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
take_slot(const Coordinator *coordinator)
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
prepare_crew(Coordinator *coordinator)
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
		launch_nodes(coordinator);
	if (call->parts && can_begin_at_once(call))
		bulkpar_crew_launch_early(coordinator->crew);
}

/*
 * A new job is stored when all its nodes agree.  What has asked them goes on with
 * it, unless that may be hours later.
 */
static void
await_nodes(Coordinator *coordinator)
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

/*
 * Wait until the job is on disk, and wherever else an ordinary commit would be,
 * and tell our caller its number.
 */
static void
publish_job(const Coordinator *coordinator)
{
	SetConfigOption("synchronous_commit", coordinator->synchronous,
					PGC_USERSET, PGC_S_OVERRIDE);
	if (synchronous_commit > SYNCHRONOUS_COMMIT_OFF)
	{
		HOLD_INTERRUPTS();
		XLogFlush(coordinator->stored_at);
		SyncRepWaitForLSN(coordinator->stored_at, true);

		/* That ends with a cancel, and forgets it. */
		if (stop_requested)
			InterruptPending = QueryCancelPending = true;
		RESUME_INTERRUPTS();
	}
	SetConfigOption("synchronous_commit", "off",
					PGC_USERSET, PGC_S_OVERRIDE);
	pg_atomic_write_u64(&coordinator->call->job_id, coordinator->job_id);
	SetLatch(&coordinator->call->caller->procLatch);
}

/* SIGINT: as in a session, but nobody can forget it. */
static void
handle_cancel(SIGNAL_ARGS)
{
	request_stop();
}

/* SIGUSR2: as a cancel, but the job is paused. */
static void
handle_pause(SIGNAL_ARGS)
{
	pause_requested = true;
	request_stop();
}

static void
request_stop(void)
{
	int			save_errno = errno;

	stop_requested = true;
	InterruptPending = true;
	QueryCancelPending = true;
	SetLatch(MyLatch);
	errno = save_errno;
}

/*
 * Let a worker plan the job, and see to it and all others.  It begins while the
 * job is written to disk; other servers must not know of it before.
 */
static void
run_job(Coordinator *coordinator)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(TopMemoryContext);

	if (coordinator->nodes != NULL)
	{
		publish_job(coordinator);
		bulkpar_nodes_tell_job(coordinator->nodes, coordinator->job_id);
	}
	load_job(coordinator);
	coordinator->governor =
		bulkpar_governor_create(&coordinator->call->identity, coordinator->job,
								coordinator->pace);
	bulkpar_crew_follow(coordinator->crew, coordinator->job, false);
	MemoryContextSwitchTo(oldcontext);
	await_window(coordinator);
	if (coordinator->job->nparts > 0)
		(void) bulkpar_crew_launch(coordinator->crew, 1);
	else
		plan_nothing(coordinator->job);
	bulkpar_pace_tell_job(coordinator->pace, coordinator->job_id,
						  coordinator->job->runs);
	if (pg_atomic_read_u64(&coordinator->call->job_id) == 0)
		publish_job(coordinator);
	if (coordinator->nodes == NULL && coordinator->call->nodes &&
		has_nodes(coordinator))
		launch_nodes(coordinator);
	bulkpar_ending_prepare(coordinator->job);
	watch_workers(coordinator);
}

/* Plan a job that has nothing to do here, for which there is no worker. */
static void
plan_nothing(BulkparJob *job)
{
	job->workers = 1;
	bulkpar_process_start_transaction();
	bulkpar_job_start(job);
	CommitTransactionCommand();
}

/* Whether a job that goes on has other servers. */
static bool
has_nodes(const Coordinator *coordinator)
{
	int			count;

	bulkpar_process_start_transaction();
	(void) bulkpar_node_load(coordinator->job_id, &count);
	CommitTransactionCommand();
	return count > 0;
}

/* Launch what talks to other servers, for the job if that is stored already. */
static void
launch_nodes(Coordinator *coordinator)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(TopMemoryContext);

	coordinator->nodes = bulkpar_nodes_create(&coordinator->call->identity,
											  coordinator->job_id != 0 ? "" :
											  bulkpar_handover_inquiries(coordinator->call));
	MemoryContextSwitchTo(oldcontext);
	if (coordinator->job_id != 0)
		bulkpar_nodes_tell_job(coordinator->nodes, coordinator->job_id);
	bulkpar_nodes_launch(coordinator->nodes);
}

/*
 * Do nothing before the job may work: to plan it may be to read the whole table.
 * Who does not wait for its end goes on.
 */
static void
await_window(Coordinator *coordinator)
{
	BulkparCall *call = coordinator->call;
	int			events = 0;

	for (;;)
	{
		follow_alterations(coordinator, events & WL_LATCH_SET);
		look_around(coordinator);
		if (!bulkpar_governor_is_closed(coordinator->governor))
			break;
		if (!call->closed)
		{
			pgstat_report_activity(STATE_RUNNING,
								   psprintf("bulkpar job " INT64_FORMAT
											": waits for its window",
											coordinator->job_id));
			publish_job(coordinator);
			pg_write_barrier();
			call->closed = true;
			SetLatch(&call->caller->procLatch);
		}
		wait_a_while(coordinator, &events);
	}
}

/* Read the job. */
static void
load_job(Coordinator *coordinator)
{
	coordinator->job_context = AllocSetContextCreate(TopMemoryContext,
													 "bulkpar job",
													 ALLOCSET_SMALL_SIZES);
	bulkpar_process_start_transaction();
	MemoryContextSwitchTo(coordinator->job_context);
	coordinator->job = bulkpar_job_load(coordinator->job_id);
	CommitTransactionCommand();
}

/* Read the job anew, when it has changed, and go on with it as it is now. */
static void
follow_job(Coordinator *coordinator)
{
	MemoryContext before = coordinator->job_context;

	load_job(coordinator);
	bulkpar_crew_follow(coordinator->crew, coordinator->job,
						coordinator->planned);
	bulkpar_governor_follow(coordinator->governor, coordinator->job);
	MemoryContextDelete(before);
}

/* Whether the first worker has planned this run of the job. */
static bool
is_planned(const Coordinator *coordinator)
{
	bool		planned;

	bulkpar_process_start_transaction();
	planned = bulkpar_job_is_planned(coordinator->job_id);
	CommitTransactionCommand();
	return planned;
}

/* Launch the other workers of the job as it is planned, and tell our caller. */
static void
launch_workers(Coordinator *coordinator)
{
	BulkparCall *call = coordinator->call;
	int			started;

	follow_job(coordinator);
	if (coordinator->job->xmin_holders != NULL)
		bulkpar_clip(call->xmin_holders, sizeof(call->xmin_holders),
					 coordinator->job->xmin_holders);
	if (bulkpar_job_is_empty(coordinator->job))
	{
		/* Other servers may have all that there is to do. */
		if (coordinator->nodes != NULL)
			tell_of_one(coordinator);
		return;
	}
	bulkpar_governor_begin(coordinator->governor, &call->outset);

	started = bulkpar_crew_launch(coordinator->crew,
								  coordinator->job->workers);
	pg_atomic_write_u32(&call->workers_wanted, coordinator->job->workers);
	call->shortage = bulkpar_crew_shortage(coordinator->crew);
	pg_write_barrier();
	pg_atomic_write_u32(&call->workers_started, started);
	SetLatch(&call->caller->procLatch);
	show_workers(coordinator, started);
}

/* Tell our caller that the first worker is the only one. */
static void
tell_of_one(const Coordinator *coordinator)
{
	BulkparCall *call = coordinator->call;

	pg_atomic_write_u32(&call->workers_wanted, 1);
	pg_atomic_write_u32(&call->workers_started, 1);
	SetLatch(&call->caller->procLatch);
}

/*
 * Wait until the job is complete.  What ends it before that is thrown.  The first
 * worker may have planned it and done all of it between two looks.
 */
static void
watch_workers(Coordinator *coordinator)
{
	int			events = 0;

	for (;;)
	{
		bool		nodes_work;

		if (!coordinator->planned && is_planned(coordinator))
		{
			coordinator->planned = true;
			launch_workers(coordinator);
		}
		nodes_work = coordinator->nodes != NULL &&
			!bulkpar_nodes_look_after(coordinator->nodes);
		if (!bulkpar_crew_look_after(coordinator->crew,
									 events & WL_LATCH_SET) && !nodes_work)
			break;
		follow_alterations(coordinator, events & WL_LATCH_SET);
		look_around(coordinator);
		wait_a_while(coordinator, &events);
	}
	if (coordinator->planned)
		return;
	follow_job(coordinator);
	if (!bulkpar_job_is_empty(coordinator->job))
		tell_of_one(coordinator);
}

/* Wait until the next look, or for an event. */
static void
wait_a_while(const Coordinator *coordinator, int *events)
{
	*events = WaitLatch(MyLatch,
						WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						bulkpar_governor_interval(coordinator->governor),
						PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (bulkpar_process_reload())
		bulkpar_governor_follow(coordinator->governor, coordinator->job);
}

/* See what the job does to the server around it, and what that does to it. */
static void
look_around(Coordinator *coordinator)
{
	const char *pause = bulkpar_governor_look(coordinator->governor);
	const char *notice = bulkpar_governor_notice(coordinator->governor);

	if (notice != NULL)
		bulkpar_handover_tell(coordinator->call, notice);
	bulkpar_governor_tend(coordinator->governor);
	make_room_to_ask(coordinator);
	bulkpar_governor_note(coordinator->governor, false);
	/* What it has done last may have been all that there was. */
	if (pause != NULL &&
		!(coordinator->planned && bulkpar_crew_is_done(coordinator->crew)))
	{
		bulkpar_handover_tell(coordinator->call, pause);
		pause_requested = true;
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg_internal("%s", pause)));
	}
}

/*
 * Where the workers hold all slots, let one of them end for the process that
 * asks the query of the user: without an answer none of them may work.
 */
static void
make_room_to_ask(Coordinator *coordinator)
{
	BulkparCall *call = coordinator->call;
	char		notice[BULKPAR_NOTICE_SIZE];
	int			places;
	int			left;

	if (!coordinator->planned ||
		!bulkpar_governor_lacks_slot(coordinator->governor))
		return;
	places = bulkpar_crew_let_one_go(coordinator->crew, &left);
	if (places == 0)
		return;
	coordinator->workers = places;
	bulkpar_governor_alter(coordinator->governor, places);
	pg_atomic_write_u32(&call->workers_started, left);
	show_workers(coordinator, left);
	snprintf(notice, sizeof(notice),
			 "goes on with %d %s, one less, so that \"bulkpar.throttle_query\" can be asked",
			 left, left == 1 ? "worker" : "workers");
	bulkpar_handover_tell(call, notice);
}

/*
 * See whether the job was altered, when we were woken or now and then, and go on
 * with it as it is then.  Who plans it puts into its row what he has read, so
 * until then nothing else goes there.
 */
static void
follow_alterations(Coordinator *coordinator, bool woken)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		altered;
	bool		workers;

	if (!woken && now >= coordinator->asked_at &&
		!TimestampDifferenceExceeds(coordinator->asked_at, now, ALTER_INTERVAL))
		return;
	coordinator->asked_at = now;
	bulkpar_process_start_transaction();
	altered = bulkpar_alteration_follow(coordinator->job_id, &workers);
	CommitTransactionCommand();
	if (!altered)
		return;

	follow_job(coordinator);
	if (workers)
		coordinator->workers = coordinator->job->workers;
	bulkpar_governor_alter(coordinator->governor, coordinator->workers);
	if (!coordinator->planned)
		return;
	if (workers)
		alter_crew(coordinator);
	tell_alteration(coordinator);
	bulkpar_process_start_transaction();
	bulkpar_alteration_settle_followed(coordinator->job_id);
	CommitTransactionCommand();
}

/* Have as many workers as are wanted now, or as the limits allow. */
static void
alter_crew(Coordinator *coordinator)
{
	BulkparCall *call = coordinator->call;
	int			started = bulkpar_crew_resize(coordinator->crew,
											  coordinator->workers);

	pg_atomic_write_u32(&call->workers_wanted, coordinator->workers);
	pg_atomic_write_u32(&call->workers_started, started);
	show_workers(coordinator, started);
}

/* Let whoever waits know that the job is no longer what he has started. */
static void
tell_alteration(Coordinator *coordinator)
{
	BulkparCall *call = coordinator->call;
	uint32		started = pg_atomic_read_u32(&call->workers_started);
	uint32		wanted = pg_atomic_read_u32(&call->workers_wanted);
	char		notice[BULKPAR_NOTICE_SIZE];
	int			length;

	length = snprintf(notice, sizeof(notice),
					  "altered, goes on with %u %s", started,
					  started == 1 ? "worker" : "workers");
	if (started < wanted)
		length += snprintf(notice + length, sizeof(notice) - length,
						   " instead of %u", wanted);
	snprintf(notice + length, sizeof(notice) - length,
			 " and batches of %d rows", coordinator->job->batch_size);
	bulkpar_handover_tell(call, notice);
}

/* Show in pg_stat_activity how many workers there are. */
static void
show_workers(const Coordinator *coordinator, int workers)
{
	char		activity[80];

	snprintf(activity, sizeof(activity),
			 "bulkpar job " INT64_FORMAT ": %d workers",
			 coordinator->job_id, workers);
	pgstat_report_activity(STATE_RUNNING, activity);
}

static void
stop_workers(Coordinator *coordinator)
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
outlast_workers(Coordinator *coordinator)
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
	Coordinator *coordinator = (Coordinator *) DatumGetPointer(arg);

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
