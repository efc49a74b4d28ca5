/*-------------------------------------------------------------------------
 *
 * plan.h
 *		How a job is to be run.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/plan.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_PLAN_H
#define BULKPAR_PLAN_H

#include "storage/block.h"

#include "books/job.h"
#include "table/target.h"

/* What is known of a part of the job. */
typedef struct BulkparPlanPart
{
	bool		gone;			/* it is no longer a part of the target */
	BlockNumber pages;
	double		rows;			/* that the job goes through */
	double		planner_rows;	/* what the planner takes for that */
	bool		counted;		/* these rows, else they are estimated */
	BulkparStoredKey *end_key;	/* NULL for an empty table */
} BulkparPlanPart;

/* How a job is to be run; for the job, and to be shown by bulkpar_explain. */
typedef struct BulkparPlan
{
	int			nparts;			/* as many as the job has */
	int			largest;		/* part, or -1 if all are gone */
	double		rows;			/* that the job goes through in all parts */
	bool		counted;		/* those of all parts */
	double		expected;		/* rows that change, or -1: not looked at */
	bool		repeatable;		/* each time that they are looked for */
	bool		unlisted;		/* just because they are not */
	bool		joins;			/* other tables are read to find them */
	bool		dear;			/* their condition takes long for each row */
	bool		by_index;		/* an index would be asked which they are */
	bool		large;			/* they are deleted, in a table that is not
								 * small, ... */
	bool		random;			/* ... and in another order than they are in */
	bool		cached;			/* it may be in memory */
	bool		listed;			/* the rows that change, before the batches, */
	int			max_listed;		/* unless more than so many do */
	bool		spanned;		/* or else in spans of the table, see span.c, */
	bool		narrowed;		/* if an index leaves out most of its blocks */
	bool		bundled;		/* small parts are taken together */
	double		batches;
	bool		batches_known;	/* there will be exactly that many */
	int			workers;		/* at the most, if the rows are listed */
	int			stripes;
	bool		stripes_chosen; /* by us, not by the caller */
	char	   *xmin_holders;	/* NULL for none, or if it does not matter */
	BulkparPlanPart parts[FLEXIBLE_ARRAY_MEMBER];
} BulkparPlan;

extern BulkparPlan *bulkpar_plan_decide(const BulkparJob *job,
										BulkparTarget *target,
										int snapshot_holder);
extern void bulkpar_plan_job(BulkparJob *job, BulkparTarget *target,
							 int snapshot_holder, bool alone);

#endif							/* BULKPAR_PLAN_H */
