/*-------------------------------------------------------------------------
 *
 * dblink.c
 *		Connections to other servers, by the functions of dblink.
 *
 * They are called in SQL, or checked as there, so that whoever may not call them
 * cannot do so through us, and dblink does what it does for everybody: it takes the
 * user mapping of the current user, and of one that is no superuser it wants a
 * password there.
 * Each function is found in the schema of its extension by just its types, which
 * no other function in that schema can have.
 *
 * A query is sent, and its result is fetched when it has come, so that we need
 * not wait for it where we could not be interrupted.  Only to connect is that.
 * What another server answers is data, and checked as such: texts are valid in
 * our encoding, and not longer than a message need be.
 *
 * The functions must be called in a transaction.  A connection outlives it.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/dblink.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "books/bookkeeping.h"
#include "compat.h"
#include "run/dblink.h"
#include "run/peer.h"
#include "session/extension.h"

/* Milliseconds between two looks for an answer. */
#define MAX_INTERVAL 25

/* Rows of an answer that are read. */
#define MAX_RESULT 5000

/* Bytes of a text that another server says. */
#define MAX_TEXT 10000

static void begin_call(void);
static void end_call(void);
static void connect_to_citus(const char *name, const BulkparNode *node);
static Oid	find_connect(void);
static Oid	find_function(const char *function, int nargs,
						  const Oid *argtypes);
static uint64 call(const char *function, const char *name, const char *text,
				   const char *columns);
static char *clean(const char *text);

/* What the connection to a node of that number is called, in NAMEDATALEN bytes. */
void
bulkpar_dblink_name(char *name, int number)
{
	snprintf(name, NAMEDATALEN, BULKPAR_DBLINK_MARK " %d", number);
}

/*
 * Connect to a node, to a server with the mapping of the current user.  It blocks
 * as long as the options of the server let it.
 */
void
bulkpar_dblink_connect(const char *name, const BulkparNode *node)
{
	ForeignServer *found;

	if (node->citus_node != 0)
	{
		connect_to_citus(name, node);
		return;
	}
	found = GetForeignServerExtended(node->server, FSV_MISSING_OK);
	/* What is no server would be taken for a connection string. */
	if (found == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the foreign server does not exist any more")));
	begin_call();
	(void) call("dblink_connect", name, found->servername, NULL);
	end_call();
}

/*
 * Connect to a node of Citus as the current user, as Citus does for that: by what
 * the administrator has said how nodes are reached, and not by what this user
 * knows.  So the owner of our tables does this one step, and not in SQL: the user
 * could have the plan shown, and the secret of the role in it.
 */
static void
connect_to_citus(const char *name, const BulkparNode *node)
{
	BulkparBookkeeping books;
	char	   *role = GetUserNameFromId(GetUserId(), false);
	char	   *connection;

	bulkpar_bookkeeping_enter(&books);
	connection = bulkpar_peer_connection(&books, node, role);
	(void) OidFunctionCall2(find_connect(), CStringGetTextDatum(name),
							CStringGetTextDatum(connection));
	bulkpar_bookkeeping_leave(&books);
}

/* Whoever owns dblink could put another function in the place of that. */
static Oid
find_connect(void)
{
	Oid			argtypes[] = {TEXTOID, TEXTOID};
	Oid			function = find_function("dblink_connect", 2, argtypes);
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		is_its_own;
	bool		isnull;
	Datum		source;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "could not find function \"dblink_connect\"");
	source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
	is_its_own = ((Form_pg_proc) GETSTRUCT(tuple))->prolang == ClanguageId &&
		!isnull && strcmp(TextDatumGetCString(source), "dblink_connect") == 0;
	ReleaseSysCache(tuple);
	if (!is_its_own)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function \"%s\" of extension \"dblink\" was replaced",
						"dblink_connect")));
	return function;
}

void
bulkpar_dblink_disconnect(const char *name)
{
	begin_call();
	(void) call("dblink_disconnect", name, NULL, NULL);
	end_call();
}

void
bulkpar_dblink_send(const char *name, const char *sql)
{
	char	   *sent;

	begin_call();
	(void) call("dblink_send_query", name, sql, NULL);
	sent = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (sent == NULL || strcmp(sent, "1") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not send a query to the server")));
	end_call();
}

/*
 * Whether there is nothing to receive yet.  That is asked often, and so not in SQL,
 * which would take longer than all else.
 */
bool
bulkpar_dblink_is_busy(const char *name)
{
	Oid			argtypes[] = {TEXTOID};
	Oid			function = find_function("dblink_is_busy", 1, argtypes);
	bool		busy;

	if (!bulkpar_compat_may_execute(function))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FUNCTION, "dblink_is_busy");
	PushActiveSnapshot(GetTransactionSnapshot());
	busy = DatumGetInt32(OidFunctionCall1(function,
										  CStringGetTextDatum(name))) != 0;
	PopActiveSnapshot();
	return busy;
}

/*
 * In how many milliseconds to look for the answer to what was sent then.  Most
 * answers come at once, and each look takes some time.
 */
long
bulkpar_dblink_interval(TimestampTz sent_at)
{
	long		age = TimestampDifferenceMilliseconds(sent_at,
													  GetCurrentTimestamp());

	return Min(1 + age / 10, MAX_INTERVAL);
}

/*
 * Fetch the result of a query, in the current memory context, when it is there.
 * It has no rows where all results have been fetched, which must be seen before
 * the next query.  What the query has failed with is thrown.
 */
void
bulkpar_dblink_receive(const char *name, int ncolumns,
					   BulkparDblinkResult *result)
{
	MemoryContext context = CurrentMemoryContext;
	StringInfoData columns;

	begin_call();
	initStringInfo(&columns);
	for (int i = 1; i <= ncolumns; i++)
		appendStringInfo(&columns, "%sc%d pg_catalog.text",
						 i > 1 ? ", " : "", i);
	result->ncolumns = ncolumns;
	result->nrows = (int) call("dblink_get_result", name, NULL, columns.data);
	result->values = MemoryContextAllocZero(context, sizeof(char *) *
											Max(ncolumns * result->nrows, 1));
	for (int i = 0; i < ncolumns * result->nrows; i++)
	{
		char	   *text = SPI_getvalue(SPI_tuptable->vals[i / ncolumns],
										SPI_tuptable->tupdesc,
										i % ncolumns + 1);

		if (text != NULL)
			result->values[i] = MemoryContextStrdup(context, clean(text));
	}
	end_call();
}

static void
begin_call(void)
{
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
}

static void
end_call(void)
{
	PopActiveSnapshot();
	SPI_finish();
}

/* One of the functions. */
static Oid
find_function(const char *function, int nargs, const Oid *argtypes)
{
	Oid			extension = get_extension_oid("dblink", true);
	Oid			schema = InvalidOid;
	Oid			found = InvalidOid;

	if (!OidIsValid(extension))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"dblink\" is not installed in this database"),
				 errdetail("A job talks to other servers by its functions."),
				 errhint("Use CREATE EXTENSION dblink.")));
	schema = bulkpar_extension_schema(extension);
	found = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
							CStringGetDatum(function),
							PointerGetDatum(buildoidvector(argtypes, nargs)),
							ObjectIdGetDatum(schema));
	if (!OidIsValid(found) ||
		getExtensionOfObject(ProcedureRelationId, found) != extension)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function \"%s\" of extension \"dblink\" does not exist",
						function)));
	return found;
}

/*
 * Call one of the functions with one or two texts, or that returns these columns
 * with an error if the query had one.  Returns the number of its rows.
 */
static uint64
call(const char *function, const char *name, const char *text,
	 const char *columns)
{
	Oid			argtypes[] = {TEXTOID, columns != NULL ? BOOLOID : TEXTOID};
	int			nargs = text != NULL || columns != NULL ? 2 : 1;
	Datum		values[2];
	Oid			found = find_function(function, nargs, argtypes);
	char	   *sql =
		quote_qualified_identifier(get_namespace_name(get_func_namespace(found)),
								   function);

	values[0] = CStringGetTextDatum(name);
	if (columns != NULL)
	{
		values[1] = BoolGetDatum(true);
		sql = psprintf("SELECT * FROM %s($1, $2) /* " BULKPAR_DBLINK_MARK " */ AS r(%s)", sql, columns);
	}
	else
	{
		values[1] = text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
		sql = psprintf("SELECT %s($1%s) /* " BULKPAR_DBLINK_MARK " */", sql, nargs == 2 ? ", $2" : "");
	}
	if (SPI_execute_with_args(sql, nargs, argtypes, values, NULL, false,
							  MAX_RESULT) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not call function \"%s\"", function);
	return SPI_processed;
}

/* Let the texts of an error of a server be such that they can be kept. */
void
bulkpar_dblink_clean_error(ErrorData *error)
{
	char	  **texts[] = {
		&error->message, &error->detail, &error->hint, &error->context,
		&error->schema_name, &error->table_name, &error->column_name,
		&error->datatype_name, &error->constraint_name
	};

	for (int i = 0; i < (int) lengthof(texts); i++)
	{
		if (*texts[i] != NULL)
			*texts[i] = clean(*texts[i]);
	}
}

/* A text as it can be kept: libpq takes what it gets for what it should be. */
static char *
clean(const char *text)
{
	int			length = strlen(text);

	if (!pg_verifymbstr(text, length, true))
		return "(text in another encoding)";
	if (length <= MAX_TEXT)
		return pstrdup(text);
	return pnstrdup(text, pg_mbcliplen(text, length, MAX_TEXT));
}
