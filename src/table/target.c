/*-------------------------------------------------------------------------
 *
 * target.c
 *		A part of a target of a job, locked, and the statements on it.
 *
 * A job knows its tables by OID, while the statements that it runs find the
 * target by name.  Each transaction therefore locks target and part first and
 * looks whether the name is still the one that the statements were made with;
 * a table that was renamed is followed, and one that has taken over the name
 * is not touched.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/target.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "table/citus.h"
#include "table/keyindex.h"
#include "table/keyvalue.h"
#include "table/part.h"
#include "table/rules.h"
#include "table/shard.h"
#include "table/target.h"

static void look_anew(BulkparTarget *target, const BulkparJob *job,
					  int part);
static int64 run_update(BulkparTarget *target, const BulkparJob *job,
						const BulkparKeyShape *shape, Datum *values);
static bool fires_triggers(Oid relid);
static BulkparStatement *find_statement(BulkparTarget *target,
										const BulkparJob *job,
										const BulkparKeyShape *shape);
static BulkparStatement *prepare_list(BulkparTarget *target,
									  const BulkparJob *job);
static void send_rows(const BulkparStatement *statement,
					  const Datum *values, DestReceiver *dest);
static bool is_current(const BulkparTarget *target);
static void name_table(void *arg);
static void turn_to_part(BulkparTarget *target, const BulkparJob *job, int part,
						 Relation rel);

/*
 * A target that is yet to be locked at a part.  It lives as long as the memory
 * context.
 */
BulkparTarget *
bulkpar_target_create(MemoryContext context)
{
	BulkparTarget *target = MemoryContextAllocZero(context,
												   sizeof(BulkparTarget));

	target->context = AllocSetContextCreate(context,
											"bulkpar target",
											ALLOCSET_SMALL_SIZES);
	return target;
}

/*
 * Lock a part of the job and its target until the end of the transaction, and
 * make sure that the statements name the one and reach the other.  Those for
 * another part, or under another name, are forgotten.  An error if either
 * is gone, or no longer has the key that the job follows, or if the part is a
 * shard that is not here any more.
 */
void
bulkpar_target_lock(BulkparTarget *target, const BulkparJob *job, int part,
					LOCKMODE lockmode)
{
	Oid			relid = job->parts[part].target;
	Oid			part_relid = job->parts[part].relid;

	Assert(part >= 0 && part < job->nparts);
	LockRelationOid(relid, lockmode);
	if (part_relid != relid)
		LockRelationOid(part_relid, lockmode);
	if (job->parts[part].shard != 0)
		bulkpar_shard_guard(&job->parts[part].shard, 1);
	if (target->part != part_relid || !is_current(target))
		look_anew(target, job, part);
}

/* Find the part and its target, which are locked, and what they are called. */
static void
look_anew(BulkparTarget *target, const BulkparJob *job, int part)
{
	Oid			relid = job->parts[part].target;
	Oid			part_relid = job->parts[part].relid;
	ErrorContextCallback callback = {
		.callback = name_table,
		.previous = error_context_stack
	};
	Relation	rel;

	if (job->ntargets > 0)
	{
		callback.arg = bulkpar_part_name(relid);
		error_context_stack = &callback;
	}
	rel = try_relation_open(relid, NoLock);
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 job->ntargets > 0 ?
				 errmsg("a table of the job no longer exists") :
				 errmsg("the table of the job no longer exists"),
				 errdetail("It had the OID %u.", relid),
				 bulkpar_part_is_gone(job, part) ?
				 errhint("Resume the job: it goes on without that table.") :
				 0));
	if (!bulkpar_part_belongs(relid, part_relid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a part of table \"%s\" was dropped or detached while the job ran",
						RelationGetRelationName(rel)),
				 errdetail("It had the OID %u.", part_relid),
				 job->parts[part].shard != 0 ? 0 :
				 errhint("Resume the job: it goes on without that part.")));
	bulkpar_citus_recheck_part(job, part);
	turn_to_part(target, job, part, rel);
	relation_close(rel, NoLock);
	error_context_stack = callback.previous;
}

/* Context of an error: which of several tables it is about. */
static void
name_table(void *arg)
{
	if (arg != NULL)
		errcontext("table %s of the job", (const char *) arg);
}

/* An error if a rule on the target is about what the job does with its rows. */
void
bulkpar_target_check_rules(Relation rel, const BulkparJob *job)
{
	if (bulkpar_command_deletes(job->command))
		bulkpar_rules_refuse(rel, CMD_DELETE);
	else if (bulkpar_command_updates(job->command))
		bulkpar_rules_refuse(rel, CMD_UPDATE);
}

/*
 * Collect the keys of a stripe in (lo, hi], of which lo may be NULL, in
 * order; as many as the limit says go to dest.  Sees what the active snapshot
 * does, if there is one.  SPI must be connected and the target locked.
 */
void
bulkpar_target_collect(BulkparTarget *target, const Datum *lo,
					   const Datum *hi, const BulkparStripe *stripe,
					   int64 limit, DestReceiver *dest)
{
	BulkparKeyPiece pieces[BULKPAR_KEY_MAX_PIECES];
	int			npieces = bulkpar_keyvalue_cut(target->key, lo, hi, stripe,
											   pieces);

	PushActiveSnapshot(ActiveSnapshotSet() ? GetActiveSnapshot() :
					   GetTransactionSnapshot());
	for (int i = 0; i < npieces && limit > 0; i++)
	{
		BulkparStatement *statement = find_statement(target, NULL,
													 &pieces[i].shape);
		Datum		values[BULKPAR_KEY_MAX_VALUES + 1];

		memcpy(values, pieces[i].values, sizeof(Datum) * pieces[i].nvalues);
		values[pieces[i].nvalues] = Int64GetDatum(limit);
		send_rows(statement, values, dest);
		limit -= SPI_processed;
	}
	PopActiveSnapshot();
}

/*
 * Update the rows of a stripe in (lo, hi], of which lo may be NULL, as the
 * active snapshot sees them, and return how many there were.  SPI must be
 * connected and the target locked.
 */
int64
bulkpar_target_update(BulkparTarget *target, const BulkparJob *job,
					  const Datum *lo, const Datum *hi,
					  const BulkparStripe *stripe)
{
	BulkparKeyPiece pieces[BULKPAR_KEY_MAX_PIECES];
	int			npieces = bulkpar_keyvalue_cut(target->key, lo, hi, stripe,
											   pieces);
	int64		rows = 0;

	for (int i = 0; i < npieces; i++)
		rows += run_update(target, job, &pieces[i].shape, pieces[i].values);
	return rows;
}

/*
 * The same for the rows of a list.  Those to be deleted are looked for where they
 * were found, which takes no step down the key index for each, and if any is
 * missing there, by its key: what is deleted then is no longer seen.
 */
int64
bulkpar_target_update_listed(BulkparTarget *target, const BulkparJob *job,
							 const Datum *rows, int count)
{
	BulkparKeyShape by_place = {.listed = true, .placed = true};
	BulkparKeyShape by_key = {.listed = true};
	Datum		values[INDEX_MAX_KEYS + 1];
	int64		changed = 0;

	bulkpar_keyvalue_list_arguments(target->key, rows, count, values);
	if (bulkpar_target_deletes_at_places(target, job))
		changed = run_update(target, job, &by_place, values);
	if (changed < count)
		changed += run_update(target, job, &by_key, values);
	return changed;
}

/*
 * Whether the rows of a list are deleted where they were found.  The target must
 * be locked.
 */
bool
bulkpar_target_deletes_at_places(BulkparTarget *target, const BulkparJob *job)
{
	return job->command == BULKPAR_COMMAND_DELETE &&
		bulkpar_keyvalue_can_be_joined(target->key) &&
		!fires_triggers(target->part) && !fires_triggers(target->relid);
}

/*
 * What the planner expects of the rows that the statement of the job would change
 * in all parts.  SPI must be connected and the target locked.
 */
void
bulkpar_target_expect(BulkparTarget *target, const BulkparJob *job,
					  BulkparExpected *expected)
{
	BulkparStatement *statement = prepare_list(target, job);

	bulkpar_statement_expect(statement, expected);
	bulkpar_statement_forget(statement);
}

/* Whether a list of keys would be looked up in the key index.  As above. */
bool
bulkpar_target_reaches_list(BulkparTarget *target, const BulkparJob *job)
{
	BulkparKeyShape shape = {.listed = true};

	return bulkpar_statement_uses_key(find_statement(target, job, &shape));
}

/*
 * Send the keys of the rows that it would change in all parts to dest, each
 * with the OID of its table and its ctid, in any order and by any plan, also a
 * parallel one.  Otherwise as above.
 */
void
bulkpar_target_list(BulkparTarget *target, const BulkparJob *job,
					DestReceiver *dest)
{
	BulkparStatement *statement = prepare_list(target, job);

	send_rows(statement, NULL, dest);
	bulkpar_statement_forget(statement);
}

/*
 * Whether the worker that lists spans would remember all other tables that are not
 * small.  As above.
 */
bool
bulkpar_target_remembers(BulkparTarget *target, const BulkparJob *job)
{
	BulkparStatement *statement =
		bulkpar_statement_span(job, target->relid, target->part, target->key);
	bool		remembers;

	bulkpar_statement_prepare(statement);
	remembers = bulkpar_statement_remembers(statement);
	bulkpar_statement_forget(statement);
	return remembers;
}

/* The same as a list for the rows of spans, one after the other. */
void
bulkpar_target_list_spans(BulkparTarget *target, const BulkparJob *job,
						  const BulkparSpan *spans, int nspans,
						  DestReceiver *dest)
{
	BulkparStatement *statement =
		bulkpar_statement_span(job, target->relid, target->part, target->key);
	ItemPointerData first;
	ItemPointerData after;
	Datum		values[] = {PointerGetDatum(&first), PointerGetDatum(&after)};

	Assert(statement->nargs == lengthof(values));
	bulkpar_statement_prepare(statement);
	for (int i = 0; i < nspans; i++)
	{
		ItemPointerSet(&first, spans[i].first, 0);
		ItemPointerSet(&after, spans[i].after, 0);
		send_rows(statement, values, dest);
	}
	bulkpar_statement_forget(statement);
}

/*
 * Whether a DELETE on a locked table fires triggers.  One could insert a row with
 * the key of a deleted row, which must not be deleted as well.
 */
static bool
fires_triggers(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	const TriggerDesc *triggers = rel->trigdesc;
	bool		result = triggers != NULL &&
		(triggers->trig_delete_before_row || triggers->trig_delete_after_row ||
		 triggers->trig_delete_before_statement ||
		 triggers->trig_delete_after_statement);

	table_close(rel, NoLock);
	return result;
}

/* Run the statement of the job on a piece, or on listed keys. */
static int64
run_update(BulkparTarget *target, const BulkparJob *job,
		   const BulkparKeyShape *shape, Datum *values)
{
	BulkparStatement *statement = find_statement(target, job, shape);
	int			result;

	bulkpar_statement_verify(statement);
	target->whole = statement->hooks.condition.whole;
	target->multiplies = statement->hooks.condition.multiplies;
	result = SPI_execute_snapshot(statement->plan, values, NULL,
								  GetActiveSnapshot(),
								  InvalidSnapshot, false, true,
								  0);

	if (result < 0)
		elog(ERROR, "SPI_execute_snapshot failed: %s",
			 SPI_result_code_string(result));
	if (SPI_tuptable != NULL)
		SPI_freetuptable(SPI_tuptable);
	return (int64) SPI_processed;
}

/* The SELECT of the rows that match, prepared; our caller forgets it. */
static BulkparStatement *
prepare_list(BulkparTarget *target, const BulkparJob *job)
{
	BulkparStatement *statement = bulkpar_statement_list(job, target->relid, target->part,
														 target->key);

	bulkpar_statement_prepare(statement);
	return statement;
}

/* Send the rows of a prepared SELECT, which has those parameters, to dest. */
static void
send_rows(const BulkparStatement *statement, const Datum *values,
		  DestReceiver *dest)
{
	SPIExecuteOptions options = {
		.params = statement->nargs == 0 ? NULL :
		makeParamList(statement->nargs),
		.read_only = true,
		.dest = dest
	};
	int			result;

	for (int i = 0; i < statement->nargs; i++)
	{
		ParamExternData *param = &options.params->params[i];

		param->value = values[i];
		param->isnull = false;
		param->pflags = PARAM_FLAG_CONST;
		param->ptype = statement->argtypes[i];
	}
	result = SPI_execute_plan_extended(statement->plan, &options);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan_extended failed: %s",
			 SPI_result_code_string(result));
}

/*
 * The prepared statement of a shape: the UPDATE of the job, or without a job
 * the collecting one.
 */
static BulkparStatement *
find_statement(BulkparTarget *target, const BulkparJob *job,
			   const BulkparKeyShape *shape)
{
	List	  **list = job != NULL ? &target->updates : &target->collects;
	BulkparStatement *statement;
	MemoryContext oldcontext;
	ListCell   *lc;

	Assert(OidIsValid(target->relid));
	foreach(lc, *list)
	{
		statement = lfirst(lc);
		if (!bulkpar_key_same_shape(&statement->hooks.condition.shape, shape))
			continue;
		if (statement->plan == NULL)
			bulkpar_statement_prepare(statement);
		return statement;
	}

	oldcontext = MemoryContextSwitchTo(target->context);
	statement = job != NULL ?
		bulkpar_statement_batch(job, target->relid, target->part, target->key, shape) :
		bulkpar_statement_collect(target->relid, target->part, target->key,
								  shape);
	*list = lappend(*list, statement);
	MemoryContextSwitchTo(oldcontext);
	bulkpar_statement_prepare(statement);
	return statement;
}

/* Whether the name is that of the table, and its key index is still valid. */
static bool
is_current(const BulkparTarget *target)
{
	HeapTuple	tuple;
	Form_pg_class form;
	bool		same;

	if (!OidIsValid(target->relid) ||
		!bulkpar_part_belongs(target->relid, target->part))
		return false;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(target->relid));
	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_class) GETSTRUCT(tuple);
	same = form->relnamespace == target->schema &&
		form->relhasrules == target->has_rules &&
		strcmp(NameStr(form->relname), NameStr(target->name)) == 0;
	ReleaseSysCache(tuple);
	if (!same)
		return false;

	return bulkpar_keyindex_still_usable(target->part, target->key->index);
}

/*
 * Make this the target of the job at a part; rel is the target, open as both are
 * locked.
 */
static void
turn_to_part(BulkparTarget *target, const BulkparJob *job, int part,
			 Relation rel)
{
	const BulkparJobPart *described = &job->parts[part];
	Relation	part_rel = table_open(described->relid, NoLock);
	MemoryContext oldcontext;

	bulkpar_target_check_rules(rel, job);

	/* Forget the old names, and the statements prepared with them. */
	target->looked_alone &= target->relid == RelationGetRelid(rel);
	target->relid = InvalidOid;
	target->updates = target->collects = NIL;
	MemoryContextReset(target->context);

	oldcontext = MemoryContextSwitchTo(target->context);
	target->schema = RelationGetNamespace(rel);
	target->name = rel->rd_rel->relname;
	target->has_rules = rel->rd_rel->relhasrules;
	target->key = bulkpar_key_follow(part_rel, described->key_index,
									 described->key_order);
	target->shown = job->ntargets == 0 ? NameStr(target->name) :
		psprintf("%s.%s", get_namespace_name(target->schema),
				 NameStr(target->name));
	target->sql = bulkpar_statement_text(job, RelationGetRelid(rel));
	target->relid = RelationGetRelid(rel);
	target->part = described->relid;
	MemoryContextSwitchTo(oldcontext);
	table_close(part_rel, NoLock);
}
