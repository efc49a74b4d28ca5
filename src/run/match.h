/*-------------------------------------------------------------------------
 *
 * match.h
 *		Listing the rows that match, where they are few.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/match.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_MATCH_H
#define BULKPAR_MATCH_H

#include "books/job.h"
#include "table/target.h"

/* The keys of the matching rows of a part. */
typedef struct BulkparMatches
{
	int			count;
	int			size;			/* of the array, in keys */
	Datum	   *keys;
} BulkparMatches;

extern bool bulkpar_match_list(BulkparJob *job, BulkparTarget *target);
extern bool bulkpar_match_is_worthwhile(const BulkparJob *job,
										BulkparTarget *target, double rows,
										double *matches);
extern BulkparMatches *bulkpar_match_find(const BulkparJob *job,
										  BulkparTarget *target);
extern void bulkpar_match_sort(const BulkparKey *key, BulkparMatches *matches);

#endif							/* BULKPAR_MATCH_H */
