/*-------------------------------------------------------------------------
 *
 * plan.h
 *		Where a job ends, and how many workers and stripes it has.
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

#include "books/job.h"
#include "table/target.h"

extern void bulkpar_plan_job(BulkparJob *job, BulkparTarget *target,
							 int snapshot_holder);

#endif							/* BULKPAR_PLAN_H */
