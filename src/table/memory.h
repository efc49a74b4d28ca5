/*-------------------------------------------------------------------------
 *
 * memory.h
 *		Other tables that a worker remembers.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/memory.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_MEMORY_H
#define BULKPAR_MEMORY_H

#include "executor/tuptable.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

/* A table that is remembered, or will be once that pays. */
typedef struct BulkparMemory BulkparMemory;

extern BulkparMemory *bulkpar_memory_of(Oid relid, bool kept, List *keys,
										List *functions, List *collations,
										List *columns);
extern bool bulkpar_memory_is_right(BulkparMemory *memory, Relation rel,
									Snapshot snapshot, MemoryContext user);
extern bool bulkpar_memory_would_be_right(BulkparMemory *memory,
										  Relation rel);
extern bool bulkpar_memory_miss(BulkparMemory *memory, Relation rel);
extern FmgrInfo *bulkpar_memory_functions(const List *functions);
extern uint32 bulkpar_memory_add_hash(uint32 hash, FmgrInfo *function,
									  Oid collation, Datum value);
extern int	bulkpar_memory_first(const BulkparMemory *memory, uint32 hash);
extern int	bulkpar_memory_next(const BulkparMemory *memory, int row);
extern void bulkpar_memory_store(const BulkparMemory *memory, int row,
								 TupleTableSlot *slot);

#endif							/* BULKPAR_MEMORY_H */
