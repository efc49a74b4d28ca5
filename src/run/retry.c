/*-------------------------------------------------------------------------
 *
 * retry.c
 *		What an error of a batch means, and the pause before the next try.
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
 * Whether an error can be one of a row's values.  The classes below are of the
 * statement, the session or the server: every other batch would meet them as
 * well, and a job that skipped them row by row would end with an error for
 * each row of the table.  Whatever else there is, P0001 of a trigger and the
 * classes of extensions too, is taken for one of the row.
 */
bool
bulkpar_retry_is_of_a_row(const ErrorData *error)
{
	static const char *const classes[] = {
		"08",					/* connection exception */
		"0A",					/* feature not supported */
		"25",					/* invalid transaction state */
		"26",					/* invalid SQL statement name */
		"28",					/* invalid authorization specification */
		"2B",					/* dependent privilege descriptors exist */
		"2D",					/* invalid transaction termination */
		"3D",					/* invalid catalog name */
		"3F",					/* invalid schema name */
		"40",					/* transaction rollback */
		"42",					/* syntax error or access rule violation */
		"53",					/* insufficient resources */
		"55",					/* object not in prerequisite state */
		"57",					/* operator intervention */
		"58",					/* system error */
		"72",					/* snapshot too old */
		"F0",					/* configuration file error */
		"HV",					/* foreign data wrapper error */
		"XX"					/* internal error */
	};
	const char *sqlstate = unpack_sql_state(error->sqlerrcode);

	for (int i = 0; i < (int) lengthof(classes); i++)
	{
		if (strncmp(sqlstate, classes[i], 2) == 0)
			return false;
	}
	return true;
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
