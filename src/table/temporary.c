/*-------------------------------------------------------------------------
 *
 * temporary.c
 *		Temporary objects, which a job cannot use.
 *
 * What the caller's session has in pg_temp the workers would not find, or they
 * would find something else of that name.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/temporary.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"

#include "table/temporary.h"

static bool refuse_in_node(Node *node, void *context);
static bool refuse_function(Oid function, void *context);
static void raise_temporary(const char *kind, const char *name);

/*
 * Throw an error if a statement uses a temporary table, of which the plan knows
 * all, or a temporary function, of which it may have inlined some.
 */
void
bulkpar_temporary_refuse(const CachedPlanSource *source,
						 const PlannedStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->relationOids)
	{
		if (isAnyTempNamespace(get_rel_namespace(lfirst_oid(lc))))
			raise_temporary("table", get_rel_name(lfirst_oid(lc)));
	}
	foreach(lc, source->query_list)
		(void) refuse_in_node(lfirst(lc), NULL);
}

/* Throws for a function anywhere below a node; else false, to walk on. */
static bool
refuse_in_node(Node *node, void *context)
{
	if (node == NULL)
		return false;
	(void) check_functions_in_node(node, refuse_function, context);
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, refuse_in_node, context, 0);
	return expression_tree_walker(node, refuse_in_node, context);
}

static bool
refuse_function(Oid function, void *context)
{
	if (isAnyTempNamespace(get_func_namespace(function)))
		raise_temporary("function", get_func_name(function));
	return false;
}

static void
raise_temporary(const char *kind, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("temporary %s \"%s\" cannot be used in a bulkpar job",
					kind, name),
			 errdetail("Background workers cannot see the temporary objects of another session.")));
}
