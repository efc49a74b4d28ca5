/*-------------------------------------------------------------------------
 *
 * hours.c
 *		Whether a job may work at this time of the day.
 *
 * A window is worked out anew when it opens or closes, not at each look, for that
 * takes longer than all the rest.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/hours.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "run/hours.h"
#include "session/window.h"

/* Bytes of a window that a reason shows. */
#define SHOWN_WINDOW 100

/* A window, and what was found of it. */
typedef struct Hours
{
	char		text[SHOWN_WINDOW];
	BulkparWindow window;
	bool		open;
	TimestampTz since;			/* that holds from here */
	TimestampTz until;			/* to before there */
} Hours;

struct BulkparHours
{
	Hours		all[BULKPAR_LIMITS_SOURCES];
};

static void follow_window(Hours *hours, const char *text);
static void tell_closed(const Hours *hours, BulkparReasons *reasons);

/* Begin to watch.  It lives in the current memory context. */
BulkparHours *
bulkpar_hours_create(void)
{
	return palloc0(sizeof(BulkparHours));
}

/* The limits have changed. */
void
bulkpar_hours_follow(BulkparHours *hours, const BulkparLimits *limits)
{
	for (int i = 0; i < BULKPAR_LIMITS_SOURCES; i++)
		follow_window(&hours->all[i], limits->windows[i]);
}

static void
follow_window(Hours *hours, const char *text)
{
	BulkparWindowError error;

	memset(hours, 0, sizeof(Hours));
	if (text == NULL)
		return;
	if (!bulkpar_window_parse(text, &hours->window, &error))
		elog(ERROR, "could not parse the window \"%s\" of a bulkpar job", text);
	strlcpy(hours->text, text, sizeof(hours->text));
}

/*
 * Whether a window keeps the job from working now, which is added then.  Does
 * not throw.
 */
bool
bulkpar_hours_look(BulkparHours *hours, TimestampTz now,
				   BulkparReasons *reasons)
{
	for (int i = 0; i < BULKPAR_LIMITS_SOURCES; i++)
	{
		Hours	   *one = &hours->all[i];

		if (one->window.count == 0)
			continue;
		if (now < one->since || now >= one->until)
		{
			one->open = bulkpar_window_is_open(&one->window, now, &one->until);
			one->since = now;
		}
		if (one->open)
			continue;
		tell_closed(one, reasons);
		return true;
	}
	return false;
}

static void
tell_closed(const Hours *hours, BulkparReasons *reasons)
{
	pg_time_t	time = timestamptz_to_time_t(hours->until);
	struct pg_tm *clock = hours->until == DT_NOEND ? NULL :
		pg_localtime(&time, hours->window.zone);
	char		until[40] = "";
	char		text[BULKPAR_REASON_TEXT];

	if (clock != NULL)
		pg_strftime(until, sizeof(until), ", until %Y-%m-%d %H:%M", clock);
	snprintf(text, sizeof(text), "outside of the window %s%s", hours->text,
			 until);
	bulkpar_reasons_add(reasons, 1, "window", text);
}
