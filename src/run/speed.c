/*-------------------------------------------------------------------------
 *
 * speed.c
 *		How fast a standby comes forward, and when it will have done what is left.
 *
 * The age of what it has not replayed says how it was when that was written.
 * What matters is what becomes of the WAL that is written now: where a standby
 * replays a third of what a job writes, the age is a third of a second when
 * there is already work for a second, and all of it is written when the age says
 * so.  Only who has something to do has a speed, so it is taken while a standby
 * is behind, over the last second and the last two, and remembered when it is not.
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

/* How far marks are apart, and what is too short to say anything. */
#define MARK_INTERVAL (1 * USECS_PER_SEC)
#define LEAST_TIME (MARK_INTERVAL / 8)

static void estimate(BulkparSpeed *speed, TimestampTz now, XLogRecPtr position);

/*
 * Note where it is, and how far it could be by now.  To be called at each look.
 */
void
bulkpar_speed_note(BulkparSpeed *speed, TimestampTz now, XLogRecPtr position,
				   XLogRecPtr end)
{
	if (position >= end || position < speed->positions[1] ||
		now < speed->times[1])
	{
		memset(speed->times, 0, sizeof(speed->times));
		memset(speed->positions, 0, sizeof(speed->positions));
		return;
	}
	estimate(speed, now, position);
	if (speed->times[1] == 0 || now - speed->times[1] >= MARK_INTERVAL)
	{
		speed->times[0] = speed->times[1];
		speed->positions[0] = speed->positions[1];
		speed->times[1] = now;
		speed->positions[1] = position;
	}
}

/*
 * How fast it has been since one of the marks, whichever was slower.  Where it has
 * not come forward at all, nothing is known that its age will not say.
 */
static void
estimate(BulkparSpeed *speed, TimestampTz now, XLogRecPtr position)
{
	double		slowest = 0;

	for (int i = 0; i < BULKPAR_SPEED_MARKS; i++)
	{
		int64		elapsed = now - speed->times[i];
		double		bytes;

		if (speed->times[i] == 0 || elapsed < LEAST_TIME ||
			position == speed->positions[i])
			continue;
		bytes = (double) (position - speed->positions[i]) / elapsed;
		if (slowest == 0 || bytes < slowest)
			slowest = bytes;
	}
	if (slowest > 0)
		speed->bytes = slowest;
}

/* How long it takes from there to the end, in microseconds, as far as is known. */
int64
bulkpar_speed_time_left(const BulkparSpeed *speed, XLogRecPtr position,
						XLogRecPtr end)
{
	return speed->bytes > 0 && position < end ?
		(int64) ((end - position) / speed->bytes) : 0;
}
