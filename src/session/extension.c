/*-------------------------------------------------------------------------
 *
 * extension.c
 *		What the catalog says of an extension.
 *
 * The functions must be called in a transaction.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/session/extension.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_extension.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "session/extension.h"

static void read_extension(Oid extension, Oid *schema, char **version);

/* The schema of the objects of an extension. */
Oid
bulkpar_extension_schema(Oid extension)
{
	Oid			schema;
	char	   *version;

	read_extension(extension, &schema, &version);
	return schema;
}

/* The version of its objects, in the current memory context. */
char *
bulkpar_extension_version(Oid extension)
{
	Oid			schema;
	char	   *version;

	read_extension(extension, &schema, &version);
	return version;
}

static void
read_extension(Oid extension, Oid *schema, char **version)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Datum		datum;
	bool		isnull;

	ScanKeyInit(&key, Anum_pg_extension_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(extension));
	scan = systable_beginscan(rel, ExtensionOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "could not find extension %u", extension);
	*schema = ((Form_pg_extension) GETSTRUCT(tuple))->extnamespace;
	datum = heap_getattr(tuple, Anum_pg_extension_extversion,
						 RelationGetDescr(rel), &isnull);
	*version = TextDatumGetCString(datum);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}
