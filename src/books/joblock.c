/*-------------------------------------------------------------------------
 *
 * joblock.c
 *		The lock that says that a job is alive.
 *
 * It is a user lock, which a rollback does not release but the end of the
 * process does.  pg_advisory_unlock_all() would, but no user code runs in a
 * coordinator.  pg_locks shows it as a userlock on bulkpar_job and the job's
 * id; it cannot be confused with an advisory lock.
 *
 * The workers hold the same lock in a mode that conflicts with none of these.
 * It says which processes are the job's, which a name that a process has given
 * itself could not.  User code can release it: then its own job is not seen to
 * be in a deadlock.
 *
 * Each function must be called in a transaction.  Those that read pg_locks do it
 * as bookkeeping.c says, and so lock our tables to the end of the
 * (sub)transaction; the others lock nothing but what they say.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/joblock.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/lock.h"

#include "books/argument.h"
#include "books/bookkeeping.h"
#include "books/books.h"
#include "books/column.h"
#include "books/joblock.h"
#include "compat.h"

/* How often to try, while others look whether a job is alive. */
#define MAX_LOCK_TRIES 10

/* The pids of the processes of a job, with the arguments of enter. */
#define PROCESSES \
	"SELECT l.pid FROM pg_locks l WHERE l.locktype = 'userlock' " \
	"AND l.granted AND l.mode IN ('ExclusiveLock', 'AccessShareLock') " \
	"AND l.classid = $job_table " \
	"AND l.objid = ($job_id & 4294967295)::oid " \
	"AND l.objsubid = ($job_id >> 32) " \
	"AND l.database = (SELECT d.oid FROM pg_database d " \
	"WHERE d.datname = current_database()) "

/* The lock that this process has taken as a coordinator. */
static LOCKTAG taken;

static void enter(BulkparBookkeeping *books, int64 job_id);
static void job_locktag(LOCKTAG *tag, int64 job_id);

/*
 * Take the lock that says that a job's coordinator is alive.  It is held
 * until it is released or the process ends, whatever becomes of the transaction.
 * False if another process holds it.  Waits for nobody but those who just look,
 * and can be cancelled meanwhile.
 */
bool
bulkpar_joblock_take(int64 job_id)
{
	job_locktag(&taken, job_id);

	/* Somebody may just be looking whether it is held. */
	for (int i = 0; i < MAX_LOCK_TRIES; i++)
	{
		if (LockAcquire(&taken, ExclusiveLock, true, true) !=
			LOCKACQUIRE_NOT_AVAIL)
			return true;
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 10, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return false;
}

/* Release it.  Needs no transaction, and can be called in an exit callback. */
void
bulkpar_joblock_release(void)
{
	(void) LockRelease(&taken, ExclusiveLock, true);
}

/*
 * Let the lock say that this process is a worker of the job, if it does not.
 * Does not wait; the lock is held until the process ends or user code releases
 * it.
 */
void
bulkpar_joblock_mark(int64 job_id)
{
	LOCKTAG		tag;

	job_locktag(&tag, job_id);
	if (!bulkpar_compat_lock_held_by_me(&tag, AccessShareLock))
		(void) LockAcquire(&tag, AccessShareLock, true, true);
}

/* Whether the process with this pid is one of the job. */
bool
bulkpar_joblock_has_process(int64 job_id, int pid)
{
	static BulkparQuery look = {
		.read_only = true,
		.sql =
		PROCESSES "AND l.pid = $pid"
	};
	BulkparBookkeeping books;
	bool		has;

	enter(&books, job_id);
	bulkpar_argument_int32(&books, "pid", pid);
	has = bulkpar_bookkeeping_run(&books, &look) > 0;
	bulkpar_bookkeeping_leave(&books);
	return has;
}

/*
 * Whether a process of the job waits for a lock that the process with this pid
 * holds, directly or through others, or did in the last waited milliseconds and
 * will again: a worker does not wait for long, see lockwait.c.  For whom it has
 * waited then may have nothing to do with the job any more, unless that one has
 * waited for somebody in turn ever since.
 */
bool
bulkpar_joblock_waits_for(int64 job_id, int pid, int64 waited)
{
	static BulkparQuery look = {
		.read_only = true,
		.sql =
		"WITH RECURSIVE waiting(pid) AS (" PROCESSES
		"UNION SELECT substring(t.throttled_by FROM 'process ([0-9]+)')::int4 "
		"FROM (SELECT j.throttled_by, j.throttled_at FROM @bulkpar_job j "
		"WHERE j.job_id = $job_id UNION ALL "
		"SELECT c.throttled_by, c.throttled_at FROM @bulkpar_chunk c "
		"WHERE c.job_id = $job_id AND c.status = 'running') t "
		"WHERE t.throttled_at > clock_timestamp() "
		"- $waited::float8 * '1 millisecond'::interval "
		"AND (substring(t.throttled_by FROM 'process ([0-9]+)')::int4 = $pid "
		"OR EXISTS (SELECT FROM pg_locks l WHERE NOT l.granted AND l.pid = "
		"substring(t.throttled_by FROM 'process ([0-9]+)')::int4 "
		"AND l.waitstart < t.throttled_at)) "
		"UNION SELECT b.pid FROM waiting w, "
		"unnest(pg_blocking_pids(w.pid)) b(pid)) "
		"SELECT FROM waiting w WHERE w.pid = $pid"
	};
	BulkparBookkeeping books;
	bool		waits;

	enter(&books, job_id);
	bulkpar_argument_int32(&books, "pid", pid);
	bulkpar_argument_int64(&books, "waited", waited);
	waits = bulkpar_bookkeeping_run(&books, &look) > 0;
	bulkpar_bookkeeping_leave(&books);
	return waits;
}

/*
 * Whether a coordinator holds that lock.  Does not wait, and holds it for the
 * instant of the look if not.
 */
bool
bulkpar_joblock_is_held(int64 job_id)
{
	LOCKTAG		tag;

	job_locktag(&tag, job_id);
	if (LockAcquire(&tag, ShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	LockRelease(&tag, ShareLock, false);
	return false;
}

/*
 * The pid of the process that holds that lock; 0 if there is none.  It is
 * right only as long as the process lives.
 */
int
bulkpar_joblock_holder(int64 job_id)
{
	static BulkparQuery find = {
		.read_only = true,
		.sql =
		PROCESSES "AND l.mode = 'ExclusiveLock'"
	};
	BulkparBookkeeping books;
	int			pid = 0;

	enter(&books, job_id);
	if (bulkpar_bookkeeping_run(&books, &find) > 0)
		pid = bulkpar_column_int32(&books, "pid");
	bulkpar_bookkeeping_leave(&books);
	return pid;
}

/* With what PROCESSES needs. */
static void
enter(BulkparBookkeeping *books, int64 job_id)
{
	bulkpar_bookkeeping_enter_job(books, job_id);
	bulkpar_argument_oid(books, "job_table",
						 bulkpar_books_table(BULKPAR_BOOK_JOB));
}

static void
job_locktag(LOCKTAG *tag, int64 job_id)
{
	tag->locktag_field1 = MyDatabaseId;
	tag->locktag_field2 = bulkpar_books_table(BULKPAR_BOOK_JOB);
	tag->locktag_field3 = (uint32) job_id;
	tag->locktag_field4 = (uint16) (job_id >> 32);
	tag->locktag_type = LOCKTAG_USERLOCK;
	tag->locktag_lockmethodid = USER_LOCKMETHOD;
}
