/*-------------------------------------------------------------------------
 *
 * bulkpar.h
 *		Limits and settings of bulkpar.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/bulkpar.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_H
#define BULKPAR_H

/* The name that the library is installed under, for background workers. */
#define BULKPAR_LIBRARY "bulkpar"

/* Limits of the arguments. */
#define BULKPAR_MAX_BATCH_SIZE 1000000
#define BULKPAR_MAX_WORKERS 1024

#define BULKPAR_MAX_STRIPES 64

/* Bytes of a job's name, which is in an index. */
#define BULKPAR_MAX_NAME 255

/* The batches of a chunk, and those collected in advance, at the most. */
#define BULKPAR_CHUNK_BATCHES 16

/* Settings, see bulkpar.c. */
extern int	bulkpar_max_workers;
extern int	bulkpar_progress_interval;
extern bool bulkpar_report;
extern int	bulkpar_workers;

#endif							/* BULKPAR_H */
