/*-------------------------------------------------------------------------
 *
 * batchwise.h
 *		What a job in batches does otherwise than one statement would.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/batchwise.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_BATCHWISE_H
#define BULKPAR_BATCHWISE_H

#include "books/job.h"
#include "call/lines.h"
#include "table/statement.h"

extern void bulkpar_batchwise_warn(BulkparLines *lines, const BulkparJob *job,
								   const BulkparStatement *statement);

#endif							/* BULKPAR_BATCHWISE_H */
