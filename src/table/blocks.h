/*-------------------------------------------------------------------------
 *
 * blocks.h
 *		Blocks of a table, as a few spans.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/blocks.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_BLOCKS_H
#define BULKPAR_BLOCKS_H

#include "storage/block.h"

/* How many spans there are at the most: each is a scan of its own. */
#define BULKPAR_BLOCKS_MAX_SPANS 16

/* A span of a table: the blocks from the first one up to, and without, another. */
typedef struct BulkparSpan
{
	BlockNumber first;
	BlockNumber after;
} BulkparSpan;

/* Some blocks, and those that are between them where these are few.  Begins as 0. */
typedef struct BulkparBlocks
{
	int			count;
	BulkparSpan spans[BULKPAR_BLOCKS_MAX_SPANS];	/* in order */
	BlockNumber gap;			/* so many blocks are left out between them */
} BulkparBlocks;

extern void bulkpar_blocks_add(BulkparBlocks *blocks, BlockNumber block);
extern BlockNumber bulkpar_blocks_count(const BulkparBlocks *blocks);

#endif							/* BULKPAR_BLOCKS_H */
