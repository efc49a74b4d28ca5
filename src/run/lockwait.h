/*-------------------------------------------------------------------------
 *
 * lockwait.h
 *		How long a worker waits for a lock, and what it does then.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/lockwait.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_LOCKWAIT_H
#define BULKPAR_LOCKWAIT_H

#include "books/job.h"
#include "books/ledger.h"

/* A wait for a lock that took too long. */
typedef struct BulkparLockWait
{
	bool		fellow;			/* a worker of the same job holds it */
	bool		whole;			/* it is one on a table or the like, not a row */
	char		reason[64];		/* who holds it, for people */
} BulkparLockWait;

extern void bulkpar_lockwait_start(void);
extern int	bulkpar_lockwait_limit(bool shortly, int longest);
extern void bulkpar_lockwait_begin(int limit);
extern void bulkpar_lockwait_end(void);
extern double bulkpar_lockwait_time(void);
extern bool bulkpar_lockwait_exceeded(void);
extern void bulkpar_lockwait_find(const BulkparJob *job, BulkparLockWait *wait);
extern int	bulkpar_lockwait_pause(int last);
extern void bulkpar_lockwait_sleep(const BulkparJob *job, const char *reason,
								   int ms);
extern void bulkpar_lockwait_insist(const BulkparJob *job,
									const BulkparLedgerChunk *chunk,
									void (*work) (void *arg), void *arg);

#endif							/* BULKPAR_LOCKWAIT_H */
