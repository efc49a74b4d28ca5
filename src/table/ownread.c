/*-------------------------------------------------------------------------
 *
 * ownread.c
 *		What foreign keys change for a statement of its own tables.
 *
 * Subqueries of the statement are evaluated once where they read what its batches
 * change, or refused (once.c).  The columns of its own tables cannot be read once:
 * which rows there are would not be known before.  Nor can what the policies of a
 * table read, which come in when the statement is rewritten.  So it is refused where
 * earlier batches, or foreign keys for them, change these; and in any case where
 * foreign keys may put a row before or behind where a walk along the key is, or into
 * another part.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/ownread.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "parser/parsetree.h"
#include "rewrite/rowsecurity.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "table/acting.h"
#include "table/assigned.h"
#include "table/ownread.h"
#include "table/part.h"
#include "table/reach.h"
#include "table/tied.h"

static void check_partitioned_by(Oid relid, const BulkparForeignKey *key);
static void check_reads(const BulkparDrive *drive, const List *keys);
static void check_sets(const BulkparDrive *drive, const List *keys);
static void check_links(const List *keys);
static AttrNumber find_link(const BulkparForeignKey *key,
							const BulkparForeignKey *other);
static bool refer_to_same(const BulkparForeignKey *key,
						  const BulkparForeignKey *other);
static Oid	root_of(Oid relid);
static void check_inserted(const BulkparDrive *drive, const List *keys);
static void check_policies_of(const BulkparDrive *drive, RangeTblEntry *rte,
							  const List *keys, CmdType command);
static bool counts_for(const RowSecurityPolicy *policy, CmdType command);
static bool is_for_user(const RowSecurityPolicy *policy);
static void check_policy(const BulkparDrive *drive, RangeTblEntry *rte,
						 Expr *qual, const List *keys, CmdType command);

/*
 * An error if foreign keys, of those that act for the statement, change columns of
 * the key of the driving table, or those by which it is partitioned.
 */
void
bulkpar_ownread_check_walk(const BulkparDrive *drive, const BulkparKey *key,
						   const List *keys)
{
	Oid			relid = rt_fetch(drive->rti, drive->query->rtable)->relid;
	ListCell   *lc;

	foreach(lc, keys)
	{
		const BulkparForeignKey *acting = lfirst(lc);
		Bitmapset  *columns;
		int			attnum = -1;

		if (!acting->updates || !bulkpar_part_overlaps(acting->relid, relid))
			continue;
		columns = bulkpar_acting_columns(acting, key->relid);
		while ((attnum = bms_next_member(columns, attnum)) >= 0)
		{
			if (bulkpar_key_has_column(key, attnum))
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("foreign key \"%s\" changes key column \"%s\" of table \"%s\"",
								get_constraint_name(acting->constraint),
								get_attname(key->relid, attnum, false),
								get_rel_name(key->relid)),
						 errdetail("The job follows the order of index \"%s\".",
								   get_rel_name(key->index)),
						 errhint("Name another unique index by the argument \"%s\", whose columns the job leaves alone.",
								 "key_index")));
		}
		check_partitioned_by(relid, acting);
	}
}

/* A row must not leave the table, or one of its parts, for another. */
static void
check_partitioned_by(Oid relid, const BulkparForeignKey *key)
{
	List	   *tables = find_all_inheritors(relid, AccessShareLock, NULL);
	Oid			table;

	if (get_rel_relispartition(relid))
		tables = list_concat(tables, get_partition_ancestors(relid));
	table = bulkpar_assigned_find_partitioned(tables, key->relid, key->changed);
	if (OidIsValid(table))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("foreign key \"%s\" changes the partition key of table \"%s\"",
						get_constraint_name(key->constraint),
						get_rel_name(table)),
				 errdetail("A row that moves to another partition might be met twice, or never.")));
}

/*
 * An error if a statement or policies of its tables read or set what these foreign
 * keys change.
 */
void
bulkpar_ownread_check(const BulkparDrive *drive, const List *keys)
{
	check_reads(drive, keys);
	check_sets(drive, keys);
	check_links(keys);
	check_policies_of(drive, rt_fetch(drive->rti, drive->query->rtable), keys,
					  drive->query->commandType);
	if (OidIsValid(drive->inserted))
		check_inserted(drive, keys);
}

static void
check_reads(const BulkparDrive *drive, const List *keys)
{
	Oid			relid = rt_fetch(drive->rti, drive->query->rtable)->relid;
	int			location;
	AttrNumber	attnum = bulkpar_acting_find_read(drive->query, drive->rti, keys,
												  &location);

	if (attnum != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the statement reads column \"%s\" of table \"%s\", which foreign keys change",
						get_attname(relid, attnum, false), get_rel_name(relid)),
				 errdetail("It would see what earlier batches have done, which it does not in one statement."),
				 errhint("Let a subquery that does not depend on the row find the rows, as in WHERE id IN (SELECT ...); it is evaluated once, when the job begins. Or say sees_batches => true, if that does no harm."),
				 parser_errposition(drive->pstate, location)));
}

/* What the statement sets a foreign key might set before or after it. */
static void
check_sets(const BulkparDrive *drive, const List *keys)
{
	const Query *query = drive->query;
	Oid			relid = rt_fetch(drive->rti, query->rtable)->relid;
	ListCell   *lk;
	ListCell   *lc;

	foreach(lk, query->commandType == CMD_UPDATE ? keys : NIL)
	{
		const BulkparForeignKey *key = lfirst(lk);
		Bitmapset  *columns = bulkpar_part_overlaps(key->relid, relid) ?
			bulkpar_acting_columns(key, relid) : NULL;

		foreach(lc, columns != NULL ? query->targetList : NIL)
		{
			const TargetEntry *entry = lfirst_node(TargetEntry, lc);

			if (!entry->resjunk && bms_is_member(entry->resno, columns))
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("the statement sets column \"%s\" of table \"%s\", which foreign keys change as well",
								get_attname(relid, entry->resno, false),
								get_rel_name(relid)),
						 errdetail("In batches they might change what an earlier one has set."),
						 errhint("Say sees_batches => true, if that does no harm.")));
		}
	}
}

/*
 * A row that a foreign key lets refer to nothing, or to something else, another one
 * does not find any more, nor what refers to it: which of them comes first matters.
 */
static void
check_links(const List *keys)
{
	ListCell   *lc;
	ListCell   *lo;

	foreach(lc, keys)
	{
		const BulkparForeignKey *key = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		foreach(lo, key->nulls || key->defaults ? keys : NIL)
		{
			const BulkparForeignKey *other = lfirst(lo);

			AttrNumber	attnum = find_link(key, other);

			if (attnum != 0)
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("foreign key \"%s\" changes column \"%s\" of table \"%s\" by which foreign key \"%s\" finds rows to change or delete",
								get_constraint_name(key->constraint),
								get_attname(key->relid, attnum, false),
								get_rel_name(key->relid),
								get_constraint_name(other->constraint)),
						 errdetail("Which of them comes first depends on the order of the batches."),
						 errhint("Say sees_batches => true, if that does no harm.")));
		}
	}
}

/*
 * A column that a foreign key changes and by which another one finds rows, on either
 * side of that, or 0.  The order does not matter where it but hands on what is
 * changed, or finds the same rows for the same row.
 */
static AttrNumber
find_link(const BulkparForeignKey *key, const BulkparForeignKey *other)
{
	bool		hands_on = other->ncolumns == 1 && !other->deletes &&
		!other->defaults;

	/*
	 * One that hands on a value may find the rows to which it gave another
	 * one.
	 */
	if (other == key && key->defaults && key->by_delete && key->by_update)
		return bms_next_member(key->changed, -1);
	if (refer_to_same(key, other))
		return 0;
	for (int i = 0; i < other->ncolumns; i++)
	{
		if (other->relid == key->relid &&
			bms_is_member(other->columns[i], key->changed))
			return other->columns[i];
		if (other->referenced == key->relid && !hands_on &&
			bms_is_member(other->references[i], key->changed))
			return other->references[i];
	}
	return 0;
}

/*
 * Whether two foreign keys are the same in all but what they do, so also those of one
 * that refers to a table with partitions.
 */
static bool
refer_to_same(const BulkparForeignKey *key, const BulkparForeignKey *other)
{
	Oid			table;

	if (key->relid != other->relid || key->ncolumns != other->ncolumns)
		return false;
	table = root_of(key->referenced);
	if (table != root_of(other->referenced))
		return false;
	for (int i = 0; i < key->ncolumns; i++)
	{
		if (key->columns[i] != other->columns[i] ||
			bulkpar_part_column(key->referenced, key->references[i], table) !=
			bulkpar_part_column(other->referenced, other->references[i], table))
			return false;
	}
	return true;
}

static Oid
root_of(Oid relid)
{
	List	   *ancestors = get_rel_relispartition(relid) ?
		get_partition_ancestors(relid) : NIL;

	return ancestors == NIL ? relid : llast_oid(ancestors);
}

/* Rows of the table into which rows are inserted or merged. */
static void
check_inserted(const BulkparDrive *drive, const List *keys)
{
	RangeTblEntry inserted = {
		.type = T_RangeTblEntry,
		.rtekind = RTE_RELATION,
		.relid = drive->inserted,
		.relkind = get_rel_relkind(drive->inserted),
		.inh = true
	};
	ListCell   *lc;

	foreach(lc, keys)
	{
		const BulkparForeignKey *key = lfirst(lc);

		if (bulkpar_part_overlaps(key->relid, drive->inserted))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("the statement inserts into table \"%s\", rows of which foreign keys change for it",
							get_rel_name(drive->inserted)),
					 errdetail("In batches they might change what an earlier one has inserted."),
					 errhint("Say sees_batches => true, if that does no harm.")));
	}
	check_policies_of(drive, &inserted, keys,
					  drive->merge != NULL ? CMD_UNKNOWN : CMD_INSERT);
	if (drive->overwritten != NIL)
		check_policies_of(drive, &inserted, keys, CMD_UPDATE);
}

/* Check the policies that count for a command, or all of them if it is not known. */
static void
check_policies_of(const BulkparDrive *drive, RangeTblEntry *rte, const List *keys,
				  CmdType command)
{
	Relation	rel;
	ListCell   *lc;

	if (check_enable_rls(rte->relid, InvalidOid, true) != RLS_ENABLED)
		return;
	rel = table_open(rte->relid, NoLock);
	foreach(lc, rel->rd_rsdesc->policies)
	{
		const RowSecurityPolicy *policy = lfirst(lc);

		if (!counts_for(policy, command) || !is_for_user(policy))
			continue;
		if (command != CMD_INSERT || policy->with_check_qual == NULL)
			check_policy(drive, rte, policy->qual, keys, command);
		check_policy(drive, rte, policy->with_check_qual, keys, command);
	}
	table_close(rel, NoLock);
}

static bool
counts_for(const RowSecurityPolicy *policy, CmdType command)
{
	switch (policy->polcmd)
	{
		case ACL_SELECT_CHR:
			return command != CMD_INSERT;
		case ACL_INSERT_CHR:
			return command == CMD_INSERT || command == CMD_UNKNOWN;
		case ACL_UPDATE_CHR:
			return command == CMD_UPDATE || command == CMD_UNKNOWN;
		case ACL_DELETE_CHR:
			return command == CMD_DELETE || command == CMD_UNKNOWN;
		default:
			return true;
	}
}

static bool
is_for_user(const RowSecurityPolicy *policy)
{
	Datum	   *roles;
	int			count;

	deconstruct_array(policy->roles, OIDOID, sizeof(Oid), true, TYPALIGN_INT,
					  &roles, NULL, &count);
	for (int i = 0; i < count; i++)
	{
		Oid			role = DatumGetObjectId(roles[i]);

		if (role == ACL_ID_PUBLIC || has_privs_of_role(GetUserId(), role))
			return true;
	}
	return false;
}

/* An error if it reads what these foreign keys change; new rows may refer to others. */
static void
check_policy(const BulkparDrive *drive, RangeTblEntry *rte, Expr *qual,
			 const List *keys, CmdType command)
{
	Query	   *query = bulkpar_acting_query_of_policy(rte, qual);
	BulkparDrive policed = *drive;
	BulkparReachChanged changed = {.tables = drive->changed, .keys = keys};
	BulkparReach reach;
	AttrNumber	attnum;
	int			location;

	policed.query = query;
	policed.rti = 1;
	attnum = bulkpar_acting_find_read(query, 1, keys, &location);
	if (attnum != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a policy of table \"%s\" reads its column \"%s\", which foreign keys change",
						get_rel_name(rte->relid),
						get_attname(rte->relid, attnum, false)),
				 errdetail("It would see what earlier batches have done, which it does not in one statement."),
				 errhint("Say sees_batches => true, if that does no harm.")));
	if (command == CMD_DELETE)
		changed.tied = bulkpar_tied_find(&policed, keys);
	reach = bulkpar_reach_look((Node *) qual, &changed, true);
	if (OidIsValid(reach.reads_changed))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 reach.by_key ?
				 errmsg("a policy of table \"%s\" reads table \"%s\", rows of which foreign keys change",
						get_rel_name(rte->relid),
						get_rel_name(reach.reads_changed)) :
				 errmsg("a policy of table \"%s\" reads table \"%s\", which the statement changes",
						get_rel_name(rte->relid),
						get_rel_name(reach.reads_changed)),
				 errdetail("It would see what earlier batches have done, which it does not in one statement."),
				 errhint("Say sees_batches => true, if that does no harm.")));
}
