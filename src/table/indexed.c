/*-------------------------------------------------------------------------
 *
 * indexed.c
 *		Which blocks of a table an index has rows of.
 *
 * Old rows, which are deleted by an index on their time, are together in a part of
 * their table.  The index has their places, so that it tells which blocks need not
 * be read at all.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/indexed.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "storage/bufmgr.h"

#include "compat.h"
#include "table/indexed.h"

static bool read_index(const BulkparTarget *target, const BulkparJob *job,
					   BulkparBlocks *blocks);

/* Whether all of a table may be in memory. */
bool
bulkpar_indexed_is_cached(Relation rel)
{
	return RelationGetNumberOfBlocks(rel) <= (BlockNumber) effective_cache_size;
}

/*
 * The blocks of a target without partitions that have the rows which the statement
 * of a job would change, as the active snapshot sees them; others may be among
 * them.  These are those that an index has, if the planner would take one and that
 * is wanted; else all.  SPI must not be connected, and the target must be locked.
 */
void
bulkpar_indexed_find(const BulkparTarget *target, const BulkparJob *job,
					 bool wanted, BulkparBlocks *blocks)
{
	bool		found = false;
	Relation	rel;

	memset(blocks, 0, sizeof(BulkparBlocks));
	if (wanted)
	{
		SPI_connect();
		found = read_index(target, job, blocks);
		SPI_finish();
	}
	if (found)
		return;
	rel = table_open(target->part, NoLock);
	blocks->count = 1;
	blocks->spans[0].after = Max(RelationGetNumberOfBlocks(rel), 1);
	table_close(rel, NoLock);
}

/* Read in an index in which blocks these are.  False if the planner would not. */
static bool
read_index(const BulkparTarget *target, const BulkparJob *job,
		   BulkparBlocks *blocks)
{
	BulkparStatement *statement =
		bulkpar_statement_list(job, target->relid, target->part, target->key);
	TIDBitmap  *bitmap;
	BulkparBitmapIterator *iterator;
	BlockNumber block;

	statement->hooks.bitmap = true;
	bulkpar_statement_prepare(statement);
	bitmap = bulkpar_statement_read_bitmap(statement);
	bulkpar_statement_forget(statement);
	if (bitmap == NULL)
		return false;
	iterator = bulkpar_compat_begin_bitmap(bitmap);
	while (bulkpar_compat_next_block(iterator, &block))
	{
		CHECK_FOR_INTERRUPTS();
		bulkpar_blocks_add(blocks, block);
	}
	bulkpar_compat_end_bitmap(iterator);
	/* There is always a span, which the last one can follow. */
	if (blocks->count == 0)
		bulkpar_blocks_add(blocks, 0);
	tbm_free(bitmap);
	return true;
}
