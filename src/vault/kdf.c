/*
 * vault/kdf.c - the KDF in counter mode. Pure C over libsodium.
 */
#include "vault/kdf.h"

#include "vault/bytes.h"

_Static_assert(PAWS_KDF_BYTES == crypto_auth_hmacsha512_BYTES, "one block of the derivation");

void
paws_kdf_prepare(PawsKdfKey *prepared, const uint8_t *key, size_t key_length)
{
	crypto_auth_hmacsha512_init(&prepared->keyed, key, key_length);
}

void
paws_kdf_counter(uint8_t out[PAWS_KDF_BYTES], const PawsKdfKey *prepared, const uint8_t *fixed,
				 size_t fixed_length)
{
	crypto_auth_hmacsha512_state state = prepared->keyed;
	uint8_t counter[4];

	paws_put32(counter, 1);
	crypto_auth_hmacsha512_update(&state, counter, sizeof(counter));
	crypto_auth_hmacsha512_update(&state, fixed, fixed_length);
	crypto_auth_hmacsha512_final(&state, out);
	sodium_memzero(&state, sizeof(state));
}
