/*-------------------------------------------------------------------------
 *
 * watch.h
 *		What a coordinator does from the beginning of its job to the last batch.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/watch.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_WATCH_H
#define BULKPAR_WATCH_H

#include "run/coordinator.h"

extern void bulkpar_watch_run(BulkparCoordinator *coordinator);
extern void bulkpar_watch_request_stop(bool pause);
extern bool bulkpar_watch_is_pause_requested(void);
extern void bulkpar_watch_launch_nodes(BulkparCoordinator *coordinator);

#endif							/* BULKPAR_WATCH_H */
