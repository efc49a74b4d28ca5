/*-------------------------------------------------------------------------
 *
 * paths.h
 *		The paths that a statement may take to its tables.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/paths.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_PATHS_H
#define BULKPAR_PATHS_H

#include "nodes/pathnodes.h"

#include "table/hooks.h"

extern void bulkpar_paths_restrict(BulkparHooks *hooks, PlannerInfo *root,
								   RelOptInfo *rel, const RangeTblEntry *rte);

#endif							/* BULKPAR_PATHS_H */
