/*-------------------------------------------------------------------------
 *
 * law.c
 *		How much of its time a job works, and in how large batches.
 *
 * These are functions of what is seen now, and remember nothing.  So there is
 * nothing that could wind up while a value is beyond its limit for long, and
 * the job does not stop and go around the limit: it finds the speed at which
 * the value stays below.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/law.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "run/law.h"

/* Up to here, as a part of the limit, a value slows nothing down. */
#define FREE_LOAD 0.3

/* A batch that takes so many times what it should is cut at once. */
#define FAR_TOO_LONG 5

/*
 * Batches aim at this part of what they should take, so that most take no longer;
 * from half of it on they are let alone.
 */
#define AIM 0.75
#define LEAST 0.5

/* How much they shrink and grow at the most. */
#define MAX_SHRINK 1.5
#define MAX_GROWTH 1.2

/* They get no smaller than this, nor than such a part of what they may be. */
#define LEAST_ROWS 50
#define LEAST_PART 10

static int	compare_times(const void *a, const void *b);

/*
 * The share of its time that a worker is at work, from 0 to 1, where the value
 * that is nearest to its limit is load times the limit, and the job is as nice
 * as that: at 1 it takes half of the time that it could, at 2 a third.
 */
double
bulkpar_law_share(double load, double nice)
{
	double		share = (1 - load) / (1 - FREE_LOAD);

	return Min(Max(share, 0), 1) / (1 + nice);
}

/*
 * The size of the next batches, where the last ones of this size, at the most
 * BULKPAR_LAW_TIMES of them, have taken these times and are to take no longer than
 * the target.  They may be as large as was given.
 *
 * It is the slowest but one of ten that counts: one that had to wait for a
 * checkpoint or a cold page says nothing.  Below the floor smaller batches
 * would cost more than what they spare others.
 */
int
bulkpar_law_batch_size(int size, int given, double target,
					   const double *times, int ntimes)
{
	int			least = Min(given, Max(LEAST_ROWS, given / LEAST_PART));
	double		sorted[BULKPAR_LAW_TIMES];
	double		slow;
	double		after = size;

	if (ntimes > 0 && times[ntimes - 1] > FAR_TOO_LONG * target)
		after = size / 2;
	else if (ntimes == BULKPAR_LAW_TIMES)
	{
		memcpy(sorted, times, sizeof(sorted));
		qsort(sorted, BULKPAR_LAW_TIMES, sizeof(double), compare_times);
		slow = sorted[BULKPAR_LAW_TIMES - 2];
		if (slow > target)
			after = size * Max(AIM * target / slow, 1 / MAX_SHRINK);
		else if (slow < LEAST * target)
			after = size * (slow <= 0 ? MAX_GROWTH :
							Min(AIM * target / slow, MAX_GROWTH));
	}
	return (int) Max(least, Min(after, given));
}

static int
compare_times(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return x < y ? -1 : x > y;
}
