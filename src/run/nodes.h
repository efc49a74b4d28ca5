/*-------------------------------------------------------------------------
 *
 * nodes.h
 *		The process that talks to other servers, as its coordinator sees it.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/nodes.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_NODES_H
#define BULKPAR_NODES_H

#include "books/job.h"
#include "run/talk.h"
#include "session/identity.h"

typedef struct BulkparNodes BulkparNodes;

extern BulkparNodes *bulkpar_nodes_create(const BulkparIdentity *identity,
										  const char *inquiries);
extern void bulkpar_nodes_launch(BulkparNodes *nodes);
extern void bulkpar_nodes_await_verdict(BulkparNodes *nodes);
extern void bulkpar_nodes_tell_job(BulkparNodes *nodes, int64 job_id);
extern bool bulkpar_nodes_look_after(BulkparNodes *nodes);
extern void bulkpar_nodes_ask_to_stop(BulkparNodes *nodes, bool cancel);
extern void bulkpar_nodes_stop(BulkparNodes *nodes, char *unreached,
							   Size size);
extern void bulkpar_nodes_terminate(BulkparNodes *nodes);
extern bool bulkpar_nodes_have_ended(BulkparNodes *nodes);
extern void bulkpar_nodes_outlast(BulkparNodes *nodes);

#endif							/* BULKPAR_NODES_H */
