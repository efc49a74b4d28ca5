/*-------------------------------------------------------------------------
 *
 * quota.h
 *		How many processes jobs may have, all together and of each role.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/quota.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_QUOTA_H
#define BULKPAR_QUOTA_H

/* Why a process cannot be had. */
typedef enum BulkparShortage
{
	BULKPAR_SHORTAGE_NONE,		/* it can */
	BULKPAR_SHORTAGE_SERVER,	/* max_worker_processes */
	BULKPAR_SHORTAGE_JOBS,		/* bulkpar.max_workers */
	BULKPAR_SHORTAGE_ROLE		/* the connection limit of its role */
} BulkparShortage;

/* What a process takes of the limits: the numbers of its locks. */
typedef struct BulkparQuota
{
	int			of_jobs;		/* 0 if there is no limit */
	int			of_role;		/* 0 if the role has none */
	Oid			role;
} BulkparQuota;

extern BulkparShortage bulkpar_quota_acquire(Oid role, BulkparQuota *quota);
extern void bulkpar_quota_release(const BulkparQuota *quota);
extern int	bulkpar_quota_errdetail(BulkparShortage shortage);
extern int	bulkpar_quota_errhint(BulkparShortage shortage);

#endif							/* BULKPAR_QUOTA_H */
