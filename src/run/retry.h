/*-------------------------------------------------------------------------
 *
 * retry.h
 *		Whether another try of a batch may help, and who makes it.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/retry.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_RETRY_H
#define BULKPAR_RETRY_H

#include "books/job.h"
#include "books/ledger.h"

/* The last tries of batches by a worker. */
typedef struct BulkparRetryTally
{
	int			committed;
	int			failed;			/* that are tried again */
} BulkparRetryTally;

extern void bulkpar_retry_start(void);
extern bool bulkpar_retry_may_help(const ErrorData *error);
extern void bulkpar_retry_count_commit(BulkparRetryTally *tally);
extern int	bulkpar_retry_count_failure(BulkparRetryTally *tally,
										const BulkparJob *job,
										const BulkparLedgerChunk *chunk,
										const ErrorData *error, int retries,
										bool last);
extern void bulkpar_retry_pause(int retries);

#endif							/* BULKPAR_RETRY_H */
