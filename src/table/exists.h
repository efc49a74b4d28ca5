/*-------------------------------------------------------------------------
 *
 * exists.h
 *		IN and NOT IN by an index of their subquery.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/exists.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_EXISTS_H
#define BULKPAR_EXISTS_H

#include "nodes/parsenodes.h"

extern bool bulkpar_exists_can_look_up(const Query *query,
									   const SubLink *sublink);
extern const RangeTblEntry *bulkpar_exists_column(const Query *list,
												  AttrNumber *attnum);
extern Node *bulkpar_exists_convert(Node *condition);

#endif							/* BULKPAR_EXISTS_H */
