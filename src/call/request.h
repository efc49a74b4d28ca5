/*-------------------------------------------------------------------------
 *
 * request.h
 *		The arguments of a call, checked.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/request.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_REQUEST_H
#define BULKPAR_REQUEST_H

#include "fmgr.h"

#include "books/job.h"

extern BulkparJob *bulkpar_request_read(FunctionCallInfo fcinfo, bool *wait);
extern void bulkpar_request_read_resume(FunctionCallInfo fcinfo,
										BulkparJobChange *change,
										bool *wait);
extern void bulkpar_request_read_change(FunctionCallInfo fcinfo,
										BulkparJobChange *change);

#endif							/* BULKPAR_REQUEST_H */
