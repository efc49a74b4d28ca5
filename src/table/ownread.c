/*-------------------------------------------------------------------------
 *
 * ownread.c
 *		What a statement and policies read of what batches change.
 *
 * Subqueries of the statement are evaluated once where they read what its batches
 * change, or refused (once.c).  The columns of its own table cannot be read once:
 * which rows there are would not be known before.  Nor can what the policies of a
 * table read, which come in when the statement is rewritten.  So these are refused
 * where earlier batches, or foreign keys for them, change them.
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
#include "nodes/makefuncs.h"
#include "parser/parsetree.h"
#include "rewrite/rowsecurity.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "table/ownread.h"
#include "table/reach.h"
#include "table/tied.h"

static void check_policies(const BulkparDrive *drive, RangeTblEntry *rte,
						   const List *keys, CmdType command);
static bool counts_for(const RowSecurityPolicy *policy, CmdType command);
static void check_policy(const BulkparDrive *drive, RangeTblEntry *rte,
						 Expr *qual, const List *keys);

/* An error if a statement or policies of its tables read what foreign keys change. */
void
bulkpar_ownread_check(const BulkparDrive *drive, const List *keys)
{
	RangeTblEntry *rte = rt_fetch(drive->rti, drive->query->rtable);
	int			location;
	AttrNumber	attnum = bulkpar_tied_find_own(drive->query, drive->rti, keys,
											   &location);

	if (attnum != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the statement reads column \"%s\" of table \"%s\", which foreign keys change",
						get_attname(rte->relid, attnum, false),
						get_rel_name(rte->relid)),
				 errdetail("It would see what earlier batches have done, which it does not in one statement."),
				 errhint("Let a subquery that does not depend on the row find the rows, as in WHERE id IN (SELECT ...); it is evaluated once, when the job begins. Or say sees_batches => true, if that does no harm."),
				 parser_errposition(drive->pstate, location)));
	check_policies(drive, rte, keys, drive->query->commandType);
	if (OidIsValid(drive->inserted))
	{
		RangeTblEntry inserted = {
			.type = T_RangeTblEntry,
			.rtekind = RTE_RELATION,
			.relid = drive->inserted,
			.relkind = get_rel_relkind(drive->inserted),
			.inh = true
		};

		check_policies(drive, &inserted, keys,
					   drive->merge != NULL ? CMD_UNKNOWN : CMD_INSERT);
		if (drive->overwrites)
			check_policies(drive, &inserted, keys, CMD_UPDATE);
	}
}

/* Check the policies that count for a command, or all of them if it is not known. */
static void
check_policies(const BulkparDrive *drive, RangeTblEntry *rte, const List *keys,
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

		if (!counts_for(policy, command))
			continue;
		check_policy(drive, rte, policy->qual, keys);
		check_policy(drive, rte, policy->with_check_qual, keys);
	}
	table_close(rel, NoLock);
}

static bool
counts_for(const RowSecurityPolicy *policy, CmdType command)
{
	switch (policy->polcmd)
	{
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

/* An expression of a policy is as the condition of a query of its table alone. */
static void
check_policy(const BulkparDrive *drive, RangeTblEntry *rte, Expr *qual,
			 const List *keys)
{
	Query	   *query = makeNode(Query);
	BulkparDrive policed = *drive;
	BulkparReachChanged changed = {.tables = drive->changed, .keys = keys};
	BulkparReach reach;
	AttrNumber	attnum;
	int			location;

	query->commandType = CMD_SELECT;
	query->rtable = list_make1(rte);
	query->jointree = makeFromExpr(NIL, (Node *) qual);
	policed.query = query;
	policed.rti = 1;
	attnum = bulkpar_tied_find_own(query, 1, keys, &location);
	if (attnum != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a policy of table \"%s\" reads its column \"%s\", which foreign keys change",
						get_rel_name(rte->relid),
						get_attname(rte->relid, attnum, false)),
				 errdetail("It would see what earlier batches have done, which it does not in one statement."),
				 errhint("Say sees_batches => true, if that does no harm.")));
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
