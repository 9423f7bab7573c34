/*
 * vault/purpose.c - derivation of purpose keys. Pure C over libsodium.
 */
#include "vault/purpose.h"

#include <string.h>

#include <sodium.h>

#define PURPOSE_LABEL "paws_sync purpose v1"

static void
hash_label(crypto_generichash_state *state, const char *label)
{
	size_t length = strlen(label);
	uint8_t prefix[4] = {(uint8_t) (length >> 24), (uint8_t) (length >> 16), (uint8_t) (length >> 8),
						 (uint8_t) length};

	crypto_generichash_update(state, prefix, sizeof(prefix));
	crypto_generichash_update(state, (const uint8_t *) label, length);
}

void
paws_purpose_key(const uint8_t parent[32], const char *label, uint8_t key[32])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, parent, 32, 32);
	hash_label(&state, PURPOSE_LABEL);
	hash_label(&state, label);
	crypto_generichash_final(&state, key, 32);
	sodium_memzero(&state, sizeof(state));
}
