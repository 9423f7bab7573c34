/*
 * vault/key_cache.c - opened data keys, least recently used out first.
 *
 * A subject's keys are in one set of places, by its number: looking for one does not depend on how many there
 * are.
 *
 * The timer's handler may come between any two instructions. While the cache is being read or written it only
 * notes that it came, and whoever was at work wipes; what leaves this file are copies.
 */
#include "postgres.h"

#include <signal.h>
#include <sodium.h>

#include "access/xact.h"
#include "base/clock.h"
#include "base/settings.h"
#include "utils/timeout.h"
#include "vault/key_cache.h"
#include "vault/secret.h"

typedef struct CachedKey
{
	PawsDataKey key;
	PawsKeyOwner owner;
	uint64 last_used; /* 0: not an entry */
	bool has_secret;
	bool current;
} CachedKey;

#define WAYS 16
#define SETS (PAWS_KEY_CACHE_SIZE / WAYS)

StaticAssertDecl(SETS *WAYS == PAWS_KEY_CACHE_SIZE, "sets of equal size");

static CachedKey *cache = NULL; /* [SETS][WAYS] */
static uint64 uses = 0;
static uint64 followed = 0;
static TimeoutId timer = MAX_TIMEOUTS;
static int64 deadline = 0; /* of what is in the cache, by paws_clock */
static volatile sig_atomic_t at_work = 0;
static volatile sig_atomic_t expired = 0;

static void
wipe(void)
{
	sodium_memzero(cache, PAWS_KEY_CACHE_SIZE * sizeof(CachedKey));
	expired = 0;
}

static void
handle_timer(void)
{
	expired = 1;
	if (!at_work && cache != NULL)
		wipe();
}

/* No error may be raised between these two. */
static void
begin_work(void)
{
	at_work = 1;
	pg_compiler_barrier();
}

static void
end_work(void)
{
	pg_compiler_barrier();
	if (expired)
		wipe();
	at_work = 0;
	if (expired) /* between the two lines above */
		wipe();
}

/* For the case that something stopped the timer, or that it waits for a wall clock that was set back. */
static void
keep_deadline(void)
{
	int64 left = deadline - paws_clock();

	if ((left > 0 && get_timeout_active(timer)) || paws_key_cache_count() == 0)
		return;
	if (left <= 0)
		paws_key_cache_wipe();
	else
		enable_timeout_after(timer, (int) (left / 1000) + 1);
}

/* An error in a session stops its timers, and nothing is called that could start them again for sure. */
static void
at_transaction_event(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT)
		paws_key_cache_wipe();
}

static void
start_timer(void)
{
	if (timer == MAX_TIMEOUTS)
	{
		timer = RegisterTimeout(USER_TIMEOUT, handle_timer);
		RegisterXactCallback(at_transaction_event, NULL);
	}
	keep_deadline();
	if (deadline > paws_clock() && get_timeout_active(timer))
		return;
	deadline = paws_clock() + (int64) paws_key_cache_ttl * USECS_PER_SEC;
	enable_timeout_after(timer, paws_key_cache_ttl * 1000);
}

static bool
same_owner(const PawsKeyOwner *a, const PawsKeyOwner *b)
{
	return a->subject_no == b->subject_no && a->home == b->home && a->identity == b->identity;
}

static CachedKey *
set_of(const PawsKeyOwner *owner)
{
	return &cache[((uint64) owner->subject_no + (uint64) owner->home) % SETS * WAYS];
}

static CachedKey *
find_entry(const PawsKeyOwner *owner, const uint8_t *id)
{
	CachedKey *set = set_of(owner);

	for (int i = 0; i < WAYS; i++)
	{
		CachedKey *entry = &set[i];

		if (entry->last_used == 0 || !same_owner(&entry->owner, owner))
			continue;
		if (id == NULL ? entry->current : memcmp(entry->key.id, id, PAWS_DATA_KEY_ID_BYTES) == 0)
			return entry;
	}
	return NULL;
}

void
paws_key_cache_follow(uint64 version)
{
	if (version != followed)
		paws_key_cache_wipe();
	followed = version;
}

bool
paws_key_cache_find(const PawsKeyOwner *owner, const uint8_t *id, bool with_secret, PawsDataKey *key)
{
	CachedKey *entry;
	bool found;

	if (cache == NULL)
		return false;
	keep_deadline();
	paws_secret_relock();
	begin_work();
	entry = find_entry(owner, id);
	found = entry != NULL && (entry->has_secret || !with_secret);
	if (found)
	{
		entry->last_used = ++uses;
		*key = entry->key;
	}
	end_work();
	return found;
}

/* The place of the same key, or of the one of its set that was not used for longest. */
static CachedKey *
find_place(const PawsKeyOwner *owner, const uint8_t *id)
{
	CachedKey *place = find_entry(owner, id);
	CachedKey *set;

	if (place != NULL)
		return place;
	place = set = set_of(owner);
	for (int i = 1; i < WAYS; i++)
		if (set[i].last_used < place->last_used)
			place = &set[i];
	return place;
}

void
paws_key_cache_keep(const PawsKeyOwner *owner, const PawsDataKey *key, PawsKeyKnown known)
{
	CachedKey *place;

	if (cache == NULL)
		cache = paws_secret_take(PAWS_KEY_CACHE_SIZE * sizeof(CachedKey));
	start_timer();
	begin_work();
	place = find_place(owner, key->id);
	sodium_memzero(place, sizeof(*place));
	if (known.current)
		for (int i = 0; i < WAYS; i++)
			if (set_of(owner)[i].last_used != 0 && same_owner(&set_of(owner)[i].owner, owner))
				set_of(owner)[i].current = false;
	place->key = *key;
	place->owner = *owner;
	place->has_secret = known.secret;
	place->current = known.current;
	place->last_used = ++uses;
	end_work();
}

void
paws_key_cache_wipe(void)
{
	if (cache == NULL)
		return;
	begin_work();
	wipe();
	end_work();
}

int
paws_key_cache_count(void)
{
	int count = 0;

	for (int i = 0; cache != NULL && i < PAWS_KEY_CACHE_SIZE; i++)
		count += cache[i].last_used != 0;
	return count;
}
