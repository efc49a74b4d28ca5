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

extern bool bulkpar_worker_launch(int64 job_id, int number,
								  BackgroundWorkerHandle **handle);
extern PGDLLEXPORT void bulkpar_worker_main(Datum main_arg);

#endif							/* BULKPAR_WORKER_H */
