/*-------------------------------------------------------------------------
 *
 * blocks.c
 *		Blocks of a table, as a few spans.
 *
 * To read some blocks for nothing takes less time than another scan.  So a span
 * goes on over a few blocks that are not wanted, or over many if there would be too
 * many spans.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/blocks.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "table/blocks.h"

/* From how many blocks on that are not wanted they are left out. */
#define MIN_GAP 32

static bool is_near(const BulkparBlocks *blocks, BlockNumber block);
static void join_near(BulkparBlocks *blocks);

/* Add a block, which must be after all others. */
void
bulkpar_blocks_add(BulkparBlocks *blocks, BlockNumber block)
{
	BulkparSpan *span;

	Assert(blocks->count == 0 ||
		   block >= blocks->spans[blocks->count - 1].after);
	blocks->gap = Max(blocks->gap, MIN_GAP);
	while (blocks->count == BULKPAR_BLOCKS_MAX_SPANS &&
		   !is_near(blocks, block))
		join_near(blocks);
	if (is_near(blocks, block))
	{
		blocks->spans[blocks->count - 1].after = block + 1;
		return;
	}
	span = &blocks->spans[blocks->count++];
	span->first = block;
	span->after = block + 1;
}

/* How many blocks the spans have. */
BlockNumber
bulkpar_blocks_count(const BulkparBlocks *blocks)
{
	BlockNumber count = 0;

	for (int i = 0; i < blocks->count; i++)
		count += blocks->spans[i].after - blocks->spans[i].first;
	return count;
}

/* Whether the last span can go on to the block. */
static bool
is_near(const BulkparBlocks *blocks, BlockNumber block)
{
	return blocks->count > 0 &&
		block - blocks->spans[blocks->count - 1].after < blocks->gap;
}

/* Leave out only where there is twice as much to be left out. */
static void
join_near(BulkparBlocks *blocks)
{
	int			count = 1;

	blocks->gap *= 2;
	for (int i = 1; i < blocks->count; i++)
	{
		BulkparSpan *last = &blocks->spans[count - 1];

		if (blocks->spans[i].first - last->after < blocks->gap)
			last->after = blocks->spans[i].after;
		else
			blocks->spans[count++] = blocks->spans[i];
	}
	blocks->count = count;
}
