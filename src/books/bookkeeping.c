/*-------------------------------------------------------------------------
 *
 * bookkeeping.c
 *		How the SQL on the tables of bulkpar is run.
 *
 * The statements are in the other files of this folder, and in measure.c.  Each
 * runs as the owner of the tables, for the role whose job it is has no rights
 * on them.  The process is that owner only from enter to leave, and never at a
 * COMMIT, where deferred triggers of the user would run.
 *
 * The texts name the tables, and a plan is made anew from the text whenever
 * something has changed.  So before each statement the tables are locked, and
 * books.c says that the names are still those of our tables, that nobody but
 * their owner can take these names, and that no code of others hangs on them.
 * There the search_path is one that nobody else can put objects into, and all
 * values are parameters.
 *
 * Arguments and columns are found by their names and have one type each: what
 * does not fit is an error and never read as something else.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/bookkeeping.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "books/argument.h"
#include "books/bookkeeping.h"
#include "books/books.h"
#include "session/process.h"

static void prepare(BulkparBookkeeping *books, BulkparQuery *query);
static char *expand(const char *sql, char **names, int *count);
static int	number_of(const char *name, int length, char **names, int *count);
static BulkparArgument *find_argument(BulkparBookkeeping *books,
									  const char *name);

/*
 * Until AtEOXact_GUC(true, result), or the end of the (sub)transaction, find
 * nothing by its name but in pg_catalog, where nobody can put anything.
 */
int
bulkpar_bookkeeping_safe_path(void)
{
	int			nestlevel = NewGUCNestLevel();

	bulkpar_process_set_locally("search_path", "pg_catalog, pg_temp");
	return nestlevel;
}

/*
 * Lock the tables to the end of the (sub)transaction, become their owner, with
 * a search_path that nobody can write to, connect SPI and take a snapshot.
 * Must be called in a transaction, and not twice before leave.
 *
 * What is allocated from here to leave goes with it; results are copied to the
 * context that is current now.  An error, which tables that cannot be trusted
 * are as well, undoes it all with the (sub)transaction.
 */
void
bulkpar_bookkeeping_enter(BulkparBookkeeping *books)
{
	Oid			owner = bulkpar_books_open();

	books->caller_context = CurrentMemoryContext;
	books->narguments = 0;
	books->result = NULL;
	books->row = 0;
	GetUserIdAndSecContext(&books->userid, &books->sec_context);
	SetUserIdAndSecContext(owner, books->sec_context |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
	books->nestlevel = bulkpar_bookkeeping_safe_path();
	SPI_connect();
	PushActiveSnapshot(GetLatestSnapshot());
}

/* The same, for statements on one job, whose argument is "job_id". */
void
bulkpar_bookkeeping_enter_job(BulkparBookkeeping *books, int64 job_id)
{
	bulkpar_bookkeeping_enter(books);
	bulkpar_argument_int64(books, "job_id", job_id);
}

/*
 * Run a statement, between enter and leave, with those of the arguments that it
 * names.  Returns the number of rows, the first of which column.c reads.  The
 * query is a static variable of the caller.
 */
uint64
bulkpar_bookkeeping_run(BulkparBookkeeping *books, BulkparQuery *query)
{
	Datum		values[BULKPAR_MAX_ARGUMENTS];
	char		nulls[BULKPAR_MAX_ARGUMENTS];
	int			result;

	if (query->plan == NULL)
		prepare(books, query);
	for (int i = 0; i < query->nparameters; i++)
	{
		BulkparArgument *argument = find_argument(books, query->names[i]);

		if (argument->type != query->types[i])
			elog(ERROR, "argument \"%s\" has another type than before: %s",
				 argument->name, query->sql);
		values[i] = argument->value;
		nulls[i] = argument->isnull ? 'n' : ' ';
		argument->used = true;
	}
	result = SPI_execute_plan(query->plan, values, nulls, query->read_only, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s",
			 SPI_result_code_string(result));
	books->result = SPI_tuptable;
	books->row = 0;
	return SPI_processed;
}

/*
 * Between enter and leave: plan a statement, with the types of the arguments, so
 * that it takes less time to run it later.
 */
void
bulkpar_bookkeeping_plan(BulkparBookkeeping *books, BulkparQuery *query)
{
	List	   *sources;

	if (query->plan == NULL)
		prepare(books, query);
	for (int i = 0; i < query->nparameters; i++)
		find_argument(books, query->names[i])->used = true;
	sources = SPI_plan_get_plan_sources(query->plan);
	ReleaseCachedPlan(GetCachedPlan(linitial(sources), NULL, NULL, NULL), NULL);
}

/* Between enter and leave: let what follows see what has committed by now. */
void
bulkpar_bookkeeping_see_latest(void)
{
	PopActiveSnapshot();
	PushActiveSnapshot(GetLatestSnapshot());
}

/* Let column.c read another row of the result, counted from 0. */
void
bulkpar_bookkeeping_look_at(BulkparBookkeeping *books, uint64 row)
{
	books->row = row;
}

/*
 * Undo bulkpar_bookkeeping_enter; the locks on the tables stay.  An argument
 * that no statement has named is an error: its value is nowhere.
 */
void
bulkpar_bookkeeping_leave(const BulkparBookkeeping *books)
{
	for (int i = 0; i < books->narguments; i++)
	{
		if (!books->arguments[i].used)
			elog(ERROR, "no statement has used argument \"%s\"",
				 books->arguments[i].name);
	}
	PopActiveSnapshot();
	SPI_finish();
	AtEOXact_GUC(true, books->nestlevel);
	SetUserIdAndSecContext(books->userid, books->sec_context);
}

/*
 * Prepare a statement for this process, with the types of the arguments.  It is
 * planned once: what is best depends on no value, and a short job would spend
 * more on other plans than on all that they do.
 */
static void
prepare(BulkparBookkeeping *books, BulkparQuery *query)
{
	char	   *names[BULKPAR_MAX_ARGUMENTS];
	int			count = 0;
	char	   *sql = expand(query->sql, names, &count);
	SPIPlanPtr	plan;

	for (int i = 0; i < count; i++)
		query->types[i] = find_argument(books, names[i])->type;
	plan = SPI_prepare_cursor(sql, count, query->types,
							  CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare_cursor failed: %s",
			 SPI_result_code_string(SPI_result));
	for (int i = 0; i < count; i++)
		query->names[i] = MemoryContextStrdup(TopMemoryContext, names[i]);
	query->nparameters = count;
	SPI_keepplan(plan);
	query->plan = plan;
}

/*
 * Replace each @ by the schema's name and a dot, and each $name by the number
 * of that name, which is added to the names when it comes for the first time.
 */
static char *
expand(const char *sql, char **names, int *count)
{
	StringInfoData buf;
	bool		quoted = false;

	initStringInfo(&buf);
	while (*sql != '\0')
	{
		if (*sql == '\'')
			quoted = !quoted;
		if (!quoted && *sql == '@')
			appendStringInfoString(&buf, BULKPAR_SCHEMA ".");
		else if (!quoted && *sql == '$')
		{
			int			length = strspn(sql + 1, "abcdefghijklmnopqrstuvwxyz_");

			appendStringInfo(&buf, "$%d",
							 number_of(sql + 1, length, names, count));
			sql += length;
		}
		else
			appendStringInfoChar(&buf, *sql);
		sql++;
	}
	return buf.data;
}

/* The number of a parameter of a statement, from 1 on. */
static int
number_of(const char *name, int length, char **names, int *count)
{
	for (int i = 0; i < *count; i++)
	{
		if (strncmp(names[i], name, length) == 0 && names[i][length] == '\0')
			return i + 1;
	}
	if (*count == BULKPAR_MAX_ARGUMENTS)
		elog(ERROR, "too many arguments");
	names[*count] = pnstrdup(name, length);
	return ++* count;
}

static BulkparArgument *
find_argument(BulkparBookkeeping *books, const char *name)
{
	for (int i = 0; i < books->narguments; i++)
	{
		if (strcmp(books->arguments[i].name, name) == 0)
			return &books->arguments[i];
	}
	elog(ERROR, "there is no argument \"%s\"", name);
}
