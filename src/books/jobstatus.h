/*-------------------------------------------------------------------------
 *
 * jobstatus.h
 *		How far a job is, and whether it is complete.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/jobstatus.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_JOBSTATUS_H
#define BULKPAR_JOBSTATUS_H

#include "utils/elog.h"

#include "books/job.h"
#include "books/jobstate.h"

/* The state of a job and the sums over its chunks. */
typedef struct BulkparJobStatus
{
	BulkparJobState state;
	bool		planned;		/* its present run is */
	bool		has_messages;	/* of user code, see jobmessage.c */
	int64		rows_done;
	int64		rows_changed;
	int64		rows_failed;
	int64		rows_unchanged;
	BulkparCommand command;
	int64		batches;
	int64		estimated_rows;
	int64		time_at_work;	/* of all runs, in microseconds */
	int64		rows_hot;
	int64		wal_bytes;
	BulkparJobSpace before;
	BulkparJobSpace after;
	ErrorData  *error;			/* NULL for none */

	/* set by bulkpar_jobstatus_read_throttle */
	char	   *throttled_by;	/* what slows it down now; or NULL */
	int64		throttled_time; /* lost by that, in microseconds */
	char	   *throttled_for;	/* and by what, with times; or NULL */
} BulkparJobStatus;

extern BulkparJobStatus *bulkpar_jobstatus_read(int64 job_id);
extern BulkparJobStatus *bulkpar_jobstatus_require(int64 job_id);
extern double bulkpar_jobstatus_add_nodes(int64 job_id,
										  BulkparJobStatus *status);
extern void bulkpar_jobstatus_read_throttle(int64 job_id,
											BulkparJobStatus *status);
extern double bulkpar_jobstatus_rate(int64 job_id);
extern bool bulkpar_jobstatus_is_complete(int64 job_id);

#endif							/* BULKPAR_JOBSTATUS_H */
