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
 * Others are read, and it is seen whether there are rows of a transaction that had
 * not ended at that moment.  If not all that has changed is that some rows are gone.
 *
 * A table that was rewritten has another file, in which rows are in other blocks.
 * Its map may have no LSNs; nor has that of an unlogged table.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/changed.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/visibilitymap.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "table/changed.h"
#include "table/vismap.h"

/* A table, and what is known of it at the moment. */
typedef struct Before
{
	Relation	rel;
	bool		known;			/* anything is */
	XLogRecPtr	lsn;			/* invalid if the map does not tell */
	TransactionId xid;
	Buffer		map;			/* with the last block's bit, or invalid */
	BufferAccessStrategy strategy;
} Before;

static void look_back(Before *before, const BulkparSpanEnd *moment);
static bool is_as_before(Before *before, BlockNumber block);
static bool has_new_rows(const Before *before, BlockNumber block);

/* Remember the present moment of a table, which must be locked. */
void
bulkpar_changed_mark(Oid relid, BulkparSpanEnd *moment)
{
	Relation	rel = table_open(relid, NoLock);
	uint64		next = U64FromFullTransactionId(ReadNextFullTransactionId());

	moment->filenode = rel->rd_rel->relfilenode;
	moment->lsn = RelationIsPermanent(rel) ? GetXLogInsertRecPtr() :
		InvalidXLogRecPtr;
	moment->xid = next - (uint32) ((uint32) next - GetActiveSnapshot()->xmin);
	table_close(rel, NoLock);
}

/*
 * Which blocks of a locked table, among some of them, have rows that the active
 * snapshot sees, but the one of the moment has not seen there.
 */
void
bulkpar_changed_find(Oid relid, const BulkparSpanEnd *moment,
					 const BulkparBlocks *among, BulkparBlocks *changed)
{
	Relation	rel = table_open(relid, NoLock);
	BlockNumber npages = RelationGetNumberOfBlocks(rel);
	Before		before = {.rel = rel};

	memset(changed, 0, sizeof(BulkparBlocks));
	look_back(&before, moment);
	for (int i = 0; i < among->count; i++)
	{
		const BulkparSpan *span = &among->spans[i];
		BlockNumber after = Min(span->after, npages);

		for (BlockNumber block = span->first; block < after; block++)
		{
			CHECK_FOR_INTERRUPTS();
			if (!is_as_before(&before, block) && has_new_rows(&before, block))
				bulkpar_blocks_add(changed, block);
		}
	}
	if (BufferIsValid(before.map))
		ReleaseBuffer(before.map);
	FreeAccessStrategy(before.strategy);
	table_close(rel, NoLock);
}

/*
 * See what is known.  When half of all transaction ids have been used since then it
 * can no longer be told which are new.
 */
static void
look_back(Before *before, const BulkparSpanEnd *moment)
{
	Relation	rel = before->rel;
	uint64		next = U64FromFullTransactionId(ReadNextFullTransactionId());

	before->known = rel->rd_tableam == GetHeapamTableAmRoutine() &&
		OidIsValid(moment->filenode) &&
		rel->rd_rel->relfilenode == moment->filenode &&
		next - moment->xid < PG_INT32_MAX;
	before->lsn = moment->lsn;
	before->xid = (TransactionId) moment->xid;
	before->strategy = GetAccessStrategy(BAS_BULKREAD);
}

/* Whether the visibility map says that a block has not changed at all. */
static bool
is_as_before(Before *before, BlockNumber block)
{
	/* The bit is read before the LSN: who sets it changes that. */
	return before->known && !XLogRecPtrIsInvalid(before->lsn) &&
		VM_ALL_VISIBLE(before->rel, block, &before->map) &&
		bulkpar_vismap_lsn(before->map) <= before->lsn;
}

/* Whether a block may have rows that were not there before. */
static bool
has_new_rows(const Before *before, BlockNumber block)
{
	bool		found = false;
	Buffer		buffer;
	Page		page;

	if (!before->known)
		return true;
	buffer = ReadBufferExtended(before->rel, MAIN_FORKNUM, block, RBM_NORMAL,
								before->strategy);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	bulkpar_compat_test_old_snapshot(before->rel, page);
	for (OffsetNumber i = FirstOffsetNumber;
		 !found && i <= PageGetMaxOffsetNumber(page); i++)
	{
		ItemId		item = PageGetItemId(page, i);

		if (ItemIdIsNormal(item))
		{
			HeapTupleHeader row = (HeapTupleHeader) PageGetItem(page, item);

			found = !TransactionIdPrecedes(HeapTupleHeaderGetRawXmin(row),
										   before->xid);
		}
	}
	UnlockReleaseBuffer(buffer);
	return found;
}
