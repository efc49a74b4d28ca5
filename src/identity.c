/*-------------------------------------------------------------------------
 *
 * identity.c
 *		Who the processes of a job are.
 *
 * They work as the owner of the job and normally connect as the owner, too,
 * so that there is nothing that user code could climb back to.  An owner that
 * cannot log in was reached by SET ROLE.  The server can be told to let it in
 * since PostgreSQL 17; before, the processes connect as the session's role
 * and SET ROLE as the session has done.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/identity.c
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
#include "utils/guc.h"
#include "utils/syscache.h"

#include "compat.h"
#include "identity.h"

static BulkparIdentity current;

static bool can_login(Oid role);
static void set_role(void);

/*
 * Choose the identity for a job of the given owner, whose privileges the
 * current user has.
 */
void
bulkpar_identity_choose(BulkparIdentity *identity, Oid owner)
{
	identity->database = MyDatabaseId;
	identity->role = owner;
	identity->login = owner;
	identity->flags = 0;
	if (can_login(owner))
		return;
	if (BULKPAR_COMPAT_BYPASS_LOGIN != 0)
	{
		identity->flags = BULKPAR_COMPAT_BYPASS_LOGIN;
		return;
	}

	identity->login = GetSessionUserId();
	if (InLocalUserIdChange() || identity->login == owner ||
		!is_member_of_role(identity->login, owner))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("role \"%s\" is not permitted to log in",
						GetUserNameFromId(owner, false)),
				 errdetail("The workers of a job connect to the database as the owner of the job."),
				 errhint("Allow it with ALTER ROLE ... LOGIN.")));
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

static void
set_role(void)
{
	(void) set_config_option("role", current.role == current.login ? "none" :
							 GetUserNameFromId(current.role, false),
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SET,
							 true, 0, false);
}
