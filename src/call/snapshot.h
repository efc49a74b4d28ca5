/*-------------------------------------------------------------------------
 *
 * snapshot.h
 *		Giving back the snapshot of a statement that waits for a job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/snapshot.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_SNAPSHOT_H
#define BULKPAR_SNAPSHOT_H

#include "fmgr.h"

extern bool bulkpar_snapshot_is_free(FunctionCallInfo fcinfo);
extern bool bulkpar_snapshot_give_back(FunctionCallInfo fcinfo);
extern void bulkpar_snapshot_take(void);

#endif							/* BULKPAR_SNAPSHOT_H */
