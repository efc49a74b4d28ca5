/*-------------------------------------------------------------------------
 *
 * wait.c
 *		A session waits for a job, without a snapshot where that can be.
 *
 * A session holds nothing while it waits: what it looks at it sees in
 * subtransactions that are rolled back, and snapshot.c gives its snapshot back.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/wait.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/pmsignal.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "books/job.h"
#include "books/joblock.h"
#include "books/jobstatus.h"
#include "books/throttle.h"
#include "bulkpar.h"
#include "call/result.h"
#include "call/snapshot.h"
#include "call/wait.h"
#include "session/subxact.h"

/* A wait for a job, of the call that runs it or of another. */
typedef struct Wait
{
	int64		job_id;			/* if there is no call */
	BulkparCall *call;			/* NULL in a wait for another's job */
	BackgroundWorkerHandle *handle; /* of the call's coordinator */
	BulkparWaitUntil until;		/* of the call */
	TimestampTz deadline;
	TimestampTz next_report;
	TimestampTz next_check;
	bool		start_reported;
	TimestampTz begun;
	uint32		heard;			/* notices of the coordinator */
	bool		deadlock;
	char	   *throttled_by;	/* what keeps the job, or NULL; in the context */
	int64		throttled;		/* and for how many seconds */
	MemoryContext context;
	bool		throttle_reported;
} Wait;

/* Milliseconds between two looks at what the workers wait for. */
#define DEADLOCK_INTERVAL 2000

/* Seconds after which we say that something keeps the job from going on. */
#define THROTTLE_REPORT 5

static void plan_ahead(void);
static void plan_status(void *arg);
static void wait_for_end(Wait *wait);
static bool has_ended(const Wait *wait);
static int64 job_of(const Wait *wait);
static void report_start(Wait *wait);
static void report_standbys(const Wait *wait);
static void report_notice(Wait *wait);
static void report_progress(Wait *wait);
static void show_progress(void *arg);
static void check_deadlock(Wait *wait);
static void look_at_workers(void *arg);
static void report_throttle(Wait *wait);
static long time_to_wait(const Wait *wait);
static void rethrow_cancelled(BulkparCall *call, ErrorData *error);
static void cancel_at_exit(int code, Datum arg);

/*
 * Wait until the job is over and its coordinator has ended (unless a worker does
 * not, which then is not the job's business any more), or for what else was
 * asked.  On a cancel, a timeout or the end of this session the job is cancelled,
 * and nothing of it commits any more when this returns.  The function that waits
 * is the one of fcinfo.
 */
void
bulkpar_wait_for_call(FunctionCallInfo fcinfo, BulkparCall *call,
					  BackgroundWorkerHandle *handle, BulkparWaitUntil until)
{
	MemoryContext context = CurrentMemoryContext;
	Wait		wait = {
		.call = call,
		.handle = handle,
		.until = until,
		.deadline = DT_NOEND
	};
	volatile bool given_back = false;

	/* The callback reads our stack: no error may pass by it. */
	before_shmem_exit(cancel_at_exit, PointerGetDatum(&wait));
	PG_TRY();
	{
		given_back = bulkpar_snapshot_give_back(fcinfo);
		plan_ahead();
		wait_for_end(&wait);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		cancel_before_shmem_exit(cancel_at_exit, PointerGetDatum(&wait));
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		bulkpar_handover_cancel(call, handle);
		rethrow_cancelled(call, error);
	}
	PG_END_TRY();
	cancel_before_shmem_exit(cancel_at_exit, PointerGetDatum(&wait));
	if (given_back)
		bulkpar_snapshot_take();
}

/*
 * Wait until a job that runs in any session has ended, or until the deadline.
 * It goes on when the wait is cancelled.
 */
void
bulkpar_wait_for_job(FunctionCallInfo fcinfo, int64 job_id,
					 TimestampTz deadline)
{
	Wait		wait = {
		.job_id = job_id,
		.deadline = deadline
	};
	bool		given_back = bulkpar_snapshot_give_back(fcinfo);

	wait_for_end(&wait);
	if (given_back)
		bulkpar_snapshot_take();
}

/*
 * Plan what is read at the end, in a session that has not done so before: the
 * processes of the job are starting, and we have nothing else to do.
 */
static void
plan_ahead(void)
{
	static bool planned = false;

	if (!planned)
		bulkpar_subxact_run(plan_status, NULL);
	planned = true;
}

static void
plan_status(void *arg)
{
	BulkparJobStatus none = {0};

	(void) bulkpar_jobstatus_read(0);
	(void) bulkpar_jobstatus_add_nodes(0, &none);
	if (bulkpar_report)
		bulkpar_jobstatus_read_throttle(0, &none);
}

static void
wait_for_end(Wait *wait)
{
	TimestampTz now = GetCurrentTimestamp();

	wait->begun = now;
	wait->context = CurrentMemoryContext;
	wait->next_report = TimestampTzPlusMilliseconds(now,
													bulkpar_progress_interval);
	wait->next_check = TimestampTzPlusMilliseconds(now, DEADLOCK_INTERVAL);
	for (;;)
	{
		bool		ended = has_ended(wait);

		report_start(wait);
		report_notice(wait);
		if (ended)
			return;

		report_progress(wait);
		check_deadlock(wait);
		InvalidateCatalogSnapshot();
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 time_to_wait(wait), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Whether what we wait for has come. */
static bool
has_ended(const Wait *wait)
{
	BgwHandleStatus status;
	pid_t		pid;

	if (GetCurrentTimestamp() >= wait->deadline)
		return true;
	if (wait->call == NULL)
		return !bulkpar_joblock_is_held(wait->job_id);
	if (wait->until == BULKPAR_WAIT_UNTIL_OWNED && job_of(wait) != 0)
		return true;
	if (wait->until == BULKPAR_WAIT_UNTIL_STARTED &&
		(pg_atomic_read_u32(&wait->call->workers_started) > 0 ||
		 ((volatile BulkparCall *) wait->call)->closed))
		return true;
	if (((volatile BulkparCall *) wait->call)->over)
		return true;
	status = GetBackgroundWorkerPid(wait->handle, &pid);
	if (status == BGWH_POSTMASTER_DIED)
		ereport(FATAL,
				(errcode(ERRCODE_ADMIN_SHUTDOWN),
				 errmsg("postmaster exited while a bulkpar job was running")));
	return status == BGWH_STOPPED;
}

/* The job's id; 0 while its coordinator has not yet stored it. */
static int64
job_of(const Wait *wait)
{
	return wait->call == NULL ? wait->job_id :
		(int64) pg_atomic_read_u64(&wait->call->job_id);
}

/*
 * Say so when the job got fewer workers than it asked for, when the dead rows
 * that it makes cannot be removed, or what the standbys have to do with it.
 */
static void
report_start(Wait *wait)
{
	uint32		started;
	uint32		wanted;

	if (wait->call == NULL || wait->start_reported)
		return;
	started = pg_atomic_read_u32(&wait->call->workers_started);
	if (started == 0)
		return;
	pg_read_barrier();
	wanted = pg_atomic_read_u32(&wait->call->workers_wanted);
	wait->start_reported = true;
	if (started < wanted)
		ereport(NOTICE,
				(errmsg("bulkpar job " INT64_FORMAT " runs with %u instead of %u workers",
						job_of(wait), started, wanted),
				 bulkpar_quota_errdetail(wait->call->shortage),
				 bulkpar_quota_errhint(wait->call->shortage)));
	if (wait->call->xmin_holders[0] != '\0')
		ereport(NOTICE,
				(errmsg("dead rows of bulkpar job " INT64_FORMAT
						" cannot be removed yet", job_of(wait)),
				 errdetail("The xmin horizon is held by %s.",
						   wait->call->xmin_holders),
				 errhint("The table grows less if nobody holds the horizon while the job runs.")));
	report_standbys(wait);
}

/* Say what the standbys have to do with the job. */
static void
report_standbys(const Wait *wait)
{
	const BulkparOutset *outset = &wait->call->outset;

	if (outset->silent[0] != '\0')
		ereport(NOTICE,
				(errmsg("bulkpar job " INT64_FORMAT
						" may cancel queries on standbys", job_of(wait)),
				 errdetail("No snapshots are reported by %s.", outset->silent),
				 errhint("Set \"hot_standby_feedback\" there where long queries run, or list those that have none in \"bulkpar.ignore_replicas\".")));
	if (outset->behind[0] != '\0')
		ereport(NOTICE,
				(errmsg("standbys are behind before bulkpar job " INT64_FORMAT
						" has begun", job_of(wait)),
				 errdetail("That is %s.", outset->behind),
				 errhint("The job waits for them as \"bulkpar.max_replica_lag\" says.")));
}

/* Pass on what the coordinator has to say. */
static void
report_notice(Wait *wait)
{
	char		notice[BULKPAR_NOTICE_SIZE];

	if (wait->call != NULL && job_of(wait) != 0 &&
		bulkpar_handover_hear(wait->call, &wait->heard, notice))
		ereport(NOTICE,
				(errmsg("bulkpar job " INT64_FORMAT ": %s", job_of(wait),
						notice)));
}

/* Show how far the job is, when it is time. */
static void
report_progress(Wait *wait)
{
	if (!bulkpar_report || bulkpar_progress_interval == 0 ||
		job_of(wait) == 0 || GetCurrentTimestamp() < wait->next_report)
		return;
	wait->next_report = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													bulkpar_progress_interval);
	bulkpar_subxact_run(show_progress, wait);
}

static void
show_progress(void *arg)
{
	int64		job_id = job_of(arg);
	BulkparJobStatus *status = bulkpar_jobstatus_read(job_id);
	double		rate;
	double		estimated;
	char	   *left = "";
	char	   *throttled = "";

	if (status == NULL)
		return;
	rate = bulkpar_jobstatus_add_nodes(job_id, status);
	bulkpar_jobstatus_read_throttle(job_id, status);
	if (status->rows_done == 0 && status->throttled_by == NULL)
		return;
	rate += bulkpar_jobstatus_rate(job_id);
	estimated = Max(status->estimated_rows, status->rows_done);
	if (rate > 0)
		left = psprintf(", about %.0f s left",
						(estimated - status->rows_done) / rate);
	if (status->throttled_by != NULL)
		throttled = psprintf(", throttled: %s", status->throttled_by);
	ereport(INFO,
			(errmsg("bulkpar job " INT64_FORMAT ": %.1f %%, " INT64_FORMAT
					" of about %.0f rows, %.0f rows/s%s%s",
					job_id,
					Min(99.9, 100 * status->rows_done / Max(estimated, 1)),
					status->rows_done, estimated, rate, left, throttled)));
}

/*
 * A worker may wait for a lock that this very session holds, or for somebody
 * who waits for us.  The deadlock detector cannot see that we wait for the
 * worker, so we look ourselves.
 */
static void
check_deadlock(Wait *wait)
{
	if (job_of(wait) == 0 || GetCurrentTimestamp() < wait->next_check)
		return;
	wait->next_check = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												   DEADLOCK_INTERVAL);
	bulkpar_subxact_run(look_at_workers, wait);
	report_throttle(wait);
	if (wait->deadlock)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_DEADLOCK_DETECTED),
				 errmsg("deadlock detected"),
				 errdetail("A worker of bulkpar job " INT64_FORMAT
						   " waits for a lock that this session holds, while the session waits for the job.",
						   job_of(wait))));
}

static void
look_at_workers(void *arg)
{
	Wait	   *wait = arg;
	char	   *reason = NULL;

	wait->deadlock =
		bulkpar_joblock_waits_for(job_of(wait), MyProcPid,
								  TimestampDifferenceMilliseconds(wait->begun,
																  GetCurrentTimestamp()));
	if (!wait->throttle_reported)
		reason = bulkpar_throttle_read(job_of(wait), &wait->throttled);
	wait->throttled_by = reason == NULL ? NULL :
		MemoryContextStrdup(wait->context, reason);
}

/* Say once what keeps the job, or some of its rows. */
static void
report_throttle(Wait *wait)
{
	if (wait->throttled_by == NULL || wait->throttled < THROTTLE_REPORT)
		return;
	wait->throttle_reported = true;
	ereport(NOTICE,
			(errmsg("bulkpar job " INT64_FORMAT " cannot change some rows yet",
					job_of(wait)),
			 errdetail("For " INT64_FORMAT " s: %s.", wait->throttled,
					   wait->throttled_by),
			 errhint("It does all others first, and then tries again until it can or is cancelled.")));
}

/* Milliseconds until there is something to do or to look at. */
static long
time_to_wait(const Wait *wait)
{
	TimestampTz now = GetCurrentTimestamp();
	long		left = wait->call != NULL ? 1000 :
		Min(TimestampDifferenceMilliseconds(wait->begun, now) / 10 + 2, 100);

	if (bulkpar_report && bulkpar_progress_interval > 0)
		left = Min(left, TimestampDifferenceMilliseconds(now,
														 wait->next_report));
	if (wait->deadline != DT_NOEND)
		left = Min(left, TimestampDifferenceMilliseconds(now,
														 wait->deadline));
	return Max(left, 1);
}

/* Throw the error that ended the wait, with what has become of the job. */
static void
rethrow_cancelled(BulkparCall *call, ErrorData *error)
{
	int64		job_id = pg_atomic_read_u64(&call->job_id);

	if (call->succeeded)
		error->detail = psprintf("Job " INT64_FORMAT " has succeeded before it could be cancelled.",
								 job_id);
	else if (call->ended && error->detail == NULL)
		error->detail = psprintf("Job " INT64_FORMAT " is cancelled; " UINT64_FORMAT
								 " rows in " UINT64_FORMAT
								 " batches are %s and stay so.",
								 job_id,
								 pg_atomic_read_u64(&call->rows_changed),
								 pg_atomic_read_u64(&call->batches),
								 bulkpar_command_done(call->command));
	if (call->unreached[0] != '\0')
		bulkpar_result_warn_of(job_id, call->unreached);
	if (job_id != 0 && !call->succeeded && error->hint == NULL)
		error->hint = psprintf("SELECT bulkpar_resume(" INT64_FORMAT
							   ") goes on with the job.", job_id);
	ReThrowError(error);
}

/* Cancel the job of a session that ends; where the server has died, it is lost. */
static void
cancel_at_exit(int code, Datum arg)
{
	Wait	   *wait = (Wait *) DatumGetPointer(arg);

	if (PostmasterIsAlive())
		bulkpar_handover_cancel(wait->call, wait->handle);
}
