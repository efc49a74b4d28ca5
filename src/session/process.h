/*-------------------------------------------------------------------------
 *
 * process.h
 *		What a process sets for itself.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/session/process.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_PROCESS_H
#define BULKPAR_PROCESS_H

#include "session/settings.h"

extern void bulkpar_process_start(void);
extern bool bulkpar_process_reload(void);
extern void bulkpar_process_adopt(const BulkparSettings *settings);
extern void bulkpar_process_set_locally(const char *name, const char *value);
extern void bulkpar_process_scan_in_parallel(int workers);
extern void bulkpar_process_start_transaction(void);
extern void bulkpar_process_restore(void);

#endif							/* BULKPAR_PROCESS_H */
