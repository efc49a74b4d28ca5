/*-------------------------------------------------------------------------
 *
 * bundle.h
 *		Running several small parts in one batch.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/bundle.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_BUNDLE_H
#define BULKPAR_BUNDLE_H

#include "run/chunk.h"

extern bool bulkpar_bundle_run(BulkparChunkRun *run);

#endif							/* BULKPAR_BUNDLE_H */
