/*
 * vault/outer_key.h - the keys of outer layers, prepared once in each process.
 *
 * They derive from the crisis base secret, which each process has anyway, and are kept beside it.
 */
#ifndef PAWS_VAULT_OUTER_KEY_H
#define PAWS_VAULT_OUTER_KEY_H

#include "vault/vault.h"

/* The key of a home, without its secret: what is prepared from it is in memory for secrets. Errors 55000
 * without the crisis keys, 53200 if there is no such memory. */
extern void paws_outer_key(PawsKeyHome home, PawsOuterKey *outer);

/* True if this is the id of such a key. */
extern bool paws_outer_key_is(uint32 id);

#endif
