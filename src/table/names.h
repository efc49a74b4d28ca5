/*-------------------------------------------------------------------------
 *
 * names.h
 *		What the names in a statement mean.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/names.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_NAMES_H
#define BULKPAR_NAMES_H

#include "nodes/parsenodes.h"

#include "books/job.h"

extern List *bulkpar_names_list(Query *query);
extern void bulkpar_names_keep(BulkparJob *job, const List *names);
extern void bulkpar_names_check(const BulkparJob *job, Oid target,
								const List *names);

#endif							/* BULKPAR_NAMES_H */
