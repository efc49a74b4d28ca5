/*-------------------------------------------------------------------------
 *
 * span.h
 *		Deleting rows in the order of the table, span by span.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/span.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_SPAN_H
#define BULKPAR_SPAN_H

#include "run/chunk.h"
#include "run/plan.h"

extern bool bulkpar_span_is_possible(const BulkparJob *job,
									 BulkparTarget *target);
extern BulkparSpan *bulkpar_span_cut(const BulkparPlan *plan,
									 const BulkparJob *job,
									 const BulkparTarget *target,
									 int *nspans);
extern bool bulkpar_span_store(const BulkparPlan *plan, const BulkparJob *job,
							   const BulkparTarget *target);
extern bool bulkpar_span_list(BulkparChunkRun *run, bool *complete);

#endif							/* BULKPAR_SPAN_H */
