/*
 * vault/data_key.c - the data keys of subjects: made, stored wrapped, found, opened.
 *
 * A key that this transaction made may yet be rolled back. If the process went on to seal with it, what it
 * seals could never be opened, so the current key is not remembered as such until the transaction that made
 * it is over.
 */
#include "postgres.h"

#include <sodium.h>

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type_d.h"
#include "utils/uuid.h"

#include "base/errors.h"
#include "vault/key_cache.h"
#include "vault/key_wrap.h"
#include "vault/vault.h"

#define FIRST_VERSION 1

#define COLUMNS      "SELECT key_id, version, kek_epoch, wrapped FROM @schema@.data_key "
#define FIND_CURRENT COLUMNS "WHERE subject_no = $1 AND purpose = $2 ORDER BY version DESC LIMIT 1"
#define FIND_BY_ID   COLUMNS "WHERE subject_no = $1 AND purpose = $2 AND key_id = $3"
#define INSERT_KEY                                                                                           \
	"INSERT INTO @schema@.data_key (key_id, subject_no, purpose, version, kek_epoch, wrapped) "              \
	"VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (subject_no, purpose, version) DO NOTHING"

/* One statement for each home. */
#define STATEMENT(home, text, count, ...)                                                                    \
	{                                                                                                        \
		.sql = text, .nargs = count, .types = {__VA_ARGS__}, .schema = home                                  \
	}
#define PER_HOME(...)                                                                                        \
	{                                                                                                        \
		STATEMENT("paws_vault", __VA_ARGS__), STATEMENT("paws_crisis", __VA_ARGS__)                          \
	}

StaticAssertDecl(PAWS_KEYS_CARE == 0 && PAWS_KEYS_CRISIS == 1, "the order of PER_HOME");

static PawsStatement find_current[] = PER_HOME(FIND_CURRENT, 2, INT8OID, INT2OID);
static PawsStatement find_by_id[] = PER_HOME(FIND_BY_ID, 3, INT8OID, INT2OID, UUIDOID);
static PawsStatement insert_key[] =
	PER_HOME(INSERT_KEY, 6, UUIDOID, INT8OID, INT2OID, INT4OID, INT4OID, BYTEAOID);

/* The last transaction in which this process made a data key. */
static FullTransactionId made_in;

static bool
made_in_this_transaction(void)
{
	return FullTransactionIdIsValid(made_in) &&
		   FullTransactionIdEquals(made_in, GetTopFullTransactionIdIfAny());
}

static void
reject_key(void)
{
	ereport(ERROR, (errcode(PAWS_ERRCODE_ENVELOPE), errmsg("data key rejected"),
					errdetail("A stored data key does not open under the loaded root key."),
					errhint("Check that \"paws_sync.care_root\" gives the root key of this database.")));
}

/* The key of row 0 of the last run, opened; from the cache if it is there. */
static const PawsDataKey *
open_row(const PawsKeyOwner *owner)
{
	bool isnull;
	const pg_uuid_t *id = DatumGetUUIDP(paws_spi_column(0, 1, &isnull));
	const PawsDataKey *cached = paws_key_cache_find(owner, id->data);
	const bytea *wrapped;
	PawsDataKey *place;

	if (cached != NULL)
		return cached;

	wrapped = DatumGetByteaPP(paws_spi_column(0, 4, &isnull));
	place = paws_key_cache_vacant();
	memcpy(place->id, id->data, PAWS_DATA_KEY_ID_BYTES);
	place->version = (uint32) paws_spi_int32(0, 2);
	place->epoch = (uint32) paws_spi_int32(0, 3);
	if (!paws_key_unwrap((const uint8_t *) VARDATA_ANY(wrapped), VARSIZE_ANY_EXHDR(wrapped), owner->home,
						 owner->subject_no, PAWS_PURPOSE_PAYLOAD, place))
		reject_key();
	paws_key_cache_keep(place, owner);
	return place;
}

static PawsKeyOwner
owner_of(PawsKeyHome home, int64 subject_no)
{
	PawsKeyOwner owner = {.home = home, .identity = paws_extension_identity(), .subject_no = subject_no};

	return owner;
}

const PawsDataKey *
paws_vault_current_key(PawsKeyHome home, int64 subject_no)
{
	PawsKeyOwner owner = owner_of(home, subject_no);
	bool unsettled = made_in_this_transaction();
	Datum args[2] = {Int64GetDatum(subject_no), Int16GetDatum(PAWS_PURPOSE_PAYLOAD)};
	const PawsDataKey *key = NULL;

	paws_vault_require(paws_vault_home_root(home));
	if (!unsettled)
		key = paws_key_cache_find(&owner, NULL);
	if (key != NULL)
		return key;
	if (paws_spi_run(&find_current[home], args, NULL, 1) == 0)
		return NULL;
	key = open_row(&owner);
	if (!unsettled)
		paws_key_cache_mark_current(key);
	return key;
}

const PawsDataKey *
paws_vault_key_by_id(PawsKeyHome home, int64 subject_no, const uint8_t id[PAWS_DATA_KEY_ID_BYTES])
{
	PawsKeyOwner owner = owner_of(home, subject_no);
	pg_uuid_t wanted;
	Datum args[3] = {Int64GetDatum(subject_no), Int16GetDatum(PAWS_PURPOSE_PAYLOAD), UUIDPGetDatum(&wanted)};
	const PawsDataKey *key;

	paws_vault_require(paws_vault_home_root(home));
	key = paws_key_cache_find(&owner, id);
	if (key != NULL)
		return key;
	memcpy(wanted.data, id, UUID_LEN);
	if (paws_spi_run(&find_by_id[home], args, NULL, 1) == 0)
		return NULL;
	return open_row(&owner);
}

/* Stores a new first key, unless another transaction was quicker. */
static void
store_first_key(PawsKeyHome home, int64 subject_no)
{
	PawsDataKey fresh = {.version = FIRST_VERSION, .epoch = PAWS_EPOCH_ROOT};
	bytea *wrapped = palloc(VARHDRSZ + PAWS_WRAPPED_KEY_BYTES);
	pg_uuid_t id;
	Datum args[6];

	SET_VARSIZE(wrapped, VARHDRSZ + PAWS_WRAPPED_KEY_BYTES);
	paws_key_generate(&fresh);
	paws_key_wrap((uint8_t *) VARDATA(wrapped), home, subject_no, PAWS_PURPOSE_PAYLOAD, &fresh);
	memcpy(id.data, fresh.id, UUID_LEN);
	sodium_memzero(&fresh, sizeof(fresh));

	args[0] = UUIDPGetDatum(&id);
	args[1] = Int64GetDatum(subject_no);
	args[2] = Int16GetDatum(PAWS_PURPOSE_PAYLOAD);
	args[3] = Int32GetDatum(FIRST_VERSION);
	args[4] = Int32GetDatum(PAWS_EPOCH_ROOT);
	args[5] = PointerGetDatum(wrapped);

	/* Before the statement, so that an error in it leaves nothing settled that is not. */
	made_in = GetTopFullTransactionId();
	paws_spi_run(&insert_key[home], args, NULL, 0);
	pfree(wrapped);
}

void
paws_vault_ensure_data_key(PawsKeyHome home, int64 subject_no)
{
	if (paws_vault_current_key(home, subject_no) != NULL)
		return;
	store_first_key(home, subject_no);

	/* The quicker one's row is committed when the insertion gives way to it, so now there is a key. */
	if (paws_vault_current_key(home, subject_no) == NULL)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						errmsg("could not make a data key because of a concurrent change"),
						errhint("The transaction might succeed if retried.")));
}
