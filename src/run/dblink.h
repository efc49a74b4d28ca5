/*-------------------------------------------------------------------------
 *
 * dblink.h
 *		Connections to other servers, by the functions of dblink.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/dblink.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_DBLINK_H
#define BULKPAR_DBLINK_H

#include "datatype/timestamp.h"

#include "books/node.h"

/*
 * With this the names of our connections begin, and it is in each of our calls:
 * so it is where the context of an error gets to be about these.
 */
#define BULKPAR_DBLINK_MARK "bulkpar link"

/* Rows of texts, each of which may be NULL. */
typedef struct BulkparDblinkResult
{
	int			nrows;
	int			ncolumns;
	char	  **values;			/* row by row */
} BulkparDblinkResult;

extern void bulkpar_dblink_name(char *name, int number);
extern void bulkpar_dblink_connect(const char *name,
								   const BulkparNode *node);
extern void bulkpar_dblink_disconnect(const char *name);
extern void bulkpar_dblink_send(const char *name, const char *sql);
extern bool bulkpar_dblink_is_busy(const char *name);
extern long bulkpar_dblink_interval(TimestampTz sent_at);
extern void bulkpar_dblink_receive(const char *name, int ncolumns,
								   BulkparDblinkResult *result);
extern void bulkpar_dblink_clean_error(ErrorData *error);

#endif							/* BULKPAR_DBLINK_H */
