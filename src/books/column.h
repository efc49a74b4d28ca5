/*-------------------------------------------------------------------------
 *
 * column.h
 *		The columns of what SQL on the tables of bulkpar returns.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/column.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_COLUMN_H
#define BULKPAR_COLUMN_H

#include "books/bookkeeping.h"
#include "books/storedkey.h"

extern bool bulkpar_column_is_null(const BulkparBookkeeping *books,
								   const char *name);
extern bool bulkpar_column_bool(const BulkparBookkeeping *books,
								const char *name);
extern int32 bulkpar_column_int32(const BulkparBookkeeping *books,
								  const char *name);
extern int64 bulkpar_column_int64(const BulkparBookkeeping *books,
								  const char *name);
extern Oid	bulkpar_column_oid(const BulkparBookkeeping *books,
							   const char *name);
extern Oid *bulkpar_column_oids(const BulkparBookkeeping *books,
								const char *name, int *count);
extern char *bulkpar_column_text(const BulkparBookkeeping *books,
								 const char *name);
extern char **bulkpar_column_texts(const BulkparBookkeeping *books,
								   const char *name, int *count);
extern bytea *bulkpar_column_bytes(const BulkparBookkeeping *books,
								   const char *name);
extern BulkparStoredKey *bulkpar_column_key(const BulkparBookkeeping *books,
											const char *bytes_name,
											const char *text_name);
extern ErrorData *bulkpar_column_error(const BulkparBookkeeping *books);

#endif							/* BULKPAR_COLUMN_H */
