/*-------------------------------------------------------------------------
 *
 * node.h
 *		The other servers that a job works on: its rows in bulkpar_node.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/node.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_NODE_H
#define BULKPAR_NODE_H

#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/elog.h"

/* What is kept of a node when nothing was heard of it. */
#define BULKPAR_NODE_WAITING "waiting"
#define BULKPAR_NODE_ASKED "asked"
#define BULKPAR_NODE_RUNNING "running"
#define BULKPAR_NODE_SUCCEEDED "succeeded"
#define BULKPAR_NODE_INTERRUPTED "interrupted"
#define BULKPAR_NODE_NOT_REACHED "not reached"

/*
 * In SQL: whether a job may be at work on a node n, for all that is known here.  Of
 * a server that was dropped nothing will be known any more; that a node of Citus
 * is gone is found when it is asked.
 */
#define BULKPAR_NODE_MAY_WORK \
	"n.status IN ('" BULKPAR_NODE_ASKED "', '" BULKPAR_NODE_RUNNING "', '" \
	BULKPAR_NODE_NOT_REACHED "') AND (n.citus_node IS NOT NULL OR " \
	"EXISTS (SELECT FROM pg_catalog.pg_foreign_server s " \
	"WHERE s.oid = n.server))"

/* Another server, and its tables that a job is about. */
typedef struct BulkparNode
{
	Oid			server;
	int			citus_node;		/* instead of a server; 0 for none */
	char	   *server_name;
	int			nremote;
	Oid		   *relations;		/* foreign tables, or tables of which Citus
								 * has a shard there; known in the caller's
								 * session */
	char	  **remote;			/* what they are called there, in SQL */
	int			workers;		/* 0: as many as are chosen there */

	/* known where it was loaded */
	int			number;			/* in its job, from 1 on */
	char	   *name;			/* of the job there */
	char	   *status;
	int64		remote_job_id;	/* 0 before it is known */

	/* known in the caller's session, when it was asked */
	List	   *explanation;	/* lines */
} BulkparNode;

/* What was heard of the job there. */
typedef struct BulkparNodeReport
{
	const char *status;
	int64		remote_job_id;	/* 0: as it is known */
	bool		counted;		/* what follows is known */
	int64		rows_done;
	int64		rows_changed;
	int64		rows_failed;
	int64		rows_unchanged;
	int64		batches;
	int64		estimated_rows;
	int64		rows_per_second;
	ErrorData  *error;			/* NULL for none */
} BulkparNodeReport;

/* A row that the job there has skipped. */
typedef struct BulkparNodeError
{
	int64		chunk_no;
	ArrayType  *key;
	ErrorData  *error;
} BulkparNodeError;

extern BulkparNode *bulkpar_node_of(BulkparNode **nodes, int *count,
									Oid server, int citus_node);
extern void bulkpar_node_add_table(BulkparNode *node, Oid relid,
								   const char *remote);
extern BulkparNode *bulkpar_node_load(int64 job_id, int *count);
extern void bulkpar_node_note(int64 job_id, int number,
							  const BulkparNodeReport *report);
extern void bulkpar_node_keep_errors(int64 job_id, int number,
									 const BulkparNodeError *errors,
									 int count);
extern void bulkpar_node_settle(int64 job_id, int number, bool begun);
extern char *bulkpar_node_at_work(int64 job_id);
extern bool bulkpar_node_are_complete(int64 job_id);

#endif							/* BULKPAR_NODE_H */
