/*-------------------------------------------------------------------------
 *
 * measure.h
 *		The space that a table takes, and who keeps it from being reused.
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

#include "books/job.h"

extern void bulkpar_measure_space(Oid relid, BulkparJobSpace *space);
extern char *bulkpar_measure_xmin_holders(int pid);

#endif							/* BULKPAR_MEASURE_H */
