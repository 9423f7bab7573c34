/*
 * vault/suite_sealed.c - the layer of suite 0x03, and the inner one of 0x13: whoever has the public key can
 * seal. Pure C over libsodium.
 *
 * The sealed box authenticates nobody: anybody may make one for a public key. What it is bound to is the
 * context and the key, by the commitment.
 */
#include <string.h>

#include <sodium.h>

#include "vault/layer.h"

#define LABEL        "paws_sync envelope v1 sealed"
#define SECRET_BYTES 32

/* Of the box that was sealed last; public. */
static uint8_t last_ephemeral[PAWS_EPHEMERAL_BYTES];

static PawsExpectedBox *expected = NULL;
static PawsEphemeralPair *ahead = NULL;

static const uint8_t zero_nonce[PAWS_XCHACHA_NONCE_BYTES];

_Static_assert(PAWS_EPHEMERAL_BYTES == crypto_box_PUBLICKEYBYTES,
			   "a sealed box begins with its ephemeral key");
_Static_assert(PAWS_DATA_KEY_BYTES == crypto_box_BEFORENMBYTES, "the key of a box");
_Static_assert(PAWS_SEALED_UNIQUE == crypto_box_SEALBYTES + SECRET_BYTES, "size of a sealed box");
_Static_assert(PAWS_DATA_KEY_BYTES == crypto_box_PUBLICKEYBYTES, "public key of a sealed box");
_Static_assert(PAWS_DATA_KEY_BYTES == crypto_box_SECRETKEYBYTES, "secret key of a sealed box");

void
paws_x25519_keypair(uint8_t public_key[PAWS_DATA_KEY_BYTES], uint8_t secret[PAWS_DATA_KEY_BYTES])
{
	crypto_box_keypair(public_key, secret);
}

/* The nonce of a sealed box: the hash of both public keys (libsodium's documentation of sealed boxes). */
static void
box_nonce(uint8_t nonce[crypto_box_NONCEBYTES], const uint8_t *ephemeral, const uint8_t *recipient)
{
	crypto_generichash_state hash;

	crypto_generichash_init(&hash, NULL, 0, crypto_box_NONCEBYTES);
	crypto_generichash_update(&hash, ephemeral, PAWS_EPHEMERAL_BYTES);
	crypto_generichash_update(&hash, recipient, PAWS_DATA_KEY_BYTES);
	crypto_generichash_final(&hash, nonce, crypto_box_NONCEBYTES);
}

void
paws_sealed_make_ahead(PawsEphemeralPair *room)
{
	if (ahead != NULL)
		return;
	crypto_box_keypair(room->public_key, room->secret);
	ahead = room;
}

/* What crypto_box_seal does, with a pair that is there already; each seals once. */
static bool
seal_box(uint8_t *at, const uint8_t secret[SECRET_BYTES], const uint8_t public_key[32])
{
	PawsEphemeralPair pair;
	uint8_t nonce[crypto_box_NONCEBYTES];
	bool boxed;

	if (ahead == NULL)
		return crypto_box_seal(at, secret, SECRET_BYTES, public_key) == 0;
	pair = *ahead;
	sodium_memzero(ahead, sizeof(*ahead));
	ahead = NULL;
	memcpy(at, pair.public_key, PAWS_EPHEMERAL_BYTES);
	box_nonce(nonce, pair.public_key, public_key);
	boxed =
		crypto_box_easy(at + PAWS_EPHEMERAL_BYTES, secret, SECRET_BYTES, nonce, public_key, pair.secret) == 0;
	sodium_memzero(&pair, sizeof(pair));
	return boxed;
}

bool
paws_sealed_layer_seal(const PawsLayer *layer, const uint8_t public_key[32], uint8_t *at)
{
	uint8_t *body = at + PAWS_LAYER_START(PAWS_SEALED_UNIQUE);
	uint8_t secret[SECRET_BYTES];
	PawsLayerHead head;
	PawsLayerKeys keys;
	bool boxed;

	randombytes_buf(secret, sizeof(secret));
	boxed = seal_box(at, secret, public_key);
	if (boxed)
	{
		memcpy(last_ephemeral, at, sizeof(last_ephemeral));
		paws_layer_begin_head(&head, layer, at, PAWS_SEALED_UNIQUE);
		paws_layer_derive(&keys, secret, LABEL, &head, public_key, layer->context);
		paws_layer_end_head(&head, keys.commitment);
		memcpy(at + PAWS_SEALED_UNIQUE, keys.commitment, PAWS_COMMITMENT_BYTES);
		paws_aead_xchacha_seal(body, body, layer->length, head.bytes, head.bound + PAWS_COMMITMENT_BYTES,
							   zero_nonce, keys.key);
		sodium_memzero(&keys, sizeof(keys));
	}
	sodium_memzero(secret, sizeof(secret));
	return boxed;
}

void
paws_sealed_ephemeral(uint8_t ephemeral[PAWS_EPHEMERAL_BYTES])
{
	memcpy(ephemeral, last_ephemeral, sizeof(last_ephemeral));
}

void
paws_sealed_expect(PawsExpectedBox *room, const uint8_t ephemeral[PAWS_EPHEMERAL_BYTES],
				   const PawsDataKey *key)
{
	expected = room;
	memcpy(room->ephemeral, ephemeral, sizeof(room->ephemeral));
	memcpy(room->recipient, key->public_key, sizeof(room->recipient));
	if (crypto_box_beforenm(room->key, ephemeral, key->secret) != 0)
		paws_sealed_expect_none();
}

void
paws_sealed_expect_none(void)
{
	if (expected != NULL)
		sodium_memzero(expected, sizeof(*expected));
	expected = NULL;
}

static bool
open_expected_box(uint8_t secret[SECRET_BYTES], const uint8_t *at)
{
	uint8_t nonce[crypto_box_NONCEBYTES];
	bool good;

	box_nonce(nonce, expected->ephemeral, expected->recipient);
	good = crypto_box_open_easy_afternm(secret, at + PAWS_EPHEMERAL_BYTES,
										PAWS_SEALED_UNIQUE - PAWS_EPHEMERAL_BYTES, nonce, expected->key) == 0;
	paws_sealed_expect_none();
	return good;
}

static bool
open_box(uint8_t secret[SECRET_BYTES], const uint8_t *at, const PawsDataKey *key)
{
	if (expected != NULL && memcmp(expected->ephemeral, at, sizeof(expected->ephemeral)) == 0 &&
		memcmp(expected->recipient, key->public_key, sizeof(expected->recipient)) == 0 &&
		open_expected_box(secret, at))
		return true;
	return crypto_box_seal_open(secret, at, PAWS_SEALED_UNIQUE, key->public_key, key->secret) == 0;
}

bool
paws_sealed_layer_open(const PawsLayer *layer, const PawsDataKey *key, const uint8_t *at, uint8_t *out)
{
	uint8_t secret[SECRET_BYTES];
	PawsLayerHead head;
	PawsLayerKeys keys;
	bool good;

	good = open_box(secret, at, key);
	if (good)
	{
		paws_layer_begin_head(&head, layer, at, PAWS_SEALED_UNIQUE);
		paws_layer_derive(&keys, secret, LABEL, &head, key->public_key, layer->context);
		paws_layer_end_head(&head, keys.commitment);
		good = sodium_memcmp(keys.commitment, at + PAWS_SEALED_UNIQUE, PAWS_COMMITMENT_BYTES) == 0 &&
			   paws_aead_xchacha_open(out, at + PAWS_LAYER_START(PAWS_SEALED_UNIQUE),
									  layer->length + PAWS_AEAD_TAG_BYTES, head.bytes,
									  head.bound + PAWS_COMMITMENT_BYTES, zero_nonce, keys.key);
		sodium_memzero(&keys, sizeof(keys));
	}
	sodium_memzero(secret, sizeof(secret));
	return good;
}
