/*-------------------------------------------------------------------------
 *
 * keyindex.h
 *		Which indexes of a table a job can follow.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/keyindex.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_KEYINDEX_H
#define BULKPAR_KEYINDEX_H

#include "utils/rel.h"

extern Oid	bulkpar_keyindex_choose(Relation rel, Oid target);
extern Oid	bulkpar_keyindex_named(Relation rel, Oid named, Oid target);
extern bool bulkpar_keyindex_usable(Relation rel, Relation index);
extern bool bulkpar_keyindex_still_usable(Oid relid, Oid index);
extern char *bulkpar_keyindex_near_miss(Relation rel, Oid target, Oid index);

#endif							/* BULKPAR_KEYINDEX_H */
