/*
 * vault/suite_xchacha20.c - the layer of suite 0x01, and the inner one of 0x12. Pure C over libsodium.
 */
#include <string.h>

#include <sodium.h>

#include "vault/layer.h"

#define LABEL "paws_sync envelope v1"

_Static_assert(PAWS_XCHACHA_UNIQUE == PAWS_XCHACHA_NONCE_BYTES, "the unique bytes are the nonce");

bool
paws_xchacha_layer_seal(const PawsLayer *layer, const uint8_t secret[32], uint8_t *at)
{
	uint8_t *body = at + PAWS_LAYER_START(PAWS_XCHACHA_UNIQUE);
	PawsLayerHead head;
	PawsLayerKeys keys;

	paws_layer_begin_head(&head, layer, at, PAWS_XCHACHA_UNIQUE);
	paws_layer_derive(&keys, secret, LABEL, &head, NULL, layer->context);
	paws_layer_end_head(&head, keys.commitment);
	memcpy(at + PAWS_XCHACHA_UNIQUE, keys.commitment, PAWS_COMMITMENT_BYTES);
	paws_aead_xchacha_seal(body, body, layer->length, head.bytes, head.bound + PAWS_COMMITMENT_BYTES, at,
						   keys.key);
	sodium_memzero(&keys, sizeof(keys));
	return true;
}

bool
paws_xchacha_layer_open(const PawsLayer *layer, const uint8_t secret[32], const uint8_t *at, uint8_t *out)
{
	PawsLayerHead head;
	PawsLayerKeys keys;
	bool good;

	paws_layer_begin_head(&head, layer, at, PAWS_XCHACHA_UNIQUE);
	paws_layer_derive(&keys, secret, LABEL, &head, NULL, layer->context);
	paws_layer_end_head(&head, keys.commitment);
	good = sodium_memcmp(keys.commitment, at + PAWS_XCHACHA_UNIQUE, PAWS_COMMITMENT_BYTES) == 0 &&
		   paws_aead_xchacha_open(out, at + PAWS_LAYER_START(PAWS_XCHACHA_UNIQUE),
								  layer->length + PAWS_AEAD_TAG_BYTES, head.bytes,
								  head.bound + PAWS_COMMITMENT_BYTES, at, keys.key);
	sodium_memzero(&keys, sizeof(keys));
	return good;
}
