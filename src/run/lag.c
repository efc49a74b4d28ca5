/*-------------------------------------------------------------------------
 *
 * lag.c
 *		How far the standbys of the server are behind, as time.
 *
 * What pg_stat_replication says will not do: its lag is that of the last WAL
 * that a standby has confirmed, so it stays small when the standby confirms no
 * more, and roles without pg_monitor do not see it.  Here it is the age of the
 * oldest WAL that the standby has not replayed (see ring.c), as the sender's
 * place in shared memory has it.  It is looked at without a transaction and
 * without a privilege.
 *
 * Standbys count, not what else takes WAL: pg_receivewal and pg_basebackup
 * never report that they have applied something, and who reads decoded changes
 * may be silent for as long as he likes.
 *
 * A standby whose sender is gone is behind as far as anybody knows.  It keeps
 * the job from going on as long as somebody says that it is to come back: it is
 * synchronous or has a slot.  Else, after a minute, it does no more.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/lag.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "replication/syncrep.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "run/lag.h"
#include "run/law.h"
#include "run/ring.h"
#include "run/sender.h"
#include "run/speed.h"

/* So long a standby without a slot may be gone, in milliseconds. */
#define GONE_TIMEOUT 60000

/* What is foretold counts from this part of the limit on, for one may stand still. */
#define MIN_PART 10

/*
 * And as so many times of it: a standby takes longer for some bytes than for others.
 * A job that waits for one is no slower for that.
 */
#define MARGIN 1.3

/* Who takes WAL. */
typedef struct Standby
{
	int			pid;			/* of its sender; 0 when that is gone */
	bool		counts;			/* it is a standby */
	bool		seen;			/* in the look at hand */
	char		name[NAMEDATALEN];
	char		slot[NAMEDATALEN];	/* empty for none */
	int			sync_priority;	/* 0 if it is not synchronous */
	XLogRecPtr	flush;
	XLogRecPtr	apply;
	BulkparSpeed speed;			/* of what counts of these two */
	TimeOffset	head_start;		/* how much older than the ring the WAL before
								 * it is, for this standby */
	TimestampTz gone_since;
} Standby;

struct BulkparLag
{
	BulkparRing ring;
	XLogRecPtr	written;		/* here */
	XLogRecPtr	flushed;
	bool		watching;		/* a standby that is there and has a limit */
	int			count;
	int			size;
	Standby		standbys[FLEXIBLE_ARRAY_MEMBER];
};

static XLogRecPtr get_end_of_wal(void);
static void turn_back_clock(BulkparLag *lag, TimestampTz now);
static void look_at_senders(BulkparLag *lag, TimestampTz now);
static void note_position(Standby *standby, const WalSnd *sender);
static Standby *find_standby(BulkparLag *lag, const WalSnd *sender);
static Standby *meet_standby(BulkparLag *lag, const WalSnd *sender);
static Standby *find_returned(BulkparLag *lag, const Standby *standby);
static Standby *make_place(BulkparLag *lag);
static void look_for_gone(BulkparLag *lag, TimestampTz now);
static void tell_lag(const BulkparLag *lag, Standby *standby,
					 const BulkparLimits *limits, TimestampTz now,
					 BulkparReasons *reasons);
static bool tell_gone(const Standby *standby, TimestampTz now,
					  BulkparReasons *reasons);
static bool is_expected(const Standby *standby);
static bool is_synchronous(const char *name);

/* Begin to watch.  It lives in the current memory context. */
BulkparLag *
bulkpar_lag_create(void)
{
	/* All senders that can be, and as many that are gone. */
	int			size = 2 * max_wal_senders + 1;
	BulkparLag *lag = palloc0(offsetof(BulkparLag, standbys) +
							  size * sizeof(Standby));

	lag->size = size;
	bulkpar_ring_start(&lag->ring, GetCurrentTimestamp(), get_end_of_wal());
	return lag;
}

/*
 * Add those standbys that are behind, or gone.  It is to be called about ten
 * times a second, also where there is no limit: one may be set later.
 */
void
bulkpar_lag_look(BulkparLag *lag, const BulkparLimits *limits,
				 TimestampTz now, BulkparReasons *reasons)
{
	int			i;

	turn_back_clock(lag, now);

	/* In this order, so that nobody seems to lag who is merely busy. */
	lag->flushed = GetFlushRecPtr(NULL);
	lag->written = get_end_of_wal();
	bulkpar_ring_add(&lag->ring, now, lag->written, lag->flushed);
	look_at_senders(lag, now);
	lag->watching = false;

	for (i = lag->count - 1; i >= 0; i--)
	{
		Standby    *standby = &lag->standbys[i];
		bool		ignored = limits->max_replica_lag <= 0 ||
			bulkpar_sender_is_listed(limits->ignore_replicas, standby->name);

		if (!standby->counts)
			continue;
		if (standby->pid != 0)
		{
			if (!ignored)
				tell_lag(lag, standby, limits, now, reasons);
			lag->watching |= !ignored;
		}
		else if (!tell_gone(standby, now, ignored ? NULL : reasons))
			*standby = lag->standbys[--lag->count];
	}
}

/* Whether there was a standby in the last look that the job may have to wait for. */
bool
bulkpar_lag_is_watching(const BulkparLag *lag)
{
	return lag->watching;
}

/*
 * The end of the last record.  At the border of a page the server says where
 * the next record will begin, which is behind the header of the page, but a
 * standby has replayed up to the border.
 */
static XLogRecPtr
get_end_of_wal(void)
{
	XLogRecPtr	end = GetXLogInsertRecPtr();
	uint64		header = XLogSegmentOffset(end, wal_segment_size) < XLOG_BLCKSZ ?
		SizeOfXLogLongPHD : SizeOfXLogShortPHD;

	return end % XLOG_BLCKSZ == header ? end - header : end;
}

/* Where the clock was set back, keep the ages. */
static void
turn_back_clock(BulkparLag *lag, TimestampTz now)
{
	int64		shift = now - lag->ring.looked_at;
	int			i;

	if (shift >= 0)
		return;
	bulkpar_ring_shift(&lag->ring, shift);
	for (i = 0; i < lag->count; i++)
		lag->standbys[i].gone_since += shift;
}

/*
 * Note how far each one is.  Who is gone is found out before the new ones are
 * met, for one of them may be the same.
 */
static void
look_at_senders(BulkparLag *lag, TimestampTz now)
{
	WalSnd		sender;
	int			i;

	for (i = 0; i < lag->count; i++)
		lag->standbys[i].seen = false;
	for (i = 0; i < max_wal_senders; i++)
		if (bulkpar_sender_read(&WalSndCtl->walsnds[i], &sender))
			note_position(find_standby(lag, &sender), &sender);
	look_for_gone(lag, now);
	for (i = 0; i < max_wal_senders; i++)
		if (bulkpar_sender_read(&WalSndCtl->walsnds[i], &sender) &&
			find_standby(lag, &sender) == NULL)
			note_position(meet_standby(lag, &sender), &sender);
}

/* Note how far a standby is; NULL is left alone. */
static void
note_position(Standby *standby, const WalSnd *sender)
{
	if (standby == NULL)
		return;
	standby->seen = true;
	standby->sync_priority = sender->sync_standby_priority;
	standby->flush = sender->flush;
	standby->apply = sender->apply;
}

static Standby *
find_standby(BulkparLag *lag, const WalSnd *sender)
{
	int			i;

	for (i = 0; i < lag->count; i++)
		if (lag->standbys[i].pid == sender->pid)
			return &lag->standbys[i];
	return NULL;
}

/*
 * A sender that has not been there before.  NULL if it is gone again, before
 * anything was known of it.
 *
 * What it lags behind has been measured by the sender only.  That is right
 * enough for WAL from before our first look.
 */
static Standby *
meet_standby(BulkparLag *lag, const WalSnd *sender)
{
	Standby		met = {0};
	Standby    *standby;

	met.pid = sender->pid;
	met.counts = bulkpar_compat_sends_physically(sender);
	if (met.counts)
	{
		if (!bulkpar_sender_read_name(met.pid, met.name))
			return NULL;
		bulkpar_sender_read_slot(met.pid, met.slot);
		if (sender->apply < lag->ring.samples[0].end)
			met.head_start = Max(sender->applyLag, 0);
	}
	standby = find_returned(lag, &met);
	if (standby == NULL)
		standby = make_place(lag);
	*standby = met;
	return standby;
}

/* The one that was gone and is back; rather that with the same slot. */
static Standby *
find_returned(BulkparLag *lag, const Standby *standby)
{
	Standby    *found = NULL;
	int			i;

	for (i = 0; i < lag->count; i++)
	{
		Standby    *other = &lag->standbys[i];

		if (other->pid != 0 || !standby->counts ||
			strcmp(other->name, standby->name) != 0)
			continue;
		if (found == NULL || strcmp(other->slot, standby->slot) == 0)
			found = other;
	}
	return found;
}

/* Where there is no place left, that of one who is gone. */
static Standby *
make_place(BulkparLag *lag)
{
	int			i;

	if (lag->count < lag->size)
		return &lag->standbys[lag->count++];
	for (i = 0; i < lag->size - 1; i++)
		if (lag->standbys[i].pid == 0)
			break;
	return &lag->standbys[i];
}

/* Note who has gone since the last look. */
static void
look_for_gone(BulkparLag *lag, TimestampTz now)
{
	int			i;

	for (i = lag->count - 1; i >= 0; i--)
	{
		Standby    *standby = &lag->standbys[i];

		if (standby->seen || standby->pid == 0)
			continue;
		standby->pid = 0;
		standby->gone_since = now;
		if (!standby->counts)
			*standby = lag->standbys[--lag->count];
	}
}

/*
 * What is said of a standby is how far it is behind, or will be with what is
 * written now, if that is more.
 */
static void
tell_lag(const BulkparLag *lag, Standby *standby, const BulkparLimits *limits,
		 TimestampTz now, BulkparReasons *reasons)
{
	XLogRecPtr	position = limits->replica_flush ? standby->flush :
		standby->apply;
	int64		age = bulkpar_ring_age(&lag->ring, now, position,
									   lag->flushed);
	int64		left = 0;
	double		load;
	char		name[BULKPAR_REASON_NAME];
	char		text[BULKPAR_REASON_TEXT];

	if (position < lag->ring.samples[0].end && age > 0)
		age += standby->head_start;
	bulkpar_speed_note(&standby->speed, now, position, lag->flushed);
	if (age / 1000.0 * MIN_PART >= limits->max_replica_lag)
		left = bulkpar_speed_time_left(&standby->speed, position, lag->written);
	load = Max(age, MARGIN * left) / 1000.0 / limits->max_replica_lag;
	if (bulkpar_law_share(load, 0) >= 1)
		return;
	snprintf(name, sizeof(name), "replica \"%s\"", standby->name);
	snprintf(text, sizeof(text), "%s %s %.1f s of %g s", name,
			 limits->replica_flush ? "flush" : "replay",
			 Max(age, left) / 1000000.0,
			 limits->max_replica_lag / 1000.0);
	bulkpar_reasons_add(reasons, load, name, text);
}

/*
 * A standby that is gone.  False if it is not waited for any more.  Without
 * reasons it is, for the same time, but nobody is told.
 */
static bool
tell_gone(const Standby *standby, TimestampTz now, BulkparReasons *reasons)
{
	char		name[BULKPAR_REASON_NAME];
	char		text[BULKPAR_REASON_TEXT];
	bool		waited_for;

	waited_for = is_expected(standby) ||
		!TimestampDifferenceExceeds(standby->gone_since, now, GONE_TIMEOUT);
	if (reasons == NULL)
		return waited_for;

	snprintf(name, sizeof(name), "replica \"%s\"", standby->name);
	if (waited_for)
	{
		snprintf(text, sizeof(text), "%s is gone", name);
		bulkpar_reasons_add(reasons, 1, name, text);
	}
	else
		snprintf(reasons->notice, sizeof(reasons->notice),
				 "%s is gone and not waited for any more", name);
	return waited_for;
}

/* Whether the server is set up for a standby to come back. */
static bool
is_expected(const Standby *standby)
{
	return (standby->slot[0] != '\0' && bulkpar_sender_slot_is_there(standby->slot)) ||
		(standby->sync_priority > 0 && is_synchronous(standby->name));
}

/*
 * Whether a standby that was synchronous may still be: its name is somewhere in
 * the setting, or all are meant.
 */
static bool
is_synchronous(const char *name)
{
	const char *names = SyncRepStandbyNames;
	Size		length = strlen(name);

	if (names == NULL)
		return false;
	for (; *names != '\0'; names++)
		if (*names == '*' ||
			(length > 0 && pg_strncasecmp(names, name, length) == 0))
			return true;
	return false;
}
