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

static const uint8_t zero_nonce[PAWS_XCHACHA_NONCE_BYTES];

_Static_assert(PAWS_SEALED_UNIQUE == crypto_box_SEALBYTES + SECRET_BYTES, "size of a sealed box");
_Static_assert(PAWS_DATA_KEY_BYTES == crypto_box_PUBLICKEYBYTES, "public key of a sealed box");
_Static_assert(PAWS_DATA_KEY_BYTES == crypto_box_SECRETKEYBYTES, "secret key of a sealed box");

void
paws_x25519_keypair(uint8_t public_key[PAWS_DATA_KEY_BYTES], uint8_t secret[PAWS_DATA_KEY_BYTES])
{
	crypto_box_keypair(public_key, secret);
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
	boxed = crypto_box_seal(at, secret, sizeof(secret), public_key) == 0;
	if (boxed)
	{
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

bool
paws_sealed_layer_open(const PawsLayer *layer, const PawsDataKey *key, const uint8_t *at, uint8_t *out)
{
	uint8_t secret[SECRET_BYTES];
	PawsLayerHead head;
	PawsLayerKeys keys;
	bool good;

	good = crypto_box_seal_open(secret, at, PAWS_SEALED_UNIQUE, key->public_key, key->secret) == 0;
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
