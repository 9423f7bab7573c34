/*
 * queue/job_seal.c - payloads and results of jobs as envelopes, and digests of keys.
 *
 * An envelope is bound to topic, job, subject and to what it is: a payload and a result of one job, two jobs,
 * or a job and a document cannot take each other's place. Jobs without a subject are sealed under a key of
 * their own, that of subject number 0.
 */
#include "postgres.h"

#include <sodium.h>

#include "port/pg_bswap.h"
#include "queue/job_private.h"
#include "vault/vault.h"

#define KEY_LABEL      "job idempotency key"
#define ORDERING_LABEL "job ordering key"

static const uint8 zeros[16] = {0};

/* doc_id: zeros and the number of the job, big-endian. */
static PawsEnvelopeContext
context_of(const PawsJobSeal *seal, uint8 doc_id[16])
{
	uint64 job = pg_hton64((uint64) seal->job);

	memset(doc_id, 0, 16);
	memcpy(doc_id + 8, &job, sizeof(job));
	return (PawsEnvelopeContext){
		.purpose = PAWS_PURPOSE_PAYLOAD,
		.collection = (uint32) seal->topic_no,
		.subject = seal->subject != NULL ? seal->subject : zeros,
		.doc_id = doc_id,
		.op_id = zeros,
		.base_revision = 0,
		.operation = (uint8) seal->part,
	};
}

bytea *
paws_job_seal(const PawsJobSeal *seal, const uint8 *bytes, Size length)
{
	static const PawsSealForm form = {.suite = PAWS_SUITE_XCHACHA20, .codec = PAWS_CODEC_NONE};
	uint8 doc_id[16];
	PawsEnvelopeContext context = context_of(seal, doc_id);

	return paws_vault_seal(PAWS_KEYS_CARE, seal->subject_no, &context, &form, bytes, length);
}

bytea *
paws_job_unseal(const PawsJobSeal *seal, const bytea *envelope)
{
	uint8 doc_id[16];
	PawsEnvelopeContext context = context_of(seal, doc_id);

	return paws_vault_open_or_null(PAWS_KEYS_CARE, seal->subject_no, &context, envelope);
}

bytea *
paws_job_seal_anew(const PawsJobSeal *seal, const bytea *envelope)
{
	uint8 doc_id[16];
	PawsEnvelopeContext context = context_of(seal, doc_id);

	return paws_vault_reseal(PAWS_KEYS_CARE, seal->subject_no, &context, envelope);
}

/* BLAKE2b-128 under a key of its own for each use, over the number of the topic and the bytes. */
static void
digest_of(const char *label, int16 topic_no, const char *bytes, Size length, pg_uuid_t *digest)
{
	uint8_t key[32];
	uint8_t topic[2] = {(uint8_t) ((uint16) topic_no >> 8), (uint8_t) topic_no};
	crypto_generichash_state state;

	paws_vault_purpose_key(PAWS_ROOT_CARE, label, key);
	crypto_generichash_init(&state, key, sizeof(key), UUID_LEN);
	sodium_memzero(key, sizeof(key));
	crypto_generichash_update(&state, topic, sizeof(topic));
	crypto_generichash_update(&state, (const uint8_t *) bytes, length);
	crypto_generichash_final(&state, digest->data, UUID_LEN);
	sodium_memzero(&state, sizeof(state));
}

void
paws_job_key_digest(int16 topic_no, const char *key, Size length, pg_uuid_t *digest)
{
	digest_of(KEY_LABEL, topic_no, key, length, digest);
}

void
paws_job_ordering_digest(int16 topic_no, const char *key, Size length, pg_uuid_t *digest)
{
	digest_of(ORDERING_LABEL, topic_no, key, length, digest);
}
