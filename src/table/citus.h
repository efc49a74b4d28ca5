/*-------------------------------------------------------------------------
 *
 * citus.h
 *		Tables that Citus manages.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/citus.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_CITUS_H
#define BULKPAR_CITUS_H

#include "books/job.h"

extern bool bulkpar_citus_add(BulkparJob *job, Oid relid);
extern void bulkpar_citus_recheck(const BulkparJob *job,
								  const BulkparNode *node);
extern int64 bulkpar_citus_check(const BulkparJob *job, Oid relid);
extern void bulkpar_citus_recheck_part(const BulkparJob *job, int part);
extern void bulkpar_citus_check_inserted(Oid relid);

#endif							/* BULKPAR_CITUS_H */
