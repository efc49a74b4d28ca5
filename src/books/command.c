/*-------------------------------------------------------------------------
 *
 * command.c
 *		What a statement does with the rows of its driving table.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/command.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "books/command.h"

static const struct
{
	const char *name;			/* as it is stored */
	const char *done;			/* with the rows that are counted */
}			commands[] = {
	[BULKPAR_COMMAND_UPDATE] = {"update", "updated"},
	[BULKPAR_COMMAND_DELETE] = {"delete", "deleted"},
	[BULKPAR_COMMAND_COPY] = {"copy", "inserted"},
	[BULKPAR_COMMAND_MOVE] = {"move", "moved"},
	[BULKPAR_COMMAND_KEEP] = {"keep", "inserted"},
	[BULKPAR_COMMAND_MERGE] = {"merge", "merged"},
	[BULKPAR_COMMAND_CALL] = {"call", "called"},
};

const char *
bulkpar_command_name(BulkparCommand command)
{
	return commands[command].name;
}

BulkparCommand
bulkpar_command_of(const char *name)
{
	for (int i = 0; i < (int) lengthof(commands); i++)
	{
		if (strcmp(commands[i].name, name) == 0)
			return (BulkparCommand) i;
	}
	elog(ERROR, "unknown command of a job: \"%s\"", name);
}

/* What has been done with the rows that it counts, as a participle. */
const char *
bulkpar_command_done(BulkparCommand command)
{
	return commands[command].done;
}

/* Whether it is one UPDATE or DELETE, and nothing around it. */
bool
bulkpar_command_is_plain(BulkparCommand command)
{
	return command == BULKPAR_COMMAND_UPDATE ||
		command == BULKPAR_COMMAND_DELETE;
}

/* Whether it changes or deletes rows of the driving table. */
bool
bulkpar_command_changes(BulkparCommand command)
{
	return bulkpar_command_updates(command) ||
		bulkpar_command_deletes(command);
}

/* Whether it deletes rows of the driving table. */
bool
bulkpar_command_deletes(BulkparCommand command)
{
	return command == BULKPAR_COMMAND_DELETE ||
		command == BULKPAR_COMMAND_MOVE;
}

/* Whether it updates rows of the driving table. */
bool
bulkpar_command_updates(BulkparCommand command)
{
	return command == BULKPAR_COMMAND_UPDATE ||
		command == BULKPAR_COMMAND_KEEP;
}
