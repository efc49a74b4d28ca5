/*-------------------------------------------------------------------------
 *
 * outset.h
 *		What whoever starts a job should know of the standbys.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/outset.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_OUTSET_H
#define BULKPAR_OUTSET_H

#include "run/limits.h"

/* Bytes of a list of standbys. */
#define BULKPAR_OUTSET_SIZE 256

/* Lists for people, which are cut where they are too long; empty for none. */
typedef struct BulkparOutset
{
	char		silent[BULKPAR_OUTSET_SIZE];	/* report no snapshots */
	char		behind[BULKPAR_OUTSET_SIZE];	/* lag, and how much */
} BulkparOutset;

extern void bulkpar_outset_look(const BulkparLimits *limits,
								BulkparOutset *outset);

#endif							/* BULKPAR_OUTSET_H */
