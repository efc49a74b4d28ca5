/*-------------------------------------------------------------------------
 *
 * target.c
 *		The table of a job as a worker sees it.
 *
 * A job knows its table by OID, while the statements that it runs find it by
 * name.  Each transaction therefore locks the table first and looks whether
 * its name is still the one that the statements were made with; a table that
 * was renamed is followed, and one that has taken over the name is not
 * touched.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/target.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_index.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "target.h"

static void prepare(BulkparTarget *target, BulkparStatement *statement);
static bool is_current(const BulkparTarget *target);
static void describe(BulkparTarget *target, const BulkparJob *job,
					 Relation rel);

/* An empty target that lives as long as the process. */
BulkparTarget *
bulkpar_target_create(void)
{
	BulkparTarget *target = MemoryContextAllocZero(TopMemoryContext,
												   sizeof(BulkparTarget));

	target->context = AllocSetContextCreate(TopMemoryContext,
											"bulkpar target",
											ALLOCSET_SMALL_SIZES);
	return target;
}

/*
 * Lock the table until the end of the transaction, and make sure that the
 * statements name it.
 */
void
bulkpar_target_lock(BulkparTarget *target, const BulkparJob *job,
					LOCKMODE lockmode)
{
	Relation	rel;

	LockRelationOid(job->target, lockmode);
	if (is_current(target))
		return;

	rel = try_relation_open(job->target, NoLock);
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the table of the job no longer exists"),
				 errdetail("It had the OID %u.", job->target)));
	describe(target, job, rel);
	relation_close(rel, NoLock);
}

/*
 * Run the collecting statement over the keys (lo, hi], of which lo may be
 * NULL; its rows, as many as the limit says, go to dest.  It sees what the
 * active snapshot does, if there is one.  SPI must be connected and the
 * target locked.
 */
void
bulkpar_target_collect(BulkparTarget *target, const Datum *lo,
					   const Datum *hi, int64 limit, DestReceiver *dest)
{
	BulkparStatement *statement = target->collect[lo != NULL];
	SPIExecuteOptions options = {0};
	int			result;

	prepare(target, statement);
	options.params = makeParamList(statement->nargs);
	bulkpar_statement_params(statement, target->key, lo, hi, limit,
							 options.params->params);
	options.read_only = true;
	options.dest = dest;
	PushActiveSnapshot(ActiveSnapshotSet() ? GetActiveSnapshot() :
					   GetTransactionSnapshot());
	result = SPI_execute_plan_extended(statement->plan, &options);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan_extended failed: %s",
			 SPI_result_code_string(result));
	PopActiveSnapshot();
}

/*
 * Run the UPDATE over the keys (lo, hi], of which lo may be NULL, with the
 * active snapshot.  Returns the number of rows.  SPI must be connected and
 * the target locked.
 */
int64
bulkpar_target_update(BulkparTarget *target, const Datum *lo, const Datum *hi)
{
	BulkparStatement *statement = target->update[lo != NULL];
	ParamExternData params[2 * INDEX_MAX_KEYS];
	Datum		values[2 * INDEX_MAX_KEYS];
	int			result;

	prepare(target, statement);
	bulkpar_statement_params(statement, target->key, lo, hi, 0, params);
	for (int i = 0; i < statement->nargs; i++)
		values[i] = params[i].value;
	result = SPI_execute_snapshot(statement->plan, values, NULL,
								  GetActiveSnapshot(), InvalidSnapshot,
								  false, true, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_snapshot failed: %s",
			 SPI_result_code_string(result));
	return (int64) SPI_processed;
}

static void
prepare(BulkparTarget *target, BulkparStatement *statement)
{
	if (statement->plan == NULL)
		bulkpar_statement_prepare(statement, target->relid, target->key);
}

/* Whether the names are those of the table, and its key index is still valid. */
static bool
is_current(const BulkparTarget *target)
{
	HeapTuple	tuple;
	Form_pg_class form;
	bool		same;

	if (!OidIsValid(target->relid))
		return false;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(target->relid));
	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_class) GETSTRUCT(tuple);
	same = form->relnamespace == target->schema &&
		strcmp(NameStr(form->relname), NameStr(target->name)) == 0;
	ReleaseSysCache(tuple);
	if (!same)
		return false;

	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(target->key->index));
	if (!HeapTupleIsValid(tuple))
		return false;
	same = ((Form_pg_index) GETSTRUCT(tuple))->indisvalid;
	ReleaseSysCache(tuple);
	return same;
}

static void
describe(BulkparTarget *target, const BulkparJob *job, Relation rel)
{
	MemoryContext oldcontext;

	for (int i = 0; i < 2; i++)
	{
		if (target->update[i] != NULL)
			bulkpar_statement_forget(target->update[i]);
		if (target->collect[i] != NULL)
			bulkpar_statement_forget(target->collect[i]);
		target->update[i] = target->collect[i] = NULL;
	}
	target->relid = InvalidOid;
	MemoryContextReset(target->context);

	oldcontext = MemoryContextSwitchTo(target->context);
	target->schema = RelationGetNamespace(rel);
	target->name = rel->rd_rel->relname;
	target->key = bulkpar_key_follow(rel, job->key_index, job->key_order);
	for (int i = 0; i < 2; i++)
	{
		target->update[i] = bulkpar_statement_update(rel, target->key, job,
													 i == 1);
		target->collect[i] = bulkpar_statement_collect(rel, target->key,
													   i == 1);
	}
	target->relid = RelationGetRelid(rel);
	MemoryContextSwitchTo(oldcontext);
}
