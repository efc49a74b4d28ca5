/*-------------------------------------------------------------------------
 *
 * beginning.c
 *		How the coordinator begins with a job: it stores it, or takes it over.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/beginning.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"

#include "books/joblist.h"
#include "books/joblock.h"
#include "books/jobstate.h"
#include "books/ledger.h"
#include "run/beginning.h"
#include "session/process.h"

static void take_over_job(const BulkparCall *call);
static void raise_not_resumed(int64 job_id);
static void lock_job(int64 job_id);

/* Plan how a job is stored, in a transaction of its own. */
void
bulkpar_beginning_prepare(void)
{
	bulkpar_process_start_transaction();
	bulkpar_job_prepare_insert();
	CommitTransactionCommand();
}

/*
 * Store the job of a call, or take over the one that it resumes, and take the
 * lock that says that it is alive.  Returns its id, and where the WAL has that,
 * for the commit need not wait.  In transactions of its own.
 */
int64
bulkpar_beginning_store(const BulkparCall *call, XLogRecPtr *stored_at)
{
	int64		job_id = call->resumed;

	if (job_id == 0)
	{
		bulkpar_process_start_transaction();
		job_id = bulkpar_job_draw_number();
		CommitTransactionCommand();
	}
	bulkpar_process_start_transaction();
	if (call->resumed != 0)
		take_over_job(call);
	else
	{
		bulkpar_job_insert(job_id, call->request, call->nodes, call->once);
		lock_job(job_id);
	}
	CommitTransactionCommand();
	*stored_at = XactLastCommitEnd;
	return job_id;
}

/* Take over a job that has stopped. */
static void
take_over_job(const BulkparCall *call)
{
	int64		job_id = call->resumed;

	lock_job(job_id);
	if (!bulkpar_jobstate_restart(job_id, &call->change, call->request))
		raise_not_resumed(job_id);
	(void) bulkpar_ledger_release(job_id, 0);
}

/* There is nothing to go on with. */
static void
raise_not_resumed(int64 job_id)
{
	if (!OidIsValid(bulkpar_joblist_owner(job_id)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("bulkpar job " INT64_FORMAT " does not exist",
						job_id)));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("bulkpar job " INT64_FORMAT " has already succeeded",
					job_id)));
}

static void
lock_job(int64 job_id)
{
	if (!bulkpar_joblock_take(job_id))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("bulkpar job " INT64_FORMAT " is already running",
						job_id)));
}
