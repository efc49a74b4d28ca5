/*-------------------------------------------------------------------------
 *
 * extract.h
 *		A subquery as a statement of its own.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/extract.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_EXTRACT_H
#define BULKPAR_EXTRACT_H

#include "nodes/bitmapset.h"
#include "nodes/parsenodes.h"

extern bool bulkpar_extract_is_scalar(const SubLink *sublink);
extern Query *bulkpar_extract_scalar(const Query *top, const SubLink *sublink,
									 int level);
extern Query *bulkpar_extract_subquery(const Query *top, const Query *query,
									   int level, const Bitmapset *used);
extern Query *bulkpar_extract_cte(const Query *top, const CommonTableExpr *cte,
								  const Bitmapset *used);
extern Query *bulkpar_extract_item(const Query *top, const Query *query,
								   int rti);
extern List *bulkpar_extract_used_columns(const Query *query, int rti);
extern bool bulkpar_extract_uses_row(const Query *query, int rti);

#endif							/* BULKPAR_EXTRACT_H */
