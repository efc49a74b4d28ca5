/*-------------------------------------------------------------------------
 *
 * books.h
 *		The tables of bulkpar, and whether they can be trusted.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/books.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_BOOKS_H
#define BULKPAR_BOOKS_H

#include "utils/rel.h"

/* The schema of the tables and helpers, whose owner alone can put names there. */
#define BULKPAR_SCHEMA "bulkpar"

/* The tables, by number. */
typedef enum BulkparBook
{
	BULKPAR_BOOK_JOB,
	BULKPAR_BOOK_PART,
	BULKPAR_BOOK_CHUNK,
	BULKPAR_BOOK_ERROR,
	BULKPAR_BOOK_COUNTER,
	BULKPAR_BOOK_SUBQUERY,
	BULKPAR_BOOK_THROTTLE,
	BULKPAR_BOOK_ALTERATION,
	BULKPAR_BOOK_NODE
} BulkparBook;

#define BULKPAR_NBOOKS (BULKPAR_BOOK_NODE + 1)

extern void bulkpar_books_pin(Oid job_table);
extern void bulkpar_books_pin_for_transaction(void);
extern Oid	bulkpar_books_open(void);
extern Oid	bulkpar_books_table(BulkparBook book);
extern Oid	bulkpar_books_schema(void);
extern Oid	bulkpar_books_extension(void);
extern void bulkpar_books_inspect(Relation rel);
extern bool bulkpar_books_include(Oid relid);
extern Oid	bulkpar_books_function(const char *name, int nargs,
								   const Oid *argtypes);

#endif							/* BULKPAR_BOOKS_H */
