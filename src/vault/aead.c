/*
 * vault/aead.c - the ciphers of the suites. Pure C over libsodium.
 */
#include "vault/aead.h"

#include <sodium.h>

_Static_assert(PAWS_AEAD_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key of XChaCha20");
_Static_assert(PAWS_AEAD_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag of XChaCha20");
_Static_assert(PAWS_XCHACHA_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
			   "nonce of XChaCha20");
_Static_assert(PAWS_AEAD_KEY_BYTES == crypto_aead_aes256gcm_KEYBYTES, "key of AES");
_Static_assert(PAWS_AEAD_TAG_BYTES == crypto_aead_aes256gcm_ABYTES, "tag of AES");
_Static_assert(PAWS_GCM_NONCE_BYTES == crypto_aead_aes256gcm_NPUBBYTES, "nonce of AES");

void
paws_aead_xchacha_seal(uint8_t *out, const uint8_t *plain, size_t length, const uint8_t *associated,
					   size_t associated_length, const uint8_t nonce[PAWS_XCHACHA_NONCE_BYTES],
					   const uint8_t key[PAWS_AEAD_KEY_BYTES])
{
	crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, plain, length, associated, associated_length, NULL,
											   nonce, key);
}

bool
paws_aead_xchacha_open(uint8_t *out, const uint8_t *sealed, size_t length, const uint8_t *associated,
					   size_t associated_length, const uint8_t nonce[PAWS_XCHACHA_NONCE_BYTES],
					   const uint8_t key[PAWS_AEAD_KEY_BYTES])
{
	return crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed, length, associated,
													  associated_length, nonce, key) == 0;
}

bool
paws_aead_gcm_available(void)
{
	return crypto_aead_aes256gcm_is_available() == 1;
}

bool
paws_aead_gcm_seal(uint8_t *out, const uint8_t *plain, size_t length, const uint8_t *associated,
				   size_t associated_length, const uint8_t nonce[PAWS_GCM_NONCE_BYTES],
				   const uint8_t key[PAWS_AEAD_KEY_BYTES])
{
	return paws_aead_gcm_available() &&
		   crypto_aead_aes256gcm_encrypt(out, NULL, plain, length, associated, associated_length, NULL, nonce,
										 key) == 0;
}

bool
paws_aead_gcm_open(uint8_t *out, const uint8_t *sealed, size_t length, const uint8_t *associated,
				   size_t associated_length, const uint8_t nonce[PAWS_GCM_NONCE_BYTES],
				   const uint8_t key[PAWS_AEAD_KEY_BYTES])
{
	return paws_aead_gcm_available() &&
		   crypto_aead_aes256gcm_decrypt(out, NULL, NULL, sealed, length, associated, associated_length,
										 nonce, key) == 0;
}
