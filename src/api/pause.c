/*
 * api/pause.c - pause_level and resume_level.
 */
#include "postgres.h"

#include "base/database.h"
#include "base/spi.h"
#include "fmgr.h"
#include "guard/codes.h"
#include "queue/pause.h"

PG_FUNCTION_INFO_V1(paws_sync_pause_level);
PG_FUNCTION_INFO_V1(paws_sync_resume_level);

static int
level_argument(FunctionCallInfo fcinfo)
{
	int level;

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("level must not be null")));
	level = PG_GETARG_INT16(0);
	if (level > PAWS_LEVEL_ORDINARY_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("crisis levels cannot be paused"),
				 errdetail("Crisis is applied in the transaction that brings it, and is never paused."),
				 errhint("Pause one of the levels 1 to %d.", PAWS_LEVEL_ORDINARY_MAX)));
	return level;
}

static Datum
change(FunctionCallInfo fcinfo, bool (*what)(int level))
{
	int level = level_argument(fcinfo);
	bool changed;

	(void) paws_database_slot();
	paws_spi_begin();
	changed = what(level);
	paws_spi_end();
	return BoolGetDatum(changed);
}

Datum
paws_sync_pause_level(PG_FUNCTION_ARGS)
{
	return change(fcinfo, paws_pause_level);
}

Datum
paws_sync_resume_level(PG_FUNCTION_ARGS)
{
	return change(fcinfo, paws_resume_level);
}
