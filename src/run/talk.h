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

/* What it shares with the coordinator. */
typedef struct BulkparTalkShared
{
	pg_atomic_uint32 order;		/* by the coordinator */

	/* set by the process */
	PGPROC	   *volatile proc;	/* to wake it; it may have ended */
	volatile bool finished;		/* all have succeeded, and the books say so */
	char		unreached[BULKPAR_TALK_UNREACHED];	/* before it ends */
} BulkparTalkShared;

/* How it is told what it is for, in bgw_extra. */
typedef struct BulkparTalkArgs
{
	BulkparIdentity identity;
	int64		job_id;
	dsm_handle	segment;
} BulkparTalkArgs;

extern PGDLLEXPORT void bulkpar_talk_main(Datum main_arg);

#endif							/* BULKPAR_TALK_H */
