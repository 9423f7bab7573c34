/*
 * vault/supersede.c - the versions of a subject's keys.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"

#include "vault/data_key.h"
#include "vault/origin.h"
#include "vault/supersede.h"

#define CARE_TABLE   "paws_vault.data_key"
#define CRISIS_TABLE "paws_crisis.subject_key"
#define OF_SUBJECT   " WHERE subject_no OPERATOR(pg_catalog.=) $1"

#define NEWEST(table)                                                                                        \
	{                                                                                                        \
		.sql = "SELECT key_id, version FROM " table OF_SUBJECT " ORDER BY version DESC LIMIT 1", .nargs = 1, \
		.types = {                                                                                           \
			INT8OID                                                                                          \
		}                                                                                                    \
	}
#define OLDER(table)                                                                                         \
	{                                                                                                        \
		.sql = "SELECT key_id FROM " table OF_SUBJECT " ORDER BY version DESC OFFSET 1 LIMIT $2",            \
		.nargs = 2, .types = {                                                                               \
			INT8OID,                                                                                         \
			INT8OID                                                                                          \
		}                                                                                                    \
	}
#define DELETE_ONE(table)                                                                                    \
	{                                                                                                        \
		.sql = "DELETE FROM " table " WHERE key_id OPERATOR(pg_catalog.=) $1 RETURNING kek_epoch",           \
		.nargs = 1, .types = {                                                                               \
			UUIDOID                                                                                          \
		}                                                                                                    \
	}
#define DELETE_ALL(table)                                                                                    \
	{                                                                                                        \
		.sql = "DELETE FROM " table OF_SUBJECT " RETURNING kek_epoch", .nargs = 1, .types = { INT8OID }      \
	}

static PawsStatement newest[] = {NEWEST(CARE_TABLE), NEWEST(CRISIS_TABLE)};
static PawsStatement older[] = {OLDER(CARE_TABLE), OLDER(CRISIS_TABLE)};
static PawsStatement delete_one[] = {DELETE_ONE(CARE_TABLE), DELETE_ONE(CRISIS_TABLE)};
static PawsStatement delete_all[] = {DELETE_ALL(CARE_TABLE), DELETE_ALL(CRISIS_TABLE)};

void
paws_vault_supersede(PawsKeyHome home, int64 subject_no)
{
	Datum args[1] = {Int64GetDatum(subject_no)};

	if (paws_spi_run(&newest[home], args, NULL, 1) == 0)
		return;
	paws_data_key_make(home, subject_no, (uint32) paws_spi_int32(0, 2) + 1);
}

bool
paws_vault_newest_key(PawsKeyHome home, int64 subject_no, pg_uuid_t *id)
{
	Datum args[1] = {Int64GetDatum(subject_no)};
	bool isnull;

	if (paws_spi_run(&newest[home], args, NULL, 1) == 0)
		return false;
	memcpy(id, DatumGetUUIDP(paws_spi_column(0, 1, &isnull)), UUID_LEN);
	return true;
}

int
paws_vault_superseded(PawsKeyHome home, int64 subject_no, pg_uuid_t *ids, int max)
{
	Datum args[2] = {Int64GetDatum(subject_no), Int64GetDatum(max)};
	int found = (int) paws_spi_run(&older[home], args, NULL, 0);
	bool isnull;

	for (int i = 0; i < found; i++)
		memcpy(&ids[i], DatumGetUUIDP(paws_spi_column(i, 1, &isnull)), UUID_LEN);
	return found;
}

void
paws_vault_delete_key(PawsKeyHome home, const pg_uuid_t *id)
{
	Datum args[1] = {UUIDPGetDatum(id)};

	if (paws_spi_run(&delete_one[home], args, NULL, 0) > 0)
		paws_origin_note(paws_vault_home_root(home), (uint32) paws_spi_int32(0, 1));
}

int
paws_vault_delete_keys(PawsKeyHome home, int64 subject_no)
{
	Datum args[1] = {Int64GetDatum(subject_no)};
	int deleted = (int) paws_spi_run(&delete_all[home], args, NULL, 0);
	uint32 *epochs = palloc(Max(deleted, 1) * sizeof(uint32));

	for (int i = 0; i < deleted; i++)
		epochs[i] = (uint32) paws_spi_int32(i, 1);
	for (int i = 0; i < deleted; i++)
		paws_origin_note(paws_vault_home_root(home), epochs[i]);
	if (deleted > 0)
		paws_vault_keys_changed();
	return deleted;
}
