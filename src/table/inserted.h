/*-------------------------------------------------------------------------
 *
 * inserted.h
 *		The table into which a statement inserts.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/inserted.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_INSERTED_H
#define BULKPAR_INSERTED_H

#include "table/drive.h"

extern bool bulkpar_inserted_is_as_given(Oid relid);
extern void bulkpar_inserted_check(const BulkparDrive *drive,
								   const Query *top, bool sees_batches);

#endif							/* BULKPAR_INSERTED_H */
