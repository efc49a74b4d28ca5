/*-------------------------------------------------------------------------
 *
 * shard.h
 *		A table that is a shard of Citus, and whether it is still here.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/shard.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_SHARD_H
#define BULKPAR_SHARD_H

extern bool bulkpar_shard_is_possible(void);
extern int64 bulkpar_shard_number(Oid relid);
extern void bulkpar_shard_guard(const int64 *shards, int count);
extern void bulkpar_shard_settle(Oid relid);

#endif							/* BULKPAR_SHARD_H */
