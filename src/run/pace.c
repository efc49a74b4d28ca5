/*-------------------------------------------------------------------------
 *
 * pace.c
 *		How much a worker works, as its coordinator says.
 *
 * The coordinator writes into shared memory which share of their time its workers
 * may work, ten times a second, and the workers look there before each batch.  They
 * wait outside of any transaction and hold nothing.  If a worker sees that nobody
 * has written there for long, it starts no batch: what it would go by is no longer
 * true.
 *
 * Who alters a job has that written there as well: how large batches are, how long
 * they wait for locks, and how many workers there are to be.  Each has a place,
 * and whose place is beyond that number ends, and says so: the number may be another
 * when its coordinator sees that.
 *
 * The caps of a job are kept by a moment that all workers push on: each batch by
 * as long as its rows may take for the whole job, from when it began at the
 * earliest.  Its worker goes on when that moment has come.
 *
 * Where a run may change only so many rows, each batch takes what it may need of
 * them before it begins, and gives back what it has not used.  What it has used
 * counts before it commits: when its worker dies then, nobody knows what has
 * become of it, and it must not be more.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/pace.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/pmsignal.h"
#include "storage/proc.h"
#include "storage/spin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "books/joblock.h"
#include "bulkpar.h"
#include "run/pace.h"
#include "session/clip.h"
#include "session/process.h"

/* How long what was written counts, and between looks, in milliseconds. */
#define MAX_AGE 5000
#define LOOK_INTERVAL 100

/* A share of the time is written in such parts. */
#define SHARE_UNIT 10000

/* Places have a bit each in words of so many. */
#define WORD_BITS 32
#define WORDS ((BULKPAR_MAX_WORKERS + WORD_BITS - 1) / WORD_BITS)

/* A cap: how long a unit may take, and the moment up to which it is used. */
typedef struct Cap
{
	pg_atomic_uint64 nanoseconds;	/* per row or kB; 0 for no cap */
	pg_atomic_uint64 used_until;	/* a TimestampTz */
} Cap;

struct BulkparPace
{
	pg_atomic_uint64 looked_at; /* by the coordinator; a TimestampTz */
	pg_atomic_uint32 share;
	Cap			rows;
	Cap			wal;
	pg_atomic_uint32 lock_wait; /* in milliseconds */
	pg_atomic_uint32 target_time;	/* of a batch, in milliseconds */
	pg_atomic_uint32 throttled; /* by more than its own settings */
	pg_atomic_uint32 batch_size;	/* 0 for as the job was loaded */
	pg_atomic_uint32 workers;	/* the same */
	pg_atomic_uint32 retired[WORDS];	/* who has ended for that */
	dsm_handle	handle;			/* immutable */
	slock_t		mutex;			/* guards what follows */
	int64		job_id;			/* 0 before it is told */
	int			runs;
	PGPROC	   *waiter;			/* who is to be told; it may have ended */
	int64		max_rows;		/* that the run may change; 0 for all */
	int64		rows_taken;		/* of these, by batches that run or have run */
	int64		rows_spent;		/* by those that have run */
	char		reason[BULKPAR_REASON_TEXT];
};

/* Of this worker. */
static BulkparPace *attached = NULL;
static int	own_place = 0;
static TimestampTz work_started = 0;
static TimestampTz rows_until = 0;
static TimestampTz wal_until = 0;
static int64 taken = 0;			/* rows, that are not spent */
static bool committing = false; /* it has changed so many */

static int	take_rows(int count);
static void detach(dsm_segment *segment, Datum arg);
static void cap_init(Cap *cap);
static void cap_limit(Cap *cap, double units_per_second);
static TimestampTz cap_use(Cap *cap, int64 units);
static TimestampTz cap_end(Cap *cap, TimestampTz until);
static TimestampTz end_of_wait(TimestampTz now, TimestampTz work_ended);
static void show_wait(void);
static void check_coordinator(int64 job_id);

/* Create what a coordinator shares with its workers, as long as the process. */
BulkparPace *
bulkpar_pace_create(void)
{
	dsm_segment *segment = dsm_create(sizeof(BulkparPace), 0);
	BulkparPace *pace = dsm_segment_address(segment);

	dsm_pin_mapping(segment);
	memset(pace, 0, sizeof(BulkparPace));
	pg_atomic_init_u64(&pace->looked_at, GetCurrentTimestamp());
	pg_atomic_init_u32(&pace->share, SHARE_UNIT);
	cap_init(&pace->rows);
	cap_init(&pace->wal);
	pg_atomic_init_u32(&pace->lock_wait, 0);
	pg_atomic_init_u32(&pace->target_time, 0);
	pg_atomic_init_u32(&pace->throttled, 0);
	pg_atomic_init_u32(&pace->batch_size, 0);
	pg_atomic_init_u32(&pace->workers, 0);
	for (int i = 0; i < WORDS; i++)
		pg_atomic_init_u32(&pace->retired[i], 0);
	SpinLockInit(&pace->mutex);
	pace->handle = dsm_segment_handle(segment);
	return pace;
}

/* By what workers attach. */
dsm_handle
bulkpar_pace_handle(const BulkparPace *pace)
{
	return pace->handle;
}

/* Tell a worker that was launched before the job was stored which it is. */
void
bulkpar_pace_tell_job(BulkparPace *pace, int64 job_id, int runs)
{
	PGPROC	   *waiter;

	SpinLockAcquire(&pace->mutex);
	pace->job_id = job_id;
	pace->runs = runs;
	waiter = pace->waiter;
	SpinLockRelease(&pace->mutex);
	if (waiter != NULL)
		SetLatch(&waiter->procLatch);
}

/* Wait until this process is told that, outside of any transaction. */
void
bulkpar_pace_await_job(int64 *job_id, int *runs)
{
	for (;;)
	{
		SpinLockAcquire(&attached->mutex);
		attached->waiter = MyProc;
		*job_id = attached->job_id;
		*runs = attached->runs;
		SpinLockRelease(&attached->mutex);
		if (*job_id != 0)
			return;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Set the limits of the job that its workers keep. */
void
bulkpar_pace_limit(BulkparPace *pace, const BulkparLimits *limits)
{
	pg_atomic_write_u32(&pace->lock_wait, limits->lock_wait);
	pg_atomic_write_u32(&pace->target_time, limits->target_batch_time);
	SpinLockAcquire(&pace->mutex);
	pace->max_rows = limits->max_rows;
	SpinLockRelease(&pace->mutex);
	cap_limit(&pace->rows, limits->max_rows_per_second);
	cap_limit(&pace->wal, limits->max_wal_rate / 1024.0);
}

/* Let batches be of that size, and only so many workers be left. */
void
bulkpar_pace_alter(BulkparPace *pace, int batch_size, int workers)
{
	pg_atomic_write_u32(&pace->batch_size, batch_size);
	pg_atomic_write_u32(&pace->workers, workers);
}

/* Whether the worker at a place has retired since it was last asked. */
bool
bulkpar_pace_take_retired(BulkparPace *pace, int place)
{
	uint32		bit = (uint32) 1 << (place % WORD_BITS);

	return (pg_atomic_fetch_and_u32(&pace->retired[place / WORD_BITS],
									~bit) & bit) != 0;
}

/* How many rows the workers have changed in this run. */
int64
bulkpar_pace_rows(BulkparPace *pace)
{
	int64		rows;

	SpinLockAcquire(&pace->mutex);
	rows = pace->rows_spent;
	SpinLockRelease(&pace->mutex);
	return rows;
}

/* Forget what is used of the caps: that was by another clock. */
void
bulkpar_pace_forget(BulkparPace *pace)
{
	pg_atomic_write_u64(&pace->rows.used_until, 0);
	pg_atomic_write_u64(&pace->wal.used_until, 0);
}

/*
 * Let the workers work for this share of their time, from 0 to 1.  The reason
 * is what they show while they wait; throttled is whether that is less than the
 * job would by itself.
 */
void
bulkpar_pace_set(BulkparPace *pace, double share, bool throttled,
				 const char *reason)
{
	char		text[BULKPAR_REASON_TEXT] = {0};

	bulkpar_clip(text, sizeof(text), reason);
	SpinLockAcquire(&pace->mutex);
	memcpy(pace->reason, text, sizeof(text));
	SpinLockRelease(&pace->mutex);
	pg_atomic_write_u32(&pace->throttled, throttled);
	/* None at all means that the job is held, which is another thing. */
	pg_atomic_write_u32(&pace->share, share <= 0 ? 0 :
						Max((uint32) (share * SHARE_UNIT), 1));
	pg_atomic_write_u64(&pace->looked_at, GetCurrentTimestamp());
}

/* Let this process be the worker of that coordinator at that place. */
void
bulkpar_pace_attach(dsm_handle handle, int place)
{
	dsm_segment *segment = dsm_attach(handle);

	if (segment == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("could not map the dynamic shared memory segment of a bulkpar job")));
	dsm_pin_mapping(segment);
	on_dsm_detach(segment, detach, (Datum) 0);
	attached = dsm_segment_address(segment);
	own_place = place;
	work_started = GetCurrentTimestamp();
}

/* How long a batch waits for a lock, in milliseconds, or 0 for ever. */
int
bulkpar_pace_lock_wait(void)
{
	return (int) pg_atomic_read_u32(&attached->lock_wait);
}

/* How long a batch should take, in milliseconds, or 0. */
int
bulkpar_pace_target_time(void)
{
	return (int) pg_atomic_read_u32(&attached->target_time);
}

/* Whether the job is slowed down by what the server around it says. */
bool
bulkpar_pace_is_throttled(void)
{
	return pg_atomic_read_u32(&attached->throttled) != 0;
}

/* The batch size of the job if it was altered, or else the one before. */
int
bulkpar_pace_batch_size(int before)
{
	int			batch_size = (int) pg_atomic_read_u32(&attached->batch_size);

	return batch_size == 0 ? before : batch_size;
}

/* The same of the number of its workers. */
int
bulkpar_pace_workers(int before)
{
	int			workers = (int) pg_atomic_read_u32(&attached->workers);

	return workers == 0 ? before : workers;
}

/* Whether this worker is one too many. */
bool
bulkpar_pace_is_retired(void)
{
	return own_place >= bulkpar_pace_workers(own_place + 1);
}

/* Whether it is, and therefore ends now. */
bool
bulkpar_pace_retire(void)
{
	if (!bulkpar_pace_is_retired())
		return false;
	(void) pg_atomic_fetch_or_u32(&attached->retired[own_place / WORD_BITS],
								  (uint32) 1 << (own_place % WORD_BITS));
	return true;
}

/* The worker was asleep, and begins to work now. */
void
bulkpar_pace_start(void)
{
	work_started = GetCurrentTimestamp();
}

/*
 * Look what others want of this worker, outside of any transaction.  Throws
 * when it was cancelled or terminated, ends the process if the server has died,
 * and reads a changed configuration.
 */
void
bulkpar_pace_check_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
	if (!PostmasterIsAlive())
		proc_exit(1);
	(void) bulkpar_process_reload();
}

/*
 * Take so many rows that the next batch may change, or as many as there are left;
 * returns how many.  What an earlier batch has taken, which did not commit, is
 * among them.
 */
static int
take_rows(int count)
{
	int64		left;

	committing = false;
	SpinLockAcquire(&attached->mutex);
	attached->rows_taken -= taken;
	left = attached->max_rows == 0 ? count :
		attached->max_rows - attached->rows_taken;
	taken = Max(0, Min(count, left));
	attached->rows_taken += taken;
	SpinLockRelease(&attached->mutex);
	return (int) taken;
}

/* No batch follows for now, so leave others what was taken for it. */
void
bulkpar_pace_give_back(void)
{
	(void) take_rows(0);
}

/*
 * The batch has changed so many rows, and is about to commit.  They are more than
 * were taken for it only of a statement that makes several of one.
 */
void
bulkpar_pace_spend(int64 rows)
{
	SpinLockAcquire(&attached->mutex);
	attached->rows_taken += rows - taken;
	SpinLockRelease(&attached->mutex);
	taken = rows;
	committing = true;
}

/* Detach callback: give back what was taken, unless it may have been spent. */
static void
detach(dsm_segment *segment, Datum arg)
{
	SpinLockAcquire(&attached->mutex);
	if (committing)
		attached->rows_spent += taken;
	else
		attached->rows_taken -= taken;
	SpinLockRelease(&attached->mutex);
	taken = 0;
}

/* A batch has committed, which counts for the caps. */
void
bulkpar_pace_count(int64 rows, uint64 wal_bytes)
{
	SpinLockAcquire(&attached->mutex);
	attached->rows_spent += taken;
	SpinLockRelease(&attached->mutex);
	taken = 0;
	committing = false;
	rows_until = cap_use(&attached->rows, rows);
	wal_until = cap_use(&attached->wal, (wal_bytes + 1023) / 1024);
}

/*
 * Wait until the next batch may start, or the worker is retired.  Must be called
 * outside of a transaction.  Throws when the worker was told to end, also by the
 * end of its coordinator.
 *
 * Returns how many rows the batch may change, of so many that it would.  *shown
 * is set if pg_stat_activity says now that we wait.
 */
int
bulkpar_pace_wait(int64 job_id, int rows, bool *shown)
{
	TimestampTz work_ended = GetCurrentTimestamp();
	TimestampTz now = work_ended;
	int			taken_rows = 0;

	*shown = false;
	Assert(!IsTransactionState());
	bulkpar_pace_check_interrupts();
	for (;;)
	{
		TimestampTz end = end_of_wait(now, work_ended);
		long		left;

		if (now >= end)
			taken_rows = take_rows(rows);
		if (taken_rows > 0 || bulkpar_pace_is_retired())
			break;
		/* Others may give back of what they have taken. */
		if (now >= end)
			end = DT_NOEND;
		left = TimestampDifferenceMilliseconds(now, end);
		if (!*shown && left >= LOOK_INTERVAL)
		{
			show_wait();
			*shown = true;
		}
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Max(Min(left, LOOK_INTERVAL), 1), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		bulkpar_pace_check_interrupts();
		now = GetCurrentTimestamp();
		/* The clock may have been set back. */
		work_ended = Min(work_ended, now);
		if (end == DT_NOEND)
			check_coordinator(job_id);
	}
	work_started = now;
	return taken_rows;
}

/* When the wait is over, as it looks now; DT_NOEND while the job is held. */
static TimestampTz
end_of_wait(TimestampTz now, TimestampTz work_ended)
{
	TimestampTz looked_at = pg_atomic_read_u64(&attached->looked_at);
	double		share = pg_atomic_read_u32(&attached->share) /
		(double) SHARE_UNIT;
	TimestampTz end = work_ended;

	if (share <= 0 || now - looked_at > MAX_AGE * INT64CONST(1000))
		return DT_NOEND;
	end += (work_ended - work_started) * (1 / share - 1);
	end = Max(end, cap_end(&attached->rows, rows_until));
	end = Max(end, cap_end(&attached->wal, wal_until));
	return end;
}

/* Show in pg_stat_activity why nothing is done. */
static void
show_wait(void)
{
	char		activity[BULKPAR_REASON_TEXT + 16] = "throttled: ";
	char		reason[BULKPAR_REASON_TEXT];

	SpinLockAcquire(&attached->mutex);
	memcpy(reason, attached->reason, sizeof(reason));
	SpinLockRelease(&attached->mutex);
	strlcat(activity, reason, sizeof(activity));
	pgstat_report_activity(STATE_RUNNING, activity);
}

/* A job that is held is at an end when its coordinator has gone. */
static void
check_coordinator(int64 job_id)
{
	static TimestampTz last = 0;
	MemoryContext context = CurrentMemoryContext;
	TimestampTz now = GetCurrentTimestamp();
	bool		alive;

	if (now - last < USECS_PER_SEC)
		return;
	last = now;
	bulkpar_process_start_transaction();
	alive = bulkpar_joblock_is_held(job_id);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	if (!alive)
		ereport(FATAL,
				(errcode(ERRCODE_ADMIN_SHUTDOWN),
				 errmsg("the coordinator of bulkpar job " INT64_FORMAT
						" has ended", job_id)));
}

static void
cap_init(Cap *cap)
{
	pg_atomic_init_u64(&cap->nanoseconds, 0);
	pg_atomic_init_u64(&cap->used_until, 0);
}

/* So many units per second; 0 for as many as can be. */
static void
cap_limit(Cap *cap, double units_per_second)
{
	uint64		nanoseconds = units_per_second == 0 ? 0 :
		Max((uint64) (1e9 / units_per_second), 1);

	if (pg_atomic_read_u64(&cap->nanoseconds) == nanoseconds)
		return;
	pg_atomic_write_u64(&cap->nanoseconds, nanoseconds);
	pg_atomic_write_u64(&cap->used_until, 0);
}

/* Use so many units, and return when that is paid for. */
static TimestampTz
cap_use(Cap *cap, int64 units)
{
	uint64		old = pg_atomic_read_u64(&cap->used_until);
	uint64		start;
	uint64		new;

	if (pg_atomic_read_u64(&cap->nanoseconds) == 0)
		return 0;
	start = Min(work_started, GetCurrentTimestamp());
	do
		new = Max(old, start) +
			units * pg_atomic_read_u64(&cap->nanoseconds) / 1000;
	while (!pg_atomic_compare_exchange_u64(&cap->used_until, &old, new));
	return new;
}

/*
 * When what was paid for at that time is: sooner if the cap has been forgotten
 * since, or is no more.
 */
static TimestampTz
cap_end(Cap *cap, TimestampTz until)
{
	TimestampTz used_until = pg_atomic_read_u64(&cap->used_until);

	return pg_atomic_read_u64(&cap->nanoseconds) == 0 ? 0 :
		Min(until, used_until);
}
