/*-------------------------------------------------------------------------
 *
 * books.c
 *		The tables of bulkpar, and whether they can be trusted.
 *
 * SQL on these tables runs as their owner, who may be a superuser.  It is safe
 * only as long as its names mean our tables and nothing that others have made
 * comes along with them: a trigger, a rule or a policy would run as the owner,
 * and whoever can write to the tables says there what a job does and whose it
 * is.  So they have row level security and no policy, which lets nobody but
 * their owner see or write a row: privileges on all tables, which some roles
 * have by their nature, are not enough.  All that is looked at when it may have changed, which the invalidation
 * messages tell, and refused if it is not as CREATE EXTENSION has made it.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/books.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rowsecurity.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"
#include "utils/syscache.h"

#include "books/books.h"
#include "bulkpar.h"

/* The tables in the order of BulkparBook. */
static const char *const names[BULKPAR_NBOOKS] = {
	"bulkpar_job",
	"bulkpar_part",
	"bulkpar_chunk",
	"bulkpar_error",
	"bulkpar_counter",
	"bulkpar_subquery",
	"bulkpar_throttle",
	"bulkpar_alteration",
	"bulkpar_node",
};

/* Goes up when a relation or a schema may have changed. */
static uint64 changes = 1;

/* What it was when we last found the relations, and looked at them; 0: never. */
static uint64 found_at = 0;
static uint64 inspected_at = 0;

static Oid	extension = InvalidOid;
static Oid	schema = InvalidOid;
static Oid	owner = InvalidOid;
static Oid	relids[BULKPAR_NBOOKS];

/* What the table of jobs must be; InvalidOid: whatever it is. */
static Oid	pinned = InvalidOid;
static bool pinned_for_good = false;

static void unpin(XactEvent event, void *arg);
static bool find_books(void);
static bool are_others(void);
static void inspect(void);
static void inspect_schema(void);
static void inspect_table(Relation rel);
static void inspect_row_security(Relation rel);
static void inspect_privileges(Oid relid);
static bool has_grantee(const Acl *acl, AclMode privileges, Oid *grantee);
static void refuse_books(Oid relid, const char *what, const char *hint);
static bool is_in_library(HeapTuple tuple, const char *name);
static void forget_relation(Datum arg, Oid relid);
static void forget_schema(Datum arg, int cacheid, uint32 hashvalue);

/*
 * From now on this process works with these tables alone.  The numbers of jobs
 * begin anew when the extension is dropped and created again, and whoever has
 * one of before must not take the job of that number for his.
 */
void
bulkpar_books_pin(Oid job_table)
{
	pinned = job_table;
	pinned_for_good = true;
}

/*
 * Until the end of the transaction it works with those that are there now; a process
 * of a job, in which user code may call us, with those it has.
 */
void
bulkpar_books_pin_for_transaction(void)
{
	static bool registered = false;

	if (pinned_for_good)
		return;
	if (!registered)
		RegisterXactCallback(unpin, NULL);
	registered = true;
	pinned = InvalidOid;
	pinned = bulkpar_books_table(BULKPAR_BOOK_JOB);
}

/* Transaction callback: a pin for the transaction ends with it. */
static void
unpin(XactEvent event, void *arg)
{
	pinned = InvalidOid;
}

/*
 * Lock the tables for writing until the end of the (sub)transaction, and make
 * sure that they can be trusted as long.  Returns their owner.  An error if
 * they are not there, or not as CREATE EXTENSION has made them.
 */
Oid
bulkpar_books_open(void)
{
	for (;;)
	{
		uint64		before;

		if (!find_books() || are_others())
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_TABLE),
					 errmsg("the tables of extension \"bulkpar\" do not exist"),
					 errhint("The extension was dropped while a job was running.")));

		/* The first lock reads what has changed, so it may find us wrong. */
		for (int i = 0; i < BULKPAR_NBOOKS; i++)
			LockRelationOid(relids[i], RowExclusiveLock);
		before = changes;
		if (inspected_at == before)
			return owner;
		if (!find_books())
			continue;
		inspect();
		inspected_at = before;
	}
}

/*
 * The OID of one of the tables; InvalidOid if they are not there any more.
 * Takes no lock on it.  Must be called in a transaction, as all functions here
 * but bulkpar_books_pin.
 */
Oid
bulkpar_books_table(BulkparBook book)
{
	return find_books() && !are_others() ? relids[book] : InvalidOid;
}

/* The schema of the tables and their extension, once they are open. */
Oid
bulkpar_books_schema(void)
{
	return schema;
}

Oid
bulkpar_books_extension(void)
{
	return extension;
}

/*
 * Make sure that a table with the result of a subquery is still as it was made.
 * The tables must be open, so that we know their owner and schema.
 */
void
bulkpar_books_inspect(Relation rel)
{
	if (RelationGetNamespace(rel) != schema ||
		getExtensionOfObject(RelationRelationId,
							 RelationGetRelid(rel)) != extension)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation \"%s\" is no longer one of extension \"bulkpar\"",
						RelationGetRelationName(rel))));
	inspect_table(rel);
	inspect_row_security(rel);
	inspect_privileges(RelationGetRelid(rel));
}

/* Whether a relation is one of the tables. */
bool
bulkpar_books_include(Oid relid)
{
	for (int i = 0; find_books() && i < BULKPAR_NBOOKS; i++)
	{
		if (relid == relids[i])
			return true;
	}
	return false;
}

/*
 * A function of ours that a query of the user's session calls.  There may be
 * others of its name in our schema, which would be a better match for the
 * arguments of a call; so it is found by just the types that it was made with,
 * and must be the one in our library that belongs to the extension.  An error
 * if there is none.
 */
Oid
bulkpar_books_function(const char *name, int nargs, const Oid *argtypes)
{
	Oid			function = InvalidOid;
	HeapTuple	tuple = NULL;

	if (find_books())
		tuple = SearchSysCache3(PROCNAMEARGSNSP, CStringGetDatum(name),
								PointerGetDatum(buildoidvector(argtypes,
															   nargs)),
								ObjectIdGetDatum(schema));
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);

		if (form->prolang == ClanguageId &&
			is_in_library(tuple, name) &&
			getExtensionOfObject(ProcedureRelationId, form->oid) ==
			extension)
			function = form->oid;
		ReleaseSysCache(tuple);
	}
	if (!OidIsValid(function))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function \"%s\" of extension \"bulkpar\" does not exist",
						name)));
	return function;
}

/*
 * Find the relations by name, as the SQL will, which must be members of the
 * extension.  False if one is not there.
 */
static bool
find_books(void)
{
	static bool registered = false;
	uint64		before = changes;

	if (found_at == before)
		return true;
	if (!registered)
	{
		CacheRegisterRelcacheCallback(forget_relation, (Datum) 0);
		CacheRegisterSyscacheCallback(NAMESPACEOID, forget_schema, (Datum) 0);
		registered = true;
	}
	extension = get_extension_oid("bulkpar", true);
	schema = get_namespace_oid(BULKPAR_SCHEMA, true);
	if (!OidIsValid(extension) || !OidIsValid(schema))
		return false;
	for (int i = 0; i < BULKPAR_NBOOKS; i++)
	{
		relids[i] = get_relname_relid(names[i], schema);
		if (!OidIsValid(relids[i]) ||
			getExtensionOfObject(RelationRelationId, relids[i]) != extension)
			return false;
	}
	found_at = before;
	return true;
}

/* Whether the relations that were found are not those that must be there. */
static bool
are_others(void)
{
	return OidIsValid(pinned) && relids[BULKPAR_BOOK_JOB] != pinned;
}

/* Look at all that could make the relations dangerous. */
static void
inspect(void)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relids[0]));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relids[0]);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);

	inspect_schema();
	for (int i = 0; i < BULKPAR_NBOOKS; i++)
	{
		Relation	rel = table_open(relids[i], NoLock);

		inspect_table(rel);
		inspect_row_security(rel);
		table_close(rel, NoLock);
		inspect_privileges(relids[i]);
	}
}

/* Nobody but the owner of the tables can put names into their schema. */
static void
inspect_schema(void)
{
	HeapTuple	tuple = SearchSysCache1(NAMESPACEOID,
										ObjectIdGetDatum(schema));
	Datum		datum;
	bool		isnull;
	Oid			nspowner;
	Oid			grantee;
	Acl		   *acl;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for schema %u", schema);
	nspowner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	datum = SysCacheGetAttr(NAMESPACEOID, tuple, Anum_pg_namespace_nspacl,
							&isnull);
	acl = isnull ? NULL : DatumGetAclPCopy(datum);
	ReleaseSysCache(tuple);

	if (nspowner != owner ||
		(acl != NULL && has_grantee(acl, ACL_CREATE, &grantee)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("schema \"%s\" is not safe for the tables of extension \"bulkpar\"",
						BULKPAR_SCHEMA),
				 errdetail("Others than the owner of the tables, \"%s\", may create objects in it.",
						   GetUserNameFromId(owner, false)),
				 errhint("Let that role own the schema, and REVOKE CREATE ON SCHEMA %s from all others.",
						 BULKPAR_SCHEMA)));
}

/* The table is the owner's, and has no code but that of its foreign keys. */
static void
inspect_table(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);

	if (rel->rd_rel->relkind != RELKIND_RELATION)
		refuse_books(relid, "is not a table", NULL);
	if (rel->rd_rel->relowner != owner)
		refuse_books(relid, "has another owner than the other tables",
					 "Use ALTER TABLE ... OWNER TO to give it back.");
	if (rel->rd_rules != NULL)
		refuse_books(relid, "has a rule", "Use DROP RULE to remove it.");
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (!trigger->tgisinternal)
			refuse_books(relid, psprintf("has the trigger \"%s\"", trigger->tgname),
						 "Use DROP TRIGGER to remove it.");
		if (!bulkpar_books_include(trigger->tgconstrrelid))
			refuse_books(relid, "is referenced by a foreign key of another table",
						 "Drop that foreign key.");
	}
}

/* Nobody but the owner sees or writes a row of the table. */
static void
inspect_row_security(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);

	if (!rel->rd_rel->relrowsecurity)
		refuse_books(relid, "has no row level security",
					 "Use ALTER TABLE ... ENABLE ROW LEVEL SECURITY.");
	if (rel->rd_rel->relforcerowsecurity)
		refuse_books(relid, "has row level security for its owner",
					 "Use ALTER TABLE ... NO FORCE ROW LEVEL SECURITY.");
	if (rel->rd_rsdesc != NULL && rel->rd_rsdesc->policies != NIL)
		refuse_books(relid, "has a row level security policy",
					 "Use DROP POLICY to remove it.");
}

/* Nobody has privileges on a relation or a column of it but its owner. */
static void
inspect_privileges(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Datum		datum;
	bool		isnull;
	int			natts;
	Oid			grantee;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	natts = ((Form_pg_class) GETSTRUCT(tuple))->relnatts;
	datum = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relacl, &isnull);
	if (!isnull && has_grantee(DatumGetAclP(datum), ~ACL_NO_RIGHTS, &grantee))
		refuse_books(relid, psprintf("has privileges granted to %s",
									 grantee == ACL_ID_PUBLIC ? "PUBLIC" :
									 quote_identifier(GetUserNameFromId(grantee, false))),
					 "Use REVOKE ALL to take them back.");
	ReleaseSysCache(tuple);

	for (AttrNumber i = 1; i <= natts; i++)
	{
		tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid),
								Int16GetDatum(i));
		if (!HeapTupleIsValid(tuple))
			continue;
		datum = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attacl,
								&isnull);
		if (!isnull &&
			has_grantee(DatumGetAclP(datum), ~ACL_NO_RIGHTS, &grantee))
			refuse_books(relid, "has privileges granted on a column",
						 "Use REVOKE ALL (column) to take them back.");
		ReleaseSysCache(tuple);
	}
}

/* Whether somebody but the owner and superusers has one of the privileges. */
static bool
has_grantee(const Acl *acl, AclMode privileges, Oid *grantee)
{
	/* What ACL_DAT gives, without its comparison of different signs. */
	const AclItem *items = (const AclItem *) ((const char *) acl +
											  ARR_OVERHEAD_NONULLS(1));

	for (int i = 0; i < ACL_NUM(acl); i++)
	{
		*grantee = items[i].ai_grantee;
		if (*grantee == owner ||
			(ACLITEM_GET_PRIVS(items[i]) & privileges) == 0)
			continue;
		if (*grantee == ACL_ID_PUBLIC || !superuser_arg(*grantee))
			return true;
	}
	return false;
}

static void
refuse_books(Oid relid, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("relation \"%s.%s\" of extension \"bulkpar\" %s",
					BULKPAR_SCHEMA, get_rel_name(relid), what),
			 errdetail("It could let others act as its owner, \"%s\".",
					   GetUserNameFromId(owner, true)),
			 hint != NULL ? errhint("%s", hint) : 0));
}

/* Relcache callback: one of the relations has changed, or all may have. */
static void
forget_relation(Datum arg, Oid relid)
{
	for (int i = 0; i < BULKPAR_NBOOKS; i++)
	{
		if (relid == InvalidOid || relid == relids[i])
			changes++;
	}
}

/* Syscache callback: a schema has changed. */
static void
forget_schema(Datum arg, int cacheid, uint32 hashvalue)
{
	changes++;
}

/*
 * Whether a C function is the one of that name in our library, whose path
 * differs with how the extension was installed.
 */
static bool
is_in_library(HeapTuple tuple, const char *name)
{
	bool		isnull;
	char	   *symbol;
	char	   *library;
	char	   *file;

	symbol = TextDatumGetCString(SysCacheGetAttr(PROCNAMEARGSNSP, tuple,
												 Anum_pg_proc_prosrc,
												 &isnull));

	library = TextDatumGetCString(SysCacheGetAttr(PROCNAMEARGSNSP, tuple,
												  Anum_pg_proc_probin,
												  &isnull));
	file = last_dir_separator(library);
	return strcmp(symbol, name) == 0 &&
		strcmp(file == NULL ? library : file + 1, BULKPAR_LIBRARY) == 0;
}
