/*-------------------------------------------------------------------------
 *
 * sample.c
 *		Running a few batches, to see how long they take.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/sample.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "portability/instr_time.h"

#include "call/sample.h"
#include "run/list.h"
#include "run/span.h"
#include "table/bounds.h"
#include "table/endkey.h"
#include "table/keyvalue.h"

/* How many batches are run. */
#define MAX_BATCHES 3

static bool run_listed(const BulkparJob *job, BulkparTarget *target,
					   const BulkparPlan *plan, BulkparSample *sample);
static bool sample_span(const BulkparJob *job, BulkparTarget *target,
						const BulkparPlan *plan, BulkparSample *sample);
static void sample_list(const BulkparJob *job, BulkparTarget *target,
						const BulkparList *list, BulkparSample *sample);
static void run_range(const BulkparJob *job, BulkparTarget *target,
					  BulkparSample *sample);
static double milliseconds_since(instr_time start);

/*
 * Run the first batches of the largest part, which the target is locked at for
 * writing, with its rows listed first or not, in the current transaction, which
 * the caller rolls back.
 */
void
bulkpar_sample_run(const BulkparJob *job, BulkparTarget *target,
				   const BulkparPlan *plan, BulkparSample *sample)
{
	memset(sample, 0, sizeof(BulkparSample));
	if (plan->listed && run_listed(job, target, plan, sample))
		return;
	if (!plan->spanned || !sample_span(job, target, plan, sample))
		run_range(job, target, sample);
}

/* False if there are too many rows to be listed. */
static bool
run_listed(const BulkparJob *job, BulkparTarget *target,
		   const BulkparPlan *plan, BulkparSample *sample)
{
	instr_time	start;
	BulkparList *list;

	INSTR_TIME_SET_CURRENT(start);
	list = bulkpar_list_find(job, target, plan->max_listed);
	sample->listing_ms = milliseconds_since(start);
	if (list == NULL)
	{
		sample->listed = -1;
		return false;
	}
	for (int i = 0; i < job->nparts; i++)
		sample->listed += list[i].count;
	list += plan->largest;
	bulkpar_list_sort(target->key, list);
	sample->listing_ms = milliseconds_since(start);
	sample_list(job, target, list, sample);
	return true;
}

/*
 * Run the first batches of the first span, which is listed for all of its rows, or
 * if it has none of the whole table.  False if there are no spans after all.
 */
static bool
sample_span(const BulkparJob *job, BulkparTarget *target,
			const BulkparPlan *plan, BulkparSample *sample)
{
	BulkparSpan all = {.after = InvalidBlockNumber};
	Datum	   *end = bulkpar_endkey_read(target);
	BulkparList aside = {0};
	BulkparList list = {0};
	BulkparSpan *spans;
	int			nspans;
	instr_time	start;
	double		listing_ms;

	if (end == NULL)
		return false;
	spans = bulkpar_span_cut(plan, job, target, &nspans);
	if (spans == NULL)
		return false;
	INSTR_TIME_SET_CURRENT(start);
	(void) bulkpar_list_spans(job, target, &spans[0], 1, end, &aside, &list);
	if (list.count == 0)
		(void) bulkpar_list_spans(job, target, &all, 1, end, &aside, &list);
	listing_ms = milliseconds_since(start);
	sample_list(job, target, &list, sample);
	if (list.count > 0)
		sample->batches_ms += listing_ms * sample->rows / list.count;
	return true;
}

/* Run the first batches of a list. */
static void
sample_list(const BulkparJob *job, BulkparTarget *target, const BulkparList *list,
			BulkparSample *sample)
{
	int			width = bulkpar_keyvalue_row_width(target->key);
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	while (sample->batches < MAX_BATCHES && sample->rows < list->count)
	{
		int			rows = Min(job->batch_size, list->count - sample->rows);

		SPI_connect();
		sample->rows_changed +=
			bulkpar_target_update_listed(target, job,
										 &list->keys[sample->rows * width],
										 rows);
		SPI_finish();
		sample->rows += rows;
		sample->batches++;
	}
	sample->batches_ms = milliseconds_since(start);
}

static void
run_range(const BulkparJob *job, BulkparTarget *target, BulkparSample *sample)
{
	BulkparStripe all = {.count = 1};
	Datum	   *end = bulkpar_endkey_read(target);
	Datum	   *lo = NULL;
	BulkparBounds bounds;
	instr_time	start;

	if (end == NULL)
		return;
	bulkpar_bounds_collect(target, NULL, end, &all, job->batch_size, MAX_BATCHES,
						   &bounds);
	INSTR_TIME_SET_CURRENT(start);
	for (int i = 0; i < bounds.nbatches; i++)
	{
		SPI_connect();
		sample->rows_changed += bulkpar_target_update(target, job, lo,
													  bounds.keys[i], &all);
		SPI_finish();
		lo = bounds.keys[i];
	}
	sample->batches_ms = milliseconds_since(start);
	sample->batches = bounds.nbatches;
	sample->rows = bounds.rows;
}

static double
milliseconds_since(instr_time start)
{
	instr_time	elapsed;

	INSTR_TIME_SET_CURRENT(elapsed);
	INSTR_TIME_SUBTRACT(elapsed, start);
	return INSTR_TIME_GET_MILLISEC(elapsed);
}
