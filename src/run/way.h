/*-------------------------------------------------------------------------
 *
 * way.h
 *		Which way a job takes through its rows.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/way.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_WAY_H
#define BULKPAR_WAY_H

#include "run/plan.h"

extern void bulkpar_way_choose(BulkparPlan *plan, const BulkparJob *job,
							   BulkparTarget *target);
extern void bulkpar_way_expect(BulkparPlan *plan, const BulkparJob *job,
							   BulkparTarget *target);

#endif							/* BULKPAR_WAY_H */
