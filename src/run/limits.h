/*-------------------------------------------------------------------------
 *
 * limits.h
 *		How far a job may go with the server around it.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/limits.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_LIMITS_H
#define BULKPAR_LIMITS_H

#include "session/settings.h"

/* A limit is from the configuration, or the job carries it. */
#define BULKPAR_LIMITS_SOURCES 2

/* The limits of a job.  0 is no limit everywhere. */
typedef struct BulkparLimits
{
	int			max_replica_lag;	/* in milliseconds */
	bool		replica_flush;	/* up to where it is flushed, not replayed */
	const char *ignore_replicas;	/* application names, with commas between */
	int64		max_wal_backlog;	/* in bytes */
	int			min_free_disk;	/* in percent of a file system */
	double		nice;
	int			max_rows;		/* that a run changes */
	int			max_rows_per_second;
	int64		max_wal_rate;	/* in bytes per second */
	int64		throttle_timeout;	/* in milliseconds */
	int64		max_time;		/* of a run, in milliseconds */
	const char *throttle_queries[BULKPAR_LIMITS_SOURCES];	/* as the windows */
	const char *windows[BULKPAR_LIMITS_SOURCES];	/* all must be open; NULL
													 * for none */
	int			lock_wait;		/* in milliseconds */
	int			target_batch_time;	/* in milliseconds */
} BulkparLimits;

extern void bulkpar_limits_find(BulkparLimits *limits,
								const BulkparSettings *settings);

#endif							/* BULKPAR_LIMITS_H */
