/*
 * vault/key_wrap.h - the stored form of a data key.
 *
 * Version byte 1, nonce (24), encrypted key (32), tag (16): XChaCha20-Poly1305 under the purpose key "data
 * key wrap". The associated data binds home, purpose, subject_no, key id, key version and epoch, so that a
 * row cannot be relabelled or moved to another subject or table.
 */
#ifndef PAWS_VAULT_KEY_WRAP_H
#define PAWS_VAULT_KEY_WRAP_H

#include "vault/vault.h"

#define PAWS_WRAPPED_KEY_BYTES 73

/* Epoch 0: wrapped directly under the root. It is the only epoch so far. */
#define PAWS_EPOCH_ROOT 0

/* Fills a key with a random id and a random secret, version and epoch being set. The caller wipes it. */
extern void paws_key_generate(PawsDataKey *key);

/* Wraps the key's secret. Errors 55000 without a root. */
extern void paws_key_wrap(uint8_t out[PAWS_WRAPPED_KEY_BYTES], PawsKeyHome home, int64 subject_no,
						  PawsPurpose purpose, const PawsDataKey *key);

/* Opens into key->secret, the other fields being set; false on any defect. Errors 55000 without a root. */
extern bool paws_key_unwrap(const uint8_t *wrapped, size_t length, PawsKeyHome home, int64 subject_no,
							PawsPurpose purpose, PawsDataKey *key);

#endif
