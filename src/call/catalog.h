/*-------------------------------------------------------------------------
 *
 * catalog.h
 *		What the catalogs say of a job: what else is at work, and may go wrong.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/catalog.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_CATALOG_H
#define BULKPAR_CATALOG_H

#include "books/job.h"
#include "call/lines.h"
#include "run/plan.h"
#include "table/target.h"

extern void bulkpar_catalog_show(BulkparLines *lines, const BulkparJob *job);
extern void bulkpar_catalog_warn(BulkparLines *lines, const BulkparJob *job,
								 BulkparTarget *target, const BulkparPlan *plan);

#endif							/* BULKPAR_CATALOG_H */
