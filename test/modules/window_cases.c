/*-------------------------------------------------------------------------
 *
 * window_cases.c
 *		Lets SQL ask what a window of bulkpar is at a time.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  test/modules/window_cases.c
 *
 *-------------------------------------------------------------------------
 */
#include "session/window.c"

#include "fmgr.h"
#include "utils/builtins.h"

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(window_at);

/*
 * window_at(window text, at timestamptz): "open until ..." or "closed until ...",
 * in UTC.
 */
Datum
window_at(PG_FUNCTION_ARGS)
{
	BulkparWindow window;
	BulkparWindowError error;
	TimestampTz until;
	bool		open;
	char		end[40] = "for ever";

	if (!bulkpar_window_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), &window,
							  &error))
		PG_RETURN_TEXT_P(cstring_to_text(psprintf(error.message,
												  error.place)));
	open = bulkpar_window_is_open(&window, PG_GETARG_TIMESTAMPTZ(1), &until);
	if (until != DT_NOEND)
	{
		pg_time_t	time = timestamptz_to_time_t(until);

		pg_strftime(end, sizeof(end), "until %m-%d %H:%M",
					pg_gmtime(&time));
	}
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s %s",
											  open ? "open" : "closed",
											  end)));
}
