/*-------------------------------------------------------------------------
 *
 * worker.h
 *		A worker of a job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/worker.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_WORKER_H
#define BULKPAR_WORKER_H

#include "storage/dsm.h"

#include "books/job.h"
#include "run/launch.h"
#include "session/identity.h"

extern BulkparShortage bulkpar_worker_launch(BulkparSlot *slot,
											 MemoryContext context,
											 const BulkparIdentity *identity,
											 const BulkparJob *job,
											 int number, int place,
											 bool plans,
											 int snapshot_holder,
											 const BulkparExpected *expected,
											 dsm_handle pace);
extern PGDLLEXPORT void bulkpar_worker_main(Datum main_arg);

#endif							/* BULKPAR_WORKER_H */
