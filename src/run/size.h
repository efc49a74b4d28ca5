/*-------------------------------------------------------------------------
 *
 * size.h
 *		How large the batches of a worker are.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/size.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_SIZE_H
#define BULKPAR_SIZE_H

#include "run/law.h"

/* That of a batch, and what it goes by. */
typedef struct BulkparSize
{
	int			given;			/* of the job; no batch is larger */
	int			size;
	int			ntimes;
	double		times[BULKPAR_LAW_TIMES];	/* of the last batches of that
											 * size, in milliseconds */
} BulkparSize;

extern int	bulkpar_size_choose(BulkparSize *size, int given, int target);
extern void bulkpar_size_note(BulkparSize *size, int target, double time);

#endif							/* BULKPAR_SIZE_H */
