/*-------------------------------------------------------------------------
 *
 * kept.c
 *		The tables with the results of subqueries.
 *
 * What a subquery returned when the job began is in an unlogged table in our
 * schema, which belongs to the owner of our tables and is a member of the
 * extension: so nobody else can reach it, pg_dump leaves it out, and DROP
 * EXTENSION drops it.  It is known by its OID.
 *
 * Whatever works on such a table, autovacuum for one, does so as its owner, who
 * may be a superuser.  So code of the user must not come along with its columns:
 * a type of the user's gets neither an index nor statistics, for which functions
 * of it would be called.  That must be so before the first row is in it, for the
 * subquery itself may run ANALYZE, which the owner of a database may on all
 * tables.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/kept.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/reloptions.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/heap.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_type.h"
#include "catalog/toasting.h"
#include "commands/defrem.h"
#include "commands/tablecmds.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "books/bookkeeping.h"
#include "books/books.h"
#include "books/kept.h"
#include "compat.h"
#include "session/process.h"

/*
 * Statistics of so much detail are enough to choose how a batch looks rows up.  They
 * are made while the other workers wait: of 50,000 rows in 5 ms instead of 20 ms.
 */
#define STATISTICS_TARGET 25

static TupleDesc name_columns(TupleDesc columns);
static void protect(Oid relid);
static bool is_built_in(Oid type);
static AlterTableCmd *make_command(AlterTableType type);
static AlterTableCmd *without_statistics(const char *column);
static AlterTableCmd *index_on(Oid relid, Form_pg_attribute column,
							   bool is_long);
static bool can_be_indexed(Oid type, Oid method);
static void analyze(Relation rel);

/*
 * Make a table for the result of a subquery of a job, or with 0 for it of one
 * that only this transaction has, whose columns have the types of those given.
 * Autovacuum need not look at it: its rows never change, and are frozen.
 */
Oid
bulkpar_kept_create(int64 job_id, int number, TupleDesc columns)
{
	Oid			owner = bulkpar_books_open();
	char	   *prefix = job_id != 0 ?
		psprintf("bulkpar_subquery_" INT64_FORMAT, job_id) :
		psprintf("bulkpar_subquery_of_%d", MyProcPid);
	char	   *name = ChooseRelationName(prefix, NULL, psprintf("%d", number),
										  bulkpar_books_schema(), false);
	List	   *options =
		list_make1(makeDefElem("autovacuum_enabled",
							   (Node *) makeString("false"), -1));
	Datum		reloptions = transformRelOptions((Datum) 0, options, NULL, NULL,
												 false, false);
	ObjectAddress table;
	ObjectAddress extension;
	Oid			relid;

	relid = heap_create_with_catalog(name, bulkpar_books_schema(), InvalidOid,
									 InvalidOid, InvalidOid, InvalidOid,
									 owner, HEAP_TABLE_AM_OID,
									 name_columns(columns), NIL,
									 RELKIND_RELATION,
									 RELPERSISTENCE_UNLOGGED, false, false,
									 ONCOMMIT_NOOP, reloptions, false, false,
									 true, InvalidOid, NULL);
	ObjectAddressSet(table, RelationRelationId, relid);
	ObjectAddressSet(extension, ExtensionRelationId,
					 bulkpar_books_extension());
	recordDependencyOn(&table, &extension, DEPENDENCY_EXTENSION);
	CommandCounterIncrement();
	NewHeapCreateToastTable(relid, reloptions, AccessExclusiveLock, InvalidOid);
	CommandCounterIncrement();
	protect(relid);
	return relid;
}

/* The columns c1, c2 and so on of the types given, domains as what they are of. */
static TupleDesc
name_columns(TupleDesc columns)
{
	TupleDesc	named = CreateTemplateTupleDesc(columns->natts);

	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);
		int32		typmod = column->atttypmod;
		Oid			type = getBaseTypeAndTypmod(column->atttypid, &typmod);

		TupleDescInitEntry(named, i + 1, psprintf("c%d", i + 1), type, typmod,
						   0);
		TupleDescInitEntryCollation(named, i + 1, column->attcollation);
	}
	bulkpar_compat_finish_columns(named);
	return named;
}

/*
 * Let nobody but its owner do anything with a table: row level security without
 * a policy, so that it is empty to others, whatever privileges they have by
 * pg_read_all_data; and nothing to do for ANALYZE that runs code of the user.
 */
static void
protect(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	List	   *commands = list_make1(make_command(AT_EnableRowSecurity));
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter(&books);
	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(rel), i);

		if (!is_built_in(column->atttypid))
			commands = lappend(commands,
							   without_statistics(NameStr(column->attname)));
	}
	table_close(rel, NoLock);
	AlterTableInternal(relid, commands, false);
	CommandCounterIncrement();
	bulkpar_bookkeeping_leave(&books);
}

/*
 * Complete a table when it has its rows: indexes on the columns given, by their
 * numbers, where that runs no code of the user, and statistics.  Those of the
 * columns whose values may be too long for an index with these in it are given
 * as well.
 */
void
bulkpar_kept_finish(Oid relid, const Bitmapset *indexed,
					const Bitmapset *too_long)
{
	Relation	rel = table_open(relid, NoLock);
	List	   *commands = NIL;
	BulkparBookkeeping books;

	bulkpar_bookkeeping_enter(&books);
	bulkpar_process_set_locally("default_tablespace", "");
	bulkpar_process_set_locally("min_parallel_table_scan_size",
								GetConfigOptionResetString("min_parallel_table_scan_size"));
	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(rel), i);
		AlterTableCmd *command = NULL;

		if (bms_is_member(column->attnum, indexed))
			command = index_on(relid, column,
							   bms_is_member(column->attnum, too_long));
		if (command != NULL)
			commands = lappend(commands, command);
	}
	table_close(rel, NoLock);
	if (commands != NIL)
		AlterTableInternal(relid, commands, false);
	CommandCounterIncrement();
	rel = table_open(relid, NoLock);
	analyze(rel);
	table_close(rel, NoLock);
	bulkpar_bookkeeping_leave(&books);
}

/* Whether all that the server does with a type is code of its own. */
static bool
is_built_in(Oid type)
{
	return type < FirstNormalObjectId || type_is_enum(type);
}

static AlterTableCmd *
make_command(AlterTableType type)
{
	AlterTableCmd *command = makeNode(AlterTableCmd);

	command->subtype = type;
	command->behavior = DROP_RESTRICT;
	return command;
}

static AlterTableCmd *
without_statistics(const char *column)
{
	AlterTableCmd *command = make_command(AT_SetStatistics);

	command->name = pstrdup(column);
	command->def = (Node *) makeInteger(0);
	return command;
}

/*
 * An index that finds values of a column; long ones by their hash, for they do
 * not fit into others.  NULL if the server knows no such by itself.
 */
static AlterTableCmd *
index_on(Oid relid, Form_pg_attribute column, bool is_long)
{
	AlterTableCmd *command = make_command(AT_AddIndex);
	IndexStmt  *index = makeNode(IndexStmt);
	IndexElem  *element = makeNode(IndexElem);

	if (!can_be_indexed(column->atttypid,
						is_long ? HASH_AM_OID : BTREE_AM_OID))
		return NULL;
	element->name = pstrdup(NameStr(column->attname));
	element->ordering = SORTBY_DEFAULT;
	element->nulls_ordering = SORTBY_NULLS_DEFAULT;
	index->relation = makeRangeVar(BULKPAR_SCHEMA, get_rel_name(relid), -1);
	index->accessMethod = is_long ? "hash" : "btree";
	index->indexParams = list_make1(element);
	index->transformed = true;
	command->def = (Node *) index;
	return command;
}

/*
 * Whether an index of that method can be on a type, and runs but code of the
 * server.  What is in an array or a row must be fit for it as well, which its
 * operator class does not tell.
 */
static bool
can_be_indexed(Oid type, Oid method)
{
	Oid			opclass = GetDefaultOpClass(type, method);
	TypeCacheEntry *entry;

	if (!is_built_in(type) || !OidIsValid(opclass) ||
		opclass >= FirstNormalObjectId)
		return false;
	entry = lookup_type_cache(type, TYPECACHE_CMP_PROC | TYPECACHE_HASH_PROC);
	return OidIsValid(method == HASH_AM_OID ? entry->hash_proc :
					  entry->cmp_proc);
}

/* Statistics of the columns whose types are the server's own. */
static void
analyze(Relation rel)
{
	StringInfoData sql;
	const char *separator = " (";

	initStringInfo(&sql);
	appendStringInfo(&sql, "ANALYZE %s.%s", BULKPAR_SCHEMA,
					 quote_identifier(RelationGetRelationName(rel)));
	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(rel), i);

		if (!is_built_in(column->atttypid))
			continue;
		appendStringInfo(&sql, "%s%s", separator, NameStr(column->attname));
		separator = ", ";
	}
	if (separator[0] != ',')
		return;
	appendStringInfoChar(&sql, ')');
	if (default_statistics_target > STATISTICS_TARGET)
		bulkpar_process_set_locally("default_statistics_target",
									CppAsString2(STATISTICS_TARGET));
	if (SPI_execute(sql.data, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not analyze the result of a subquery");
}

/*
 * Open the table with the result of a subquery to read it, locked until the end
 * of the transaction.  It must have what was put into it, and nothing else must
 * have become of it.
 */
Relation
bulkpar_kept_open(int64 job_id, const BulkparSubquery *subquery)
{
	Relation	rel;

	(void) bulkpar_books_open();
	rel = try_table_open(subquery->relid, AccessShareLock);
	if (rel == NULL ||
		(subquery->rows > 0 && RelationGetNumberOfBlocks(rel) == 0))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the result of a subquery of bulkpar job " INT64_FORMAT " is lost",
						job_id),
				 errdetail("It does not survive a crash of the server. The rows that are done stay done."),
				 errhint("SELECT bulkpar_forget(" INT64_FORMAT
						 "), and start the job anew if that is right for the rows that are done.",
						 job_id)));
	bulkpar_books_inspect(rel);
	return rel;
}

/* The pages of such a table, without its indexes, but with its long values. */
double
bulkpar_kept_pages(const BulkparSubquery *subquery)
{
	return ceil(DatumGetInt64(DirectFunctionCall1(pg_table_size,
												  ObjectIdGetDatum(subquery->relid))) /
				(double) BLCKSZ);
}

/*
 * Drop such a table, if it is still there.  Must be called between enter and
 * leave of bookkeeping.c.
 */
void
bulkpar_kept_drop(Oid relid)
{
	ObjectAddress table;

	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)) ||
		getExtensionOfObject(RelationRelationId, relid) !=
		bulkpar_books_extension())
		return;
	(void) deleteDependencyRecordsForClass(RelationRelationId, relid,
										   ExtensionRelationId,
										   DEPENDENCY_EXTENSION);
	CommandCounterIncrement();
	ObjectAddressSet(table, RelationRelationId, relid);
	performDeletion(&table, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
}
