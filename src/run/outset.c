/*-------------------------------------------------------------------------
 *
 * outset.c
 *		What whoever starts a job should know of the standbys.
 *
 * A batch removes dead rows of earlier ones at once, which VACUUM would do much
 * later.  A standby whose queries may yet see them does not replay that before
 * it has cancelled these, or they have ended, unless it reports its snapshots
 * (hot_standby_feedback).  No throttle helps against that.
 *
 * A standby that is behind already will hold the job soon.  How old the WAL is
 * that it lacks nobody knows who has not watched it; what its sender has measured
 * last may be long ago.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/outset.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xlog.h"
#include "replication/walsender.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/builtins.h"

#include "compat.h"
#include "run/outset.h"
#include "run/sender.h"
#include "session/clip.h"

static bool reports_snapshots(int pid);
static const char *describe_lag(const WalSnd *sender,
								const BulkparLimits *limits);
static void add_to_list(char *list, const char *item);

/* Look at the standbys, but for those that a job is to ignore. */
void
bulkpar_outset_look(const BulkparLimits *limits, BulkparOutset *outset)
{
	memset(outset, 0, sizeof(BulkparOutset));
	for (int i = 0; i < max_wal_senders; i++)
	{
		WalSnd		sender;
		char		name[NAMEDATALEN];
		const char *lag;

		if (!bulkpar_sender_read(&WalSndCtl->walsnds[i], &sender) ||
			!bulkpar_compat_sends_physically(&sender) ||
			!bulkpar_sender_read_name(sender.pid, name) ||
			bulkpar_sender_is_listed(limits->ignore_replicas, name))
			continue;
		if (!reports_snapshots(sender.pid))
			add_to_list(outset->silent, psprintf("\"%s\"", name));
		lag = describe_lag(&sender, limits);
		if (lag != NULL)
			add_to_list(outset->behind, psprintf("\"%s\" by %s", name, lag));
	}
}

/*
 * Whether a standby says what its queries may see: the sender has that, or its
 * slot.
 */
static bool
reports_snapshots(int pid)
{
	PGPROC	   *proc = BackendPidGetProc(pid);
	char		slot[NAMEDATALEN] = "";

	if (proc == NULL || TransactionIdIsValid(proc->xmin))
		return true;
	bulkpar_sender_read_slot(pid, slot);
	return slot[0] != '\0' && bulkpar_sender_slot_has_xmin(slot);
}

/* How far a standby is behind, if that is too much or may soon be; or NULL. */
static const char *
describe_lag(const WalSnd *sender, const BulkparLimits *limits)
{
	XLogRecPtr	end = GetFlushRecPtr(NULL);
	XLogRecPtr	position = limits->replica_flush ? sender->flush :
		sender->apply;
	int64		bytes = end > position ? end - position : 0;
	int64		time = limits->replica_flush ? sender->flushLag :
		sender->applyLag;
	bool		late = time / 1000 >= limits->max_replica_lag;
	char	   *size;

	if (limits->max_replica_lag <= 0 || bytes == 0 ||
		(!late && bytes < wal_segment_size))
		return NULL;
	size = TextDatumGetCString(DirectFunctionCall1(pg_size_pretty,
												   Int64GetDatum(bytes)));
	return late ? psprintf("%s (%.1f s)", size, time / 1000000.0) : size;
}

static void
add_to_list(char *list, const char *item)
{
	Size		length = strlen(list);

	if (length > 0)
		item = psprintf(", %s", item);
	bulkpar_clip(list + length, BULKPAR_OUTSET_SIZE - length, item);
}
