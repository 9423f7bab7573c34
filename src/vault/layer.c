/*
 * vault/layer.c - what the kinds of layers have in common. Pure C over libsodium.
 */
#include "vault/layer.h"

#include <string.h>

#include <sodium.h>

void
paws_layer_begin_head(PawsLayerHead *head, const PawsLayer *layer, const uint8_t *unique, size_t length)
{
	head->bound = layer->header_length + length;
	memcpy(head->bytes, layer->header, layer->header_length);
	memcpy(head->bytes + layer->header_length, unique, length);
}

void
paws_layer_end_head(PawsLayerHead *head, const uint8_t commitment[PAWS_COMMITMENT_BYTES])
{
	memcpy(head->bytes + head->bound, commitment, PAWS_COMMITMENT_BYTES);
}

void
paws_layer_derive(PawsLayerKeys *keys, const uint8_t secret[32], const char *label, const PawsLayerHead *head,
				  const uint8_t *recipient, const uint8_t context[PAWS_CONTEXT_BYTES])
{
	crypto_generichash_state state;
	uint8_t hash[PAWS_CONTEXT_HASH];
	uint8_t both[sizeof(keys->key) + sizeof(keys->commitment)];

	paws_context_hash(context, hash);
	crypto_generichash_init(&state, secret, 32, sizeof(both));
	crypto_generichash_update(&state, (const uint8_t *) label, strlen(label));
	crypto_generichash_update(&state, head->bytes, head->bound);
	if (recipient != NULL)
		crypto_generichash_update(&state, recipient, 32);
	crypto_generichash_update(&state, hash, sizeof(hash));
	crypto_generichash_final(&state, both, sizeof(both));
	memcpy(keys->key, both, sizeof(keys->key));
	memcpy(keys->commitment, both + sizeof(keys->key), sizeof(keys->commitment));
	sodium_memzero(both, sizeof(both));
	sodium_memzero(&state, sizeof(state));
}
