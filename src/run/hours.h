/*-------------------------------------------------------------------------
 *
 * hours.h
 *		Whether a job may work at this time of the day.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/hours.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_HOURS_H
#define BULKPAR_HOURS_H

#include "datatype/timestamp.h"

#include "run/limits.h"
#include "run/reasons.h"

typedef struct BulkparHours BulkparHours;

extern BulkparHours *bulkpar_hours_create(void);
extern void bulkpar_hours_follow(BulkparHours *hours,
								 const BulkparLimits *limits);
extern bool bulkpar_hours_look(BulkparHours *hours, TimestampTz now,
							   BulkparReasons *reasons);

#endif							/* BULKPAR_HOURS_H */
