/*
 * vault/keyring_wrap.c - wrapping and opening the keys of a keyring.
 */
#include "vault/keyring_wrap.h"

#include <string.h>

#include <sodium.h>

#define LABEL       "paws_sync keyring v1"
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define BODY_BYTES  (PAWS_KEYRING_KEY_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES)
#define BOUND_BYTES 56

_Static_assert(NONCE_BYTES + BODY_BYTES == PAWS_KEYRING_WRAPPED_BYTES, "size of a wrapped key");

/* Big-endian. */
static uint8_t *
put(uint8_t *at, uint64_t value, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--)
		*at++ = (uint8_t) (value >> (8 * i));
	return at;
}

static void
bind_line(const PawsKeyringLine *line, uint8_t bound[BOUND_BYTES])
{
	uint8_t *at = bound + 24;

	memset(bound, 0, BOUND_BYTES);
	memcpy(bound, LABEL, sizeof(LABEL) - 1);
	at = put(at, line->kind, 2);
	at = put(at, line->root, 2);
	at = put(at, line->number, 4);
	at = put(at, line->root_id, 4);
	at = put(at, line->database, 4);
	at = put(at, line->system, 8);
	put(at, (uint64_t) line->time, 8);
}

void
paws_keyring_wrap(PawsKeyringLine *line, const uint8_t key[PAWS_KEYRING_KEY_BYTES],
				  const uint8_t wrap_key[32])
{
	uint8_t bound[BOUND_BYTES];

	bind_line(line, bound);
	randombytes_buf(line->wrapped, NONCE_BYTES);
	crypto_aead_xchacha20poly1305_ietf_encrypt(line->wrapped + NONCE_BYTES, NULL, key, PAWS_KEYRING_KEY_BYTES,
											   bound, sizeof(bound), NULL, line->wrapped, wrap_key);
}

bool
paws_keyring_unwrap(const PawsKeyringLine *line, uint8_t key[PAWS_KEYRING_KEY_BYTES],
					const uint8_t wrap_key[32])
{
	uint8_t bound[BOUND_BYTES];

	bind_line(line, bound);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(key, NULL, NULL, line->wrapped + NONCE_BYTES, BODY_BYTES,
												   bound, sizeof(bound), line->wrapped, wrap_key) == 0)
		return true;
	sodium_memzero(key, PAWS_KEYRING_KEY_BYTES);
	return false;
}
