/*
 * vault/seal.c - sealing and opening payloads of subjects, and the seal over an assigned revision.
 *
 * Whatever is wrong with an envelope, the answer is the same one: "envelope rejected".
 */
#include "postgres.h"

#include <sodium.h>

#include "port/pg_bswap.h"
#include "utils/memutils.h"

#include "base/errors.h"
#include "vault/vault.h"

#define REVISION_SEAL_LABEL "revision seal"
#define PAYLOAD_MAX         (MaxAllocSize / 2) /* leaves room for padding and for copies in text form */

static void
reject_envelope(void)
{
	ereport(ERROR, (errcode(PAWS_ERRCODE_ENVELOPE), errmsg("envelope rejected")));
}

bytea *
paws_vault_seal(PawsKeyHome home, int64 subject_no, const PawsEnvelopeContext *context,
				const uint8_t *payload, size_t length)
{
	const PawsDataKey *key;
	Size size;
	bytea *envelope;

	paws_vault_require(paws_vault_home_root(home));
	if (length > PAYLOAD_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("payload is too large to be sealed")));
	key = paws_vault_current_key(home, subject_no);
	if (key == NULL)
		ereport(ERROR, (errcode(PAWS_ERRCODE_ENVELOPE), errmsg("subject has no data key")));
	size = VARHDRSZ + paws_envelope_size(length);
	envelope = palloc(size);
	SET_VARSIZE(envelope, size);
	paws_envelope_seal((uint8_t *) VARDATA(envelope), key, context, payload, length);
	return envelope;
}

bytea *
paws_vault_open(PawsKeyHome home, int64 subject_no, const PawsEnvelopeContext *context, const bytea *envelope)
{
	const uint8_t *bytes = (const uint8_t *) VARDATA_ANY(envelope);
	size_t length = VARSIZE_ANY_EXHDR(envelope);
	const PawsDataKey *key;
	PawsDataKey named;
	bytea *payload;
	size_t payload_length;

	paws_vault_require(paws_vault_home_root(home));
	if (!paws_envelope_key(bytes, length, &named))
		return NULL;
	key = paws_vault_key_by_id(home, subject_no, named.id);
	if (key == NULL)
		return NULL;
	payload = palloc(VARHDRSZ + length);
	if (!paws_envelope_open(bytes, length, key, context, (uint8_t *) VARDATA(payload), &payload_length))
		return NULL;
	SET_VARSIZE(payload, VARHDRSZ + payload_length);
	return payload;
}

/* The MAC over the commitment and what the store assigned; numbers are big-endian. */
static void
compute_seal(const uint8_t *commitment, int64 subject_no, const uint8_t doc_id[16], int64 revision,
			 uint8_t seal[PAWS_SEAL_BYTES])
{
	crypto_generichash_state state;
	uint8_t key[32];
	uint64 subject = pg_hton64((uint64) subject_no);
	uint64 assigned = pg_hton64((uint64) revision);

	paws_vault_purpose_key(PAWS_ROOT_CARE, REVISION_SEAL_LABEL, key);
	crypto_generichash_init(&state, key, sizeof(key), PAWS_SEAL_BYTES);
	crypto_generichash_update(&state, commitment, PAWS_COMMITMENT_BYTES);
	crypto_generichash_update(&state, (const uint8_t *) &subject, sizeof(subject));
	crypto_generichash_update(&state, doc_id, 16);
	crypto_generichash_update(&state, (const uint8_t *) &assigned, sizeof(assigned));
	crypto_generichash_final(&state, seal, PAWS_SEAL_BYTES);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(&state, sizeof(state));
}

/* Where an envelope's commitment stands; NULL if it is too short to be one. */
static const uint8_t *
find_commitment(const bytea *envelope)
{
	if (VARSIZE_ANY_EXHDR(envelope) < PAWS_ENVELOPE_OVERHEAD)
		return NULL;
	return (const uint8_t *) VARDATA_ANY(envelope) + PAWS_COMMITMENT_OFFSET;
}

void
paws_vault_revision_seal(const bytea *envelope, int64 subject_no, const uint8_t doc_id[16], int64 revision,
						 uint8_t seal[PAWS_SEAL_BYTES])
{
	const uint8_t *commitment = find_commitment(envelope);

	if (commitment == NULL)
		reject_envelope();
	compute_seal(commitment, subject_no, doc_id, revision, seal);
}

bool
paws_vault_revision_check(const bytea *envelope, int64 subject_no, const uint8_t doc_id[16], int64 revision,
						  const uint8_t seal[PAWS_SEAL_BYTES])
{
	const uint8_t *commitment = find_commitment(envelope);
	uint8_t expected[PAWS_SEAL_BYTES];
	bool same;

	if (commitment == NULL)
		return false;
	compute_seal(commitment, subject_no, doc_id, revision, expected);
	same = sodium_memcmp(expected, seal, sizeof(expected)) == 0;
	sodium_memzero(expected, sizeof(expected));
	return same;
}
