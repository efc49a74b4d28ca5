/*-------------------------------------------------------------------------
 *
 * ownread.h
 *		What foreign keys change for a statement of its own tables.
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
#include "table/key.h"

extern void bulkpar_ownread_check_walk(const BulkparDrive *drive,
									   const BulkparKey *key,
									   const List *keys);
extern void bulkpar_ownread_check(const BulkparDrive *drive, const List *keys);

#endif							/* BULKPAR_OWNREAD_H */
