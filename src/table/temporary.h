/*-------------------------------------------------------------------------
 *
 * temporary.h
 *		Temporary objects, which a job cannot use.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/temporary.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_TEMPORARY_H
#define BULKPAR_TEMPORARY_H

#include "nodes/plannodes.h"
#include "utils/plancache.h"

extern void bulkpar_temporary_refuse(const CachedPlanSource *source,
									 const PlannedStmt *stmt);

#endif							/* BULKPAR_TEMPORARY_H */
