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
#include "vault/kdf.h"
#include "vault/layer.h"

#define LABEL "paws_sync envelope v1 aes-256-gcm"

static const uint8_t zero_nonce[PAWS_GCM_NONCE_BYTES];

/* The fixed input of the derivation: the label with its zero, head, context, length in bits. */
#define FIXED_MAX                                                                                            \
	(sizeof(LABEL) + PAWS_OUTER_HEADER_BYTES + PAWS_GCM_UNIQUE + PAWS_CONTEXT_BYTES + sizeof(uint32_t))

_Static_assert(sizeof(PawsLayerKeys) == PAWS_KDF_BYTES, "one block of the derivation");

static void
derive(PawsLayerKeys *keys, const PawsKdfKey *from, const PawsLayerHead *head, const uint8_t *context)
{
	uint8_t fixed[FIXED_MAX];
	uint8_t *at = fixed;

	memcpy(at, LABEL, sizeof(LABEL));
	at += sizeof(LABEL);
	memcpy(at, head->bytes, head->bound);
	at += head->bound;
	memcpy(at, context, PAWS_CONTEXT_BYTES);
	at += PAWS_CONTEXT_BYTES;
	paws_put32(at, 8 * PAWS_KDF_BYTES);
	at += sizeof(uint32_t);
	paws_kdf_counter((uint8_t *) keys, from, fixed, (size_t) (at - fixed));
}

bool
paws_gcm_layer_seal(const PawsLayer *layer, const PawsKdfKey *from, uint8_t *at)
{
	uint8_t *body = at + PAWS_LAYER_START(PAWS_GCM_UNIQUE);
	PawsLayerHead head;
	PawsLayerKeys keys;
	bool sealed;

	paws_layer_begin_head(&head, layer, at, PAWS_GCM_UNIQUE);
	derive(&keys, from, &head, layer->context);
	paws_layer_end_head(&head, keys.commitment);
	memcpy(at + PAWS_GCM_UNIQUE, keys.commitment, PAWS_COMMITMENT_BYTES);
	sealed = paws_aead_gcm_seal(body, body, layer->length, head.bytes, head.bound + PAWS_COMMITMENT_BYTES,
								zero_nonce, keys.key);
	sodium_memzero(&keys, sizeof(keys));
	return sealed;
}

bool
paws_gcm_layer_open(const PawsLayer *layer, const PawsKdfKey *from, const uint8_t *at, uint8_t *out)
{
	PawsLayerHead head;
	PawsLayerKeys keys;
	bool good;

	paws_layer_begin_head(&head, layer, at, PAWS_GCM_UNIQUE);
	derive(&keys, from, &head, layer->context);
	paws_layer_end_head(&head, keys.commitment);
	good =
		sodium_memcmp(keys.commitment, at + PAWS_GCM_UNIQUE, PAWS_COMMITMENT_BYTES) == 0 &&
		paws_aead_gcm_open(out, at + PAWS_LAYER_START(PAWS_GCM_UNIQUE), layer->length + PAWS_AEAD_TAG_BYTES,
						   head.bytes, head.bound + PAWS_COMMITMENT_BYTES, zero_nonce, keys.key);
	sodium_memzero(&keys, sizeof(keys));
	return good;
}
