/*-------------------------------------------------------------------------
 *
 * ownread.h
 *		What a statement and policies read of what batches change.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/ownread.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_OWNREAD_H
#define BULKPAR_OWNREAD_H

#include "table/drive.h"

extern void bulkpar_ownread_check(const BulkparDrive *drive, const List *keys);

#endif							/* BULKPAR_OWNREAD_H */
