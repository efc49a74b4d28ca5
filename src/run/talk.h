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

#include "session/error.h"
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

/* What the nodes say to a job that is yet to be stored. */
typedef enum BulkparTalkVerdict
{
	BULKPAR_TALK_UNKNOWN,
	BULKPAR_TALK_AGREED,
	BULKPAR_TALK_REFUSED
} BulkparTalkVerdict;

/* What it shares with the coordinator. */
typedef struct BulkparTalkShared
{
	/* set by the coordinator */
	pg_atomic_uint32 order;
	pg_atomic_uint64 job_id;	/* 0 before the job is stored */

	/* set by the process */
	pg_atomic_uint32 verdict;	/* if there was something to ask */
	BulkparError error;			/* before it says that they refuse */
	PGPROC	   *volatile proc;	/* to wake it; it may have ended */
	volatile bool finished;		/* all have succeeded, and the books say so */
	char		unreached[BULKPAR_TALK_UNREACHED];	/* before it ends */

	/* what the nodes are asked before the job is stored; immutable */
	char		inquiries[FLEXIBLE_ARRAY_MEMBER];
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
