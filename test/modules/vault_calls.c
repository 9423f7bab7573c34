/*
 * vault_calls.c - the vault from within, for tests: what a process holds, and envelopes that nobody would make.
 * The library paws_sync is preloaded, which resolves the names.
 */
#include "postgres.h"

#include "base/spi.h"
#include "fmgr.h"
#include "utils/uuid.h"

#include "vault/data_key.h"
#include "vault/key_cache.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(cached_keys);
PG_FUNCTION_INFO_V1(forge);
PG_FUNCTION_INFO_V1(revision_seal);

/* How many opened data keys the process holds. */
Datum
cached_keys(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(paws_key_cache_count());
}

/*
 * forge(crisis boolean, subject_no bigint, subject bytea, collection int, doc_id uuid, op_id uuid, codec int, stored
 * bytea): an envelope of a first revision that is right in everything, around a stored form that is the caller's.
 */
Datum
forge(PG_FUNCTION_ARGS)
{
	bool crisis = PG_GETARG_BOOL(0);
	PawsEnvelopeContext context = {
		.purpose = crisis ? PAWS_PURPOSE_CRISIS : PAWS_PURPOSE_PAYLOAD,
		.subject = (const uint8_t *) VARDATA_ANY(PG_GETARG_BYTEA_PP(2)),
		.collection = (uint32_t) PG_GETARG_INT32(3),
		.doc_id = PG_GETARG_UUID_P(4)->data,
		.op_id = PG_GETARG_UUID_P(5)->data,
	};
	bytea *stored = PG_GETARG_BYTEA_PP(7);
	PawsDataKey key;
	PawsSealing sealing = {
		.suite = crisis ? PAWS_SUITE_SEALED : PAWS_SUITE_XCHACHA20,
		.key = &key,
		.codec = (PawsCodec) PG_GETARG_INT32(6),
	};
	Size size = paws_envelope_size(sealing.suite, VARSIZE_ANY_EXHDR(stored));
	bytea *envelope = palloc(VARHDRSZ + size);

	paws_spi_begin();
	paws_data_key_to_seal(crisis ? PAWS_KEYS_CRISIS : PAWS_KEYS_CARE, PG_GETARG_INT64(1), &key);
	paws_spi_end();
	SET_VARSIZE(envelope, VARHDRSZ + size);
	if (!paws_envelope_seal((uint8_t *) VARDATA(envelope), &sealing, &context, (const uint8_t *) VARDATA_ANY(stored),
							VARSIZE_ANY_EXHDR(stored)))
		elog(ERROR, "not sealed");
	PG_RETURN_BYTEA_P(envelope);
}

/* revision_seal(crisis boolean, envelope bytea, subject_no bigint, doc_id uuid, revision bigint) */
Datum
revision_seal(PG_FUNCTION_ARGS)
{
	bytea *seal = palloc(VARHDRSZ + PAWS_SEAL_BYTES);

	SET_VARSIZE(seal, VARHDRSZ + PAWS_SEAL_BYTES);
	paws_spi_begin();
	if (!paws_vault_revision_seal(PG_GETARG_BOOL(0) ? PAWS_KEYS_CRISIS : PAWS_KEYS_CARE, PG_GETARG_BYTEA_PP(1),
								  PG_GETARG_INT64(2), PG_GETARG_UUID_P(3)->data, PG_GETARG_INT64(4),
								  (uint8_t *) VARDATA(seal)))
		elog(ERROR, "not sealed");
	paws_spi_end();
	PG_RETURN_BYTEA_P(seal);
}
