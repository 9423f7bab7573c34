/*
 * keyring_calls.c - the calls of the keyring as SQL functions, for tests: some of them destroy keys, so the
 * extension has no such functions itself. The library paws_sync is preloaded, which resolves the names.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/timestamp.h"

#include "vault/keyring.h"
#include "vault/vault.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(make_epoch);
PG_FUNCTION_INFO_V1(ensure_epoch);
PG_FUNCTION_INFO_V1(current_epoch);
PG_FUNCTION_INFO_V1(destroy_epochs);
PG_FUNCTION_INFO_V1(destroyed_at);
PG_FUNCTION_INFO_V1(adopt_epoch);
PG_FUNCTION_INFO_V1(rewrap);
PG_FUNCTION_INFO_V1(count_stale);
PG_FUNCTION_INFO_V1(epoch_digest);
PG_FUNCTION_INFO_V1(base_digest);
PG_FUNCTION_INFO_V1(generation);

/* A key itself has no business in SQL: what is shown tells whether two are the same. */
static Datum
digest(const uint8_t key[PAWS_KEYRING_KEY_BYTES])
{
	bytea *shown = palloc(VARHDRSZ + 8);
	uint64 sum = UINT64CONST(0xcbf29ce484222325);

	for (int i = 0; i < PAWS_KEYRING_KEY_BYTES; i++)
		sum = (sum ^ key[i]) * UINT64CONST(0x100000001b3);
	SET_VARSIZE(shown, VARHDRSZ + 8);
	memcpy(VARDATA(shown), &sum, 8);
	return PointerGetDatum(shown);
}

#define ROOT ((PawsRoot) PG_GETARG_INT32(0))

Datum
make_epoch(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32((int32) paws_keyring_make_epoch(ROOT));
}

Datum
ensure_epoch(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32((int32) paws_keyring_ensure_epoch(ROOT));
}

Datum
current_epoch(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32((int32) paws_keyring_current_epoch(ROOT));
}

Datum
destroy_epochs(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(paws_keyring_destroy_epochs(ROOT, (uint32) PG_GETARG_INT32(1)));
}

Datum
destroyed_at(PG_FUNCTION_ARGS)
{
	TimestampTz at;

	if (!paws_keyring_destroyed(ROOT, (uint32) PG_GETARG_INT32(1), &at))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(at);
}

Datum
adopt_epoch(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(paws_keyring_adopt_epoch(ROOT, (uint32) PG_GETARG_INT32(1)));
}

Datum
rewrap(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(paws_keyring_rewrap(ROOT));
}

Datum
count_stale(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(paws_keyring_count_stale(ROOT));
}

Datum
epoch_digest(PG_FUNCTION_ARGS)
{
	uint8_t key[PAWS_KEYRING_KEY_BYTES];

	if (!paws_keyring_epoch_key(ROOT, (uint32) PG_GETARG_INT32(1), key))
		PG_RETURN_NULL();
	return digest(key);
}

Datum
base_digest(PG_FUNCTION_ARGS)
{
	uint8_t key[PAWS_KEYRING_KEY_BYTES];

	if (!paws_keyring_base(ROOT, 1, key))
		PG_RETURN_NULL();
	return digest(key);
}

Datum
generation(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64((int64) paws_keyring_generation());
}
