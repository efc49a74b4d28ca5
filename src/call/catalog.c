/*-------------------------------------------------------------------------
 *
 * catalog.c
 *		What the catalogs say of a job: what else is at work, and may go wrong.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/catalog.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "call/batchwise.h"
#include "call/catalog.h"
#include "call/fires.h"
#include "compat.h"
#include "table/measure.h"

static void warn_never_analyzed(BulkparLines *lines, const BulkparJob *job, const BulkparPlan *plan);
static void warn_slots(BulkparLines *lines, int workers);
static void warn_statement(BulkparLines *lines, const BulkparJob *job,
						   BulkparTarget *target);
static void warn_remote(BulkparLines *lines, const BulkparJob *job,
						const BulkparStatement *statement);
static void warn_wal(BulkparLines *lines, const BulkparPlan *plan);
static char *set_columns(const BulkparJob *job);

/* The triggers and foreign keys that will be at work. */
void
bulkpar_catalog_show(BulkparLines *lines, const BulkparJob *job)
{
	bulkpar_lines_add_rows(lines, "Trigger",
						   psprintf("SELECT tgname FROM pg_catalog.pg_trigger "
									"WHERE %s GROUP BY tgname, tgrelid = %u ORDER BY 1",
									bulkpar_fires_condition(job),
									job->inserted));
	bulkpar_lines_add_rows(lines, "Foreign key",
						   psprintf("SELECT pg_catalog.format('%%s of table %%s', conname, "
									"conrelid::pg_catalog.regclass) "
									"FROM pg_catalog.pg_constraint c WHERE contype = 'f' "
									"AND " BULKPAR_COMPAT_ENFORCED
									" AND (conrelid = %u OR (conrelid %s AND NOT %s AND EXISTS "
									"(SELECT FROM pg_catalog.pg_attribute a "
									"WHERE a.attrelid = c.conrelid AND a.attnum = ANY (conkey) "
									"AND a.attname = ANY (%s))) OR (confrelid %s AND (%s OR EXISTS "
									"(SELECT FROM pg_catalog.pg_attribute a "
									"WHERE a.attrelid = c.confrelid AND a.attnum = ANY (confkey) "
									"AND a.attname = ANY (%s))))) ORDER BY 1",
									job->inserted, bulkpar_fires_targets(job),
									bulkpar_command_deletes(job->command) ? "true" : "false",
									set_columns(job), bulkpar_fires_targets(job),
									bulkpar_command_deletes(job->command) ? "true" : "false", set_columns(job)));
}

/* What may go wrong, or take longer than need be. */
void
bulkpar_catalog_warn(BulkparLines *lines, const BulkparJob *job,
					 BulkparTarget *target, const BulkparPlan *plan)
{
	char	   *holders = bulkpar_measure_xmin_holders(0);

	warn_never_analyzed(lines, job, plan);
	if (holders != NULL)
		bulkpar_lines_add(lines,
						  "Warning: dead rows cannot be removed yet, the xmin horizon is held by %s",
						  holders);
	warn_slots(lines, plan->workers);
	warn_statement(lines, job, target);
	warn_wal(lines, plan);
}

/* Tables with rows of which nothing is known. */
static void
warn_never_analyzed(BulkparLines *lines, const BulkparJob *job,
					const BulkparPlan *plan)
{
	StringInfoData names;
	int			count = 0;

	initStringInfo(&names);
	for (int i = 0; i < plan->nparts; i++)
	{
		Oid			relid = job->parts[i].relid;
		Relation	rel;

		if (plan->parts[i].gone || plan->parts[i].end_key == NULL)
			continue;
		rel = table_open(relid, NoLock);
		if (rel->rd_rel->reltuples < 0 && count++ < BULKPAR_LINES_MAX_TABLES)
			appendStringInfo(&names, "%s%s", count > 1 ? ", " : "",
							 RelationGetRelationName(rel));
		table_close(rel, NoLock);
	}
	if (count > BULKPAR_LINES_MAX_TABLES)
		appendStringInfo(&names, " and %d more", count - BULKPAR_LINES_MAX_TABLES);
	if (count > 0)
		bulkpar_lines_add(lines,
						  "Warning: %s %s %s never analyzed; estimates may be wrong",
						  count > 1 ? "tables" : "table", names.data,
						  count > 1 ? "were" : "was");
}

/* Background worker slots, of which the coordinator needs one, too. */
static void
warn_slots(BulkparLines *lines, int workers)
{
	bulkpar_lines_add_rows(lines, "Warning",
						   psprintf("SELECT pg_catalog.format('%%s of %%s background worker slots are free, "
									"the job could use %%s', free, setting, %d) FROM "
									"(SELECT setting, setting::int4 - (SELECT pg_catalog.count(*) "
									"FROM pg_catalog.pg_stat_activity WHERE backend_type NOT IN "
									"('client backend', 'autovacuum launcher', 'autovacuum worker', "
									"'walsender', 'walwriter', 'walreceiver', 'checkpointer', "
									"'background writer', 'startup', 'archiver', 'io worker', "
									"'walsummarizer', 'slotsync worker', 'standalone backend')) AS free "
									"FROM pg_catalog.pg_settings WHERE name = 'max_worker_processes') s "
									"WHERE free < %d", workers + 1, workers + 1));
}

/* What there is to say of the statement of a batch. */
static void
warn_statement(BulkparLines *lines, const BulkparJob *job,
			   BulkparTarget *target)
{
	BulkparKeyShape shape = bulkpar_key_usual_shape(target->key);
	BulkparStatement *statement = bulkpar_statement_batch(job, target->relid, target->part,
														  target->key, &shape);

	SPI_connect();
	bulkpar_statement_prepare(statement);
	bulkpar_batchwise_warn(lines, job, statement);
	warn_remote(lines, job, statement);
	bulkpar_statement_forget(statement);
	SPI_finish();
}

/* Exactly once ends where another server is told of a change. */
static void
warn_remote(BulkparLines *lines, const BulkparJob *job,
			const BulkparStatement *statement)
{
	ListCell   *lc;

	foreach(lc, bulkpar_statement_relations(statement))
	{
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_FOREIGN_TABLE)
			bulkpar_lines_add(lines,
							  "Warning: what the statement reads of foreign table %s is not that of one moment",
							  get_rel_name(lfirst_oid(lc)));
	}
	bulkpar_lines_add_rows(lines, "Warning",
						   psprintf("SELECT pg_catalog.format('what triggers (%%s) change on other servers (%%s) "
									"may be changed there more than once', "
									"t.names, s.names) FROM "
									"(SELECT pg_catalog.string_agg(DISTINCT tgname::text, ', ' ORDER BY tgname::text) "
									"FROM pg_catalog.pg_trigger WHERE %s) t(names), "
									"(SELECT pg_catalog.string_agg(n, ', ' ORDER BY n) FROM "
									"(SELECT srvname::text FROM pg_catalog.pg_foreign_server "
									"UNION ALL SELECT extname::text FROM pg_catalog.pg_extension "
									"WHERE extname = 'dblink') x(n)) s(names) "
									"WHERE t.names IS NOT NULL AND s.names IS NOT NULL",
									bulkpar_fires_condition(job)));
}

/* A page that is changed is written once whole, and once as new rows. */
static void
warn_wal(BulkparLines *lines, const BulkparPlan *plan)
{
	double		pages = 0;
	double		bytes;

	for (int i = 0; i < plan->nparts; i++)
		pages += plan->parts[i].pages;
	bytes = Min(pages, plan->expected) * 2 * BLCKSZ;
	if (bytes > (double) max_wal_size_mb * 1024 * 1024)
		bulkpar_lines_add(lines,
						  "Warning: max_wal_size is %d MB, but the job may write some %.0f MB of WAL; checkpoints will be frequent",
						  max_wal_size_mb, bytes / 1024 / 1024);
}

/* The columns that are set, as an array in SQL. */
static char *
set_columns(const BulkparJob *job)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "ARRAY[");
	for (int i = 0; i < job->ncolumns; i++)
		appendStringInfo(&sql, "%s%s", i > 0 ? ", " : "",
						 quote_literal_cstr(job->column_names[i]));
	appendStringInfoString(&sql, "]::pg_catalog.name[]");
	return sql.data;
}
