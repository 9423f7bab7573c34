/*
 * vault/envelope.c - sealing and opening envelopes of version 1. Pure C over libsodium.
 */
#include "vault/envelope.h"

#include <string.h>

#include <sodium.h>

#include "vault/padding.h"

#define FORMAT_VERSION 1
#define FLAG_PADDED    0x01

#define AT_PURPOSE  4
#define AT_FLAGS    5
#define AT_ZERO     6
#define AT_EPOCH    8
#define AT_VERSION  12
#define AT_KEY_ID   16
#define AT_NONCE    32
#define NONCE_BYTES 24
#define HASH_BYTES  32

#define ENVELOPE_LABEL "paws_sync envelope v1"
#define CONTEXT_LABEL  "paws_sync context v1"

_Static_assert(NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce of the suite");
_Static_assert(PAWS_ENVELOPE_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag of the suite");
_Static_assert(PAWS_DATA_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key of the suite");
_Static_assert(AT_NONCE + NONCE_BYTES == PAWS_COMMITMENT_OFFSET, "the commitment follows the nonce");

/* What is derived for one message. */
typedef struct MessageKeys
{
	uint8_t key[32];
	uint8_t commitment[PAWS_COMMITMENT_BYTES];
} MessageKeys;

static void
put32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t) (value >> (24 - 8 * i));
}

static uint32_t
get32(const uint8_t *at)
{
	return ((uint32_t) at[0] << 24) | ((uint32_t) at[1] << 16) | ((uint32_t) at[2] << 8) | at[3];
}

static void
put64(uint8_t *at, uint64_t value)
{
	put32(at, (uint32_t) (value >> 32));
	put32(at + 4, (uint32_t) value);
}

/* A field with its length (4 bytes) in front, so that no two contexts read the same. */
static void
paws_context_field(crypto_generichash_state *state, const uint8_t *field, uint32_t length)
{
	uint8_t prefix[4];

	put32(prefix, length);
	crypto_generichash_update(state, prefix, sizeof(prefix));
	crypto_generichash_update(state, field, length);
}

static void
paws_context_hash(const PawsEnvelopeContext *context, uint8_t hash[HASH_BYTES])
{
	crypto_generichash_state state;
	uint8_t purpose = (uint8_t) context->purpose;
	uint8_t collection[4];
	uint8_t base_revision[8];

	put32(collection, context->collection);
	put64(base_revision, context->base_revision);

	crypto_generichash_init(&state, NULL, 0, HASH_BYTES);
	crypto_generichash_update(&state, (const uint8_t *) CONTEXT_LABEL, strlen(CONTEXT_LABEL));
	paws_context_field(&state, &purpose, sizeof(purpose));
	paws_context_field(&state, collection, sizeof(collection));
	paws_context_field(&state, context->subject, 16);
	paws_context_field(&state, context->doc_id, 16);
	paws_context_field(&state, context->op_id, 16);
	paws_context_field(&state, base_revision, sizeof(base_revision));
	paws_context_field(&state, &context->operation, sizeof(context->operation));
	crypto_generichash_final(&state, hash, HASH_BYTES);
}

/* Message key and commitment from the data key, the header up to the commitment, and the context. */
static void
derive(MessageKeys *keys, const PawsDataKey *key, const uint8_t *header, const PawsEnvelopeContext *context)
{
	crypto_generichash_state state;
	uint8_t hash[HASH_BYTES];
	uint8_t both[64];

	paws_context_hash(context, hash);
	crypto_generichash_init(&state, key->secret, PAWS_DATA_KEY_BYTES, sizeof(both));
	crypto_generichash_update(&state, (const uint8_t *) ENVELOPE_LABEL, strlen(ENVELOPE_LABEL));
	crypto_generichash_update(&state, header, PAWS_COMMITMENT_OFFSET);
	crypto_generichash_update(&state, hash, sizeof(hash));
	crypto_generichash_final(&state, both, sizeof(both));
	memcpy(keys->key, both, sizeof(keys->key));
	memcpy(keys->commitment, both + sizeof(keys->key), sizeof(keys->commitment));
	sodium_memzero(both, sizeof(both));
	sodium_memzero(&state, sizeof(state));
}

size_t
paws_envelope_size(size_t payload_length)
{
	return PAWS_ENVELOPE_OVERHEAD + paws_padded_length(PAWS_PADDING_HEADER_BYTES + payload_length);
}

/* Bytes 0 to 55: all of the header but the commitment. */
static void
write_header(uint8_t *out, const PawsDataKey *key, PawsPurpose purpose)
{
	out[0] = 'P';
	out[1] = 'W';
	out[2] = FORMAT_VERSION;
	out[3] = PAWS_SUITE_XCHACHA20;
	out[AT_PURPOSE] = (uint8_t) purpose;
	out[AT_FLAGS] = FLAG_PADDED;
	out[AT_ZERO] = 0;
	out[AT_ZERO + 1] = 0;
	put32(out + AT_EPOCH, key->epoch);
	put32(out + AT_VERSION, key->version);
	memcpy(out + AT_KEY_ID, key->id, PAWS_DATA_KEY_ID_BYTES);
	randombytes_buf(out + AT_NONCE, NONCE_BYTES);
}

void
paws_envelope_seal(uint8_t *out, const PawsDataKey *key, const PawsEnvelopeContext *context,
				   const uint8_t *payload, size_t length)
{
	size_t padded = paws_padded_length(PAWS_PADDING_HEADER_BYTES + length);
	uint8_t *body = out + PAWS_ENVELOPE_HEADER_BYTES;
	MessageKeys keys;

	write_header(out, key, context->purpose);
	derive(&keys, key, out, context);
	memcpy(out + PAWS_COMMITMENT_OFFSET, keys.commitment, PAWS_COMMITMENT_BYTES);

	/* Encrypted where it stands, so that no second copy of the plaintext has to be wiped. */
	paws_padding_write(body, PAWS_CODEC_NONE, payload, length);
	crypto_aead_xchacha20poly1305_ietf_encrypt(body, NULL, body, padded, out, PAWS_ENVELOPE_HEADER_BYTES,
											   NULL, out + AT_NONCE, keys.key);
	sodium_memzero(&keys, sizeof(keys));
}

bool
paws_envelope_key(const uint8_t *envelope, size_t length, PawsDataKey *key_fields)
{
	static const uint8_t start[] = {
		'P', 'W', FORMAT_VERSION, PAWS_SUITE_XCHACHA20, PAWS_PURPOSE_PAYLOAD, FLAG_PADDED, 0, 0};

	memset(key_fields, 0, sizeof(*key_fields));
	if (length < PAWS_ENVELOPE_OVERHEAD + PAWS_PADDING_MIN ||
		paws_padded_length(length - PAWS_ENVELOPE_OVERHEAD) != length - PAWS_ENVELOPE_OVERHEAD)
		return false;
	if (memcmp(envelope, start, sizeof(start)) != 0)
		return false;
	memcpy(key_fields->id, envelope + AT_KEY_ID, PAWS_DATA_KEY_ID_BYTES);
	key_fields->epoch = get32(envelope + AT_EPOCH);
	key_fields->version = get32(envelope + AT_VERSION);
	return true;
}

/* True if the envelope is of version 1, of this purpose, and names this key. */
static bool
names_key(const uint8_t *envelope, size_t length, const PawsDataKey *key, PawsPurpose purpose)
{
	PawsDataKey named;

	return paws_envelope_key(envelope, length, &named) && envelope[AT_PURPOSE] == (uint8_t) purpose &&
		   memcmp(named.id, key->id, PAWS_DATA_KEY_ID_BYTES) == 0 && named.epoch == key->epoch &&
		   named.version == key->version;
}

/* Decrypts the padded plaintext into `out`; false if commitment or tag is not right. */
static bool
decrypt(const uint8_t *envelope, size_t length, const PawsDataKey *key, const PawsEnvelopeContext *context,
		uint8_t *out)
{
	MessageKeys keys;
	bool good;

	derive(&keys, key, envelope, context);
	good = sodium_memcmp(keys.commitment, envelope + PAWS_COMMITMENT_OFFSET, PAWS_COMMITMENT_BYTES) == 0 &&
		   crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, envelope + PAWS_ENVELOPE_HEADER_BYTES,
													  length - PAWS_ENVELOPE_HEADER_BYTES, envelope,
													  PAWS_ENVELOPE_HEADER_BYTES, envelope + AT_NONCE,
													  keys.key) == 0;
	sodium_memzero(&keys, sizeof(keys));
	return good;
}

bool
paws_envelope_open(const uint8_t *envelope, size_t length, const PawsDataKey *key,
				   const PawsEnvelopeContext *context, uint8_t *out, size_t *payload_length)
{
	size_t payload = 0;

	*payload_length = 0;
	if (!names_key(envelope, length, key, context->purpose) ||
		!decrypt(envelope, length, key, context, out) ||
		!paws_padding_read(out, length - PAWS_ENVELOPE_OVERHEAD, &payload))
	{
		sodium_memzero(out, length);
		return false;
	}
	memmove(out, out + PAWS_PADDING_HEADER_BYTES, payload);
	sodium_memzero(out + payload, length - payload);
	*payload_length = payload;
	return true;
}
