/*-------------------------------------------------------------------------
 *
 * result.h
 *		What a caller gets to see of a job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/result.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_RESULT_H
#define BULKPAR_RESULT_H

#include "fmgr.h"

#include "books/job.h"
#include "books/jobstatus.h"

extern Datum bulkpar_result_of_wait(FunctionCallInfo fcinfo, int64 job_id,
									int workers);
extern BulkparJobStatus *bulkpar_result_check(int64 job_id);
extern Datum bulkpar_result_form(FunctionCallInfo fcinfo, int64 job_id,
								 const BulkparJobStatus *status, int workers);
extern void bulkpar_result_warn(int64 job_id);
extern void bulkpar_result_warn_of(int64 job_id, const char *names);
extern BulkparJobStatus *bulkpar_result_status(int64 job_id);

#endif							/* BULKPAR_RESULT_H */
