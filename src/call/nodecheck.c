/*-------------------------------------------------------------------------
 *
 * nodecheck.c
 *		The other servers of a job, as its caller sees them.
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

#include "call/nodecheck.h"
#include "run/inquiry.h"
#include "session/identity.h"
#include "session/subxact.h"

static void leave_node(void *arg);
static void keep_explanation(const BulkparInquiry *inquiry);

/*
 * Check that the process that talks to the nodes of a job can connect to this
 * database, which it does as the owner.
 */
void
bulkpar_nodecheck_login(const BulkparJob *job)
{
	BulkparIdentity identity;

	if (job->nnodes == 0 ||
		bulkpar_identity_choose_owner(&identity, job->owner))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("role \"%s\" is not permitted to log in",
					GetUserNameFromId(job->owner, false)),
			 errdetail("Other servers are reached in a session of the owner of the job."),
			 errhint("Allow it with ALTER ROLE ... LOGIN, or call the function as a role that may.")));
}

/*
 * Ask each node of a job, in this session and as the current user, and keep what
 * it has explained, if there is more to it than a check.  No connection stays
 * behind.
 */
void
bulkpar_nodecheck_explain(const BulkparJob *job, bool check_only)
{
	List	   *inquiries;
	ErrorData  *error;
	ListCell   *lc;

	if (job->nnodes == 0)
		return;
	bulkpar_nodecheck_login(job);
	inquiries = bulkpar_inquiry_form(job, check_only);
	error = bulkpar_inquiry_greet(inquiries);
	if (error == NULL)
		error = bulkpar_inquiry_make(inquiries);
	foreach(lc, inquiries)
	{
		ErrorData  *left = bulkpar_subxact_try(leave_node, lfirst(lc));

		if (error == NULL)
			error = left;
	}
	if (error != NULL)
		ReThrowError(error);
	foreach(lc, inquiries)
		keep_explanation(lfirst(lc));
}

static void
leave_node(void *arg)
{
	BulkparInquiry *inquiry = arg;

	if (inquiry->connected)
		bulkpar_dblink_disconnect(inquiry->connection);
}

static void
keep_explanation(const BulkparInquiry *inquiry)
{
	const BulkparDblinkResult *answer = &inquiry->answer;
	BulkparNode *node = inquiry->node;

	node->explanation = NIL;
	for (int i = 0; i < answer->nrows; i++)
		node->explanation = lappend(node->explanation,
									answer->values[i] == NULL ? "" :
									answer->values[i]);
}
