/*-------------------------------------------------------------------------
 *
 * ranges.h
 *		The range of a batch in the tables that are joined to its key.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/ranges.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_RANGES_H
#define BULKPAR_RANGES_H

#include "nodes/parsenodes.h"

#include "table/key.h"

extern List *bulkpar_ranges_add(const BulkparKey *key,
								const BulkparKeyShape *shape, Query *query,
								int target, AttrNumber attnum);

#endif							/* BULKPAR_RANGES_H */
