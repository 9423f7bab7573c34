/*
 * queue/pause.c - the paused levels, cached; the trigger that tells of changes.
 */
#include "postgres.h"

#include "base/database.h"
#include "base/spi.h"
#include "base/stored.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "queue/pause.h"

static bool paused[PAWS_LEVEL_MAX + 1];
static uint64 loaded_version = 0;
static Oid loaded_identity = InvalidOid;

static PawsStatement read_paused = {
	.sql = "SELECT level FROM paws_queue.paused_level",
};

static PawsStatement put_paused = {
	.sql = "INSERT INTO paws_queue.paused_level VALUES ($1) ON CONFLICT DO NOTHING",
	.nargs = 1,
	.types = {INT2OID},
};

static PawsStatement drop_paused = {
	.sql = "DELETE FROM paws_queue.paused_level WHERE level OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.types = {INT2OID},
};

PG_FUNCTION_INFO_V1(paws_paused_level_changed);

const bool *
paws_paused_levels(void)
{
	int slot = paws_database_slot();
	uint64 version = paws_database_version(slot, PAWS_CACHED_PAUSES);
	Oid identity = paws_database_identity(slot);
	int rows;

	if (version == loaded_version && identity == loaded_identity)
		return paused;
	rows = (int) paws_spi_run(&read_paused, NULL, NULL, 0);
	memset(paused, 0, sizeof(paused));
	for (int i = 0; i < rows; i++)
		paused[paws_stored_code(paws_spi_int16(i, 1), PAWS_LEVEL_ORDINARY_MAX)] = true;
	loaded_version = version;
	loaded_identity = identity;
	return paused;
}

static bool
change(PawsStatement *statement, int level)
{
	Datum args[1] = {Int16GetDatum(level)};

	return paws_spi_run(statement, args, NULL, 0) > 0;
}

bool
paws_pause_level(int level)
{
	return change(&put_paused, level);
}

bool
paws_resume_level(int level)
{
	return change(&drop_paused, level);
}

/* However the table was changed, a restore included. What is resumed is served at once. */
Datum
paws_paused_level_changed(PG_FUNCTION_ARGS)
{
	int slot = paws_database_slot();

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function is to be called as a trigger")));
	paws_database_touch(slot, PAWS_CACHED_PAUSES);
	paws_wake_at_commit(slot, PAWS_WAKE_POOL);
	return PointerGetDatum(NULL);
}
