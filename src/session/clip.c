/*-------------------------------------------------------------------------
 *
 * clip.c
 *		Texts of a fixed size in shared memory.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/session/clip.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "session/clip.h"

/*
 * Copy a text into an array of the given size, as much of it as fits there.  It
 * is not cut within a character, which would make it invalid for those who
 * convert it to another encoding.  NULL becomes an empty text.
 */
void
bulkpar_clip(char *to, Size size, const char *from)
{
	int			length = from == NULL ? 0 :
		pg_mbcliplen(from, strlen(from), size - 1);

	if (length > 0)
		memcpy(to, from, length);
	to[length] = '\0';
}
