/*
 * vault/revision_seal.c - the MAC that ties an envelope to the revision that the store gave it.
 */
#include "postgres.h"

#include <sodium.h>

#include "port/atomics.h"
#include "port/pg_bswap.h"

#include "base/database.h"
#include "base/errors.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "vault/key_wrap.h"
#include "vault/vault.h"

#define REVISION_SEAL_LABEL "revision seal"

/* For each database: 1 from when all that was written without keys has its seal. */
static pg_atomic_uint32 *complete = NULL;

static Size
size(void)
{
	return mul_size(paws_max_databases, sizeof(pg_atomic_uint32));
}

static void
reset(int slot)
{
	pg_atomic_write_u32(&complete[slot], 0);
}

static void
attach(void *memory, bool found)
{
	complete = memory;
	for (int slot = 0; !found && slot < paws_max_databases; slot++)
		pg_atomic_init_u32(&complete[slot], 0);
}

void
paws_vault_seals_init(void)
{
	static const PawsSharedPart part = {"paws_sync seals", size, attach, reset};

	paws_shmem_offer(&part);
}

void
paws_vault_seals_complete(int slot)
{
	pg_atomic_write_u32(&complete[slot], 1);
}

/* The MAC over the commitment and what the store assigned; numbers are big-endian. */
static void
compute_seal(PawsKeyHome home, const uint8_t *commitment, int64 subject_no, const uint8_t doc_id[16],
			 int64 revision, uint8_t seal[PAWS_SEAL_BYTES])
{
	crypto_generichash_state state;
	uint8_t key[32];
	uint64 subject = pg_hton64((uint64) subject_no);
	uint64 assigned = pg_hton64((uint64) revision);

	paws_vault_purpose_key(paws_vault_home_root(home), REVISION_SEAL_LABEL, key);
	crypto_generichash_init(&state, key, sizeof(key), PAWS_SEAL_BYTES);
	crypto_generichash_update(&state, commitment, PAWS_COMMITMENT_BYTES);
	crypto_generichash_update(&state, (const uint8_t *) &subject, sizeof(subject));
	crypto_generichash_update(&state, doc_id, 16);
	crypto_generichash_update(&state, (const uint8_t *) &assigned, sizeof(assigned));
	crypto_generichash_final(&state, seal, PAWS_SEAL_BYTES);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(&state, sizeof(state));
}

static const uint8_t *
find_commitment(const bytea *envelope)
{
	return paws_envelope_commitment((const uint8_t *) VARDATA_ANY(envelope), VARSIZE_ANY_EXHDR(envelope));
}

/*
 * What was written without keys has no seal until it is given one after the next start, and no outer layer
 * either. Anything else without a seal is what somebody put there: anybody may seal to a public key.
 */
static bool
may_lack_seal(PawsKeyHome home, const bytea *envelope)
{
	PawsEnvelopeName name;

	return home == PAWS_KEYS_CRISIS && pg_atomic_read_u32(&complete[paws_database_slot()]) == 0 &&
		   paws_envelope_name((const uint8_t *) VARDATA_ANY(envelope), VARSIZE_ANY_EXHDR(envelope), &name) &&
		   name.suite == PAWS_SUITE_SEALED;
}

bool
paws_vault_revision_seal(PawsKeyHome home, const bytea *envelope, int64 subject_no, const uint8_t doc_id[16],
						 int64 revision, uint8_t seal[PAWS_SEAL_BYTES])
{
	const uint8_t *commitment = find_commitment(envelope);

	if (commitment == NULL)
		ereport(ERROR, (errcode(PAWS_ERRCODE_ENVELOPE), errmsg("envelope rejected")));
	if (home == PAWS_KEYS_CRISIS && !paws_vault_usable(PAWS_ROOT_CRISIS))
		return false;
	compute_seal(home, commitment, subject_no, doc_id, revision, seal);
	return true;
}

bool
paws_vault_revision_check(PawsKeyHome home, const bytea *envelope, int64 subject_no, const uint8_t doc_id[16],
						  int64 revision, const uint8_t *seal)
{
	const uint8_t *commitment = find_commitment(envelope);
	uint8_t expected[PAWS_SEAL_BYTES];
	bool same;

	if (commitment == NULL)
		return false;
	if (seal == NULL)
		return may_lack_seal(home, envelope);
	paws_vault_require_usable(paws_vault_home_root(home));
	compute_seal(home, commitment, subject_no, doc_id, revision, expected);
	same = sodium_memcmp(expected, seal, sizeof(expected)) == 0;
	sodium_memzero(expected, sizeof(expected));
	return same;
}
