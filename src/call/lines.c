/*-------------------------------------------------------------------------
 *
 * lines.c
 *		The lines that bulkpar_explain returns.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/lines.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/guc.h"

#include "books/bookkeeping.h"
#include "call/lines.h"

/* Add a line. */
void
bulkpar_lines_add(BulkparLines *lines, const char *format,...)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(lines->context);
	StringInfoData line;

	initStringInfo(&line);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&line, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&line, needed);
	}
	lines->list = lappend(lines->list, line.data);
	MemoryContextSwitchTo(oldcontext);
}

/* Add each line of a text, indented. */
void
bulkpar_lines_add_text(BulkparLines *lines, const char *text)
{
	while (*text != '\0')
	{
		int			length = strcspn(text, "\n");

		bulkpar_lines_add(lines, "  %.*s", length, text);
		text += length + (text[length] == '\n' ? 1 : 0);
	}
}

/* Add a line for each row of a query of the catalog with one column. */
void
bulkpar_lines_add_rows(BulkparLines *lines, const char *title, const char *sql)
{
	int			nestlevel = bulkpar_bookkeeping_safe_path();

	SPI_connect();
	if (SPI_execute(sql, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read what to show");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *value = SPI_getvalue(SPI_tuptable->vals[i],
										 SPI_tuptable->tupdesc, 1);

		bulkpar_lines_add(lines, "%s: %s", title, value == NULL ? "" : value);
	}
	SPI_finish();
	AtEOXact_GUC(true, nestlevel);
}
