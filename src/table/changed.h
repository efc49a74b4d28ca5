/*-------------------------------------------------------------------------
 *
 * changed.h
 *		Which blocks of a table may have changed since a moment.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/changed.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_CHANGED_H
#define BULKPAR_CHANGED_H

#include "table/place.h"

extern void bulkpar_changed_mark(Oid relid, BulkparSpanEnd *moment);
extern void bulkpar_changed_find(Oid relid, const BulkparSpanEnd *moment,
								 const BulkparBlocks *among,
								 BulkparBlocks *changed);

#endif							/* BULKPAR_CHANGED_H */
