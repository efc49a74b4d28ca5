/*-------------------------------------------------------------------------
 *
 * slots.h
 *		The superuser's cap on the workers of all jobs.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/slots.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_SLOTS_H
#define BULKPAR_SLOTS_H

extern bool bulkpar_slots_acquire(int *slot);
extern void bulkpar_slots_release(int slot);

#endif							/* BULKPAR_SLOTS_H */
