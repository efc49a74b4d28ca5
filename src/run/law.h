/*-------------------------------------------------------------------------
 *
 * law.h
 *		How much of its time a job works, and in how large batches.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/law.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_LAW_H
#define BULKPAR_LAW_H

/* So many batches show how long they take. */
#define BULKPAR_LAW_TIMES 10

extern double bulkpar_law_share(double load, double nice);
extern int	bulkpar_law_batch_size(int size, int given, double target,
								   const double *times, int ntimes);

#endif							/* BULKPAR_LAW_H */
