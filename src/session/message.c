/*-------------------------------------------------------------------------
 *
 * message.c
 *		What user code has to say in a process that has no client.
 *
 * A NOTICE or WARNING of a trigger goes to the client, and a worker has none.  So
 * it takes the place of one, as the leader of a parallel query does for its
 * workers: what would be written to a socket comes here.  The first texts are
 * kept and counted, all others counted only, so that a text for each row does
 * no harm.
 *
 * What is said in a batch counts when the batch has committed.  Nothing here
 * throws or allocates while a message is being reported.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/session/message.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

/* Of a connection nothing is used; its headers ask for those of libraries. */
#undef ENABLE_GSS
#undef USE_OPENSSL

#include "lib/stringinfo.h"
#include "libpq/libpq.h"
#include "mb/pg_wchar.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include "utils/json.h"

#include "session/clip.h"
#include "session/message.h"

/* Texts that a process keeps, and the bytes of each. */
#define MAX_TEXTS 10
#define MAX_BYTES 1000

/* A text and how often it came; the last one stands for all others. */
typedef struct Message
{
	char		severity[8];
	char		text[MAX_BYTES];
	int64		kept;			/* of what has committed */
	int64		pending;		/* of what has not */
	int64		reported;		/* of both, in the report that is under way */
} Message;

static Message messages[MAX_TEXTS + 1];
static int	ntexts = 0;

static void do_nothing(void);
static int	flush_nothing(void);
static bool has_nothing(void);
static int	take(char type, const char *body, size_t length);
static void take_later(char type, const char *body, size_t length);
static Message *find_place(const char *severity, const char *text);

static const PQcommMethods methods = {
	.comm_reset = do_nothing,
	.flush = flush_nothing,
	.flush_if_writable = flush_nothing,
	.is_send_pending = has_nothing,
	.putmessage = take,
	.putmessage_noblock = take_later
};

/* From now on be the client of this process. */
void
bulkpar_message_start(void)
{
	PqCommMethods = &methods;
	FrontendProtocol = PG_PROTOCOL_LATEST;
	whereToSendOutput = DestRemote;
}

/* What was said last is undone. */
void
bulkpar_message_discard(void)
{
	for (int i = 0; i <= MAX_TEXTS; i++)
		messages[i].pending = messages[i].reported = 0;
}

/* What was said last has committed. */
void
bulkpar_message_keep(void)
{
	for (int i = 0; i <= MAX_TEXTS; i++)
	{
		messages[i].kept += messages[i].pending;
		messages[i].pending = 0;
	}
}

/*
 * What was said since the last report, as a JSON array, in the current memory
 * context; NULL if that is nothing.
 */
char *
bulkpar_message_report(void)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i <= MAX_TEXTS; i++)
	{
		Message    *message = &messages[i];

		message->reported = message->kept + message->pending;
		if (message->reported == 0)
			continue;
		appendStringInfo(&buf, "%s{\"count\": " INT64_FORMAT,
						 buf.len == 0 ? "[" : ", ", message->reported);
		if (i < MAX_TEXTS)
		{
			appendStringInfoString(&buf, ", \"severity\": ");
			escape_json(&buf, message->severity);
			appendStringInfoString(&buf, ", \"message\": ");
			escape_json(&buf, message->text);
		}
		appendStringInfoChar(&buf, '}');
	}
	if (buf.len == 0)
		return NULL;
	appendStringInfoChar(&buf, ']');
	return buf.data;
}

/* The report has committed, with what was said last. */
void
bulkpar_message_reported(void)
{
	bulkpar_message_keep();
	for (int i = 0; i <= MAX_TEXTS; i++)
	{
		messages[i].kept -= messages[i].reported;
		messages[i].reported = 0;
	}
}

static void
do_nothing(void)
{
}

static int
flush_nothing(void)
{
	return 0;
}

static bool
has_nothing(void)
{
	return false;
}

/*
 * A message to the client.  That of a NOTICE or the like is a list of fields, of
 * which each is a letter and a text; V is the severity, M the text.
 */
static int
take(char type, const char *body, size_t length)
{
	const char *end = body + length;
	const char *severity = NULL;
	const char *text = NULL;

	if (type != 'N')
		return 0;
	while (body < end && *body != '\0')
	{
		if (*body == 'V')
			severity = body + 1;
		else if (*body == 'M')
			text = body + 1;
		body += strnlen(body, end - body) + 1;
	}
	if (severity != NULL && text != NULL &&
		(strcmp(severity, "INFO") == 0 || strcmp(severity, "NOTICE") == 0 ||
		 strcmp(severity, "WARNING") == 0))
		find_place(severity, text)->pending++;
	return 0;
}

static void
take_later(char type, const char *body, size_t length)
{
	(void) take(type, body, length);
}

/* The place of a text, which is that of all others if there is none left. */
static Message *
find_place(const char *severity, const char *text)
{
	char		clipped[MAX_BYTES];
	Message    *message;

	/* User code may have set another client_encoding. */
	if (!pg_verify_mbstr(GetDatabaseEncoding(), text, strlen(text), true))
		return &messages[MAX_TEXTS];
	bulkpar_clip(clipped, sizeof(clipped), text);
	for (int i = 0; i < ntexts; i++)
	{
		if (strcmp(messages[i].text, clipped) == 0 &&
			strcmp(messages[i].severity, severity) == 0)
			return &messages[i];
	}
	if (ntexts == MAX_TEXTS)
		return &messages[MAX_TEXTS];
	message = &messages[ntexts++];
	strlcpy(message->severity, severity, sizeof(message->severity));
	strlcpy(message->text, clipped, sizeof(message->text));
	return message;
}
