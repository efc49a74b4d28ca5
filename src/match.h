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

#endif							/* BULKPAR_MATCH_H */
