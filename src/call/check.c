/*-------------------------------------------------------------------------
 *
 * check.c
 *		A job checked against the database, before it starts.
 *
 * Everything that can be known to be wrong is found here, in the caller's
 * session and before any process is started: the table, its parts and their
 * keys, and the whole statement as the workers will run it, up to the point
 * where it would begin to run.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/check.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "books/books.h"
#include "call/actions.h"
#include "call/check.h"
#include "compat.h"
#include "run/ask.h"
#include "session/settings.h"
#include "session/subxact.h"
#include "table/assigned.h"
#include "table/citus.h"
#include "table/foreign.h"
#include "table/key.h"
#include "table/keyindex.h"
#include "table/names.h"
#include "table/part.h"
#include "table/prune.h"
#include "table/statement.h"
#include "table/stripe.h"
#include "table/target.h"

/* A job that is checked, and the target that is at hand. */
typedef struct Check
{
	BulkparJob *job;
	Oid			target;
	List	   *relids;			/* of several targets all tables so far */
	BulkparOnce once;			/* of the first one */
} Check;

static void check_between_targets(void *arg);
static void check_target(void *arg);
static void check_after_targets(void *arg);
static void name_target(void *arg);
static void check_not_in_use(const BulkparJob *job);
static void check_relation_not_in_use(Oid relid, const char *what);
static void check_table(Relation rel, const BulkparJob *job);
static bool find_parts(Relation rel, Check *check);
static void check_only_once(Check *check, List *relids);
static void check_not_managed(const Check *check, int first);
static void check_partition_key(Oid relid, const BulkparJob *job);
static void grow_parts(BulkparJob *job, int count);
static void check_part(Relation rel, Check *check, BulkparJobPart *part,
					   bool first);
static void check_storage(Relation rel, const BulkparJob *job);
static void check_statements(Check *check, Oid part, const BulkparKey *key);
static void check_same_once(Check *check, const BulkparOnce *once);
static void check_without_parts(Relation rel, BulkparJob *job);
static void check_batch(BulkparJob *job, BulkparStatement *batch,
						MemoryContext context);
static void choose_key(Relation rel, const BulkparJob *job,
					   BulkparJobPart *part);
static void check_columns(Relation rel, const BulkparKey *key,
						  const BulkparJob *job);

/*
 * Check a job against the database and complete it with its key index and
 * settings, in the current memory context.  No lock on the target stays
 * behind.  Its nodes are asked by nodecheck.c.
 */
void
bulkpar_check_job(BulkparJob *job)
{
	Check		check = {.job = job};
	int			ntargets;
	const Oid  *targets = bulkpar_job_targets(job, &ntargets);

	check_not_in_use(job);
	bulkpar_subxact_run(check_between_targets, &check);
	/* Each by itself, so that there are never many locks. */
	for (int i = 0; i < ntargets; i++)
	{
		CHECK_FOR_INTERRUPTS();
		check.target = targets[i];
		bulkpar_subxact_run(check_target, &check);
	}
	bulkpar_subxact_run(check_after_targets, &check);
}

/*
 * While this session waits for the workers it must not hold a lock that they
 * might come to wait for: nobody would see that deadlock.
 */
static void
check_not_in_use(const BulkparJob *job)
{
	int			ntargets;
	const Oid  *targets = bulkpar_job_targets(job, &ntargets);

	for (int i = 0; i < ntargets; i++)
		check_relation_not_in_use(targets[i],
								  bulkpar_command_deletes(job->command) ?
								  "delete from" :
								  bulkpar_command_updates(job->command) ?
								  "update" : "read");
	if (OidIsValid(job->inserted))
		check_relation_not_in_use(job->inserted, "insert into");
}

static void
check_relation_not_in_use(Oid relid, const char *what)
{
	LOCKTAG		tag;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, relid);
	for (LOCKMODE mode = AccessShareLock; mode <= AccessExclusiveLock; mode++)
	{
		if (bulkpar_compat_lock_held_by_me(&tag, mode))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("cannot %s \"%s\" in batches because this session holds a lock on it",
							what, get_rel_name(relid)),
					 errhint("Call the function in a statement of its own that does not use the table.")));
	}
}

static void
check_between_targets(void *arg)
{
	bulkpar_actions_check(((const Check *) arg)->job);
}

/* Check what needs a lock on the target, and find its parts and their keys. */
static void
check_target(void *arg)
{
	Check	   *check = arg;
	BulkparJob *job = check->job;
	int			first = job->nparts;
	ErrorContextCallback callback = {
		.callback = name_target,
		.arg = check,
		.previous = error_context_stack
	};
	Relation	rel;

	if (job->ntargets > 0)
		error_context_stack = &callback;
	rel = try_relation_open(check->target, AccessShareLock);
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist",
						check->target)));
	check_table(rel, job);
	if (find_parts(rel, check))
		bulkpar_foreign_check(job, check->target);
	check_not_managed(check, first);
	for (int i = first; i < job->nparts; i++)
		check_part(rel, check, &job->parts[i], i == first);
	if (job->nparts == first)
		check_without_parts(rel, job);
	relation_close(rel, NoLock);
	error_context_stack = callback.previous;
}

static void
check_after_targets(void *arg)
{
	const Check *check = arg;
	BulkparJob *job = check->job;

	bulkpar_settings_collect(&job->settings, job->owner, job->session_role);
	bulkpar_ask_check(&job->settings, job->owner);
}

/* Context of an error: which of several targets it is about. */
static void
name_target(void *arg)
{
	const Check *check = arg;
	const char *name = bulkpar_part_name(check->target);

	if (name != NULL)
		errcontext("table %s of argument \"targets\"", name);
}

/*
 * The tables that the job goes through: the target itself, or where it has
 * partitions or children those of them that have rows, and may have some for the
 * statement.  Returns whether other servers have some of them.
 */
static bool
find_parts(Relation rel, Check *check)
{
	BulkparJob *job = check->job;
	List	   *relids = list_make1_oid(check->target);
	List	   *reached = NIL;
	BulkparExpected expected = {0};
	bool		pruned = false;
	bool		only;
	bool		foreign = false;
	ListCell   *lc;

	if (!job->only)
		relids = find_all_inheritors(check->target, NoLock, NULL);
	check_only_once(check, relids);
	only = list_length(relids) == 1 && linitial_oid(relids) == check->target;
	if (job->ntargets == 0)
		job->only = only;
	if (bulkpar_citus_add(job, check->target))
		return true;
	if (!only)
		pruned = bulkpar_prune_parts(job, check->target, &reached,
									 &expected);
	if (job->ntargets == 0)
		job->expected = expected;
	if (!only && !pruned)
		relids = find_all_inheritors(check->target, AccessShareLock, NULL);
	grow_parts(job, list_length(relids));
	foreach(lc, relids)
	{
		Oid			relid = lfirst_oid(lc);
		char		relkind = get_rel_relkind(relid);

		if (pruned && !list_member_oid(reached, relid))
		{
			job->npruned += relkind != RELKIND_PARTITIONED_TABLE;
			continue;
		}
		if (bulkpar_foreign_is_possible(relid))
		{
			bulkpar_foreign_add(job, relid);
			foreign = true;
		}
		else if (relkind == RELKIND_FOREIGN_TABLE)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("table \"%s\" has the foreign partition or child \"%s\"",
							RelationGetRelationName(rel),
							get_rel_name(relid)),
					 errhint("Call the function for each of the others, and change the foreign table on its own server.")));
		else if (relkind == RELKIND_PARTITIONED_TABLE)
			check_partition_key(relid, job);
		else
		{
			BulkparJobPart *part = &job->parts[job->nparts++];

			memset(part, 0, sizeof(BulkparJobPart));
			part->target = check->target;
			part->relid = relid;
		}
	}
	return foreign;
}

/* Make room for more parts. */
static void
grow_parts(BulkparJob *job, int count)
{
	Size		size = sizeof(BulkparJobPart) * (job->nparts + count);

	job->parts = job->parts == NULL ? palloc(size) :
		repalloc(job->parts, size);
}

/* No row may be in several targets, or twice in one of them. */
static void
check_only_once(Check *check, List *relids)
{
	ListCell   *lc;

	if (check->job->ntargets == 0)
		return;
	foreach(lc, relids)
	{
		if (list_member_oid(check->relids, lfirst_oid(lc)))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("table \"%s\" would be changed twice",
							get_rel_name(lfirst_oid(lc))),
					 errdetail("It is given twice, or is a partition or child of another table that is given.")));
	}
	check->relids = list_concat(check->relids, relids);
}

/* Neither target nor parts may be what only Citus can change. */
static void
check_not_managed(const Check *check, int first)
{
	BulkparJob *job = check->job;

	if (!bulkpar_foreign_is_of_citus(job, check->target))
		(void) bulkpar_citus_check(job, check->target);
	for (int i = first; i < job->nparts; i++)
		job->parts[i].shard = bulkpar_citus_check(job, job->parts[i].relid);
	if (OidIsValid(job->inserted))
		bulkpar_citus_check_inserted(job->inserted);
}

/* Check the columns that are set against the key of a partitioned table. */
static void
check_partition_key(Oid relid, const BulkparJob *job)
{
	for (int i = 0; i < job->ncolumns; i++)
		bulkpar_assigned_check_partition_key(relid, job->column_names[i]);
}

/* Check a part, and with the first one the statements. */
static void
check_part(Relation rel, Check *check, BulkparJobPart *part, bool first)
{
	const BulkparJob *job = check->job;
	Relation	part_rel = table_open(part->relid, AccessShareLock);
	BulkparKey *key;

	check_storage(part_rel, job);
	choose_key(part_rel, job, part);
	key = bulkpar_key_describe(part_rel, part->key_index);
	part->key_order = bulkpar_key_order(key);
	if (job->stripes > 1 && !bulkpar_stripe_possible(key))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the key of table \"%s\" cannot be hashed, as more than one stripe needs",
						RelationGetRelationName(part_rel)),
				 errdetail("The job follows the order %s.",
						   bulkpar_key_show(part->relid, part->key_order))));
	for (int i = 0; i < key->ncolumns; i++)
	{
		AttrNumber	attnum = key->columns[i].attnum;
		const char *name =
			NameStr(TupleDescAttr(RelationGetDescr(part_rel),
								  attnum - 1)->attname);

		if (get_attnum(part->target, name) == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("key column \"%s\" of table \"%s\" is not one of table \"%s\"",
							name, RelationGetRelationName(part_rel),
							RelationGetRelationName(rel)),
					 errhint("Create a unique index on columns that all tables have.")));
	}
	check_columns(part_rel, key, job);
	if (part->relid != part->target)
		bulkpar_target_check_rules(part_rel, job);

	if (first)
		check_statements(check, part->relid, key);
	table_close(part_rel, NoLock);
}

/* Reject rows that are not stored so that they can be changed. */
static void
check_storage(Relation rel, const BulkparJob *job)
{
	char	   *method = get_am_name(rel->rd_rel->relam);

	if (bulkpar_command_changes(job->command) && method != NULL &&
		strcmp(method, "columnar") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("columnar table \"%s\" is not supported",
						RelationGetRelationName(rel)),
				 errdetail("Its rows cannot be updated or deleted.")));
}

/* Check the statements that the workers would run on a part. */
static void
check_statements(Check *check, Oid part, const BulkparKey *key)
{
	MemoryContext context = CurrentMemoryContext;
	BulkparJob *job = check->job;
	BulkparKeyShape shape = bulkpar_key_usual_shape(key);
	BulkparStatement *batch;

	shape.striped = job->stripes > 1;
	batch = bulkpar_statement_batch(job, check->target, part, key, &shape);
	if (job->ntargets > 0)
		batch->hooks.condition.once.context = CurrentMemoryContext;
	SPI_connect();
	bulkpar_statement_check(bulkpar_statement_collect(check->target, part, key,
													  &shape));
	check_batch(job, batch, context);
	SPI_finish();
	if (job->ntargets > 0)
		check_same_once(check, &batch->hooks.condition.once);
}

/*
 * What is evaluated once is found in the statement on one of the targets, and put
 * into those on the others.  It must be the same there, also in the columns that
 * it has, and it would not be where a name means the column of one target only.
 */
static void
check_same_once(Check *check, const BulkparOnce *once)
{
	bool		same;

	if (check->once.job == NULL)
	{
		check->once = *once;
		return;
	}
	same = list_length(once->found) == list_length(check->once.found) &&
		bms_equal(once->choices, check->once.choices);
	for (int i = 0; same && i < list_length(once->found); i++)
	{
		const BulkparOnceItem *first = list_nth(check->once.found, i);
		const BulkparOnceItem *other = list_nth(once->found, i);

		same = equal(first->query, other->query) &&
			bms_equal(first->joined, other->joined) &&
			first->choice == other->choice;
	}
	if (!same)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("what the statement evaluates once is not the same for all tables"),
				 errhint("Call the function for each table, or name the columns with their tables.")));
}

/*
 * The same for a table without parts here, which has no key: its rows are on other
 * servers, or it is a partitioned table without partitions.
 */
static void
check_without_parts(Relation rel, BulkparJob *job)
{
	MemoryContext context = CurrentMemoryContext;
	BulkparKey	none = {0};
	BulkparKeyShape all = {0};
	Oid			relid = RelationGetRelid(rel);
	BulkparStatement *batch;

	check_columns(rel, &none, job);
	batch = bulkpar_statement_batch(job, relid, relid, &none, &all);
	/* Citus refuses what it could not run on all nodes, but we can. */
	batch->hooks.local = bulkpar_foreign_is_of_citus(job, relid);
	SPI_connect();
	check_batch(job, batch, context);
	SPI_finish();
}

/*
 * Check the statement of a batch, and let the job know what its names mean, in
 * the memory context.  SPI must be connected.
 */
static void
check_batch(BulkparJob *job, BulkparStatement *batch, MemoryContext context)
{
	BulkparCondition *condition = &batch->hooks.condition;
	MemoryContext oldcontext;

	condition->names_context = context;
	bulkpar_statement_check(batch);
	oldcontext = MemoryContextSwitchTo(context);
	bulkpar_names_keep(job, condition->names);
	MemoryContextSwitchTo(oldcontext);
}

/* Choose the key index of a part, or check the one that was named. */
static void
choose_key(Relation rel, const BulkparJob *job, BulkparJobPart *part)
{
	const char *name = RelationGetRelationName(rel);
	char	   *hint;

	if (OidIsValid(job->key_index))
	{
		part->key_index = bulkpar_keyindex_named(rel, job->key_index,
												 part->target);
		if (!OidIsValid(part->key_index))
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("\"%s\" is not an index of table \"%s\"",
							get_rel_name(job->key_index), name)));
		if (bulkpar_key_describe(rel, part->key_index) != NULL)
			return;
		hint = bulkpar_keyindex_near_miss(rel, part->target, part->key_index);
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a job cannot follow index \"%s\"",
						get_rel_name(part->key_index)),
				 errdetail("It must be a valid unique btree index on NOT NULL columns, without expressions or a WHERE clause."),
				 hint != NULL ? errhint("%s", hint) : 0));
	}

	part->key_index = bulkpar_keyindex_choose(rel, part->target);
	if (!OidIsValid(part->key_index))
		part->key_index = bulkpar_keyindex_choose(rel, part->relid);
	if (OidIsValid(part->key_index))
		return;
	hint = bulkpar_keyindex_near_miss(rel, part->target, InvalidOid);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" has no unique index to follow", name),
			 errdetail("A job goes through its table in the order of the primary key, or of another unique index on NOT NULL columns without expressions or a WHERE clause."),
			 hint != NULL ? errhint("%s", hint) :
			 errhint("Add a primary key, or use CREATE UNIQUE INDEX CONCURRENTLY ON %s (...) with columns that are NOT NULL.",
					 quote_identifier(name))));
}

/* Reject everything but a table. */
static void
check_table(Relation rel, const BulkparJob *job)
{
	const char *name = RelationGetRelationName(rel);

	if (rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE &&
		!bulkpar_foreign_is_possible(RelationGetRelid(rel)))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a foreign table", name),
				 errhint("Call the function on the server that has the table.")));
	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_FOREIGN_TABLE &&
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
	if (bulkpar_books_include(RelationGetRelid(rel)))
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
		bulkpar_assigned_check_key(key, job->column_names[i]);
	}
}
