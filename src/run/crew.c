/*-------------------------------------------------------------------------
 *
 * crew.c
 *		The workers of a job, as its coordinator sees them.
 *
 * A worker that ends and leaves a chunk unfinished has died, and another is
 * launched, a few times.  One that ends with an error has recorded it.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/crew.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "postmaster/bgworker.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "books/jobstatus.h"
#include "books/ledger.h"
#include "run/crew.h"
#include "run/launch.h"
#include "run/worker.h"
#include "session/process.h"

/*
 * How many workers of a run may die before the job fails.  What kills one is
 * somebody's pg_terminate_backend(), which a job should outlive, or a fault
 * that will kill each that follows, such as a login that is refused: then it
 * fails within the tenth of a second that six processes take to start.
 */
#define MAX_DEATHS 5

/*
 * How long to wait for all workers that were terminated, in milliseconds.  They
 * end at their next row; one that does not was stopped.  Our caller gives us
 * BULKPAR_CANCEL_TIMEOUT, which is more.
 */
#define STOP_TIMEOUT 10000

typedef struct Member
{
	BulkparSlot slot;
	int			number;			/* of the worker in its job */
} Member;

struct BulkparCrew
{
	const BulkparIdentity *identity;
	const BulkparJob *job;		/* NULL before it is stored */
	int			snapshot_holder;	/* see plan.c */
	const BulkparExpected *expected;	/* for that, or NULL */
	BulkparPace *pace;
	bool		planned;
	int			launched;		/* workers, also those that have ended */
	int			deaths;
	BulkparShortage shortage;	/* when a worker was last launched */
	TimestampTz deadline;		/* when we stop waiting for their end, or 0 */
	int			wanted;			/* members, those at the first places */
	bool		gave_back;		/* one of the others has ended */
	int			size;
	Member	   *members;
};

static void make_room(BulkparCrew *crew, int count);
static bool launch_member(BulkparCrew *crew, Member *member);
static bool see_off(BulkparCrew *crew, TimestampTz deadline);
static bool check_member(BulkparCrew *crew, Member *member);
static void count_death(BulkparCrew *crew);
static bool check_progress(int64 job_id);
static void throw_error(const BulkparJobStatus *status);

/*
 * An empty crew for a job that is yet to be stored and planned, in the current
 * memory context; it keeps the pointers.
 */
BulkparCrew *
bulkpar_crew_create(const BulkparIdentity *identity, int snapshot_holder,
					const BulkparExpected *expected, BulkparPace *pace)
{
	BulkparCrew *crew = palloc0(sizeof(BulkparCrew));

	crew->identity = identity;
	crew->snapshot_holder = snapshot_holder;
	crew->expected = expected;
	crew->pace = pace;
	crew->size = 1;
	crew->members = palloc0(sizeof(Member));
	return crew;
}

/* From now on work for the job as it is now, and whether it is planned. */
void
bulkpar_crew_follow(BulkparCrew *crew, const BulkparJob *job, bool planned)
{
	crew->job = job;
	crew->planned = planned;
}

/*
 * Launch the worker that will plan the job, which is yet to be stored: it starts
 * meanwhile, and waits until pace.c tells it which job that is.  If the limits do
 * not allow it now, bulkpar_crew_launch tries again.
 */
void
bulkpar_crew_launch_early(BulkparCrew *crew)
{
	(void) launch_member(crew, &crew->members[0]);
}

/*
 * See to it that so many workers are launched, or as many as the limits allow,
 * and return how many.  None at all is an error.  The one that is launched
 * before the job is planned plans it.
 */
int
bulkpar_crew_launch(BulkparCrew *crew, int count)
{
	int			started = 0;

	make_room(crew, count);
	crew->wanted = count;
	while (started < count &&
		   (crew->members[started].slot.handle != NULL ||
			launch_member(crew, &crew->members[started])))
		started++;
	if (started == 0)
		bulkpar_launch_raise_no_slot(crew->shortage);
	return started;
}

/*
 * The job is to have so many workers from now on.  Those at the places beyond are
 * told to end, by pace.c; here others are launched where there are too few, as far
 * as the limits allow.  Returns how many there are then.
 */
int
bulkpar_crew_resize(BulkparCrew *crew, int count)
{
	int			running = 0;

	make_room(crew, count);
	crew->wanted = count;
	crew->shortage = BULKPAR_SHORTAGE_NONE;
	for (int i = 0; i < count; i++)
	{
		Member	   *member = &crew->members[i];

		if (member->slot.handle != NULL ||
			(crew->shortage == BULKPAR_SHORTAGE_NONE &&
			 launch_member(crew, member)))
			running++;
	}
	return running;
}

/*
 * One worker less is wanted, the one at the last place, to be told so by pace.c.
 * Returns how many places are left, and in *left how many workers; or 0 if it is
 * the only one, or if another is about to end already.
 */
int
bulkpar_crew_let_one_go(BulkparCrew *crew, int *left)
{
	int			last = 0;
	int			running = 0;

	for (int i = 0; i < crew->size; i++)
	{
		if (crew->members[i].slot.handle == NULL)
			continue;
		if (i >= crew->wanted)
			return 0;
		last = i;
		running++;
	}
	if (running < 2)
		return 0;
	*left = running - 1;
	crew->wanted = last;
	return last;
}

/* Have a place for so many workers. */
static void
make_room(BulkparCrew *crew, int count)
{
	if (count <= crew->size)
		return;
	crew->members = repalloc(crew->members, mul_size(count, sizeof(Member)));
	memset(&crew->members[crew->size], 0,
		   sizeof(Member) * (count - crew->size));
	crew->size = count;
}

/* What kept the last worker from being launched, if it was not. */
BulkparShortage
bulkpar_crew_shortage(const BulkparCrew *crew)
{
	return crew->shortage;
}

/*
 * See which workers have ended, and replace those that have died.  Returns
 * whether there is still something to wait for: false means that the job is
 * complete.  Workers may yet have to end then, if our caller was woken, which
 * a worker does that has nothing left to do.  The first error that a worker
 * has recorded is thrown.
 */
bool
bulkpar_crew_look_after(BulkparCrew *crew, bool woken)
{
	bool		working = false;

	if (woken && check_progress(crew->job->job_id))
		return false;
	for (int i = 0; i < crew->size; i++)
		working |= check_member(crew, &crew->members[i]);
	if (working)
		return true;
	if (check_progress(crew->job->job_id))
		return false;

	if (!crew->gave_back)
		count_death(crew);
	crew->gave_back = false;
	if (!launch_member(crew, &crew->members[0]))
		bulkpar_launch_raise_no_slot(crew->shortage);
	return true;
}

/* Whether the job is complete, while workers may yet have to end. */
bool
bulkpar_crew_is_done(const BulkparCrew *crew)
{
	return check_progress(crew->job->job_id);
}

/*
 * Terminate the workers and wait until they have ended.  One that does not
 * end in time (it computes a single value, or somebody has stopped the process)
 * cannot commit any more once its chunk is released.  Does not throw, and can
 * be called in an exit callback.
 */
void
bulkpar_crew_stop(BulkparCrew *crew)
{
	for (int i = 0; i < crew->size; i++)
	{
		if (crew->members[i].slot.handle != NULL)
			TerminateBackgroundWorker(crew->members[i].slot.handle);
	}
	(void) bulkpar_crew_await_end(crew);
}

/*
 * The same for workers that end by themselves.  Returns whether all have ended
 * in time, which counts from the first such wait.
 */
bool
bulkpar_crew_await_end(BulkparCrew *crew)
{
	if (crew->deadline == 0)
		crew->deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													 STOP_TIMEOUT);
	return see_off(crew, crew->deadline);
}

/*
 * Wait until all workers have ended, however long that takes: we hold what they
 * take of the limits.  Does not throw, and can be called in an exit callback.
 */
void
bulkpar_crew_outlast(BulkparCrew *crew)
{
	(void) see_off(crew, DT_NOEND);
}

/*
 * Give back what each worker takes when it has ended, until the deadline;
 * returns whether all have.
 */
static bool
see_off(BulkparCrew *crew, TimestampTz deadline)
{
	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();
		Member	   *left = NULL;

		for (int i = 0; i < crew->size; i++)
		{
			Member	   *member = &crew->members[i];

			if (!bulkpar_launch_empty_slot(&member->slot, now))
				left = member;
		}
		if (left == NULL || now >= deadline)
			return left == NULL;
		(void) bulkpar_launch_await_end(left->slot.handle,
										Min(deadline,
											TimestampTzPlusMilliseconds(now, 100)));
	}
}

/* Launch a worker; false if a limit is reached, see crew->shortage. */
static bool
launch_member(BulkparCrew *crew, Member *member)
{
	crew->shortage = bulkpar_worker_launch(&member->slot,
										   GetMemoryChunkContext(crew),
										   crew->identity, crew->job,
										   crew->launched + 1,
										   member - crew->members,
										   !crew->planned,
										   crew->snapshot_holder,
										   crew->expected,
										   bulkpar_pace_handle(crew->pace));
	if (crew->shortage != BULKPAR_SHORTAGE_NONE)
		return false;
	member->number = ++crew->launched;
	return true;
}

/*
 * Look whether a worker runs, and see to what it has left if it has ended.
 * Returns whether it or one in its place runs.  One that has retired is replaced if
 * it is wanted again.
 */
static bool
check_member(BulkparCrew *crew, Member *member)
{
	int64		job_id = crew->job->job_id;
	int64		left;
	bool		retired;
	pid_t		pid;

	if (member->slot.handle == NULL)
		return false;
	if (GetBackgroundWorkerPid(member->slot.handle, &pid) != BGWH_STOPPED)
		return true;
	(void) bulkpar_launch_empty_slot(&member->slot, 0);

	bulkpar_process_start_transaction();
	throw_error(bulkpar_jobstatus_require(job_id));
	left = bulkpar_ledger_release(job_id, member->number);
	CommitTransactionCommand();
	if (left > 0)
		count_death(crew);
	retired = bulkpar_pace_take_retired(crew->pace, member - crew->members);
	crew->gave_back |= retired;
	return (left > 0 || retired) &&
		member - crew->members < crew->wanted && launch_member(crew, member);
}

/* Another worker has died; too many are an error. */
static void
count_death(BulkparCrew *crew)
{
	if (++crew->deaths > MAX_DEATHS)
		ereport(ERROR,
				(errcode(ERRCODE_OPERATOR_INTERVENTION),
				 errmsg("workers of bulkpar job " INT64_FORMAT
						" ended unexpectedly", crew->job->job_id),
				 errdetail("%d workers ended without finishing their work.",
						   crew->deaths),
				 errhint("The server log may say why.")));
}

/*
 * Throw the error that a worker has recorded, if there is one; else say whether
 * the job is complete.  In a transaction of its own.
 */
static bool
check_progress(int64 job_id)
{
	BulkparJobStatus *status;
	bool		complete;

	bulkpar_process_start_transaction();
	status = bulkpar_jobstatus_require(job_id);
	throw_error(status);
	complete = status->planned && bulkpar_jobstatus_is_complete(job_id);
	CommitTransactionCommand();
	return complete;
}

/* Throw the error that a worker has recorded, if there is one. */
static void
throw_error(const BulkparJobStatus *status)
{
	if (status->error != NULL)
		ThrowErrorData(status->error);
}
