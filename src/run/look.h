/*-------------------------------------------------------------------------
 *
 * look.h
 *		A look at the keys of a chunk, in a transaction of its own.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/look.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_LOOK_H
#define BULKPAR_LOOK_H

#include "run/chunk.h"

extern void bulkpar_look_collect(BulkparChunkRun *run, const Datum *hi,
								 int batch_size, int max_batches,
								 BulkparBounds *bounds);
extern bool bulkpar_look_is_one_row(BulkparChunkRun *run,
									const BulkparBatch *batch);

#endif							/* BULKPAR_LOOK_H */
