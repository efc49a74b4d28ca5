/*-------------------------------------------------------------------------
 *
 * bookkeeping.h
 *		All SQL on bulkpar_job and bulkpar_chunk.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/bookkeeping.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_BOOKKEEPING_H
#define BULKPAR_BOOKKEEPING_H

#include "utils/array.h"
#include "utils/elog.h"

#include "job.h"

/* A chunk as a worker has claimed it. */
typedef struct BulkparChunk
{
	int64		chunk_no;
	int64		epoch;
	ArrayType  *done;			/* all keys up to here are done; may be NULL */
	ArrayType  *hi;				/* NULL in a chunk that is yet to be cut */
	int64		rows_before;
} BulkparChunk;

/* What a batch adds to its chunk. */
typedef struct BulkparAdvance
{
	ArrayType  *last_key;
	int64		rows_done;
	int64		rows_updated;
	bool		finished;		/* the chunk ends here */
} BulkparAdvance;

typedef enum BulkparClaim
{
	BULKPAR_CLAIM_NOTHING,		/* no work is left, or the job has ended */
	BULKPAR_CLAIM_LEFT,			/* a chunk that another worker has left */
	BULKPAR_CLAIM_NEW			/* where the next chunk begins */
} BulkparClaim;

/* The state of a job and the sums over its chunks. */
typedef struct BulkparStatus
{
	char	   *status;
	int64		rows_done;
	int64		rows_updated;
	int64		batches;
	int64		estimated_rows;
	double		seconds;		/* since the workers were started */
	bool		complete;		/* the chunks cover all keys and are done */
	ErrorData  *error;			/* NULL for none */
} BulkparStatus;

extern void bulkpar_bookkeeping_attach(Oid schema);
extern Oid	bulkpar_bookkeeping_schema(void);

extern int64 bulkpar_bookkeeping_insert_job(const char *request);
extern BulkparJob *bulkpar_bookkeeping_load_job(int64 job_id);
extern void bulkpar_bookkeeping_start_job(const BulkparJob *job);
extern bool bulkpar_bookkeeping_fail_job(int64 job_id, const ErrorData *error);
extern void bulkpar_bookkeeping_end_job(int64 job_id, const char *status);
extern BulkparStatus *bulkpar_bookkeeping_status(int64 job_id);

extern BulkparClaim bulkpar_bookkeeping_claim(int64 job_id, int worker,
											  BulkparChunk *chunk);
extern void bulkpar_bookkeeping_insert_chunk(int64 job_id, int worker,
											 const BulkparChunk *chunk,
											 int64 rows_found);
extern bool bulkpar_bookkeeping_advance_chunk(int64 job_id,
											  const BulkparChunk *chunk,
											  const BulkparAdvance *advance);
extern void bulkpar_bookkeeping_fail_chunk(int64 job_id,
										   const BulkparChunk *chunk,
										   const ErrorData *error);
extern int64 bulkpar_bookkeeping_release_chunks(int64 job_id, int worker);

extern bool bulkpar_bookkeeping_lock_job(int64 job_id);
extern bool bulkpar_bookkeeping_job_is_alive(int64 job_id);

#endif							/* BULKPAR_BOOKKEEPING_H */
