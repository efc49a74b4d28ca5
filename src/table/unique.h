/*-------------------------------------------------------------------------
 *
 * unique.h
 *		Whether columns of a table tell its rows apart.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/unique.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_UNIQUE_H
#define BULKPAR_UNIQUE_H

#include "nodes/bitmapset.h"

extern bool bulkpar_unique_covers(Oid relid, bool inherited,
								  const Bitmapset *columns);

#endif							/* BULKPAR_UNIQUE_H */
