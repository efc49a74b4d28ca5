/*-------------------------------------------------------------------------
 *
 * hooks.h
 *		The hooks that restrict a statement to a batch.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/hooks.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_HOOKS_H
#define BULKPAR_HOOKS_H

#include "table/condition.h"

/* The tables of the target that a plan has not left out. */
typedef struct BulkparReached
{
	MemoryContext context;		/* of the list; NULL: not wanted */
	bool		known;			/* the planner came to the target */
	List	   *relids;			/* those with rows, and the partitioned ones */
} BulkparReached;

/* What the hooks know of a statement. */
typedef struct BulkparHooks
{
	BulkparCondition condition;
	const char *sql;			/* its text, ... */
	const char *plan_sql;		/* ... and the copy that its plan has, if any */
	bool		local;			/* no other extension is to plan it */
	bool		bitmap;			/* it is to read its target by a bitmap */
	int			batch_size;		/* rows to expect, or 0 */
	bool		without_key_index;	/* had the last plan to do */
	BulkparReached reached;
	double		rows;			/* of the target that it looks at */
	bool		dear;			/* its conditions take long for each row */
	bool		by_index;		/* an index would tell where they hold */
} BulkparHooks;

extern void bulkpar_hooks_start(BulkparHooks *hooks);
extern void bulkpar_hooks_end(const BulkparHooks *hooks);

#endif							/* BULKPAR_HOOKS_H */
