/*-------------------------------------------------------------------------
 *
 * control.h
 *		Waiting for, stopping and forgetting jobs.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/control.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_CONTROL_H
#define BULKPAR_CONTROL_H

#include "books/job.h"

extern Oid	bulkpar_control_check_owner(int64 job_id);
extern int64 bulkpar_control_find(Oid owner, const char *name);
extern BulkparJob *bulkpar_control_load(int64 job_id);

#endif							/* BULKPAR_CONTROL_H */
