/*-------------------------------------------------------------------------
 *
 * node.c
 *		The other servers that a job works on: its rows in bulkpar_node.
 *
 * The name of the job there is in its row before anything is sent, so whatever
 * becomes of a message, who asks again asks for the same job.
 *
 * The functions must be called in a transaction, throw an ERROR when their
 * statement fails, and leave commit and rollback to their caller.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/node.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "books/argument.h"
#include "books/bookkeeping.h"
#include "books/column.h"
#include "books/node.h"

/*
 * The one of these nodes that is a server, or has that number in Citus; if there
 * is none a new one, in the current memory context, which has no name yet.
 */
BulkparNode *
bulkpar_node_of(BulkparNode **nodes, int *count, Oid server, int citus_node)
{
	BulkparNode *node;

	for (int i = 0; i < *count; i++)
	{
		node = &(*nodes)[i];
		if (node->server == server && node->citus_node == citus_node)
			return node;
	}
	*nodes = *nodes == NULL ? palloc(sizeof(BulkparNode)) :
		repalloc(*nodes, sizeof(BulkparNode) * (*count + 1));
	node = &(*nodes)[(*count)++];
	memset(node, 0, sizeof(BulkparNode));
	node->number = *count;
	node->server = server;
	node->citus_node = citus_node;
	return node;
}

/* Add a table, and what that is called on the node in SQL. */
void
bulkpar_node_add_table(BulkparNode *node, Oid relid, const char *remote)
{
	int			count = node->nremote + 1;

	node->relations = node->relations == NULL ? palloc(sizeof(Oid)) :
		repalloc(node->relations, sizeof(Oid) * count);
	node->remote = node->remote == NULL ? palloc(sizeof(char *)) :
		repalloc(node->remote, sizeof(char *) * count);
	node->relations[node->nremote] = relid;
	node->remote[node->nremote++] = pstrdup(remote);
}

/* The nodes of a job, in the current memory context. */
BulkparNode *
bulkpar_node_load(int64 job_id, int *count)
{
	static BulkparQuery load = {
		.read_only = true,
		.sql =
		"SELECT node_no, server, coalesce(citus_node, 0) AS citus_node, "
		"server_name, remote, "
		"'bulkpar ' || origin AS name, workers, remote_job_id, status "
		"FROM @bulkpar_node WHERE job_id = $job_id ORDER BY node_no"
	};
	BulkparBookkeeping books;
	BulkparNode *nodes;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	*count = (int) bulkpar_bookkeeping_run(&books, &load);
	nodes = MemoryContextAllocZero(books.caller_context,
								   sizeof(BulkparNode) * Max(*count, 1));
	for (int i = 0; i < *count; i++)
	{
		BulkparNode *node = &nodes[i];

		bulkpar_bookkeeping_look_at(&books, i);
		node->number = bulkpar_column_int32(&books, "node_no");
		node->server = bulkpar_column_oid(&books, "server");
		node->citus_node = bulkpar_column_int32(&books, "citus_node");
		node->server_name = bulkpar_column_text(&books, "server_name");
		node->remote = bulkpar_column_texts(&books, "remote", &node->nremote);
		node->name = bulkpar_column_text(&books, "name");
		node->workers = bulkpar_column_int32(&books, "workers");
		node->remote_job_id = bulkpar_column_int64(&books, "remote_job_id");
		node->status = bulkpar_column_text(&books, "status");
	}
	bulkpar_bookkeeping_leave(&books);
	return nodes;
}

/* Note what was heard of a node, or that it was not reached. */
void
bulkpar_node_note(int64 job_id, int number, const BulkparNodeReport *report)
{
	static BulkparQuery note = {
		.sql =
		"UPDATE @bulkpar_node SET status = $status, "
		"remote_job_id = coalesce($remote_job_id, remote_job_id), "
		"rows_per_second = $rows_per_second, "
		"seen_at = clock_timestamp(), "
		"(" BULKPAR_ERROR_COLUMNS ") = (" BULKPAR_ERROR_VALUES ") "
		"WHERE job_id = $job_id AND node_no = $node_no"
	};
	static BulkparQuery count = {
		.sql =
		"UPDATE @bulkpar_node SET rows_done = $rows_done, "
		"rows_changed = $rows_changed, rows_failed = $rows_failed, "
		"rows_unchanged = $rows_unchanged, batches = $batches, "
		"estimated_rows = $estimated_rows "
		"WHERE job_id = $job_id AND node_no = $node_no"
	};
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_argument_int32(&books, "node_no", number);
	bulkpar_argument_text(&books, "status", report->status);
	bulkpar_argument_int64_if(&books, report->remote_job_id != 0,
							  "remote_job_id", report->remote_job_id);
	bulkpar_argument_int64_if(&books, report->counted, "rows_per_second",
							  report->rows_per_second);
	bulkpar_argument_error(&books, report->error);
	(void) bulkpar_bookkeeping_run(&books, &note);
	if (report->counted)
	{
		bulkpar_argument_int64(&books, "rows_done", report->rows_done);
		bulkpar_argument_int64(&books, "rows_changed", report->rows_changed);
		bulkpar_argument_int64(&books, "rows_failed", report->rows_failed);
		bulkpar_argument_int64(&books, "rows_unchanged",
							   report->rows_unchanged);
		bulkpar_argument_int64(&books, "batches", report->batches);
		bulkpar_argument_int64(&books, "estimated_rows",
							   report->estimated_rows);
		(void) bulkpar_bookkeeping_run(&books, &count);
	}
	bulkpar_bookkeeping_leave(&books);
}

/* Keep the rows that a node has skipped, instead of those that it had before. */
void
bulkpar_node_keep_errors(int64 job_id, int number,
						 const BulkparNodeError *errors, int count)
{
	static BulkparQuery forget = {
		.sql =
		"DELETE FROM @bulkpar_error "
		"WHERE job_id = $job_id AND node_no = $node_no"
	};
	static BulkparQuery insert = {
		.sql =
		"INSERT INTO @bulkpar_error (job_id, node_no, chunk_no, key, failed_at, "
		BULKPAR_ERROR_COLUMNS ") "
		"VALUES ($job_id, $node_no, $chunk_no, $key, clock_timestamp(), "
		BULKPAR_ERROR_VALUES ")"
	};
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_argument_int32(&books, "node_no", number);
	(void) bulkpar_bookkeeping_run(&books, &forget);
	for (int i = 0; i < count; i++)
	{
		bulkpar_argument_int64(&books, "chunk_no", errors[i].chunk_no);
		bulkpar_argument_texts(&books, "key", errors[i].key);
		bulkpar_argument_error(&books, errors[i].error);
		(void) bulkpar_bookkeeping_run(&books, &insert);
	}
	bulkpar_bookkeeping_leave(&books);
}

/*
 * Note of a node of a job that stops that nothing is at work there, though it was
 * not heard how it has ended; begun says whether there ever was anything.
 */
void
bulkpar_node_settle(int64 job_id, int number, bool begun)
{
	static BulkparQuery settle = {
		.sql =
		"UPDATE @bulkpar_node SET status = CASE "
		"WHEN NOT $begun THEN 'waiting' "
		"WHEN sqlstate IS NOT NULL THEN 'failed' ELSE 'interrupted' END "
		"WHERE job_id = $job_id AND node_no = $node_no "
		"AND status IN ('asked', 'running', 'not reached')"
	};
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	bulkpar_argument_int32(&books, "node_no", number);
	bulkpar_argument_bool(&books, "begun", begun);
	(void) bulkpar_bookkeeping_run(&books, &settle);
	bulkpar_bookkeeping_leave(&books);
}

/*
 * The names of the nodes on which a job that has no coordinator may be at work, in
 * the current memory context; NULL for none.
 */
char *
bulkpar_node_at_work(int64 job_id)
{
	static BulkparQuery find = {
		.read_only = true,
		.sql =
		"SELECT string_agg(n.server_name, ', ' ORDER BY n.node_no) AS names "
		"FROM @bulkpar_node n "
		"WHERE n.job_id = $job_id AND " BULKPAR_NODE_MAY_WORK
	};
	BulkparBookkeeping books;
	char	   *names = NULL;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	if (bulkpar_bookkeeping_run(&books, &find) == 1)
		names = bulkpar_column_text(&books, "names");
	bulkpar_bookkeeping_leave(&books);
	return names;
}

/* Whether the jobs on all nodes of a job have succeeded, and confirmed it. */
bool
bulkpar_node_are_complete(int64 job_id)
{
	static BulkparQuery find = {
		.read_only = true,
		.sql =
		"SELECT FROM @bulkpar_node "
		"WHERE job_id = $job_id AND status <> 'succeeded' LIMIT 1"
	};
	BulkparBookkeeping books;
	bool		complete;

	bulkpar_bookkeeping_enter_job(&books, job_id);
	complete = bulkpar_bookkeeping_run(&books, &find) == 0;
	bulkpar_bookkeeping_leave(&books);
	return complete;
}
