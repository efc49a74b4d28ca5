/*-------------------------------------------------------------------------
 *
 * room.c
 *		How much room is left on the disks that a job fills.
 *
 * These are the one of the WAL, and those of the tables and their indexes.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/room.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xlog_internal.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_tablespace_d.h"
#include "commands/tablespace.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "run/room.h"

/* How often one looks, in milliseconds. */
#define LOOK_INTERVAL 1000

/* So much more must be free to go on than to begin, in percent. */
#define RELEASE_MARGIN 1

/* A file system, by the first that is known to be on it. */
typedef struct Disk
{
	dev_t		device;
	char		path[64];		/* from the data directory */
	char		name[BULKPAR_REASON_NAME];

	/* as it was when we last looked */
	bool		full;
	int			error;			/* errno, if one could not look; else 0 */
	double		free;			/* in percent */
} Disk;

struct BulkparRoom
{
	TimestampTz looked_at;		/* 0 for never */
	int			count;
	int			size;
	Disk	   *disks;
};

static List *list_tablespaces(const BulkparJob *job);
static List *list_tablespaces_of_indexes(Relation indexes, Oid relid,
										 List *tablespaces);
static List *add_tablespace_of(Oid relid, List *tablespaces);
static void add_tablespace(BulkparRoom *room, Oid tablespace);
static void add_disk(BulkparRoom *room, const char *path, const char *name);
static void look_at_disk(Disk *disk, int limit);
static void tell_disk(const Disk *disk, int limit, BulkparReasons *reasons);

/*
 * Find the disks of a job.  It must be called in a transaction, and lives in
 * the current memory context.  No table is locked: what is gone is left out.
 */
BulkparRoom *
bulkpar_room_create(const BulkparJob *job)
{
	BulkparRoom *room = palloc0(sizeof(BulkparRoom));
	List	   *tablespaces = list_tablespaces(job);
	ListCell   *cell;

	room->size = list_length(tablespaces) + 1;
	room->disks = palloc0(room->size * sizeof(Disk));
	add_disk(room, XLOGDIR, "disk of pg_wal");
	foreach(cell, tablespaces)
		add_tablespace(room, lfirst_oid(cell));
	list_free(tablespaces);
	return room;
}

/*
 * Add those disks that are full.  It may be called as often as one likes, but
 * looks at them once a second.
 */
void
bulkpar_room_look(BulkparRoom *room, const BulkparLimits *limits,
				  TimestampTz now, BulkparReasons *reasons)
{
	bool		due = now < room->looked_at ||
		TimestampDifferenceExceeds(room->looked_at, now, LOOK_INTERVAL);
	int			i;

	if (due)
		room->looked_at = now;
	for (i = 0; i < room->count; i++)
	{
		if (due)
			look_at_disk(&room->disks[i], limits->min_free_disk);
		tell_disk(&room->disks[i], limits->min_free_disk, reasons);
	}
}

/* Those of the tables of a job, and of their indexes. */
static List *
list_tablespaces(const BulkparJob *job)
{
	Relation	indexes = table_open(IndexRelationId, AccessShareLock);
	List	   *tablespaces = NIL;
	int			i;

	for (i = 0; i < job->nparts; i++)
	{
		tablespaces = add_tablespace_of(job->parts[i].relid, tablespaces);
		tablespaces = list_tablespaces_of_indexes(indexes,
												  job->parts[i].relid,
												  tablespaces);
	}
	table_close(indexes, AccessShareLock);
	return tablespaces;
}

/* Add those of the indexes of a table to a list. */
static List *
list_tablespaces_of_indexes(Relation indexes, Oid relid, List *tablespaces)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_index_indrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(indexes, IndexIndrelidIndexId, true, NULL, 1,
							  &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_index index = (Form_pg_index) GETSTRUCT(tuple);

		tablespaces = add_tablespace_of(index->indexrelid, tablespaces);
	}
	systable_endscan(scan);
	return tablespaces;
}

/* Add that of a relation to a list; its TOAST table is in the same. */
static List *
add_tablespace_of(Oid relid, List *tablespaces)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			tablespace;

	if (!HeapTupleIsValid(tuple))
		return tablespaces;
	tablespace = ((Form_pg_class) GETSTRUCT(tuple))->reltablespace;
	ReleaseSysCache(tuple);
	if (!OidIsValid(tablespace))
		tablespace = MyDatabaseTableSpace;
	return list_append_unique_oid(tablespaces, tablespace);
}

static void
add_tablespace(BulkparRoom *room, Oid tablespace)
{
	char	   *name = get_tablespace_name(tablespace);
	char		path[64] = "base";

	if (name == NULL)
		return;
	if (tablespace != DEFAULTTABLESPACE_OID)
		snprintf(path, sizeof(path), "pg_tblspc/%u", tablespace);
	add_disk(room, path, psprintf("disk of tablespace \"%s\"", name));
}

/* Add the file system of a path, unless it is known already. */
static void
add_disk(BulkparRoom *room, const char *path, const char *name)
{
	Disk	   *disk = &room->disks[room->count];
	struct stat status;
	int			i;

	if (stat(path, &status) != 0)
		return;
	for (i = 0; i < room->count; i++)
		if (room->disks[i].device == status.st_dev)
			return;
	disk->device = status.st_dev;
	strlcpy(disk->path, path, sizeof(disk->path));
	strlcpy(disk->name, name, sizeof(disk->name));
	room->count++;
}

/* See how much of a disk is free, of what is not the superuser's alone. */
static void
look_at_disk(Disk *disk, int limit)
{
	struct statvfs status;
	double		all;

	disk->error = statvfs(disk->path, &status) == 0 ? 0 : errno;
	if (disk->error != 0)
		return;
	all = (double) status.f_blocks - status.f_bfree + status.f_bavail;
	disk->free = all > 0 ? 100.0 * status.f_bavail / all : 100;
	disk->full = disk->free < limit + (disk->full ? RELEASE_MARGIN : 0);
}

/*
 * A disk that is full, or of which that is not known.  One that is gone, with
 * the tablespace on it, cannot become full.
 */
static void
tell_disk(const Disk *disk, int limit, BulkparReasons *reasons)
{
	char		text[BULKPAR_REASON_TEXT];

	if (limit <= 0 || disk->error == ENOENT ||
		(disk->error == 0 && !disk->full))
		return;
	if (disk->error != 0)
	{
		errno = disk->error;
		snprintf(text, sizeof(text), "%s cannot be looked at: %m", disk->name);
	}
	else
		snprintf(text, sizeof(text), "%s %.1f %% free of %d %%", disk->name,
				 disk->free, limit);
	bulkpar_reasons_add(reasons, 1, disk->name, text);
}
