/*-------------------------------------------------------------------------
 *
 * parse.h
 *		The SQL that a caller hands over, before it is analyzed.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/parse.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_PARSE_H
#define BULKPAR_PARSE_H

#include "nodes/parsenodes.h"

#include "books/job.h"

extern void bulkpar_parse_expression(const char *text, const char *what);
extern char *bulkpar_parse_column(const char *text, bool *whole);
extern void bulkpar_parse_from_item(const char *text, const char *what);
extern Node *bulkpar_parse_statement(const char *text);
extern RangeVar *bulkpar_parse_target(Node *statement);
extern void bulkpar_parse_driven(BulkparJob *job, Oid driving);
extern char **bulkpar_parse_columns(Node *statement, int *count);

#endif							/* BULKPAR_PARSE_H */
