/*-------------------------------------------------------------------------
 *
 * law_cases.c
 *		Lets SQL ask by which laws a job of bulkpar goes, and what it takes the
 *		speed of a standby for.
 *
 * Copyright (c) 2026, bulkpar contributors
 *
 * IDENTIFICATION
 *	  test/modules/law_cases.c
 *
 *-------------------------------------------------------------------------
 */
#include "run/law.c"
#include "run/speed.c"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(law_share);
PG_FUNCTION_INFO_V1(law_batch_size);
PG_FUNCTION_INFO_V1(speed_time_left);

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

/*
 * speed_time_left(positions int8[], ends int8[]): one of each for every 100 ms.
 */
Datum
speed_time_left(PG_FUNCTION_ARGS)
{
	Datum	   *elements[2];
	BulkparSpeed speed = {0};
	int			count = 0;

	for (int i = 0; i < 2; i++)
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(i), INT8OID, sizeof(int64),
						  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &elements[i], NULL,
						  &count);
	for (int i = 0; i < count; i++)
		bulkpar_speed_note(&speed, (i + 1) * INT64CONST(100000),
						   DatumGetInt64(elements[0][i]),
						   DatumGetInt64(elements[1][i]));
	if (count == 0)
		PG_RETURN_INT64(0);
	PG_RETURN_INT64(bulkpar_speed_time_left(&speed,
											DatumGetInt64(elements[0][count - 1]),
											DatumGetInt64(elements[1][count - 1])));
}
