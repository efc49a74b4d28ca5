/*-------------------------------------------------------------------------
 *
 * fires.c
 *		Which triggers a job fires, and on which tables.
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
#include "lib/stringinfo.h"

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
					"AND ((tgrelid %s AND (tgtype & %d) <> 0) "
					"OR (tgrelid = %u AND (tgtype & %d) <> 0)))",
					bulkpar_fires_targets(job), event, job->inserted, TRIGGER_TYPE_INSERT);
}

/* In SQL: what an OID is compared with, to be that of a target of the job. */
char *
bulkpar_fires_targets(const BulkparJob *job)
{
	StringInfoData sql;
	int			count;
	const Oid  *targets = bulkpar_job_targets(job, &count);

	initStringInfo(&sql);
	appendStringInfoString(&sql, "= ANY ('{");
	for (int i = 0; i < count; i++)
		appendStringInfo(&sql, "%s%u", i > 0 ? "," : "", targets[i]);
	appendStringInfoString(&sql, "}'::pg_catalog.oid[])");
	return sql.data;
}
