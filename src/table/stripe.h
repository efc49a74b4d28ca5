/*-------------------------------------------------------------------------
 *
 * stripe.h
 *		Stripes: every K-th row or so of a range.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  src/table/stripe.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULKPAR_STRIPE_H
#define BULKPAR_STRIPE_H

#include "utils/rel.h"

#include "books/job.h"
#include "table/key.h"

extern Oid	bulkpar_stripe_function(void);
extern bool bulkpar_stripe_possible(const BulkparKey *key);
extern int	bulkpar_stripe_of_key(const BulkparKey *key, int count,
								  const Datum *values);
extern bool bulkpar_stripe_matters(Relation rel);
extern bool bulkpar_stripe_can_be_hot(Relation rel, const BulkparJob *job);
extern int	bulkpar_stripe_choose(Relation rel, const BulkparKey *key,
								  const BulkparJob *job);
extern bool bulkpar_stripe_follows_heap(Relation rel, const BulkparKey *key);

#endif							/* BULKPAR_STRIPE_H */
