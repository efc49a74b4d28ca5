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

#include "books/bookkeeping.h"
#include "books/job.h"
#include "books/storedkey.h"

/* What frees a chunk, so that nothing of who has it commits any more, in SQL. */
#define BULKPAR_LEDGER_FREE \
	"worker = NULL, worker_pid = NULL, epoch = epoch + 1"

/* To what user code has said in the batches of a chunk, add some more. */
#define BULKPAR_LEDGER_ADD_MESSAGES \
	"messages = CASE WHEN $messages IS NULL THEN messages " \
	"ELSE coalesce(messages, '[]') || $messages::jsonb END"

/* A chunk, as long as it is not taken over. */
#define BULKPAR_LEDGER_IF_OURS \
	" WHERE job_id = $job_id AND chunk_no = $chunk_no AND epoch = $epoch " \
	"AND status = 'running'"

/* Of the keys of a range those that stripe.c puts into one stripe. */
typedef struct BulkparStripe
{
	int			count;			/* of stripes; 1 for all keys */
	int			number;			/* from 0 on */
} BulkparStripe;

/* A chunk as a worker has claimed it. */
typedef struct BulkparLedgerChunk
{
	int64		chunk_no;
	int64		epoch;
	int			part;			/* of the job, from 0 on */
	BulkparStoredKey *lo;		/* may be NULL */
	BulkparStoredKey *hi;		/* NULL in a chunk that is yet to be cut */
	BulkparStripe stripe;		/* the one to do; those before are done */
	BulkparStoredKey *done;		/* up to where it is done; may be NULL */
	bytea	   *keys;			/* of the rows to do, if the ledger has them */
	bytea	   *aside;			/* of rows before done, not done; or NULL */
	bool		throttled;		/* it was set back, and is to wait: */
	char	   *throttled_by;	/* why */
	int			pause;			/* so long, in milliseconds, ... */
	int			left;			/* ... of which so much is left */
	int64		rows_before;
	int64		rows_found;		/* in a new one */
} BulkparLedgerChunk;

/* What is known of the last chunks when a new one is claimed. */
typedef struct BulkparLedgerTrend
{
	int64		rows_found;		/* in the last one */
	int64		rows_done;		/* in the last few */
	int64		rows_matched;	/* of these, that were not left alone */
} BulkparLedgerTrend;

/* What a batch adds to its chunk, and how far the chunk then is. */
typedef struct BulkparLedgerAdvance
{
	int			stripe;
	BulkparStoredKey *last_key; /* NULL where a stripe begins */
	int64		rows_done;
	int64		rows_changed;
	int64		rows_failed;
	int64		rows_unchanged;
	int64		rows_hot;
	int64		wal_bytes;
	int64		retries;
	int64		batches;		/* one, or none where no row was left for it */
	bytea	   *aside;			/* keys of rows that are yet to be done, or
								 * NULL */
	const char *throttled_by;	/* why, where that is new; or NULL */
	bool		finished;		/* the chunk ends here */
	char	   *messages;		/* of user code, as JSON; or NULL */
} BulkparLedgerAdvance;

/* The same of a bundle of chunks, each one a whole part. */
typedef struct BulkparLedgerBundle
{
	int			nchunks;
	int64	   *rows_done;		/* of each in order */
	int64	   *rows_changed;
	int64	   *rows_hot;
	int64		wal_bytes;		/* and what follows of all of them */
	char	   *messages;
} BulkparLedgerBundle;

typedef enum BulkparLedgerWork
{
	BULKPAR_LEDGER_NOTHING,		/* no work is left, or the job has ended */
	BULKPAR_LEDGER_LEFT,		/* a chunk that another worker has left */
	BULKPAR_LEDGER_NEW			/* where the next chunk begins */
} BulkparLedgerWork;

extern void bulkpar_ledger_argument_chunk(BulkparBookkeeping *books,
										  const BulkparLedgerChunk *chunk);
extern BulkparLedgerWork bulkpar_ledger_claim(const BulkparJob *job, int worker,
											  BulkparLedgerChunk *chunk,
											  BulkparLedgerTrend *trend);
extern bool bulkpar_ledger_claim_throttled(const BulkparJob *job, int worker,
										   BulkparLedgerChunk *chunk);
extern bool bulkpar_ledger_lock(const BulkparJob *job);
extern void bulkpar_ledger_insert(int64 job_id, int worker,
								  const BulkparLedgerChunk *chunk);
extern void bulkpar_ledger_insert_bundle(int64 job_id, int worker,
										 const BulkparLedgerChunk *first,
										 int last_part, int nchunks);
extern bool bulkpar_ledger_find(int64 job_id, const BulkparLedgerChunk *chunk,
								int64 rows);
extern bool bulkpar_ledger_advance(int64 job_id, const BulkparLedgerChunk *chunk,
								   const BulkparLedgerAdvance *advance);
extern bool bulkpar_ledger_finish_bundle(int64 job_id,
										 const BulkparLedgerChunk *first,
										 const BulkparLedgerBundle *bundle);
extern bool bulkpar_ledger_give_back(int64 job_id,
									 const BulkparLedgerChunk *first,
									 int nchunks, const char *messages);
extern void bulkpar_ledger_fail(int64 job_id, const BulkparLedgerChunk *chunk,
								const ErrorData *error,
								const char *messages);
extern int	bulkpar_ledger_count_workers(int64 job_id);
extern void bulkpar_ledger_leave(int64 job_id, const BulkparLedgerChunk *chunk,
								 int64 retries, const char *messages);
extern int64 bulkpar_ledger_release(int64 job_id, int worker);
extern int64 bulkpar_ledger_record_error(int64 job_id,
										 const BulkparLedgerChunk *chunk,
										 ArrayType *key,
										 const ErrorData *error);

#endif							/* BULKPAR_LEDGER_H */
