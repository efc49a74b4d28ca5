/*-------------------------------------------------------------------------
 *
 * quota.c
 *		How many processes jobs may have, all together and of each role.
 *
 * The server has background worker slots for all its extensions and parallel
 * queries, and a process that takes one does not count as a connection.  So
 * jobs have limits of their own: bulkpar.max_workers for all of them, and the
 * connection limit of a role, against which its sessions count as well.
 *
 * Under a limit of N there are N locks in the server, and a coordinator holds
 * one of them for itself and one for each of its workers.  They are held until
 * they are released or the process ends, whatever happens to it.  No user code
 * runs in a coordinator, which could release them.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/quota.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/procarray.h"
#include "utils/syscache.h"

#include "bulkpar.h"
#include "run/quota.h"
#include "session/process.h"

/*
 * The second field of our locks.  In those of joblock.c, which are user locks
 * as well, it is the OID of a table, and so never as small.
 */
#define JOBS_CLASS 1
#define ROLE_CLASS 2

static int	limit_of_jobs(void);
static int	limit_of_role(Oid role);
static int	acquire(int limit, Oid role);
static void release(int number, Oid role);
static void quota_locktag(LOCKTAG *tag, int number, Oid role);

/*
 * Take what a process that connects as a role needs of the limits.  Says which
 * of them is reached, if one is; then nothing was taken.
 */
BulkparShortage
bulkpar_quota_acquire(Oid role, BulkparQuota *quota)
{
	int			jobs = limit_of_jobs();
	int			own = limit_of_role(role);

	memset(quota, 0, sizeof(BulkparQuota));
	quota->role = role;
	if (jobs >= 0)
	{
		quota->of_jobs = acquire(jobs, InvalidOid);
		if (quota->of_jobs == 0)
			return BULKPAR_SHORTAGE_JOBS;
	}
	if (own >= 0)
	{
		quota->of_role = acquire(own, role);
		if (quota->of_role == 0)
		{
			bulkpar_quota_release(quota);
			return BULKPAR_SHORTAGE_ROLE;
		}
	}
	return BULKPAR_SHORTAGE_NONE;
}

/* Give back what was taken. */
void
bulkpar_quota_release(const BulkparQuota *quota)
{
	if (quota->of_jobs != 0)
		release(quota->of_jobs, InvalidOid);
	if (quota->of_role != 0)
		release(quota->of_role, quota->role);
}

/* Error detail: what is in use. */
int
bulkpar_quota_errdetail(BulkparShortage shortage)
{
	if (shortage == BULKPAR_SHORTAGE_JOBS)
		return errdetail("All processes that \"bulkpar.max_workers\" allows the jobs of this server are in use.");
	if (shortage == BULKPAR_SHORTAGE_ROLE)
		return errdetail("The processes of a job count against the connection limit of its role, as the sessions of the role do.");
	return errdetail("All background worker slots are in use.");
}

/* Error hint: what to raise. */
int
bulkpar_quota_errhint(BulkparShortage shortage)
{
	if (shortage == BULKPAR_SHORTAGE_JOBS)
		return errhint("You may need to increase \"bulkpar.max_workers\", which is half of \"max_worker_processes\" by default; a job needs at least two processes, and three with \"bulkpar.throttle_query\".");
	if (shortage == BULKPAR_SHORTAGE_ROLE)
		return errhint("A job needs at least two processes, and three with \"bulkpar.throttle_query\". Use ALTER ROLE ... CONNECTION LIMIT to allow more.");
	return errhint("You may need to increase \"max_worker_processes\"; a job needs at least two slots, and three with \"bulkpar.throttle_query\".");
}

/* The processes that all jobs may have; -1 for no limit. */
static int
limit_of_jobs(void)
{
	if (bulkpar_max_workers > 0)
		return bulkpar_max_workers;
	return bulkpar_max_workers == 0 ? -1 : Max(max_worker_processes / 2, 2);
}

/* What its sessions leave a role of its connections; -1 for no limit. */
static int
limit_of_role(Oid role)
{
	bool		own_transaction = !IsTransactionState();
	int			limit = -1;
	HeapTuple	tuple;

	if (own_transaction)
		bulkpar_process_start_transaction();
	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_authid form = (Form_pg_authid) GETSTRUCT(tuple);

		if (!form->rolsuper && form->rolconnlimit >= 0)
			limit = Max(form->rolconnlimit - CountUserBackends(role), 0);
		ReleaseSysCache(tuple);
	}
	if (own_transaction)
		CommitTransactionCommand();
	return limit;
}

/*
 * Take one of the locks from 1 to the limit, for as long as this process lives
 * unless it is released; returns its number, or 0 if none is free.
 */
static int
acquire(int limit, Oid role)
{
	for (int i = 1; i <= Min(limit, max_worker_processes); i++)
	{
		LOCKTAG		tag;
		LockAcquireResult result;

		quota_locktag(&tag, i, role);
		result = LockAcquire(&tag, ExclusiveLock, true, true);
		if (result == LOCKACQUIRE_OK)
			return i;
		/* One that we hold already now counts twice: undo that. */
		if (result != LOCKACQUIRE_NOT_AVAIL)
			LockRelease(&tag, ExclusiveLock, true);
	}
	return 0;
}

static void
release(int number, Oid role)
{
	LOCKTAG		tag;

	Assert(number > 0);
	quota_locktag(&tag, number, role);
	LockRelease(&tag, ExclusiveLock, true);
}

/*
 * A user lock, as that of joblock.c is one: no rollback releases it.  It is of
 * no database, since the limits are those of the server.
 */
static void
quota_locktag(LOCKTAG *tag, int number, Oid role)
{
	Assert(number <= PG_UINT16_MAX);
	tag->locktag_field1 = InvalidOid;
	tag->locktag_field2 = OidIsValid(role) ? ROLE_CLASS : JOBS_CLASS;
	tag->locktag_field3 = role;
	tag->locktag_field4 = (uint16) number;
	tag->locktag_type = LOCKTAG_USERLOCK;
	tag->locktag_lockmethodid = USER_LOCKMETHOD;
}
