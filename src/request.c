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
#include "access/table.h"
#include "access/sysattr.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "bookkeeping.h"
#include "bulkpar.h"
#include "compat.h"
#include "key.h"
#include "parse.h"
#include "request.h"
#include "settings.h"
#include "statement.h"
#include "stripe.h"
#include "subxact.h"
#include "target.h"

/* The arguments of a call, which are found by their names. */
typedef struct Arguments
{
	FunctionCallInfo fcinfo;
	int			count;
	char	  **names;
	Oid		   *types;
} Arguments;

static void read_what(const Arguments *arguments, BulkparJob *job);
static void read_set(const Arguments *arguments, BulkparJob *job);
static void read_how(const Arguments *arguments, BulkparJob *job);
static int	find(const Arguments *arguments, const char *name);
static bool is_null(const Arguments *arguments, const char *name);
static Datum value(const Arguments *arguments, const char *name);
static char *read_text(const Arguments *arguments, const char *name);
static char **read_list(const Arguments *arguments, const char *name,
						int *count);
static void check_text(const char *text, const char *name);
static bool same_text(const char *a, const char *b);
static void check_target(void *arg);
static void check_not_in_use(const BulkparJob *job);
static void check_table(Relation rel, const BulkparJob *job);
static void find_parts(Relation rel, BulkparJob *job);
static void check_partition_key(Oid relid, const BulkparJob *job);
static void check_part(Relation rel, BulkparJob *job, BulkparPart *part,
					   bool first);
static Oid	named_index(Relation rel, Oid named);
static void choose_key(Relation rel, const BulkparJob *job,
					   BulkparPart *part);
static void check_columns(Relation rel, const BulkparKey *key,
						  const BulkparJob *job);
static void append_json(StringInfo buf, const char *name, const char *value);
static void append_json_list(StringInfo buf, const char *name, char **values,
							 int count);

/*
 * Read the arguments of bulkpar_update, bulkpar_delete or bulkpar_execute into
 * a job, in the current memory context.
 */
BulkparJob *
bulkpar_request_read(FunctionCallInfo fcinfo, bool *wait)
{
	BulkparJob *job = palloc0(sizeof(BulkparJob));
	HeapTuple	tuple = SearchSysCache1(PROCOID,
										ObjectIdGetDatum(fcinfo->flinfo->fn_oid));
	Arguments	arguments = {.fcinfo = fcinfo};
	char	   *modes;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u",
			 fcinfo->flinfo->fn_oid);
	arguments.count = get_func_arg_info(tuple, &arguments.types,
										&arguments.names, &modes);
	ReleaseSysCache(tuple);

	read_what(&arguments, job);
	read_how(&arguments, job);
	*wait = DatumGetBool(value(&arguments, "wait"));
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
	if (a->target != b->target || a->skip_unchanged != b->skip_unchanged ||
		a->ncolumns != b->ncolumns || a->nexpressions != b->nexpressions ||
		!same_text(a->statement, b->statement) ||
		!same_text(a->condition, b->condition) ||
		!same_text(a->from_item, b->from_item))
		return false;
	for (int i = 0; i < a->ncolumns; i++)
	{
		if (strcmp(a->column_names[i], b->column_names[i]) != 0)
			return false;
	}
	for (int i = 0; i < a->nexpressions; i++)
	{
		if (strcmp(a->expressions[i], b->expressions[i]) != 0)
			return false;
	}
	return true;
}

static bool
same_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

/*
 * Check a job against the database and complete it with its key index and
 * settings, in the current memory context.  No lock on the target stays
 * behind.
 */
void
bulkpar_request_check(BulkparJob *job)
{
	check_not_in_use(job);
	bulkpar_subxact_run(check_target, job);
}

/* The job as JSON, for bulkpar_job_insert. */
char *
bulkpar_request_serialize(const BulkparJob *job)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "{\"owner\": \"%u\", \"target\": \"%u\", "
					 "\"only_target\": %s, \"batch_size\": %d, "
					 "\"workers\": %d, \"on_error\": \"%s\", "
					 "\"max_errors\": " INT64_FORMAT ", \"skip_unchanged\": %s",
					 job->owner, job->target, job->only ? "true" : "false",
					 job->batch_size, job->workers,
					 job->skip_errors ? "skip" : "stop", job->max_errors,
					 job->skip_unchanged ? "true" : "false");
	if (job->stripes != 0)
		appendStringInfo(&buf, ", \"stripes\": %d", job->stripes);
	if (OidIsValid(job->key_index))
		appendStringInfo(&buf, ", \"key_index\": \"%u\"", job->key_index);
	appendStringInfoString(&buf, ", \"parts\": [");
	for (int i = 0; i < job->nparts; i++)
	{
		appendStringInfo(&buf, "%s{\"relation\": %u, \"key_index\": %u",
						 i > 0 ? ", " : "", job->parts[i].relid,
						 job->parts[i].key_index);
		append_json(&buf, "key_order", job->parts[i].key_order);
		appendStringInfoChar(&buf, '}');
	}
	appendStringInfoChar(&buf, ']');
	append_json_list(&buf, "column_names", job->column_names, job->ncolumns);
	append_json_list(&buf, "expressions", job->expressions,
					 job->nexpressions);
	appendStringInfo(&buf, ", \"deletes\": %s",
					 job->deletes ? "true" : "false");
	append_json(&buf, "statement", job->statement);
	append_json(&buf, "condition", job->condition);
	append_json(&buf, "from_item", job->from_item);
	append_json(&buf, "job_name", job->name);
	appendStringInfoString(&buf, ", \"settings\": {");
	for (int i = 0; i < job->nsettings; i++)
	{
		appendStringInfoString(&buf, i > 0 ? ", " : "");
		escape_json(&buf, job->setting_names[i]);
		appendStringInfoString(&buf, ": ");
		escape_json(&buf, job->setting_values[i]);
	}
	appendStringInfoString(&buf, "}}");
	return buf.data;
}

/* What is to be done: a statement, or its parts. */
static void
read_what(const Arguments *arguments, BulkparJob *job)
{
	if (find(arguments, "statement") >= 0)
	{
		Node	   *statement;

		(void) value(arguments, "statement");
		job->statement = read_text(arguments, "statement");
		statement = bulkpar_parse_statement(job->statement);
		job->target = RangeVarGetRelid(bulkpar_parse_target(statement),
									   NoLock, false);
		job->column_names = bulkpar_parse_columns(statement, &job->ncolumns);
		job->deletes = IsA(statement, DeleteStmt);
		job->only = !bulkpar_parse_target(statement)->inh;
		return;
	}

	job->target = DatumGetObjectId(value(arguments, "target"));
	if (arguments->types[find(arguments, "target")] == TEXTOID)
		job->target =
			DatumGetObjectId(DirectFunctionCall1(regclassin,
												 CStringGetDatum(read_text(arguments, "target"))));
	job->deletes = find(arguments, "column_name") < 0;
	if (!job->deletes)
		read_set(arguments, job);
	job->condition = read_text(arguments, "condition");
	job->from_item = read_text(arguments,
							   job->deletes ? "using_item" : "from_item");
	if (job->condition != NULL)
		bulkpar_parse_expression(job->condition, job->deletes ?
								 "condition of the delete" :
								 "condition of the update");
	if (job->from_item != NULL)
		bulkpar_parse_from_item(job->from_item, job->deletes ?
								"USING item of the delete" :
								"FROM item of the update");
}

/* The columns and their expressions. */
static void
read_set(const Arguments *arguments, BulkparJob *job)
{
	job->column_names = read_list(arguments, "column_name", &job->ncolumns);
	job->expressions = read_list(arguments, "expression",
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
}

/* How it is to be done. */
static void
read_how(const Arguments *arguments, BulkparJob *job)
{
	char	   *on_error;

	job->batch_size = DatumGetInt32(value(arguments, "batch_size"));
	bulkpar_request_check_range(job->batch_size, BULKPAR_MAX_BATCH_SIZE,
								"batch_size");

	job->workers = bulkpar_workers;
	if (!is_null(arguments, "workers"))
		job->workers = DatumGetInt32(value(arguments, "workers"));
	else if (job->workers == 0)
		job->workers = Min(Max(sysconf(_SC_NPROCESSORS_ONLN), 1),
						   BULKPAR_MAX_WORKERS);
	bulkpar_request_check_range(job->workers, BULKPAR_MAX_WORKERS, "workers");

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
	if (!is_null(arguments, "stripes"))
	{
		job->stripes = DatumGetInt32(value(arguments, "stripes"));
		bulkpar_request_check_range(job->stripes, BULKPAR_MAX_STRIPES,
									"stripes");
	}
	if (!is_null(arguments, "key_index"))
	{
		job->key_index = DatumGetObjectId(value(arguments, "key_index"));
		if (get_rel_name(job->key_index) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("index with OID %u does not exist",
							job->key_index)));
	}
	if (find(arguments, "skip_unchanged") >= 0)
		job->skip_unchanged = DatumGetBool(value(arguments,
												 "skip_unchanged"));
	if (job->skip_unchanged && job->deletes)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" is only for UPDATE",
						"skip_unchanged")));
}

/* The number of an argument; -1 if the function does not have it. */
static int
find(const Arguments *arguments, const char *name)
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
	int			number = find(arguments, name);

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
	return arguments->fcinfo->args[find(arguments, name)].value;
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

/* The strings of an argument of type text or text[]. */
static char **
read_list(const Arguments *arguments, const char *name, int *count)
{
	Datum		argument = value(arguments, name);
	Datum	   *elements = &argument;
	bool		not_null = false;
	bool	   *nulls = &not_null;
	char	  **strings;

	*count = 1;
	if (arguments->types[find(arguments, name)] == TEXTARRAYOID)
	{
		ArrayType  *array = DatumGetArrayTypeP(argument);

		if (ARR_NDIM(array) > 1)
			ereport(ERROR,
					(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
					 errmsg("argument \"%s\" must be a one-dimensional array",
							name)));
		deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
						  &elements, &nulls, count);
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

static void
check_text(const char *text, const char *name)
{
	if (text[strspn(text, " \t\n\r\f\v")] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be empty", name)));
}

/*
 * While this session waits for the workers it must not hold a lock that they
 * might come to wait for: nobody would see that deadlock.
 */
static void
check_not_in_use(const BulkparJob *job)
{
	LOCKTAG		tag;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, job->target);
	for (LOCKMODE mode = AccessShareLock; mode <= AccessExclusiveLock; mode++)
	{
		if (bulkpar_compat_lock_held_by_me(&tag, mode))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("cannot %s \"%s\" in batches because this session holds a lock on it",
							job->deletes ? "delete from" : "update",
							get_rel_name(job->target)),
					 errhint("Call the function in a statement of its own that does not use the table.")));
	}
}

/* Check what needs a lock on the target, and find its parts and their keys. */
static void
check_target(void *arg)
{
	BulkparJob *job = arg;
	Relation	rel;

	rel = try_relation_open(job->target, AccessShareLock);
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", job->target)));
	check_table(rel, job);
	find_parts(rel, job);
	for (int i = 0; i < job->nparts; i++)
		check_part(rel, job, &job->parts[i], i == 0);
	relation_close(rel, NoLock);

	bulkpar_settings_collect(job);
}

/*
 * The tables that the job goes through: the target itself, or where it has
 * partitions or children those of them that have rows.
 */
static void
find_parts(Relation rel, BulkparJob *job)
{
	List	   *relids = list_make1_oid(job->target);
	ListCell   *lc;

	if (!job->only)
		relids = find_all_inheritors(job->target, AccessShareLock, NULL);
	job->only = list_length(relids) == 1 && linitial_oid(relids) == job->target;
	job->parts = palloc0(sizeof(BulkparPart) * list_length(relids));
	foreach(lc, relids)
	{
		Oid			relid = lfirst_oid(lc);
		char		relkind = get_rel_relkind(relid);

		if (relkind == RELKIND_FOREIGN_TABLE)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("table \"%s\" has the foreign partition or child \"%s\"",
							RelationGetRelationName(rel),
							get_rel_name(relid)),
					 errhint("Call the function for each of the others, and change the foreign table on its own server.")));
		if (relkind == RELKIND_PARTITIONED_TABLE)
			check_partition_key(relid, job);
		else
			job->parts[job->nparts++].relid = relid;
	}
	if (job->nparts == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("partitioned table \"%s\" has no partitions",
						RelationGetRelationName(rel))));
}

/* A row that moves to a partition that is still to come would be changed again. */
static void
check_partition_key(Oid relid, const BulkparJob *job)
{
	Relation	rel = table_open(relid, NoLock);

	for (int i = 0; i < job->ncolumns; i++)
	{
		AttrNumber	attnum = get_attnum(relid, job->column_names[i]);
		Bitmapset  *attnums;
		bool		in_expression;

		if (attnum == InvalidAttrNumber)
			continue;
		attnums = bms_make_singleton(attnum - FirstLowInvalidHeapAttributeNumber);
		if (has_partition_attrs(rel, attnums, &in_expression))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot update column \"%s\" in batches because it is in the partition key of table \"%s\"",
							job->column_names[i],
							RelationGetRelationName(rel)),
					 errdetail("A row that moves to another partition might be updated twice.")));
	}
	table_close(rel, NoLock);
}

/* Check a part, and with the first one the statements. */
static void
check_part(Relation rel, BulkparJob *job, BulkparPart *part, bool first)
{
	Relation	part_rel = table_open(part->relid, AccessShareLock);
	BulkparKey *key;
	BulkparShape shape;

	choose_key(part_rel, job, part);
	key = bulkpar_key_describe(part_rel, part->key_index);
	part->key_order = bulkpar_key_order(key);
	if (job->stripes > 1 && !bulkpar_stripe_possible(key))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the key of table \"%s\" cannot be hashed, as more than one stripe needs",
						RelationGetRelationName(part_rel)),
				 errdetail("The job follows the order %s.", part->key_order)));
	for (int i = 0; i < key->ncolumns; i++)
	{
		char	   *name = get_attname(part->relid, key->columns[i].attnum,
									   false);

		if (get_attnum(job->target, name) == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("key column \"%s\" of table \"%s\" is not one of table \"%s\"",
							name, RelationGetRelationName(part_rel),
							RelationGetRelationName(rel)),
					 errhint("Create a unique index on columns that all tables have.")));
	}
	check_columns(part_rel, key, job);
	if (part->relid != job->target)
		bulkpar_target_check_rules(part_rel, job);

	if (first)
	{
		SPI_connect();
		shape = bulkpar_key_usual_shape(key);
		shape.striped = job->stripes > 1;
		bulkpar_statement_check(bulkpar_statement_collect(rel, part->relid,
														  key, &shape),
								job->target, part->relid, key);
		bulkpar_statement_check(bulkpar_statement_batch(rel, key, job, &shape),
								job->target, part->relid, key);
		SPI_finish();
	}
	table_close(part_rel, NoLock);
}

/* The index of a table that is the named one, or a partition of it. */
static Oid
named_index(Relation rel, Oid named)
{
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *lc;

	foreach(lc, indexes)
	{
		Oid			index = lfirst_oid(lc);

		if (index == named ||
			(get_rel_relispartition(index) &&
			 list_member_oid(get_partition_ancestors(index), named)))
			return index;
	}
	return InvalidOid;
}

/* Choose the key index of a part, or check the one that was named. */
static void
choose_key(Relation rel, const BulkparJob *job, BulkparPart *part)
{
	const char *name = RelationGetRelationName(rel);

	if (OidIsValid(job->key_index))
	{
		part->key_index = named_index(rel, job->key_index);
		if (!OidIsValid(part->key_index))
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("\"%s\" is not an index of table \"%s\"",
							get_rel_name(job->key_index), name)));
		if (bulkpar_key_describe(rel, part->key_index) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("a job cannot follow index \"%s\"",
							get_rel_name(part->key_index)),
					 errdetail("It must be a valid unique btree index on NOT NULL columns, without expressions or a WHERE clause.")));
		return;
	}

	part->key_index = bulkpar_key_choose(rel);
	if (!OidIsValid(part->key_index))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has no unique index to follow", name),
				 errdetail("A job goes through its table in the order of the primary key, or of another unique index on NOT NULL columns without expressions or a WHERE clause."),
				 errhint("Add a primary key, or use CREATE UNIQUE INDEX CONCURRENTLY ON %s (...) with columns that are NOT NULL.",
						 quote_identifier(name))));
}

/* Reject everything but a table. */
static void
check_table(Relation rel, const BulkparJob *job)
{
	const char *name = RelationGetRelationName(rel);
	Oid			relid = RelationGetRelid(rel);

	if (rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a foreign table", name),
				 errhint("Call the function on the server that has the table.")));
	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
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
		relid == get_relname_relid("bulkpar_part", bulkpar_bookkeeping_schema()) ||
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
	bulkpar_target_check_rules(rel, job);
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

/* Append a member of an object that is not the first; NULL is left out. */
static void
append_json(StringInfo buf, const char *name, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(buf, ", \"%s\": ", name);
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
