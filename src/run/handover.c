/*-------------------------------------------------------------------------
 *
 * handover.c
 *		How a caller hands its job over to a coordinator.
 *
 * This runs in the caller's session: it prepares the segment that both share,
 * launches the coordinator, and cancels it where the caller does not want to
 * wait any longer.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/handover.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/timestamp.h"

#include "books/books.h"
#include "run/handover.h"
#include "run/inquiry.h"
#include "run/launch.h"
#include "session/clip.h"

/*
 * Make the segment through which a coordinator gets its work: a new job as
 * JSON with what its nodes are to be asked, or, filled in by our caller, one to
 * resume.  It belongs to the current resource owner; the coordinator keeps it as
 * long as it needs it.
 */
BulkparCall *
bulkpar_handover_prepare(const BulkparJob *job, const char *request,
						 dsm_segment **segment)
{
	BulkparCall *call;
	BulkparIdentity identity;
	Size		size = strlen(request) + 1;
	char	   *inquiries = bulkpar_inquiry_write(job);
	Size		inquiries_size = strlen(inquiries) + 1;

	bulkpar_identity_choose(&identity, job->owner, job->session_role);
	identity.job_table = bulkpar_books_table(BULKPAR_BOOK_JOB);
	*segment = dsm_create(add_size(add_size(offsetof(BulkparCall, request), size),
								   inquiries_size), 0);
	call = dsm_segment_address(*segment);
	memset(call, 0, offsetof(BulkparCall, request));
	call->identity = identity;
	call->caller = MyProc;
	call->command = job->command;
	call->expected = job->expected;
	call->parts = job->nparts > 0;
	call->nodes = job->nnodes > 0;
	call->once = job->once;
	pg_atomic_init_u64(&call->job_id, 0);
	pg_atomic_init_u32(&call->workers_wanted, 0);
	pg_atomic_init_u32(&call->workers_started, 0);
	pg_atomic_init_u64(&call->rows_changed, 0);
	pg_atomic_init_u64(&call->batches, 0);
	SpinLockInit(&call->mutex);
	memcpy(call->request, request, size);
	memcpy(call->request + size, inquiries, inquiries_size);
	return call;
}

/* What the nodes of the job are asked before it begins. */
const char *
bulkpar_handover_inquiries(const BulkparCall *call)
{
	return call->request + strlen(call->request) + 1;
}

/* Launch the coordinator for a prepared segment. */
BackgroundWorkerHandle *
bulkpar_handover_launch(dsm_segment *segment)
{
	BulkparLaunch launch = {
		.type = "bulkpar coordinator",
		.function = "bulkpar_coordinator_main",
		.main_arg = UInt32GetDatum(dsm_segment_handle(segment))
	};
	BackgroundWorkerHandle *handle = bulkpar_launch_process(&launch,
															launch.type);

	if (handle == NULL)
		bulkpar_launch_raise_no_slot(BULKPAR_SHORTAGE_SERVER);
	return handle;
}

/* Tell the caller something, if it waits; of two at once it hears the last. */
void
bulkpar_handover_tell(BulkparCall *call, const char *notice)
{
	char		text[BULKPAR_NOTICE_SIZE] = {0};

	bulkpar_clip(text, sizeof(text), notice);
	SpinLockAcquire(&call->mutex);
	memcpy(call->notice, text, sizeof(text));
	call->notices++;
	SpinLockRelease(&call->mutex);
	SetLatch(&call->caller->procLatch);
}

/*
 * Whether the coordinator has told its caller something that it has not yet
 * heard; that is put into notice, of BULKPAR_NOTICE_SIZE bytes.
 */
bool
bulkpar_handover_hear(BulkparCall *call, uint32 *heard, char *notice)
{
	bool		new;

	SpinLockAcquire(&call->mutex);
	new = call->notices != *heard;
	*heard = call->notices;
	memcpy(notice, call->notice, sizeof(call->notice));
	SpinLockRelease(&call->mutex);
	return new;
}

/*
 * Cancel the job and wait until its coordinator has ended, or only waits for
 * workers that do not.  Then nothing of it commits any more.  One that does not
 * end in time is terminated; and a session that is to end does so, whatever
 * becomes of it.  Does not throw, and can be called in an exit callback.
 */
void
bulkpar_handover_cancel(const BulkparCall *call,
						BackgroundWorkerHandle *handle)
{
	TimestampTz began = GetCurrentTimestamp();
	TimestampTz now = began;

	for (;;)
	{
		bool		overdue =
			TimestampDifferenceExceeds(began, now,
									   BULKPAR_CANCEL_TIMEOUT);
		pid_t		pid;

		if (overdue)
			TerminateBackgroundWorker(handle);
		else if (GetBackgroundWorkerPid(handle, &pid) == BGWH_STARTED)
			(void) kill(pid, SIGINT);
		if (bulkpar_launch_await_end(handle,
									 TimestampTzPlusMilliseconds(now, 200)) ||
			((volatile const BulkparCall *) call)->over)
			return;
		now = GetCurrentTimestamp();
		if ((proc_exit_inprogress || ProcDiePending) &&
			TimestampDifferenceExceeds(began, now,
									   2 * BULKPAR_CANCEL_TIMEOUT))
			return;
	}
}
