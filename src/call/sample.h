/*-------------------------------------------------------------------------
 *
 * sample.h
 *		Running a few batches, to see how long they take.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/sample.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_SAMPLE_H
#define BULKPAR_SAMPLE_H

#include "run/plan.h"

typedef struct BulkparSample
{
	int			batches;
	int64		rows;			/* in them */
	int64		rows_changed;
	double		batches_ms;
	int			listed;			/* rows of all parts, before the batches; -1
								 * for too many */
	double		listing_ms;
} BulkparSample;

extern void bulkpar_sample_run(const BulkparJob *job, BulkparTarget *target,
							   const BulkparPlan *plan, BulkparSample *sample);

#endif							/* BULKPAR_SAMPLE_H */
