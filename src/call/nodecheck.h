/*-------------------------------------------------------------------------
 *
 * nodecheck.h
 *		The other servers of a job, as its caller sees them.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/nodecheck.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_NODECHECK_H
#define BULKPAR_NODECHECK_H

#include "books/job.h"

extern void bulkpar_nodecheck_login(const BulkparJob *job);
extern void bulkpar_nodecheck_explain(const BulkparJob *job, bool check_only);

#endif							/* BULKPAR_NODECHECK_H */
