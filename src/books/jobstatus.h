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
	int64		rows_done;
	int64		rows_changed;
	int64		rows_failed;
	int64		rows_unchanged;
	bool		deletes;
	int64		batches;
	int64		estimated_rows;
	int64		time_at_work;	/* of all runs, in microseconds */
	double		rows_per_second;	/* in the last minute, if it runs */
	int64		rows_hot;
	int64		wal_bytes;
	char	   *throttled_by;	/* what slows it down now; or NULL */
	int64		throttled_time; /* lost by that, in microseconds */
	char	   *throttled_for;	/* and by what, with times; or NULL */
	BulkparJobSpace before;
	BulkparJobSpace after;
	bool		complete;		/* the chunks cover all keys and are done */
	ErrorData  *error;			/* NULL for none */
} BulkparJobStatus;

extern BulkparJobStatus *bulkpar_jobstatus_read(int64 job_id);

#endif							/* BULKPAR_JOBSTATUS_H */
