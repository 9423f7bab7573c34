/*
 * vault/outer_key.c - see outer_key.h.
 */
#include "postgres.h"

#include <sodium.h>

#include "vault/kdf.h"
#include "vault/keyring.h"
#include "vault/outer_key.h"
#include "vault/purpose.h"
#include "vault/secret.h"

/* The outer layers belong to the crisis root, so that one of care's documents takes two custodians to read.
 */
#define OUTER_KEY_ID       1
#define CARE_OUTER_LABEL   "outer layer care 1"
#define CRISIS_OUTER_LABEL "outer layer crisis 1"

typedef struct Prepared
{
	uint8_t base[PAWS_KEYRING_KEY_BYTES]; /* that it comes from; zeros if it is not made yet */
	PawsKdfKey key;
} Prepared;

static Prepared *prepared = NULL; /* by home */

/* No error may be raised in here. */
static void
prepare(PawsKeyHome home, const uint8_t base[PAWS_KEYRING_KEY_BYTES])
{
	uint8_t secret[PAWS_OUTER_KEY_BYTES];

	paws_purpose_key(base, home == PAWS_KEYS_CRISIS ? CRISIS_OUTER_LABEL : CARE_OUTER_LABEL, secret);
	paws_kdf_prepare(&prepared[home].key, secret, sizeof(secret));
	memcpy(prepared[home].base, base, sizeof(prepared[home].base));
	sodium_memzero(secret, sizeof(secret));
}

void
paws_outer_key(PawsKeyHome home, PawsOuterKey *outer)
{
	uint8_t base[PAWS_KEYRING_KEY_BYTES];

	paws_vault_require(PAWS_ROOT_CRISIS);
	if (prepared == NULL)
		prepared = paws_secret_take(2 * sizeof(Prepared));
	paws_secret_relock();
	if (!paws_keyring_base(PAWS_ROOT_CRISIS, PAWS_FIRST_BASE, base))
		elog(ERROR, "a base secret is gone");
	if (sodium_memcmp(prepared[home].base, base, sizeof(base)) != 0)
		prepare(home, base);
	sodium_memzero(base, sizeof(base));
	memset(outer, 0, sizeof(*outer));
	outer->id = OUTER_KEY_ID;
	outer->prepared = &prepared[home].key;
}

bool
paws_outer_key_is(uint32 id)
{
	return id == OUTER_KEY_ID;
}
