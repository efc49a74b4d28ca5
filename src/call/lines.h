/*-------------------------------------------------------------------------
 *
 * lines.h
 *		The lines that bulkpar_explain returns.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/lines.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_LINES_H
#define BULKPAR_LINES_H

#include "nodes/pg_list.h"

/* Of more tables than this not each is named: that is about what one reads. */
#define BULKPAR_LINES_MAX_TABLES 8

typedef struct BulkparLines
{
	MemoryContext context;		/* of the lines */
	List	   *list;			/* of strings */
} BulkparLines;

extern void bulkpar_lines_add(BulkparLines *lines, const char *format,...)
			pg_attribute_printf(2, 3);
extern void bulkpar_lines_add_text(BulkparLines *lines, const char *text);
extern void bulkpar_lines_add_rows(BulkparLines *lines, const char *title,
								   const char *sql);

#endif							/* BULKPAR_LINES_H */
