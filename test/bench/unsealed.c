/*
 * bench/unsealed.c - takes the place of vault/seal.c and vault/revision_seal.c in a build that only the
 * benchmark makes (make UNSEALED=1): bytes of the same length and form, written and read in the same places,
 * without any cryptography. What the sealed build is slower by is the price of sealing.
 */
#include "postgres.h"

#include "port/pg_bswap.h"
#include "vault/data_key.h"
#include "vault/vault.h"

#pragma message("this build seals nothing: it is for measuring alone")

#define AT_PAYLOAD 120 /* behind every suite's header */
#define AT_LENGTH  112

static uint8_t
suite_of(PawsKeyHome home, const PawsSealForm *form)
{
	return home == PAWS_KEYS_CRISIS ? PAWS_SUITE_SEALED_LAYERED : form->suite;
}

bytea *
paws_vault_seal(PawsKeyHome home, int64 subject_no, const PawsEnvelopeContext *context,
				const PawsSealForm *form, const uint8_t *payload, size_t length)
{
	uint8_t suite = suite_of(home, form);
	Size size = VARHDRSZ + paws_envelope_size(suite, length);
	uint64 stored = pg_hton64(length);
	bytea *envelope = palloc0(size);
	uint8_t *out = (uint8_t *) VARDATA(envelope);
	PawsDataKey key;

	/* the key is looked up all the same: that is bookkeeping, not sealing */
	paws_data_key_to_seal(home, subject_no, &key);
	SET_VARSIZE(envelope, size);
	memcpy(out, "PW\001", 3);
	out[3] = suite;
	memcpy(out + 16, key.id, sizeof(key.id));
	memcpy(out + AT_LENGTH, &stored, sizeof(stored));
	memcpy(out + AT_PAYLOAD, payload, length);
	return envelope;
}

bytea *
paws_vault_open(PawsKeyHome home, int64 subject_no, const PawsEnvelopeContext *context, const bytea *envelope)
{
	const uint8_t *bytes = (const uint8_t *) VARDATA_ANY(envelope);
	uint64 stored;
	bytea *payload;

	memcpy(&stored, bytes + AT_LENGTH, sizeof(stored));
	stored = pg_ntoh64(stored);
	payload = palloc(VARHDRSZ + stored);
	SET_VARSIZE(payload, VARHDRSZ + stored);
	memcpy(VARDATA(payload), bytes + AT_PAYLOAD, stored);
	return payload;
}

bytea *
paws_vault_open_or_null(PawsKeyHome home, int64 subject_no, const PawsEnvelopeContext *context, const bytea *envelope)
{
	return paws_vault_open(home, subject_no, context, envelope);
}

bytea *
paws_vault_reseal(PawsKeyHome home, int64 subject_no, const PawsEnvelopeContext *context, const bytea *envelope)
{
	return NULL;
}

bool
paws_vault_revision_seal(PawsKeyHome home, const bytea *envelope, int64 subject_no, const uint8_t doc_id[16],
						 int64 revision, uint8_t seal[PAWS_SEAL_BYTES])
{
	memset(seal, 0, PAWS_SEAL_BYTES);
	return true;
}

bool
paws_vault_revision_check(PawsKeyHome home, const bytea *envelope, int64 subject_no, const uint8_t doc_id[16],
						  int64 revision, const uint8_t *seal)
{
	return true;
}

bool
paws_vault_can_open(PawsKeyHome home, const bytea *envelope)
{
	return true;
}

bool
paws_vault_hint(const bytea *envelope, PawsVaultHint *hint)
{
	return false;
}

void
paws_vault_expect(int64 subject_no, const PawsVaultHint *hint)
{
}

void
paws_vault_seal_ahead_at_commit(void)
{
}

bool
paws_vault_is_ahead(PawsKeyHome home, int64 subject_no, const bytea *envelope)
{
	return false;
}

bool
paws_vault_can_seal(uint8_t suite)
{
	return true;
}

void
paws_vault_seals_init(void)
{
}

void
paws_vault_seals_complete(int slot)
{
}
