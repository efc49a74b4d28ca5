/*-------------------------------------------------------------------------
 *
 * reread.h
 *		What each batch would read whole again.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/reread.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_REREAD_H
#define BULKPAR_REREAD_H

#include "nodes/bitmapset.h"
#include "nodes/parsenodes.h"

#include "books/job.h"

extern bool bulkpar_reread_is_worth(const BulkparJob *job, double rows);
extern bool bulkpar_reread_is_table(const RangeTblEntry *rte);
extern bool bulkpar_reread_is_list(const SubLink *sublink);
extern bool bulkpar_reread_table(const BulkparJob *job, const Query *query,
								 int rti);
extern bool bulkpar_reread_can_keep_table(const Query *query, int rti);
extern bool bulkpar_reread_list(const BulkparJob *job, const Query *query,
								const SubLink *sublink);
extern bool bulkpar_reread_can_keep_list(const SubLink *sublink);
extern char *bulkpar_reread_show(const Query *query, int rti);

#endif							/* BULKPAR_REREAD_H */
