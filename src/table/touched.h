/*-------------------------------------------------------------------------
 *
 * touched.h
 *		Which columns triggers change of a row that is updated.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/touched.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_TOUCHED_H
#define BULKPAR_TOUCHED_H

#include "nodes/bitmapset.h"
#include "utils/relcache.h"

extern Bitmapset *bulkpar_touched_find(Relation rel, Bitmapset *columns);

#endif							/* BULKPAR_TOUCHED_H */
