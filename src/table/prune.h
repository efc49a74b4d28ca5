/*-------------------------------------------------------------------------
 *
 * prune.h
 *		The parts of a target that have rows for a statement.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/prune.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_PRUNE_H
#define BULKPAR_PRUNE_H

#include "books/job.h"
#include "nodes/pg_list.h"

extern bool bulkpar_prune_parts(const BulkparJob *job, Oid target,
								List **relids, BulkparExpected *expected);

#endif							/* BULKPAR_PRUNE_H */
