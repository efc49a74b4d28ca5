/*-------------------------------------------------------------------------
 *
 * foreign.c
 *		The parts of a target that other servers have.
 *
 * Where postgres_fdw knows the server of a foreign table, the rows are changed by
 * a job there, with the same texts as here, and so they are where nodes of Citus
 * have the shards of a table, see citus.c.  So what could have another meaning
 * there is refused: other columns, what reads other tables, and what this server
 * would do for each row.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/foreign.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parser.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"
#include "utils/rls.h"

#include "table/citus.h"
#include "table/foreign.h"
#include "table/part.h"
#include "table/retarget.h"
#include "table/statement.h"

/* How long it may take to connect, in seconds. */
#define MAX_CONNECT_TIMEOUT 60

static void check_whole(const BulkparJob *job, const char *hint);
static char *remote_name(Oid relid, const ForeignTable *table);
static const char *option(List *options, const char *name);
static void check_updatable(Relation rel, const ForeignTable *table,
							const ForeignServer *server, const BulkparJob *job);
static void check_timeout(const ForeignServer *server);
static void check_names(Relation rel);
static void refuse_triggers(Relation rel, const BulkparJob *job);
static void refuse_policies(Oid target);
static void recheck_part(const BulkparJob *job, Oid relid);
static bool has_part(const BulkparJob *job, const BulkparNode *node,
					 const char *remote);
static void check_rights(const BulkparJob *job, Oid target, bool of_citus);
static void refuse_part(const BulkparJob *job, const char *what, const char *hint);
static bool has_subquery(const char *text);
static bool find_subquery(Node *node, void *context);

/* Whether the rows of a foreign table can be changed by a job on its server. */
bool
bulkpar_foreign_is_possible(Oid relid)
{
	ForeignServer *server;
	Oid			extension;

	if (get_rel_relkind(relid) != RELKIND_FOREIGN_TABLE)
		return false;
	extension = get_extension_oid("postgres_fdw", true);
	if (!OidIsValid(extension))
		return false;
	server = GetForeignServer(GetForeignTable(relid)->serverid);
	return getExtensionOfObject(ForeignDataWrapperRelationId,
								server->fdwid) == extension;
}

/*
 * An error if the server of a node may be waited for too long, before it is connected
 * to.  One that is gone is left to that.
 */
void
bulkpar_foreign_check_timeout(const BulkparNode *node)
{
	ForeignServer *server = node->citus_node != 0 ? NULL :
		GetForeignServerExtended(node->server, FSV_MISSING_OK);

	if (server != NULL)
		check_timeout(server);
}

/*
 * Add a foreign table, on which we have a lock, to the nodes of a job.  An error
 * if it is none that a job there can change.
 */
void
bulkpar_foreign_add(BulkparJob *job, Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	ForeignTable *table = GetForeignTable(relid);
	ForeignServer *server = GetForeignServer(table->serverid);
	BulkparNode *node;

	if (strncmp(application_name, BULKPAR_FOREIGN_CALLER,
				strlen(BULKPAR_FOREIGN_CALLER)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("foreign table \"%s\" is on a third server",
						RelationGetRelationName(rel)),
				 errhint("Let the table of the call have the foreign table of that server as a part.")));
	check_timeout(server);
	check_updatable(rel, table, server, job);
	check_names(rel);
	refuse_triggers(rel, job);
	node = bulkpar_node_of(&job->nodes, &job->nnodes, server->serverid, 0);
	node->server_name = pstrdup(server->servername);
	node->workers = job->workers_chosen ? 0 : job->workers;
	bulkpar_node_add_table(node, relid, remote_name(relid, table));
	table_close(rel, NoLock);
}

/*
 * An error if a job does what it cannot do on other servers, which have parts of
 * the target, or what would be something else there.
 */
void
bulkpar_foreign_check(const BulkparJob *job, Oid target)
{
	Relation	rel;
	const char *subquery = "Only what needs no other table can be done on other servers: keep its rows in a column, or call the function there.";

	if (!bulkpar_command_is_plain(job->command))
		refuse_part(job, "an INSERT, MERGE or SELECT", NULL);
	if (job->from_item != NULL)
		refuse_part(job, "a FROM or USING item", subquery);
	if (job->sees_batches)
		refuse_part(job, "the argument \"sees_batches\"", NULL);
	if (OidIsValid(job->key_index))
		refuse_part(job, "the argument \"key_index\"",
					"Each server chooses an index of its own.");
	if (job->statement != NULL)
		check_whole(job, subquery);
	for (int i = 0; i < job->nexpressions; i++)
	{
		if (has_subquery(job->expressions[i]))
			refuse_part(job, "a subquery", subquery);
	}
	if (job->condition != NULL && has_subquery(job->condition))
		refuse_part(job, "a subquery", subquery);
	refuse_policies(target);
	/* With Citus they are on the shards as well. */
	if (bulkpar_foreign_is_of_citus(job, target))
		return;
	rel = table_open(target, NoLock);
	refuse_triggers(rel, job);
	table_close(rel, NoLock);
}

/* Whether nodes of Citus have the rows of a target. */
bool
bulkpar_foreign_is_of_citus(const BulkparJob *job, Oid target)
{
	for (int i = 0; i < job->nnodes; i++)
	{
		const BulkparNode *node = &job->nodes[i];

		for (int k = 0; k < node->nremote && node->citus_node != 0; k++)
		{
			if (node->relations[k] == target)
				return true;
		}
	}
	return false;
}

/*
 * The same for a node of a job that goes on or begins, as its owner and in the
 * process that talks to it: what was right when the job was made may have changed.
 */
void
bulkpar_foreign_recheck(const BulkparJob *job, const BulkparNode *node)
{
	int			ntargets;
	const Oid  *targets = bulkpar_job_targets(job, &ntargets);

	if (node->citus_node != 0)
		bulkpar_citus_recheck(job, node);
	for (int i = 0; i < node->nremote && node->citus_node == 0; i++)
	{
		if (!has_part(job, node, node->remote[i]))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("table %s of server \"%s\" is no part of the job any more",
							node->remote[i], node->server_name),
					 errdetail("Its foreign table was dropped, detached or changed since the job was made."),
					 errhint("Make it what it was and resume the job, or cancel it and begin another.")));
	}
	for (int i = 0; i < ntargets; i++)
		check_rights(job, targets[i], node->citus_node != 0);
}

/* Whether a target of the job still has that table of a node, which is checked. */
static bool
has_part(const BulkparJob *job, const BulkparNode *node, const char *remote)
{
	int			ntargets;
	const Oid  *targets = bulkpar_job_targets(job, &ntargets);

	for (int i = 0; i < ntargets; i++)
	{
		ListCell   *lc;

		LockRelationOid(targets[i], AccessShareLock);
		if (get_rel_name(targets[i]) == NULL)
			continue;
		foreach(lc, find_all_inheritors(targets[i], AccessShareLock, NULL))
		{
			Oid			relid = lfirst_oid(lc);
			ForeignTable *table;

			if (!bulkpar_foreign_is_possible(relid) ||
				!bulkpar_part_belongs(targets[i], relid))
				continue;
			table = GetForeignTable(relid);
			if (table->serverid != node->server ||
				strcmp(remote_name(relid, table), remote) != 0)
				continue;
			recheck_part(job, relid);
			return true;
		}
	}
	return false;
}

static void
recheck_part(const BulkparJob *job, Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	ForeignTable *table = GetForeignTable(relid);
	ForeignServer *server = GetForeignServer(table->serverid);

	check_timeout(server);
	check_updatable(rel, table, server, job);
	check_names(rel);
	refuse_triggers(rel, job);
	table_close(rel, NoLock);
}

/* Whether the current user may run the statement on a target, which is locked. */
static void
check_rights(const BulkparJob *job, Oid target, bool of_citus)
{
	BulkparKey	none = {0};
	BulkparKeyShape all = {0};
	BulkparStatement *statement;

	if (get_rel_name(target) == NULL)
		return;
	refuse_policies(target);
	statement = bulkpar_statement_batch(job, target, target, &none, &all);
	statement->hooks.local = of_citus;
	SPI_connect();
	bulkpar_statement_check(statement);
	SPI_finish();
}

static void
refuse_policies(Oid target)
{
	if (check_enable_rls(target, GetUserId(), true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a table with row level security is not supported where other servers have parts of the table"),
				 errdetail("The policies of table \"%s\" would not be followed there.",
						   get_rel_name(target)),
				 errhint("Call the function on each server.")));
}

/* The same for the clauses of a whole UPDATE or DELETE. */
static void
check_whole(const BulkparJob *job, const char *hint)
{
	List	   *trees = raw_parser(job->statement, RAW_PARSE_DEFAULT);
	Node	   *statement = linitial_node(RawStmt, trees)->stmt;
	bool		update = IsA(statement, UpdateStmt);

	if ((update ? ((UpdateStmt *) statement)->withClause :
		 castNode(DeleteStmt, statement)->withClause) != NULL)
		refuse_part(job, "WITH", hint);
	if ((update ? ((UpdateStmt *) statement)->fromClause :
		 castNode(DeleteStmt, statement)->usingClause) != NIL)
		refuse_part(job, "a FROM or USING item", hint);
	if (find_subquery(statement, NULL))
		refuse_part(job, "a subquery", hint);
	for (int i = 0; i < job->nnodes; i++)
	{
		if (job->nodes[i].nremote > 1)
			refuse_part(job, "a whole statement on several tables of one server",
						"Use bulkpar_update or bulkpar_delete.");
		(void) bulkpar_retarget_statement(job->statement,
										  job->nodes[i].remote[0]);
	}
}

/* What the table is called on its server, in SQL. */
static char *
remote_name(Oid relid, const ForeignTable *table)
{
	const char *schema = option(table->options, "schema_name");
	const char *name = option(table->options, "table_name");

	if (schema == NULL)
		schema = get_namespace_name(get_rel_namespace(relid));
	if (name == NULL)
		name = get_rel_name(relid);
	return quote_qualified_identifier(schema, name);
}

/* The value of an option; NULL for none. */
static const char *
option(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *element = lfirst_node(DefElem, lc);

		if (strcmp(element->defname, name) == 0)
			return defGetString(element);
	}
	return NULL;
}

/* Whether its server has it, and lets it be changed. */
static void
check_updatable(Relation rel, const ForeignTable *table,
				const ForeignServer *server, const BulkparJob *job)
{
	const char *updatable = option(table->options, "updatable");
	bool		can_update = true;

	if (updatable == NULL)
		updatable = option(server->options, "updatable");
	if (updatable != NULL)
		(void) parse_bool(updatable, &can_update);
	if (!can_update)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("foreign table \"%s\" does not allow %s",
						RelationGetRelationName(rel),
						bulkpar_command_deletes(job->command) ?
						"deletes" : "updates")));
}

/*
 * Before PostgreSQL 16 a process that connects hears nothing, not even that the
 * server is stopped, so how long that may take must be bounded.
 */
static void
check_timeout(const ForeignServer *server)
{
	const char *timeout = option(server->options, "connect_timeout");
	char	   *end = NULL;
	long		seconds = 0;

	if (timeout != NULL)
		seconds = strtol(timeout, &end, 10);
	if (seconds > 0 && seconds <= MAX_CONNECT_TIMEOUT && *end == '\0')
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 timeout == NULL ?
			 errmsg("server \"%s\" has no option \"connect_timeout\"",
					server->servername) :
			 errmsg("option \"connect_timeout\" of server \"%s\" is not between 1 and %d",
					server->servername, MAX_CONNECT_TIMEOUT),
			 errdetail("To connect to a server that does not answer could not be interrupted."),
			 errhint("Use ALTER SERVER %s OPTIONS (%s connect_timeout '10').",
					 quote_identifier(server->servername),
					 timeout == NULL ? "ADD" : "SET")));
}

/* The texts of the job name the columns as they are called here. */
static void
check_names(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		const char *name;

		if (attribute->attisdropped)
			continue;
		name = option(GetForeignColumnOptions(RelationGetRelid(rel),
											  attribute->attnum),
					  "column_name");
		if (name != NULL && strcmp(name, NameStr(attribute->attname)) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("column \"%s\" of foreign table \"%s\" is called \"%s\" on its server",
							NameStr(attribute->attname),
							RelationGetRelationName(rel), name),
					 errdetail("A job there uses the same names as the call."),
					 errhint("Rename the column here or there, or call the function on the server that has the table.")));
	}
}

/* Nothing that is done for each row here would be done by a job there. */
static void
refuse_triggers(Relation rel, const BulkparJob *job)
{
	const TriggerDesc *triggers = rel->trigdesc;
	bool		deletes = bulkpar_command_deletes(job->command);

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (!(deletes ? TRIGGER_FOR_DELETE(trigger->tgtype) :
			  TRIGGER_FOR_UPDATE(trigger->tgtype)) ||
			trigger->tgenabled == TRIGGER_DISABLED)
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE ?
				 errmsg("foreign table \"%s\" has the trigger \"%s\"",
						RelationGetRelationName(rel), trigger->tgname) :
				 errmsg("table \"%s\" with parts on other servers has the trigger \"%s\"",
						RelationGetRelationName(rel), trigger->tgname),
				 errdetail("It would not fire for rows that a job on their server changes."),
				 errhint("Create the trigger there, and drop or disable it here.")));
	}
}

static void
refuse_part(const BulkparJob *job, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s is not supported where other servers have parts of the table",
					what),
			 job->nodes[0].citus_node != 0 ?
			 errdetail("Table \"%s\" is distributed by Citus.",
					   get_rel_name(job->nodes[0].relations[0])) :
			 errdetail("Foreign table \"%s\" is on server \"%s\".",
					   get_rel_name(job->nodes[0].relations[0]),
					   job->nodes[0].server_name),
			 hint == NULL ? 0 : errhint("%s", hint)));
}

/* Whether an expression, which was parsed before, has a subquery. */
static bool
has_subquery(const char *text)
{
	return find_subquery((Node *) raw_parser(text, RAW_PARSE_PLPGSQL_EXPR),
						 NULL);
}

static bool
find_subquery(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubLink))
		return true;
	if (IsA(node, RawStmt))
		node = ((RawStmt *) node)->stmt;
	return raw_expression_tree_walker(node, find_subquery, context);
}
