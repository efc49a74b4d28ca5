/*-------------------------------------------------------------------------
 *
 * tied.h
 *		Tables of a query of which foreign keys change no row that it sees.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/tied.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_TIED_H
#define BULKPAR_TIED_H

#include "table/drive.h"

extern List *bulkpar_tied_find(const BulkparDrive *drive, const List *keys);

#endif							/* BULKPAR_TIED_H */
