/*-------------------------------------------------------------------------
 *
 * command.h
 *		What a statement does with the rows of its driving table.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/command.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_COMMAND_H
#define BULKPAR_COMMAND_H

typedef enum BulkparCommand
{
	BULKPAR_COMMAND_UPDATE,
	BULKPAR_COMMAND_DELETE,
	BULKPAR_COMMAND_COPY,		/* INSERT ... SELECT */
	BULKPAR_COMMAND_MOVE,		/* WITH ... AS (DELETE ...) INSERT ... */
	BULKPAR_COMMAND_KEEP,		/* WITH ... AS (UPDATE ...) INSERT ... */
	BULKPAR_COMMAND_MERGE,
	BULKPAR_COMMAND_CALL		/* SELECT */
} BulkparCommand;

extern const char *bulkpar_command_name(BulkparCommand command);
extern BulkparCommand bulkpar_command_of(const char *name);
extern const char *bulkpar_command_done(BulkparCommand command);
extern bool bulkpar_command_is_plain(BulkparCommand command);
extern bool bulkpar_command_changes(BulkparCommand command);
extern bool bulkpar_command_deletes(BulkparCommand command);
extern bool bulkpar_command_updates(BulkparCommand command);

#endif							/* BULKPAR_COMMAND_H */
