/*-------------------------------------------------------------------------
 *
 * law.c
 *		How much of its time a job works.
 *
 * It is a function of what is seen now, and remembers nothing.  So there is
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
