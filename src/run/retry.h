/*-------------------------------------------------------------------------
 *
 * retry.h
 *		Whether another try of a batch may help, and the pause before it.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/retry.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_RETRY_H
#define BULKPAR_RETRY_H

extern bool bulkpar_retry_may_help(const ErrorData *error);
extern void bulkpar_retry_pause(int retries);

#endif							/* BULKPAR_RETRY_H */
