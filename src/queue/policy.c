/*
 * queue/policy.c - the cached matrix, and the trigger that guards its tables.
 */
#include "postgres.h"

#include "base/database.h"
#include "base/errors.h"
#include "base/spi.h"
#include "commands/trigger.h"
#include "queue/policy.h"
#include "storage/lmgr.h"
#include "utils/rel.h"

static PawsPolicy matrix[PAWS_CLASS_LAST + 1][PAWS_TIER_LAST + 1];
static PawsTierPolicy tiers[PAWS_TIER_LAST + 1];
static uint64 loaded_version = 0;
static Oid loaded_identity = InvalidOid;

static PawsStatement read_matrix = {
	.sql = "SELECT class, tier, level, target_ms FROM paws_queue.effective_policy",
};

static PawsStatement read_tiers = {
	.sql =
		"SELECT tier, ops_per_second, ops_burst, bytes_per_second, bytes_burst, max_payload, max_devices, offline_hours, "
		"compression, compression_level "
		"FROM paws_queue.effective_tier_policy",
};

static PawsStatement grace_below = {
	.sql =
		"SELECT 1 FROM paws_queue.effective_policy g JOIN paws_queue.effective_policy p "
		"ON p.class OPERATOR(pg_catalog.=) g.class WHERE g.tier OPERATOR(pg_catalog.=) 4 AND p.tier OPERATOR(pg_catalog.=) 3 "
		"AND (g.level OPERATOR(pg_catalog.<) p.level OR g.target_ms OPERATOR(pg_catalog.>) p.target_ms)",
};

PG_FUNCTION_INFO_V1(paws_policy_changed);

static void
load(void)
{
	int rows = (int) paws_spi_run(&read_matrix, NULL, NULL, 0);

	for (int i = 0; i < rows; i++)
	{
		PawsPolicy *policy = &matrix[paws_spi_int16(i, 1)][paws_spi_int16(i, 2)];

		policy->level = paws_spi_int16(i, 3);
		policy->target_ms = paws_spi_int32(i, 4);
	}
	rows = (int) paws_spi_run(&read_tiers, NULL, NULL, 0);
	for (int i = 0; i < rows; i++)
	{
		PawsTierPolicy *tier = &tiers[paws_spi_int16(i, 1)];

		tier->ops_per_second = paws_spi_int32(i, 2);
		tier->ops_burst = paws_spi_int32(i, 3);
		tier->bytes_per_second = paws_spi_int64(i, 4);
		tier->bytes_burst = paws_spi_int64(i, 5);
		tier->max_payload = paws_spi_int32(i, 6);
		tier->max_devices = paws_spi_int32(i, 7);
		tier->offline_hours = paws_spi_int32(i, 8);
		tier->compression = paws_spi_int16(i, 9);
		tier->compression_level = paws_spi_int16(i, 10);
	}
}

static void
refresh(void)
{
	int slot = paws_database_slot();
	uint64 version = paws_database_version(slot, PAWS_CACHED_POLICY);
	Oid identity = paws_database_identity(slot);

	if (version == loaded_version && identity == loaded_identity)
		return;
	load();
	loaded_version = version;
	loaded_identity = identity;
}

const PawsPolicy *
paws_policy(PawsClass klass, PawsTier tier)
{
	refresh();
	return &matrix[klass][tier];
}

const PawsTierPolicy *
paws_tier_policy(PawsTier tier)
{
	refresh();
	return &tiers[tier];
}

int32
paws_policy_known_target(PawsClass klass, PawsTier tier)
{
	return matrix[klass][tier].target_ms;
}

static bool
is_shipped(HeapTuple tuple, TupleDesc descriptor)
{
	bool isnull;
	Datum value = SPI_getbinval(tuple, descriptor, SPI_fnumber(descriptor, "shipped"), &isnull);

	return !isnull && DatumGetBool(value);
}

/* The script that creates the extension puts the shipped rows in before this trigger exists. */
static void
refuse_shipped(TriggerData *trigger)
{
	TupleDesc descriptor = trigger->tg_relation->rd_att;
	bool shipped = is_shipped(trigger->tg_trigtuple, descriptor);

	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		shipped = shipped || is_shipped(trigger->tg_newtuple, descriptor);
	if (shipped)
		ereport(
			ERROR,
			(errcode(PAWS_ERRCODE_IMMUTABLE), errmsg("shipped policy cannot be changed"),
			 errhint(
				 "Set a policy of your own beside it with paws_sync.set_policy; crisis classes have none.")));
}

static void
after_statement(void)
{
	paws_spi_begin();
	if (paws_spi_run(&grace_below, NULL, NULL, 1) > 0)
		ereport(
			ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("grace_period cannot be served worse than premium"),
			 errdetail("A payment failure raises service, in every class."),
			 errhint(
				 "Change grace_period first when raising premium, and premium first when lowering grace_period.")));
	paws_spi_end();
	paws_database_touch(paws_database_slot(), PAWS_CACHED_POLICY);
}

Datum
paws_policy_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function is to be called as a trigger")));
	/* One change at a time to its commit: two, each good by itself, could put grace below premium together.
	 * Before any row is locked, and again for a statement that had no rows. */
	LockRelationOid(RelationGetRelid(trigger->tg_relation), ShareUpdateExclusiveLock);
	if (TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event))
	{
		after_statement();
		return PointerGetDatum(NULL);
	}
	refuse_shipped(trigger);
	return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple
																	  : trigger->tg_trigtuple);
}
