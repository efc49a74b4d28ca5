/*-------------------------------------------------------------------------
 *
 * foreign.h
 *		The parts of a target that other servers have.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/foreign.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_FOREIGN_H
#define BULKPAR_FOREIGN_H

#include "books/job.h"

/* What a server that another asks knows that by: the name of the application. */
#define BULKPAR_FOREIGN_CALLER "bulkpar on another server"

extern bool bulkpar_foreign_is_possible(Oid relid);
extern void bulkpar_foreign_check_timeout(const BulkparNode *node);
extern void bulkpar_foreign_add(BulkparJob *job, Oid relid);
extern void bulkpar_foreign_check(const BulkparJob *job, Oid target);
extern bool bulkpar_foreign_is_of_citus(const BulkparJob *job, Oid target);
extern void bulkpar_foreign_recheck(const BulkparJob *job,
									const BulkparNode *node);

#endif							/* BULKPAR_FOREIGN_H */
