/*-------------------------------------------------------------------------
 *
 * inquiry.c
 *		What the other servers of a job are asked before it begins.
 *
 * Each is asked what its part of the job would do, or whether that can be done.
 * So what can be known to be wrong on any of them is an error before anything has
 * started anywhere.
 *
 * Who calls us knows the statement, and the settings under which it means
 * something; the process that talks to the nodes has the connections.  So the one
 * forms the questions, and the other may ask them.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/inquiry.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "nodes/value.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "run/inquiry.h"
#include "run/remote.h"
#include "session/subxact.h"

static BulkparInquiry *create_inquiry(int number, BulkparNode *node,
									  char *greeting, char *call);
static ErrorData *take_step(const List *inquiries,
							BulkparSubxactFunction step);
static void greet_node(void *arg);
static void ask_node(void *arg);
static void hear_node(void *arg);
static void send_query(BulkparInquiry *inquiry, const char *sql);
static void await_answer(const BulkparInquiry *inquiry, int ncolumns,
						 BulkparDblinkResult *result);
static void await_result(const BulkparInquiry *inquiry);

/* The questions to the nodes of a job, which is known as its caller does. */
List *
bulkpar_inquiry_form(const BulkparJob *job, bool check_only)
{
	List	   *inquiries = NIL;

	for (int i = 0; i < job->nnodes; i++)
	{
		BulkparNode *node = &job->nodes[i];

		inquiries = lappend(inquiries,
							create_inquiry(i + 1, node,
										   bulkpar_remote_prepare(node),
										   bulkpar_remote_explain_call(job, node,
																	   check_only)));
	}
	return inquiries;
}

static BulkparInquiry *
create_inquiry(int number, BulkparNode *node, char *greeting, char *call)
{
	BulkparInquiry *inquiry = palloc0(sizeof(BulkparInquiry));

	inquiry->node = node;
	inquiry->greeting = greeting;
	inquiry->call = call;
	bulkpar_dblink_name(inquiry->connection, number);
	return inquiry;
}

/* Whether the job can be done, as another process can ask it; "" without nodes. */
char *
bulkpar_inquiry_write(const BulkparJob *job)
{
	List	   *inquiries = bulkpar_inquiry_form(job, true);
	List	   *written = NIL;
	ListCell   *lc;

	foreach(lc, inquiries)
	{
		const BulkparInquiry *inquiry = lfirst(lc);

		written = lappend(written,
						  list_make5(makeInteger((int) inquiry->node->server),
									 makeInteger(inquiry->node->citus_node),
									 makeString(inquiry->node->server_name),
									 makeString(inquiry->greeting),
									 makeString(inquiry->call)));
	}
	return written == NIL ? "" : nodeToString(written);
}

/* Read that, into the current memory context. */
List *
bulkpar_inquiry_read(const char *text)
{
	List	   *inquiries = NIL;
	ListCell   *lc;

	if (text[0] == '\0')
		return NIL;
	foreach(lc, (List *) stringToNode(text))
	{
		List	   *written = lfirst(lc);
		BulkparNode *node = palloc0(sizeof(BulkparNode));

		node->server = (Oid) intVal(linitial(written));
		node->citus_node = intVal(lsecond(written));
		node->server_name = strVal(lthird(written));
		inquiries = lappend(inquiries,
							create_inquiry(list_length(inquiries) + 1, node,
										   strVal(lfourth(written)),
										   strVal(list_nth(written, 4))));
	}
	return inquiries;
}

/*
 * Connect to all nodes.  The first error is returned, also a cancel, and says of
 * which node it is; NULL for none.  In any case the connections stay that there
 * are.  In a transaction.
 */
ErrorData *
bulkpar_inquiry_greet(const List *inquiries)
{
	return take_step(inquiries, greet_node);
}

/* The same, to ask all nodes at the same time, and keep what they say. */
ErrorData *
bulkpar_inquiry_make(const List *inquiries)
{
	ErrorData  *error = take_step(inquiries, ask_node);

	return error != NULL ? error : take_step(inquiries, hear_node);
}

/* With each node, before the next is taken with any. */
static ErrorData *
take_step(const List *inquiries, BulkparSubxactFunction step)
{
	ListCell   *lc;

	foreach(lc, inquiries)
	{
		BulkparInquiry *inquiry = lfirst(lc);
		ErrorData  *error = bulkpar_subxact_try(step, inquiry);

		if (error == NULL)
			continue;
		bulkpar_dblink_clean_error(error);
		bulkpar_remote_name(error, inquiry->node);
		return error;
	}
	return NULL;
}

static void
greet_node(void *arg)
{
	BulkparInquiry *inquiry = arg;

	bulkpar_dblink_connect(inquiry->connection, inquiry->node);
	inquiry->connected = true;
	send_query(inquiry, inquiry->greeting);
}

static void
ask_node(void *arg)
{
	BulkparInquiry *inquiry = arg;
	BulkparDblinkResult result;

	await_answer(inquiry, BULKPAR_REMOTE_PREPARE_COLUMNS, &result);
	inquiry->schema = bulkpar_remote_prepared(&result);
	send_query(inquiry,
			   bulkpar_remote_explain(inquiry->schema, inquiry->call));
}

static void
hear_node(void *arg)
{
	BulkparInquiry *inquiry = arg;

	await_answer(inquiry, BULKPAR_REMOTE_EXPLAIN_COLUMNS, &inquiry->answer);
}

static void
send_query(BulkparInquiry *inquiry, const char *sql)
{
	bulkpar_dblink_send(inquiry->connection, sql);
	inquiry->sent_at = GetCurrentTimestamp();
}

/* Wait for the whole answer, which a cancel interrupts. */
static void
await_answer(const BulkparInquiry *inquiry, int ncolumns,
			 BulkparDblinkResult *result)
{
	BulkparDblinkResult end;

	await_result(inquiry);
	bulkpar_dblink_receive(inquiry->connection, ncolumns, result);
	await_result(inquiry);
	bulkpar_dblink_receive(inquiry->connection, 1, &end);
}

static void
await_result(const BulkparInquiry *inquiry)
{
	while (bulkpar_dblink_is_busy(inquiry->connection))
	{
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 bulkpar_dblink_interval(inquiry->sent_at),
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}
