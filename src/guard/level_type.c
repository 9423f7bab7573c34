/*
 * guard/level_type.c - the SQL type level: a smallint from 1 to 10 that shows its name.
 *
 * Comparing and hashing are the server's own smallint functions (see guard.sql). No key, no shared memory.
 */
#include "postgres.h"

#include "fmgr.h"
#include "libpq/pqformat.h"

#include "guard/codes.h"

static bool
is_level(int level)
{
	return level >= PAWS_LEVEL_MIN && level <= PAWS_LEVEL_MAX;
}

PG_FUNCTION_INFO_V1(paws_level_in);
Datum
paws_level_in(PG_FUNCTION_ARGS)
{
	int level = paws_level_code(PG_GETARG_CSTRING(0));

	if (level == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION), errmsg("invalid level"),
				 errhint("Levels are numbers from %d to %d, or the names that paws_sync.vocabulary() lists.",
						 PAWS_LEVEL_MIN, PAWS_LEVEL_MAX)));
	PG_RETURN_INT16((int16) level);
}

PG_FUNCTION_INFO_V1(paws_level_out);
Datum
paws_level_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(pstrdup(paws_level_name(PG_GETARG_INT16(0))));
}

PG_FUNCTION_INFO_V1(paws_level_recv);
Datum
paws_level_recv(PG_FUNCTION_ARGS)
{
	StringInfo buffer = (StringInfo) PG_GETARG_POINTER(0);
	int16 level = (int16) pq_getmsgint(buffer, 2);

	if (!is_level(level))
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION), errmsg("invalid level"),
						errhint("Levels are numbers from %d to %d.", PAWS_LEVEL_MIN, PAWS_LEVEL_MAX)));
	PG_RETURN_INT16(level);
}

PG_FUNCTION_INFO_V1(paws_level_send);
Datum
paws_level_send(PG_FUNCTION_ARGS)
{
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendint16(&buffer, PG_GETARG_INT16(0));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

/* The cast from integer. */
PG_FUNCTION_INFO_V1(paws_level_from_integer);
Datum
paws_level_from_integer(PG_FUNCTION_ARGS)
{
	int32 number = PG_GETARG_INT32(0);

	if (!is_level(number))
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("level out of range"),
						errhint("Levels are numbers from %d to %d.", PAWS_LEVEL_MIN, PAWS_LEVEL_MAX)));
	PG_RETURN_INT16((int16) number);
}
