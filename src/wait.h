/*-------------------------------------------------------------------------
 *
 * wait.h
 *		The caller waits for its job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/wait.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_WAIT_H
#define BULKPAR_WAIT_H

#include "postmaster/bgworker.h"

#include "coordinator.h"

extern void bulkpar_wait_for_job(BulkparCall *call,
								 BackgroundWorkerHandle *handle);

#endif							/* BULKPAR_WAIT_H */
