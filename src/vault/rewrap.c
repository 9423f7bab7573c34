/*
 * vault/rewrap.c - wrapping stored keys anew.
 *
 * What processes have cached stays good: the keys are the same, only what they are wrapped under is not.
 */
#include "postgres.h"

#include <sodium.h>

#include "catalog/pg_type_d.h"

#include "vault/key_wrap.h"
#include "vault/keyring.h"
#include "vault/rewrap.h"

#define SLICE_MAX 1000

#define CHOOSE(columns, table)                                                                               \
	{                                                                                                        \
		.sql = "SELECT key_id, subject_no, version, kek_epoch, wrapped, " columns " FROM " table             \
			   " WHERE key_id OPERATOR(pg_catalog.>) $1 AND kek_epoch OPERATOR(pg_catalog.<>) $2 "           \
			   "ORDER BY key_id LIMIT $3 FOR UPDATE SKIP LOCKED",                                            \
		.nargs = 3, .types = {                                                                               \
			UUIDOID,                                                                                         \
			INT4OID,                                                                                         \
			INT8OID                                                                                          \
		}                                                                                                    \
	}
#define CARE_TABLE   "paws_vault.data_key"
#define CRISIS_TABLE "paws_crisis.subject_key"

static PawsStatement choose[2] = {CHOOSE("NULL::pg_catalog.bytea", CARE_TABLE),
								  CHOOSE("public_key", CRISIS_TABLE)};

#define UPDATE(table)                                                                                        \
	{                                                                                                        \
		.sql = "UPDATE " table " AS k SET kek_epoch = $3, wrapped = c.wrapped FROM ROWS FROM (" PAWS_SETS_2  \
			   ") AS c (key_id, wrapped) WHERE k.key_id OPERATOR(pg_catalog.=) c.key_id",                    \
		.nargs = 3, .types = {                                                                               \
			UUIDARRAYOID,                                                                                    \
			BYTEAARRAYOID,                                                                                   \
			INT4OID                                                                                          \
		}                                                                                                    \
	}

static PawsStatement update_keys[2] = {UPDATE(CARE_TABLE), UPDATE(CRISIS_TABLE)};

#define COUNT(table, condition)                                                                              \
	{                                                                                                        \
		.sql = "SELECT pg_catalog.count(*) FROM " table condition, .nargs = 1, .types = { INT4OID }          \
	}

static PawsStatement count_keys[2] = {COUNT(CARE_TABLE, " WHERE $1 OPERATOR(pg_catalog.>=) 0"),
									  COUNT(CRISIS_TABLE, " WHERE $1 OPERATOR(pg_catalog.>=) 0")};
static PawsStatement count_stale[2] = {COUNT(CARE_TABLE, " WHERE kek_epoch OPERATOR(pg_catalog.<>) $1"),
									   COUNT(CRISIS_TABLE, " WHERE kek_epoch OPERATOR(pg_catalog.<>) $1")};

#define EPOCHS(table)                                                                                        \
	{                                                                                                        \
		.sql = "SELECT DISTINCT kek_epoch FROM " table " ORDER BY kek_epoch"                                 \
	}

static PawsStatement find_epochs[2] = {EPOCHS(CARE_TABLE), EPOCHS(CRISIS_TABLE)};

#define HIGHEST(table)                                                                                       \
	{                                                                                                        \
		.sql = "SELECT kek_epoch FROM " table " ORDER BY kek_epoch DESC LIMIT 1"                             \
	}

static PawsStatement find_highest[2] = {HIGHEST(CARE_TABLE), HIGHEST(CRISIS_TABLE)};

/* A chosen row, copied out of SPI's memory. */
typedef struct ChosenKey
{
	pg_uuid_t id;
	int64 subject_no;
	PawsDataKey key;
	bytea *wrapped;
} ChosenKey;

static void
copy_row(int row, ChosenKey *chosen)
{
	bool isnull;
	bytea *public_key = paws_spi_bytea(row, 6);

	memset(chosen, 0, sizeof(*chosen));
	memcpy(chosen->id.data, DatumGetUUIDP(paws_spi_column(row, 1, &isnull))->data, UUID_LEN);
	memcpy(chosen->key.id, chosen->id.data, UUID_LEN);
	chosen->subject_no = paws_spi_int64(row, 2);
	chosen->key.version = (uint32) paws_spi_int32(row, 3);
	chosen->key.epoch = (uint32) paws_spi_int32(row, 4);
	chosen->wrapped = paws_spi_bytea(row, 5);
	if (public_key != NULL && VARSIZE_ANY_EXHDR(public_key) == PAWS_DATA_KEY_BYTES)
		memcpy(chosen->key.public_key, VARDATA_ANY(public_key), PAWS_DATA_KEY_BYTES);
}

/* The wrapped form under the new epoch; NULL if the old one does not open. Errors 55000 without the epoch. */
static bytea *
wrap_anew(const PawsRewrap *rewrap, ChosenKey *chosen)
{
	PawsDataKey *key = &chosen->key;
	bytea *wrapped = palloc(VARHDRSZ + PAWS_WRAPPED_KEY_BYTES);
	bool done;

	SET_VARSIZE(wrapped, VARHDRSZ + PAWS_WRAPPED_KEY_BYTES);
	if (!paws_key_unwrap((const uint8_t *) VARDATA_ANY(chosen->wrapped), VARSIZE_ANY_EXHDR(chosen->wrapped),
						 rewrap->home, chosen->subject_no, key))
		return NULL;
	key->epoch = rewrap->epoch;
	done = paws_key_wrap((uint8_t *) VARDATA(wrapped), rewrap->home, chosen->subject_no, key);
	sodium_memzero(key->secret, sizeof(key->secret));
	if (!done)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the keyring does not have the new epoch"),
				 errhint("Check that \"paws_sync.keyring_file\" names the keyring of this database.")));
	return wrapped;
}

static void
write_keys(const PawsRewrap *rewrap, const Datum *ids, const Datum *wrapped, int count)
{
	Datum args[3];

	if (count == 0)
		return;
	args[0] = paws_spi_array(ids, NULL, count, UUIDOID);
	args[1] = paws_spi_array(wrapped, NULL, count, BYTEAOID);
	args[2] = Int32GetDatum((int32) rewrap->epoch);
	paws_spi_run(&update_keys[rewrap->home], args, NULL, 0);
}

void
paws_vault_rewrap(PawsRewrap *rewrap, int limit)
{
	int most = Min(limit, SLICE_MAX);
	Datum args[3] = {UUIDPGetDatum(&rewrap->walk), Int32GetDatum((int32) rewrap->epoch), Int64GetDatum(most)};
	int found = (int) paws_spi_run(&choose[rewrap->home], args, NULL, 0);
	ChosenKey *chosen = palloc(Max(found, 1) * sizeof(ChosenKey));
	Datum *ids = palloc(Max(found, 1) * sizeof(Datum));
	Datum *wrapped = palloc(Max(found, 1) * sizeof(Datum));

	rewrap->done = 0;
	rewrap->end = found < most;
	for (int i = 0; i < found; i++)
		copy_row(i, &chosen[i]);
	for (int i = 0; i < found; i++)
	{
		bytea *anew = wrap_anew(rewrap, &chosen[i]);

		if (anew == NULL)
		{
			rewrap->broken++;
			continue;
		}
		ids[rewrap->done] = UUIDPGetDatum(&chosen[i].id);
		wrapped[rewrap->done++] = PointerGetDatum(anew);
	}
	write_keys(rewrap, ids, wrapped, rewrap->done);
	if (found > 0)
		rewrap->walk = chosen[found - 1].id;
}

int64
paws_vault_count_keys(PawsKeyHome home)
{
	Datum args[1] = {Int32GetDatum(0)};

	paws_spi_run(&count_keys[home], args, NULL, 1);
	return paws_spi_int64(0, 1);
}

int64
paws_vault_count_stale(PawsKeyHome home, uint32 epoch)
{
	Datum args[1] = {Int32GetDatum((int32) epoch)};

	paws_spi_run(&count_stale[home], args, NULL, 1);
	return paws_spi_int64(0, 1);
}

int
paws_vault_stored_epochs(PawsKeyHome home, uint32 **epochs)
{
	int found = (int) paws_spi_run(&find_epochs[home], NULL, NULL, 0);

	*epochs = palloc(Max(found, 1) * sizeof(uint32));
	for (int i = 0; i < found; i++)
		(*epochs)[i] = (uint32) paws_spi_int32(i, 1);
	return found;
}

uint32
paws_vault_highest_epoch(PawsKeyHome home)
{
	return paws_spi_run(&find_highest[home], NULL, NULL, 1) > 0 ? (uint32) paws_spi_int32(0, 1) : 0;
}

bool
paws_vault_keyring_is_older(PawsKeyHome home)
{
	PawsRoot root = paws_vault_home_root(home);
	uint32 stored = paws_vault_highest_epoch(home);

	if (stored <= paws_keyring_highest(root))
		return false;
	paws_keyring_watch();
	return stored > paws_keyring_highest(root);
}

/* An epoch that does not open counts as well: it would, under the root that wraps it. */
bool
paws_vault_needs_old_epochs(PawsKeyHome home, uint32 epoch)
{
	uint32 *stored;
	int count = paws_vault_stored_epochs(home, &stored);
	PawsKeyringEntry entry;

	for (int i = 0; paws_keyring_entry(i, &entry); i++)
	{
		if (entry.kind != PAWS_KEYRING_EPOCH || entry.root != paws_vault_home_root(home) || !entry.own ||
			entry.number >= epoch)
			continue;
		for (int j = 0; j < count; j++)
			if (stored[j] == entry.number)
				return true;
	}
	return false;
}
