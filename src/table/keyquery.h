/*-------------------------------------------------------------------------
 *
 * keyquery.h
 *		Ranges and the order of a key in a query.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/keyquery.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_KEYQUERY_H
#define BULKPAR_KEYQUERY_H

#include "nodes/parsenodes.h"

#include "table/key.h"

extern Node *bulkpar_keyquery_condition(const BulkparKey *key,
										const BulkparKeyShape *shape,
										List *columns);
extern bool bulkpar_keyquery_compares(const BulkparKey *key,
									  const Node *clause);
extern void bulkpar_keyquery_sort(const BulkparKey *key, bool backward,
								  Query *query);

#endif							/* BULKPAR_KEYQUERY_H */
