/*-------------------------------------------------------------------------
 *
 * joined.h
 *		By which columns the rows of a result will be looked up.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/joined.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_JOINED_H
#define BULKPAR_JOINED_H

#include "nodes/bitmapset.h"
#include "nodes/parsenodes.h"

extern Bitmapset *bulkpar_joined_all(const Query *own);
extern Bitmapset *bulkpar_joined_columns(const Query *query, int rti,
										 bool constants);
extern Bitmapset *bulkpar_joined_item(const Query *query, int rti,
									  const Query *own);
extern Bitmapset *bulkpar_joined_cte(const Query *top,
									 const CommonTableExpr *cte,
									 const Query *own);
extern bool bulkpar_joined_has_index(Oid relid, const Bitmapset *columns);

#endif							/* BULKPAR_JOINED_H */
