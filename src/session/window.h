/*-------------------------------------------------------------------------
 *
 * window.h
 *		The hours in which a job may work.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/session/window.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_WINDOW_H
#define BULKPAR_WINDOW_H

#include "datatype/timestamp.h"
#include "pgtime.h"
#include "utils/guc.h"

/* More ranges are not taken. */
#define BULKPAR_WINDOW_RANGES 16

/* In minutes of a day; to is not among them, and below from after midnight. */
typedef struct BulkparWindowRange
{
	int			days;			/* on which it begins: 1 is Sunday, 2 Monday */
	int			from;
	int			to;
} BulkparWindowRange;

typedef struct BulkparWindow
{
	pg_tz	   *zone;			/* whose clock it goes by */
	bool		names_zone;		/* and not that of the session */
	int			count;			/* 0 for no window: always */
	BulkparWindowRange ranges[BULKPAR_WINDOW_RANGES];
} BulkparWindow;

/* What has kept a text from being a window. */
typedef struct BulkparWindowError
{
	const char *message;		/* with %s for the place */
	const char *place;
} BulkparWindowError;

extern bool bulkpar_window_parse(const char *text, BulkparWindow *window,
								 BulkparWindowError *error);
extern bool bulkpar_window_is_open(const BulkparWindow *window,
								   TimestampTz at, TimestampTz *until);
extern bool bulkpar_window_check(char **value, void **extra,
								 GucSource source);
extern char *bulkpar_window_name_zone(const char *text);

#endif							/* BULKPAR_WINDOW_H */
