/*-------------------------------------------------------------------------
 *
 * ending.h
 *		How the coordinator ends a job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/ending.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_ENDING_H
#define BULKPAR_ENDING_H

#include "run/handover.h"

extern void bulkpar_ending_prepare(const BulkparJob *job);
extern void bulkpar_ending_store(BulkparCall *call, int64 job_id,
								 const BulkparJob *job, const ErrorData *error,
								 bool paused);
extern void bulkpar_ending_clean_up(const BulkparCall *call);

#endif							/* BULKPAR_ENDING_H */
