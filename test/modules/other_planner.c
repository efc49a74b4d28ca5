/*-------------------------------------------------------------------------
 *
 * other_planner.c
 *		An extension that plans statements its own way, for a test.
 *
 * As extensions that spread tables over servers or keep them in another form
 * do, it puts another relation in the place of a table, or finds that there is
 * nothing to do.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  test/modules/other_planner.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "optimizer/planner.h"
#include "parser/parse_relation.h"
#include "storage/lmgr.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

/* The planner's hook has one more parameter since 19. */
#if PG_VERSION_NUM >= 190000
#define EXTRA_PARAM , ExplainState *es
#define EXTRA_ARG , es
#else
#define EXTRA_PARAM
#define EXTRA_ARG
#endif

void		_PG_init(void);

/* The OID of the table whose statements are planned otherwise; 0 for none. */
static int	table = 0;

/* The one that takes its place; 0: nothing is to be changed. */
static int	instead = 0;

static planner_hook_type prev_planner_hook = NULL;

static PlannedStmt *
plan(Query *parse, const char *query_string, int cursorOptions,
	 ParamListInfo boundParams EXTRA_PARAM)
{
	planner_hook_type planner = prev_planner_hook ? prev_planner_hook :
		standard_planner;
	ListCell   *lc;

	foreach(lc, table == 0 ? NIL : parse->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		if (rte->rtekind != RTE_RELATION || rte->relid != (Oid) table)
			continue;
		if (instead == 0 && parse->commandType == CMD_SELECT)
			continue;
		if (instead == 0)
		{
			parse->jointree->quals = (Node *) makeBoolConst(false, false);
			continue;
		}
		LockRelationOid(instead, rte->rellockmode);
#if PG_VERSION_NUM >= 160000
		if (rte->perminfoindex != 0)
			getRTEPermissionInfo(parse->rteperminfos, rte)->relid = instead;
#endif
		rte->relid = instead;
	}
	return planner(parse, query_string, cursorOptions, boundParams EXTRA_ARG);
}

void
_PG_init(void)
{
	DefineCustomIntVariable("other_planner.planned", "See above.", NULL,
							&table, 0, 0, INT_MAX, PGC_SUSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("other_planner.instead", "See above.", NULL,
							&instead, 0, 0, INT_MAX, PGC_SUSET, 0,
							NULL, NULL, NULL);
	prev_planner_hook = planner_hook;
	planner_hook = plan;
}
