/*-------------------------------------------------------------------------
 *
 * inquiry.h
 *		What the other servers of a job are asked before it begins.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/inquiry.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_INQUIRY_H
#define BULKPAR_INQUIRY_H

#include "books/job.h"
#include "run/dblink.h"

/* A node that is asked, all in texts that any session of the owner can send. */
typedef struct BulkparInquiry
{
	BulkparNode *node;			/* how it is reached, and what it is called */
	char	   *greeting;		/* what is sent first */
	char	   *call;			/* and then, without its schema there */

	/* set while it is asked */
	char		connection[NAMEDATALEN];
	bool		connected;
	TimestampTz sent_at;
	char	   *schema;			/* of the extension there */
	BulkparDblinkResult answer; /* of the call */
} BulkparInquiry;

extern List *bulkpar_inquiry_form(const BulkparJob *job, bool check_only);
extern char *bulkpar_inquiry_write(const BulkparJob *job);
extern List *bulkpar_inquiry_read(const char *text);
extern ErrorData *bulkpar_inquiry_greet(const List *inquiries);
extern ErrorData *bulkpar_inquiry_make(const List *inquiries);

#endif							/* BULKPAR_INQUIRY_H */
