/*-------------------------------------------------------------------------
 *
 * peer.c
 *		How to connect to a node of Citus.
 *
 * That is what its administrator has said: where the node is, by which options
 * nodes are reached, and what a role needs to log in there.  Citus connects in
 * the same way for the statements of that role.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/peer.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "books/argument.h"
#include "books/column.h"
#include "run/peer.h"
#include "table/shard.h"

/* How long it may take to connect, in seconds: it cannot be interrupted. */
#define CONNECT_TIMEOUT 10

static const char *get_options(void);
static void append_unguessable(StringInfo buf);
static void append_option(StringInfo buf, const char *name, const char *value);

/*
 * The connection string for a role, between enter and leave.  An error if there
 * is no such node any more.  What comes later in it counts.
 */
char *
bulkpar_peer_connection(BulkparBookkeeping *books, const BulkparNode *node,
						const char *role)
{
	static BulkparQuery find = {
		.read_only = true,
		.sql =
		"SELECT d.nodename, d.nodeport::text AS port, (SELECT a.authinfo "
		"FROM pg_catalog.pg_dist_authinfo a WHERE a.rolename = $role "
		"AND a.nodeid IN (0, d.nodeid) ORDER BY a.nodeid = 0 LIMIT 1) AS secret "
		"FROM pg_catalog.pg_dist_node d WHERE d.nodeid = $citus_node"
	};
	const char *options = get_options();
	char	   *secret;
	StringInfoData buf;

	bulkpar_argument_text(books, "role", role);
	bulkpar_argument_int32(books, "citus_node", node->citus_node);
	if (!bulkpar_shard_is_possible() ||
		bulkpar_bookkeeping_run(books, &find) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the node is none of Citus any more")));
	secret = bulkpar_column_text(books, "secret");
	initStringInfo(&buf);
	append_unguessable(&buf);
	appendStringInfo(&buf, " %s", options);
	append_option(&buf, strstr(options, "host=") != NULL ?
				  "hostaddr" : "host",
				  bulkpar_column_text(books, "nodename"));
	append_option(&buf, "port", bulkpar_column_text(books, "port"));
	append_option(&buf, "dbname", get_database_name(MyDatabaseId));
	append_option(&buf, "user", role);
	append_option(&buf, "client_encoding", GetDatabaseEncodingName());
	append_option(&buf, "connect_timeout",
				  psprintf("%d", CONNECT_TIMEOUT));
	if (secret != NULL)
		appendStringInfo(&buf, " %s", secret);
	return buf.data;
}

/*
 * The options by which nodes are reached, in a string that may be empty.  While
 * Citus is not loaded anybody can give that setting a value.
 */
static const char *
get_options(void)
{
	static const char *const name = "citus.node_conninfo";
	const char *options = GetConfigOption(name, true, false);

	if (options == NULL ||
		(GetConfigOptionFlags(name, true) & GUC_CUSTOM_PLACEHOLDER) != 0)
		return "";
	return options;
}

/*
 * The begin of the string, which must not be the name of a foreign server: dblink
 * would look for one of as many characters as a name can have, and whoever may
 * create servers would have us connect to theirs.
 */
static void
append_unguessable(StringInfo buf)
{
	uint8		random[16];

	if (!pg_strong_random(random, sizeof(random)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	appendStringInfoString(buf, "application_name='");
	for (int i = 0; i < (int) sizeof(random); i++)
		appendStringInfo(buf, "%02x", random[i]);
	appendStringInfoChar(buf, '\'');
}

static void
append_option(StringInfo buf, const char *name, const char *value)
{
	appendStringInfo(buf, " %s='", name);
	for (; *value != '\0'; value++)
	{
		if (*value == '\'' || *value == '\\')
			appendStringInfoChar(buf, '\\');
		appendStringInfoChar(buf, *value);
	}
	appendStringInfoChar(buf, '\'');
}
