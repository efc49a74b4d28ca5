/*-------------------------------------------------------------------------
 *
 * reasons.h
 *		What slows a job down: values that are near their limits.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/reasons.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_REASONS_H
#define BULKPAR_REASONS_H

#include "postgres.h"

/* More at once are not told apart. */
#define BULKPAR_MAX_REASONS 16

/* Bytes of its texts: a name of an object in UTF-8, and some words. */
#define BULKPAR_REASON_NAME 96
#define BULKPAR_REASON_TEXT 192

typedef struct BulkparReason
{
	double		load;			/* the value divided by its limit */
	char		name[BULKPAR_REASON_NAME];	/* the same as long as it lasts */
	char		text[BULKPAR_REASON_TEXT];	/* with the value and the limit */
} BulkparReason;

typedef struct BulkparReasons
{
	double		load;			/* the largest of all */
	int			count;
	BulkparReason items[BULKPAR_MAX_REASONS];
	char		notice[BULKPAR_REASON_TEXT];	/* to be told once, or empty */
} BulkparReasons;

extern void bulkpar_reasons_reset(BulkparReasons *reasons);
extern void bulkpar_reasons_add(BulkparReasons *reasons, double load,
								const char *name, const char *text);

#endif							/* BULKPAR_REASONS_H */
