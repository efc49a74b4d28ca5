/*-------------------------------------------------------------------------
 *
 * attempt.h
 *		The tries of one batch.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/attempt.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_ATTEMPT_H
#define BULKPAR_ATTEMPT_H

#include "run/chunk.h"

extern BulkparBatchResult bulkpar_attempt_batch(BulkparChunkRun *run,
												BulkparBatch *batch);

#endif							/* BULKPAR_ATTEMPT_H */
