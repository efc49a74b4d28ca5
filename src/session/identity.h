/*-------------------------------------------------------------------------
 *
 * identity.h
 *		Who the processes of a job are.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/session/identity.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_IDENTITY_H
#define BULKPAR_IDENTITY_H

typedef struct BulkparIdentity
{
	Oid			database;
	Oid			job_table;		/* of the extension in it, which our caller
								 * knows */
	Oid			login;			/* the role that the process connects as */
	Oid			role;			/* the role that it works as */
	uint32		flags;			/* for the connection */
} BulkparIdentity;

extern void bulkpar_identity_choose(BulkparIdentity *identity, Oid owner,
									Oid session_role);
extern bool bulkpar_identity_choose_owner(BulkparIdentity *identity,
										  Oid owner);
extern void bulkpar_identity_assume(const BulkparIdentity *identity);
extern void bulkpar_identity_restore(void);

#endif							/* BULKPAR_IDENTITY_H */
