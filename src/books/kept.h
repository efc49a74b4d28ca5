/*-------------------------------------------------------------------------
 *
 * kept.h
 *		The tables with the results of subqueries.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/kept.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_KEPT_H
#define BULKPAR_KEPT_H

#include "access/tupdesc.h"
#include "utils/rel.h"

#include "books/subquery.h"

extern Oid	bulkpar_kept_create(int64 job_id, int number, TupleDesc columns);
extern void bulkpar_kept_finish(Oid relid, const Bitmapset *indexed,
								const Bitmapset *too_long);
extern Relation bulkpar_kept_open(int64 job_id,
								  const BulkparSubquery *subquery);
extern double bulkpar_kept_pages(const BulkparSubquery *subquery);
extern void bulkpar_kept_drop(Oid relid);

#endif							/* BULKPAR_KEPT_H */
