/*-------------------------------------------------------------------------
 *
 * error.h
 *		What is kept of an error until its caller gets it.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/session/error.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_ERROR_H
#define BULKPAR_ERROR_H

#include "utils/elog.h"

/*
 * The texts that are kept beside the SQLSTATE, by their names in ErrorData,
 * which are also those of the columns that our tables have for them.  Another
 * one is a line here, and a column in each of these tables.
 */
#define BULKPAR_ERROR_TEXTS(text) \
	text(message) \
	text(detail) \
	text(hint) \
	text(context) \
	text(schema_name) \
	text(table_name) \
	text(column_name) \
	text(datatype_name) \
	text(constraint_name)

#define BULKPAR_ERROR_COUNT(name) + 1
#define BULKPAR_ERROR_NTEXTS (0 BULKPAR_ERROR_TEXTS(BULKPAR_ERROR_COUNT))

/* Bytes of each of them in shared memory. */
#define BULKPAR_ERROR_SIZE 1024

/* An error in shared memory. */
typedef struct BulkparError
{
	int			sqlstate;		/* 0 for none */
	/* empty for none, and in the order of the list */
	char		texts[BULKPAR_ERROR_NTEXTS][BULKPAR_ERROR_SIZE];
} BulkparError;

extern void bulkpar_error_share(BulkparError *shared, const ErrorData *error);
extern void bulkpar_error_raise(BulkparError *shared);
extern ErrorData *bulkpar_error_catch(MemoryContext context);
extern void bulkpar_error_log_caught(void);

#endif							/* BULKPAR_ERROR_H */
