/*-------------------------------------------------------------------------
 *
 * argument.h
 *		The arguments of the SQL on the tables of bulkpar.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/argument.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_ARGUMENT_H
#define BULKPAR_ARGUMENT_H

#include "utils/array.h"

#include "books/bookkeeping.h"
#include "books/storedkey.h"
#include "session/error.h"

/* The columns of an error, and its values by bulkpar_argument_error, in SQL. */
#define BULKPAR_ARGUMENT_COLUMN(name) ", " #name
#define BULKPAR_ARGUMENT_VALUE(name) ", $" #name
#define BULKPAR_ERROR_COLUMNS \
	"sqlstate" BULKPAR_ERROR_TEXTS(BULKPAR_ARGUMENT_COLUMN)
#define BULKPAR_ERROR_VALUES \
	"$sqlstate" BULKPAR_ERROR_TEXTS(BULKPAR_ARGUMENT_VALUE)

extern void bulkpar_argument_bool(BulkparBookkeeping *books, const char *name,
								  bool value);
extern void bulkpar_argument_int32(BulkparBookkeeping *books,
								   const char *name, int32 value);
extern void bulkpar_argument_int64(BulkparBookkeeping *books,
								   const char *name, int64 value);
extern void bulkpar_argument_int64_if(BulkparBookkeeping *books, bool known,
									  const char *name, int64 value);
extern void bulkpar_argument_oid(BulkparBookkeeping *books, const char *name,
								 Oid value);
extern void bulkpar_argument_interval(BulkparBookkeeping *books,
									  const char *name, const Interval *value);
extern void bulkpar_argument_text(BulkparBookkeeping *books, const char *name,
								  const char *value);
extern void bulkpar_argument_texts(BulkparBookkeeping *books,
								   const char *name, ArrayType *value);
extern void bulkpar_argument_array(BulkparBookkeeping *books,
								   const char *name, Oid element,
								   Datum *values, bool *nulls, int count);
extern void bulkpar_argument_int64s(BulkparBookkeeping *books,
									const char *name, const int64 *values,
									int count);
extern void bulkpar_argument_bytes(BulkparBookkeeping *books,
								   const char *name, bytea *value);
extern void bulkpar_argument_key(BulkparBookkeeping *books,
								 const char *bytes_name,
								 const char *text_name,
								 const BulkparStoredKey *key);
extern void bulkpar_argument_error(BulkparBookkeeping *books,
								   const ErrorData *error);

#endif							/* BULKPAR_ARGUMENT_H */
