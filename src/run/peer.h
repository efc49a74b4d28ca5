/*-------------------------------------------------------------------------
 *
 * peer.h
 *		How to connect to a node of Citus.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/run/peer.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_PEER_H
#define BULKPAR_PEER_H

#include "books/bookkeeping.h"
#include "books/node.h"

extern char *bulkpar_peer_connection(BulkparBookkeeping *books,
									 const BulkparNode *node,
									 const char *role);

#endif							/* BULKPAR_PEER_H */
