/*-------------------------------------------------------------------------
 *
 * watch.c
 *		What a coordinator does from the beginning of its job to the last batch.
 *
 * It has the job planned, launches the workers, and sees to it that there are as
 * many as there are to be: it looks around for what the job does to the server, and
 * whether somebody has altered it.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/watch.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "replication/syncrep.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "books/alteration.h"
#include "run/ending.h"
#include "run/watch.h"
#include "session/clip.h"
#include "session/process.h"

/* How often it looks whether the job was altered. */
#define ALTER_INTERVAL 300

/* Set by SIGINT and SIGUSR2; and by SIGUSR2, when the job is to be paused. */
static volatile sig_atomic_t stop_requested = false;
static volatile sig_atomic_t pause_requested = false;

static void publish_job(const BulkparCoordinator *coordinator);
static void plan_nothing(BulkparJob *job);
static bool has_nodes(const BulkparCoordinator *coordinator);
static void await_window(BulkparCoordinator *coordinator);
static void load_job(BulkparCoordinator *coordinator);
static void follow_job(BulkparCoordinator *coordinator);
static bool is_planned(const BulkparCoordinator *coordinator);
static void launch_workers(BulkparCoordinator *coordinator);
static void tell_of_one(const BulkparCoordinator *coordinator);
static void watch_workers(BulkparCoordinator *coordinator);
static void wait_a_while(const BulkparCoordinator *coordinator, int *events);
static void look_around(BulkparCoordinator *coordinator);
static void make_room_to_ask(BulkparCoordinator *coordinator);
static void follow_alterations(BulkparCoordinator *coordinator, bool woken);
static void alter_crew(BulkparCoordinator *coordinator);
static void tell_alteration(BulkparCoordinator *coordinator);
static void show_workers(const BulkparCoordinator *coordinator, int workers);

/*
 * Let a worker plan the job, which is stored, and see to it and all others.  It
 * begins while the job is written to disk; other servers must not know of it before.
 * Returns when all is done that there was to do; what ends the job before is thrown.
 */
void
bulkpar_watch_run(BulkparCoordinator *coordinator)
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
		bulkpar_watch_launch_nodes(coordinator);
	bulkpar_ending_prepare(coordinator->job);
	watch_workers(coordinator);
}

/*
 * Have the job stopped by an error, which is a cancel, at the next look for
 * interrupts; or paused, which is one as well.  Called by signal handlers.
 */
void
bulkpar_watch_request_stop(bool pause)
{
	int			save_errno = errno;

	if (pause)
		pause_requested = true;
	stop_requested = true;
	InterruptPending = true;
	QueryCancelPending = true;
	SetLatch(MyLatch);
	errno = save_errno;
}

/* Whether a stop is a pause. */
bool
bulkpar_watch_is_pause_requested(void)
{
	return pause_requested;
}

/* Launch what talks to other servers, for the job if that is stored already. */
void
bulkpar_watch_launch_nodes(BulkparCoordinator *coordinator)
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
 * Wait until the job is on disk, and wherever else an ordinary commit would be,
 * and tell our caller its number.
 */
static void
publish_job(const BulkparCoordinator *coordinator)
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
has_nodes(const BulkparCoordinator *coordinator)
{
	int			count;

	bulkpar_process_start_transaction();
	(void) bulkpar_node_load(coordinator->job_id, &count);
	CommitTransactionCommand();
	return count > 0;
}

/*
 * Do nothing before the job may work: to plan it may be to read the whole table.
 * Who does not wait for its end goes on.
 */
static void
await_window(BulkparCoordinator *coordinator)
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
load_job(BulkparCoordinator *coordinator)
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
follow_job(BulkparCoordinator *coordinator)
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
is_planned(const BulkparCoordinator *coordinator)
{
	bool		planned;

	bulkpar_process_start_transaction();
	planned = bulkpar_job_is_planned(coordinator->job_id);
	CommitTransactionCommand();
	return planned;
}

/* Launch the other workers of the job as it is planned, and tell our caller. */
static void
launch_workers(BulkparCoordinator *coordinator)
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
tell_of_one(const BulkparCoordinator *coordinator)
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
watch_workers(BulkparCoordinator *coordinator)
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
wait_a_while(const BulkparCoordinator *coordinator, int *events)
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
look_around(BulkparCoordinator *coordinator)
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
make_room_to_ask(BulkparCoordinator *coordinator)
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
follow_alterations(BulkparCoordinator *coordinator, bool woken)
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
alter_crew(BulkparCoordinator *coordinator)
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
tell_alteration(BulkparCoordinator *coordinator)
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
show_workers(const BulkparCoordinator *coordinator, int workers)
{
	char		activity[80];

	snprintf(activity, sizeof(activity),
			 "bulkpar job " INT64_FORMAT ": %d workers",
			 coordinator->job_id, workers);
	pgstat_report_activity(STATE_RUNNING, activity);
}
