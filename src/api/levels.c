/*
 * api/levels.c - pausing and resuming a level of the ordinary lane, for operations of devices and jobs alike.
 */
#include "postgres.h"

#include "base/database.h"
#include "base/spi.h"
#include "fmgr.h"
#include "guard/codes.h"
#include "queue/pause.h"

PG_FUNCTION_INFO_V1(paws_level_pause);
PG_FUNCTION_INFO_V1(paws_level_resume);

static int
level_argument(FunctionCallInfo fcinfo)
{
	int level;

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("level must not be null")));
	level = PG_GETARG_INT16(0);
	if (level > PAWS_LEVEL_ORDINARY_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("levels of the crisis lane are never paused"),
						errhint("Levels 1 to %d can be paused.", PAWS_LEVEL_ORDINARY_MAX)));
	return level;
}

static Datum
change(FunctionCallInfo fcinfo, bool (*run)(int level))
{
	int level = level_argument(fcinfo);
	bool changed;

	(void) paws_database_slot();
	paws_spi_begin();
	changed = run(level);
	paws_spi_end();
	PG_RETURN_BOOL(changed);
}

Datum
paws_level_pause(PG_FUNCTION_ARGS)
{
	return change(fcinfo, paws_pause_level);
}

Datum
paws_level_resume(PG_FUNCTION_ARGS)
{
	return change(fcinfo, paws_resume_level);
}
