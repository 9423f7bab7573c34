/*
 * vault/root_check.c - are the keys that were loaded those that this database was sealed under?
 *
 * Nothing else would notice: pool workers move envelopes without opening them, and would put revision seals
 * of the wrong root on them; new subjects and devices would be minted and stored that nobody could use later.
 */
#include "postgres.h"

#include <sodium.h>

#include "access/transam.h"
#include "access/xact.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "vault/vault.h"

#define CHECK_BYTES 32

/* The crisis lane keeps its own, since it reads no other schema. */
#define READ(place)                                                                                          \
	{                                                                                                        \
		.sql = "SELECT value FROM @schema@.root_check WHERE root OPERATOR(pg_catalog.=) $1", .nargs = 1,     \
		.types = {INT2OID}, .schema = place                                                                  \
	}
#define ESTABLISH(place)                                                                                     \
	{                                                                                                        \
		.sql =                                                                                               \
			"INSERT INTO @schema@.root_check (root, value) VALUES ($1, $2) ON CONFLICT (root) DO NOTHING",   \
		.nargs = 2, .types = {INT2OID, BYTEAOID}, .schema = place                                            \
	}

/* By whether it is the crisis root. */
static PawsStatement read_check[] = {READ("paws_vault"), READ("paws_crisis")};
static PawsStatement establish_check[] = {ESTABLISH("paws_vault"), ESTABLISH("paws_crisis")};

/* By root - 1: the installation whose check value this process has seen to fit. */
static Oid checked_identity[PAWS_ROOTS];

static void
compute(PawsRoot root, uint8_t value[CHECK_BYTES])
{
	static const char text[] = "paws_sync root check v1";
	uint8_t key[32];

	paws_vault_purpose_key(root, "root check", key);
	crypto_generichash(value, CHECK_BYTES, (const uint8_t *) text, sizeof(text) - 1, key, sizeof(key));
	sodium_memzero(key, sizeof(key));
}

/* The transaction in which this process established a value: it may yet be rolled back. */
static FullTransactionId established_in;

static bool
established_in_this_transaction(void)
{
	return FullTransactionIdIsValid(established_in) &&
		   FullTransactionIdEquals(established_in, GetTopFullTransactionIdIfAny());
}

PawsRootMatch
paws_vault_match_root(PawsRoot root)
{
	Oid identity = paws_extension_identity();
	Datum args[1] = {Int16GetDatum(root)};
	uint8_t value[CHECK_BYTES];
	const bytea *stored;
	bool isnull;

	if (OidIsValid(identity) && identity == checked_identity[root - 1])
		return PAWS_ROOT_MATCHES;
	if (paws_spi_run(&read_check[root == PAWS_ROOT_CRISIS], args, NULL, 1) == 0)
		return PAWS_ROOT_NEW;
	stored = DatumGetByteaPP(paws_spi_column(0, 1, &isnull));
	compute(root, value);
	if (VARSIZE_ANY_EXHDR(stored) != CHECK_BYTES ||
		sodium_memcmp(value, VARDATA_ANY(stored), CHECK_BYTES) != 0)
		return PAWS_ROOT_DIFFERS;
	if (!established_in_this_transaction())
		checked_identity[root - 1] = identity;
	return PAWS_ROOT_MATCHES;
}

/* Keys that were seen to fit stay: base secrets are never taken out of memory. */
bool
paws_vault_usable(PawsRoot root)
{
	Oid identity = paws_extension_identity();

	if (OidIsValid(identity) && identity == checked_identity[root - 1])
		return true;
	return paws_vault_ready(root) && paws_vault_match_root(root) != PAWS_ROOT_DIFFERS;
}

/* Keys that were seen to fit save the look at the table. */
bool
paws_vault_check_value(PawsRoot root, uint8_t value[CHECK_BYTES])
{
	Oid identity = paws_extension_identity();
	Datum args[1] = {Int16GetDatum(root)};
	const bytea *stored;
	bool isnull;

	if (OidIsValid(identity) && identity == checked_identity[root - 1])
	{
		compute(root, value);
		return true;
	}
	memset(value, 0, CHECK_BYTES);
	if (paws_spi_run(&read_check[root == PAWS_ROOT_CRISIS], args, NULL, 1) == 0)
		return false;
	stored = DatumGetByteaPP(paws_spi_column(0, 1, &isnull));
	memcpy(value, VARDATA_ANY(stored), Min(VARSIZE_ANY_EXHDR(stored), CHECK_BYTES));
	return true;
}

static void
refuse_other_keys(PawsRoot root)
{
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("%s keys are not those of this database", paws_root_name(root)),
					errhint("Let \"paws_sync.%s_root\" give the root key and \"paws_sync.keyring_file\" "
							"name the keyring that this database was used with, and restart the server.",
							paws_root_name(root))));
}

void
paws_vault_require_usable(PawsRoot root)
{
	if (paws_vault_usable(root))
		return;
	paws_vault_require(root);
	refuse_other_keys(root);
}

/* What is established here may be rolled back, so it is looked at anew until another transaction finds it. */
static void
establish(PawsRoot root)
{
	bytea *value = palloc(VARHDRSZ + CHECK_BYTES);
	Datum args[2] = {Int16GetDatum(root), PointerGetDatum(value)};

	SET_VARSIZE(value, VARHDRSZ + CHECK_BYTES);
	compute(root, (uint8_t *) VARDATA(value));
	paws_spi_run(&establish_check[root == PAWS_ROOT_CRISIS], args, NULL, 0);
	established_in = GetTopFullTransactionId();
}

void
paws_vault_require_root(PawsRoot root)
{
	PawsRootMatch match = paws_vault_match_root(root);

	if (match == PAWS_ROOT_NEW)
	{
		establish(root);
		match = paws_vault_match_root(root);
	}
	if (match == PAWS_ROOT_DIFFERS)
		refuse_other_keys(root);
}
