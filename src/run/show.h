/*-------------------------------------------------------------------------
 *
 * show.h
 *		What a worker is at, for people.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/show.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_SHOW_H
#define BULKPAR_SHOW_H

#include "run/chunk.h"

extern void bulkpar_show_chunk(const BulkparChunkRun *run);
extern void bulkpar_show_error_context(void *arg);

#endif							/* BULKPAR_SHOW_H */
