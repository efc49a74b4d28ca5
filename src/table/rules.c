/*-------------------------------------------------------------------------
 *
 * rules.c
 *		Rules on the tables that a job changes.
 *
 * A rule would put another statement in the place of a batch, which would not do
 * what the job says it has done.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/rules.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "rewrite/prs2lock.h"

#include "table/rules.h"

/* An error if there is a rule for a command: UPDATE, DELETE or INSERT. */
void
bulkpar_rules_refuse(Relation rel, CmdType command)
{
	for (int i = 0; rel->rd_rules != NULL && i < rel->rd_rules->numLocks; i++)
	{
		if (rel->rd_rules->rules[i]->event == command)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("table \"%s\" with a rule on %s is not supported",
							RelationGetRelationName(rel),
							command == CMD_INSERT ? "INSERT" :
							command == CMD_DELETE ? "DELETE" : "UPDATE")));
	}
}
