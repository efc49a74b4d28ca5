/*-------------------------------------------------------------------------
 *
 * jobjson.h
 *		What a job is to do as JSON.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/jobjson.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_JOBJSON_H
#define BULKPAR_JOBJSON_H

#include "books/job.h"

extern char *bulkpar_jobjson_write(const BulkparJob *job);
extern char *bulkpar_jobjson_write_settings(const BulkparSettings *settings);

#endif							/* BULKPAR_JOBJSON_H */
