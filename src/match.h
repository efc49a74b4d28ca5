/*-------------------------------------------------------------------------
 *
 * match.h
 *		Listing the rows that match, where they are few.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/match.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_MATCH_H
#define BULKPAR_MATCH_H

#include "job.h"
#include "target.h"

extern bool bulkpar_match_list(BulkparJob *job, BulkparTarget *target);
extern bool bulkpar_match_is_worthwhile(const BulkparJob *job,
										BulkparTarget *target, double rows,
										double *matches);
extern bool bulkpar_match_keys(const BulkparJob *job, BulkparTarget *target,
							   Datum **keys, int *count);

#endif							/* BULKPAR_MATCH_H */
