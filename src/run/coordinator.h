/*-------------------------------------------------------------------------
 *
 * coordinator.h
 *		The process that runs a job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/coordinator.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_COORDINATOR_H
#define BULKPAR_COORDINATOR_H

#include "access/xlogdefs.h"
#include "datatype/timestamp.h"

#include "books/job.h"
#include "run/crew.h"
#include "run/governor.h"
#include "run/handover.h"
#include "run/nodes.h"
#include "run/pace.h"

/* A coordinator, its job, and those who work for it. */
typedef struct BulkparCoordinator
{
	BulkparCall *call;
	char	   *synchronous;	/* synchronous_commit of the role */
	int64		job_id;
	XLogRecPtr	stored_at;		/* where the WAL has the job */
	BulkparJob *job;
	MemoryContext job_context;	/* of the job */
	BulkparPace *pace;
	BulkparCrew *crew;			/* NULL before it has a slot of its own */
	BulkparGovernor *governor;	/* NULL before there is a job */
	BulkparNodes *nodes;		/* NULL if it has none, or not yet */
	bool		planned;
	int			workers;		/* that there are to be, if that was altered */
	TimestampTz asked_at;		/* when it was last seen what was altered */
} BulkparCoordinator;

extern PGDLLEXPORT void bulkpar_coordinator_main(Datum main_arg);

#endif							/* BULKPAR_COORDINATOR_H */
