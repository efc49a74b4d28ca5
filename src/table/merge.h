/*-------------------------------------------------------------------------
 *
 * merge.h
 *		MERGE, driven by its source.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/merge.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_MERGE_H
#define BULKPAR_MERGE_H

#include "table/drive.h"

extern void bulkpar_merge_find(BulkparDrive *drive, Query *top, Oid relid,
							   bool sees_batches);

#endif							/* BULKPAR_MERGE_H */
