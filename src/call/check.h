/*-------------------------------------------------------------------------
 *
 * check.h
 *		A job checked against the database, before it starts.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/check.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_CHECK_H
#define BULKPAR_CHECK_H

#include "books/job.h"

extern void bulkpar_check_job(BulkparJob *job);

#endif							/* BULKPAR_CHECK_H */
