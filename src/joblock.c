/*-------------------------------------------------------------------------
 *
 * joblock.c
 *		The lock that says that a job is alive.
 *
 * It is a user lock, which a rollback does not release but the end of the
 * process does.  pg_locks shows it as a userlock on bulkpar_job and the job's
 * id; it cannot be confused with an advisory lock.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/joblock.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/lsyscache.h"

#include "bookkeeping.h"
#include "job.h"

static void job_locktag(LOCKTAG *tag, int64 job_id);

/*
 * Take the lock that says that a job's coordinator is alive.  It is held
 * until the process ends.  False if another process holds it.
 */
bool
bulkpar_job_lock(int64 job_id)
{
	LOCKTAG		tag;

	job_locktag(&tag, job_id);
	return LockAcquire(&tag, ExclusiveLock, true, true) !=
		LOCKACQUIRE_NOT_AVAIL;
}

/* Whether some process holds that lock. */
bool
bulkpar_job_is_alive(int64 job_id)
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
bulkpar_job_coordinator(int64 job_id)
{
	static BulkparQuery find = {
		.read_only = true,
		.sql =
		"SELECT l.pid::int8 FROM pg_locks l WHERE l.locktype = 'userlock' "
		"AND l.granted AND l.mode = 'ExclusiveLock' "
		"AND l.classid = $2 "
		"AND l.objid = ($1 & 4294967295)::oid AND l.objsubid = ($1 >> 32) "
		"AND l.database = (SELECT d.oid FROM pg_database d "
		"WHERE d.datname = current_database())",
		.nargs = 2,
		.argtypes = {INT8OID, OIDOID}
	};
	BulkparBracket bracket;
	Datum		values[2];
	int			pid = 0;

	values[0] = Int64GetDatum(job_id);
	values[1] = ObjectIdGetDatum(get_relname_relid("bulkpar_job",
												   bulkpar_bookkeeping_schema()));
	bulkpar_bookkeeping_enter(&bracket);
	if (bulkpar_bookkeeping_run(&find, values, NULL) > 0)
		pid = (int) bulkpar_bookkeeping_int64(1);
	bulkpar_bookkeeping_leave(&bracket);
	return pid;
}

static void
job_locktag(LOCKTAG *tag, int64 job_id)
{
	tag->locktag_field1 = MyDatabaseId;
	tag->locktag_field2 = get_relname_relid("bulkpar_job",
											bulkpar_bookkeeping_schema());
	tag->locktag_field3 = (uint32) job_id;
	tag->locktag_field4 = (uint16) (job_id >> 32);
	tag->locktag_type = LOCKTAG_USERLOCK;
	tag->locktag_lockmethodid = USER_LOCKMETHOD;
}
