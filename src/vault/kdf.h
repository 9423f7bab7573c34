/*
 * vault/kdf.h - key derivation by NIST's algorithms.
 *
 * The KDF in counter mode of NIST SP 800-108r1, section 4.1, over HMAC-SHA-512, for one block: the counter is
 * 32 bits in front of the fixed input. Pure C over libsodium.
 */
#ifndef PAWS_VAULT_KDF_H
#define PAWS_VAULT_KDF_H

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

#define PAWS_KDF_BYTES 64

/* A key to derive from, its two blocks of HMAC already hashed: as secret as the key itself, and wiped like
 * it. */
typedef struct PawsKdfKey
{
	crypto_auth_hmacsha512_state keyed;
} PawsKdfKey;

extern void paws_kdf_prepare(PawsKdfKey *prepared, const uint8_t *key, size_t key_length);

/* Writes one block for a fixed input, which is label ‖ zero byte ‖ context ‖ length of the output in bits. */
extern void paws_kdf_counter(uint8_t out[PAWS_KDF_BYTES], const PawsKdfKey *prepared, const uint8_t *fixed,
							 size_t fixed_length);

#endif
