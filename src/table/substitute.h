/*-------------------------------------------------------------------------
 *
 * substitute.h
 *		The result of a subquery in its place.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/substitute.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_SUBSTITUTE_H
#define BULKPAR_SUBSTITUTE_H

#include "nodes/parsenodes.h"

#include "books/job.h"

extern void bulkpar_substitute_sublink(const BulkparJob *job,
									   const BulkparSubquery *result,
									   List *targets,
									   SubLink *sublink);
extern void bulkpar_substitute_cte(const BulkparJob *job,
								   const BulkparSubquery *result,
								   List *targets, CommonTableExpr *cte);
extern void bulkpar_substitute_item(const BulkparJob *job,
									const BulkparSubquery *result,
									List *targets, Query *query, int rti);
extern void bulkpar_substitute_raise_changed(const BulkparJob *job);

#endif							/* BULKPAR_SUBSTITUTE_H */
