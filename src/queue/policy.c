/*
 * queue/policy.c - the cached matrix, and the trigger that guards its tables.
 */
#include "postgres.h"

#include "base/database.h"
#include "base/errors.h"
#include "base/spi.h"
#include "base/stored.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "queue/policy.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

static PawsPolicy matrix[PAWS_CLASS_LAST + 1][PAWS_TIER_LAST + 1];
static PawsTierPolicy tiers[PAWS_TIER_LAST + 1];
static uint64 loaded_version = 0;
static Oid loaded_identity = InvalidOid;

static PawsStatement read_matrix = {
	.sql = "SELECT class, tier, level, target_ms, ops_per_second, ops_burst, bytes_per_second, bytes_burst, "
		   "pull_bytes_per_second, pull_bytes_burst FROM paws_queue.effective_policy",
};

static PawsStatement read_tiers = {
	.sql =
		"SELECT tier, ops_per_second, ops_burst, bytes_per_second, bytes_burst, pull_bytes_per_second, pull_bytes_burst, "
		"max_payload, max_devices, offline_hours, compression, compression_level "
		"FROM paws_queue.effective_tier_policy",
};

#define LESS(limit) "g." limit " OPERATOR(pg_catalog.<) p." limit
#define OR          " OR "

static PawsStatement grace_below = {
	.sql =
		"SELECT 1 FROM paws_queue.effective_policy g JOIN paws_queue.effective_policy p "
		"ON p.class OPERATOR(pg_catalog.=) g.class WHERE g.tier OPERATOR(pg_catalog.=) 4 AND p.tier OPERATOR(pg_catalog.=) 3 "
		"AND (g.level OPERATOR(pg_catalog.<) p.level OR g.target_ms OPERATOR(pg_catalog.>) p.target_ms) "
		"UNION ALL SELECT 1 FROM paws_queue.effective_limits g JOIN paws_queue.effective_limits p "
		"ON p.class OPERATOR(pg_catalog.=) g.class WHERE g.tier OPERATOR(pg_catalog.=) 4 AND p.tier OPERATOR(pg_catalog.=) 3 "
		"AND (p.own_limits AND NOT g.own_limits OR " LESS("ops_per_second") OR LESS("ops_burst")
			OR LESS("bytes_per_second") OR LESS("bytes_burst") OR LESS("pull_bytes_per_second") OR LESS(
				"pull_bytes_burst") ") "
									"UNION ALL SELECT 1 FROM paws_queue.effective_tier_policy g, paws_queue.effective_tier_policy p "
									"WHERE g.tier OPERATOR(pg_catalog.=) 4 AND p.tier OPERATOR(pg_catalog.=) 3 AND (" LESS(
										"ops_per_second") OR LESS("ops_burst") OR LESS("bytes_per_second")
										OR LESS("bytes_burst") OR LESS("pull_bytes_per_second") OR LESS(
											"pull_bytes_burst") OR LESS("max_payload") OR LESS("max_devices")
											OR LESS(
												"offline_hours") " OR (g.features OPERATOR(pg_catalog.&) p.features) OPERATOR(pg_catalog.<>) p.features)",
};

PG_FUNCTION_INFO_V1(paws_policy_changed);

/* Six columns from `column` on. */
static void
read_limits(int row, int column, PawsLimits *limits)
{
	limits->ops_per_second = paws_spi_int32(row, column);
	limits->ops_burst = paws_spi_int32(row, column + 1);
	limits->bytes_per_second = paws_spi_int64(row, column + 2);
	limits->bytes_burst = paws_spi_int64(row, column + 3);
	limits->pull_bytes_per_second = paws_spi_int64(row, column + 4);
	limits->pull_bytes_burst = paws_spi_int64(row, column + 5);
}

static void
load(void)
{
	int rows = (int) paws_spi_run(&read_tiers, NULL, NULL, 0);

	for (int i = 0; i < rows; i++)
	{
		PawsTierPolicy *tier = &tiers[paws_stored_code(paws_spi_int16(i, 1), PAWS_TIER_LAST)];

		read_limits(i, 2, &tier->limits);
		tier->max_payload = paws_spi_int32(i, 8);
		tier->max_devices = paws_spi_int32(i, 9);
		tier->offline_hours = paws_spi_int32(i, 10);
		tier->compression = paws_spi_int16(i, 11);
		tier->compression_level = paws_spi_int16(i, 12);
	}
	rows = (int) paws_spi_run(&read_matrix, NULL, NULL, 0);
	for (int i = 0; i < rows; i++)
	{
		int klass = paws_stored_code(paws_spi_int16(i, 1), PAWS_CLASS_LAST);
		int tier = paws_stored_code(paws_spi_int16(i, 2), PAWS_TIER_LAST);
		PawsPolicy *policy = &matrix[klass][tier];

		policy->level = paws_stored_code(paws_spi_int16(i, 3), PAWS_LEVEL_MAX);
		policy->target_ms = paws_spi_int32(i, 4);
		policy->own_limits = !paws_spi_isnull(i, 5);
		if (policy->own_limits)
			read_limits(i, 5, &policy->limits);
		else
			policy->limits = tiers[tier].limits;
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

void
paws_policies(PawsTier tier, const PawsPolicy *policies[PAWS_CLASS_LAST + 1])
{
	refresh();
	for (int klass = 0; klass <= PAWS_CLASS_LAST; klass++)
		policies[klass] = &matrix[klass][tier];
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

/* NULL reads as 0: a class without limits of its own. */
static int64
limit_in(HeapTuple tuple, TupleDesc descriptor, const char *column)
{
	int number = SPI_fnumber(descriptor, column);
	bool isnull;
	Datum value = SPI_getbinval(tuple, descriptor, number, &isnull);

	if (isnull)
		return 0;
	return TupleDescAttr(descriptor, number - 1)->atttypid == INT4OID ? DatumGetInt32(value)
																	  : DatumGetInt64(value);
}

/* The tables check the same; here it is said in words. */
static void
refuse_senseless(HeapTuple tuple, TupleDesc descriptor)
{
	static const char *const limits[][2] = {{"ops_per_second", "ops_burst"},
											{"bytes_per_second", "bytes_burst"},
											{"pull_bytes_per_second", "pull_bytes_burst"}};

	for (int i = 0; i < (int) lengthof(limits); i++)
	{
		int64 rate = limit_in(tuple, descriptor, limits[i][0]);
		int64 burst = limit_in(tuple, descriptor, limits[i][1]);

		if (rate < 0 || burst < 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a limit is negative"),
							errhint("A rate of 0 allows nothing; to allow much, set much.")));
		if (rate > 0 && burst == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a rate has no burst"),
					 errhint("Let each burst be at least 1, or set the rate to 0, which allows nothing.")));
	}
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
			 errdetail("A payment failure raises service, in every class and every limit."),
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
	/* One change at a time to its commit, of either table: two, each good by itself, could put grace below
	 * premium together. Before any row is locked, and again for a statement that had no rows. */
	LockRelationOid(get_relname_relid("policy", RelationGetNamespace(trigger->tg_relation)),
					ShareUpdateExclusiveLock);
	if (TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event))
	{
		after_statement();
		return PointerGetDatum(NULL);
	}
	refuse_shipped(trigger);
	if (!TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		refuse_senseless(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple
																	: trigger->tg_trigtuple,
						 trigger->tg_relation->rd_att);
	return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple
																	  : trigger->tg_trigtuple);
}
