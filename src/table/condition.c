/*-------------------------------------------------------------------------
 *
 * condition.c
 *		What is added to the query of a statement, such as a batch's range.
 *
 * It is added by OID, see keyquery.c, when the statement has been analyzed.
 * Depending on what the statement is for, the query is also given what it is
 * to return.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/condition.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "rewrite/rowsecurity.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

#include "compat.h"
#include "table/acting.h"
#include "table/assigned.h"
#include "table/condition.h"
#include "table/exists.h"
#include "table/keyquery.h"
#include "table/leakproof.h"
#include "table/member.h"
#include "table/names.h"
#include "table/ownread.h"
#include "table/partbounds.h"
#include "table/ranges.h"
#include "table/unchanged.h"
#include "table/values.h"

/* How many rows are shown. */
#define SHOWN_ROWS 5

static BulkparDrive find_drive(const BulkparCondition *condition,
							   ParseState *pstate, Query *query);
static List *list_names(BulkparCondition *condition, Query *query);
static void check_same_table(Oid relid, Oid before);
static void check_policies(const BulkparCondition *condition,
						   const Query *query, const RangeTblEntry *rte);
static bool hides_more(const RowSecurityPolicy *policy, CmdType command);
static void restrict_to_piece(const BulkparCondition *condition,
							  const BulkparDrive *drive);
static void look_up_members(const BulkparCondition *condition, Query *query,
							List *columns);
static Node *range_condition(const BulkparCondition *condition,
							 const BulkparDrive *drive, List *columns);
static List *key_columns(const BulkparCondition *condition,
						 const BulkparDrive *drive);
static List *key_targets(const BulkparCondition *condition, List *columns);
static AttrNumber key_attnum(const BulkparCondition *condition, int i);
static void return_tables(const BulkparDrive *drive);
static Node *table_of_row(const BulkparDrive *drive);
static Node *place_of_row(const BulkparDrive *drive);
static void select_versions(const BulkparDrive *drive);
static Node *span_condition(const BulkparCondition *condition,
							const BulkparDrive *drive);
static void select_listed(const BulkparCondition *condition,
						  const BulkparDrive *drive, Query *top);

/* Whether a statement is about the rows of a piece of the keys, not of all. */
bool
bulkpar_condition_is_of_piece(const BulkparCondition *condition)
{
	return condition->use != BULKPAR_CONDITION_LIST &&
		condition->use != BULKPAR_CONDITION_VALUES;
}

/*
 * Whether a relation is the target of a statement, or what is to be reached of
 * that, which was found to belong to it when it was locked.
 */
bool
bulkpar_condition_is_about(const BulkparCondition *condition, Oid relid)
{
	return relid == condition->relid || relid == condition->part ||
		list_member_oid(condition->parts, relid);
}

/*
 * Restrict the query of a statement to its piece and part, and make of it what it
 * is used for.  The query must have been analyzed just now, and not yet rewritten.
 */
void
bulkpar_condition_add(BulkparCondition *condition, ParseState *pstate,
					  Query *query)
{
	List	   *names = list_names(condition, query);
	BulkparDrive drive = find_drive(condition, pstate, query);
	RangeTblEntry *rte = rt_fetch(drive.rti, drive.query->rtable);
	FromExpr   *from = drive.query->jointree;
	List	   *keys = NIL;

	check_same_table(rte->relid, condition->relid);
	if (condition->once.job != NULL)
		check_same_table(drive.inserted, condition->once.job->inserted);
	if (drive.query->commandType == CMD_UPDATE)
		bulkpar_assigned_check_query(drive.query, condition->relid,
									 condition->part, condition->key);
	if (condition->once.job != NULL)
		bulkpar_names_check(condition->once.job, condition->relid, names);
	if ((condition->key->ncolumns > 0 || condition->parts != NIL) &&
		check_enable_rls(rte->relid, InvalidOid, true) == RLS_ENABLED)
		check_policies(condition, drive.query, rte);
	if (condition->once.job != NULL)
	{
		keys = bulkpar_acting_keys(&drive);
		bulkpar_ownread_check_walk(&drive, condition->key, keys);
	}
	bulkpar_once_apply(&condition->once, &drive, keys);
	condition->whole = drive.query == query && from->quals == NULL &&
		query->commandType != CMD_SELECT && list_length(from->fromlist) == 1;
	condition->multiplies = drive.multiplies;
	condition->inserted = drive.inserted;
	if (condition->skip_unchanged)
		bulkpar_unchanged_read(drive.pstate, query);
	bulkpar_drive_mark(&drive);
	if (bulkpar_condition_is_of_piece(condition))
		restrict_to_piece(condition, &drive);
	else
		select_listed(condition, &drive, query);
	drive.query->hasSubLinks |= checkExprHasSubLink(from->quals);
}

/*
 * What drives a statement.  The job has looked for the table when it was made; a
 * SELECT of our own has but this table.
 */
static BulkparDrive
find_drive(const BulkparCondition *condition, ParseState *pstate,
		   Query *query)
{
	BulkparDrive own = {
		.command = BULKPAR_COMMAND_CALL,
		.query = query,
		.pstate = pstate,
		.rti = 1
	};
	const BulkparJob *job = condition->once.job;
	BulkparDrive drive;

	if (job == NULL)
		return own;
	drive = bulkpar_drive_find(pstate, query, condition->relid,
							   job->sees_batches);

	/*
	 * The batches of the job change its other targets, too, unless these are
	 * gone.
	 */
	for (int i = 0; i < job->ntargets; i++)
	{
		if (job->targets[i] != condition->relid &&
			OidIsValid(get_rel_type_id(job->targets[i])))
			drive.changed = lappend_oid(drive.changed, job->targets[i]);
	}
	return drive;
}

/* What the names in the statement of a job mean, kept if that is wanted. */
static List *
list_names(BulkparCondition *condition, Query *query)
{
	MemoryContext oldcontext;

	if (condition->once.job == NULL)
		return NIL;
	if (condition->names_context == NULL)
		return bulkpar_names_list(query);
	oldcontext = MemoryContextSwitchTo(condition->names_context);
	condition->names = bulkpar_names_list(query);
	MemoryContextSwitchTo(oldcontext);
	return condition->names;
}

/* A name of the statement must still be that of the table it began with. */
static void
check_same_table(Oid relid, Oid before)
{
	if (relid != before)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the statement of the job is now about another table"),
				 errdetail("It began with the table of the OID %u.", before)));
}

/*
 * See that the range of a batch may be tested before the policies of its table,
 * and that it does not bring others into play.  The condition on the key reads
 * columns, so that policies for SELECT hide rows from a batch.  From a statement
 * that reads no column they would not: it may change more rows than the job.  So
 * does the part of each row that a statement on several parts returns.
 */
static void
check_policies(const BulkparCondition *condition, const Query *query,
			   const RangeTblEntry *rte)
{
	Relation	rel = table_open(rte->relid, NoLock);
	ListCell   *lc;

	if (condition->key->ncolumns > 0)
		bulkpar_leakproof_require(rel, condition->key);
	foreach(lc, query->commandType == CMD_SELECT ||
			bulkpar_compat_reads_columns(query, rte) ?
			NIL : rel->rd_rsdesc->policies)
	{
		if (hides_more(lfirst(lc), query->commandType))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("a statement that reads no column of table \"%s\" cannot be run in batches under its policies",
							RelationGetRelationName(rel)),
					 errdetail("Its batches read the key, so that policies for SELECT hide rows from them but not from the statement."),
					 condition->key->ncolumns == 0 ? 0 :
					 errhint("Read a column in the condition, such as WHERE %s IS NOT NULL, if these policies are to count.",
							 quote_identifier(get_attname(rte->relid,
														  key_attnum(condition, 0),
														  false)))));
	}
	table_close(rel, NoLock);
}

/*
 * Whether a policy may let a command reach rows that SELECT does not: it lets
 * reach more rows, but only this command, or it hides rows, but only from SELECT.
 */
static bool
hides_more(const RowSecurityPolicy *policy, CmdType command)
{
	return policy->permissive ?
		policy->polcmd == (command == CMD_DELETE ? ACL_DELETE_CHR :
						   ACL_UPDATE_CHR) :
		policy->polcmd == ACL_SELECT_CHR;
}

/* Restrict a query to the keys of a piece, and let a SELECT return these. */
static void
restrict_to_piece(const BulkparCondition *condition,
				  const BulkparDrive *drive)
{
	Query	   *query = drive->query;
	FromExpr   *from = query->jointree;
	List	   *columns = key_columns(condition, drive);
	List	   *parts = condition->parts != NIL ? condition->parts :
		list_make1_oid(condition->part);
	Node	   *bounds;

	look_up_members(condition, query, columns);
	/* The range comes first: nothing is evaluated for rows beyond it. */
	from->quals = make_and_qual(range_condition(condition, drive, columns),
								from->quals);
	bounds = bulkpar_partbounds_condition(condition->relid, parts);
	if (bounds != NULL)
		ChangeVarNodes(bounds, 1, drive->rti, 0);
	from->quals = make_and_qual(from->quals, bounds);
	if (condition->parts != NIL && !condition->silent)
		return_tables(drive);
	if (condition->use == BULKPAR_CONDITION_CHANGE || condition->parts != NIL)
		return;
	if (condition->use == BULKPAR_CONDITION_VERSIONS)
	{
		select_versions(drive);
		return;
	}
	query->targetList = key_targets(condition, columns);
	bulkpar_keyquery_sort(condition->key,
						  condition->use == BULKPAR_CONDITION_KEYS_BACKWARD,
						  query);
}

/*
 * Let IN and NOT IN look up what a batch needs in their subqueries, and in their
 * results.  A look at all rows needs them whole, and when NOT IN in a table stays
 * what it is, it is guessed better how many rows there are.
 */
static void
look_up_members(const BulkparCondition *condition, Query *query,
				List *columns)
{
	if (condition->parts == NIL)
		bulkpar_member_look_up(condition->once.members, columns);
	query->jointree->quals = bulkpar_exists_convert(query->jointree->quals);
}

/* The condition of the range; NULL if that is all keys. */
static Node *
range_condition(const BulkparCondition *condition, const BulkparDrive *drive,
				List *columns)
{
	Oid			argtypes[BULKPAR_KEY_MAX_VALUES];
	List	   *conditions;

	if (condition->shape.placed)
		columns = lappend(list_copy(columns), place_of_row(drive));
	if (bulkpar_key_arguments(condition->key, &condition->shape, argtypes) == 0)
		return NULL;
	conditions = lcons(bulkpar_keyquery_condition(condition->key,
												  &condition->shape, columns),
					   bulkpar_ranges_add(condition->key, &condition->shape,
										  drive->query, drive->rti,
										  key_attnum(condition, 0)));
	return (Node *) make_ands_explicit(conditions);
}

/*
 * The columns of the key in the query.  They are given to operators without a
 * look at their types, so these must be what they were.
 */
static List *
key_columns(const BulkparCondition *condition, const BulkparDrive *drive)
{
	List	   *columns = NIL;

	for (int i = 0; i < condition->key->ncolumns; i++)
	{
		Var		   *column = bulkpar_values_column(drive->pstate,
												   drive->query, drive->rti,
												   key_attnum(condition, i));

		if (getBaseType(column->vartype) != condition->key->columns[i].type)
			elog(ERROR, "key column %d of relation %u has changed its type",
				 column->varattno, condition->relid);
		columns = lappend(columns, column);
	}
	return columns;
}

/* Such columns as the targets of a SELECT. */
static List *
key_targets(const BulkparCondition *condition, List *columns)
{
	List	   *targets = NIL;
	ListCell   *lc;

	foreach(lc, columns)
	{
		Var		   *column = lfirst_node(Var, lc);

		bulkpar_values_add(&targets, (Node *) column,
						   get_attname(condition->relid, column->varattno,
									   false));
	}
	return targets;
}

/* The number of a key column in the target; in the part it may be another. */
static AttrNumber
key_attnum(const BulkparCondition *condition, int i)
{
	char	   *name = get_attname(condition->part,
								   condition->key->columns[i].attnum, false);
	AttrNumber	attnum = get_attnum(condition->relid, name);

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						name, get_rel_name(condition->relid))));
	return attnum;
}

/* Let a SELECT, or an UPDATE or DELETE, return the table of each of its rows. */
static void
return_tables(const BulkparDrive *drive)
{
	Query	   *query = drive->query;
	List	   *targets = NIL;

	bulkpar_values_add(&targets, table_of_row(drive), "tableoid");
	if (query->commandType == CMD_SELECT)
		query->targetList = targets;
	else
		query->returningList = targets;
}

/* The table of a row, by its OID. */
static Node *
table_of_row(const BulkparDrive *drive)
{
	return (Node *) makeVar(drive->rti, TableOidAttributeNumber,
							OIDOID, -1, InvalidOid, 0);
}

/* Where a row is in that. */
static Node *
place_of_row(const BulkparDrive *drive)
{
	return (Node *) makeVar(drive->rti, SelfItemPointerAttributeNumber, TIDOID,
							-1, InvalidOid, 0);
}

/* Where the rows are, by the only table of the query. */
static void
select_versions(const BulkparDrive *drive)
{
	List	   *targets = NIL;

	bulkpar_values_add(&targets, place_of_row(drive), "ctid");
	drive->query->targetList = targets;
}

/* That a row is in the span. */
static Node *
span_condition(const BulkparCondition *condition, const BulkparDrive *drive)
{
	return bulkpar_keyquery_condition(condition->key, &condition->shape,
									  list_make1(place_of_row(drive)));
}

/*
 * Make of a statement the SELECT of the keys of the rows that it changes or reads,
 * with the old and new values of a few, or with the table of each, where it is
 * there, and its new columns.
 */
static void
select_listed(const BulkparCondition *condition, const BulkparDrive *drive,
			  Query *top)
{
	Query	   *query = drive->query;
	RangeTblEntry *rte = rt_fetch(drive->rti, query->rtable);
	List	   *columns = key_columns(condition, drive);
	List	   *targets = key_targets(condition, columns);

	bulkpar_member_look_up(condition->once.members, columns);
	if (condition->use == BULKPAR_CONDITION_VALUES)
	{
		bulkpar_values_show(drive->pstate, query, &targets);
		query->limitCount = (Node *) makeConst(INT8OID, -1, InvalidOid,
											   sizeof(int64),
											   Int64GetDatum(SHOWN_ROWS),
											   false, FLOAT8PASSBYVAL);
		query->limitOption = LIMIT_OPTION_COUNT;
	}
	else
	{
		bulkpar_values_add(&targets, table_of_row(drive), "tableoid");
		bulkpar_values_add(&targets, place_of_row(drive), "ctid");
		bulkpar_values_after(drive->pstate, query, condition->new_columns,
							 &targets);
	}
	if (condition->shape.span)
		query->jointree->quals =
			make_and_qual(span_condition(condition, drive),
						  bulkpar_exists_convert(query->jointree->quals));
	bulkpar_compat_read_only(query, rte);
	query->commandType = CMD_SELECT;
	query->resultRelation = 0;
	query->targetList = targets;
	query->returningList = NIL;
	query->hasTargetSRFs = false;
	query->hasSubLinks |= checkExprHasSubLink(query->jointree->quals);
	if (query == top)
		return;
	query->queryId = top->queryId;
	query->querySource = top->querySource;
	query->canSetTag = top->canSetTag;
	query->stmt_location = top->stmt_location;
	query->stmt_len = top->stmt_len;
	*top = *query;
}
