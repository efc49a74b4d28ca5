/*-------------------------------------------------------------------------
 *
 * several.h
 *		Several small parts of a target in one statement.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/several.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_SEVERAL_H
#define BULKPAR_SEVERAL_H

#include "table/target.h"

/* One of them, and what becomes of its rows. */
typedef struct BulkparSeveralPart
{
	int			number;			/* of the part in its job, from 0 on */
	int64		rows;			/* that were counted */
	int64		rows_changed;
	int64		rows_hot;
} BulkparSeveralPart;

extern bool bulkpar_several_is_possible(BulkparTarget *target,
										const BulkparJob *job);
extern bool bulkpar_several_lock(BulkparTarget *target, const BulkparJob *job,
								 const BulkparSeveralPart *parts, int nparts);
extern bool bulkpar_several_update(BulkparTarget *target,
								   const BulkparJob *job,
								   BulkparSeveralPart *parts, int nparts);
extern void bulkpar_several_settle(const BulkparJob *job,
								   const BulkparSeveralPart *parts,
								   int nparts);

#endif							/* BULKPAR_SEVERAL_H */
