/*-------------------------------------------------------------------------
 *
 * changed.c
 *		Which blocks of a table may have changed since a moment.
 *
 * A block of which the visibility map says that all its rows are visible to
 * everybody loses its bit there when it is changed.  Whoever sets a bit again
 * gives the page of the map another LSN.  So what has its bit, on a page of the
 * map with an LSN from before that moment, has had it since then: the block is as
 * it was, and each snapshot that was taken since sees all its rows.  Since 17 the
 * LSN changes also when a bit is cleared: then nothing is known of the blocks of
 * that page of the map, which are 256 MB.
 *
 * A table that was rewritten has another file, whose map may have no LSNs; nor has
 * that of an unlogged table.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/changed.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/visibilitymap.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "table/changed.h"

/*
 * How many spans there are at the most, each of which is a scan of its own, and
 * from how many blocks between them on.
 */
#define MAX_SCANS 16
#define MIN_GAP 32

/* The visibility map of a table. */
typedef struct Map
{
	Relation	rel;
	XLogRecPtr	lsn;			/* of the moment; invalid if nothing is known */
	Buffer		buffer;			/* of the last block's bit, or invalid */
} Map;

static bool is_as_before(Map *map, BlockNumber block);

/* Remember the present moment of a table, which must be locked. */
void
bulkpar_changed_mark(Oid relid, BulkparSpanEnd *moment)
{
	Relation	rel = table_open(relid, NoLock);

	moment->filenode = rel->rd_rel->relfilenode;
	moment->lsn = RelationIsPermanent(rel) && OidIsValid(moment->filenode) ?
		GetXLogInsertRecPtr() : InvalidXLogRecPtr;
	table_close(rel, NoLock);
}

/*
 * The spans of a locked table, in the current memory context, that have all rows
 * which the active snapshot sees, but not those that every snapshot has seen where
 * they are since that moment.
 */
BulkparSpan *
bulkpar_changed_spans(Oid relid, const BulkparSpanEnd *moment, int *nspans)
{
	BulkparSpan *spans = palloc(sizeof(BulkparSpan) * MAX_SCANS);
	BulkparSpan *last = NULL;
	Relation	rel = table_open(relid, NoLock);
	BlockNumber npages = RelationGetNumberOfBlocks(rel);
	Map			map = {.rel = rel, .lsn = moment->lsn};

	*nspans = 0;
	if (rel->rd_rel->relfilenode != moment->filenode)
		map.lsn = InvalidXLogRecPtr;
	for (BlockNumber block = 0; block < npages; block++)
	{
		CHECK_FOR_INTERRUPTS();
		if (is_as_before(&map, block))
			continue;
		if (last == NULL || (block - last->after >= MIN_GAP &&
							 *nspans < MAX_SCANS))
		{
			last = &spans[(*nspans)++];
			last->first = block;
		}
		last->after = block + 1;
	}
	if (BufferIsValid(map.buffer))
		ReleaseBuffer(map.buffer);
	table_close(rel, NoLock);
	return spans;
}

static bool
is_as_before(Map *map, BlockNumber block)
{
	XLogRecPtr	lsn;

	/* The bit is read before the LSN: who sets it changes that. */
	if (XLogRecPtrIsInvalid(map->lsn) ||
		!VM_ALL_VISIBLE(map->rel, block, &map->buffer))
		return false;
	LockBuffer(map->buffer, BUFFER_LOCK_SHARE);
	lsn = PageGetLSN(BufferGetPage(map->buffer));
	LockBuffer(map->buffer, BUFFER_LOCK_UNLOCK);
	return lsn <= map->lsn;
}
