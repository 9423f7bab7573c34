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
#include "access/xlog.h"
#include "catalog/pg_type_d.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/database.h"
#include "base/errors.h"
#include "base/guarded.h"
#include "base/log_safe.h"
#include "vault/data_key.h"
#include "vault/key_cache.h"
#include "vault/key_wrap.h"
#include "vault/keyring.h"
#include "vault/rewrap.h"
#include "vault/supersede.h"

#define FIRST_VERSION 1

#define CARE_COLUMNS                                                                                         \
	"SELECT key_id, version, kek_epoch, wrapped, NULL::pg_catalog.bytea FROM paws_vault.data_key "
#define CRISIS_COLUMNS "SELECT key_id, version, kek_epoch, wrapped, public_key FROM paws_crisis.subject_key "
#define NEWEST         "WHERE subject_no OPERATOR(pg_catalog.=) $1 ORDER BY version DESC LIMIT 1"
#define OF_ID          "WHERE subject_no OPERATOR(pg_catalog.=) $1 AND key_id OPERATOR(pg_catalog.=) $2"

StaticAssertDecl(PAWS_KEYS_CARE == 0 && PAWS_KEYS_CRISIS == 1, "the order of these statements");

static PawsStatement find_newest[] = {
	{.sql = CARE_COLUMNS NEWEST, .nargs = 1, .types = {INT8OID}, .latest = true},
	{.sql = CRISIS_COLUMNS NEWEST, .nargs = 1, .types = {INT8OID}, .latest = true},
};

static PawsStatement find_by_id[] = {
	{.sql = CARE_COLUMNS OF_ID, .nargs = 2, .types = {INT8OID, UUIDOID}, .latest = true},
	{.sql = CRISIS_COLUMNS OF_ID, .nargs = 2, .types = {INT8OID, UUIDOID}, .latest = true},
};

static PawsStatement insert_key[] = {
	{.sql = "INSERT INTO paws_vault.data_key (key_id, subject_no, version, kek_epoch, wrapped, purpose) "
			"VALUES ($1, $2, $3, $4, $5, 1) ON CONFLICT (subject_no, purpose, version) DO NOTHING",
	 .nargs = 5,
	 .types = {UUIDOID, INT8OID, INT4OID, INT4OID, BYTEAOID}},
	{.sql =
		 "INSERT INTO paws_crisis.subject_key (key_id, subject_no, version, kek_epoch, wrapped, public_key) "
		 "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (subject_no, version) DO NOTHING",
	 .nargs = 6,
	 .types = {UUIDOID, INT8OID, INT4OID, INT4OID, BYTEAOID, BYTEAOID}},
};

/* The last transaction in which this process made a data key. */
static FullTransactionId made_in;

static bool
made_in_this_transaction(void)
{
	return FullTransactionIdIsValid(made_in) &&
		   FullTransactionIdEquals(made_in, GetTopFullTransactionIdIfAny());
}

/*
 * Keys are looked up as they are now, whatever snapshot the transaction has: a key that was deleted opens
 * nothing any more. On a standby nobody tells of commits, so what is known is good for a second.
 */
static void
follow_changes(void)
{
	int slot = paws_database_slot();

	if (RecoveryInProgress())
		paws_key_cache_follow((uint64) PG_INT64_MAX + (uint64) (GetCurrentTimestamp() / USECS_PER_SEC));
	else
		paws_key_cache_follow(paws_database_version_latest(slot, PAWS_CACHED_KEYS));
}

static void
reject_key(void)
{
	ereport(ERROR, (errcode(PAWS_ERRCODE_ENVELOPE), errmsg("data key rejected"),
					errdetail("A stored data key does not open under the keyring that is loaded."),
					errhint("Check that \"paws_sync.keyring_file\" names the keyring of this database.")));
}

static void
refuse_busy(void)
{
	ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					errmsg("could not make a data key because of a concurrent change"),
					errhint("The transaction might succeed if retried.")));
}

static PawsKeyOwner
owner_of(PawsKeyHome home, int64 subject_no)
{
	PawsKeyOwner owner = {.home = home, .identity = paws_extension_identity(), .subject_no = subject_no};

	return owner;
}

/* The public half in `column` of row 0, or zeros. */
static void
read_public_key(PawsDataKey *key, int column)
{
	bool isnull;
	Datum value = paws_spi_column(0, column, &isnull);
	const bytea *bytes;

	memset(key->public_key, 0, sizeof(key->public_key));
	if (isnull)
		return;
	bytes = DatumGetByteaPP(value);
	if (VARSIZE_ANY_EXHDR(bytes) == sizeof(key->public_key))
		memcpy(key->public_key, VARDATA_ANY(bytes), sizeof(key->public_key));
}

/* The key of row 0 of the last run; with its secret if wanted, then false if that does not open. */
static bool
read_row(PawsKeyHome home, int64 subject_no, bool with_secret, PawsDataKey *key)
{
	bool isnull;
	const bytea *wrapped;

	memcpy(key->id, DatumGetUUIDP(paws_spi_column(0, 1, &isnull))->data, PAWS_DATA_KEY_ID_BYTES);
	key->version = (uint32) paws_spi_int32(0, 2);
	key->epoch = (uint32) paws_spi_int32(0, 3);
	read_public_key(key, 5);
	memset(key->secret, 0, sizeof(key->secret));
	if (!with_secret)
		return true;
	wrapped = DatumGetByteaPP(paws_spi_column(0, 4, &isnull));
	return paws_key_unwrap((const uint8_t *) VARDATA_ANY(wrapped), VARSIZE_ANY_EXHDR(wrapped), home,
						   subject_no, key);
}

/* True if the keyring is an older copy, without the epoch that this key is under. */
static bool
is_ahead(PawsKeyHome home, const PawsDataKey *key)
{
	return key->epoch > paws_keyring_highest(paws_vault_home_root(home));
}

typedef enum Found
{
	FOUND_NONE,
	FOUND_BROKEN,
	FOUND_KEY
} Found;

/*
 * The subject's newest key; at least its version if it is broken. With an older copy of the keyring the
 * crisis lane seals to the public half: that can be read when the right one is back.
 */
static Found
find_current(PawsKeyHome home, int64 subject_no, PawsDataKey *key)
{
	PawsKeyOwner owner = owner_of(home, subject_no);
	bool unsettled = made_in_this_transaction();
	bool secret = home == PAWS_KEYS_CARE || paws_vault_usable(PAWS_ROOT_CRISIS);
	Datum args[1] = {Int64GetDatum(subject_no)};

	follow_changes();
	if (!unsettled && paws_key_cache_find(&owner, NULL, secret, key))
		return FOUND_KEY;
	if (paws_spi_run(&find_newest[home], args, NULL, 1) == 0)
		return FOUND_NONE;
	if (!read_row(home, subject_no, secret, key))
	{
		if (home != PAWS_KEYS_CRISIS || !is_ahead(home, key))
			return FOUND_BROKEN;
		secret = false;
	}
	paws_key_cache_keep(&owner, key, (PawsKeyKnown){.secret = secret, .current = !unsettled});
	return FOUND_KEY;
}

/* For paws_run_guarded. */
typedef struct Making
{
	int64 subject_no;
	uint32 version;
} Making;

static void
make_version(void *arg)
{
	const Making *making = arg;

	paws_data_key_make(PAWS_KEYS_CRISIS, making->subject_no, making->version);
}

/* Whoever is just making this version may idle in the transaction: then the next one is made, and both are
 * good. */
static void
make_crisis_key(int64 subject_no, uint32 version)
{
	Making making = {subject_no, version};

	if (paws_run_guarded(make_version, &making, paws_is_held))
		return;
	making.version++;
	if (!paws_run_guarded(make_version, &making, paws_is_held))
		refuse_busy();
}

/*
 * A crisis write is served: if the key is gone or broken, with a new one. Without the root none can be made,
 * but then a row's public half was taken as it is.
 */
static void
replace_crisis_key(int64 subject_no, Found found, PawsDataKey *key)
{
	if (found == FOUND_BROKEN)
		ereport_domain(LOG, PAWS_LOG_SAFE,
					   (errcode(PAWS_ERRCODE_ENVELOPE), errmsg("a subject's crisis key does not open"),
						errdetail("A new one is made; documents under the old one stay unreadable."),
						errhint(
							"Check that \"paws_sync.keyring_file\" names the keyring of this database.")));
	make_crisis_key(subject_no, found == FOUND_BROKEN ? key->version + 1 : FIRST_VERSION);
	if (find_current(PAWS_KEYS_CRISIS, subject_no, key) != FOUND_KEY)
		reject_key();
}

void
paws_data_key_to_seal(PawsKeyHome home, int64 subject_no, PawsDataKey *key)
{
	Found found = find_current(home, subject_no, key);

	if (found == FOUND_KEY)
		return;
	if (home == PAWS_KEYS_CRISIS && paws_vault_usable(PAWS_ROOT_CRISIS))
		replace_crisis_key(subject_no, found, key);
	else if (found == FOUND_BROKEN)
		reject_key();
	else
		ereport(ERROR, (errcode(PAWS_ERRCODE_ENVELOPE), errmsg("subject has no data key"),
						errhint("Register the subject's devices anew.")));
}

static Found
find_by_key_id(PawsKeyHome home, int64 subject_no, const uint8_t id[PAWS_DATA_KEY_ID_BYTES], PawsDataKey *key)
{
	PawsKeyOwner owner = owner_of(home, subject_no);
	pg_uuid_t wanted;
	Datum args[2] = {Int64GetDatum(subject_no), UUIDPGetDatum(&wanted)};

	follow_changes();
	if (paws_key_cache_find(&owner, id, true, key))
		return FOUND_KEY;
	memcpy(wanted.data, id, UUID_LEN);
	if (paws_spi_run(&find_by_id[home], args, NULL, 1) == 0)
		return FOUND_NONE;
	if (!read_row(home, subject_no, true, key))
		return FOUND_BROKEN;
	paws_key_cache_keep(&owner, key, (PawsKeyKnown){.secret = true});
	return FOUND_KEY;
}

bool
paws_data_key_to_open(PawsKeyHome home, int64 subject_no, const uint8_t id[PAWS_DATA_KEY_ID_BYTES],
					  PawsDataKey *key)
{
	Found found = find_by_key_id(home, subject_no, id, key);

	if (found == FOUND_BROKEN && home == PAWS_KEYS_CARE)
		reject_key();
	return found == FOUND_KEY;
}

bool
paws_vault_key_opens(PawsKeyHome home, int64 subject_no, const uint8_t id[PAWS_DATA_KEY_ID_BYTES])
{
	PawsDataKey key;
	Found found = find_by_key_id(home, subject_no, id, &key);

	sodium_memzero(&key, sizeof(key));
	return found == FOUND_KEY;
}

bool
paws_vault_key_is_ahead(PawsKeyHome home, int64 subject_no, const uint8_t id[PAWS_DATA_KEY_ID_BYTES])
{
	PawsDataKey key;
	pg_uuid_t wanted;
	Datum args[2] = {Int64GetDatum(subject_no), UUIDPGetDatum(&wanted)};

	memcpy(wanted.data, id, UUID_LEN);
	return paws_spi_run(&find_by_id[home], args, NULL, 1) > 0 && read_row(home, subject_no, false, &key) &&
		   is_ahead(home, &key);
}

static void
refuse_older_keyring(PawsKeyHome home)
{
	if (paws_vault_keyring_is_older(home))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the keyring is older than this database"),
				 errdetail("Stored data keys are wrapped under epochs that it does not have yet."),
				 errhint(
					 "Put the newest copy back where \"paws_sync.keyring_file\" names it, and restart the "
					 "server; if that is lost for good, call paws_sync.rotate_keys('epochs').")));
}

static bytea *
make_bytea(const uint8_t *bytes, size_t length)
{
	bytea *value = palloc(VARHDRSZ + length);

	SET_VARSIZE(value, VARHDRSZ + length);
	memcpy(VARDATA(value), bytes, length);
	return value;
}

void
paws_data_key_make(PawsKeyHome home, int64 subject_no, uint32 version)
{
	PawsDataKey fresh = {.version = version};
	uint8_t wrapped[PAWS_WRAPPED_KEY_BYTES];
	pg_uuid_t id;
	Datum args[6];
	bool done;

	/*
	 * Before it asks for the epoch, so that whoever destroys that sees this transaction run. And before the
	 * statement, so that an error in it leaves nothing settled that is not.
	 */
	made_in = GetTopFullTransactionId();
	refuse_older_keyring(home);
	fresh.epoch = paws_keyring_ensure_epoch(paws_vault_home_root(home));
	paws_key_generate(&fresh, home);
	done = paws_key_wrap(wrapped, home, subject_no, &fresh);
	sodium_memzero(fresh.secret, sizeof(fresh.secret));
	if (!done)
		reject_key();
	memcpy(id.data, fresh.id, UUID_LEN);
	args[0] = UUIDPGetDatum(&id);
	args[1] = Int64GetDatum(subject_no);
	args[2] = Int32GetDatum(version);
	args[3] = Int32GetDatum(fresh.epoch);
	args[4] = PointerGetDatum(make_bytea(wrapped, sizeof(wrapped)));
	args[5] = PointerGetDatum(make_bytea(fresh.public_key, sizeof(fresh.public_key)));
	paws_spi_run(&insert_key[home], args, NULL, 0);
}

void
paws_vault_keys_changed(void)
{
	paws_database_touch(paws_database_slot(), PAWS_CACHED_KEYS);
}

void
paws_vault_ensure_data_key(PawsKeyHome home, int64 subject_no)
{
	PawsDataKey key;
	Found found = find_current(home, subject_no, &key);

	sodium_memzero(&key, sizeof(key));
	if (found == FOUND_BROKEN)
		reject_key();
	if (found == FOUND_KEY)
		return;
	if (home == PAWS_KEYS_CRISIS)
		make_crisis_key(subject_no, FIRST_VERSION);
	else
		paws_data_key_make(home, subject_no, FIRST_VERSION);

	/* The quicker one's row is committed when the insertion gives way to it, so now there is a key. */
	found = find_current(home, subject_no, &key);
	sodium_memzero(&key, sizeof(key));
	if (found != FOUND_KEY)
		refuse_busy();
}
