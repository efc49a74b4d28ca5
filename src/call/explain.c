/*-------------------------------------------------------------------------
 *
 * explain.c
 *		bulkpar_explain: what a job would do, without doing it.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/explain.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/table.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "books/bookkeeping.h"
#include "call/check.h"
#include "call/duplicates.h"
#include "call/request.h"
#include "call/sample.h"
#include "run/list.h"
#include "session/settings.h"
#include "session/subxact.h"
#include "table/measure.h"
#include "table/stripe.h"
#include "table/target.h"

typedef struct Explanation
{
	MemoryContext context;		/* of the lines */
	BulkparJob *job;
	BulkparTarget *target;
	bool		sample;
	double		rows;			/* in all parts */
	double		blocks;
	int			largest;		/* part, which is looked at */
	double		matches;
	bool		listed;			/* before the batches */
	List	   *lines;
} Explanation;

static void explain(void *arg);
static void explain_tables(Explanation *explanation);
static void explain_batches(Explanation *explanation);
static void explain_stripes(Explanation *explanation);
static void explain_catalog(Explanation *explanation);
static void explain_plan(Explanation *explanation);
static void try(Explanation *explanation, BulkparSubxactFunction function,
				const char *what);
static void explain_values(void *arg);
static void explain_sample(void *arg);
static void warn(Explanation *explanation);
static void warn_constraints(Explanation *explanation);
static void warn_remote(Explanation *explanation);
static void warn_duplicates(void *arg);
static void add_line(Explanation *explanation, const char *format,...)
			pg_attribute_printf(2, 3);
static void add_lines(Explanation *explanation, const char *text);
static void add_rows(Explanation *explanation, const char *title,
					 const char *sql);
static char *set_columns(const BulkparJob *job);

PG_FUNCTION_INFO_V1(bulkpar_explain);

/* bulkpar_explain(...), with the arguments of the function to explain */
Datum
bulkpar_explain(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Explanation explanation = {.context = CurrentMemoryContext};
	bool		wait;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	explanation.job = bulkpar_request_read(fcinfo, &wait);
	explanation.sample = !PG_ARGISNULL(PG_NARGS() - 1) &&
		PG_GETARG_BOOL(PG_NARGS() - 1);
	bulkpar_check_job(explanation.job);

	explanation.target = bulkpar_target_create(CurrentMemoryContext);
	bulkpar_subxact_run(explain, &explanation);
	foreach(lc, explanation.lines)
	{
		Datum		values[1];
		bool		nulls[1] = {false};

		values[0] = CStringGetTextDatum(lfirst(lc));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

static void
explain(void *arg)
{
	Explanation *explanation = arg;
	BulkparJob *job = explanation->job;

	if (job->nparts == 0)
	{
		add_line(explanation, "Table: %s has no partitions, there is nothing to do",
				 get_rel_name(job->target));
		return;
	}
	bulkpar_settings_scan_in_parallel(job->workers);
	PushActiveSnapshot(GetTransactionSnapshot());
	table_close(table_open(job->target, AccessShareLock), NoLock);
	add_line(explanation, "Statement: %s", bulkpar_statement_text(job));
	explain_tables(explanation);
	bulkpar_target_lock(explanation->target, job, explanation->largest,
						AccessShareLock);
	explain_batches(explanation);
	explain_stripes(explanation);
	explain_catalog(explanation);
	explain_plan(explanation);
	try(explanation, explain_values, "The new values");
	if (explanation->sample)
		try(explanation, explain_sample, "A batch of the sample");
	warn(explanation);
	if (explanation->sample)
		try(explanation, warn_duplicates, "The search for equal new values");
	PopActiveSnapshot();
}

/* The tables with their keys. */
static void
explain_tables(Explanation *explanation)
{
	BulkparJob *job = explanation->job;
	double		largest = 0;

	for (int i = 0; i < job->nparts; i++)
	{
		BulkparJobPart *part = &job->parts[i];
		Relation	rel = table_open(part->relid, AccessShareLock);
		double		rows = Max(rel->rd_rel->reltuples, 0);
		BlockNumber blocks = RelationGetNumberOfBlocks(rel);

		explanation->rows += rows;
		explanation->blocks += blocks;
		if (rows > largest)
		{
			explanation->largest = i;
			largest = rows;
		}
		add_line(explanation, "Table: %s, about %.0f rows, %s, along %s %s",
				 RelationGetRelationName(rel), rows,
				 TextDatumGetCString(DirectFunctionCall1(pg_size_pretty,
														 Int64GetDatum((int64) blocks * BLCKSZ))),
				 get_rel_name(part->key_index),
				 bulkpar_key_show(part->relid, part->key_order));
		table_close(rel, NoLock);
	}
}

/* What is to be expected of batches and workers. */
static void
explain_batches(Explanation *explanation)
{
	BulkparJob *job = explanation->job;
	double		rows = explanation->rows;

	explanation->listed =
		bulkpar_list_is_worthwhile(job, explanation->target, rows,
									&explanation->matches);
	if (explanation->listed)
		rows = explanation->matches;
	add_line(explanation, "Rows: the planner expects %.0f to be %s%s",
			 explanation->matches, job->deletes ? "deleted" : "updated",
			 explanation->listed ? ", and they are looked up first" : "");
	add_line(explanation,
			 "Batches: about %.0f of %d rows each, by %d workers at the most",
			 ceil(rows / job->batch_size), job->batch_size, job->workers);
}

/* Whether updates can be HOT, and the stripes. */
static void
explain_stripes(Explanation *explanation)
{
	BulkparJob *job = explanation->job;
	Relation	part = table_open(explanation->target->part, NoLock);

	if (!job->deletes)
		add_line(explanation, "HOT: %s",
				 bulkpar_stripe_can_be_hot(part, job) ?
				 "possible, no indexed column is set" :
				 "impossible, an indexed column is set");
	if (explanation->listed)
		add_line(explanation, "Stripes: 1, for rows that are looked up first");
	else if (job->stripes == 0)
		add_line(explanation, "Stripes: %d, as chosen",
				 bulkpar_stripe_choose(part, explanation->target->key, job));
	else
		add_line(explanation, "Stripes: %d, as asked for", job->stripes);
	table_close(part, NoLock);
}

/* The triggers and foreign keys that will be at work. */
static void
explain_catalog(Explanation *explanation)
{
	const BulkparJob *job = explanation->job;

	add_rows(explanation, "Trigger",
			 psprintf("SELECT tgname FROM pg_catalog.pg_trigger "
					  "WHERE tgrelid = %u AND NOT tgisinternal "
					  "AND tgenabled <> 'D' AND (tgtype & %d) <> 0 ORDER BY 1",
					  job->target, job->deletes ? 8 : 16));
	add_rows(explanation, "Foreign key",
			 psprintf("SELECT pg_catalog.format('%%s of table %%s', conname, "
					  "conrelid::pg_catalog.regclass) "
					  "FROM pg_catalog.pg_constraint c WHERE contype = 'f' "
					  "AND ((conrelid = %u AND NOT %s AND EXISTS "
					  "(SELECT FROM pg_catalog.pg_attribute a "
					  "WHERE a.attrelid = c.conrelid AND a.attnum = ANY (conkey) "
					  "AND a.attname = ANY (%s))) OR (confrelid = %u AND (%s OR EXISTS "
					  "(SELECT FROM pg_catalog.pg_attribute a "
					  "WHERE a.attrelid = c.confrelid AND a.attnum = ANY (confkey) "
					  "AND a.attname = ANY (%s))))) ORDER BY 1",
					  job->target, job->deletes ? "true" : "false",
					  set_columns(job), job->target,
					  job->deletes ? "true" : "false", set_columns(job)));
}

/* The plan that finds the rows, if they are looked up, and of a batch. */
static void
explain_plan(Explanation *explanation)
{
	BulkparTarget *target = explanation->target;
	BulkparKeyShape shape = bulkpar_key_usual_shape(target->key);
	BulkparKeyShape list = {.listed = true};
	BulkparStatement *statement;

	SPI_connect();
	if (explanation->listed)
	{
		statement = bulkpar_statement_matches(explanation->job, target->part,
											  target->key);
		add_line(explanation, "Plan to find the rows:");
		add_lines(explanation, bulkpar_statement_explain(statement));
	}
	statement = bulkpar_statement_batch(explanation->job, target->part,
										target->key,
										explanation->listed ? &list : &shape);
	add_line(explanation, "Plan of a batch:");
	add_lines(explanation, bulkpar_statement_explain(statement));
	SPI_finish();
}

/* Do what may fail by the user's expressions, roll it back, and note errors. */
static void
try(Explanation *explanation, BulkparSubxactFunction function,
	const char *what)
{
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		bulkpar_subxact_run(function, explanation);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			PG_RE_THROW();
		FlushErrorState();
		add_line(explanation, "Warning: %s failed: %s (SQLSTATE %s)", what,
				 error->message, unpack_sql_state(error->sqlerrcode));
	}
	PG_END_TRY();
}

/* Old and new values of a few rows. */
static void
explain_values(void *arg)
{
	Explanation *explanation = arg;
	BulkparTarget *target = explanation->target;
	BulkparStatement *statement =
		bulkpar_statement_values(explanation->job, target->part, target->key);

	SPI_connect();
	bulkpar_statement_prepare(statement);
	if (SPI_execute_plan(statement->plan, NULL, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read rows to show");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		StringInfoData line;

		initStringInfo(&line);
		for (int k = 1; k <= SPI_tuptable->tupdesc->natts; k++)
		{
			char	   *value = SPI_getvalue(SPI_tuptable->vals[i],
											 SPI_tuptable->tupdesc, k);

			appendStringInfo(&line, "%s%s = %s", k > 1 ? ", " : "",
							 SPI_fname(SPI_tuptable->tupdesc, k),
							 value == NULL ? "null" : value);
		}
		add_line(explanation, "Row: %s", line.data);
	}
	bulkpar_statement_forget(statement);
	SPI_finish();
}

/* Run a few batches and tell how long all would take. */
static void
explain_sample(void *arg)
{
	Explanation *explanation = arg;
	const BulkparJob *job = explanation->job;
	double		rows = explanation->listed ? explanation->matches :
		explanation->rows;
	BulkparSample sample;

	bulkpar_target_lock(explanation->target, job, explanation->largest,
						RowExclusiveLock);
	bulkpar_sample_run(job, explanation->target, explanation->largest,
					   explanation->listed, &sample);
	if (sample.listing_ms > 0)
		add_line(explanation, "Sample: finding %d rows took %.1f ms",
				 sample.listed, sample.listing_ms);
	if (sample.rows == 0)
		return;
	add_line(explanation,
			 "Sample: %d batches of " INT64_FORMAT " rows, of which "
			 INT64_FORMAT " changed, took %.1f ms and were rolled back",
			 sample.batches, sample.rows, sample.rows_changed,
			 sample.batches_ms);
	add_line(explanation, "Estimate: about %.1f s with %d workers",
			 (sample.listing_ms + sample.batches_ms / sample.rows *
			  Max(rows, sample.rows) / job->workers) / 1000, job->workers);
}

/* What may go wrong, or take longer than need be. */
static void
warn(Explanation *explanation)
{
	BulkparJob *job = explanation->job;
	char	   *holders = bulkpar_measure_xmin_holders(0);
	double		wal_bytes;

	for (int i = 0; i < job->nparts; i++)
	{
		Relation	part = table_open(job->parts[i].relid, NoLock);

		if (part->rd_rel->reltuples < 0)
			add_line(explanation,
					 "Warning: table %s was never analyzed; estimates may be wrong",
					 RelationGetRelationName(part));
		table_close(part, NoLock);
	}
	if (holders != NULL)
		add_line(explanation,
				 "Warning: dead rows cannot be removed yet, the xmin horizon is held by %s",
				 holders);
	add_rows(explanation, "Warning",
			 psprintf("SELECT pg_catalog.format('%%s of %%s background worker slots are free, "
					  "the job could use %%s', free, setting, %d) FROM "
					  "(SELECT setting, setting::int4 - (SELECT pg_catalog.count(*) "
					  "FROM pg_catalog.pg_stat_activity WHERE backend_type NOT IN "
					  "('client backend', 'autovacuum launcher', 'autovacuum worker', "
					  "'walsender', 'walwriter', 'walreceiver', 'checkpointer', "
					  "'background writer', 'startup', 'archiver', 'io worker', "
					  "'walsummarizer', 'slotsync worker', 'standalone backend')) AS free "
					  "FROM pg_catalog.pg_settings WHERE name = 'max_worker_processes') s "
					  "WHERE free < %d", job->workers + 1, job->workers + 1));
	warn_constraints(explanation);
	warn_remote(explanation);
	/* A page that is changed is written once whole, and once as new rows. */
	wal_bytes = Min(explanation->blocks, explanation->matches) * 2 * BLCKSZ;
	if (wal_bytes > (double) max_wal_size_mb * 1024 * 1024)
		add_line(explanation,
				 "Warning: max_wal_size is %d MB, but the job may write some %.0f MB of WAL; checkpoints will be frequent",
				 max_wal_size_mb, wal_bytes / 1024 / 1024);
}

/* Constraints that one statement may meet where batches do not. */
static void
warn_constraints(Explanation *explanation)
{
	const BulkparJob *job = explanation->job;

	add_rows(explanation, "Warning",
			 psprintf("SELECT pg_catalog.format('foreign key %%s refers to the table itself; "
					  "a batch fails where it %s what rows of other batches refer to', conname) "
					  "FROM pg_catalog.pg_constraint c WHERE contype = 'f' "
					  "AND conrelid = %u AND confrelid = %u AND %s ORDER BY 1",
					  job->deletes ? "deletes" : "changes", job->target,
					  job->target, job->deletes ?
					  "confdeltype IN ('a', 'r')" :
					  psprintf("confupdtype IN ('a', 'r') AND EXISTS "
							   "(SELECT FROM pg_catalog.pg_attribute a "
							   "WHERE a.attrelid = c.confrelid "
							   "AND a.attnum = ANY (c.confkey) "
							   "AND a.attname = ANY (%s))", set_columns(job))));
	if (!job->deletes)
		add_rows(explanation, "Warning",
				 psprintf("SELECT pg_catalog.format('constraint %%s is deferrable, "
						  "but new values must be unique after each batch', conname) "
						  "FROM pg_catalog.pg_constraint c "
						  "WHERE contype IN ('p', 'u', 'x') AND condeferrable "
						  "AND conrelid = %u AND EXISTS "
						  "(SELECT FROM pg_catalog.pg_attribute a "
						  "WHERE a.attrelid = c.conrelid "
						  "AND a.attnum = ANY (c.conkey) "
						  "AND a.attname = ANY (%s)) ORDER BY 1",
						  job->target, set_columns(job)));
}

/* Exactly once ends where another server is told of a change. */
static void
warn_remote(Explanation *explanation)
{
	const BulkparJob *job = explanation->job;
	BulkparTarget *target = explanation->target;
	BulkparKeyShape shape = bulkpar_key_usual_shape(target->key);
	BulkparStatement *statement = bulkpar_statement_batch(job, target->part,
														  target->key, &shape);
	ListCell   *lc;

	SPI_connect();
	bulkpar_statement_prepare(statement);
	foreach(lc, bulkpar_statement_relations(statement))
	{
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_FOREIGN_TABLE)
			add_line(explanation,
					 "Warning: what the statement reads of foreign table %s is not that of one moment",
					 get_rel_name(lfirst_oid(lc)));
	}
	bulkpar_statement_forget(statement);
	SPI_finish();
	add_rows(explanation, "Warning",
			 psprintf("SELECT pg_catalog.format('what triggers (%%s) change on other servers (%%s) "
					  "may be changed there more than once', "
					  "t.names, s.names) FROM "
					  "(SELECT pg_catalog.string_agg(tgname::text, ', ' ORDER BY tgname) "
					  "FROM pg_catalog.pg_trigger WHERE tgrelid = %u "
					  "AND NOT tgisinternal AND tgenabled <> 'D' "
					  "AND (tgtype & %d) <> 0) t(names), "
					  "(SELECT pg_catalog.string_agg(n, ', ' ORDER BY n) FROM "
					  "(SELECT srvname::text FROM pg_catalog.pg_foreign_server "
					  "UNION ALL SELECT extname::text FROM pg_catalog.pg_extension "
					  "WHERE extname = 'dblink') x(n)) s(names) "
					  "WHERE t.names IS NOT NULL AND s.names IS NOT NULL",
					  job->target, job->deletes ? 8 : 16));
}

/*
 * New values that are not unique where they must be.  That reads all rows of
 * the job, so it is only done together with a sample.
 */
static void
warn_duplicates(void *arg)
{
	Explanation *explanation = arg;
	Relation	rel = table_open(explanation->job->target, NoLock);
	List	   *lines = bulkpar_duplicates_find(explanation->target,
												explanation->job, rel);
	ListCell   *lc;

	foreach(lc, lines)
		add_line(explanation, "Warning: %s", (char *) lfirst(lc));
	table_close(rel, NoLock);
}

static void
add_line(Explanation *explanation, const char *format,...)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(explanation->context);
	StringInfoData line;

	initStringInfo(&line);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&line, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&line, needed);
	}
	explanation->lines = lappend(explanation->lines, line.data);
	MemoryContextSwitchTo(oldcontext);
}

/* Add each line of a text, indented. */
static void
add_lines(Explanation *explanation, const char *text)
{
	while (*text != '\0')
	{
		int			length = strcspn(text, "\n");

		add_line(explanation, "  %.*s", length, text);
		text += length + (text[length] == '\n' ? 1 : 0);
	}
}

/* Add a line for each row of a query of the catalog with one column. */
static void
add_rows(Explanation *explanation, const char *title, const char *sql)
{
	int			nestlevel = bulkpar_bookkeeping_safe_path();

	SPI_connect();
	if (SPI_execute(sql, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read what to show");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *value = SPI_getvalue(SPI_tuptable->vals[i],
										 SPI_tuptable->tupdesc, 1);

		add_line(explanation, "%s: %s", title, value == NULL ? "" : value);
	}
	SPI_finish();
	AtEOXact_GUC(true, nestlevel);
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
