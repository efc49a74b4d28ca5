/*-------------------------------------------------------------------------
 *
 * statement.c
 *		The SQL that a job runs on its target.
 *
 * Two statements do nearly all the work, both over a piece of the keys: the
 * UPDATE or DELETE of a batch, and the SELECT that steps along the index and
 * collects the keys at which the batches end.  A worker prepares each once for
 * every shape of such pieces, with a generic plan.  Others are prepared where
 * they are needed: for the largest key, the rows that match, and the versions
 * of the rows of a batch.
 *
 * The range is not in their text, nor are the columns and the order of a
 * SELECT: while the text is analyzed condition.c adds them to the query.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/statement.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "table/part.h"
#include "table/recall.h"
#include "table/statement.h"
#include "table/temporary.h"

static const char *end_of(const char *part);
static BulkparStatement *make_listing(BulkparConditionUse use,
									  const BulkparJob *job, Oid relid,
									  Oid part, const BulkparKey *key,
									  const BulkparKeyShape *shape);
static BulkparStatement *make_limited(BulkparConditionUse use, Oid relid,
									  Oid part, const BulkparKey *key,
									  const BulkparKeyShape *shape);
static BulkparStatement *make_select(BulkparConditionUse use,
									 const char *limit, Oid relid, Oid part,
									 const BulkparKey *key,
									 const BulkparKeyShape *shape);
static BulkparStatement *make_statement(BulkparConditionUse use, char *sql,
										Oid relid, Oid part,
										const BulkparKey *key,
										const BulkparKeyShape *shape);
static void forget_at_reset(void *arg);
static bool is_repeatable(const BulkparStatement *statement);
static CachedPlan *plan_once(const BulkparStatement *statement,
							 PlannedStmt **stmt);
static QueryDesc *start_once(BulkparStatement *statement, CachedPlan **cplan);
static void end_once(QueryDesc *desc, CachedPlan *cplan);
static ParamListInfo null_params(const BulkparStatement *statement);
static CachedPlanSource *plan_source(const BulkparStatement *statement);
static bool find_sample(Node *node, void *context);

/*
 * The statement of a job on a target, as the caller gave it, or made of its
 * parts, which must have passed parse.c.
 */
char *
bulkpar_statement_text(const BulkparJob *job, Oid relid)
{
	StringInfoData sql;
	bool		deletes = job->command == BULKPAR_COMMAND_DELETE;

	if (job->statement != NULL)
		return pstrdup(job->statement);

	initStringInfo(&sql);
	appendStringInfo(&sql, deletes ? "DELETE FROM %s%s" :
					 "UPDATE %s%s SET ",
					 bulkpar_job_is_only(job, relid) ? "ONLY " : "",
					 bulkpar_part_name(relid));
	for (int i = 0; i < job->nexpressions; i++)
	{
		const char *set = job->column_targets != NULL ?
			job->column_targets[i] : quote_identifier(job->column_names[i]);

		appendStringInfo(&sql, "%s%s%s = (%s%s)", i > 0 ? ", " : "", set,
						 end_of(set), job->expressions[i],
						 end_of(job->expressions[i]));
	}
	if (job->from_item != NULL)
		appendStringInfo(&sql, " %s %s%s", deletes ? "USING" : "FROM",
						 job->from_item, end_of(job->from_item));
	if (job->condition != NULL)
		appendStringInfo(&sql, " WHERE (%s%s)", job->condition,
						 end_of(job->condition));
	return sql.data;
}

/* What ends the comment that a part of a statement may have at its end. */
static const char *
end_of(const char *part)
{
	return strstr(part, "--") != NULL ? "\n" : "";
}

/*
 * The statement of a batch on a target, over a piece of the keys.  Like those that follow,
 * it is in the current memory context, and forgotten with that; the key must
 * live as long.
 */
BulkparStatement *
bulkpar_statement_batch(const BulkparJob *job, Oid relid, Oid part,
						const BulkparKey *key, const BulkparKeyShape *shape)
{
	BulkparStatement *statement =
		make_statement(BULKPAR_CONDITION_CHANGE,
					   bulkpar_statement_text(job, relid), relid, part, key,
					   shape);

	statement->hooks.condition.once.job = job;
	statement->hooks.batch_size = job->batch_size;
	statement->hooks.condition.skip_unchanged = job->skip_unchanged;
	return statement;
}

/*
 * The keys of all rows that the statement of a job would change, by whatever
 * plan is best, each with the OID of its table and its ctid.  There may be more
 * than one of a row.
 */
BulkparStatement *
bulkpar_statement_list(const BulkparJob *job, Oid relid, Oid part,
					   const BulkparKey *key)
{
	BulkparKeyShape all = {0};

	return make_listing(BULKPAR_CONDITION_LIST, job, relid, part, key, &all);
}

/* Those of the rows from one place up to another, which it has as parameters. */
BulkparStatement *
bulkpar_statement_span(const BulkparJob *job, Oid relid, Oid part,
					   const BulkparKey *key)
{
	BulkparKeyShape span = {.span = true};

	return make_listing(BULKPAR_CONDITION_LIST, job, relid, part, key, &span);
}

/* The keys of a few such rows, with their old and new values. */
BulkparStatement *
bulkpar_statement_values(const BulkparJob *job, Oid relid, Oid part,
						 const BulkparKey *key)
{
	BulkparKeyShape all = {0};

	return make_listing(BULKPAR_CONDITION_VALUES, job, relid, part, key, &all);
}

/* The keys of a piece in order, as many as the last parameter says. */
BulkparStatement *
bulkpar_statement_collect(Oid relid, Oid part, const BulkparKey *key,
						  const BulkparKeyShape *shape)
{
	return make_limited(BULKPAR_CONDITION_KEYS, relid, part, key, shape);
}

/*
 * Where the versions of the rows of a piece are that a snapshot sees, otherwise
 * as above.
 */
BulkparStatement *
bulkpar_statement_versions(Oid relid, Oid part, const BulkparKey *key,
						   const BulkparKeyShape *shape)
{
	return make_limited(BULKPAR_CONDITION_VERSIONS, relid, part, key, shape);
}

/* The SELECT of the largest key. */
BulkparStatement *
bulkpar_statement_end_key(Oid relid, Oid part, const BulkparKey *key)
{
	BulkparKeyShape all = {0};

	return make_select(BULKPAR_CONDITION_KEYS_BACKWARD, "1", relid, part, key,
					   &all);
}

/*
 * Go as far with a statement as EXPLAIN does: parse, analyze, plan, check the
 * privileges of the current user, start the executor; but do not run it.
 * Whatever is wrong with it is an error.  SPI must be connected.
 */
void
bulkpar_statement_check(BulkparStatement *statement)
{
	CachedPlan *cplan;
	QueryDesc  *desc;

	bulkpar_statement_prepare(statement);
	desc = start_once(statement, &cplan);
	end_once(desc, cplan);
	bulkpar_statement_forget(statement);
}

/*
 * Prepare a statement, until it is forgotten: one of a piece with a generic
 * plan along the key index, others with whatever plan is best, also a parallel
 * one.  SPI must be connected.
 */
void
bulkpar_statement_prepare(BulkparStatement *statement)
{
	const BulkparCondition *condition = &statement->hooks.condition;
	int			options = bulkpar_condition_is_of_piece(condition) ?
		CURSOR_OPT_GENERIC_PLAN : CURSOR_OPT_PARALLEL_OK;

	Assert(statement->plan == NULL);
	bulkpar_hooks_start(&statement->hooks);
	statement->plan = SPI_prepare_cursor(statement->hooks.sql,
										 statement->nargs,
										 statement->argtypes,
										 options);
	if (statement->plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s",
			 SPI_result_code_string(SPI_result));
	SPI_keepplan(statement->plan);
	statement->hooks.plan_sql = plan_source(statement)->query_string;
}

/*
 * Make sure that a prepared statement of a job changes the target, if it changes
 * that, and nothing else but what it inserts into, as its plan is now.  SPI must
 * be connected.
 */
void
bulkpar_statement_verify(BulkparStatement *statement)
{
	const BulkparCondition *condition = &statement->hooks.condition;
	Oid			target = condition->relid;
	bool		changes = false;
	PlannedStmt *stmt;
	CachedPlan *cplan = plan_once(statement, &stmt);
	ListCell   *lc;

	Assert(condition->use == BULKPAR_CONDITION_CHANGE);
	if (statement->verified != cplan->generation)
	{
		foreach(lc, bulkpar_compat_result_relations(stmt))
		{
			Oid			relid = rt_fetch(lfirst_int(lc), stmt->rtable)->relid;

			if (OidIsValid(condition->inserted) &&
				bulkpar_part_belongs(condition->inserted, relid))
				continue;
			if (!bulkpar_condition_is_about(condition, relid))
				bulkpar_part_require(target, relid);
			changes = true;
		}
		if (!changes && bulkpar_command_changes(condition->once.job->command))
			bulkpar_part_require(target, InvalidOid);
		statement->verified = cplan->generation;
	}
	ReleaseCachedPlan(cplan, CurrentResourceOwner);
}

/*
 * The plan of a statement, as EXPLAIN shows it; a line ends with a newline.
 * It is an error if it would not reach its rows by the key.  SPI must be
 * connected.
 */
char *
bulkpar_statement_explain(BulkparStatement *statement)
{
	ExplainState *es = NewExplainState();
	CachedPlan *cplan;
	QueryDesc  *desc;

	bulkpar_statement_prepare(statement);
	desc = start_once(statement, &cplan);
	ExplainPrintPlan(es, desc);
	end_once(desc, cplan);
	if (statement->hooks.without_key_index)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a batch would not reach its rows through index \"%s\"",
						get_rel_name(statement->hooks.condition.key->index)),
				 errdetail("An operator of the index may be a function in SQL, which the planner replaces by its body.")));
	bulkpar_statement_forget(statement);
	return es->str->data;
}

/* What the planner expects of the rows that a prepared SELECT returns. */
void
bulkpar_statement_expect(const BulkparStatement *statement,
						 BulkparExpected *expected)
{
	Oid			target = statement->hooks.condition.relid;
	PlannedStmt *stmt;
	CachedPlan *cplan = plan_once(statement, &stmt);

	expected->target = target;
	expected->rows = stmt->planTree->plan_rows;
	ReleaseCachedPlan(cplan, CurrentResourceOwner);
	expected->repeatable = is_repeatable(statement);
	expected->dear = statement->hooks.dear;
	expected->by_index = statement->hooks.by_index;
	expected->joins =
		list_difference_oid(bulkpar_statement_relations(statement),
							list_make1_oid(target)) != NIL;
	expected->known = true;
}

/*
 * Where the rows are that a prepared SELECT looks at by a bitmap, as its indexes
 * say for the active snapshot, in the current memory context; our caller frees that.
 * NULL if its plan is not just such a scan.
 */
TIDBitmap *
bulkpar_statement_read_bitmap(const BulkparStatement *statement)
{
	TIDBitmap  *bitmap = NULL;
	PlannedStmt *stmt;
	CachedPlan *cplan = plan_once(statement, &stmt);
	QueryDesc  *desc = CreateQueryDesc(stmt, statement->hooks.sql,
									   GetActiveSnapshot(), InvalidSnapshot,
									   None_Receiver, NULL, NULL, 0);

	ExecutorStart(desc, 0);
	if (IsA(desc->planstate, BitmapHeapScanState))
		bitmap = (TIDBitmap *) MultiExecProcNode(outerPlanState(desc->planstate));
	ExecutorFinish(desc);
	ExecutorEnd(desc);
	FreeQueryDesc(desc);
	ReleaseCachedPlan(cplan, CurrentResourceOwner);
	return bitmap;
}

/*
 * How many rows of the target it looks at, as the planner expects: those for
 * which all conditions hold that are about nothing else.
 */
double
bulkpar_statement_target_rows(const BulkparStatement *statement)
{
	PlannedStmt *stmt;

	ReleaseCachedPlan(plan_once(statement, &stmt), CurrentResourceOwner);
	return statement->hooks.rows;
}

/* The OIDs of the relations that a prepared statement is about. */
List *
bulkpar_statement_relations(const BulkparStatement *statement)
{
	return plan_source(statement)->relationOids;
}

/*
 * Whether a prepared SELECT reads no other tables than the target whole, but for
 * what is remembered, and those of few rows.
 */
bool
bulkpar_statement_remembers(BulkparStatement *statement)
{
	CachedPlan *cplan;
	QueryDesc  *desc = start_once(statement, &cplan);
	bool		remembers = bulkpar_recall_suffices(desc->planstate,
													statement->hooks.condition.relid,
													statement->hooks.batch_size);

	end_once(desc, cplan);
	return remembers;
}

/* Whether a prepared statement reaches its target along the key index. */
bool
bulkpar_statement_uses_key(BulkparStatement *statement)
{
	PlannedStmt *stmt;

	statement->hooks.without_key_index = false;
	ReleaseCachedPlan(plan_once(statement, &stmt), CurrentResourceOwner);
	return !statement->hooks.without_key_index;
}

/* Undo bulkpar_statement_prepare, if need be. */
void
bulkpar_statement_forget(BulkparStatement *statement)
{
	bulkpar_hooks_end(&statement->hooks);
	statement->hooks.plan_sql = NULL;
	if (statement->plan != NULL)
		SPI_freeplan(statement->plan);
	statement->plan = NULL;
}

/* The statement of a job, as a SELECT of the rows that it would change. */
static BulkparStatement *
make_listing(BulkparConditionUse use, const BulkparJob *job, Oid relid,
			 Oid part, const BulkparKey *key, const BulkparKeyShape *shape)
{
	BulkparStatement *statement =
		make_statement(use, bulkpar_statement_text(job, relid), relid, part,
					   key, shape);

	statement->hooks.condition.once.job = job;
	statement->hooks.batch_size = job->batch_size;
	return statement;
}

/* A SELECT on a piece, with its limit as the last parameter. */
static BulkparStatement *
make_limited(BulkparConditionUse use, Oid relid, Oid part,
			 const BulkparKey *key, const BulkparKeyShape *shape)
{
	Oid			argtypes[BULKPAR_KEY_MAX_VALUES];
	int			nargs = bulkpar_key_arguments(key, shape, argtypes);
	BulkparStatement *statement = make_select(use,
											  psprintf("$%d", nargs + 1),
											  relid, part, key, shape);

	statement->argtypes[statement->nargs++] = INT8OID;
	return statement;
}

/* A SELECT on a piece; condition.c gives it columns and an order. */
static BulkparStatement *
make_select(BulkparConditionUse use, const char *limit, Oid relid, Oid part,
			const BulkparKey *key, const BulkparKeyShape *shape)
{
	char	   *sql = psprintf("SELECT FROM %s%s LIMIT %s",
							   part == relid ? "ONLY " : "",
							   bulkpar_part_name(relid), limit);

	return make_statement(use, sql, relid, part, key, shape);
}

/* A statement with the arguments of its shape. */
static BulkparStatement *
make_statement(BulkparConditionUse use, char *sql, Oid relid, Oid part,
			   const BulkparKey *key, const BulkparKeyShape *shape)
{
	BulkparStatement *statement = palloc0(sizeof(BulkparStatement));
	BulkparCondition *condition = &statement->hooks.condition;

	condition->use = use;
	condition->relid = relid;
	condition->part = part;
	condition->key = key;
	condition->shape = *shape;
	statement->hooks.sql = sql;
	statement->nargs = bulkpar_key_arguments(key, shape, statement->argtypes);
	statement->callback.func = forget_at_reset;
	statement->callback.arg = statement;
	MemoryContextRegisterResetCallback(CurrentMemoryContext,
									   &statement->callback);
	return statement;
}

/* The memory of a statement is given back, also after an error. */
static void
forget_at_reset(void *arg)
{
	bulkpar_statement_forget(arg);
}

/*
 * Whether a prepared SELECT sees the same rows each time that it is run in
 * the same snapshot.
 */
static bool
is_repeatable(const BulkparStatement *statement)
{
	ListCell   *lc;

	foreach(lc, plan_source(statement)->query_list)
	{
		if (contain_volatile_functions(lfirst(lc)) ||
			find_sample(lfirst(lc), NULL))
			return false;
	}
	return true;
}

/* Plan a prepared statement; the caller releases the cached plan. */
static CachedPlan *
plan_once(const BulkparStatement *statement, PlannedStmt **stmt)
{
	CachedPlan *cplan;

	Assert(statement->plan != NULL);
	cplan = SPI_plan_get_cached_plan(statement->plan);
	if (cplan == NULL || list_length(cplan->stmt_list) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the batches of this job are not a single statement")));
	*stmt = linitial_node(PlannedStmt, cplan->stmt_list);
	return cplan;
}

/* Plan a prepared statement, and start the executor on it, as far as EXPLAIN does. */
static QueryDesc *
start_once(BulkparStatement *statement, CachedPlan **cplan)
{
	PlannedStmt *stmt;
	QueryDesc  *desc;

	PushActiveSnapshot(GetTransactionSnapshot());
	*cplan = plan_once(statement, &stmt);
	bulkpar_temporary_refuse(plan_source(statement), stmt);
	desc = CreateQueryDesc(stmt, statement->hooks.sql, GetActiveSnapshot(),
						   InvalidSnapshot, None_Receiver,
						   null_params(statement), NULL, 0);
	ExecutorStart(desc, EXEC_FLAG_EXPLAIN_ONLY);
	return desc;
}

static void
end_once(QueryDesc *desc, CachedPlan *cplan)
{
	ExecutorEnd(desc);
	FreeQueryDesc(desc);
	ReleaseCachedPlan(cplan, CurrentResourceOwner);
	PopActiveSnapshot();
}

/*
 * Nulls for the parameters: the executor may look at them when it starts, to
 * leave out partitions of another table.
 */
static ParamListInfo
null_params(const BulkparStatement *statement)
{
	ParamListInfo params = makeParamList(statement->nargs);

	for (int i = 0; i < statement->nargs; i++)
	{
		ParamExternData *param = &params->params[i];

		param->value = (Datum) 0;
		param->isnull = true;
		param->pflags = 0;
		param->ptype = statement->argtypes[i];
	}
	return params;
}

/* What a prepared statement is planned from. */
static CachedPlanSource *
plan_source(const BulkparStatement *statement)
{
	return linitial(SPI_plan_get_plan_sources(statement->plan));
}

/* Whether there is a TABLESAMPLE clause. */
static bool
find_sample(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, TableSampleClause))
		return true;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, find_sample, context, 0);
	return expression_tree_walker(node, find_sample, context);
}
