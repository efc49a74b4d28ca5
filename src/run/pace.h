/*-------------------------------------------------------------------------
 *
 * pace.h
 *		How much a worker works, as its coordinator says.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/pace.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_PACE_H
#define BULKPAR_PACE_H

#include "storage/dsm.h"

#include "run/limits.h"
#include "run/reasons.h"

typedef struct BulkparPace BulkparPace;

extern BulkparPace *bulkpar_pace_create(void);
extern dsm_handle bulkpar_pace_handle(const BulkparPace *pace);
extern void bulkpar_pace_tell_job(BulkparPace *pace, int64 job_id, int runs);
extern void bulkpar_pace_await_job(int64 *job_id, int *runs);
extern void bulkpar_pace_limit(BulkparPace *pace,
							   const BulkparLimits *limits);
extern void bulkpar_pace_alter(BulkparPace *pace, int batch_size,
							   int workers);
extern bool bulkpar_pace_take_retired(BulkparPace *pace, int place);
extern int64 bulkpar_pace_rows(BulkparPace *pace);
extern void bulkpar_pace_forget(BulkparPace *pace);
extern void bulkpar_pace_set(BulkparPace *pace, double share, bool throttled,
							 const char *reason);
extern void bulkpar_pace_attach(dsm_handle handle, int place);
extern int	bulkpar_pace_lock_wait(void);
extern int	bulkpar_pace_target_time(void);
extern bool bulkpar_pace_is_throttled(void);
extern int	bulkpar_pace_batch_size(int before);
extern int	bulkpar_pace_workers(int before);
extern bool bulkpar_pace_is_retired(void);
extern bool bulkpar_pace_retire(void);
extern void bulkpar_pace_count(int64 rows, uint64 wal_bytes);
extern void bulkpar_pace_start(void);
extern void bulkpar_pace_check_interrupts(void);
extern int	bulkpar_pace_wait(int64 job_id, int rows, bool *shown);
extern void bulkpar_pace_spend(int64 rows);
extern void bulkpar_pace_give_back(void);

#endif							/* BULKPAR_PACE_H */
