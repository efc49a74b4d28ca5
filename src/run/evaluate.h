/*-------------------------------------------------------------------------
 *
 * evaluate.h
 *		Evaluating once what a job evaluates once.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/evaluate.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_EVALUATE_H
#define BULKPAR_EVALUATE_H

#include "books/job.h"
#include "table/once.h"
#include "table/target.h"

extern BulkparOnce bulkpar_evaluate_find(const BulkparJob *job,
										 BulkparTarget *target);
extern void bulkpar_evaluate_run(BulkparJob *job, BulkparTarget *target,
								 const BulkparOnce *once);
extern double bulkpar_evaluate_expect(BulkparJob *job,
									  const BulkparOnceItem *item,
									  double *pages);

#endif							/* BULKPAR_EVALUATE_H */
