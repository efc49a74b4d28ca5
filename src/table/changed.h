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
extern BulkparSpan *bulkpar_changed_spans(Oid relid,
										  const BulkparSpanEnd *moment,
										  int *nspans);

#endif							/* BULKPAR_CHANGED_H */
