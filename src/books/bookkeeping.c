/*-------------------------------------------------------------------------
 *
 * bookkeeping.c
 *		How the SQL on the tables of bulkpar is run.
 *
 * job.c and ledger.c have the SQL.  Each of its statements runs as the owner of
 * the tables, for the role whose job it is has no rights on them.  That role is
 * given up only around the statement and never up to a COMMIT, where deferred
 * triggers of the user would run.
 *
 * The texts name the tables, and a plan is made anew from the text whenever
 * something has changed.  So before each statement the tables are locked, and
 * books.c says that the names are still those of our tables, that nobody but
 * their owner can take these names, and that no code of others hangs on them.
 * There the search_path is one that nobody else can put objects into, and all
 * values are parameters.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/bookkeeping.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "books/bookkeeping.h"
#include "books/books.h"
#include "books/storedkey.h"

/* The row of the last result that is read. */
static int	current_row = 0;

static char *expand(const char *sql);
static Datum column(int number, bool *isnull);

/*
 * Until AtEOXact_GUC(true, result), find nothing by its name but in
 * pg_catalog, where nobody can put anything.
 */
int
bulkpar_bookkeeping_safe_path(void)
{
	int			nestlevel = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	return nestlevel;
}

/*
 * Lock the tables, become their owner, with a search_path that nobody can
 * write to, connect SPI and take a snapshot.  An error undoes it with the
 * (sub)transaction.
 */
void
bulkpar_bookkeeping_enter(BulkparBracket *bracket)
{
	Oid			owner = bulkpar_books_open();

	bracket->caller_context = CurrentMemoryContext;
	GetUserIdAndSecContext(&bracket->userid, &bracket->sec_context);
	SetUserIdAndSecContext(owner, bracket->sec_context |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
	bracket->nestlevel = bulkpar_bookkeeping_safe_path();
	SPI_connect();
	PushActiveSnapshot(GetLatestSnapshot());
}

/*
 * The same, and run a query whose only parameter is the id of a job; returns
 * the number of rows.
 */
uint64
bulkpar_bookkeeping_enter_for(BulkparBracket *bracket, BulkparQuery *query,
							  int64 job_id)
{
	Datum		values[1];

	values[0] = Int64GetDatum(job_id);
	bulkpar_bookkeeping_enter(bracket);
	return bulkpar_bookkeeping_run(query, values, NULL);
}

/* Undo bulkpar_bookkeeping_enter. */
void
bulkpar_bookkeeping_leave(const BulkparBracket *bracket)
{
	PopActiveSnapshot();
	SPI_finish();
	AtEOXact_GUC(true, bracket->nestlevel);
	SetUserIdAndSecContext(bracket->userid, bracket->sec_context);
}

/*
 * Run a statement between enter and leave; returns the number of rows, the
 * first of which the functions below read.
 */
uint64
bulkpar_bookkeeping_run(BulkparQuery *query, const Datum *values,
						const char *nulls)
{
	int			result;

	if (query->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(expand(query->sql),
									   query->nargs, query->argtypes);

		if (plan == NULL)
			elog(ERROR, "SPI_prepare failed: %s",
				 SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		query->plan = plan;
	}
	result = SPI_execute_plan(query->plan, (Datum *) values, nulls,
							  query->read_only, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s",
			 SPI_result_code_string(result));
	current_row = 0;
	return SPI_processed;
}

/* Replace each @ by the schema's name and a dot. */
static char *
expand(const char *sql)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (; *sql != '\0'; sql++)
	{
		if (*sql == '@')
			appendStringInfoString(&buf, BULKPAR_SCHEMA ".");
		else
			appendStringInfoChar(&buf, *sql);
	}
	return buf.data;
}

/* Let the functions below read another row, counted from 0. */
void
bulkpar_bookkeeping_look_at(int row)
{
	current_row = row;
}

/* A column of that row of the result. */
static Datum
column(int number, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[current_row], SPI_tuptable->tupdesc,
						 number, isnull);
}

/* An int8 column; 0 for null. */
int64
bulkpar_bookkeeping_int64(int number)
{
	bool		isnull;
	Datum		value = column(number, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

/* The text, copied for the caller of the function; NULL for null. */
char *
bulkpar_bookkeeping_text(const BulkparBracket *bracket, int number)
{
	bool		isnull;
	Datum		value = column(number, &isnull);

	if (isnull)
		return NULL;
	return MemoryContextStrdup(bracket->caller_context,
							   TextDatumGetCString(value));
}

/*
 * The key in a column of bytes and the next one of text, copied for the caller
 * of the function; NULL for null.
 */
BulkparStoredKey *
bulkpar_bookkeeping_key(const BulkparBracket *bracket, int number)
{
	bool		isnull;
	Datum		bytes = column(number, &isnull);
	Datum		text;
	BulkparStoredKey key;
	BulkparStoredKey *copy;
	MemoryContext oldcontext;

	if (isnull)
		return NULL;
	text = column(number + 1, &isnull);
	key.bytes = DatumGetByteaP(bytes);
	key.text = DatumGetArrayTypeP(text);
	oldcontext = MemoryContextSwitchTo(bracket->caller_context);
	copy = bulkpar_storedkey_copy(&key);
	MemoryContextSwitchTo(oldcontext);
	return copy;
}

/* Bytes, copied for the caller of the function; NULL for null. */
bytea *
bulkpar_bookkeeping_bytes(const BulkparBracket *bracket, int number)
{
	bool		isnull;
	Datum		value = column(number, &isnull);
	MemoryContext oldcontext;
	bytea	   *copy;

	if (isnull)
		return NULL;
	oldcontext = MemoryContextSwitchTo(bracket->caller_context);
	copy = DatumGetByteaPCopy(value);
	MemoryContextSwitchTo(oldcontext);
	return copy;
}

char **
bulkpar_bookkeeping_strings(const BulkparBracket *bracket, int number, int *count)
{
	bool		isnull;
	Datum		value = column(number, &isnull);
	MemoryContext oldcontext;
	Datum	   *elements;
	char	  **strings;

	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false,
					  TYPALIGN_INT, &elements, NULL, count);
	oldcontext = MemoryContextSwitchTo(bracket->caller_context);
	strings = palloc(sizeof(char *) * *count);
	for (int i = 0; i < *count; i++)
		strings[i] = TextDatumGetCString(elements[i]);
	MemoryContextSwitchTo(oldcontext);
	return strings;
}

void
bulkpar_bookkeeping_set_text(Datum *values, char *nulls, int i, const char *text)
{
	nulls[i] = text == NULL ? 'n' : ' ';
	values[i] = text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

/* A parameter of bytes; null for NULL. */
void
bulkpar_bookkeeping_set_bytes(Datum *values, char *nulls, int i,
							  const bytea *bytes)
{
	nulls[i] = bytes == NULL ? 'n' : ' ';
	values[i] = PointerGetDatum(bytes);
}

/* Two parameters from that one on: the bytes and the text of a key. */
void
bulkpar_bookkeeping_set_key(Datum *values, char *nulls, int i,
							const BulkparStoredKey *key)
{
	nulls[i] = nulls[i + 1] = key == NULL ? 'n' : ' ';
	values[i] = key == NULL ? (Datum) 0 : PointerGetDatum(key->bytes);
	values[i + 1] = key == NULL ? (Datum) 0 : PointerGetDatum(key->text);
}
