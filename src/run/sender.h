/*-------------------------------------------------------------------------
 *
 * sender.h
 *		Who takes WAL of the server, as its senders say in shared memory.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/sender.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_SENDER_H
#define BULKPAR_SENDER_H

#include "replication/walsender_private.h"

extern bool bulkpar_sender_read(WalSnd *sender, WalSnd *copy);
extern bool bulkpar_sender_read_name(int pid, char *name);
extern void bulkpar_sender_read_slot(int pid, char *slot);
extern bool bulkpar_sender_slot_is_there(const char *name);
extern bool bulkpar_sender_slot_has_xmin(const char *name);
extern bool bulkpar_sender_is_listed(const char *list, const char *name);

#endif							/* BULKPAR_SENDER_H */
