/*-------------------------------------------------------------------------
 *
 * backlog.c
 *		How much WAL waits to be read or archived.
 *
 * WAL that a replication slot or the archive still needs stays on the disk of
 * the server.  What was there before the job does not count: a slot that nobody
 * has used for months would not let any job begin.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/backlog.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "pgstat.h"
#include "replication/slot.h"
#include "storage/lwlock.h"
#include "storage/spin.h"

#include "compat.h"
#include "run/backlog.h"
#include "run/law.h"

struct BulkparBacklog
{
	XLogRecPtr	start;			/* of the job */
	XLogRecPtr	archived;		/* up to here, as far as it was seen */
};

static void look_at_slots(const BulkparBacklog *backlog, XLogRecPtr end,
						  uint64 limit, BulkparReasons *reasons);
static XLogRecPtr read_slot(ReplicationSlot *slot);
static uint64 get_slot_limit(const BulkparLimits *limits);
static void look_at_archive(BulkparBacklog *backlog, XLogRecPtr end,
							uint64 limit, BulkparReasons *reasons);
static void read_archived(BulkparBacklog *backlog);
static void tell_backlog(const char *name, uint64 bytes, uint64 limit,
						 BulkparReasons *reasons);
static void format_bytes(char *to, Size size, uint64 bytes);

/* Begin to watch.  It lives in the current memory context. */
BulkparBacklog *
bulkpar_backlog_create(void)
{
	BulkparBacklog *backlog = palloc0(sizeof(BulkparBacklog));

	backlog->start = GetXLogInsertRecPtr();
	backlog->archived = backlog->start;
	return backlog;
}

/* Add the slot that is furthest behind, and the archive, if they are. */
void
bulkpar_backlog_look(BulkparBacklog *backlog, const BulkparLimits *limits,
					 BulkparReasons *reasons)
{
	XLogRecPtr	end = GetXLogInsertRecPtr();

	if (limits->max_wal_backlog <= 0)
		return;
	look_at_slots(backlog, end, get_slot_limit(limits), reasons);
	if (XLogArchivingActive())
		look_at_archive(backlog, end, limits->max_wal_backlog, reasons);
}

/*
 * Those that nobody reads count, too: it is they that fill the disk.
 */
static void
look_at_slots(const BulkparBacklog *backlog, XLogRecPtr end, uint64 limit,
			  BulkparReasons *reasons)
{
	XLogRecPtr	furthest = end;
	NameData	slot;
	char		name[BULKPAR_REASON_NAME];
	int			i;

	LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
	for (i = 0; i < max_replication_slots; i++)
	{
		ReplicationSlot *s = &ReplicationSlotCtl->replication_slots[i];
		XLogRecPtr	position = s->in_use ? read_slot(s) : InvalidXLogRecPtr;

		if (XLogRecPtrIsInvalid(position) || position >= furthest)
			continue;
		furthest = position;
		slot = s->data.name;
	}
	LWLockRelease(ReplicationSlotControlLock);

	if (furthest == end)
		return;
	snprintf(name, sizeof(name), "slot \"%s\"", NameStr(slot));
	tell_backlog(name, end - Max(furthest, backlog->start), limit, reasons);
}

/* Up to where a slot has been read; invalid if it holds nothing back. */
static XLogRecPtr
read_slot(ReplicationSlot *slot)
{
	XLogRecPtr	position;

	SpinLockAcquire(&slot->mutex);
	if (bulkpar_compat_slot_is_lost(slot))
		position = InvalidXLogRecPtr;
	else if (SlotIsLogical(slot))
		position = slot->data.confirmed_flush;
	else
		position = slot->data.restart_lsn;
	SpinLockRelease(&slot->mutex);
	return position;
}

/*
 * A slot is lost where it holds back more than the server lets it: the job
 * stops at the half.
 */
static uint64
get_slot_limit(const BulkparLimits *limits)
{
	uint64		half;

	if (max_slot_wal_keep_size_mb < 0)
		return limits->max_wal_backlog;
	half = (uint64) max_slot_wal_keep_size_mb * 1024 * 1024 / 2;
	return Min(Max(half, 1), (uint64) limits->max_wal_backlog);
}

/* Segments that are complete, for others cannot be archived yet. */
static void
look_at_archive(BulkparBacklog *backlog, XLogRecPtr end, uint64 limit,
				BulkparReasons *reasons)
{
	XLogRecPtr	complete = end - XLogSegmentOffset(end, wal_segment_size);

	read_archived(backlog);
	if (complete > backlog->archived)
		tell_backlog("archive", complete - backlog->archived, limit, reasons);
}

/*
 * Note up to where WAL has been archived.  A name of something else, or none
 * because the statistics were reset, says nothing about that.
 */
static void
read_archived(BulkparBacklog *backlog)
{
	int			consistency = pgstat_fetch_consistency;
	const PgStat_ArchiverStats *stats;
	TimeLineID	timeline;
	XLogSegNo	segment;
	XLogRecPtr	archived;

	/* No copy that outlives this look, nor one of all statistics there are. */
	pgstat_fetch_consistency = PGSTAT_FETCH_CONSISTENCY_NONE;
	stats = pgstat_fetch_stat_archiver();
	pgstat_fetch_consistency = consistency;

	if (!IsXLogFileName(stats->last_archived_wal))
		return;
	XLogFromFileName(stats->last_archived_wal, &timeline, &segment,
					 wal_segment_size);
	XLogSegNoOffsetToRecPtr(segment + 1, 0, wal_segment_size, archived);
	backlog->archived = Max(backlog->archived, archived);
}

static void
tell_backlog(const char *name, uint64 bytes, uint64 limit,
			 BulkparReasons *reasons)
{
	double		load = (double) bytes / limit;
	char		value[32];
	char		most[32];
	char		text[BULKPAR_REASON_TEXT];

	if (bulkpar_law_share(load, 0) >= 1)
		return;
	format_bytes(value, sizeof(value), bytes);
	format_bytes(most, sizeof(most), limit);
	snprintf(text, sizeof(text), "%s %s of %s", name, value, most);
	bulkpar_reasons_add(reasons, load, name, text);
}

/* Bytes in a unit in which they are not many. */
static void
format_bytes(char *to, Size size, uint64 bytes)
{
	static const char *const units[] = {"kB", "MB", "GB", "TB"};
	double		value = bytes / 1024.0;
	Size		i;

	for (i = 0; value >= 1024 && i < lengthof(units) - 1; i++)
		value /= 1024;
	snprintf(to, size, "%.1f %s", value, units[i]);
}
