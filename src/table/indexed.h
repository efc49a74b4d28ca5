/*-------------------------------------------------------------------------
 *
 * indexed.h
 *		Which blocks of a table an index has rows of.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/indexed.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_INDEXED_H
#define BULKPAR_INDEXED_H

#include "utils/rel.h"

#include "table/blocks.h"
#include "table/target.h"

extern bool bulkpar_indexed_is_cached(Relation rel);
extern void bulkpar_indexed_find(const BulkparTarget *target,
								 const BulkparJob *job, bool wanted,
								 BulkparBlocks *blocks);

#endif							/* BULKPAR_INDEXED_H */
