/*-------------------------------------------------------------------------
 *
 * lookup.h
 *		Looking for a job, without a lock that stays behind.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/lookup.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_LOOKUP_H
#define BULKPAR_LOOKUP_H

#include "books/job.h"

extern int64 bulkpar_lookup_argument(FunctionCallInfo fcinfo);
extern bool bulkpar_lookup_is_number(const char *text);
extern void bulkpar_lookup_check_owner(int64 job_id);
extern int64 bulkpar_lookup_name(Oid owner, const char *name,
								 bool succeeded);
extern BulkparJob *bulkpar_lookup_job(int64 job_id);
extern int	bulkpar_lookup_coordinator(int64 job_id);

#endif							/* BULKPAR_LOOKUP_H */
