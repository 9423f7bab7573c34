/*
 * vault/key_wrap.h - the stored form of a data key.
 *
 * Version byte 2, nonce (24), encrypted key (32), tag (16): XChaCha20-Poly1305 under the key of an epoch. The
 * associated data binds home, purpose, subject_no, key id, key version, epoch and public half, so that a row
 * cannot be relabelled, moved to another subject or table, or given another public half.
 */
#ifndef PAWS_VAULT_KEY_WRAP_H
#define PAWS_VAULT_KEY_WRAP_H

#include "vault/roots.h"
#include "vault/vault.h"

#define PAWS_WRAPPED_KEY_BYTES 73

/* What the keys of a home seal. */
extern PawsPurpose paws_key_purpose(PawsKeyHome home);

/*
 * Fills a key with a random id and a random secret, or a pair for the crisis lane; version and epoch are left
 * as they are. The caller wipes it.
 */
extern void paws_key_generate(PawsDataKey *key, PawsKeyHome home);

/* Wraps the key's secret under the key of its epoch; false if the keyring does not have that epoch. */
extern bool paws_key_wrap(uint8_t out[PAWS_WRAPPED_KEY_BYTES], PawsKeyHome home, int64 subject_no,
						  const PawsDataKey *key);

/* Opens into key->secret, the other fields being set; false on any defect, or without its epoch. */
extern bool
paws_key_unwrap(const uint8_t *wrapped, size_t length, PawsKeyHome home, int64 subject_no, PawsDataKey *key);

#endif
