/*
 * vault/kdf.c - the KDF in counter mode. Pure C over libsodium.
 */
#include "vault/kdf.h"

#include <sodium.h>

#include "vault/bytes.h"

_Static_assert(PAWS_KDF_BYTES == crypto_auth_hmacsha512_BYTES, "one block of the derivation");

void
paws_kdf_counter(uint8_t out[PAWS_KDF_BYTES], const uint8_t *key, size_t key_length, const uint8_t *fixed,
				 size_t fixed_length)
{
	crypto_auth_hmacsha512_state state;
	uint8_t counter[4];

	paws_put32(counter, 1);
	crypto_auth_hmacsha512_init(&state, key, key_length);
	crypto_auth_hmacsha512_update(&state, counter, sizeof(counter));
	crypto_auth_hmacsha512_update(&state, fixed, fixed_length);
	crypto_auth_hmacsha512_final(&state, out);
	sodium_memzero(&state, sizeof(state));
}
