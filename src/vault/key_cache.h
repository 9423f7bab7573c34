/*
 * vault/key_cache.h - the opened data keys of one process: at most PAWS_KEY_CACHE_SIZE, in memory for
 * secrets, for at most paws_sync.key_cache_ttl.
 *
 * An entry belongs to a home, a subject and an incarnation of the extension. One entry of an owner may be
 * known to be its current key; the caller says so, and only when that is committed. When the time is over,
 * all entries are wiped by a timer, in a process that does nothing as well; and when a transaction aborts.
 */
#ifndef PAWS_VAULT_KEY_CACHE_H
#define PAWS_VAULT_KEY_CACHE_H

#include "vault/vault.h"

#define PAWS_KEY_CACHE_SIZE 256

/* Whose key an entry is. */
typedef struct PawsKeyOwner
{
	PawsKeyHome home;
	Oid identity; /* paws_extension_identity() */
	int64 subject_no;
} PawsKeyOwner;

/*
 * Follows what other processes did to stored keys: wipes the cache unless `version` is what the last call
 * saw. To be called before a look into the cache.
 */
extern void paws_key_cache_follow(uint64 version);

/*
 * Copies the entry of this id, or, with id NULL, the one marked current; false if there is none. An entry
 * without a secret (a public half) is found only when `with_secret` is false. The caller wipes its copy.
 */
extern bool
paws_key_cache_find(const PawsKeyOwner *owner, const uint8_t *id, bool with_secret, PawsDataKey *key);

/* What is known of a key that is put into the cache. */
typedef struct PawsKeyKnown
{
	bool secret;  /* its secret is there, not the public half alone */
	bool current; /* it is its owner's current key */
} PawsKeyKnown;

/*
 * Puts a key in, in place of the least recently used one or of the same key. Errors 53200 if the cache cannot
 * be made.
 */
extern void paws_key_cache_keep(const PawsKeyOwner *owner, const PawsDataKey *key, PawsKeyKnown known);

/* Wipes all entries. */
extern void paws_key_cache_wipe(void);

/* How many entries there are. */
extern int paws_key_cache_count(void);

#endif
