/*-------------------------------------------------------------------------
 *
 * batchwise.c
 *		What a job in batches does otherwise than one statement would.
 *
 * Each check reads the catalogs, as the caller, or the statement of a batch, and
 * adds a line where the job has what it is about.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/batchwise.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_trigger.h"
#include "executor/spi.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/plancache.h"

#include "call/batchwise.h"
#include "call/fires.h"
#include "compat.h"
#include "table/cascade.h"

typedef void (*Check) (BulkparLines *lines, const BulkparJob *job,
					   const BulkparStatement *statement);

static void check_own_keys(BulkparLines *lines, const BulkparJob *job,
						   const BulkparStatement *statement);
static void check_deferrable(BulkparLines *lines, const BulkparJob *job,
							 const BulkparStatement *statement);
static void check_cascades(BulkparLines *lines, const BulkparJob *job,
						   const BulkparStatement *statement);
static void check_triggers(BulkparLines *lines, const BulkparJob *job,
						   const BulkparStatement *statement);
static void check_counters(BulkparLines *lines, const BulkparJob *job,
						   const BulkparStatement *statement);
static void check_further_triggers(BulkparLines *lines,
								   const BulkparJob *job,
								   const BulkparStatement *statement);
static void check_clock(BulkparLines *lines, const BulkparJob *job,
						const BulkparStatement *statement);
static bool reads_clock(Node *node, void *context);
static char *fired_condition(const BulkparJob *job);
static char *sets_any(const BulkparJob *job, const char *relid,
					  const char *attnums);

static const Check checks[] = {
	check_own_keys,
	check_deferrable,
	check_cascades,
	check_triggers,
	check_counters,
	check_further_triggers,
	check_clock,
};

/* Add a line for all that there is, of a job with this prepared statement. */
void
bulkpar_batchwise_warn(BulkparLines *lines, const BulkparJob *job,
					   const BulkparStatement *statement)
{
	for (int i = 0; i < (int) lengthof(checks); i++)
		checks[i] (lines, job, statement);
}

/* Foreign keys to the table itself, of which one statement sees the end. */
static void
check_own_keys(BulkparLines *lines, const BulkparJob *job,
			   const BulkparStatement *statement)
{
	bulkpar_lines_add_rows(lines, "Warning",
						   psprintf("SELECT DISTINCT pg_catalog.format('foreign key %%I refers to the table itself; "
									"a batch fails where it %s what rows of other batches refer to', conname) AS line "
									"FROM pg_catalog.pg_constraint c WHERE contype = 'f' "
									"AND " BULKPAR_COMPAT_ENFORCED " AND conrelid %s AND confrelid = conrelid AND %s IN ('a', 'r') "
									"AND %s ORDER BY line",
									bulkpar_command_deletes(job->command) ? "deletes" : "changes",
									bulkpar_fires_targets(job),
									bulkpar_command_deletes(job->command) ? "confdeltype" : "confupdtype",
									sets_any(job, "confrelid", "confkey")));
}

/* Constraints that one statement, or transaction, may break for a while. */
static void
check_deferrable(BulkparLines *lines, const BulkparJob *job,
				 const BulkparStatement *statement)
{
	if (bulkpar_command_deletes(job->command))
		return;
	bulkpar_lines_add_rows(lines, "Warning",
						   psprintf("SELECT DISTINCT pg_catalog.format('constraint %%I is deferrable, "
									"but new values must be unique after each batch', conname) AS line "
									"FROM pg_catalog.pg_constraint c "
									"WHERE contype IN ('p', 'u', 'x') AND condeferrable "
									"AND conrelid %s AND %s ORDER BY line",
									bulkpar_fires_targets(job),
									sets_any(job, "conrelid", "conkey")));
}

/*
 * Rows to which several batches cascade: those with two foreign keys to the
 * table, or its own.
 */
static void
check_cascades(BulkparLines *lines, const BulkparJob *job,
			   const BulkparStatement *statement)
{
	bulkpar_lines_add_rows(lines, "Warning",
						   psprintf("SELECT pg_catalog.format('by foreign %%s %%s several batches %s "
									"the same rows of table %%s; workers that hinder each other there get fewer', "
									"CASE WHEN pg_catalog.count(*) > 1 THEN 'keys' ELSE 'key' END, "
									"pg_catalog.string_agg(pg_catalog.quote_ident(conname), ' and ' ORDER BY conname), "
									"conrelid::pg_catalog.regclass) "
									"FROM pg_catalog.pg_constraint c WHERE contype = 'f' AND conparentid = 0 "
									"AND " BULKPAR_COMPAT_ENFORCED
									" AND confrelid %s AND %s IN ('c', 'n', 'd') AND %s GROUP BY conrelid "
									"HAVING pg_catalog.count(*) > 1 OR pg_catalog.bool_or(conrelid = confrelid) "
									"ORDER BY conrelid::pg_catalog.regclass::pg_catalog.text",
									bulkpar_command_deletes(job->command) ? "delete or change" : "change",
									bulkpar_fires_targets(job),
									bulkpar_command_deletes(job->command) ? "confdeltype" : "confupdtype",
									sets_any(job, "confrelid", "confkey")));
}

/* Triggers that one statement fires once, or when all its rows are done. */
static void
check_triggers(BulkparLines *lines, const BulkparJob *job,
			   const BulkparStatement *statement)
{
	bulkpar_lines_add_rows(lines, "Warning",
						   psprintf("SELECT DISTINCT pg_catalog.format(CASE WHEN tginitdeferred "
									"THEN 'constraint trigger %%I is deferred to the end of each batch' "
									"ELSE 'statement trigger %%I fires once for each batch' END, tgname) AS line "
									"FROM pg_catalog.pg_trigger c WHERE %s "
									"AND (tginitdeferred OR (tgtype & %d) = 0) ORDER BY line",
									fired_condition(job), TRIGGER_TYPE_ROW));
}

/* Triggers for rows that may change other rows of their table. */
static void
check_counters(BulkparLines *lines, const BulkparJob *job,
			   const BulkparStatement *statement)
{
	bulkpar_lines_add_rows(lines, "Warning",
						   psprintf("SELECT DISTINCT pg_catalog.format('trigger %%I names table %%s; "
									"what it changes of other rows there later batches see', "
									"tgname, tgrelid::pg_catalog.regclass) AS line "
									"FROM pg_catalog.pg_trigger c JOIN pg_catalog.pg_proc f ON f.oid = tgfoid "
									"JOIN pg_catalog.pg_class t ON t.oid = tgrelid "
									"WHERE %s AND (tgtype & %d) <> 0 AND prosrc ~* ('\\m' || "
									"pg_catalog.regexp_replace(relname, '(\\W)', '\\\\\\1', 'g') || '\\M') ORDER BY line",
									fired_condition(job), TRIGGER_TYPE_ROW));
}

/* Those for statements, of the tables that foreign keys change for the job. */
static void
check_further_triggers(BulkparLines *lines, const BulkparJob *job,
					   const BulkparStatement *statement)
{
	bool		deletes = bulkpar_command_deletes(job->command);
	List	   *tables = NIL;
	int			ntargets;
	const Oid  *targets = bulkpar_job_targets(job, &ntargets);
	StringInfoData of_deleted;
	StringInfoData of_updated;
	ListCell   *lc;

	for (int i = 0; i < ntargets; i++)
		tables = lappend_oid(tables, targets[i]);
	initStringInfo(&of_deleted);
	initStringInfo(&of_updated);
	foreach(lc, bulkpar_cascade_find_of_job(job, tables))
	{
		const BulkparForeignKey *key = lfirst(lc);

		appendStringInfo(deletes && key->on_delete == FKCONSTR_ACTION_CASCADE ?
						 &of_deleted : &of_updated, ",%u", key->relid);
	}
	if (of_deleted.len == 0 && of_updated.len == 0)
		return;
	bulkpar_lines_add_rows(lines, "Warning",
						   psprintf("SELECT pg_catalog.format('statement trigger %%I of table %%s, "
									"which foreign keys change, fires once for each batch', "
									"tgname, tgrelid::pg_catalog.regclass) AS line "
									"FROM pg_catalog.pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D' "
									"AND (tgtype & %d) = 0 AND (tgrelid = ANY ('{0%s}') AND (tgtype & %d) <> 0 "
									"OR tgrelid = ANY ('{0%s}') AND (tgtype & %d) <> 0) ORDER BY line",
									TRIGGER_TYPE_ROW,
									of_deleted.data, TRIGGER_TYPE_DELETE,
									of_updated.data, TRIGGER_TYPE_UPDATE));
}

/* The time of the transaction, which is that of the batch. */
static void
check_clock(BulkparLines *lines, const BulkparJob *job,
			const BulkparStatement *statement)
{
	ListCell   *lc;

	foreach(lc, SPI_plan_get_plan_sources(statement->plan))
	{
		CachedPlanSource *source = lfirst(lc);

		if (!reads_clock((Node *) source->query_list, NULL))
			continue;
		bulkpar_lines_add(lines, "Warning: now() and the like are the time of each batch; setting bulkpar.job_started_at is that of the job");
		return;
	}
}

static bool
reads_clock(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, reads_clock, context, 0);
	if (IsA(node, FuncExpr))
	{
		Oid			function = ((FuncExpr *) node)->funcid;

		if (function == F_NOW || function == F_TRANSACTION_TIMESTAMP ||
			function == F_STATEMENT_TIMESTAMP)
			return true;
	}
	if (IsA(node, SQLValueFunction) &&
		((SQLValueFunction *) node)->op <= SVFOP_LOCALTIMESTAMP_N)
		return true;
	return expression_tree_walker(node, reads_clock, context);
}

/* In SQL: whether c is a trigger that the job fires, by the columns that it sets. */
static char *
fired_condition(const BulkparJob *job)
{
	return psprintf("%s AND (tgattr = '' OR %s)", bulkpar_fires_condition(job),
					sets_any(job, "tgrelid", "tgattr"));
}

/*
 * In SQL: whether the job changes any of these columns of c's table, as one that
 * deletes does.
 */
static char *
sets_any(const BulkparJob *job, const char *relid, const char *attnums)
{
	StringInfoData sql;

	initStringInfo(&sql);
	if (bulkpar_command_deletes(job->command))
		return "true";
	appendStringInfo(&sql,
					 "EXISTS (SELECT FROM pg_catalog.pg_attribute a "
					 "WHERE a.attrelid = c.%s AND a.attnum = ANY (c.%s) "
					 "AND a.attname = ANY (ARRAY[", relid, attnums);
	for (int i = 0; i < job->ncolumns; i++)
		appendStringInfo(&sql, "%s%s", i > 0 ? ", " : "",
						 quote_literal_cstr(job->column_names[i]));
	appendStringInfoString(&sql, "]::pg_catalog.name[]))");
	return sql.data;
}
