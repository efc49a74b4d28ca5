/*-------------------------------------------------------------------------
 *
 * request.c
 *		The arguments of a call, read and described as a job.
 *
 * What is wrong with them by themselves is found here, the rest by check.c.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/request.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "bulkpar.h"
#include "call/lookup.h"
#include "call/parse.h"
#include "call/request.h"

/* What may be around an argument of type text. */
#define BLANKS " \t\n\r\f\v"

/* The arguments of a call, which are found by their names. */
typedef struct Arguments
{
	FunctionCallInfo fcinfo;
	int			count;
	char	  **names;
	Oid		   *types;
} Arguments;

static void read_arguments(FunctionCallInfo fcinfo,
						   Arguments *arguments);
static void read_what(const Arguments *arguments, BulkparJob *job);
static void read_targets(const Arguments *arguments, BulkparJob *job);
static void read_several(Datum argument, BulkparJob *job);
static void read_statement(const Arguments *arguments, BulkparJob *job);
static void read_set(const Arguments *arguments, BulkparJob *job);
static void read_columns(BulkparJob *job);
static void read_how(const Arguments *arguments, BulkparJob *job);
static void check_range(int value, int max, const char *name);
static int	find_parameter(const Arguments *arguments, const char *name);
static bool is_null(const Arguments *arguments, const char *name);
static Datum value(const Arguments *arguments, const char *name);
static char *read_text(const Arguments *arguments, const char *name);
static bool is_list_as_text(const Arguments *arguments, Oid target);
static char **read_list(const Arguments *arguments, const char *name,
						bool as_text, int *count);
static void check_text(const char *text, const char *name);
static void check_dimensions(const ArrayType *array, const char *name);
static void check_not_empty(int count, const char *name);
static void check_not_null(bool isnull, const char *name);

/*
 * Read the arguments of bulkpar_update, bulkpar_delete or bulkpar_execute into
 * a job, in the current memory context.
 */
BulkparJob *
bulkpar_request_read(FunctionCallInfo fcinfo, bool *wait)
{
	BulkparJob *job = palloc0(sizeof(BulkparJob));
	Arguments	arguments;

	read_arguments(fcinfo, &arguments);
	read_what(&arguments, job);
	read_how(&arguments, job);
	*wait = DatumGetBool(value(&arguments, "wait"));
	job->owner = GetUserId();

	/* A SECURITY DEFINER function is no SET ROLE, see identity.c. */
	job->session_role = InLocalUserIdChange() ? job->owner :
		GetSessionUserId();
	return job;
}

/* Read the arguments of bulkpar_resume but the first. */
void
bulkpar_request_read_resume(FunctionCallInfo fcinfo, BulkparJobChange *change,
							bool *wait)
{
	Arguments	arguments;

	read_arguments(fcinfo, &arguments);
	bulkpar_request_read_change(fcinfo, change);
	*wait = DatumGetBool(value(&arguments, "wait"));
}

/*
 * Read the arguments of a function that say how a job goes on.  What is to change
 * is 0 where the argument is null.
 */
void
bulkpar_request_read_change(FunctionCallInfo fcinfo, BulkparJobChange *change)
{
	Arguments	arguments;

	read_arguments(fcinfo, &arguments);
	memset(change, 0, sizeof(BulkparJobChange));
	if (!is_null(&arguments, "workers"))
	{
		change->workers = DatumGetInt32(value(&arguments, "workers"));
		check_range(change->workers, BULKPAR_MAX_WORKERS, "workers");
	}
	if (!is_null(&arguments, "batch_size"))
	{
		change->batch_size = DatumGetInt32(value(&arguments, "batch_size"));
		check_range(change->batch_size, BULKPAR_MAX_BATCH_SIZE, "batch_size");
	}
}

/* Find out what the arguments of the function are called. */
static void
read_arguments(FunctionCallInfo fcinfo, Arguments *arguments)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID,
										ObjectIdGetDatum(fcinfo->flinfo->fn_oid));
	char	   *modes;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u",
			 fcinfo->flinfo->fn_oid);
	arguments->fcinfo = fcinfo;
	arguments->count = get_func_arg_info(tuple, &arguments->types,
										 &arguments->names, &modes);
	ReleaseSysCache(tuple);
}

/* What is to be done: a statement, or its parts. */
static void
read_what(const Arguments *arguments, BulkparJob *job)
{
	bool		deletes;

	if (find_parameter(arguments, "statement") >= 0)
	{
		(void) value(arguments, "statement");
		job->statement = read_text(arguments, "statement");
		read_statement(arguments, job);
		return;
	}

	read_targets(arguments, job);
	deletes = find_parameter(arguments, "column_name") < 0;
	job->command = deletes ? BULKPAR_COMMAND_DELETE : BULKPAR_COMMAND_UPDATE;
	if (!deletes)
		read_set(arguments, job);
	job->condition = read_text(arguments, "condition");
	job->from_item = read_text(arguments,
							   deletes ? "using_item" : "from_item");
	if (job->condition != NULL)
		bulkpar_parse_expression(job->condition, deletes ?
								 "condition of the delete" :
								 "condition of the update");
	if (job->from_item != NULL)
		bulkpar_parse_from_item(job->from_item, deletes ?
								"USING item of the delete" :
								"FROM item of the update");
}

/* The table, or several. */
static void
read_targets(const Arguments *arguments, BulkparJob *job)
{
	char	   *text;

	if (find_parameter(arguments, "targets") >= 0)
	{
		read_several(value(arguments, "targets"), job);
		return;
	}
	job->target = DatumGetObjectId(value(arguments, "target"));
	if (arguments->types[find_parameter(arguments, "target")] != TEXTOID)
		return;
	text = read_text(arguments, "target");
	/* A list, as some client libraries send one: a name would be quoted. */
	if (text[strspn(text, BLANKS)] == '{')
		read_several(OidInputFunctionCall(F_ARRAY_IN, text, REGCLASSOID, -1),
					 job);
	else
		job->target =
			DatumGetObjectId(DirectFunctionCall1(regclassin,
												 CStringGetDatum(text)));
}

/* The elements of a regclass[]; one is as if it were given by itself. */
static void
read_several(Datum argument, BulkparJob *job)
{
	ArrayType  *array = DatumGetArrayTypeP(argument);
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	check_dimensions(array, "targets");
	deconstruct_array(array, REGCLASSOID, sizeof(Oid), true, TYPALIGN_INT,
					  &elements, &nulls, &count);
	check_not_empty(count, "targets");
	job->targets = palloc(sizeof(Oid) * count);
	for (int i = 0; i < count; i++)
	{
		check_not_null(nulls[i], "targets");
		job->targets[i] = DatumGetObjectId(elements[i]);
	}
	job->target = job->targets[0];
	if (count > 1)
		job->ntargets = count;
}

/* A statement as it was written. */
static void
read_statement(const Arguments *arguments, BulkparJob *job)
{
	Node	   *statement = bulkpar_parse_statement(job->statement);
	Oid			driving = InvalidOid;

	if (!is_null(arguments, "driving_table"))
		driving = DatumGetObjectId(value(arguments, "driving_table"));
	job->sees_batches = DatumGetBool(value(arguments, "sees_batches"));
	if (bulkpar_parse_target(statement) == NULL)
	{
		bulkpar_parse_driven(job, driving);
		return;
	}
	job->command = IsA(statement, DeleteStmt) ? BULKPAR_COMMAND_DELETE :
		BULKPAR_COMMAND_UPDATE;
	job->target = RangeVarGetRelid(bulkpar_parse_target(statement), NoLock,
								   false);
	job->column_names = bulkpar_parse_columns(statement, &job->ncolumns);
	job->only = !bulkpar_parse_target(statement)->inh;
	if (OidIsValid(driving) && driving != job->target)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be the table that the statement changes",
						"driving_table")));
}

/* The columns and their expressions. */
static void
read_set(const Arguments *arguments, BulkparJob *job)
{
	bool		as_text = is_list_as_text(arguments, job->target);

	job->column_names = read_list(arguments, "column_name", as_text,
								  &job->ncolumns);
	job->expressions = read_list(arguments, "expression", as_text,
								 &job->nexpressions);
	if (job->ncolumns != job->nexpressions)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("number of columns must match number of expressions"),
				 errdetail("There are %d columns and %d expressions.",
						   job->ncolumns, job->nexpressions)));
	for (int i = 0; i < job->nexpressions; i++)
		bulkpar_parse_expression(job->expressions[i],
								 psprintf("expression for column \"%s\"",
										  job->column_names[i]));
	read_columns(job);
}

/*
 * A text that is the name of a column as it stands is that column, whatever it
 * has in it; any other is taken as an UPDATE would take it.
 */
static void
read_columns(BulkparJob *job)
{
	char	  **targets = palloc(sizeof(char *) * job->ncolumns);
	bool		any_part = false;

	for (int i = 0; i < job->ncolumns; i++)
	{
		char	   *text = job->column_names[i];
		bool		whole = true;

		if (get_attnum(job->target, text) == InvalidAttrNumber)
			job->column_names[i] = bulkpar_parse_column(text, &whole);
		targets[i] = whole ?
			pstrdup(quote_identifier(job->column_names[i])) : text;
		any_part |= !whole;
	}
	if (any_part)
		job->column_targets = targets;
}

/* How it is to be done. */
static void
read_how(const Arguments *arguments, BulkparJob *job)
{
	char	   *on_error;

	job->batch_size = DatumGetInt32(value(arguments, "batch_size"));
	check_range(job->batch_size, BULKPAR_MAX_BATCH_SIZE,
				"batch_size");

	job->workers = bulkpar_workers;
	job->workers_chosen = is_null(arguments, "workers");
	if (!job->workers_chosen)
		job->workers = DatumGetInt32(value(arguments, "workers"));
	else if (job->workers == 0)
		job->workers = Min(Max(sysconf(_SC_NPROCESSORS_ONLN), 1),
						   BULKPAR_MAX_WORKERS);
	check_range(job->workers, BULKPAR_MAX_WORKERS, "workers");

	on_error = TextDatumGetCString(value(arguments, "on_error"));
	job->skip_errors = strcmp(on_error, "skip") == 0;
	if (!job->skip_errors && strcmp(on_error, "stop") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be \"stop\" or \"skip\"",
						"on_error")));
	job->max_errors = DatumGetInt64(value(arguments, "max_errors"));
	if (job->max_errors < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be negative",
						"max_errors")));

	job->name = read_text(arguments, "job_name");
	if (job->name != NULL && strlen(job->name) > BULKPAR_MAX_NAME)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be longer than %d bytes",
						"job_name", BULKPAR_MAX_NAME)));
	if (job->name != NULL && bulkpar_lookup_is_number(job->name))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be a number", "job_name"),
				 errdetail("Where a job can be named, a number is its job_id.")));
	job->once = DatumGetBool(value(arguments, "once"));
	if (job->once && job->name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" is only for a job with a name",
						"once"),
				 errhint("Give the job a name by the argument \"%s\".",
						 "job_name")));
	if (!is_null(arguments, "stripes"))
	{
		job->stripes = DatumGetInt32(value(arguments, "stripes"));
		check_range(job->stripes, BULKPAR_MAX_STRIPES,
					"stripes");
	}
	if (!is_null(arguments, "key_index"))
	{
		job->key_index = DatumGetObjectId(value(arguments, "key_index"));
		if (job->ntargets > 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("argument \"%s\" is only for one table",
							"key_index")));
		if (get_rel_name(job->key_index) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("index with OID %u does not exist",
							job->key_index)));
	}
	if (find_parameter(arguments, "skip_unchanged") >= 0)
		job->skip_unchanged = DatumGetBool(value(arguments,
												 "skip_unchanged"));
	job->sees_batches = DatumGetBool(value(arguments, "sees_batches"));
	if (job->skip_unchanged && job->command != BULKPAR_COMMAND_UPDATE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" is only for UPDATE",
						"skip_unchanged")));
}

/* Check a number that must be between 1 and max. */
static void
check_range(int value, int max, const char *name)
{
	if (value < 1 || value > max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be between 1 and %d",
						name, max)));
}

/* The number of an argument; -1 if the function does not have it. */
static int
find_parameter(const Arguments *arguments, const char *name)
{
	for (int i = 0; i < arguments->count; i++)
	{
		if (strcmp(arguments->names[i], name) == 0)
			return i;
	}
	return -1;
}

/* Whether the function lacks an argument or has got null for it. */
static bool
is_null(const Arguments *arguments, const char *name)
{
	int			number = find_parameter(arguments, name);

	return number < 0 || arguments->fcinfo->args[number].isnull;
}

/* The value of an argument that must not be null. */
static Datum
value(const Arguments *arguments, const char *name)
{
	if (is_null(arguments, name))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
	return arguments->fcinfo->args[find_parameter(arguments, name)].value;
}

/* A text argument; NULL for null. */
static char *
read_text(const Arguments *arguments, const char *name)
{
	char	   *string;

	if (is_null(arguments, name))
		return NULL;
	string = TextDatumGetCString(value(arguments, name));
	check_text(string, name);
	return string;
}

/*
 * Whether the columns are a list as a text, which is what some client libraries
 * make of one.  A column or an expression does not begin with a brace.
 */
static bool
is_list_as_text(const Arguments *arguments, Oid target)
{
	const char *text;

	if (arguments->types[find_parameter(arguments, "column_name")] != TEXTOID)
		return false;
	text = read_text(arguments, "column_name");
	return text != NULL && text[0] == '{' &&
		get_attnum(target, text) == InvalidAttrNumber;
}

/*
 * The strings of an argument of type text or text[], or of one that is the text
 * of a list.
 */
static char **
read_list(const Arguments *arguments, const char *name, bool as_text,
		  int *count)
{
	Datum		argument = value(arguments, name);
	Datum	   *elements = &argument;
	bool		not_null = false;
	bool	   *nulls = &not_null;
	char	  **strings;

	*count = 1;
	if (as_text)
		argument = OidInputFunctionCall(F_ARRAY_IN,
										read_text(arguments, name), TEXTOID,
										-1);
	if (as_text ||
		arguments->types[find_parameter(arguments, name)] == TEXTARRAYOID)
	{
		ArrayType  *array = DatumGetArrayTypeP(argument);

		check_dimensions(array, name);
		deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
						  &elements, &nulls, count);
	}
	check_not_empty(*count, name);

	strings = palloc(sizeof(char *) * *count);
	for (int i = 0; i < *count; i++)
	{
		check_not_null(nulls[i], name);
		strings[i] = TextDatumGetCString(elements[i]);
		check_text(strings[i], name);
	}
	return strings;
}

static void
check_text(const char *text, const char *name)
{
	check_not_empty(strlen(text) - strspn(text, BLANKS), name);
}

static void
check_dimensions(const ArrayType *array, const char *name)
{
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("argument \"%s\" must be a one-dimensional array",
						name)));
}

static void
check_not_empty(int count, const char *name)
{
	if (count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be empty", name)));
}

/* Check an element of an array. */
static void
check_not_null(bool isnull, const char *name)
{
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not contain nulls", name)));
}
