/*-------------------------------------------------------------------------
 *
 * fires.c
 *		Which triggers a job fires.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/fires.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_trigger.h"

#include "call/fires.h"

/*
 * In SQL: whether a row of pg_trigger is a trigger of the user's on the table that
 * the job changes, or inserts into, and is about that.
 */
char *
bulkpar_fires_condition(const BulkparJob *job)
{
	int			event = bulkpar_command_deletes(job->command) ?
		TRIGGER_TYPE_DELETE :
		bulkpar_command_updates(job->command) ? TRIGGER_TYPE_UPDATE : 0;

	return psprintf("(NOT tgisinternal AND tgenabled <> 'D' "
					"AND ((tgrelid = %u AND (tgtype & %d) <> 0) "
					"OR (tgrelid = %u AND (tgtype & %d) <> 0)))",
					job->target, event, job->inserted, TRIGGER_TYPE_INSERT);
}
