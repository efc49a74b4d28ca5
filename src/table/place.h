/*-------------------------------------------------------------------------
 *
 * place.h
 *		Places of rows.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/place.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_PLACE_H
#define BULKPAR_PLACE_H

#include "access/xlogdefs.h"

#include "books/storedkey.h"
#include "table/blocks.h"

/*
 * What is kept as the end of a span: the blocks that it has, and what is known of
 * the table when it was cut into spans.
 */
typedef struct BulkparSpanEnd
{
	BulkparSpan blocks;
	Oid			filenode;		/* its file, ... */
	XLogRecPtr	lsn;			/* ... how far the WAL was then, ... */
	uint64		xid;			/* ... and up to which transaction, which is
								 * not among them, all had ended */
} BulkparSpanEnd;

extern Oid	bulkpar_place_function(void);
extern BulkparStoredKey *bulkpar_place_store_end(const BulkparSpanEnd *end);
extern bool bulkpar_place_is_end(const BulkparStoredKey *stored,
								 BulkparSpanEnd *end);

#endif							/* BULKPAR_PLACE_H */
