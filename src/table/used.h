/*-------------------------------------------------------------------------
 *
 * used.h
 *		Which columns of a subquery are used.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/used.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_USED_H
#define BULKPAR_USED_H

#include "nodes/bitmapset.h"
#include "nodes/parsenodes.h"

extern Bitmapset *bulkpar_used_all(const Query *subquery);
extern Bitmapset *bulkpar_used_of_item(const Query *query, int rti);
extern Bitmapset *bulkpar_used_of_cte(const Query *top,
									  const CommonTableExpr *cte);

#endif							/* BULKPAR_USED_H */
