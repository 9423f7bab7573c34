/*
 * registry/collections.c - the vocabulary of collections, cached in each process.
 */
#include "postgres.h"

#include "base/database.h"
#include "base/errors.h"
#include "base/spi.h"
#include "catalog/pg_type.h"
#include "guard/manifest.h"
#include "registry/registry.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

static PawsCollection *collections = NULL;
static int ncollections = 0;
static uint64 loaded_version = 0;
static Oid loaded_identity = InvalidOid;

static PawsStatement load_all = {
	.sql =
		"SELECT collection_no, class, on_conflict, name::pg_catalog.text, sealing, compressible FROM paws_registry.collection "
		"ORDER BY collection_no",
};

static PawsStatement define = {
	.sql =
		"INSERT INTO paws_registry.collection (name, class, on_conflict, sealing, compressible, defined_at) "
		"VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO UPDATE SET class = EXCLUDED.class, "
		"on_conflict = EXCLUDED.on_conflict, sealing = EXCLUDED.sealing, compressible = EXCLUDED.compressible",
	.nargs = 6,
	.types = {TEXTOID, INT2OID, INT2OID, INT2OID, BOOLOID, TIMESTAMPTZOID},
};

static PawsStatement redefine = {
	.sql =
		"UPDATE paws_registry.collection SET class = $2, on_conflict = $3, sealing = $4, compressible = $5 "
		"WHERE name::pg_catalog.text OPERATOR(pg_catalog.=) $1",
	.nargs = 5,
	.types = {TEXTOID, INT2OID, INT2OID, INT2OID, BOOLOID},
};

static void
load(uint64 version, Oid identity)
{
	int count = (int) paws_spi_run(&load_all, NULL, NULL, 0);

	loaded_version = 0;
	if (collections)
		pfree(collections);
	collections = MemoryContextAllocZero(TopMemoryContext, Max(count, 1) * sizeof(PawsCollection));
	ncollections = count;
	for (int i = 0; i < count; i++)
	{
		bool isnull;

		collections[i].no = paws_spi_int16(i, 1);
		collections[i].klass = (PawsClass) paws_spi_int16(i, 2);
		collections[i].on_conflict = (PawsConflictPolicy) paws_spi_int16(i, 3);
		text_to_cstring_buffer(DatumGetTextPP(paws_spi_column(i, 4, &isnull)), collections[i].name,
							   sizeof(collections[i].name));
		collections[i].sealing = (PawsSealingPolicy) paws_spi_int16(i, 5);
		collections[i].compressible = paws_spi_bool(i, 6);
	}
	loaded_version = version;
	loaded_identity = identity;
}

static void
refresh(void)
{
	int slot = paws_database_slot();
	uint64 version = paws_database_version(slot, PAWS_CACHED_COLLECTIONS);
	Oid identity = paws_database_identity(slot);

	if (version != loaded_version || identity != loaded_identity)
		load(version, identity);
}

const PawsCollection *
paws_registry_collection(const char *name, Size length)
{
	refresh();
	if (length > PAWS_COLLECTION_NAME_MAX)
		return NULL;
	for (int i = 0; i < ncollections; i++)
		if (strncmp(collections[i].name, name, length) == 0 && collections[i].name[length] == '\0')
			return &collections[i];
	return NULL;
}

const PawsCollection *
paws_registry_collection_no(int16 no)
{
	refresh();
	for (int i = 0; i < ncollections; i++)
		if (collections[i].no == no)
			return &collections[i];
	return NULL;
}

/* ^[a-z][a-z0-9_]{0,30}$ */
static bool
good_name(const char *name, Size length)
{
	if (length < 1 || length > PAWS_COLLECTION_NAME_MAX || name[0] < 'a' || name[0] > 'z')
		return false;
	for (Size i = 1; i < length; i++)
		if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') || name[i] == '_'))
			return false;
	return true;
}

void
paws_registry_define(const char *name, Size length, const PawsCollection *definition)
{
	const PawsCollection *known;
	Datum args[6];

	if (!good_name(name, length))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid name of a collection"),
				 errdetail("A name starts with a lower-case letter, has letters, digits and underscores, and "
						   "is at most %d characters long.",
						   PAWS_COLLECTION_NAME_MAX)));
	known = paws_registry_collection(name, length);
	if (known && paws_class_lane(known->klass) != paws_class_lane(definition->klass))
		ereport(ERROR, (errcode(PAWS_ERRCODE_IMMUTABLE), errmsg("a collection cannot move to the other lane"),
						errhint("Define a new collection for the other lane.")));
	args[0] = PointerGetDatum(cstring_to_text_with_len(name, length));
	args[1] = Int16GetDatum(definition->klass);
	args[2] = Int16GetDatum(definition->on_conflict);
	args[3] = Int16GetDatum(definition->sealing);
	args[4] = BoolGetDatum(definition->compressible);
	args[5] = TimestampTzGetDatum(paws_manifest_time(PAWS_CLOCK_SLOW, PAWS_TIER_NONE, GetCurrentTimestamp()));
	/* an insert that meets a conflict uses up a number, and numbers are few */
	if (paws_spi_run(&redefine, args, NULL, 0) == 0)
		paws_spi_run(&define, args, NULL, 0);
	paws_database_touch(paws_database_slot(), PAWS_CACHED_COLLECTIONS);
}
