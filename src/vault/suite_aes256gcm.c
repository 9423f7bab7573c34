/*
 * vault/suite_aes256gcm.c - the layer of suite 0x02, and the outer one of 0x12 and 0x13. Pure C over
 * libsodium.
 *
 * NIST's algorithms throughout, for sites that must show them; as the outer layer it shares no algorithm with
 * what it is around.
 */
#include <string.h>

#include <sodium.h>

#include "vault/bytes.h"
#include "vault/layer.h"

#define LABEL "paws_sync envelope v1 aes-256-gcm"

static const uint8_t zero_nonce[PAWS_GCM_NONCE_BYTES];

_Static_assert(sizeof(PawsLayerKeys) == crypto_auth_hmacsha512_BYTES, "one block of the derivation");

/* NIST SP 800-108r1, section 4.1: counter ‖ label ‖ zero ‖ context ‖ length in bits, one block. */
static void
derive(PawsLayerKeys *keys, const uint8_t secret[32], const PawsLayerHead *head, const uint8_t *context)
{
	crypto_auth_hmacsha512_state state;
	uint8_t counter[4];
	uint8_t bits[4];

	paws_put32(counter, 1);
	paws_put32(bits, 8 * sizeof(*keys));
	crypto_auth_hmacsha512_init(&state, secret, 32);
	crypto_auth_hmacsha512_update(&state, counter, sizeof(counter));
	crypto_auth_hmacsha512_update(&state, (const uint8_t *) LABEL, sizeof(LABEL)); /* with its zero */
	crypto_auth_hmacsha512_update(&state, head->bytes, head->bound);
	crypto_auth_hmacsha512_update(&state, context, PAWS_CONTEXT_BYTES);
	crypto_auth_hmacsha512_update(&state, bits, sizeof(bits));
	crypto_auth_hmacsha512_final(&state, (uint8_t *) keys);
	sodium_memzero(&state, sizeof(state));
}

bool
paws_gcm_layer_seal(const PawsLayer *layer, const uint8_t secret[32], uint8_t *at)
{
	uint8_t *body = at + PAWS_LAYER_START(PAWS_GCM_UNIQUE);
	PawsLayerHead head;
	PawsLayerKeys keys;
	bool sealed;

	randombytes_buf(at, PAWS_GCM_UNIQUE);
	paws_layer_begin_head(&head, layer, at, PAWS_GCM_UNIQUE);
	derive(&keys, secret, &head, layer->context);
	paws_layer_end_head(&head, keys.commitment);
	memcpy(at + PAWS_GCM_UNIQUE, keys.commitment, PAWS_COMMITMENT_BYTES);
	sealed = paws_aead_gcm_seal(body, body, layer->length, head.bytes, head.bound + PAWS_COMMITMENT_BYTES,
								zero_nonce, keys.key);
	sodium_memzero(&keys, sizeof(keys));
	return sealed;
}

bool
paws_gcm_layer_open(const PawsLayer *layer, const uint8_t secret[32], const uint8_t *at, uint8_t *out)
{
	PawsLayerHead head;
	PawsLayerKeys keys;
	bool good;

	paws_layer_begin_head(&head, layer, at, PAWS_GCM_UNIQUE);
	derive(&keys, secret, &head, layer->context);
	paws_layer_end_head(&head, keys.commitment);
	good =
		sodium_memcmp(keys.commitment, at + PAWS_GCM_UNIQUE, PAWS_COMMITMENT_BYTES) == 0 &&
		paws_aead_gcm_open(out, at + PAWS_LAYER_START(PAWS_GCM_UNIQUE), layer->length + PAWS_AEAD_TAG_BYTES,
						   head.bytes, head.bound + PAWS_COMMITMENT_BYTES, zero_nonce, keys.key);
	sodium_memzero(&keys, sizeof(keys));
	return good;
}
