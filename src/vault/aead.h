/*
 * vault/aead.h - the two ciphers with authentication that suites are made of, and nothing around them.
 *
 * `out` may be the input itself, so that no second copy of a plaintext has to be wiped; they must not overlap
 * otherwise. The tag (16 bytes) follows the ciphertext. A function that opens returns false if the tag is not
 * right; `out` is not to be used then. Pure C over libsodium.
 */
#ifndef PAWS_VAULT_AEAD_H
#define PAWS_VAULT_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAWS_AEAD_KEY_BYTES      32
#define PAWS_AEAD_TAG_BYTES      16
#define PAWS_XCHACHA_NONCE_BYTES 24
#define PAWS_GCM_NONCE_BYTES     12

/* XChaCha20-Poly1305-IETF (draft-irtf-cfrg-xchacha-03). `out` of seal has length + PAWS_AEAD_TAG_BYTES. */
extern void
paws_aead_xchacha_seal(uint8_t *out, const uint8_t *plain, size_t length, const uint8_t *associated,
					   size_t associated_length, const uint8_t nonce[PAWS_XCHACHA_NONCE_BYTES],
					   const uint8_t key[PAWS_AEAD_KEY_BYTES]);

/* `length` is that of ciphertext and tag; `out` has length - PAWS_AEAD_TAG_BYTES. */
extern bool
paws_aead_xchacha_open(uint8_t *out, const uint8_t *sealed, size_t length, const uint8_t *associated,
					   size_t associated_length, const uint8_t nonce[PAWS_XCHACHA_NONCE_BYTES],
					   const uint8_t key[PAWS_AEAD_KEY_BYTES]);

/* True if the processor has what AES-256-GCM needs; else the two below do nothing and return false. */
extern bool paws_aead_gcm_available(void);

/* AES-256-GCM with a nonce of 96 bits (NIST SP 800-38D), otherwise as above. */
extern bool paws_aead_gcm_seal(uint8_t *out, const uint8_t *plain, size_t length, const uint8_t *associated,
							   size_t associated_length, const uint8_t nonce[PAWS_GCM_NONCE_BYTES],
							   const uint8_t key[PAWS_AEAD_KEY_BYTES]);
extern bool paws_aead_gcm_open(uint8_t *out, const uint8_t *sealed, size_t length, const uint8_t *associated,
							   size_t associated_length, const uint8_t nonce[PAWS_GCM_NONCE_BYTES],
							   const uint8_t key[PAWS_AEAD_KEY_BYTES]);

#endif
