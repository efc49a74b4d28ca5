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

#include "call/nodecheck.h"
#include "run/remote.h"
#include "session/identity.h"
#include "session/subxact.h"

/* Between two looks for an answer, in milliseconds. */
#define LOOK_INTERVAL 3

/* A server that is asked. */
typedef struct NodeCheck
{
	const BulkparJob *job;
	BulkparNode *node;
	char		connection[NAMEDATALEN];
	bool		connected;
} NodeCheck;

static void check_login(Oid owner);
static void check_node(void *arg);
static void ask_node(const NodeCheck *check, const char *sql, int ncolumns,
					 BulkparDblinkResult *result);
static void await_answer(const NodeCheck *check);
static void leave_node(void *arg);

/*
 * Ask each node of a job, and keep what it has explained.  No connection stays
 * behind.  An error says of which node it is.
 */
void
bulkpar_nodecheck_ask(BulkparJob *job)
{
	if (job->nnodes > 0)
		check_login(job->owner);
	for (int i = 0; i < job->nnodes; i++)
	{
		NodeCheck	check = {
			.job = job,
			.node = &job->nodes[i]
		};
		ErrorData  *error;

		snprintf(check.connection, sizeof(check.connection),
				 BULKPAR_DBLINK_MARK " %d of %d", i + 1, MyProcPid);
		error = bulkpar_subxact_try(check_node, &check);
		if (check.connected)
			bulkpar_subxact_run(leave_node, &check);
		if (error == NULL)
			continue;
		bulkpar_dblink_clean_error(error);
		bulkpar_remote_name(error, check.node);
		ReThrowError(error);
	}
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

static void
check_node(void *arg)
{
	NodeCheck  *check = arg;
	BulkparDblinkResult result;
	char	   *schema;

	bulkpar_dblink_connect(check->connection, check->node->server);
	check->connected = true;
	ask_node(check, bulkpar_remote_prepare(), BULKPAR_REMOTE_PREPARE_COLUMNS,
			 &result);
	schema = bulkpar_remote_prepared(&result);
	ask_node(check, bulkpar_remote_explain(check->job, check->node, schema),
			 BULKPAR_REMOTE_EXPLAIN_COLUMNS, &result);
	check->node->explanation = NIL;
	for (int i = 0; i < result.nrows; i++)
		check->node->explanation = lappend(check->node->explanation,
										   result.values[i] == NULL ? "" :
										   result.values[i]);
}

/* Ask, and wait for the whole answer, which a cancel interrupts. */
static void
ask_node(const NodeCheck *check, const char *sql, int ncolumns,
		 BulkparDblinkResult *result)
{
	BulkparDblinkResult end;

	bulkpar_dblink_send(check->connection, sql);
	await_answer(check);
	bulkpar_dblink_receive(check->connection, ncolumns, result);
	await_answer(check);
	bulkpar_dblink_receive(check->connection, 1, &end);
}

static void
await_answer(const NodeCheck *check)
{
	while (bulkpar_dblink_is_busy(check->connection))
	{
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 LOOK_INTERVAL, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
leave_node(void *arg)
{
	bulkpar_dblink_disconnect(((NodeCheck *) arg)->connection);
}
