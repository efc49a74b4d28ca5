/*-------------------------------------------------------------------------
 *
 * cascade.h
 *		Where the actions of foreign keys lead.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/cascade.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_CASCADE_H
#define BULKPAR_CASCADE_H

#include "nodes/pg_list.h"

#include "books/job.h"
#include "table/foreignkey.h"

extern bool bulkpar_cascade_leads(Oid from, Oid to);
extern List *bulkpar_cascade_find(const List *tables, bool deletes,
								  bool updates, const List *columns);
extern List *bulkpar_cascade_find_of_job(const BulkparJob *job,
										 const List *tables);

#endif							/* BULKPAR_CASCADE_H */
