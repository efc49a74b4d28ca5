/*-------------------------------------------------------------------------
 *
 * assigned.h
 *		The columns that a job must not set.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/assigned.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_ASSIGNED_H
#define BULKPAR_ASSIGNED_H

#include "nodes/parsenodes.h"
#include "utils/rel.h"

#include "table/key.h"

extern void bulkpar_assigned_check_key(const BulkparKey *key, const char *name);
extern void bulkpar_assigned_check_partition_key(Oid relid, const char *name);
extern Oid	bulkpar_assigned_find_partitioned(const List *tables, Oid relid,
											  const Bitmapset *columns);
extern void bulkpar_assigned_check_query(const Query *query, Oid target,
										 Oid part, const BulkparKey *key);

#endif							/* BULKPAR_ASSIGNED_H */
