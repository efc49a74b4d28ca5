/*-------------------------------------------------------------------------
 *
 * duplicates.h
 *		New values that a unique index would not take.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/duplicates.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_DUPLICATES_H
#define BULKPAR_DUPLICATES_H

#include "table/target.h"

extern List *bulkpar_duplicates_find(const BulkparTarget *target,
									 const BulkparJob *job, Relation rel);

#endif							/* BULKPAR_DUPLICATES_H */
