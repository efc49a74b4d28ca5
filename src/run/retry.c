/*-------------------------------------------------------------------------
 *
 * retry.c
 *		Whether another try of a batch may help, and the pause before it.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/retry.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"

#include "run/retry.h"

/*
 * The pause after the first try, in milliseconds, about as long as a batch of
 * 1000 rows takes; and the longest one.  In between it doubles.
 */
#define MIN_PAUSE 10
#define MAX_PAUSE 1000

/*
 * Whether the same batch may well succeed when it is tried again: its error
 * came from what others did at the same time.
 */
bool
bulkpar_retry_may_help(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE ||
		error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED ||
		error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE;
}

/*
 * Wait a little, longer each time, and not as long as others do.  The latch
 * ends it early: our caller then looks for interrupts.
 */
void
bulkpar_retry_pause(int retries)
{
	double		pause = Min(MAX_PAUSE, MIN_PAUSE << retries);

	Assert(retries >= 0 && retries < 16);
	pause *= 0.5 + 0.5 * pg_prng_double(&pg_global_prng_state);
	(void) WaitLatch(MyLatch,
					 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 Max((long) pause, 1), PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
}
