/*-------------------------------------------------------------------------
 *
 * nodes.c
 *		The process that talks to other servers, as its coordinator sees it.
 *
 * The coordinator itself talks to nobody, for that could hang.  The process is a
 * session of the owner of the job, and nothing more, for the mappings and
 * privileges of that are what counts.  It takes a slot of the limits as a worker
 * does.  When it dies, another goes on, a few times: the books say what was
 * asked of each server.
 *
 * When the job stops before it has succeeded, the jobs on the other servers are
 * to stop as well.  But where only this process is terminated, they run on, and
 * a resume finds them.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/nodes.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "run/launch.h"
#include "run/nodes.h"
#include "run/talk.h"
#include "session/clip.h"
#include "session/process.h"

/* How often the process of a run may die before the job fails. */
#define MAX_DEATHS 5

/* By how much it may be late with its last word, in milliseconds. */
#define STOP_GRACE 1000
#define STOP_TIMEOUT (BULKPAR_TALK_STOP_TIMEOUT + STOP_GRACE)

struct BulkparNodes
{
	int64		job_id;			/* 0 before it is stored */
	BulkparTalkArgs args;
	BulkparTalkShared *shared;
	BulkparSlot slot;			/* of the process */
	int			deaths;
	bool		complete;		/* all have succeeded */
	TimestampTz deadline;		/* of the stop */
};

StaticAssertDecl(sizeof(BulkparTalkArgs) <= BGW_EXTRALEN,
				 "arguments do not fit");

static void launch_anew(BulkparNodes *nodes);
static void wake_talk(const BulkparNodes *nodes);
static BulkparShortage launch_talk(BulkparNodes *nodes);
static bool are_complete(const BulkparNodes *nodes);

/*
 * What a job needs to have its nodes work, in the current memory context.  The
 * identity is that of its processes, which work as its owner; what the nodes are to
 * be asked first is for a job that is not stored yet.
 */
BulkparNodes *
bulkpar_nodes_create(const BulkparIdentity *identity, const char *inquiries)
{
	MemoryContext context = CurrentMemoryContext;
	BulkparNodes *nodes = palloc0(sizeof(BulkparNodes));
	Size		size = strlen(inquiries) + 1;
	dsm_segment *segment;
	bool		can_login;

	nodes->args.identity = *identity;
	bulkpar_process_start_transaction();
	can_login = bulkpar_identity_choose_owner(&nodes->args.identity,
											  identity->role);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	if (!can_login)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("the owner of the job is not permitted to log in"),
				 errdetail("Other servers are reached in a session of the owner of the job."),
				 errhint("Allow it with ALTER ROLE ... LOGIN.")));

	segment = dsm_create(add_size(offsetof(BulkparTalkShared, inquiries), size),
						 0);
	dsm_pin_mapping(segment);
	nodes->shared = dsm_segment_address(segment);
	memset(nodes->shared, 0, offsetof(BulkparTalkShared, inquiries));
	memcpy(nodes->shared->inquiries, inquiries, size);
	pg_atomic_init_u32(&nodes->shared->verdict, BULKPAR_TALK_UNKNOWN);
	pg_atomic_init_u32(&nodes->shared->order, BULKPAR_TALK_RUN);
	pg_atomic_init_u64(&nodes->shared->job_id, 0);
	nodes->args.segment = dsm_segment_handle(segment);
	return nodes;
}

/* Launch the process, which waits until it is told which job it is for. */
void
bulkpar_nodes_launch(BulkparNodes *nodes)
{
	BulkparShortage shortage = launch_talk(nodes);

	if (shortage != BULKPAR_SHORTAGE_NONE)
		bulkpar_launch_raise_no_slot(shortage);
}

/* Wait until all nodes agree; what one of them has against the job is thrown. */
void
bulkpar_nodes_await_verdict(BulkparNodes *nodes)
{
	uint32		verdict;

	while ((verdict = pg_atomic_read_u32(&nodes->shared->verdict)) ==
		   BULKPAR_TALK_UNKNOWN)
	{
		if (bulkpar_launch_empty_slot(&nodes->slot, 0) &&
			pg_atomic_read_u32(&nodes->shared->verdict) == BULKPAR_TALK_UNKNOWN)
			launch_anew(nodes);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	pg_read_barrier();
	if (verdict == BULKPAR_TALK_REFUSED)
		bulkpar_error_raise(&nodes->shared->error);
}

/* Replace a process that has died. */
static void
launch_anew(BulkparNodes *nodes)
{
	if (++nodes->deaths > MAX_DEATHS)
		ereport(ERROR,
				(errcode(ERRCODE_OPERATOR_INTERVENTION),
				 errmsg("the process of %s that talks to other servers ended unexpectedly",
						nodes->job_id == 0 ? "a bulkpar job" :
						psprintf("bulkpar job " INT64_FORMAT, nodes->job_id)),
				 errhint("The server log may say why.")));
	bulkpar_nodes_launch(nodes);
}

/* Let the process begin with the job, which is stored. */
void
bulkpar_nodes_tell_job(BulkparNodes *nodes, int64 job_id)
{
	nodes->job_id = job_id;
	pg_atomic_write_u64(&nodes->shared->job_id, job_id);
	wake_talk(nodes);
}

static void
wake_talk(const BulkparNodes *nodes)
{
	PGPROC	   *proc;

	/* It looks for what we have written after it has said who it is. */
	pg_memory_barrier();
	proc = nodes->shared->proc;
	if (proc != NULL)
		SetLatch(&proc->procLatch);
}

/*
 * See whether the jobs on all nodes have succeeded, for which the end of the
 * process is not waited for, and replace it if it has died.  An error that it has
 * met it has recorded in the job.
 */
bool
bulkpar_nodes_look_after(BulkparNodes *nodes)
{
	bool		gone;

	if (nodes->complete)
		return true;
	gone = bulkpar_launch_empty_slot(&nodes->slot, 0);
	if (!gone && !nodes->shared->finished)
		return false;
	nodes->complete = are_complete(nodes);
	if (nodes->complete || !gone)
		return nodes->complete;
	launch_anew(nodes);
	return false;
}

/*
 * Let the process stop the jobs on all nodes; it is launched for that if it is
 * not there.  One that was not told of a job has asked for none anywhere, and just
 * ends.  Does not throw, and does not wait.
 */
void
bulkpar_nodes_ask_to_stop(BulkparNodes *nodes, bool cancel)
{
	if (nodes->complete || nodes->deadline != 0)
		return;
	if (nodes->job_id == 0)
	{
		bulkpar_nodes_terminate(nodes);
		return;
	}
	nodes->deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												  STOP_TIMEOUT);
	pg_atomic_write_u32(&nodes->shared->order,
						cancel ? BULKPAR_TALK_CANCEL : BULKPAR_TALK_PAUSE);
	if (bulkpar_launch_empty_slot(&nodes->slot, 0))
		(void) launch_talk(nodes);
	wake_talk(nodes);
}

/*
 * Wait until it has stopped them, for as long as that may take, and say which
 * nodes it could not reach: "" for none.  Does not throw.
 */
void
bulkpar_nodes_stop(BulkparNodes *nodes, char *unreached, Size size)
{
	if (nodes->deadline == 0)
		return;
	if (nodes->slot.handle == NULL ||
		!bulkpar_launch_empty_slot(&nodes->slot, nodes->deadline))
		bulkpar_clip(unreached, size, "some of its servers");
	else
		bulkpar_clip(unreached, size, nodes->shared->unreached);
	bulkpar_nodes_terminate(nodes);
}

/* Let the process end, but not the jobs there.  Does not throw. */
void
bulkpar_nodes_terminate(BulkparNodes *nodes)
{
	if (nodes->slot.handle != NULL)
		TerminateBackgroundWorker(nodes->slot.handle);
}

/* Whether it has ended, or does so soon.  Does not throw. */
bool
bulkpar_nodes_have_ended(BulkparNodes *nodes)
{
	return bulkpar_launch_empty_slot(&nodes->slot,
									 TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
																 STOP_GRACE));
}

/* The same as terminate, and wait for its end however long that takes. */
void
bulkpar_nodes_outlast(BulkparNodes *nodes)
{
	bulkpar_nodes_terminate(nodes);
	(void) bulkpar_launch_empty_slot(&nodes->slot, DT_NOEND);
}

/* Launch the process, or say which limit keeps us from it.  Does not throw. */
static BulkparShortage
launch_talk(BulkparNodes *nodes)
{
	BulkparLaunch launch = {
		.type = "bulkpar nodes",
		.function = "bulkpar_talk_main",
		.extra = &nodes->args,
		.extra_size = sizeof(nodes->args)
	};

	nodes->shared->proc = NULL;
	nodes->shared->finished = false;
	return bulkpar_launch_in_slot(&nodes->slot, GetMemoryChunkContext(nodes),
								  &launch, bulkpar_talk_name(nodes->job_id),
								  nodes->args.identity.login);
}

static bool
are_complete(const BulkparNodes *nodes)
{
	bool		complete;

	bulkpar_process_start_transaction();
	complete = bulkpar_node_are_complete(nodes->job_id);
	CommitTransactionCommand();
	return complete;
}
