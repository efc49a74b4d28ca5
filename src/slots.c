/*-------------------------------------------------------------------------
 *
 * slots.c
 *		The superuser's cap on the workers of all jobs.
 *
 * Under bulkpar.max_workers = N there are N locks in the server, and a
 * coordinator holds one of them for each of its workers.  They are held
 * until they are released or the process ends, whatever happens to it.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/slots.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/lock.h"

#include "bulkpar.h"
#include "slots.h"

/* Tells our locks from those of jobs, which have an object's OID there. */
#define SLOT_CLASS 1

static void slot_locktag(LOCKTAG *tag, int slot);

/*
 * Take a slot for a worker; false if none is free.  The slot is 0 if there is
 * no cap.
 */
bool
bulkpar_slots_acquire(int *slot)
{
	LOCKTAG		tag;

	*slot = 0;
	if (bulkpar_max_workers == 0)
		return true;
	for (int i = 1; i <= bulkpar_max_workers; i++)
	{
		LockAcquireResult result;

		slot_locktag(&tag, i);
		result = LockAcquire(&tag, ExclusiveLock, true, true);
		if (result == LOCKACQUIRE_OK)
		{
			*slot = i;
			return true;
		}
		/* One that we hold already now counts twice: undo that. */
		if (result != LOCKACQUIRE_NOT_AVAIL)
			LockRelease(&tag, ExclusiveLock, true);
	}
	return false;
}

void
bulkpar_slots_release(int slot)
{
	LOCKTAG		tag;

	if (slot == 0)
		return;
	slot_locktag(&tag, slot);
	LockRelease(&tag, ExclusiveLock, true);
}

/* A user lock of no database; see job.c for why a user lock. */
static void
slot_locktag(LOCKTAG *tag, int slot)
{
	tag->locktag_field1 = InvalidOid;
	tag->locktag_field2 = SLOT_CLASS;
	tag->locktag_field3 = slot;
	tag->locktag_field4 = 0;
	tag->locktag_type = LOCKTAG_USERLOCK;
	tag->locktag_lockmethodid = USER_LOCKMETHOD;
}
