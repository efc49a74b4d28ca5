/*-------------------------------------------------------------------------
 *
 * wait.h
 *		A session waits for a job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/wait.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_WAIT_H
#define BULKPAR_WAIT_H

#include "datatype/timestamp.h"
#include "fmgr.h"
#include "postmaster/bgworker.h"

#include "run/handover.h"

/* What a call waits for. */
typedef enum BulkparWaitUntil
{
	BULKPAR_WAIT_UNTIL_OWNED,	/* the job has its coordinator */
	BULKPAR_WAIT_UNTIL_STARTED, /* its workers are at work */
	BULKPAR_WAIT_UNTIL_ENDED
} BulkparWaitUntil;

extern void bulkpar_wait_for_call(FunctionCallInfo fcinfo, BulkparCall *call,
								  BackgroundWorkerHandle *handle,
								  BulkparWaitUntil until);
extern void bulkpar_wait_for_job(FunctionCallInfo fcinfo, int64 job_id,
								 TimestampTz deadline);

#endif							/* BULKPAR_WAIT_H */
