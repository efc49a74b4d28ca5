/*-------------------------------------------------------------------------
 *
 * nodecheck.c
 *		A job checked on the other servers that it works on.
 *
 * Each is asked, in the session of the caller and as the current user, what its
 * part of the job would do.  So what can be known to be wrong on any of them is
 * an error before anything has started anywhere.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/nodecheck.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "call/nodecheck.h"
#include "run/remote.h"
#include "session/identity.h"
#include "session/subxact.h"

/* A server that is asked. */
typedef struct NodeCheck
{
	const BulkparJob *job;
	BulkparNode *node;
	bool		explain;
	char		connection[NAMEDATALEN];
	bool		connected;
	TimestampTz sent_at;
} NodeCheck;

static void check_login(Oid owner);
static ErrorData *check_nodes(NodeCheck *checks, int count);
static void greet_node(void *arg);
static void ask_node(void *arg);
static void send_query(NodeCheck *check, const char *sql);
static void hear_node(void *arg);
static void await_answer(const NodeCheck *check, int ncolumns,
						 BulkparDblinkResult *result);
static void await_result(const NodeCheck *check);
static void leave_node(void *arg);

/* What is done with each server, before the next is done with any. */
static const BulkparSubxactFunction steps[] = {
	greet_node, ask_node, hear_node
};

/*
 * Ask each node of a job, all at the same time, and keep what it has explained, if
 * that is wanted.  If all agree the coordinator of the call, or NULL, may go on.
 * No connection stays behind.  An error says of which node it is.
 */
void
bulkpar_nodecheck_ask(const BulkparJob *job, bool explain, BulkparCall *call)
{
	NodeCheck  *checks = palloc0(sizeof(NodeCheck) * job->nnodes);
	ErrorData  *error;

	if (job->nnodes == 0)
		return;
	check_login(job->owner);
	for (int i = 0; i < job->nnodes; i++)
	{
		checks[i].job = job;
		checks[i].node = &job->nodes[i];
		checks[i].explain = explain;
		snprintf(checks[i].connection, sizeof(checks[i].connection),
				 BULKPAR_DBLINK_MARK " %d of %d", i + 1, MyProcPid);
	}
	error = check_nodes(checks, job->nnodes);
	if (error == NULL && call != NULL)
		bulkpar_handover_release(call);
	for (int i = 0; i < job->nnodes; i++)
	{
		ErrorData  *left = bulkpar_subxact_try(leave_node, &checks[i]);

		if (error == NULL)
			error = left;
	}
	if (error != NULL)
		ReThrowError(error);
}

/* The process that talks to the nodes connects to this database as the owner. */
static void
check_login(Oid owner)
{
	BulkparIdentity identity;

	if (bulkpar_identity_choose_owner(&identity, owner))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("role \"%s\" is not permitted to log in",
					GetUserNameFromId(owner, false)),
			 errdetail("Other servers are reached in a session of the owner of the job."),
			 errhint("Allow it with ALTER ROLE ... LOGIN, or call the function as a role that may.")));
}

/* The first error, also a cancel; NULL for none. */
static ErrorData *
check_nodes(NodeCheck *checks, int count)
{
	for (int step = 0; step < (int) lengthof(steps); step++)
	{
		for (int i = 0; i < count; i++)
		{
			ErrorData  *error = bulkpar_subxact_try(steps[step], &checks[i]);

			if (error == NULL)
				continue;
			bulkpar_dblink_clean_error(error);
			bulkpar_remote_name(error, checks[i].node);
			return error;
		}
	}
	return NULL;
}

static void
greet_node(void *arg)
{
	NodeCheck  *check = arg;

	bulkpar_dblink_connect(check->connection, check->node);
	check->connected = true;
	send_query(check, bulkpar_remote_prepare(check->node));
}

static void
ask_node(void *arg)
{
	NodeCheck  *check = arg;
	BulkparDblinkResult result;
	char	   *schema;

	await_answer(check, BULKPAR_REMOTE_PREPARE_COLUMNS, &result);
	schema = bulkpar_remote_prepared(&result);
	send_query(check, bulkpar_remote_explain(check->job, check->node, schema,
											 !check->explain));
}

static void
send_query(NodeCheck *check, const char *sql)
{
	bulkpar_dblink_send(check->connection, sql);
	check->sent_at = GetCurrentTimestamp();
}

static void
hear_node(void *arg)
{
	NodeCheck  *check = arg;
	BulkparDblinkResult result;

	await_answer(check, BULKPAR_REMOTE_EXPLAIN_COLUMNS, &result);
	check->node->explanation = NIL;
	for (int i = 0; i < result.nrows; i++)
		check->node->explanation = lappend(check->node->explanation,
										   result.values[i] == NULL ? "" :
										   result.values[i]);
}

/* Wait for the whole answer, which a cancel interrupts. */
static void
await_answer(const NodeCheck *check, int ncolumns,
			 BulkparDblinkResult *result)
{
	BulkparDblinkResult end;

	await_result(check);
	bulkpar_dblink_receive(check->connection, ncolumns, result);
	await_result(check);
	bulkpar_dblink_receive(check->connection, 1, &end);
}

static void
await_result(const NodeCheck *check)
{
	while (bulkpar_dblink_is_busy(check->connection))
	{
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 bulkpar_dblink_interval(check->sent_at),
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
leave_node(void *arg)
{
	NodeCheck  *check = arg;

	if (check->connected)
		bulkpar_dblink_disconnect(check->connection);
}
