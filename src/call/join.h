/*-------------------------------------------------------------------------
 *
 * join.h
 *		A call that finds an unfinished job of its name.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/join.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_JOIN_H
#define BULKPAR_JOIN_H

#include "books/job.h"

extern void bulkpar_join_check(const BulkparJob *call, const BulkparJob *job,
							   bool succeeded);
extern void bulkpar_join_resuming(const BulkparJob *call,
								  const BulkparJob *job,
								  BulkparJobChange *change);
extern void bulkpar_join_running(const BulkparJob *call,
								 const BulkparJob *job);
extern void bulkpar_join_succeeded(const BulkparJob *call,
								   const BulkparJob *job);

#endif							/* BULKPAR_JOIN_H */
