/*-------------------------------------------------------------------------
 *
 * plan.c
 *		How a job is to be run.
 *
 * All that is chosen for a job is chosen here: where its parts end and how
 * many rows they have, whether the rows that change are listed first, workers,
 * stripes and batches.  The first worker of each run plans the job, before it
 * begins to work, and bulkpar_explain shows the same plan without a job.
 *
 * That is not for the coordinator to do: the condition of the user is
 * evaluated here, and row level security, whose code could hang, swallow a
 * cancel, or give up the locks that a coordinator lives by.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/plan.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/relation.h"
#include "access/table.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "run/claim.h"
#include "run/evaluate.h"
#include "run/list.h"
#include "run/plan.h"
#include "run/span.h"
#include "run/way.h"
#include "session/process.h"
#include "table/bounds.h"
#include "table/endkey.h"
#include "table/keyvalue.h"
#include "table/measure.h"
#include "table/part.h"
#include "table/several.h"
#include "table/stripe.h"

/*
 * What share of the rows is taken to match when they are known to be more than one
 * in eight: too large a share makes spans of few rows, too small a one makes few.
 */
#define SHARE_AFTER_LIST (1.0 / 3)

static void evaluate_once(BulkparJob *job, BulkparTarget *target);
static void look_at_part(BulkparPlan *plan, const BulkparJob *job, int number,
						 BulkparTarget *target);
static void sum_up(BulkparPlan *plan);
static bool is_empty(const BulkparPlan *plan);
static void decide_list(BulkparPlan *plan, const BulkparJob *job);
static void decide_spans(BulkparPlan *plan, const BulkparJob *job);
static void decide_spans_after_list(BulkparPlan *plan, const BulkparJob *job);
static void decide_walk(BulkparPlan *plan, const BulkparJob *job,
						BulkparTarget *target, int snapshot_holder);
static int	count_workers(BulkparPlan *plan, const BulkparJob *job,
						  BulkparTarget *target);
static void choose_stripes(BulkparPlan *plan, const BulkparJob *job,
						   BulkparTarget *target, int snapshot_holder);
static double count_batches(const BulkparPlan *plan, const BulkparJob *job,
							double share);
static bool list_rows(BulkparPlan *plan, const BulkparJob *job,
					  BulkparTarget *target);
static void follow_lists(BulkparPlan *plan, const BulkparJob *job,
						 const BulkparList *lists);
static bool store_spans(BulkparPlan *plan, const BulkparJob *job,
						const BulkparTarget *target);
static void store(BulkparJob *job, const BulkparPlan *plan);

/*
 * Decide how to run a job, in the current memory context.  Nothing is changed
 * by that: it reads catalogs and statistics and steps along the key index, with
 * the rights of the current user.  Must be called with an active snapshot;
 * tables stay locked to the end of the (sub)transaction, and the target at any
 * part.  The session of snapshot_holder, if it is not 0, keeps a snapshot while
 * the job runs.
 */
BulkparPlan *
bulkpar_plan_decide(const BulkparJob *job, BulkparTarget *target,
					int snapshot_holder)
{
	BulkparPlan *plan = palloc0(offsetof(BulkparPlan, parts) +
								sizeof(BulkparPlanPart) * job->nparts);

	plan->nparts = job->nparts;
	plan->expected = -1;
	for (int i = 0; i < job->nparts; i++)
		look_at_part(plan, job, i, target);
	sum_up(plan);
	if (!is_empty(plan))
		bulkpar_way_choose(plan, job, target);
	if (plan->listed)
		decide_list(plan, job);
	else if (plan->spanned)
		decide_spans(plan, job);
	else
		decide_walk(plan, job, target, snapshot_holder);
	return plan;
}

/*
 * Plan the run of a job that was loaded in this transaction, list its rows if
 * that is the plan, and store what was found out and chosen.  The job is
 * changed in the current memory context.  If alone no other process helps.
 */
void
bulkpar_plan_job(BulkparJob *job, BulkparTarget *target, int snapshot_holder,
				 bool alone)
{
	BulkparPlan *plan;

	bulkpar_process_scan_in_parallel(alone ? 1 : job->workers);
	PushActiveSnapshot(GetTransactionSnapshot());
	if (!job->prepared)
		evaluate_once(job, target);
	plan = bulkpar_plan_decide(job, target, snapshot_holder);
	if (plan->listed && !list_rows(plan, job, target))
	{
		plan->listed = false;
		if (plan->spanned)
			decide_spans_after_list(plan, job);
		else
			decide_walk(plan, job, target, snapshot_holder);
	}
	if (plan->spanned && !plan->listed)
	{
		plan->spanned = store_spans(plan, job, target);
		if (!plan->spanned)
			decide_walk(plan, job, target, snapshot_holder);
	}
	PopActiveSnapshot();
	store(job, plan);
}

static void
evaluate_once(BulkparJob *job, BulkparTarget *target)
{
	BulkparOnce once = bulkpar_evaluate_find(job, target);

	bulkpar_evaluate_run(job, target, &once);
}

/*
 * Find out where a part of a new job ends, and how many rows it has, or
 * whether it still is a part of a job that goes on.
 */
static void
look_at_part(BulkparPlan *plan, const BulkparJob *job, int number,
			 BulkparTarget *target)
{
	const BulkparJobPart *known = &job->parts[number];
	BulkparPlanPart *part = &plan->parts[number];
	Datum	   *end;

	LockRelationOid(known->relid, AccessShareLock);
	part->gone = known->gone || bulkpar_part_is_gone(job, number);
	part->rows = known->estimated_rows;
	part->end_key = known->end_key;
	if (part->gone)
		return;
	bulkpar_target_lock(target, job, number, AccessShareLock);
	if (job->prepared)
		return;

	part->rows = bulkpar_measure_rows(known->relid, &part->pages,
									  &part->planner_rows);
	end = bulkpar_endkey_read(target);
	if (end == NULL)
	{
		part->rows = 0;
		part->counted = true;
	}
	else
		part->end_key = bulkpar_keyvalue_store(target->key, end);
}

/* The rows of all parts, and the largest one. */
static void
sum_up(BulkparPlan *plan)
{
	plan->rows = 0;
	plan->counted = true;
	plan->largest = -1;
	for (int i = 0; i < plan->nparts; i++)
	{
		const BulkparPlanPart *part = &plan->parts[i];

		if (part->gone)
			continue;
		plan->rows += part->rows;
		plan->counted = plan->counted && part->counted;
		if (plan->largest < 0 || part->rows > plan->parts[plan->largest].rows)
			plan->largest = i;
	}
}

/* Whether there are no rows to go through. */
static bool
is_empty(const BulkparPlan *plan)
{
	for (int i = 0; i < plan->nparts; i++)
	{
		if (!plan->parts[i].gone && plan->parts[i].end_key != NULL)
			return false;
	}
	return true;
}

/* The rows are listed: as many batches as these need, and no stripes. */
static void
decide_list(BulkparPlan *plan, const BulkparJob *job)
{
	plan->workers = job->workers;
	plan->stripes = 1;
	plan->batches = Min(count_batches(plan, job, plan->expected / plan->rows),
						plan->expected);
}

/* The rows are listed span by span: as many batches as these need, or more. */
static void
decide_spans(BulkparPlan *plan, const BulkparJob *job)
{
	plan->stripes = 1;
	plan->batches = count_batches(plan, job, plan->expected / plan->rows);
	plan->workers = Max(1, Min(job->workers, plan->batches));
}

/* The same where more rows were found than the planner expects, how many is open. */
static void
decide_spans_after_list(BulkparPlan *plan, const BulkparJob *job)
{
	plan->expected = Max(plan->expected, plan->rows * SHARE_AFTER_LIST);
	decide_spans(plan, job);
}

/* The job walks along the key: workers, stripes, and batches of that. */
static void
decide_walk(BulkparPlan *plan, const BulkparJob *job, BulkparTarget *target,
			int snapshot_holder)
{
	plan->workers = is_empty(plan) ? 1 : count_workers(plan, job, target);
	choose_stripes(plan, job, target, snapshot_holder);
	plan->bundled = plan->nparts > 1 && plan->largest >= 0 &&
		bulkpar_several_is_possible(target, job);
	plan->batches = count_batches(plan, job, 1);
	plan->batches_known = plan->counted && plan->stripes == 1;
	if (plan->bundled && !job->prepared)
		plan->workers = Max(1, Min(plan->workers, plan->batches));
}

/*
 * As many workers as the job asks for, but not more than it has batches.  The
 * rows of small tables are counted by that.
 */
static int
count_workers(BulkparPlan *plan, const BulkparJob *job, BulkparTarget *target)
{
	BulkparStripe all = {.count = 1};
	int			workers = 0;

	for (int i = 0; i < plan->nparts && workers < job->workers; i++)
	{
		BulkparPlanPart *part = &plan->parts[i];
		BulkparBounds bounds;

		if (part->gone || part->end_key == NULL)
			continue;
		bulkpar_target_lock(target, job, i, AccessShareLock);
		bulkpar_bounds_collect(target, NULL,
							   bulkpar_keyvalue_restore(target->key, part->end_key),
							   &all, job->batch_size, job->workers - workers,
							   &bounds);
		workers += bounds.nbatches;
		if (job->prepared)
			continue;
		part->counted = bounds.complete;
		if (bounds.complete || part->rows < bounds.rows)
			part->rows = bounds.rows;
	}
	sum_up(plan);
	return Max(workers, 1);
}

/*
 * Find out who holds back the removal of dead rows, and choose the number of
 * stripes: what is best for the largest part.
 */
static void
choose_stripes(BulkparPlan *plan, const BulkparJob *job, BulkparTarget *target,
			   int snapshot_holder)
{
	Relation	rel;

	plan->stripes = job->stripes;
	plan->stripes_chosen = job->stripes_chosen;
	if (plan->largest >= 0)
	{
		bulkpar_target_lock(target, job, plan->largest, AccessShareLock);
		rel = table_open(target->part, NoLock);
		if (bulkpar_stripe_matters(rel))
			plan->xmin_holders = bulkpar_measure_xmin_holders(snapshot_holder);
		if (plan->stripes == 0)
		{
			plan->stripes = bulkpar_stripe_choose(rel, target->key, job);
			plan->stripes_chosen = true;
		}
		table_close(rel, NoLock);
	}
	plan->stripes = Max(plan->stripes, 1);
}

/*
 * The batches of a share of the rows in each part: none reaches into the next
 * part, unless it takes all of several.
 */
static double
count_batches(const BulkparPlan *plan, const BulkparJob *job, double share)
{
	double		batches = 0;
	double		rows_before = 0;
	double		limit = 0;
	double		bundle_rows = 0;
	int			bundle_parts = 0;	/* of the last batch, if it takes others */
	Oid			bundle_target = InvalidOid;

	for (int i = 0; i < plan->nparts; i++)
	{
		const BulkparPlanPart *part = &plan->parts[i];
		double		rows = part->rows * share;

		if (part->gone || part->end_key == NULL)
			continue;
		if (bundle_parts == 0 || job->parts[i].target != bundle_target ||
			!bulkpar_claim_adds(bundle_parts, bundle_rows, rows, limit))
		{
			batches += Max(1, ceil(rows / job->batch_size));
			limit = bulkpar_claim_bundle_limit(job, plan->rows - rows_before,
											   plan->workers);
			bundle_rows = 0;
			bundle_parts = 0;
		}
		if (plan->bundled && (bundle_parts > 0 || rows < limit))
		{
			bundle_rows += rows;
			bundle_parts++;
			bundle_target = job->parts[i].target;
		}
		rows_before += rows;
	}
	return batches;
}

/* List the rows, and store the list.  False if there are too many after all. */
static bool
list_rows(BulkparPlan *plan, const BulkparJob *job, BulkparTarget *target)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "bulkpar list",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext oldcontext = MemoryContextSwitchTo(context);
	BulkparList *lists = bulkpar_list_find(job, target, plan->max_listed);

	if (lists != NULL)
		bulkpar_list_store(job, target, lists);
	MemoryContextSwitchTo(oldcontext);
	if (lists != NULL)
		follow_lists(plan, job, lists);
	MemoryContextDelete(context);
	return lists != NULL;
}

/* The parts end at the last row of their lists. */
static void
follow_lists(BulkparPlan *plan, const BulkparJob *job,
			 const BulkparList *lists)
{
	for (int i = 0; i < plan->nparts; i++)
	{
		BulkparPlanPart *part = &plan->parts[i];

		part->rows = lists[i].count;
		part->counted = true;
		part->end_key = lists[i].end_key == NULL ? NULL :
			bulkpar_storedkey_copy(lists[i].end_key);
	}
	sum_up(plan);
	plan->expected = plan->rows;
	plan->batches = count_batches(plan, job, 1);
	plan->batches_known = true;
	plan->workers = Max(1, Min(job->workers, plan->batches));
}

/*
 * Store the spans.  The job goes through no rows but those that match.  False if it
 * does better to walk.
 */
static bool
store_spans(BulkparPlan *plan, const BulkparJob *job,
			const BulkparTarget *target)
{
	if (!bulkpar_span_store(plan, job, target))
		return false;
	plan->rows = plan->parts[0].rows = plan->expected;
	return true;
}

/* Store the plan in the job, and the space that its tables take before it. */
static void
store(BulkparJob *job, const BulkparPlan *plan)
{
	for (int i = 0; i < plan->nparts; i++)
	{
		job->parts[i].gone = plan->parts[i].gone;
		job->parts[i].estimated_rows = plan->parts[i].rows;
		job->parts[i].end_key = plan->parts[i].end_key;
		bulkpar_measure_space(job->parts[i].relid, &job->before);
	}
	if (!job->prepared)
		job->estimated_rows = plan->rows;
	job->workers = plan->workers;
	job->stripes = plan->stripes;
	job->stripes_chosen = plan->stripes_chosen;
	job->xmin_holders = plan->xmin_holders;
	bulkpar_job_start(job);
}
