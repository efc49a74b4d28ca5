/*-------------------------------------------------------------------------
 *
 * once.h
 *		What a statement has that is evaluated once.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/once.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_ONCE_H
#define BULKPAR_ONCE_H

#include "nodes/bitmapset.h"

#include "books/job.h"
#include "table/drive.h"

/* A subquery that is to be evaluated once. */
typedef struct BulkparOnceItem
{
	char	   *name;			/* to show it */
	Query	   *query;			/* a statement of its own */
	Bitmapset  *joined;			/* columns of it that may be looked up */
	int			choice;			/* as in BulkparSubquery */
} BulkparOnceItem;

/* Those of the statement of a job. */
typedef struct BulkparOnce
{
	const BulkparJob *job;		/* NULL for a statement of our own */
	MemoryContext context;		/* for what is found; NULL: not wanted */
	bool		chosen;			/* it is known which of those that could be
								 * part of each batch are evaluated once: */
	Bitmapset  *choices;		/* these */
	List	   *found;			/* items that have not been evaluated */
	List	   *reread;			/* names of what each batch reads whole */
	List	   *members;		/* IN and NOT IN with a result, see member.h */
} BulkparOnce;

extern void bulkpar_once_apply(BulkparOnce *once, const BulkparDrive *drive,
							   const List *keys);

#endif							/* BULKPAR_ONCE_H */
