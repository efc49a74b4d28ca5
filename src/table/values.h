/*-------------------------------------------------------------------------
 *
 * values.h
 *		The values of a row before and after an UPDATE, as expressions.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/values.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_VALUES_H
#define BULKPAR_VALUES_H

#include "parser/parse_node.h"

extern Var *bulkpar_values_column(ParseState *pstate, const Query *query,
								  int rti, AttrNumber attnum);
extern Var *bulkpar_values_old(ParseState *pstate, const Query *query,
							   AttrNumber attnum);
extern bool bulkpar_values_generate(Relation rel, AttrNumber generated,
									const Bitmapset *sources);
extern List *bulkpar_values_new(const Query *query, Relation rel);
extern void bulkpar_values_add(List **targets, Node *value, char *name);
extern void bulkpar_values_show(ParseState *pstate, const Query *query,
								List **targets);
extern void bulkpar_values_after(ParseState *pstate, const Query *query,
								 const Bitmapset *columns, List **targets);

#endif							/* BULKPAR_VALUES_H */
