/*-------------------------------------------------------------------------
 *
 * coordinator.h
 *		The process that runs a job.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/coordinator.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_COORDINATOR_H
#define BULKPAR_COORDINATOR_H

extern PGDLLEXPORT void bulkpar_coordinator_main(Datum main_arg);

#endif							/* BULKPAR_COORDINATOR_H */
