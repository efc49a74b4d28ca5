/*-------------------------------------------------------------------------
 *
 * request.c
 *		The arguments of a call: read, check, describe as a job.
 *
 * Everything that can be known to be wrong is found here, in the caller's
 * session and before any process is started: the values, the table, the
 * expressions, and the whole UPDATE as the workers will run it, up to the
 * point where it would begin to run.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/request.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "access/relation.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "bookkeeping.h"
#include "bulkpar.h"
#include "compat.h"
#include "key.h"
#include "request.h"
#include "settings.h"
#include "statement.h"
#include "stripe.h"
#include "subxact.h"
#include "target.h"

/* Which argument an expression is from, for messages. */
typedef struct ExpressionSource
{
	const char *text;
	const char *column_name;	/* NULL for the condition */
} ExpressionSource;

static void require(FunctionCallInfo fcinfo, int arg, const char *name);
static void check_text(const char *text, const char *name);
static char **read_list(FunctionCallInfo fcinfo, int arg, bool several,
						const char *name, int *count);
static void check_target(void *arg);
static char *read_text(FunctionCallInfo fcinfo, int arg, const char *name);
static void read_error_policy(FunctionCallInfo fcinfo, BulkparJob *job);
static void check_not_in_use(Oid relid);
static void check_table(Relation rel);
static void check_columns(Relation rel, const BulkparKey *key,
						  const BulkparJob *job);
static void check_expression(const ExpressionSource *source);
static SelectStmt *parse_expression(const char *text);
static bool is_one_expression(const SelectStmt *select);
static bool find_param(Node *node, void *context);
static void expression_error_context(void *arg);
static void append_json(StringInfo buf, const char *name, const char *value);
static void append_json_list(StringInfo buf, const char *name, char **values,
							 int count);

/*
 * Read the arguments of bulkpar_update into a job, in the current memory
 * context: target, column_name, expression, batch_size, workers, condition,
 * wait (not read here), on_error, max_errors, job_name, stripes; column_name
 * and expression are arrays if several.
 */
BulkparJob *
bulkpar_request_read(FunctionCallInfo fcinfo, bool several)
{
	BulkparJob *job = palloc0(sizeof(BulkparJob));
	int			nexpressions;

	require(fcinfo, 0, "target");
	require(fcinfo, 1, "column_name");
	require(fcinfo, 2, "expression");
	require(fcinfo, 3, "batch_size");

	job->target = PG_GETARG_OID(0);
	job->column_names = read_list(fcinfo, 1, several, "column_name",
								  &job->ncolumns);
	job->expressions = read_list(fcinfo, 2, several, "expression",
								 &nexpressions);
	if (job->ncolumns != nexpressions)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("number of columns must match number of expressions"),
				 errdetail("There are %d columns and %d expressions.",
						   job->ncolumns, nexpressions)));

	job->batch_size = PG_GETARG_INT32(3);
	bulkpar_request_check_range(job->batch_size, BULKPAR_MAX_BATCH_SIZE,
								"batch_size");

	job->workers = PG_ARGISNULL(4) ? bulkpar_workers : PG_GETARG_INT32(4);
	if (PG_ARGISNULL(4) && job->workers == 0)
		job->workers = Min(Max(sysconf(_SC_NPROCESSORS_ONLN), 1),
						   BULKPAR_MAX_WORKERS);
	bulkpar_request_check_range(job->workers, BULKPAR_MAX_WORKERS, "workers");

	job->condition = read_text(fcinfo, 5, "condition");
	read_error_policy(fcinfo, job);
	job->name = read_text(fcinfo, 9, "job_name");
	if (!PG_ARGISNULL(10))
	{
		job->stripes = PG_GETARG_INT32(10);
		bulkpar_request_check_range(job->stripes, BULKPAR_MAX_STRIPES,
									"stripes");
	}
	job->owner = GetUserId();
	return job;
}

/* Check a number that must be between 1 and max. */
void
bulkpar_request_check_range(int value, int max, const char *name)
{
	if (value < 1 || value > max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be between 1 and %d",
						name, max)));
}

/* Whether two jobs do the same to the same rows. */
bool
bulkpar_request_same_work(const BulkparJob *a, const BulkparJob *b)
{
	if (a->target != b->target || a->ncolumns != b->ncolumns)
		return false;
	for (int i = 0; i < a->ncolumns; i++)
	{
		if (strcmp(a->column_names[i], b->column_names[i]) != 0 ||
			strcmp(a->expressions[i], b->expressions[i]) != 0)
			return false;
	}
	if (a->condition == NULL || b->condition == NULL)
		return a->condition == b->condition;
	return strcmp(a->condition, b->condition) == 0;
}

/*
 * Check a job against the database and complete it with its key index and
 * settings, in the current memory context.  No lock on the target stays
 * behind.
 */
void
bulkpar_request_check(BulkparJob *job)
{
	check_not_in_use(job->target);
	bulkpar_subxact_run(check_target, job);
}

/* The job as JSON, for bulkpar_job_insert. */
char *
bulkpar_request_serialize(const BulkparJob *job)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "{\"owner\": \"%u\", \"target\": \"%u\", "
					 "\"key_index\": \"%u\", \"batch_size\": %d, "
					 "\"workers\": %d, \"on_error\": \"%s\", "
					 "\"max_errors\": " INT64_FORMAT,
					 job->owner, job->target, job->key_index,
					 job->batch_size, job->workers,
					 job->skip_errors ? "skip" : "stop", job->max_errors);
	if (job->stripes != 0)
		appendStringInfo(&buf, ", \"stripes\": %d", job->stripes);
	appendStringInfoString(&buf, ", ");
	append_json(&buf, "key_order", job->key_order);
	append_json_list(&buf, "column_names", job->column_names, job->ncolumns);
	append_json_list(&buf, "expressions", job->expressions, job->ncolumns);
	if (job->condition != NULL)
	{
		appendStringInfoString(&buf, ", ");
		append_json(&buf, "condition", job->condition);
	}
	if (job->name != NULL)
	{
		appendStringInfoString(&buf, ", ");
		append_json(&buf, "job_name", job->name);
	}
	appendStringInfoString(&buf, ", \"settings\": {");
	for (int i = 0; i < job->nsettings; i++)
	{
		if (i > 0)
			appendStringInfoString(&buf, ", ");
		append_json(&buf, job->setting_names[i], job->setting_values[i]);
	}
	appendStringInfoString(&buf, "}}");
	return buf.data;
}

static void
require(FunctionCallInfo fcinfo, int arg, const char *name)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
}

static void
check_text(const char *text, const char *name)
{
	if (text[strspn(text, " \t\n\r\f\v")] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be empty", name)));
}

/* The strings of a text argument, or of a text[] argument if several. */
static char **
read_list(FunctionCallInfo fcinfo, int arg, bool several, const char *name,
		  int *count)
{
	Datum	   *elements;
	bool	   *nulls;
	char	  **strings;

	if (several)
	{
		ArrayType  *array = PG_GETARG_ARRAYTYPE_P(arg);

		if (ARR_NDIM(array) > 1)
			ereport(ERROR,
					(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
					 errmsg("argument \"%s\" must be a one-dimensional array",
							name)));
		deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
						  &elements, &nulls, count);
	}
	else
	{
		elements = &fcinfo->args[arg].value;
		nulls = &fcinfo->args[arg].isnull;
		*count = 1;
	}
	if (*count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be empty", name)));

	strings = palloc(sizeof(char *) * *count);
	for (int i = 0; i < *count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not contain nulls", name)));
		strings[i] = TextDatumGetCString(elements[i]);
		check_text(strings[i], name);
	}
	return strings;
}

/* A text argument that may be null. */
static char *
read_text(FunctionCallInfo fcinfo, int arg, const char *name)
{
	char	   *value;

	if (PG_ARGISNULL(arg))
		return NULL;
	value = text_to_cstring(PG_GETARG_TEXT_PP(arg));
	check_text(value, name);
	return value;
}

static void
read_error_policy(FunctionCallInfo fcinfo, BulkparJob *job)
{
	char	   *on_error;

	require(fcinfo, 7, "on_error");
	require(fcinfo, 8, "max_errors");

	on_error = text_to_cstring(PG_GETARG_TEXT_PP(7));
	job->skip_errors = strcmp(on_error, "skip") == 0;
	if (!job->skip_errors && strcmp(on_error, "stop") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be \"stop\" or \"skip\"",
						"on_error")));

	job->max_errors = PG_GETARG_INT64(8);
	if (job->max_errors < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be negative",
						"max_errors")));
}

/*
 * While this session waits for the workers it must not hold a lock that they
 * might come to wait for: nobody would see that deadlock.
 */
static void
check_not_in_use(Oid relid)
{
	LOCKTAG		tag;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, relid);
	for (LOCKMODE mode = AccessShareLock; mode <= AccessExclusiveLock; mode++)
	{
		if (bulkpar_compat_lock_held_by_me(&tag, mode))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("cannot update \"%s\" in batches because this session holds a lock on it",
							get_rel_name(relid)),
					 errhint("Call the function in a statement of its own that does not use the table.")));
	}
}

/* Check what needs a lock on the target, and choose the key index. */
static void
check_target(void *arg)
{
	BulkparJob *job = arg;
	Relation	rel;
	BulkparKey *key;
	BulkparShape shape;

	rel = try_relation_open(job->target, AccessShareLock);
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", job->target)));
	check_table(rel);

	job->key_index = bulkpar_key_choose(rel);
	if (!OidIsValid(job->key_index))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has no unique index to follow",
						RelationGetRelationName(rel)),
				 errdetail("A job goes through its table in the order of the primary key, or of another unique index on NOT NULL columns without expressions or a WHERE clause."),
				 errhint("Add a primary key, or use CREATE UNIQUE INDEX CONCURRENTLY on columns that are NOT NULL.")));
	key = bulkpar_key_describe(rel, job->key_index);
	job->key_order = bulkpar_key_order(key);

	if (job->stripes > 1 && !bulkpar_stripe_possible(key))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the key of table \"%s\" cannot be hashed, as more than one stripe needs",
						RelationGetRelationName(rel)),
				 errdetail("The job follows the order %s.", job->key_order)));

	check_columns(rel, key, job);
	for (int i = 0; i < job->ncolumns; i++)
	{
		ExpressionSource source = {job->expressions[i], job->column_names[i]};

		check_expression(&source);
	}
	if (job->condition != NULL)
	{
		ExpressionSource source = {job->condition, NULL};

		check_expression(&source);
	}

	SPI_connect();
	shape = bulkpar_key_usual_shape(key);
	bulkpar_statement_check(bulkpar_statement_collect(rel, key, &shape),
							job->target, key);
	bulkpar_statement_check(bulkpar_statement_update(rel, key, job, &shape),
							job->target, key);
	SPI_finish();
	relation_close(rel, NoLock);

	bulkpar_settings_collect(job);
}

/* Reject everything but a plain table that stands on its own. */
static void
check_table(Relation rel)
{
	const char *name = RelationGetRelationName(rel);
	Oid			relid = RelationGetRelid(rel);

	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("partitioned table \"%s\" is not supported yet", name),
				 errhint("Call the function for each partition.")));
	if (rel->rd_rel->relkind != RELKIND_RELATION)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", name),
				 errdetail_relkind_not_supported(rel->rd_rel->relkind)));
	if (IsSystemRelation(rel))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied: \"%s\" is a system catalog",
						name)));
	if (relid == get_relname_relid("bulkpar_job", bulkpar_bookkeeping_schema()) ||
		relid == get_relname_relid("bulkpar_chunk", bulkpar_bookkeeping_schema()) ||
		relid == get_relname_relid("bulkpar_error", bulkpar_bookkeeping_schema()))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" of extension bulkpar is not supported",
						name)));
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("temporary table \"%s\" is not supported", name),
				 errdetail("Background workers cannot see the temporary tables of another session.")));
	if (find_inheritance_children(relid, NoLock) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" with inheritance children is not supported yet",
						name),
				 errhint("Call the function for each child that has no children.")));
	bulkpar_target_check_rules(rel);
}

/*
 * A job cannot change the key that it follows.  All else that can be wrong
 * with a column is found with the whole statement, but for a name so long
 * that the parser would make another of it.
 */
static void
check_columns(Relation rel, const BulkparKey *key, const BulkparJob *job)
{
	for (int i = 0; i < job->ncolumns; i++)
	{
		AttrNumber	attnum = get_attnum(RelationGetRelid(rel),
										job->column_names[i]);

		if (attnum == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of relation \"%s\" does not exist",
							job->column_names[i],
							RelationGetRelationName(rel))));
		if (bulkpar_key_has_column(key, attnum))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot update key column \"%s\" of table \"%s\" in batches",
							job->column_names[i],
							RelationGetRelationName(rel)),
					 errdetail("The job follows the order of index \"%s\".",
							   get_rel_name(key->index))));
	}
}

/*
 * Check that a text is one expression, and that it stays one between
 * parentheses: a comment at its end would swallow the second one.
 */
static void
check_expression(const ExpressionSource *source)
{
	ErrorContextCallback callback;
	SelectStmt *select;

	callback.callback = expression_error_context;
	callback.arg = (void *) source;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	select = parse_expression(source->text);
	if (!is_one_expression(select))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("\"%s\" is not a single expression", source->text)));
	(void) parse_expression(psprintf("(%s)", source->text));
	if (find_param((Node *) select, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_PARAMETER),
				 errmsg("parameters such as $1 are not allowed here")));

	error_context_stack = callback.previous;
}

static SelectStmt *
parse_expression(const char *text)
{
	List	   *trees = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);

	return castNode(SelectStmt, linitial_node(RawStmt, trees)->stmt);
}

/* Whether a SELECT is nothing but one unnamed target. */
static bool
is_one_expression(const SelectStmt *select)
{
	ResTarget  *target;

	if (list_length(select->targetList) != 1 ||
		select->distinctClause != NIL || select->intoClause != NULL ||
		select->fromClause != NIL || select->whereClause != NULL ||
		select->groupClause != NIL || select->havingClause != NULL ||
		select->windowClause != NIL || select->sortClause != NIL ||
		select->limitOffset != NULL || select->limitCount != NULL ||
		select->lockingClause != NIL || select->op != SETOP_NONE)
		return false;
	target = linitial_node(ResTarget, select->targetList);
	if (target->name != NULL)
		return false;
	return !(IsA(target->val, ColumnRef) &&
			 IsA(llast(((ColumnRef *) target->val)->fields), A_Star));
}

static bool
find_param(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, ParamRef))
		return true;
	return raw_expression_tree_walker(node, find_param, context);
}

/* Error context: show the expression, with the position in it if known. */
static void
expression_error_context(void *arg)
{
	const ExpressionSource *source = arg;
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(source->text);
	}
	if (source->column_name != NULL)
		errcontext("expression for column \"%s\"", source->column_name);
	else
		errcontext("condition of the update");
}

static void
append_json(StringInfo buf, const char *name, const char *value)
{
	escape_json(buf, name);
	appendStringInfoString(buf, ": ");
	escape_json(buf, value);
}

static void
append_json_list(StringInfo buf, const char *name, char **values, int count)
{
	appendStringInfo(buf, ", \"%s\": [", name);
	for (int i = 0; i < count; i++)
	{
		if (i > 0)
			appendStringInfoString(buf, ", ");
		escape_json(buf, values[i]);
	}
	appendStringInfoChar(buf, ']');
}
