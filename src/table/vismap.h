/*-------------------------------------------------------------------------
 *
 * vismap.h
 *		The LSNs of a visibility map, which tell what has not changed.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/vismap.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_VISMAP_H
#define BULKPAR_VISMAP_H

#include "access/xlogdefs.h"
#include "storage/block.h"
#include "storage/buf.h"
#include "utils/relcache.h"

extern XLogRecPtr bulkpar_vismap_lsn(Buffer page);
extern bool bulkpar_vismap_read(Relation rel, BlockNumber npages,
								XLogRecPtr *map);
extern BlockNumber bulkpar_vismap_pages(BlockNumber npages);

#endif							/* BULKPAR_VISMAP_H */
