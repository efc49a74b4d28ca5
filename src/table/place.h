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
#include "storage/block.h"

#include "books/storedkey.h"

/* A span of a table: the blocks from the first one up to, and without, another. */
typedef struct BulkparSpan
{
	BlockNumber first;
	BlockNumber after;
} BulkparSpan;

/* Where it ends, and what is known of the table when it was cut into spans. */
typedef struct BulkparSpanEnd
{
	BlockNumber after;
	Oid			filenode;		/* its file, ... */
	XLogRecPtr	lsn;			/* ... and how far the WAL was then */
} BulkparSpanEnd;

extern Oid	bulkpar_place_function(void);
extern BulkparStoredKey *bulkpar_place_store_end(const BulkparSpanEnd *end);
extern bool bulkpar_place_is_end(const BulkparStoredKey *stored,
								 BulkparSpanEnd *end);

#endif							/* BULKPAR_PLACE_H */
