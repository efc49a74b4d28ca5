/*-------------------------------------------------------------------------
 *
 * condition.h
 *		What is added to the query of a statement: the range of a batch.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/condition.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_CONDITION_H
#define BULKPAR_CONDITION_H

#include "parser/parse_node.h"

#include "table/statement.h"

extern void bulkpar_condition_add(BulkparStatement *statement,
								  ParseState *pstate, Query *query);

#endif							/* BULKPAR_CONDITION_H */
