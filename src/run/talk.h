/*-------------------------------------------------------------------------
 *
 * talk.h
 *		The process that talks to the other servers of a job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/talk.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_TALK_H
#define BULKPAR_TALK_H

#include "port/atomics.h"
#include "storage/dsm.h"
#include "storage/proc.h"

#include "session/identity.h"

/* How long it takes for it to stop all jobs there, in milliseconds. */
#define BULKPAR_TALK_STOP_TIMEOUT 10000

/* Bytes of the names of servers that it could not reach. */
#define BULKPAR_TALK_UNREACHED 256

typedef enum BulkparTalkOrder
{
	BULKPAR_TALK_RUN,
	BULKPAR_TALK_PAUSE,
	BULKPAR_TALK_CANCEL
} BulkparTalkOrder;

/* So many nodes can be connected to before the job is stored. */
#define BULKPAR_EARLY_NODES 16

/* The first nodes of a job that is yet to be stored, as they are connected to. */
typedef struct BulkparEarlyNodes
{
	int			count;
	Oid			servers[BULKPAR_EARLY_NODES];
	int			citus_nodes[BULKPAR_EARLY_NODES];
} BulkparEarlyNodes;

/* What it shares with the coordinator. */
typedef struct BulkparTalkShared
{
	BulkparEarlyNodes early;	/* immutable */

	/* set by the coordinator */
	pg_atomic_uint32 order;
	pg_atomic_uint64 job_id;	/* 0 before the job is stored */

	/* set by the process */
	PGPROC	   *volatile proc;	/* to wake it; it may have ended */
	volatile bool finished;		/* all have succeeded, and the books say so */
	char		unreached[BULKPAR_TALK_UNREACHED];	/* before it ends */
} BulkparTalkShared;

/* How it is told what it is for, in bgw_extra. */
typedef struct BulkparTalkArgs
{
	BulkparIdentity identity;
	dsm_handle	segment;
} BulkparTalkArgs;

extern const char *bulkpar_talk_name(int64 job_id);
extern PGDLLEXPORT void bulkpar_talk_main(Datum main_arg);

#endif							/* BULKPAR_TALK_H */
