/*-------------------------------------------------------------------------
 *
 * recall.h
 *		Looking rows up in a table that is remembered.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/recall.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_RECALL_H
#define BULKPAR_RECALL_H

#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

extern void bulkpar_recall_replace(PlannerInfo *root, RelOptInfo *rel,
								   const RangeTblEntry *rte, bool kept);
extern bool bulkpar_recall_suffices(PlanState *state, Oid target,
									double small);

#endif							/* BULKPAR_RECALL_H */
