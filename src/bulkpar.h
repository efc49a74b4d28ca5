/*-------------------------------------------------------------------------
 *
 * bulkpar.h
 *		Limits and settings that several files need.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/bulkpar.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_H
#define BULKPAR_H

/* The name that the library is installed under, for background workers. */
#define BULKPAR_LIBRARY "bulkpar"

/* Limits of the arguments: what is more is taken for a slip. */
#define BULKPAR_MAX_BATCH_SIZE 1000000
#define BULKPAR_MAX_WORKERS 1024

/*
 * A batch looks at all rows of its chunk for those of its stripe.  Measured on
 * 300,000 rows: with 64 stripes the table grows to 1.09 times its size, with 12
 * to 1.15, in less than half the CPU time.
 */
#define BULKPAR_MAX_STRIPES 64

/* Bytes of a job's name, which is in an index. */
#define BULKPAR_MAX_NAME 255

/*
 * The batches of a chunk of one stripe, and those whose ends are collected in
 * advance in one that was left, at the most.  (A chunk of more stripes has
 * several batches in each, see claim.c.)  Measured with 2 workers on 300,000
 * rows in batches of 1000: 4, 16 and 64 take 81, 30 and 21 claims, and the
 * same CPU time.
 */
#define BULKPAR_CHUNK_BATCHES 16

/* The values of bulkpar.replica_position. */
typedef enum BulkparReplicaPosition
{
	BULKPAR_REPLICA_REPLAY,
	BULKPAR_REPLICA_FLUSH
} BulkparReplicaPosition;

/* Settings, see bulkpar.c. */
extern char *bulkpar_ignore_replicas;
extern char *bulkpar_job_id;
extern char *bulkpar_job_started_at;
extern int	bulkpar_lock_wait;
extern int	bulkpar_max_replica_lag;
extern int	bulkpar_max_rows;
extern int	bulkpar_max_rows_per_second;
extern int	bulkpar_max_time;
extern int	bulkpar_max_wal_backlog;
extern int	bulkpar_max_wal_rate;
extern int	bulkpar_max_workers;
extern int	bulkpar_min_free_disk;
extern double bulkpar_nice;
extern int	bulkpar_progress_interval;
extern int	bulkpar_replica_position;
extern bool bulkpar_report;
extern int	bulkpar_target_batch_time;
extern char *bulkpar_throttle_query;
extern int	bulkpar_throttle_timeout;
extern char *bulkpar_time_window;
extern int	bulkpar_workers;

#endif							/* BULKPAR_H */
