/*
 * vault/key_cache.c - opened data keys, least recently used out first.
 */
#include "postgres.h"

#include <sodium.h>

#include "vault/key_cache.h"
#include "vault/secret.h"

typedef struct CachedKey
{
	PawsDataKey key; /* first, so that a pointer to it is one to the entry */
	PawsKeyOwner owner;
	uint64 last_used; /* 0: not an entry */
	bool current;
} CachedKey;

static CachedKey *cache = NULL;
static uint64 uses = 0;

static bool
same_owner(const PawsKeyOwner *a, const PawsKeyOwner *b)
{
	return a->subject_no == b->subject_no && a->home == b->home && a->identity == b->identity;
}

const PawsDataKey *
paws_key_cache_find(const PawsKeyOwner *owner, const uint8_t *id)
{
	if (cache == NULL)
		return NULL;
	for (int i = 0; i < PAWS_KEY_CACHE_SIZE; i++)
	{
		CachedKey *entry = &cache[i];

		if (entry->last_used == 0 || !same_owner(&entry->owner, owner))
			continue;
		if (id == NULL ? entry->current : memcmp(entry->key.id, id, PAWS_DATA_KEY_ID_BYTES) == 0)
		{
			entry->last_used = ++uses;
			return &entry->key;
		}
	}
	return NULL;
}

PawsDataKey *
paws_key_cache_vacant(void)
{
	CachedKey *oldest;

	if (cache == NULL)
		cache = paws_secret_take(PAWS_KEY_CACHE_SIZE * sizeof(CachedKey));
	oldest = &cache[0];
	for (int i = 1; i < PAWS_KEY_CACHE_SIZE; i++)
		if (cache[i].last_used < oldest->last_used)
			oldest = &cache[i];
	sodium_memzero(oldest, sizeof(CachedKey));
	return &oldest->key;
}

void
paws_key_cache_keep(PawsDataKey *place, const PawsKeyOwner *owner)
{
	CachedKey *entry = (CachedKey *) place;

	entry->owner = *owner;
	entry->current = false;
	entry->last_used = ++uses;
}

void
paws_key_cache_mark_current(const PawsDataKey *key)
{
	CachedKey *chosen = (CachedKey *) key;

	for (int i = 0; i < PAWS_KEY_CACHE_SIZE; i++)
		if (cache[i].last_used != 0 && same_owner(&cache[i].owner, &chosen->owner))
			cache[i].current = false;
	chosen->current = true;
}
