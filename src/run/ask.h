/*-------------------------------------------------------------------------
 *
 * ask.h
 *		A query of the user that says whether a job may go on.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/ask.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_ASK_H
#define BULKPAR_ASK_H

#include "run/reasons.h"
#include "session/settings.h"

/* What a query has answered. */
typedef struct BulkparAnswer
{
	double		load;			/* as that of a reason */
	char		text[BULKPAR_REASON_TEXT];
} BulkparAnswer;

extern void bulkpar_ask_check(const BulkparSettings *settings, Oid owner);
extern void bulkpar_ask(const char *query, BulkparAnswer *answer);

#endif							/* BULKPAR_ASK_H */
