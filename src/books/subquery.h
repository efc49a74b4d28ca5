/*-------------------------------------------------------------------------
 *
 * subquery.h
 *		The subqueries of a job that were evaluated once.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/subquery.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_SUBQUERY_H
#define BULKPAR_SUBQUERY_H

/* The result of a subquery, kept in a table of its own. */
typedef struct BulkparSubquery
{
	Oid			relid;			/* of that table */
	int64		rows;
	bool		has_nulls;		/* in some column */
	int			choice;			/* which of those that need not be evaluated
								 * once, from 1 on; 0 if it must be */
} BulkparSubquery;

/* Those of a job, in the order in which they are found in its statement. */
typedef struct BulkparSubqueries
{
	bool		evaluated;		/* all that there are */
	int			count;
	BulkparSubquery *items;
	double		joined_rows;	/* of the largest that is not one value, when
								 * they are evaluated; or as expected */
} BulkparSubqueries;

extern void bulkpar_subquery_add(int64 job_id, BulkparSubqueries *subqueries,
								 const BulkparSubquery *subquery);
extern void bulkpar_subquery_load(int64 job_id,
								  BulkparSubqueries *subqueries);
extern void bulkpar_subquery_drop(int64 job_id);
extern void bulkpar_subquery_drop_unneeded(void);

#endif							/* BULKPAR_SUBQUERY_H */
