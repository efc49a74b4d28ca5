/*-------------------------------------------------------------------------
 *
 * plan.c
 *		Where a job ends, and how many workers and stripes it has.
 *
 * The first worker of each run plans it, before it begins to work.  That is
 * not for the coordinator to do: the condition of the user is evaluated here,
 * and row level security, whose code could hang, swallow a cancel, or give up
 * the locks that a coordinator lives by.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/plan.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "optimizer/plancat.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "run/list.h"
#include "run/plan.h"
#include "session/settings.h"
#include "table/bounds.h"
#include "table/keyvalue.h"
#include "table/measure.h"
#include "table/part.h"
#include "table/stripe.h"

static void plan_part(BulkparJob *job, int number, BulkparTarget *target);
static int	count_workers(BulkparJob *job, BulkparTarget *target);
static void plan_stripes(BulkparJob *job, BulkparTarget *target,
						 int snapshot_holder);

/*
 * Plan the run of a job that was loaded in this transaction, and store what
 * was found out and chosen.  The job is changed in the current memory context.
 * The session of snapshot_holder, if it is not 0, keeps a snapshot meanwhile.
 */
void
bulkpar_plan_job(BulkparJob *job, BulkparTarget *target, int snapshot_holder)
{
	bool		listed;

	bulkpar_settings_scan_in_parallel(job->workers);
	PushActiveSnapshot(GetTransactionSnapshot());
	for (int i = 0; i < job->nparts; i++)
		plan_part(job, i, target);
	listed = !job->prepared && !bulkpar_job_is_empty(job) &&
		bulkpar_list_rows(job, target);
	if (!listed && !bulkpar_job_is_empty(job))
		job->workers = count_workers(job, target);
	PopActiveSnapshot();
	if (listed)
		job->stripes = 1;
	else
		plan_stripes(job, target, snapshot_holder);
	for (int i = 0; i < job->nparts; i++)
		bulkpar_measure_space(job->parts[i].relid, &job->before);
	bulkpar_job_start(job);
}

/*
 * Find out where a part of a new job ends, and how many rows it has, or
 * whether it still is a part of a job that goes on.  The number of rows is
 * estimated as the planner does.  That takes bloat for rows; the counter of
 * live rows knows better, unless it has been reset.
 */
static void
plan_part(BulkparJob *job, int number, BulkparTarget *target)
{
	BulkparJobPart *part = &job->parts[number];
	Relation	rel;
	BlockNumber pages;
	double		allvisfrac;
	double		live = bulkpar_compat_live_tuples(part->relid);
	Datum	   *end;

	LockRelationOid(part->relid, AccessShareLock);
	part->gone = part->gone ||
		(get_rel_name(job->target) != NULL &&
		 !bulkpar_part_belongs(job->target, part->relid));
	if (part->gone)
		return;
	bulkpar_target_lock(target, job, number, AccessShareLock);
	if (job->prepared)
		return;

	rel = table_open(part->relid, NoLock);
	estimate_rel_size(rel, NULL, &pages, &part->estimated_rows, &allvisfrac);
	if (live > 0 && live < part->estimated_rows &&
		live >= rel->rd_rel->reltuples / 2)
		part->estimated_rows = live;
	table_close(rel, NoLock);
	end = bulkpar_target_end_key(target);
	if (end == NULL)
		part->estimated_rows = 0;
	else
		part->end_key = bulkpar_keyvalue_store(target->key, end);
	job->estimated_rows += part->estimated_rows;
}

/* As many workers as the job asks for, but not more than it has batches. */
static int
count_workers(BulkparJob *job, BulkparTarget *target)
{
	BulkparStripe all = {.count = 1};
	int			workers = 0;

	for (int i = 0; i < job->nparts && workers < job->workers; i++)
	{
		BulkparJobPart *part = &job->parts[i];
		BulkparBounds bounds;

		if (part->gone || part->end_key == NULL)
			continue;
		bulkpar_target_lock(target, job, i, AccessShareLock);
		bulkpar_bounds_collect(target, NULL,
							   bulkpar_keyvalue_restore(target->key, part->end_key),
							   &all, job->batch_size, job->workers - workers,
							   &bounds);
		if (bounds.complete)
		{
			job->estimated_rows += bounds.rows - part->estimated_rows;
			part->estimated_rows = bounds.rows;
		}
		workers += bounds.nbatches;
	}
	return Max(workers, 1);
}

/*
 * Find out who holds back the removal of dead rows, and choose the number of
 * stripes: what is best for the largest part.
 */
static void
plan_stripes(BulkparJob *job, BulkparTarget *target, int snapshot_holder)
{
	int			largest = 0;
	Relation	rel;

	for (int i = 1; i < job->nparts; i++)
	{
		if (!job->parts[i].gone && (job->parts[largest].gone ||
									job->parts[i].estimated_rows >
									job->parts[largest].estimated_rows))
			largest = i;
	}
	if (largest < job->nparts && !job->parts[largest].gone)
	{
		bulkpar_target_lock(target, job, largest, AccessShareLock);
		rel = table_open(job->parts[largest].relid, NoLock);
		if (bulkpar_stripe_matters(rel))
			job->xmin_holders =
				bulkpar_measure_xmin_holders(snapshot_holder);
		if (job->stripes == 0)
		{
			job->stripes = bulkpar_stripe_choose(rel, target->key, job);
			job->stripes_chosen = true;
		}
		table_close(rel, NoLock);
	}
	job->stripes = Max(job->stripes, 1);
}
