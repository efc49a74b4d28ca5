/*-------------------------------------------------------------------------
 *
 * jobstate.h
 *		The states of a job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/jobstate.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_JOBSTATE_H
#define BULKPAR_JOBSTATE_H

#include "utils/elog.h"

#include "books/job.h"

/* The states of a job, as bulkpar_job.status has them. */
typedef enum BulkparJobState
{
	BULKPAR_JOBSTATE_RUNNING,	/* a coordinator has it; or had it and is
								 * gone, which the views call interrupted */
	BULKPAR_JOBSTATE_PAUSED,	/* was told to stop, to be resumed */
	BULKPAR_JOBSTATE_SUCCEEDED, /* all is done, as its own rows prove */
	BULKPAR_JOBSTATE_FAILED,	/* was stopped by the error that is stored */
	BULKPAR_JOBSTATE_CANCELLED	/* was told to stop, or was given up */
} BulkparJobState;

extern const char *bulkpar_jobstate_name(BulkparJobState state);
extern BulkparJobState bulkpar_jobstate_of(const char *name);

extern bool bulkpar_jobstate_restart(int64 job_id,
									 const BulkparJobChange *changes,
									 const char *settings);
extern bool bulkpar_jobstate_fail(int64 job_id, int runs,
								  const ErrorData *error);
extern void bulkpar_jobstate_end(int64 job_id, BulkparJobState state,
								 const BulkparJobSpace *after);
extern void bulkpar_jobstate_leave(int64 job_id, BulkparJobState state);

#endif							/* BULKPAR_JOBSTATE_H */
