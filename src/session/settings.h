/*-------------------------------------------------------------------------
 *
 * settings.h
 *		The settings under which a job's expressions are evaluated.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/session/settings.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_SETTINGS_H
#define BULKPAR_SETTINGS_H

#include "books/job.h"

extern void bulkpar_settings_collect(BulkparJob *job);
extern void bulkpar_settings_check(const BulkparJob *job);
extern const char *bulkpar_settings_differ(const BulkparJob *a,
										   const BulkparJob *b);
extern void bulkpar_settings_start_process(void);
extern void bulkpar_settings_adopt(const BulkparJob *job);
extern void bulkpar_settings_scan_in_parallel(int workers);
extern void bulkpar_settings_start_transaction(void);
extern void bulkpar_settings_restore(void);

#endif							/* BULKPAR_SETTINGS_H */
