/*-------------------------------------------------------------------------
 *
 * settings.h
 *		The settings under which a job's expressions are evaluated.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/settings.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_SETTINGS_H
#define BULKPAR_SETTINGS_H

#include "job.h"

extern void bulkpar_settings_collect(BulkparJob *job);
extern void bulkpar_settings_start_process(void);
extern void bulkpar_settings_adopt(const BulkparJob *job);
extern void bulkpar_settings_scan_in_parallel(int workers);
extern int	bulkpar_settings_use_catalog(void);
extern void bulkpar_settings_start_transaction(void);
extern void bulkpar_settings_restore(void);

#endif							/* BULKPAR_SETTINGS_H */
