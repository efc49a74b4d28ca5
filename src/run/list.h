/*-------------------------------------------------------------------------
 *
 * list.h
 *		Listing the rows that match, where they are few.
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

/* The keys of the matching rows of a part. */
typedef struct BulkparMatches
{
	int			count;
	int			size;			/* of the array, in keys */
	Datum	   *keys;
} BulkparMatches;

extern bool bulkpar_list_rows(BulkparJob *job, BulkparTarget *target);
extern bool bulkpar_list_is_worthwhile(const BulkparJob *job,
										BulkparTarget *target, double rows,
										double *matches);
extern BulkparMatches *bulkpar_list_find(const BulkparJob *job,
										  BulkparTarget *target);
extern void bulkpar_list_sort(const BulkparKey *key, BulkparMatches *matches);

#endif							/* BULKPAR_LIST_H */
