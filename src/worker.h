/*-------------------------------------------------------------------------
 *
 * worker.h
 *		A worker of a job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/worker.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_WORKER_H
#define BULKPAR_WORKER_H

#include "postmaster/bgworker.h"

#include "identity.h"
#include "job.h"

extern BackgroundWorkerHandle *bulkpar_worker_launch(const BulkparIdentity *identity,
													 const BulkparJob *job,
													 int number,
													 bool plans,
													 int snapshot_holder);
extern PGDLLEXPORT void bulkpar_worker_main(Datum main_arg);

#endif							/* BULKPAR_WORKER_H */
