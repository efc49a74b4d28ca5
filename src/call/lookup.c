/*-------------------------------------------------------------------------
 *
 * lookup.c
 *		Looking for a job, without a lock that stays behind.
 *
 * The functions that control a job wait for other processes, so they must not
 * hold a lock on its row meanwhile: each look is a subtransaction that is rolled
 * back.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/call/lookup.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/acl.h"

#include "books/joblist.h"
#include "books/joblock.h"
#include "call/lookup.h"
#include "session/subxact.h"

/* Arguments and results of what is done in a subtransaction. */
typedef struct Lookup
{
	int64		job_id;
	Oid			owner;
	const char *name;
	int			pid;
	BulkparJob *job;
} Lookup;

static void look_for_owner(void *arg);
static void look_for_name(void *arg);
static void look_for_job(void *arg);
static void look_for_coordinator(void *arg);

/*
 * Check that a job exists and that the current user may act as its owner.  An
 * error if not.
 */
void
bulkpar_lookup_check_owner(int64 job_id)
{
	Lookup		lookup = {.job_id = job_id};

	bulkpar_subxact_run(look_for_owner, &lookup);
	if (!OidIsValid(lookup.owner))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("bulkpar job " INT64_FORMAT " does not exist",
						job_id)));
	if (!has_privs_of_role(GetUserId(), lookup.owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for bulkpar job " INT64_FORMAT,
						job_id),
				 errdetail("Only roles with the privileges of its owner may do this.")));
}

/* The id of the unfinished job of a role with a name; 0 if there is none. */
int64
bulkpar_lookup_name(Oid owner, const char *name)
{
	Lookup		lookup = {
		.owner = owner,
		.name = name
	};

	bulkpar_subxact_run(look_for_name, &lookup);
	return lookup.job_id;
}

/* Read a job that must exist, into the current memory context. */
BulkparJob *
bulkpar_lookup_job(int64 job_id)
{
	Lookup		lookup = {.job_id = job_id};

	bulkpar_subxact_run(look_for_job, &lookup);
	return lookup.job;
}

/*
 * The pid of a job's coordinator; 0 if it has none.  It is right only as long
 * as the process lives.
 */
int
bulkpar_lookup_coordinator(int64 job_id)
{
	Lookup		lookup = {.job_id = job_id};

	bulkpar_subxact_run(look_for_coordinator, &lookup);
	return lookup.pid;
}

static void
look_for_owner(void *arg)
{
	Lookup	   *lookup = arg;

	lookup->owner = bulkpar_joblist_owner(lookup->job_id);
}

static void
look_for_name(void *arg)
{
	Lookup	   *lookup = arg;

	lookup->job_id = bulkpar_joblist_find(lookup->owner, lookup->name);
}

static void
look_for_job(void *arg)
{
	Lookup	   *lookup = arg;

	lookup->job = bulkpar_job_load(lookup->job_id);
}

static void
look_for_coordinator(void *arg)
{
	Lookup	   *lookup = arg;

	lookup->pid = bulkpar_joblock_holder(lookup->job_id);
}
