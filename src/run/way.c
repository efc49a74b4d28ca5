/*-------------------------------------------------------------------------
 *
 * way.c
 *		Which way a job takes through its rows.
 *
 * It walks along the key, or lists the rows that change before its batches: all at
 * once, see list.c, or in spans of the table, see span.c.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/way.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/table.h"
#include "executor/spi.h"

#include "run/list.h"
#include "run/span.h"
#include "run/way.h"
#include "table/indexed.h"
#include "table/keyvalue.h"
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
 *
 * Where they are looked up in another table each worker must be able to remember that,
 * instead of the hash that a list makes once: one in 5 of 500,000 was deleted so in
 * 0.82 times the time of a list (median of nine pairs).
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
 * ... in a table of at least so many batches.  Where it has fewer there is
 * little to gain: 0.12 s instead of 0.16 s with 16 batches, 0.16 s instead of
 * 0.18 s with 64, 0.38 s instead of 0.46 s with 256 (medians of seven pairs, one
 * row in 64).
 */
#define MIN_BATCHES 64

static void expect(const BulkparJob *job, BulkparTarget *target,
				   BulkparExpected *expected);
static double count_planner_rows(const BulkparPlan *plan, const BulkparJob *job,
								 Oid target);
static int	choose_max_listed(const BulkparPlan *plan, const BulkparJob *job,
							  BulkparTarget *target);
static void look_at_order(BulkparPlan *plan, const BulkparJob *job,
						  BulkparTarget *target);
static bool changes_all(const BulkparJob *job);
static bool can_reach_list(const BulkparJob *job, BulkparTarget *target);
static bool remembers_others(const BulkparJob *job, BulkparTarget *target);
static bool have_same_columns(const BulkparPlan *plan, const BulkparJob *job,
							  BulkparTarget *target);

/*
 * Whether a job does best to list the rows that change before its batches, all or
 * in spans of the table, if these are not few after all.  An error while all are
 * looked up could not be said to be one of a row.  Of several targets each would
 * have a list of its own.  The plan must have rows to go through.
 */
void
bulkpar_way_choose(BulkparPlan *plan, const BulkparJob *job,
				   BulkparTarget *target)
{
	if (job->prepared || job->skip_errors || job->ntargets > 0 ||
		plan->rows < (double) MIN_BATCHES * job->batch_size)
		return;
	look_at_order(plan, job, target);
	if (changes_all(job) && !plan->random)
		return;
	bulkpar_way_expect(plan, job, target);
	plan->narrowed = !plan->random &&
		(!plan->cached ||
		 plan->expected > plan->rows / MIN_ROWS_PER_SPANNED);
	plan->spanned = plan->large && (plan->by_index || !plan->narrowed) &&
		plan->repeatable && !plan->dear &&
		bulkpar_span_is_possible(job, target) && can_reach_list(job, target) &&
		(!plan->joins || remembers_others(job, target));
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
	int			rows_per_listed = plan->spanned ? MIN_ROWS_PER_LISTED_SPAN :
		plan->joins ? MIN_ROWS_PER_LISTED_JOIN : MIN_ROWS_PER_LISTED;
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

/* Whether each worker would read other tables but once. */
static bool
remembers_others(const BulkparJob *job, BulkparTarget *target)
{
	bool		remembers;

	SPI_connect();
	remembers = bulkpar_target_remembers(target, job);
	SPI_finish();
	return remembers;
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

/*
 * Ask the planner how many of the rows the statement will change.  It may take
 * the table for larger or smaller than we know it to be: what it says of its
 * rows is then said of ours.  Of several targets it is asked of the one with the
 * largest part, and that is said of all.  The plan must have a part that is not gone.
 */
void
bulkpar_way_expect(BulkparPlan *plan, const BulkparJob *job,
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
