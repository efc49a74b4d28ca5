/*-------------------------------------------------------------------------
 *
 * unchanged.h
 *		Leaving out rows whose values would stay the same.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/unchanged.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_UNCHANGED_H
#define BULKPAR_UNCHANGED_H

#include "parser/parse_node.h"

extern void bulkpar_unchanged_start(void);
extern int64 bulkpar_unchanged_count(void);
extern Node *bulkpar_unchanged_condition(ParseState *pstate, Query *query);
extern bool bulkpar_unchanged_is(Node *clause);

#endif							/* BULKPAR_UNCHANGED_H */
