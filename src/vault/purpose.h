/*
 * vault/purpose.h - keys for one purpose, derived from a longer-lived one.
 *
 * BLAKE2b-256, keyed with the parent, over a fixed label and the purpose's, each with its length (4 bytes,
 * big-endian) in front. Calls nothing of the server.
 */
#ifndef PAWS_VAULT_PURPOSE_H
#define PAWS_VAULT_PURPOSE_H

#include <stdint.h>

/* Each purpose has a label of its own. The caller wipes its copy. */
extern void paws_purpose_key(const uint8_t parent[32], const char *label, uint8_t key[32]);

#endif
