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

#include "access/table.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "books/kept.h"
#include "call/catalog.h"
#include "call/check.h"
#include "call/duplicates.h"
#include "call/lines.h"
#include "call/nodecheck.h"
#include "call/request.h"
#include "call/sample.h"
#include "run/evaluate.h"
#include "run/way.h"
#include "session/process.h"
#include "session/subxact.h"
#include "table/stripe.h"
#include "table/target.h"

typedef struct Explanation
{
	BulkparLines lines;
	BulkparJob *job;
	BulkparTarget *target;
	bool		sample;
	BulkparOnce once;			/* what is to be evaluated once, ... */
	double	   *once_rows;		/* ... how many rows it has, ... */
	double	   *once_pages;		/* ... and how large it is */
	BulkparPlan *plan;
} Explanation;

static void explain(void *arg);
static void explain_nodes(Explanation *explanation);
static void measure_once(Explanation *explanation);
static void explain_tables(Explanation *explanation);
static int	compare_parts(const void *a, const void *b, void *arg);
static void explain_table(Explanation *explanation, int number);
static char *show_name(const Explanation *explanation, Oid relid);
static void explain_rest(Explanation *explanation, const int *numbers,
						 int count);
static const char *kind_of_parts(const Explanation *explanation);
static void explain_once(Explanation *explanation);
static void explain_batches(Explanation *explanation);
static char *show_spans(const BulkparPlan *plan);
static char *show_batches(const Explanation *explanation);
static void explain_stripes(Explanation *explanation);
static void explain_plan(Explanation *explanation);
static void try(Explanation *explanation, BulkparSubxactFunction function,
				const char *what);
static void explain_values(void *arg);
static void explain_sample(void *arg);
static void warn_duplicates(void *arg);
static char *show_rows(double rows, bool counted);
static char *show_size(double pages);

PG_FUNCTION_INFO_V1(bulkpar_explain);

/*
 * bulkpar_explain(..., sample), with the arguments of the function to explain.  If
 * sample is null the call is checked, and nothing is said of it.
 */
Datum
bulkpar_explain(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Explanation explanation = {.lines.context = CurrentMemoryContext};
	bool		wait;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	explanation.job = bulkpar_request_read(fcinfo, &wait);
	bulkpar_check_job(explanation.job);
	bulkpar_nodecheck_explain(explanation.job, PG_ARGISNULL(PG_NARGS() - 1));
	if (PG_ARGISNULL(PG_NARGS() - 1))
		return (Datum) 0;

	explanation.sample = PG_GETARG_BOOL(PG_NARGS() - 1);
	explanation.target = bulkpar_target_create(CurrentMemoryContext);
	bulkpar_subxact_run(explain, &explanation);
	foreach(lc, explanation.lines.list)
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
	BulkparTarget *target = explanation->target;

	bulkpar_process_scan_in_parallel(job->workers);
	PushActiveSnapshot(GetTransactionSnapshot());
	table_close(table_open(job->target, AccessShareLock), NoLock);
	measure_once(explanation);
	explanation->plan = bulkpar_plan_decide(job, target, 0);
	if (explanation->plan->largest < 0 && job->nnodes > 0)
		bulkpar_lines_add(&explanation->lines, "Statement: %s",
						  bulkpar_statement_text(job, job->target));
	else if (explanation->plan->largest < 0)
		bulkpar_lines_add(&explanation->lines,
						  "Table: %s%s no partitions%s, there is nothing to do",
						  get_rel_name(job->target), job->ntargets == 0 ? " has" :
						  psprintf(" and %d more have", job->ntargets - 1),
						  job->npruned == 0 ? "" :
						  " in which a row can match");
	else
	{
		if (explanation->plan->expected < 0)
			bulkpar_way_expect(explanation->plan, job, target);
		bulkpar_target_lock(target, job, explanation->plan->largest,
							AccessShareLock);
		bulkpar_lines_add(&explanation->lines, "Statement: %s%s",
						  bulkpar_statement_text(job, target->relid),
						  job->ntargets == 0 ? "" :
						  psprintf(", and the same on %d more",
								   job->ntargets - 1));
		explain_tables(explanation);
		explain_once(explanation);
		explain_batches(explanation);
		explain_stripes(explanation);
		bulkpar_catalog_show(&explanation->lines, job);
		explain_plan(explanation);
		if (explanation->once.found == NIL || explanation->sample)
			try(explanation, explain_values, "The new values");
		if (explanation->sample)
			try(explanation, explain_sample, "A batch of the sample");
		bulkpar_catalog_warn(&explanation->lines, job, target, explanation->plan);
		if (explanation->sample)
			try(explanation, warn_duplicates, "The search for equal new values");
	}
	explain_nodes(explanation);
	PopActiveSnapshot();
}

/* What other servers say that they would do. */
static void
explain_nodes(Explanation *explanation)
{
	const BulkparJob *job = explanation->job;

	for (int i = 0; i < job->nnodes; i++)
	{
		const BulkparNode *node = &job->nodes[i];
		ListCell   *lc;

		bulkpar_lines_add(&explanation->lines,
						  "Node: %s, for %s %s%s", node->server_name,
						  node->citus_node != 0 ? "shard" : "foreign table",
						  node->citus_node != 0 ? node->remote[0] :
						  get_rel_name(node->relations[0]),
						  node->nremote == 1 ? "" :
						  psprintf(" and %d more", node->nremote - 1));
		foreach(lc, node->explanation)
			bulkpar_lines_add(&explanation->lines, "  %s",
							  (char *) lfirst(lc));
	}
}

/*
 * Find what is evaluated once, and do so, if a sample is wanted.  Without one
 * nothing of the user's runs that may take long.
 */
static void
measure_once(Explanation *explanation)
{
	BulkparJob *job = explanation->job;
	int			count;

	explanation->once = bulkpar_evaluate_find(job, explanation->target);
	count = list_length(explanation->once.found);
	explanation->once_rows = palloc(sizeof(double) * (count + 1));
	explanation->once_pages = palloc(sizeof(double) * (count + 1));
	if (explanation->sample)
		bulkpar_evaluate_run(job, explanation->target, &explanation->once);
	for (int i = 0; i < count; i++)
	{
		if (explanation->sample)
		{
			explanation->once_rows[i] = job->subqueries.items[i].rows;
			explanation->once_pages[i] =
				bulkpar_kept_pages(&job->subqueries.items[i]);
		}
		else
			explanation->once_rows[i] =
				bulkpar_evaluate_expect(job, list_nth(explanation->once.found, i),
										&explanation->once_pages[i]);
	}
}

/* The tables with their keys, or the largest of them. */
static void
explain_tables(Explanation *explanation)
{
	const BulkparPlan *plan = explanation->plan;
	int		   *numbers = palloc(sizeof(int) * plan->nparts);
	int			count = 0;
	int			shown;

	for (int i = 0; i < plan->nparts; i++)
	{
		if (!plan->parts[i].gone)
			numbers[count++] = i;
	}
	/* One more takes no more than the line that would leave it out. */
	shown = count <= BULKPAR_LINES_MAX_TABLES + 1 ? count : BULKPAR_LINES_MAX_TABLES;
	if (shown < count)
		qsort_arg(numbers, count, sizeof(int), compare_parts, (void *) plan);
	for (int i = 0; i < shown; i++)
		explain_table(explanation, numbers[i]);
	if (shown < count)
		explain_rest(explanation, &numbers[shown], count - shown);
	if (explanation->job->npruned > 0)
		bulkpar_lines_add(&explanation->lines,
						  "Left out: %d of %d %s, in which no row can match",
						  explanation->job->npruned,
						  explanation->job->npruned + plan->nparts,
						  kind_of_parts(explanation));
}

/* The larger first, and otherwise in the order of the job. */
static int
compare_parts(const void *a, const void *b, void *arg)
{
	const BulkparPlan *plan = arg;
	int			first = *(const int *) a;
	int			second = *(const int *) b;
	double		more = plan->parts[second].rows - plan->parts[first].rows;

	return more > 0 ? 1 : more < 0 ? -1 : first - second;
}

static void
explain_table(Explanation *explanation, int number)
{
	const BulkparJobPart *part = &explanation->job->parts[number];
	const BulkparPlanPart *planned = &explanation->plan->parts[number];

	bulkpar_lines_add(&explanation->lines, "Table: %s, %s, %s, along %s %s",
					  show_name(explanation, part->relid),
					  show_rows(planned->rows, planned->counted),
					  show_size(planned->pages), get_rel_name(part->key_index),
					  bulkpar_key_show(part->relid, part->key_order));
}

/* The name of a table, among several targets with its schema. */
static char *
show_name(const Explanation *explanation, Oid relid)
{
	char	   *name = get_rel_name(relid);

	return explanation->job->ntargets == 0 ? name :
		psprintf("%s.%s", get_namespace_name(get_rel_namespace(relid)), name);
}

/* The tables that are not shown each. */
static void
explain_rest(Explanation *explanation, const int *numbers, int count)
{
	const BulkparPlan *plan = explanation->plan;
	bool		counted = true;
	double		rows = 0;
	double		pages = 0;

	for (int i = 0; i < count; i++)
	{
		const BulkparPlanPart *part = &plan->parts[numbers[i]];

		counted = counted && part->counted;
		rows += part->rows;
		pages += part->pages;
	}
	bulkpar_lines_add(&explanation->lines, "Table: ... and %d more %s, %s, %s",
					  count, kind_of_parts(explanation),
					  show_rows(rows, counted), show_size(pages));
}

/* What the tables of the job are called. */
static const char *
kind_of_parts(const Explanation *explanation)
{
	return explanation->job->ntargets == 0 &&
		get_rel_relkind(explanation->job->target) ==
		RELKIND_PARTITIONED_TABLE ? "partitions" : "tables";
}

/* What is evaluated once, and what each batch reads whole. */
static void
explain_once(Explanation *explanation)
{
	ListCell   *lc;

	foreach(lc, explanation->once.found)
	{
		const BulkparOnceItem *item = lfirst(lc);
		int			i = foreach_current_index(lc);

		bulkpar_lines_add(&explanation->lines,
						  "Evaluated once: %s (%s, %s)", item->name,
						  show_rows(explanation->once_rows[i],
									explanation->sample),
						  show_size(explanation->once_pages[i]));
	}
	foreach(lc, explanation->once.reread)
		bulkpar_lines_add(&explanation->lines, "Read whole by each batch: %s",
						  (char *) lfirst(lc));
}

/* What is to be expected of batches and workers. */
static void
explain_batches(Explanation *explanation)
{
	const BulkparJob *job = explanation->job;
	const BulkparPlan *plan = explanation->plan;

	bulkpar_lines_add(&explanation->lines,
					  "Rows: the planner expects %.0f of %s to be %s%s",
					  plan->expected, show_rows(plan->rows, plan->counted),
					  bulkpar_command_done(job->command),
					  plan->listed ?
					  psprintf(", and they are listed first unless more than %d match",
							   plan->max_listed) :
					  plan->spanned ? show_spans(plan) :
					  plan->unlisted ?
					  ", not listed: a volatile function or TABLESAMPLE chooses them" : "");
	if (plan->batches == 0)
		bulkpar_lines_add(&explanation->lines, "Batches: none");
	else
		bulkpar_lines_add(&explanation->lines,
						  "Batches: %s of up to %d rows each, by %d %s%s",
						  show_batches(explanation), job->batch_size,
						  plan->workers,
						  plan->workers == 1 ? "worker" : "workers",
						  plan->listed ? " at the most" : "");
}

/* How rows are deleted span by span. */
static char *
show_spans(const BulkparPlan *plan)
{
	return psprintf(", span by span as they are on disk%s%s",
					plan->by_index ? ", where an index has any" : "",
					plan->narrowed ? ", unless that is in most blocks" : "");
}

/*
 * The number of batches, as exactly as it is known.  They get larger where less
 * than half of the rows change, and smaller if a small chunk has stripes.  Where
 * rows are listed, it is not known in how many of the parts they are.
 */
static char *
show_batches(const Explanation *explanation)
{
	const BulkparPlan *plan = explanation->plan;
	bool		grows = bulkpar_command_is_plain(explanation->job->command);
	bool		spanned = plan->spanned && !plan->listed;
	bool		larger = plan->listed ? plan->nparts > 1 :
		!spanned && (explanation->job->skip_unchanged ||
					 (grows && plan->expected < plan->rows / 2));
	bool		smaller = plan->stripes > 1 || spanned;

	return psprintf("%s%.0f%s", plan->batches_known ? "" : "about ",
					plan->batches,
					plan->batches_known || larger == smaller ? "" :
					larger ? " or fewer" : " or more");
}

/* Whether updates can be HOT, and the stripes. */
static void
explain_stripes(Explanation *explanation)
{
	const BulkparJob *job = explanation->job;
	const BulkparPlan *plan = explanation->plan;
	Relation	part = table_open(explanation->target->part, NoLock);

	if (bulkpar_command_updates(job->command))
		bulkpar_lines_add(&explanation->lines, "HOT: %s",
						  bulkpar_stripe_can_be_hot(part, job) ?
						  "possible, no indexed column is set" :
						  "impossible, an indexed column is set");
	table_close(part, NoLock);
	bulkpar_lines_add(&explanation->lines, "Stripes: %d, %s", plan->stripes,
					  plan->listed ? "for rows that are listed first" :
					  plan->spanned ? "for rows that are deleted span by span" :
					  !plan->stripes_chosen ? "as asked for" :
					  plan->stripes > 1 && plan->xmin_holders != NULL ?
					  "as chosen, but 1 while dead rows cannot be removed" :
					  "as chosen");
}

/* The plan that lists the rows, if that is done, and of a batch. */
static void
explain_plan(Explanation *explanation)
{
	BulkparTarget *target = explanation->target;
	BulkparKeyShape shape = bulkpar_key_usual_shape(target->key);
	BulkparKeyShape list = {.listed = true};
	BulkparKeyShape places = {.listed = true, .placed = true};
	const BulkparPlan *plan = explanation->plan;
	BulkparStatement *statement;

	SPI_connect();
	if (plan->listed || plan->spanned)
	{
		statement = plan->listed ?
			bulkpar_statement_list(explanation->job, target->relid,
								   target->part, target->key) :
			bulkpar_statement_span(explanation->job, target->relid,
								   target->part, target->key);
		bulkpar_lines_add(&explanation->lines, "Plan to list the rows%s:",
						  plan->listed ? "" : " of a span");
		bulkpar_lines_add_text(&explanation->lines, bulkpar_statement_explain(statement));
	}
	statement = bulkpar_statement_batch(explanation->job, target->relid, target->part,
										target->key,
										plan->listed ? &list :
										plan->spanned ? &places : &shape);
	bulkpar_lines_add(&explanation->lines, "Plan of a batch%s:",
					  explanation->once.found == NIL || explanation->sample ? "" :
					  ", with the subqueries in the place of their results");
	bulkpar_lines_add_text(&explanation->lines, bulkpar_statement_explain(statement));
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
		bulkpar_lines_add(&explanation->lines, "Warning: %s failed: %s (SQLSTATE %s)", what,
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
		bulkpar_statement_values(explanation->job, target->relid, target->part, target->key);

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
		bulkpar_lines_add(&explanation->lines, "Row: %s", line.data);
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
	const BulkparPlan *plan = explanation->plan;
	double		rows = plan->spanned ? plan->expected : plan->rows;
	int			workers = job->workers;
	BulkparSample sample;

	bulkpar_target_lock(explanation->target, job, plan->largest,
						RowExclusiveLock);
	bulkpar_sample_run(job, explanation->target, plan, &sample);
	if (sample.listed < 0)
		bulkpar_lines_add(&explanation->lines,
						  "Sample: more than %d rows match, found in %.1f ms, so that they are not listed first",
						  plan->max_listed, sample.listing_ms);
	else
		workers = Max(1, Min(plan->workers, plan->batches));
	if (plan->listed && sample.listed >= 0)
	{
		rows = plan->expected;
		bulkpar_lines_add(&explanation->lines,
						  "Sample: listing %d rows took %.1f ms",
						  sample.listed, sample.listing_ms);
	}
	if (sample.rows == 0)
		return;
	bulkpar_lines_add(&explanation->lines,
					  "Sample: %d %s of %s, of which "
					  INT64_FORMAT " changed, took %.1f ms and were rolled back",
					  sample.batches, sample.batches == 1 ? "batch" : "batches",
					  show_rows(sample.rows, true), sample.rows_changed,
					  sample.batches_ms);
	bulkpar_lines_add(&explanation->lines,
					  "Estimate: about %.1f s with %d %s",
					  (sample.listing_ms + sample.batches_ms / sample.rows *
					   Max(rows, sample.rows) / workers) / 1000, workers,
					  workers == 1 ? "worker" : "workers");
}

/*
 * New values that are not unique where they must be.  That reads all rows of
 * the job, so it is only done together with a sample.
 */
static void
warn_duplicates(void *arg)
{
	Explanation *explanation = arg;
	Relation	rel = table_open(explanation->target->relid, NoLock);
	List	   *lines = bulkpar_duplicates_find(explanation->target,
												explanation->job, rel);
	ListCell   *lc;

	foreach(lc, lines)
		bulkpar_lines_add(&explanation->lines, "Warning: %s", (char *) lfirst(lc));
	table_close(rel, NoLock);
}

/* A number of rows, as exactly as it is known. */
static char *
show_rows(double rows, bool counted)
{
	return psprintf("%s%.0f %s", counted ? "" : "about ", rows,
					rows == 1 ? "row" : "rows");
}

static char *
show_size(double pages)
{
	return TextDatumGetCString(DirectFunctionCall1(pg_size_pretty,
												   Int64GetDatum((int64) pages *
																 BLCKSZ)));
}
