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
#include "session/settings.h"
#include "table/bounds.h"
#include "table/endkey.h"
#include "table/indexed.h"
#include "table/keyvalue.h"
#include "table/measure.h"
#include "table/part.h"
#include "table/several.h"
#include "table/stripe.h"

/*
 * Rows are listed when not more than one in so many is expected to change, and
 * no more are found, ...  With 400,000 rows and two workers a list took 1.19
 * times as long as a walk where one in 4 changed, 0.85 times with one in 16,
 * 0.86 times with one in 64 (medians of five pairs), and it reads the rows that
 * change twice.
 */
#define MIN_ROWS_PER_LISTED 16

/*
 * ... or so many where each row is looked up in another table: the list reads
 * that once, a walk in each batch.  Where one in 5 of 400,000 rows was deleted
 * since another table did not have it a list took 0.66 times as long, where one
 * in 2 was 1.3 times (medians of five pairs).
 */
#define MIN_ROWS_PER_LISTED_JOIN 4

/*
 * The same for rows that are deleted where the key is in another order than
 * they are, and the table is not small: a walk reads a page at random for each
 * row, also for those that do not match.  Of 1,000,000 rows with random uuids
 * one in 3 was deleted in 0.32 times the time of a walk, one in 10 in 0.22
 * times; with bigint keys in order one in 3 in 1.6 times, one in 10 in 1.2 times
 * (medians of three).  An UPDATE fills the room that earlier batches have left
 * on its pages: but only if it comes back to them, as a walk does.
 *
 * Where the batches delete the rows at their places, all may be listed: a walk
 * comes to the page of each row twice, when a chunk is claimed and in the batch.
 * 300,000 rows with random uuids were all deleted in half the time of a walk.
 * But only where that cannot be done span by span, see span.c.
 */
#define MIN_ROWS_PER_LISTED_DELETE 2

/*
 * The same where they can be deleted span by span.  An index tells the rows of a list
 * without a look at any other: of 1,000,000 rows one in 100 was deleted in 1.34 times
 * the time of a list, one in 10 in 0.92 times.  Where all are looked at anyway the
 * workers share that: one in 100 took 0.75 times the time, one in 10 0.90 (medians of
 * five).  But then each should have a few spans with a batch.
 */
#define MIN_ROWS_PER_LISTED_SPAN 8
#define MIN_SPANS_PER_WORKER 4

/*
 * Where the key is in the order of the rows they are deleted span by span if not
 * more than one in so many match, and all are in memory.  Of 1,000,000 rows one in 3
 * was deleted in 0.80 times the time of a walk, half of them in the same (medians
 * of seven and five pairs).  Of those on disk a walk reads each block but once.
 */
#define MIN_ROWS_PER_SPANNED 2

/*
 * What share of the rows is taken to match when they are known to be more than one
 * in eight: too large a share makes spans of few rows, too small a one makes few.
 */
#define SHARE_AFTER_LIST (1.0 / 3)

/*
 * ... in a table of at least so many batches.  Where it has fewer there is
 * little to gain: 0.12 s instead of 0.16 s with 16 batches, 0.16 s instead of
 * 0.18 s with 64, 0.38 s instead of 0.46 s with 256 (medians of seven pairs, one
 * row in 64).
 */
#define MIN_BATCHES 64

static void evaluate_once(BulkparJob *job, BulkparTarget *target);
static void look_at_part(BulkparPlan *plan, const BulkparJob *job, int number,
						 BulkparTarget *target);
static void expect(const BulkparJob *job, BulkparTarget *target,
				   BulkparExpected *expected);
static double count_planner_rows(const BulkparPlan *plan, const BulkparJob *job,
								 Oid target);
static void sum_up(BulkparPlan *plan);
static bool is_empty(const BulkparPlan *plan);
static void choose_way(BulkparPlan *plan, const BulkparJob *job,
					   BulkparTarget *target);
static int	choose_max_listed(const BulkparPlan *plan, const BulkparJob *job,
							  BulkparTarget *target);
static void look_at_order(BulkparPlan *plan, const BulkparJob *job,
						  BulkparTarget *target);
static bool changes_all(const BulkparJob *job);
static bool can_reach_list(const BulkparJob *job, BulkparTarget *target);
static bool have_same_columns(const BulkparPlan *plan, const BulkparJob *job,
							  BulkparTarget *target);
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
	choose_way(plan, job, target);
	if (plan->listed)
		decide_list(plan, job);
	else if (plan->spanned)
		decide_spans(plan, job);
	else
		decide_walk(plan, job, target, snapshot_holder);
	return plan;
}

/*
 * Ask the planner how many of the rows the statement will change.  It may take
 * the table for larger or smaller than we know it to be: what it says of its
 * rows is then said of ours.  Of several targets it is asked of the one with the
 * largest part, and that is said of all.  The plan must have a part that is not gone.
 */
void
bulkpar_plan_expect(BulkparPlan *plan, const BulkparJob *job,
					BulkparTarget *target)
{
	BulkparExpected expected;
	double		planner_rows;

	bulkpar_target_lock(target, job, plan->largest, AccessShareLock);
	expect(job, target, &expected);
	plan->repeatable = expected.repeatable;
	plan->dear = expected.dear;
	plan->by_index = expected.by_index;
	plan->joins = expected.joins;
	plan->expected = expected.rows;
	planner_rows = count_planner_rows(plan, job, target->relid);
	if (planner_rows > 0)
		plan->expected *= plan->rows / planner_rows;
	plan->expected = Min(Max(rint(plan->expected), 1), plan->rows);
}

/*
 * What the planner expects.  With hundreds of parts it takes long to say so, and
 * was asked when the job was made; but of the statement as it was written.
 */
static void
expect(const BulkparJob *job, BulkparTarget *target, BulkparExpected *expected)
{
	*expected = job->expected;
	if (expected->known && job->subqueries.count == 0)
		return;
	SPI_connect();
	bulkpar_target_expect(target, job, expected);
	SPI_finish();
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

	bulkpar_settings_scan_in_parallel(alone ? 1 : job->workers);
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

/* What the planner takes for the rows of a target. */
static double
count_planner_rows(const BulkparPlan *plan, const BulkparJob *job, Oid target)
{
	double		rows = 0;

	for (int i = 0; i < plan->nparts; i++)
	{
		if (job->parts[i].target == target)
			rows += plan->parts[i].planner_rows;
	}
	return rows;
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

/*
 * Whether a job does best to list the rows that change before its batches, all or
 * in spans of the table, if these are not few after all. An error while all are
 * looked up could not be said to be one of a row.  Of several targets each would
 * have a list of its own.
 */
static void
choose_way(BulkparPlan *plan, const BulkparJob *job, BulkparTarget *target)
{
	if (job->prepared || job->skip_errors || job->ntargets > 0 ||
		is_empty(plan) ||
		plan->rows < (double) MIN_BATCHES * job->batch_size)
		return;
	look_at_order(plan, job, target);
	if (changes_all(job) && !plan->random)
		return;
	bulkpar_plan_expect(plan, job, target);
	plan->narrowed = !plan->random &&
		(!plan->cached ||
		 plan->expected > plan->rows / MIN_ROWS_PER_SPANNED);
	plan->spanned = plan->large && (plan->by_index || !plan->narrowed) &&
		plan->repeatable && !plan->joins && !plan->dear &&
		bulkpar_span_is_possible(job, target) && can_reach_list(job, target);
	plan->max_listed = choose_max_listed(plan, job, target);
	if (plan->expected > plan->max_listed)
		return;
	plan->unlisted = !plan->repeatable;
	plan->listed = plan->repeatable &&
		(plan->spanned || can_reach_list(job, target)) &&
		have_same_columns(plan, job, target);
}

/*
 * How many rows are few enough to be listed.  Where all are, their number may be
 * larger than was estimated.
 */
static int
choose_max_listed(const BulkparPlan *plan, const BulkparJob *job,
				  BulkparTarget *target)
{
	int			rows_per_listed = plan->joins ? MIN_ROWS_PER_LISTED_JOIN :
		plan->spanned ? MIN_ROWS_PER_LISTED_SPAN : MIN_ROWS_PER_LISTED;
	double		max_listed;

	if (plan->random && !plan->spanned)
	{
		if (bulkpar_target_deletes_at_places(target, job))
			return BULKPAR_LIST_MAX_ROWS;
		rows_per_listed = MIN_ROWS_PER_LISTED_DELETE;
	}
	max_listed = Min(plan->rows / rows_per_listed, BULKPAR_LIST_MAX_ROWS);
	if (plan->spanned && !plan->by_index)
		max_listed = Min(max_listed, (double) MIN_SPANS_PER_WORKER *
						 job->workers * job->batch_size);
	return (int) max_listed;
}

/*
 * See whether rows are deleted from a table that is not small, and in another order
 * than they are in.  What holds for the largest part, which the target is locked at
 * by that, is taken for all.
 */
static void
look_at_order(BulkparPlan *plan, const BulkparJob *job, BulkparTarget *target)
{
	Relation	rel;

	if (!bulkpar_command_deletes(job->command))
		return;
	bulkpar_target_lock(target, job, plan->largest, AccessShareLock);
	rel = table_open(target->part, NoLock);
	plan->large = bulkpar_stripe_matters(rel);
	plan->cached = bulkpar_indexed_is_cached(rel);
	plan->random = plan->large &&
		!bulkpar_stripe_follows_heap(rel, target->key);
	table_close(rel, NoLock);
}

/* Whether nothing says which rows change. */
static bool
changes_all(const BulkparJob *job)
{
	return job->condition == NULL && job->from_item == NULL &&
		job->statement == NULL;
}

/* Whether the batches can reach the rows of a list by their keys. */
static bool
can_reach_list(const BulkparJob *job, BulkparTarget *target)
{
	bool		can;

	SPI_connect();
	can = bulkpar_keyvalue_can_be_listed(target->key) &&
		bulkpar_target_reaches_list(target, job);
	SPI_finish();
	return can;
}

/* Whether the keys of all parts have columns of the same names. */
static bool
have_same_columns(const BulkparPlan *plan, const BulkparJob *job,
				  BulkparTarget *target)
{
	StringInfoData first;
	StringInfoData other;

	initStringInfo(&first);
	initStringInfo(&other);
	bulkpar_key_append_columns(&first, target->key);
	for (int i = 0; i < plan->nparts; i++)
	{
		if (plan->parts[i].gone)
			continue;
		bulkpar_target_lock(target, job, i, AccessShareLock);
		resetStringInfo(&other);
		bulkpar_key_append_columns(&other, target->key);
		if (strcmp(first.data, other.data) != 0)
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
