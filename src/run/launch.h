/*-------------------------------------------------------------------------
 *
 * launch.h
 *		Registering the processes of bulkpar.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/launch.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_LAUNCH_H
#define BULKPAR_LAUNCH_H

#include "datatype/timestamp.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"

#include "run/quota.h"
#include "session/identity.h"

/* What a process is launched with. */
typedef struct BulkparLaunch
{
	const char *type;			/* as in pg_stat_activity.backend_type */
	const char *function;		/* its entry point */
	Datum		main_arg;
	const void *extra;			/* copied to bgw_extra; may be NULL */
	Size		extra_size;
} BulkparLaunch;

/* A process, and what it takes of the limits. */
typedef struct BulkparSlot
{
	BackgroundWorkerHandle *handle; /* NULL for no process */
	BulkparQuota quota;
} BulkparSlot;

extern BackgroundWorkerHandle *bulkpar_launch_process(const BulkparLaunch *launch,
													  const char *name);
extern void *bulkpar_launch_begin(const BulkparIdentity *identity,
								  dsm_handle handle);
extern BulkparShortage bulkpar_launch_in_slot(BulkparSlot *slot,
											  MemoryContext context,
											  const BulkparLaunch *launch,
											  const char *name, Oid login);
extern bool bulkpar_launch_empty_slot(BulkparSlot *slot,
									  TimestampTz deadline);
extern void bulkpar_launch_wake_launcher(void);
extern void bulkpar_launch_raise_no_slot(BulkparShortage shortage);
extern bool bulkpar_launch_await_end(BackgroundWorkerHandle *handle,
									 TimestampTz deadline);

#endif							/* BULKPAR_LAUNCH_H */
