/*-------------------------------------------------------------------------
 *
 * remote.h
 *		What is asked of bulkpar on another server, and what it answers.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/remote.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_REMOTE_H
#define BULKPAR_REMOTE_H

#include "books/job.h"
#include "run/dblink.h"

/* The columns of the answers. */
#define BULKPAR_REMOTE_PREPARE_COLUMNS 2
#define BULKPAR_REMOTE_NAME_COLUMNS 1
#define BULKPAR_REMOTE_OTHERS_COLUMNS 1
#define BULKPAR_REMOTE_RESULT_COLUMNS 6
#define BULKPAR_REMOTE_PREPARE_STATUS_COLUMNS 1
#define BULKPAR_REMOTE_STATUS_COLUMNS 19
#define BULKPAR_REMOTE_ERRORS_COLUMNS 12
#define BULKPAR_REMOTE_STOP_COLUMNS 1
#define BULKPAR_REMOTE_EXPLAIN_COLUMNS 1

extern char *bulkpar_remote_prepare(const BulkparNode *node);
extern char *bulkpar_remote_prepared(const BulkparDblinkResult *result);
extern char *bulkpar_remote_name_session(const BulkparNode *node);
extern char *bulkpar_remote_others(const BulkparNode *node, bool end);
extern bool bulkpar_remote_is_alone(const BulkparNode *node,
									const BulkparDblinkResult *result);
extern char *bulkpar_remote_explain_call(const BulkparJob *job,
										 const BulkparNode *node,
										 bool check_only);
extern char *bulkpar_remote_explain(const char *schema, const char *call);
extern char *bulkpar_remote_start(const BulkparJob *job,
								  const BulkparNode *node,
								  const char *schema);
extern char *bulkpar_remote_resume(const BulkparJob *job,
								   const BulkparNode *node,
								   const char *schema);
extern char *bulkpar_remote_wait(const BulkparNode *node, const char *schema,
								 bool ended);
extern char *bulkpar_remote_prepare_status(const BulkparNode *node,
										   const char *schema);
extern char *bulkpar_remote_status(void);
extern bool bulkpar_remote_report(const BulkparNode *node,
								  const BulkparDblinkResult *result,
								  BulkparNodeReport *report);
extern char *bulkpar_remote_errors(const BulkparNode *node,
								   const char *schema);
extern BulkparNodeError *bulkpar_remote_skipped(const BulkparNode *node,
												const BulkparDblinkResult *result);
extern char *bulkpar_remote_stop(const BulkparNode *node,
								 const char *schema, bool cancel);
extern void bulkpar_remote_name(ErrorData *error, const BulkparNode *node);

#endif							/* BULKPAR_REMOTE_H */
