/*-------------------------------------------------------------------------
 *
 * list.h
 *		Listing the rows that change, where they are few.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/list.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_LIST_H
#define BULKPAR_LIST_H

#include "books/job.h"
#include "table/target.h"

/* So many keys fit into memory. */
#define BULKPAR_LIST_MAX_ROWS 1000000

/* The keys of the listed rows of a part. */
typedef struct BulkparList
{
	int			count;
	int			size;			/* of the array, in rows */
	Datum	   *keys;			/* each with the place of its row */
	BulkparStoredKey *end_key;	/* the last one, when they are stored */
} BulkparList;

extern BulkparList *bulkpar_list_find(const BulkparJob *job,
									  BulkparTarget *target, int max_rows);
extern bool bulkpar_list_spans(const BulkparJob *job, BulkparTarget *target,
							   const BulkparSpan *spans, int nspans,
							   const Datum *end, const BulkparList *aside,
							   BulkparList *list);
extern void bulkpar_list_sort(const BulkparKey *key, BulkparList *list);
extern void bulkpar_list_store(const BulkparJob *job, BulkparTarget *target,
							   BulkparList *lists);

#endif							/* BULKPAR_LIST_H */
