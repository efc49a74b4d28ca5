/*-------------------------------------------------------------------------
 *
 * acting.h
 *		The foreign keys that act for a statement, and who reads what they change.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/acting.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_ACTING_H
#define BULKPAR_ACTING_H

#include "table/cascade.h"
#include "table/drive.h"

extern List *bulkpar_acting_keys(const BulkparDrive *drive);
extern AttrNumber bulkpar_acting_find_read(const Query *query, int rti,
										   const List *keys, int *location);
extern AttrNumber bulkpar_acting_find_read_of(const Query *query, int rti,
											  const BulkparForeignKey *key,
											  int *location);
extern Query *bulkpar_acting_query_of_policy(RangeTblEntry *rte, Expr *qual);
extern Bitmapset *bulkpar_acting_columns(const BulkparForeignKey *key,
										 Oid relid);

#endif							/* BULKPAR_ACTING_H */
