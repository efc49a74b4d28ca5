/*-------------------------------------------------------------------------
 *
 * identity.c
 *		Who the processes of a job are.
 *
 * They work as the owner of the job.  A session that has said SET ROLE before
 * it started the job has another session_user, which triggers and policies may
 * ask for; so its processes connect as that role and SET ROLE as it has done.
 * User code can then go back to the session's role, as it can in that session
 * itself, and nobody else's: when another session goes on with the job, which
 * may be a superuser's, or one that has not said SET ROLE, the processes connect
 * as the owner.  A SECURITY DEFINER function is no SET ROLE: its owner, whose
 * job it starts, has nothing to do with the session that happens to call it.
 *
 * They never connect as a superuser to become somebody else, but for one case:
 * before PostgreSQL 17 an owner that cannot log in has no sessions, so the only
 * way is that of the session that has created the job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/session/identity.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/syscache.h"

#include "compat.h"
#include "session/identity.h"

static BulkparIdentity current;

static bool can_login(Oid role);
static void raise_no_login(Oid owner, Oid session_role);
static void set_role(void);

/*
 * Choose the identity for a job of the given owner, whose privileges the
 * current user has, and which a session of session_role has created, that has
 * said SET ROLE if that is another role.
 */
void
bulkpar_identity_choose(BulkparIdentity *identity, Oid owner,
						Oid session_role)
{
	bool		is_creator = session_role == GetSessionUserId() &&
		GetUserId() == owner && !InLocalUserIdChange() &&
		bulkpar_compat_can_become(session_role, owner);
	bool		owner_can_connect = bulkpar_identity_choose_owner(identity,
																  owner);

	if (is_creator && session_role != owner && can_login(session_role) &&
		(!superuser_arg(session_role) || !owner_can_connect))
	{
		identity->login = session_role;
		identity->flags = 0;
	}
	else if (!owner_can_connect)
		raise_no_login(owner, session_role);
}

/*
 * The same for a process that runs code of whoever may alter the job.  It may be
 * nobody but the owner, and go back to no other role, so it connects as that.
 * False if the owner cannot.  Must be called in a transaction.
 */
bool
bulkpar_identity_choose_owner(BulkparIdentity *identity, Oid owner)
{
	bool		owner_can_login = can_login(owner);

	identity->database = MyDatabaseId;
	identity->role = identity->login = owner;
	identity->flags = owner_can_login ? 0 : BULKPAR_COMPAT_BYPASS_LOGIN;
	return owner_can_login || identity->flags != 0;
}

/* Connect this background worker to the database. */
void
bulkpar_identity_assume(const BulkparIdentity *identity)
{
	current = *identity;
	BackgroundWorkerInitializeConnectionByOid(identity->database,
											  identity->login,
											  identity->flags);
	if (identity->role != identity->login)
	{
		StartTransactionCommand();
		set_role();
		CommitTransactionCommand();
	}
}

/*
 * Become again what bulkpar_identity_assume has made us, after user code may
 * have said SET ROLE.  Must be called in a transaction.
 */
void
bulkpar_identity_restore(void)
{
	if (GetSessionUserId() != current.login)
		(void) set_config_option("session_authorization", NULL,
								 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SET,
								 true, 0, false);
	if (GetUserId() != current.role)
		set_role();
}

static bool
can_login(Oid role)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role with OID %u does not exist", role)));
	result = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);
	return result;
}

/* The owner cannot log in, and this is not the session that could help. */
static void
raise_no_login(Oid owner, Oid session_role)
{
	char	   *name = GetUserNameFromId(owner, false);
	char	   *session_name = GetUserNameFromId(session_role, true);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("role \"%s\" is not permitted to log in", name),
			 errdetail("The workers of a job connect to the database as the owner of the job."),
			 session_role == owner || session_name == NULL ?
			 errhint("Allow it with ALTER ROLE ... LOGIN.") :
			 errhint("Allow it with ALTER ROLE ... LOGIN, or call the function in a session of role \"%s\" after SET ROLE %s.",
					 session_name, quote_identifier(name))));
}

static void
set_role(void)
{
	(void) set_config_option("role", current.role == current.login ? "none" :
							 GetUserNameFromId(current.role, false),
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SET,
							 true, 0, false);
}
