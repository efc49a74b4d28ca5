/*-------------------------------------------------------------------------
 *
 * joblock.h
 *		The lock that says that a job is alive.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/books/joblock.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_JOBLOCK_H
#define BULKPAR_JOBLOCK_H

extern bool bulkpar_joblock_take(int64 job_id);
extern void bulkpar_joblock_release(void);
extern void bulkpar_joblock_mark(int64 job_id);
extern bool bulkpar_joblock_has_process(int64 job_id, int pid);
extern bool bulkpar_joblock_waits_for(int64 job_id, int pid, int64 waited);
extern bool bulkpar_joblock_is_held(int64 job_id);
extern int	bulkpar_joblock_holder(int64 job_id);

#endif							/* BULKPAR_JOBLOCK_H */
