/*-------------------------------------------------------------------------
 *
 * law_cases.c
 *		Lets SQL ask by which laws a job of bulkpar goes.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  test/modules/law_cases.c
 *
 *-------------------------------------------------------------------------
 */
#include "run/law.c"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(law_share);
PG_FUNCTION_INFO_V1(law_batch_size);

/* law_share(load float8, nice float8) */
Datum
law_share(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(bulkpar_law_share(PG_GETARG_FLOAT8(0),
									   PG_GETARG_FLOAT8(1)));
}

/* law_batch_size(size int, given int, target float8, times float8[]) */
Datum
law_batch_size(PG_FUNCTION_ARGS)
{
	Datum	   *elements;
	double		times[BULKPAR_LAW_TIMES];
	int			ntimes;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(3), FLOAT8OID, sizeof(float8),
					  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &elements, NULL,
					  &ntimes);
	if (ntimes > BULKPAR_LAW_TIMES)
		elog(ERROR, "more times than count");
	for (int i = 0; i < ntimes; i++)
		times[i] = DatumGetFloat8(elements[i]);
	PG_RETURN_INT32(bulkpar_law_batch_size(PG_GETARG_INT32(0),
										   PG_GETARG_INT32(1),
										   PG_GETARG_FLOAT8(2), times,
										   ntimes));
}
