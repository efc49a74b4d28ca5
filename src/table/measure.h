/*-------------------------------------------------------------------------
 *
 * measure.h
 *		The rows of a table, its space, and who keeps it from being reused.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/measure.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_MEASURE_H
#define BULKPAR_MEASURE_H

#include "storage/block.h"

#include "books/job.h"

extern double bulkpar_measure_rows(Oid relid, BlockNumber *pages,
								   double *planner_rows);
extern void bulkpar_measure_space(Oid relid, BulkparJobSpace *space);
extern char *bulkpar_measure_xmin_holders(int pid);

#endif							/* BULKPAR_MEASURE_H */
