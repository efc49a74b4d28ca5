/*-------------------------------------------------------------------------
 *
 * vismap.c
 *		The LSNs of a visibility map, which tell what has not changed.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/vismap.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/visibilitymap.h"
#include "storage/bufmgr.h"

#include "table/vismap.h"

/* The pages of a table that are on a page of the visibility map. */
#define PAGES_PER_MAP_PAGE \
	((BLCKSZ - MAXALIGN(SizeOfPageHeaderData)) * BITS_PER_BYTE / \
	 BITS_PER_HEAPBLOCK)

/* The LSN of a page of the map, which is pinned and not locked. */
XLogRecPtr
bulkpar_vismap_lsn(Buffer page)
{
	XLogRecPtr	lsn;

	LockBuffer(page, BUFFER_LOCK_SHARE);
	lsn = PageGetLSN(BufferGetPage(page));
	LockBuffer(page, BUFFER_LOCK_UNLOCK);
	return lsn;
}

/*
 * The LSNs of the pages of the visibility map.  False unless a table has so many
 * pages, and all rows are to be seen by everybody.  That comes first: each page
 * that has been put back into the map by then has given it its LSN when that is
 * read.  Later none is put back that was changed since the caller's snapshot was
 * taken, as long as he has that.  And no page that has come later is taken for one
 * of them.
 */
bool
bulkpar_vismap_read(Relation rel, BlockNumber npages, XLogRecPtr *map)
{
	Buffer		buffer = InvalidBuffer;
	BlockNumber visible;

	visibilitymap_count(rel, &visible, NULL);
	if (visible != npages || RelationGetNumberOfBlocks(rel) != npages)
		return false;
	for (BlockNumber i = 0; i < bulkpar_vismap_pages(npages); i++)
	{
		(void) visibilitymap_get_status(rel, i * PAGES_PER_MAP_PAGE, &buffer);
		if (!BufferIsValid(buffer))
			return false;
		map[i] = bulkpar_vismap_lsn(buffer);
	}
	if (BufferIsValid(buffer))
		ReleaseBuffer(buffer);
	return true;
}

/* How many pages the map of so many pages has. */
BlockNumber
bulkpar_vismap_pages(BlockNumber npages)
{
	return npages / PAGES_PER_MAP_PAGE + (npages % PAGES_PER_MAP_PAGE != 0);
}
