/*-------------------------------------------------------------------------
 *
 * message.h
 *		What user code has to say in a process that has no client.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/session/message.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_MESSAGE_H
#define BULKPAR_MESSAGE_H

extern void bulkpar_message_start(void);
extern void bulkpar_message_discard(void);
extern void bulkpar_message_keep(void);
extern char *bulkpar_message_report(void);
extern void bulkpar_message_reported(void);

#endif							/* BULKPAR_MESSAGE_H */
