/*-------------------------------------------------------------------------
 *
 * leakproof.h
 *		Whether an index can be used for rows that a policy hides.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/leakproof.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_LEAKPROOF_H
#define BULKPAR_LEAKPROOF_H

#include "utils/rel.h"

#include "table/key.h"

extern bool bulkpar_leakproof_is(const BulkparKey *key);
extern void bulkpar_leakproof_require(Relation rel, const BulkparKey *key);

#endif							/* BULKPAR_LEAKPROOF_H */
