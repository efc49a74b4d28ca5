/*-------------------------------------------------------------------------
 *
 * window.c
 *		The hours in which a job may work.
 *
 * A window is what a clock on a wall shows: "22:00-06:00 Europe/Berlin", or
 * several ranges with commas between them, of which each may begin on certain
 * days only: "mon-fri 22:00-06:00, sat,sun 00:00-24:00".  Where clocks are put
 * forward, an hour of it that is left out is missing, and where they are put
 * back, it is there twice.
 *
 * Whether it is open says the time alone, so a clock that was set makes no
 * difference.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/session/window.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "utils/timestamp.h"

#include "session/window.h"

#define MINUTES_PER_DAY (24 * 60)
#define ALL_DAYS 0x7f

/*
 * A window that does not change in so many days does so never: one on Sundays may
 * be missing on one of them.
 */
#define MAX_DAYS 15

static const char *const day_names[] = {
	"sun", "mon", "tue", "wed", "thu", "fri", "sat"
};

static bool parse_range(const char **text, BulkparWindowRange *range,
						BulkparWindowError *error);
static bool parse_days(const char **text, int *days,
					   BulkparWindowError *error);
static bool parse_day(const char **text, int *day, BulkparWindowError *error);
static bool parse_time(const char **text, int *minute,
					   BulkparWindowError *error);
static bool parse_zone(const char *text, pg_tz **zone,
					   BulkparWindowError *error);
static bool refuse(BulkparWindowError *error, const char *message,
				   const char *place);
static void skip_blanks(const char **text);
static bool is_open_by(const BulkparWindow *window, const struct pg_tm *clock);

/*
 * Parse a window, which goes by the clock of the session where it names no zone.
 * False, with the error, if the text is none.  Does not throw.
 */
bool
bulkpar_window_parse(const char *text, BulkparWindow *window,
					 BulkparWindowError *error)
{
	memset(window, 0, sizeof(BulkparWindow));
	window->zone = session_timezone;
	skip_blanks(&text);
	if (*text == '\0')
		return true;
	for (;;)
	{
		if (window->count == BULKPAR_WINDOW_RANGES)
			return refuse(error, "There are too many ranges, from \"%s\" on.",
						  text);
		if (!parse_range(&text, &window->ranges[window->count++], error))
			return false;
		skip_blanks(&text);
		if (*text != ',')
			break;
		text++;
	}
	window->names_zone = *text != '\0';
	return !window->names_zone || parse_zone(text, &window->zone, error);
}

/* [days] from-to */
static bool
parse_range(const char **text, BulkparWindowRange *range,
			BulkparWindowError *error)
{
	const char *start;

	skip_blanks(text);
	range->days = ALL_DAYS;
	if (isalpha((unsigned char) **text) &&
		!parse_days(text, &range->days, error))
		return false;
	start = *text;
	if (!parse_time(text, &range->from, error))
		return false;
	skip_blanks(text);
	if (**text != '-')
		return refuse(error, "A range such as 22:00-06:00 is expected at \"%s\".",
					  start);
	(*text)++;
	skip_blanks(text);
	if (!parse_time(text, &range->to, error))
		return false;
	if (range->from == MINUTES_PER_DAY || range->from == range->to)
		return refuse(error, "The range at \"%s\" has no end after its beginning; the whole day is 00:00-24:00.",
					  start);
	return true;
}

/* Days such as "sat,sun" or "mon-fri", and the blanks behind them. */
static bool
parse_days(const char **text, int *days, BulkparWindowError *error)
{
	*days = 0;
	for (;;)
	{
		int			day;
		int			last;

		if (!parse_day(text, &day, error))
			return false;
		last = day;
		if (**text == '-')
		{
			(*text)++;
			if (!parse_day(text, &last, error))
				return false;
		}
		for (; day != last; day = (day + 1) % 7)
			*days |= 1 << day;
		*days |= 1 << last;
		skip_blanks(text);
		if (**text != ',')
			return true;
		(*text)++;
		skip_blanks(text);
	}
}

static bool
parse_day(const char **text, int *day, BulkparWindowError *error)
{
	for (int i = 0; i < (int) lengthof(day_names); i++)
	{
		if (pg_strncasecmp(*text, day_names[i], 3) == 0 &&
			!isalnum((unsigned char) (*text)[3]))
		{
			*day = i;
			*text += 3;
			return true;
		}
	}
	return refuse(error, "A day such as mon is expected at \"%s\".", *text);
}

/* Hours and minutes, up to 24:00. */
static bool
parse_time(const char **text, int *minute, BulkparWindowError *error)
{
	const char *start = *text;
	int			values[2];

	for (int i = 0; i < 2; i++)
	{
		int			digits = 0;

		if (i == 1 && *(*text)++ != ':')
			break;
		values[i] = 0;
		while (digits < 2 && isdigit((unsigned char) **text))
		{
			values[i] = values[i] * 10 + *(*text)++ - '0';
			digits++;
		}
		if (digits == 0 || (i == 1 && digits != 2) ||
			isdigit((unsigned char) **text))
			break;
		*minute = i == 0 ? values[0] * 60 : *minute + values[1];
		if (i == 1 && values[1] < 60 && *minute <= MINUTES_PER_DAY)
			return true;
	}
	return refuse(error, "A time of day such as 22:00 is expected at \"%s\".",
				  start);
}

/* The rest is a zone. */
static bool
parse_zone(const char *text, pg_tz **zone, BulkparWindowError *error)
{
	char		name[TZ_STRLEN_MAX + 1];
	Size		length = strlen(text);

	while (length > 0 && isspace((unsigned char) text[length - 1]))
		length--;
	strlcpy(name, text, Min(length + 1, sizeof(name)));
	*zone = length < sizeof(name) ? pg_tzset(name) : NULL;
	if (*zone == NULL || !pg_tz_acceptable(*zone))
		return refuse(error, "There is no time zone \"%s\".", text);
	return true;
}

/* The place is kept, not what is there. */
static bool
refuse(BulkparWindowError *error, const char *message, const char *place)
{
	error->message = message;
	error->place = place;
	return false;
}

static void
skip_blanks(const char **text)
{
	while (isspace((unsigned char) **text))
		(*text)++;
}

/*
 * Whether a window is open at that time, and until when that stays so; DT_NOEND
 * is for ever.  It takes some milliseconds at the most.
 */
bool
bulkpar_window_is_open(const BulkparWindow *window, TimestampTz at,
					   TimestampTz *until)
{
	TimestampTz whole = at - ((at % USECS_PER_SEC + USECS_PER_SEC) %
							  USECS_PER_SEC);
	pg_time_t	time = timestamptz_to_time_t(whole);
	pg_time_t	end = time + MAX_DAYS * SECS_PER_DAY;
	struct pg_tm *clock = pg_localtime(&time, window->zone);
	bool		open = clock == NULL || is_open_by(window, clock);

	*until = DT_NOEND;
	if (window->count == 0)
		return true;
	/* Clocks are set at whole minutes, too. */
	while (clock != NULL && time < end)
	{
		time += SECS_PER_MINUTE - clock->tm_sec;
		clock = pg_localtime(&time, window->zone);
		if (clock == NULL || is_open_by(window, clock) == open)
			continue;
		*until = time_t_to_timestamptz(time);
		break;
	}
	return open;
}

/* Whether it is open when a clock of its zone shows that. */
static bool
is_open_by(const BulkparWindow *window, const struct pg_tm *clock)
{
	int			minute = clock->tm_hour * 60 + clock->tm_min;
	int			today = 1 << clock->tm_wday;
	int			yesterday = 1 << (clock->tm_wday + 6) % 7;

	for (int i = 0; i < window->count; i++)
	{
		const BulkparWindowRange *range = &window->ranges[i];
		bool		begun = minute >= range->from;
		bool		over = minute >= range->to;

		if (range->from < range->to)
			begun = begun && !over;
		else if (!over && (range->days & yesterday) != 0)
			return true;
		if (begun && (range->days & today) != 0)
			return true;
	}
	return false;
}

/* The check hook of bulkpar.time_window. */
bool
bulkpar_window_check(char **value, void **extra, GucSource source)
{
	BulkparWindow window;
	BulkparWindowError error;

	if (*value == NULL || bulkpar_window_parse(*value, &window, &error))
		return true;
	GUC_check_errdetail(error.message, error.place);
	GUC_check_errhint("Such as \"22:00-06:00 Europe/Berlin\" or \"mon-fri 22:00-06:00, sat,sun 00:00-24:00\".");
	return false;
}

/*
 * The same window with the zone of the session, if it has none, for sessions
 * that have another.  In the current memory context.
 */
char *
bulkpar_window_name_zone(const char *text)
{
	BulkparWindow window;
	BulkparWindowError error;
	int			length = strlen(text);

	if (!bulkpar_window_parse(text, &window, &error) || window.count == 0 ||
		window.names_zone)
		return pstrdup(text);
	while (isspace((unsigned char) text[length - 1]))
		length--;
	return psprintf("%.*s %s", length, text,
					pg_get_timezone_name(window.zone));
}
