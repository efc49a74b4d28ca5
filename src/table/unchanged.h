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

#include "executor/execdesc.h"
#include "parser/parse_node.h"

extern void bulkpar_unchanged_start(void);
extern int64 bulkpar_unchanged_count(void);
extern void bulkpar_unchanged_read(ParseState *pstate, Query *query);
extern void bulkpar_unchanged_filter(QueryDesc *desc);

#endif							/* BULKPAR_UNCHANGED_H */
