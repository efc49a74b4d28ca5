/*-------------------------------------------------------------------------
 *
 * ring.c
 *		When WAL was written, so that its age can be told.
 *
 * A sample is taken of the end of WAL at each look.  From these the age of what
 * comes after any position follows.  It is counted from when the WAL was
 * flushed: before that nobody else can get it, and where nothing commits that
 * may take long.
 *
 * Ages are too large rather than too small, by the time between two looks or,
 * where samples were dropped, a little part of the age.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/ring.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "run/ring.h"

static void thin_out(BulkparRing *ring, TimestampTz now);

/* Begin with the WAL that there is. */
void
bulkpar_ring_start(BulkparRing *ring, TimestampTz now, XLogRecPtr end)
{
	ring->looked_at = now;
	ring->count = 1;
	ring->samples[0].end = end;
	ring->samples[0].time = now;
}

/* Take a sample.  The clock does not go back: see bulkpar_ring_shift. */
void
bulkpar_ring_add(BulkparRing *ring, TimestampTz now, XLogRecPtr end,
				 XLogRecPtr flushed)
{
	int			i;

	if (end > ring->samples[ring->count - 1].end)
	{
		if (ring->count == BULKPAR_RING_SIZE)
			thin_out(ring, now);
		ring->samples[ring->count].end = end;
		ring->samples[ring->count].time = ring->looked_at;
		ring->count++;
	}
	for (i = ring->count - 1; i >= 0 && ring->samples[i].end > flushed; i--)
		ring->samples[i].time = now;
	ring->looked_at = now;
}

/*
 * Make room for a sample: join those that lie together so closely that it
 * hardly matters at their age.  The first one stays as it is.
 */
static void
thin_out(BulkparRing *ring, TimestampTz now)
{
	BulkparRingSample *samples = ring->samples;
	int			count = 2;
	int			i;

	for (i = 2; i < ring->count; i++)
	{
		BulkparRingSample *last = &samples[count - 1];
		TimestampTz until = i + 1 < ring->count ? samples[i + 1].time : now;

		if (until - last->time <= (now - until) / BULKPAR_RING_PRECISION)
			last->end = samples[i].end;
		else
			samples[count++] = samples[i];
	}
	if (count == BULKPAR_RING_SIZE)
	{
		samples[1].end = samples[2].end;
		count--;
		memmove(&samples[2], &samples[3],
				(count - 2) * sizeof(BulkparRingSample));
	}
	ring->count = count;
}

/* Let all have happened later by that, after a jump of the clock. */
void
bulkpar_ring_shift(BulkparRing *ring, int64 microseconds)
{
	int			i;

	for (i = 0; i < ring->count; i++)
		ring->samples[i].time += microseconds;
	ring->looked_at += microseconds;
}

/*
 * The age of the oldest WAL beyond a position, in microseconds, as far as it is
 * flushed; 0 if there is none.  WAL from before the ring began is as old as it.
 */
int64
bulkpar_ring_age(const BulkparRing *ring, TimestampTz now,
				 XLogRecPtr position, XLogRecPtr flushed)
{
	int			low = 0;
	int			high = ring->count;

	/* Find the first sample that ends beyond the position. */
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (ring->samples[middle].end > position)
			high = middle;
		else
			low = middle + 1;
	}
	if (low == ring->count || ring->samples[low].end > flushed)
		return 0;
	return Max(now - ring->samples[low].time, 0);
}
