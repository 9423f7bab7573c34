/*
 * vault/key_cache.h - the opened data keys of one process: at most PAWS_KEY_CACHE_SIZE, in memory for
 * secrets.
 *
 * An entry belongs to a home, a subject and an incarnation of the extension. Some entries are also known to
 * be the subject's current key; the caller marks them, and only when that is committed.
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
 * The entry of this id, or, with id NULL, the one marked current; NULL if there is none. Good until the next
 * call of paws_key_cache_vacant.
 */
extern const PawsDataKey *paws_key_cache_find(const PawsKeyOwner *owner, const uint8_t *id);

/*
 * A wiped place to open a key into, taken from the least recently used entry; it is nobody's until kept.
 * Errors 53200 if the cache cannot be made.
 */
extern PawsDataKey *paws_key_cache_vacant(void);

/* Makes the filled place an entry of this owner. */
extern void paws_key_cache_keep(PawsDataKey *place, const PawsKeyOwner *owner);

/* Marks an entry as its owner's current key, and no other one of that owner. */
extern void paws_key_cache_mark_current(const PawsDataKey *entry);

#endif
