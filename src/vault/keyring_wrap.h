/*
 * vault/keyring_wrap.h - the wrapped key in a line of the keyring.
 *
 * Nonce (24), encrypted key (32), tag (16): XChaCha20-Poly1305. The associated data binds every other field
 * of the line, so that no line can be relabelled, given to another owner or exchanged for another. Pure C.
 */
#ifndef PAWS_VAULT_KEYRING_WRAP_H
#define PAWS_VAULT_KEYRING_WRAP_H

#include "vault/keyring_format.h"

#define PAWS_KEYRING_KEY_BYTES 32

/* Wraps a key into a line whose other fields are set. */
extern void paws_keyring_wrap(PawsKeyringLine *line, const uint8_t key[PAWS_KEYRING_KEY_BYTES],
							  const uint8_t wrap_key[32]);

/* Opens the key of a line; false, with `key` wiped, if it is not what was wrapped under this key. */
extern bool paws_keyring_unwrap(const PawsKeyringLine *line, uint8_t key[PAWS_KEYRING_KEY_BYTES],
								const uint8_t wrap_key[32]);

#endif
