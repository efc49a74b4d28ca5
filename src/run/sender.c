/*-------------------------------------------------------------------------
 *
 * sender.c
 *		Who takes WAL of the server, as its senders say in shared memory.
 *
 * Nothing here needs a transaction or a privilege.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/sender.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "replication/slot.h"
#include "replication/walsender.h"
#include "storage/lwlock.h"
#include "storage/spin.h"
#include "utils/backend_status.h"

#include "compat.h"
#include "run/sender.h"

/* Copy a sender.  False if there is none who may send to a standby. */
bool
bulkpar_sender_read(WalSnd *sender, WalSnd *copy)
{
	SpinLockAcquire(&sender->mutex);
	*copy = *sender;
	SpinLockRelease(&sender->mutex);

	return copy->pid != 0 && !XLogRecPtrIsInvalid(copy->apply) &&
		copy->state != WALSNDSTATE_STARTUP &&
		copy->state != WALSNDSTATE_BACKUP;
}

/*
 * How a process calls itself; name has NAMEDATALEN bytes.  It looks at all
 * processes, which takes long compared with all the rest.
 */
bool
bulkpar_sender_read_name(int pid, char *name)
{
	int			count = pgstat_fetch_stat_numbackends();
	bool		found = false;
	int			i;

	for (i = 1; i <= count && !found; i++)
	{
		const PgBackendStatus *status = bulkpar_compat_backend_status(i);

		if (status == NULL || status->st_procpid != pid)
			continue;
		strlcpy(name, status->st_appname, NAMEDATALEN);
		found = true;
	}
	pgstat_clear_backend_activity_snapshot();
	return found;
}

/* The slot that a process uses, which is left empty if there is none. */
void
bulkpar_sender_read_slot(int pid, char *slot)
{
	int			i;

	LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
	for (i = 0; i < max_replication_slots; i++)
	{
		ReplicationSlot *s = &ReplicationSlotCtl->replication_slots[i];
		int			user;

		if (!s->in_use)
			continue;
		SpinLockAcquire(&s->mutex);
		user = bulkpar_compat_slot_user(s);
		SpinLockRelease(&s->mutex);
		if (user == pid)
			strlcpy(slot, NameStr(s->data.name), NAMEDATALEN);
	}
	LWLockRelease(ReplicationSlotControlLock);
}

/* Whether a slot keeps WAL, for when somebody comes back for it. */
bool
bulkpar_sender_slot_is_there(const char *name)
{
	ReplicationSlot *slot;
	bool		there = false;

	LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
	slot = SearchNamedReplicationSlot(name, false);
	if (slot != NULL)
	{
		SpinLockAcquire(&slot->mutex);
		there = !bulkpar_compat_slot_is_lost(slot);
		SpinLockRelease(&slot->mutex);
	}
	LWLockRelease(ReplicationSlotControlLock);
	return there;
}

/* Whether a slot keeps rows that queries of its standby may see. */
bool
bulkpar_sender_slot_has_xmin(const char *name)
{
	ReplicationSlot *slot;
	bool		has_xmin = false;

	LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
	slot = SearchNamedReplicationSlot(name, false);
	if (slot != NULL)
	{
		SpinLockAcquire(&slot->mutex);
		has_xmin = TransactionIdIsValid(slot->effective_xmin);
		SpinLockRelease(&slot->mutex);
	}
	LWLockRelease(ReplicationSlotControlLock);
	return has_xmin;
}

/* Whether a list has a name in it, with commas and blanks around. */
bool
bulkpar_sender_is_listed(const char *list, const char *name)
{
	Size		length = strlen(name);

	while (list != NULL && *list != '\0')
	{
		Size		item;

		list += strspn(list, ", \t\n");
		item = strcspn(list, ",");
		while (item > 0 && strchr(" \t\n", list[item - 1]) != NULL)
			item--;
		if (item == length && pg_strncasecmp(list, name, item) == 0)
			return item > 0;
		list += strcspn(list, ",");
	}
	return false;
}
