/*-------------------------------------------------------------------------
 *
 * rowerror.h
 *		Whether an error is one of a row.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/rowerror.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_ROWERROR_H
#define BULKPAR_ROWERROR_H

#include "utils/elog.h"

#include "run/chunk.h"

extern bool bulkpar_rowerror_is_one(BulkparChunkRun *run, const ErrorData *error);

#endif							/* BULKPAR_ROWERROR_H */
