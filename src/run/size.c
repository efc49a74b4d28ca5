/*-------------------------------------------------------------------------
 *
 * size.c
 *		How large the batches of a worker are.
 *
 * They have the size that the job was given, or less where that takes longer than
 * bulkpar.target_batch_time (see law.c).  Each worker goes by its own batches: the
 * rows of one chunk take longer than those of another, and whose batches are
 * slow because their pages are not in memory says nothing about the others.  A
 * worker that is new learns it with its first batches.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/size.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "run/size.h"

/*
 * The size of the next batch of a job of that batch size.  The target is in
 * milliseconds, 0 for none.
 */
int
bulkpar_size_choose(BulkparSize *size, int given, int target)
{
	if (size->given != given || target == 0)
	{
		size->given = size->size = given;
		size->ntimes = 0;
	}
	return size->size;
}

/* Note how long a batch of that size has taken. */
void
bulkpar_size_note(BulkparSize *size, int target, double time)
{
	int			after;

	if (target == 0)
		return;
	if (size->ntimes == BULKPAR_LAW_TIMES)
	{
		memmove(&size->times[0], &size->times[1],
				sizeof(double) * (BULKPAR_LAW_TIMES - 1));
		size->ntimes--;
	}
	size->times[size->ntimes++] = time;
	after = bulkpar_law_batch_size(size->size, size->given, target,
								   size->times, size->ntimes);
	if (after == size->size)
		return;
	size->size = after;
	size->ntimes = 0;
}
