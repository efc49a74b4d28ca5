/*-------------------------------------------------------------------------
 *
 * nodecheck.h
 *		A job checked on the other servers that it works on.
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
#include "run/handover.h"

extern void bulkpar_nodecheck_ask(const BulkparJob *job, bool explain,
								  BulkparCall *call);

#endif							/* BULKPAR_NODECHECK_H */
