/*
 * purpose_test.c - keys for one purpose. The known ones come from vectors.py.
 */
#include <string.h>

#include <sodium.h>

#include "tap.h"
#include "vault/purpose.h"

static bool
gives(const uint8_t parent[32], const char *label, const char *known)
{
	uint8_t key[32];
	char hex[65];

	paws_purpose_key(parent, label, key);
	sodium_bin2hex(hex, sizeof(hex), key, sizeof(key));
	return strcmp(hex, known) == 0;
}

void
test_purposes(void)
{
	uint8_t parent[32];
	uint8_t one[32];
	uint8_t other[32];

	for (int i = 0; i < 32; i++)
		parent[i] = (uint8_t) i;
	tap_ok(gives(parent, "revision seal", "ebaf5a969bf2093f2ac0ecf32fa60c9c63c79e3ff33cce350099fa9e46520d70"),
		   "the key of a known label is known");
	tap_ok(gives(parent, "", "321895b6bf545eb5aa9c4e0e12dba6e99e3e9ba02862e22fa163cb2dcf9a68fd"),
		   "so is that of an empty one");
	paws_purpose_key(parent, "a", one);
	paws_purpose_key(parent, "b", other);
	tap_ok(memcmp(one, other, 32) != 0, "each label has a key of its own");
	parent[31] ^= 1;
	paws_purpose_key(parent, "a", other);
	tap_ok(memcmp(one, other, 32) != 0, "each parent too");
}
