/*-------------------------------------------------------------------------
 *
 * lag.h
 *		How far the standbys of the server are behind, as time.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/lag.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_LAG_H
#define BULKPAR_LAG_H

#include "datatype/timestamp.h"

#include "run/limits.h"
#include "run/reasons.h"

typedef struct BulkparLag BulkparLag;

extern BulkparLag *bulkpar_lag_create(void);
extern void bulkpar_lag_look(BulkparLag *lag, const BulkparLimits *limits,
							 TimestampTz now, BulkparReasons *reasons);
extern bool bulkpar_lag_is_watching(const BulkparLag *lag);

#endif							/* BULKPAR_LAG_H */
