/*-------------------------------------------------------------------------
 *
 * part.c
 *		Which tables belong to the target of a job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/part.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/syscache.h"

#include "table/part.h"

static bool belongs(Oid target, Oid relid, bool even_if_detached);
static Oid	parent_of(Oid partition, bool even_if_detached);
static bool exists(Oid relid);

/*
 * Whether a table is the target, or a partition or child of it.  A partition that
 * is being detached concurrently is none any more: no statement on the target
 * finds its rows.
 */
bool
bulkpar_part_belongs(Oid target, Oid relid)
{
	return belongs(target, relid, false);
}

/* Whether a table is another one, a part of it, or has it as a part. */
bool
bulkpar_part_overlaps(Oid relid, Oid other)
{
	return bulkpar_part_belongs(other, relid) ||
		bulkpar_part_belongs(relid, other);
}

/* As bulkpar_part_belongs; a partition that is being detached may count. */
static bool
belongs(Oid target, Oid relid, bool even_if_detached)
{
	/* It is asked of each of many foreign keys, partitions or children. */
	CHECK_FOR_INTERRUPTS();
	while (relid != target && get_rel_relispartition(relid))
		relid = parent_of(relid, even_if_detached);
	return target == relid ||
		(OidIsValid(get_rel_type_id(relid)) &&
		 OidIsValid(get_rel_type_id(target)) &&
		 typeInheritsFrom(get_rel_type_id(relid), get_rel_type_id(target)));
}

/*
 * What a table is a partition of; InvalidOid if that is nothing any more.  The
 * server would tell by two looks whether it is being detached, and from what: a job
 * on hundreds of partitions asks this of each several times.
 */
static Oid
parent_of(Oid partition, bool even_if_detached)
{
	Relation	rel = table_open(InheritsRelationId, AccessShareLock);
	Oid			parent = InvalidOid;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(partition));
	scan = systable_beginscan(rel, InheritsRelidSeqnoIndexId, true, NULL, 1,
							  &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_inherits form = (Form_pg_inherits) GETSTRUCT(tuple);

		if (even_if_detached || !form->inhdetachpending)
			parent = form->inhparent;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return parent;
}

/*
 * Whether the current user can read all of a target, so that nothing is given
 * away by a look at its rows that no statement makes.
 */
bool
bulkpar_part_may_read_all(Oid target)
{
	return check_enable_rls(target, InvalidOid, true) != RLS_ENABLED &&
		pg_class_aclcheck(target, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

/*
 * Throw an error unless what a statement on the target was planned for belongs
 * to it; InvalidOid stands for nothing.  A partition that is being detached does:
 * it may have been none when the planner took its snapshot.
 */
void
bulkpar_part_require(Oid target, Oid relid)
{
	if (!belongs(target, relid, true))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 OidIsValid(relid) ?
				 errmsg("a batch of table \"%s\" was planned for another relation, \"%s\"",
						get_rel_name(target), get_rel_name(relid)) :
				 errmsg("a batch of table \"%s\" was planned to change nothing",
						get_rel_name(target)),
				 errhint("Another extension plans statements on this table its own way. Its documentation may say how to reach the rows.")));
}

/*
 * Whether the job goes on without a part, which the caller has locked: it was
 * dropped or detached, or its target was while there are others.  But Citus drops
 * what is left of a shard that it has moved, whose rows are elsewhere then.
 */
bool
bulkpar_part_is_gone(const BulkparJob *job, int part)
{
	const BulkparJobPart *described = &job->parts[part];

	if (described->shard != 0)
		return false;
	if (exists(described->target))
		return !bulkpar_part_belongs(described->target, described->relid);
	for (int i = 0; i < job->ntargets; i++)
	{
		if (exists(job->targets[i]))
			return true;
	}
	return false;
}

static bool
exists(Oid relid)
{
	return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid));
}

/*
 * The number that a column of a table has in a part of that, or the other way;
 * InvalidAttrNumber if it has none there.
 */
AttrNumber
bulkpar_part_column(Oid from, AttrNumber attnum, Oid to)
{
	char	   *name;

	if (from == to)
		return attnum;
	name = get_attname(from, attnum, true);
	return name == NULL ? InvalidAttrNumber : get_attnum(to, name);
}

/* The name of a table in SQL; NULL if it is gone. */
char *
bulkpar_part_name(Oid relid)
{
	char	   *name = get_rel_name(relid);

	return name == NULL ? NULL :
		quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
								   name);
}
