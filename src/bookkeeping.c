/*-------------------------------------------------------------------------
 *
 * bookkeeping.c
 *		How the SQL on the tables of bulkpar is run.
 *
 * job.c and ledger.c have the SQL.  Each of its statements runs as the owner of
 * the tables, for the role whose job it is has no rights on them.  That role is
 * given up only around the statement and never up to a COMMIT, where deferred
 * triggers of the user would run.  There the search_path is one that nobody
 * else can put objects into, our tables are qualified, and all values are
 * parameters.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/bookkeeping.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "bookkeeping.h"
#include "bulkpar.h"

static Oid	schema = InvalidOid;
/* The row of the last result that is read. */
static int	current_row = 0;

static BulkparQuery *prepared = NULL;

static char *expand(const char *sql);
static Datum column(int number, bool *isnull);
static bool is_in_library(HeapTuple tuple, const char *name);

/* Say in which schema the extension is, before anything else. */
void
bulkpar_bookkeeping_attach(Oid new_schema)
{
	while (prepared != NULL && schema != new_schema)
	{
		SPI_freeplan(prepared->plan);
		prepared->plan = NULL;
		prepared = prepared->next;
	}
	schema = new_schema;
}

Oid
bulkpar_bookkeeping_schema(void)
{
	return schema;
}

/*
 * Become the owner of the tables, with a search_path that nobody can write
 * to, connect SPI and take a snapshot.  An error undoes
 * it with the (sub)transaction.
 */
void
bulkpar_bookkeeping_enter(BulkparBracket *bracket)
{
	Oid			relid = get_relname_relid("bulkpar_job", schema);
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the tables of extension \"bulkpar\" do not exist"),
				 errhint("The extension was dropped while a job was running.")));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);

	bracket->caller_context = CurrentMemoryContext;
	GetUserIdAndSecContext(&bracket->userid, &bracket->sec_context);
	SetUserIdAndSecContext(owner, bracket->sec_context |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
	bracket->nestlevel = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
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
		query->next = prepared;
		prepared = query;
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
	const char *prefix = quote_identifier(get_namespace_name(schema));
	StringInfoData buf;

	initStringInfo(&buf);
	for (; *sql != '\0'; sql++)
	{
		if (*sql == '@')
			appendStringInfo(&buf, "%s.", prefix);
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

ArrayType *
bulkpar_bookkeeping_array(const BulkparBracket *bracket, int number)
{
	bool		isnull;
	Datum		value = column(number, &isnull);
	MemoryContext oldcontext;
	ArrayType  *copy;

	if (isnull)
		return NULL;
	oldcontext = MemoryContextSwitchTo(bracket->caller_context);
	copy = DatumGetArrayTypePCopy(value);
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

/*
 * A function of ours that a query of the user's session calls.  There may be
 * others of its name in our schema, which would be a better match for the
 * arguments of a call; so it is found by just the types that it was made with,
 * and must be the one in our library that belongs to the extension.
 */
Oid
bulkpar_bookkeeping_function(const char *name, int nargs, const Oid *argtypes)
{
	HeapTuple	tuple = SearchSysCache3(PROCNAMEARGSNSP,
										CStringGetDatum(name),
										PointerGetDatum(buildoidvector(argtypes,
																	   nargs)),
										ObjectIdGetDatum(bulkpar_bookkeeping_schema()));
	Oid			function = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);

		if (form->prolang == ClanguageId &&
			is_in_library(tuple, name) &&
			getExtensionOfObject(ProcedureRelationId, form->oid) ==
			get_extension_oid("bulkpar", true))
			function = form->oid;
		ReleaseSysCache(tuple);
	}
	if (!OidIsValid(function))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function \"%s\" of extension \"bulkpar\" does not exist",
						name)));
	return function;
}

/*
 * Whether a C function is the one of that name in our library, whose path
 * differs with how the extension was installed.
 */
static bool
is_in_library(HeapTuple tuple, const char *name)
{
	bool		isnull;
	char	   *symbol;
	char	   *library;
	char	   *file;

	symbol = TextDatumGetCString(SysCacheGetAttr(PROCNAMEARGSNSP, tuple,
												 Anum_pg_proc_prosrc,
												 &isnull));
	library = TextDatumGetCString(SysCacheGetAttr(PROCNAMEARGSNSP, tuple,
												  Anum_pg_proc_probin,
												  &isnull));
	file = last_dir_separator(library);
	return strcmp(symbol, name) == 0 &&
		strcmp(file == NULL ? library : file + 1, BULKPAR_LIBRARY) == 0;
}
