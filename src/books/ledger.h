/*-------------------------------------------------------------------------
 *
 * ledger.h
 *		What is done of a job: the rows of bulkpar_chunk and bulkpar_error.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/ledger.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_LEDGER_H
#define BULKPAR_LEDGER_H

#include "utils/array.h"
#include "utils/elog.h"

#include "books/job.h"
#include "table/key.h"

/* A chunk as a worker has claimed it. */
typedef struct BulkparChunk
{
	int64		chunk_no;
	int64		epoch;
	int			part;			/* of the job, from 0 on */
	BulkparStoredKey *lo;		/* may be NULL */
	BulkparStoredKey *hi;		/* NULL in a chunk that is yet to be cut */
	BulkparStripe stripe;		/* the one to do; those before are done */
	BulkparStoredKey *done;		/* up to where it is done; may be NULL */
	bytea	   *keys;			/* of the rows to do, or NULL for all */
	int64		rows_before;
	int64		rows_found;		/* in a new one */
} BulkparChunk;

/* What is known of the last chunks when a new one is claimed. */
typedef struct BulkparTrend
{
	int64		rows_found;		/* in the last one */
	int64		rows_done;		/* in the last few */
	int64		rows_matched;	/* of these, that were not left alone */
} BulkparTrend;

/* What a batch adds to its chunk, and how far the chunk then is. */
typedef struct BulkparAdvance
{
	int			stripe;
	BulkparStoredKey *last_key; /* NULL where a stripe begins */
	int64		rows_done;
	int64		rows_updated;
	int64		rows_failed;
	int64		rows_unchanged;
	int64		rows_hot;
	int64		wal_bytes;
	int64		retries;
	bool		finished;		/* the chunk ends here */
} BulkparAdvance;

typedef enum BulkparClaim
{
	BULKPAR_CLAIM_NOTHING,		/* no work is left, or the job has ended */
	BULKPAR_CLAIM_LEFT,			/* a chunk that another worker has left */
	BULKPAR_CLAIM_NEW			/* where the next chunk begins */
} BulkparClaim;

extern BulkparClaim bulkpar_ledger_claim(const BulkparJob *job, int worker,
										 BulkparChunk *chunk,
										 BulkparTrend *trend);
extern bool bulkpar_ledger_lock(const BulkparJob *job);
extern void bulkpar_ledger_insert(int64 job_id, int worker,
								  const BulkparChunk *chunk);
extern bool bulkpar_ledger_advance(int64 job_id, const BulkparChunk *chunk,
								   const BulkparAdvance *advance);
extern void bulkpar_ledger_fail(int64 job_id, const BulkparChunk *chunk,
								const ErrorData *error);
extern int64 bulkpar_ledger_release(int64 job_id, int worker);
extern int64 bulkpar_ledger_record_error(int64 job_id,
										 const BulkparChunk *chunk,
										 ArrayType *key,
										 const ErrorData *error);

#endif							/* BULKPAR_LEDGER_H */
