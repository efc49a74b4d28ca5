/*-------------------------------------------------------------------------
 *
 * throttle.h
 *		What keeps a job from going on.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/throttle.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_THROTTLE_H
#define BULKPAR_THROTTLE_H

#include "books/ledger.h"

extern void bulkpar_throttle_note(int64 job_id, const BulkparLedgerChunk *chunk,
								  const char *reason);
extern bool bulkpar_throttle_set_back(int64 job_id,
									  const BulkparLedgerChunk *chunk,
									  const char *reason, int pause,
									  const char *messages);
extern char *bulkpar_throttle_read(int64 job_id, int64 *seconds);

#endif							/* BULKPAR_THROTTLE_H */
