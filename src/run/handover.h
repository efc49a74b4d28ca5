/*-------------------------------------------------------------------------
 *
 * handover.h
 *		How a caller hands its job over to a coordinator.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/handover.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_HANDOVER_H
#define BULKPAR_HANDOVER_H

#include "port/atomics.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/proc.h"
#include "storage/spin.h"

#include "books/job.h"
#include "run/outset.h"
#include "run/quota.h"
#include "run/talk.h"
#include "session/error.h"
#include "session/identity.h"

/*
 * How long a coordinator may take to end by a cancel, in milliseconds, before
 * it is terminated: more than it gives its workers.
 */
#define BULKPAR_CANCEL_TIMEOUT 15000

/* Bytes of what a caller is told while the job runs. */
#define BULKPAR_NOTICE_SIZE 256

/* What caller and coordinator share, in a DSM segment. */
typedef struct BulkparCall
{
	/* set by the caller before the launch, then immutable */
	BulkparIdentity identity;
	PGPROC	   *caller;			/* to wake it; it may have gone on */
	BulkparCommand command;		/* of the job */
	int			snapshot_holder;	/* its pid, if it keeps a snapshot, or 0 */
	BulkparExpected expected;	/* of a new job */
	int64		resumed;		/* the job to resume, or 0 for a new one */
	BulkparJobChange change;	/* what a resumed job does otherwise */
	bool		parts;			/* it has some here, ... */
	bool		nodes;			/* ... and on nodes; a resumed job may */
	bool		once;			/* a new job is to run once */
	bool		eager;			/* nothing that it carries keeps it from
								 * beginning at once */

	/* set by the coordinator before the workers are started */
	char		xmin_holders[256];
	BulkparOutset outset;
	BulkparShortage shortage;	/* why there are not as many as wanted */

	/* set by the coordinator when they are known; 0 before */
	pg_atomic_uint64 job_id;
	pg_atomic_uint32 workers_wanted;
	pg_atomic_uint32 workers_started;

	/* set by the coordinator when it waits before the workers are started */
	bool		closed;

	/* set by the coordinator before it ends */
	char		unreached[256]; /* nodes on which the job may go on */
	bool		ended;			/* what has become of the job is stored */
	bool		succeeded;
	bool		over;			/* it only waits for a worker that does not
								 * end */

	/* set by the coordinator while it runs */
	slock_t		mutex;			/* guards what follows */
	uint32		notices;		/* how many there were */
	char		notice[BULKPAR_NOTICE_SIZE];	/* the last one */
	pg_atomic_uint64 rows_changed;
	pg_atomic_uint64 batches;
	BulkparError error;			/* why no job could be stored */

	/*
	 * A new job, or limits for a resumed one, as JSON; and behind that what
	 * its nodes are asked before it begins, or an empty text.  Immutable.
	 */
	char		request[FLEXIBLE_ARRAY_MEMBER];
} BulkparCall;

extern BulkparCall *bulkpar_handover_prepare(const BulkparJob *job,
											 const char *request,
											 dsm_segment **segment);
extern const char *bulkpar_handover_inquiries(const BulkparCall *call);
extern BackgroundWorkerHandle *bulkpar_handover_launch(dsm_segment *segment);
extern void bulkpar_handover_tell(BulkparCall *call, const char *notice);
extern bool bulkpar_handover_hear(BulkparCall *call, uint32 *heard,
								  char *notice);
extern void bulkpar_handover_cancel(const BulkparCall *call,
									BackgroundWorkerHandle *handle);

#endif							/* BULKPAR_HANDOVER_H */
