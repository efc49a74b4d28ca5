/*-------------------------------------------------------------------------
 *
 * speed.c
 *		How fast a standby comes forward, and when it will have done what is left.
 *
 * The age of what it has not replayed says how it was when that was written.
 * What matters is what becomes of the WAL that is written now: where a standby
 * replays a third of what a job writes, the age is a third of a second when
 * there is already work for a second, and all of it is written when the age says
 * so.  Only who has something to do has a speed: a time counts in which it did
 * not get as far as WAL was at its beginning, the longest of the last two
 * seconds.  In any other it was as fast as that at least.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/speed.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "run/speed.h"

/* How far marks are apart, which is as long as a time that says something. */
#define MARK_INTERVAL (USECS_PER_SEC / 8)

/* So long a speed is remembered. */
#define MAX_AGE (10 * USECS_PER_SEC)

static void estimate(BulkparSpeed *speed, TimestampTz now, XLogRecPtr position);
static void add_mark(BulkparSpeed *speed, TimestampTz now,
					 XLogRecPtr position, XLogRecPtr end);

/*
 * Note where it is, and how far it could be by now.  To be called at each look.
 */
void
bulkpar_speed_note(BulkparSpeed *speed, TimestampTz now, XLogRecPtr position,
				   XLogRecPtr end)
{
	const BulkparSpeedMark *last = speed->count == 0 ? NULL :
		&speed->marks[speed->count - 1];

	if (last != NULL && (now < last->time || position < last->position))
	{
		memset(speed, 0, sizeof(BulkparSpeed));
		last = NULL;
	}
	estimate(speed, now, position);
	if (now - speed->known_at > MAX_AGE)
		speed->bytes = 0;
	if (last == NULL || now - last->time >= MARK_INTERVAL)
		add_mark(speed, now, position, end);
}

static void
estimate(BulkparSpeed *speed, TimestampTz now, XLogRecPtr position)
{
	for (int i = 0; i < speed->count; i++)
	{
		const BulkparSpeedMark *mark = &speed->marks[i];
		bool		busy = position < mark->end;
		double		bytes;

		if (now - mark->time < MARK_INTERVAL || position == mark->position)
			break;
		bytes = (double) (position - mark->position) / (now - mark->time);
		if (busy || (speed->bytes > 0 && bytes > speed->bytes))
		{
			speed->bytes = bytes;
			speed->known_at = now;
		}
		if (busy)
			break;
	}
}

static void
add_mark(BulkparSpeed *speed, TimestampTz now, XLogRecPtr position,
		 XLogRecPtr end)
{
	BulkparSpeedMark *mark;

	if (speed->count == BULKPAR_SPEED_MARKS)
		memmove(&speed->marks[0], &speed->marks[1],
				--speed->count * sizeof(BulkparSpeedMark));
	mark = &speed->marks[speed->count++];
	mark->time = now;
	mark->position = position;
	mark->end = end;
}

/* How long it takes from there to the end, in microseconds, as far as is known. */
int64
bulkpar_speed_time_left(const BulkparSpeed *speed, XLogRecPtr position,
						XLogRecPtr end)
{
	return speed->bytes > 0 && position < end ?
		(int64) ((end - position) / speed->bytes) : 0;
}
