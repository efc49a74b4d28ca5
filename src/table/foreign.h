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

extern bool bulkpar_foreign_is_possible(Oid relid);
extern void bulkpar_foreign_add(BulkparJob *job, Oid relid);
extern void bulkpar_foreign_check(const BulkparJob *job, Oid target);

#endif							/* BULKPAR_FOREIGN_H */
