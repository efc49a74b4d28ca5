/*-------------------------------------------------------------------------
 *
 * userquery.h
 *		The process that asks a query of the user, as its coordinator sees it.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/userquery.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_USERQUERY_H
#define BULKPAR_USERQUERY_H

#include "datatype/timestamp.h"

#include "books/job.h"
#include "run/limits.h"
#include "run/reasons.h"
#include "session/identity.h"

typedef struct BulkparUserquery BulkparUserquery;

extern BulkparUserquery *bulkpar_userquery_create(const BulkparIdentity *identity,
												  int64 job_id);
extern void bulkpar_userquery_follow(BulkparUserquery *userquery,
									 const BulkparLimits *limits);
extern void bulkpar_userquery_look(BulkparUserquery *userquery,
								   TimestampTz now, BulkparReasons *reasons);
extern void bulkpar_userquery_tend(BulkparUserquery *userquery,
								   bool wanted);
extern bool bulkpar_userquery_lacks_slot(const BulkparUserquery *userquery);
extern bool bulkpar_userquery_stop(BulkparUserquery *userquery);
extern void bulkpar_userquery_outlast(BulkparUserquery *userquery);
extern PGDLLEXPORT void bulkpar_userquery_main(Datum main_arg);

#endif							/* BULKPAR_USERQUERY_H */
